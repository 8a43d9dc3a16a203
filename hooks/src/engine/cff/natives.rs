//! The operations that the JavaScript of CloudFront Functions reaches the host through. There are no others.

use std::{rc::Rc, sync::LazyLock};

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use deno_core::v8::{self, MapFnTo as _};
use hmac::{Hmac, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{super::isolate::Place, Run};
use crate::cff::iso8601;

/// Names by which JavaScript knows them, and the functions.
fn table() -> [(&'static str, v8::FunctionCallback); 10] {
    [
        ("decode", decode.map_fn_to()),
        ("decodeStrict", decode_strict.map_fn_to()),
        ("digest", digest.map_fn_to()),
        ("encode", encode.map_fn_to()),
        ("heavy", heavy.map_fn_to()),
        ("isProxy", is_proxy.map_fn_to()),
        ("kvsGet", kvs_get.map_fn_to()),
        ("kvsMeta", kvs_meta.map_fn_to()),
        ("kvsOpen", kvs_open.map_fn_to()),
        ("log", log.map_fn_to()),
    ]
}

/// What JavaScript finds in `native`.
pub(super) fn object<'s>(scope: &mut v8::PinScope<'s, '_>) -> Option<v8::Local<'s, v8::Object>> {
    let native = v8::Object::new(scope);
    for (name, function) in table() {
        let function = v8::FunctionTemplate::builder_raw(function)
            .build(scope)
            .get_function(scope)?;
        let name = v8::String::new(scope, name)?;
        function.set_name(name);
        native.set(scope, name.into(), function.into());
    }
    Some(native)
}

/// The run that JavaScript belongs to; `None` only while the snapshot is made, when nothing is called.
fn run(scope: &v8::Isolate) -> Option<Rc<Run>> {
    scope.get_slot::<Rc<Run>>().cloned()
}

fn text(scope: &v8::Isolate, value: v8::Local<'_, v8::Value>) -> String {
    v8::Local::<v8::String>::try_from(value)
        .map(|text| text.to_rust_string_lossy(scope))
        .unwrap_or_default()
}

fn bytes(value: v8::Local<'_, v8::Value>) -> Vec<u8> {
    let Ok(view) = v8::Local::<v8::ArrayBufferView>::try_from(value) else {
        return Vec::new();
    };
    let mut bytes = vec![0; view.byte_length()];
    let copied = view.copy_contents(&mut bytes);
    bytes.truncate(copied);
    bytes
}

fn throw(scope: &mut v8::PinScope<'_, '_>, message: &str) {
    if let Some(message) = v8::String::new(scope, message) {
        let error = v8::Exception::range_error(scope, message);
        scope.throw_exception(error);
    }
}

/// A new `Uint8Array`, from the function's own budget of buffers (LE-435).
fn give_bytes(scope: &mut v8::PinScope<'_, '_>, mut rv: v8::ReturnValue<'_>, data: &[u8]) {
    let Some(run) = run(scope) else { return };
    // V8 ends the process when its allocator has nothing to give to this call, so the budget is asked before.
    if run.limits.buffer_bytes().saturating_add(data.len()) > run.limits.limit_bytes() {
        run.limits.run_out_of_memory();
        throw(scope, "allocation failed: the function's memory is used up");
        return;
    }
    let buffer = v8::ArrayBuffer::new(scope, data.len());
    let store = buffer.get_backing_store();
    for (cell, byte) in store.iter().zip(data) {
        cell.set(*byte);
    }
    if let Some(array) = v8::Uint8Array::new(scope, buffer, 0, data.len()) {
        rv.set(array.into());
    }
}

fn give_text(scope: &mut v8::PinScope<'_, '_>, mut rv: v8::ReturnValue<'_>, text: &str) {
    match v8::String::new(scope, text) {
        Some(text) => rv.set(text.into()),
        None => throw(scope, "the text is too long"),
    }
}

/// `console.log` (LE-440).
fn log(
    scope: &mut v8::PinScope<'_, '_>,
    args: v8::FunctionCallbackArguments<'_>,
    _: v8::ReturnValue<'_>,
) {
    if let Some(run) = run(scope) {
        run.log(text(scope, args.get(0)));
    }
}

/// Before something that takes more than a millisecond and cannot be interrupted: a run on a thread of the proxy's ends here
/// and is made anew on the pool ([`super::super::audit`]).
fn heavy(
    scope: &mut v8::PinScope<'_, '_>,
    _: v8::FunctionCallbackArguments<'_>,
    _: v8::ReturnValue<'_>,
) {
    if let Some(run) = run(scope)
        && run.place == Place::Caller
    {
        run.limits.move_away();
        throw(scope, "this run is made again where it may do that");
    }
}

fn is_proxy(
    _: &mut v8::PinScope<'_, '_>,
    args: v8::FunctionCallbackArguments<'_>,
    mut rv: v8::ReturnValue<'_>,
) {
    rv.set_bool(args.get(0).is_proxy());
}

// Encodings, as `cff_library.js` numbers them.
const UTF8: u32 = 0;
const HEX: u32 = 1;
const BASE64: u32 = 2;
const BASE64URL: u32 = 3;

/// Text to bytes. What is no text of the encoding ends it, as in Node.
fn encode(
    scope: &mut v8::PinScope<'_, '_>,
    args: v8::FunctionCallbackArguments<'_>,
    rv: v8::ReturnValue<'_>,
) {
    let source = args.get(0);
    let encoding = args.get(1).uint32_value(scope).unwrap_or(UTF8);
    let source = text(scope, source);
    let data = match encoding {
        UTF8 => source.into_bytes(),
        HEX => from_hex(&source),
        BASE64 | BASE64URL => from_base64(&source),
        // Only the low byte of each UTF-16 unit, as in Node.
        _ => source
            .encode_utf16()
            .map(|unit| unit.to_le_bytes()[0])
            .collect(),
    };
    give_bytes(scope, rv, &data);
}

/// Bytes to text.
fn decode(
    scope: &mut v8::PinScope<'_, '_>,
    args: v8::FunctionCallbackArguments<'_>,
    mut rv: v8::ReturnValue<'_>,
) {
    let data = bytes(args.get(0));
    match args.get(1).uint32_value(scope).unwrap_or(UTF8) {
        UTF8 => give_text(scope, rv, &String::from_utf8_lossy(&data)),
        HEX => give_text(scope, rv, &to_hex(&data)),
        BASE64 => give_text(scope, rv, &STANDARD.encode(&data)),
        BASE64URL => give_text(scope, rv, &URL_SAFE.encode(&data)),
        _ => match v8::String::new_from_one_byte(scope, &data, v8::NewStringType::Normal) {
            Some(text) => rv.set(text.into()),
            None => throw(scope, "the text is too long"),
        },
    }
}

/// UTF-8 to text; `undefined` when it is none.
fn decode_strict(
    scope: &mut v8::PinScope<'_, '_>,
    args: v8::FunctionCallbackArguments<'_>,
    rv: v8::ReturnValue<'_>,
) {
    if let Ok(text) = String::from_utf8(bytes(args.get(0))) {
        give_text(scope, rv, &text);
    }
}

/// A digest, or with a key an HMAC (LE-458).
fn digest(
    scope: &mut v8::PinScope<'_, '_>,
    args: v8::FunctionCallbackArguments<'_>,
    rv: v8::ReturnValue<'_>,
) {
    let key = args.get(1);
    let key = (!key.is_undefined()).then(|| bytes(key));
    let data = bytes(args.get(2));
    let digest = match args.get(0).uint32_value(scope) {
        Some(0) => digest_of::<Md5, Hmac<Md5>>(key.as_deref(), &data),
        Some(1) => digest_of::<Sha1, Hmac<Sha1>>(key.as_deref(), &data),
        _ => digest_of::<Sha256, Hmac<Sha256>>(key.as_deref(), &data),
    };
    give_bytes(scope, rv, &digest);
}

fn digest_of<D: Digest, H: Mac + hmac::digest::KeyInit>(
    key: Option<&[u8]>,
    data: &[u8],
) -> Vec<u8> {
    let Some(key) = key else {
        return D::digest(data).to_vec();
    };
    // HMAC takes keys of every length, so there is no error to tell.
    <H as Mac>::new_from_slice(key)
        .map(|mac| mac.chain_update(data).finalize().into_bytes().to_vec())
        .unwrap_or_default()
}

/// Why the store may not be used, or `undefined` (LE-470).
fn kvs_open(
    scope: &mut v8::PinScope<'_, '_>,
    args: v8::FunctionCallbackArguments<'_>,
    rv: v8::ReturnValue<'_>,
) {
    let Some(run) = run(scope) else { return };
    let wanted = args.get(0);
    let refusal = match run.store() {
        None => "no key-value store is associated with this function".to_owned(),
        Some(_) if wanted.is_undefined() => return,
        Some(store) => {
            let wanted = text(scope, wanted);
            if store.is_called(&wanted) {
                return;
            }
            format!("the key-value store `{wanted}` is not associated with this function")
        }
    };
    give_text(scope, rv, &refusal);
}

/// A value, or `undefined` (LE-471).
fn kvs_get(
    scope: &mut v8::PinScope<'_, '_>,
    args: v8::FunctionCallbackArguments<'_>,
    rv: v8::ReturnValue<'_>,
) {
    let Some(run) = run(scope) else { return };
    let key = text(scope, args.get(0));
    if let Some(value) = run.stored().as_ref().and_then(|s| s.entries.get(&key)) {
        give_text(scope, rv, value);
    }
}

/// What `meta()` answers, as JSON (LE-472); the number of keys stands there and nowhere else (LE-473).
fn kvs_meta(
    scope: &mut v8::PinScope<'_, '_>,
    _: v8::FunctionCallbackArguments<'_>,
    rv: v8::ReturnValue<'_>,
) {
    let Some(run) = run(scope) else { return };
    let Some(store) = run.stored() else { return };
    let meta = serde_json::json!({
        "creationDateTime": iso8601(store.created),
        "lastUpdatedDateTime": iso8601(store.last_updated),
        "keyCount": store.entries.len(),
    });
    give_text(scope, rv, &meta.to_string());
}

fn from_hex(text: &str) -> Vec<u8> {
    let digit = |b: u8| {
        char::from(b)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    text.as_bytes()
        .chunks_exact(2)
        .map_while(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

fn to_hex(data: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * data.len());
    for byte in data {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);

static STANDARD: LazyLock<GeneralPurpose> =
    LazyLock::new(|| GeneralPurpose::new(&alphabet::STANDARD, LENIENT));

static URL_SAFE: LazyLock<GeneralPurpose> =
    LazyLock::new(|| GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT.with_encode_padding(false)));

/// Either alphabet; spaces and the like are passed over and the first `=` ends it, as in Node.
fn from_base64(text: &str) -> Vec<u8> {
    let mut plain: Vec<u8> = text
        .bytes()
        .take_while(|b| *b != b'=')
        .filter_map(|b| match b {
            b'-' => Some(b'+'),
            b'_' => Some(b'/'),
            b'+' | b'/' => Some(b),
            b if b.is_ascii_alphanumeric() => Some(b),
            _ => None,
        })
        .collect();
    if plain.len() % 4 == 1 {
        // Six bits make no byte.
        plain.pop();
    }
    STANDARD.decode(plain).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_ends_where_it_is_none() {
        // LE-456
        assert_eq!(from_hex("00ff1"), [0, 255]);
        assert!(from_hex("0g00").is_empty());
        assert_eq!(to_hex(&[0, 255, 0x1a]), "00ff1a");
    }

    #[test]
    fn base64_takes_either_alphabet_with_or_without_padding() {
        // LE-456
        for text in ["+/8=", "-_8", "-_8==", " +/ 8"] {
            assert_eq!(from_base64(text), [0xfb, 0xff], "{text}");
        }
        assert_eq!(from_base64("YWJj\nZA"), b"abcd");
        assert_eq!(from_base64("Y"), b"");
        assert_eq!(URL_SAFE.encode([0xfb, 0xff]), "-_8");
        assert_eq!(STANDARD.encode([0xfb, 0xff]), "+/8=");
    }

    #[test]
    fn digests_are_those_of_the_standards() {
        // LE-458; RFC 1321, RFC 3174, FIPS 180, RFC 2202 case 2
        assert_eq!(
            to_hex(&digest_of::<Md5, Hmac<Md5>>(None, b"abc")),
            "900150983cd24fb0d6963f7d28e17f72"
        );
        assert_eq!(
            to_hex(&digest_of::<Sha1, Hmac<Sha1>>(None, b"abc")),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
        assert_eq!(
            to_hex(&digest_of::<Sha256, Hmac<Sha256>>(None, b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            to_hex(&digest_of::<Md5, Hmac<Md5>>(
                Some(b"Jefe"),
                b"what do ya want for nothing?"
            )),
            "750c783e6ab0b503eaa86e310a5db738"
        );
    }
}
