//! The base64 of signed URLs and cookies: MIME's, with three characters that mean something in URLs replaced (CF-565).

use base64::{
    Engine as _,
    alphabet::Alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

/// `+` is `-`, `/` is `~`.
const ALPHABET: Alphabet =
    match Alphabet::new("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-~") {
        Ok(alphabet) => alphabet,
        Err(_) => panic!("64 different characters"),
    };

/// Bits behind the last byte have to be zero, so a signature has one spelling, padding aside.
const DECODER: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// Decodes a value; `=` is `_`, and may be missing (CF-565). `None` for anything else, and for nothing.
pub(crate) fn decode(value: &[u8]) -> Option<Vec<u8>> {
    let padding = value.iter().rev().take_while(|b| **b == b'_').count();
    if padding > 0 && (padding > 2 || !value.len().is_multiple_of(4)) {
        return None;
    }
    let decoded = DECODER.decode(&value[..value.len() - padding]).ok()?;
    (!decoded.is_empty()).then_some(decoded)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    /// As CloudFront's page says it: standard base64, three characters replaced.
    fn encode(bytes: &[u8]) -> String {
        STANDARD
            .encode(bytes)
            .replace('+', "-")
            .replace('=', "_")
            .replace('/', "~")
    }

    #[test]
    fn one_spelling_and_padding_or_none() {
        // CF-565
        for (text, decoded) in [
            ("YQ__", Some(&b"a"[..])),
            ("YQ", Some(b"a")),
            ("YWI_", Some(b"ab")),
            ("YWI", Some(b"ab")),
            ("YWJj", Some(b"abc")),
            ("-~-~", Some(&[0xfb, 0xff, 0xbf])),
            ("", None),
            ("____", None),
            ("_", None),
            ("YQ_", None),
            ("YQ___", None),
            ("YWJj_", None),
            ("YWJj____", None),
            ("YQ==", None),
            ("+/+/", None),
            ("Y_Q_", None),
            ("Y", None),
            ("YR", None),
            ("YWJ j", None),
            ("YQ%5F%5F", None),
            ("%7E-~-", None),
        ] {
            assert_eq!(decode(text.as_bytes()).as_deref(), decoded, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_signers_encode_is_decoded(bytes in prop::collection::vec(any::<u8>(), 1..300)) {
            // CF-565
            let text = encode(&bytes);
            prop_assert_eq!(decode(text.as_bytes()), Some(bytes.clone()));
            prop_assert_eq!(decode(text.trim_end_matches('_').as_bytes()), Some(bytes));
        }

        #[test]
        fn what_is_decoded_has_no_other_spelling(text in "[A-Za-z0-9~_-]{0,40}") {
            // CF-565
            if let Some(bytes) = decode(text.as_bytes()) {
                let one = encode(&bytes);
                prop_assert!(text == one || text == one.trim_end_matches('_'), "{} {}", text, one);
            }
        }
    }
}
