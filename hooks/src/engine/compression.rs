//! `CompressionStream` and `DecompressionStream`, with what they hold and make counted (LE-264, NC-27).
//!
//! The operations of `deno_web` under the same names. Theirs write all that a piece of input expands to
//! into one buffer, however large: a few kilobytes could take the machine's memory. These stop at the
//! function's limit. `brotli`, which Node 22 does not have here, is left out.

use std::{
    cell::RefCell,
    io::{self, Write},
    rc::Rc,
    sync::Arc,
};

use deno_core::{OpDecl, OpState, convert::Uint8Array, op2, v8};
use deno_error::JsErrorBox;
use flate2::{
    Compression,
    write::{DeflateDecoder, DeflateEncoder, GzDecoder, GzEncoder, ZlibDecoder, ZlibEncoder},
};

use super::{
    limits::{Held, Limits},
    memory,
};

/// What a compressor keeps: its window, hash tables and pending output.
const ENCODER_BYTES: usize = 320 * 1024;
/// What a decompressor keeps: its window and tables.
const DECODER_BYTES: usize = 64 * 1024;

/// The operations that this file replaces.
pub(super) fn ops() -> [OpDecl; 3] {
    [
        op_compression_new(),
        op_compression_write(),
        op_compression_finish(),
    ]
}

/// A stream's state, which JavaScript holds; `None` once it is finished.
pub(super) struct Stream(RefCell<Option<Running>>);

struct Running {
    codec: Codec,
    _held: Held,
}

enum Codec {
    ZlibDecoder(ZlibDecoder<Output>),
    ZlibEncoder(ZlibEncoder<Output>),
    DeflateDecoder(DeflateDecoder<Output>),
    DeflateEncoder(DeflateEncoder<Output>),
    GzDecoder(GzDecoder<Output>),
    GzEncoder(GzEncoder<Output>),
}

/// What a step has made so far: never more than the function has memory left for.
struct Output {
    bytes: Vec<u8>,
    limits: Arc<Limits>,
}

impl Write for Output {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let left = self
            .limits
            .limit_bytes()
            .saturating_sub(self.limits.buffer_bytes());
        if self.bytes.len() + data.len() > left {
            self.limits.run_out_of_memory();
            return Err(io::Error::other(memory::used_up()));
        }
        self.bytes.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Codec {
    fn new(format: &str, decoder: bool, output: Output) -> Option<Self> {
        let level = Compression::default();
        Some(match (format, decoder) {
            ("deflate", true) => Self::ZlibDecoder(ZlibDecoder::new(output)),
            ("deflate", false) => Self::ZlibEncoder(ZlibEncoder::new(output, level)),
            ("deflate-raw", true) => Self::DeflateDecoder(DeflateDecoder::new(output)),
            ("deflate-raw", false) => Self::DeflateEncoder(DeflateEncoder::new(output, level)),
            ("gzip", true) => Self::GzDecoder(GzDecoder::new(output)),
            ("gzip", false) => Self::GzEncoder(GzEncoder::new(output, level)),
            _ => return None,
        })
    }

    /// Takes input and gives the output it led to. Encoders decide by themselves when there is some.
    fn write(&mut self, input: &[u8]) -> io::Result<Vec<u8>> {
        fn all(to: &mut impl Write, input: &[u8], flush: bool) -> io::Result<()> {
            to.write_all(input)?;
            if flush { to.flush() } else { Ok(()) }
        }
        let output = match self {
            Self::ZlibDecoder(d) => all(d, input, true).map(|()| d.get_mut()),
            Self::ZlibEncoder(d) => all(d, input, false).map(|()| d.get_mut()),
            Self::DeflateDecoder(d) => all(d, input, true).map(|()| d.get_mut()),
            Self::DeflateEncoder(d) => all(d, input, false).map(|()| d.get_mut()),
            Self::GzDecoder(d) => all(d, input, true).map(|()| d.get_mut()),
            Self::GzEncoder(d) => all(d, input, false).map(|()| d.get_mut()),
        }?;
        Ok(std::mem::take(&mut output.bytes))
    }

    /// Gives the rest.
    fn finish(self) -> io::Result<Vec<u8>> {
        let output = match self {
            Self::ZlibDecoder(d) => d.finish(),
            Self::ZlibEncoder(d) => d.finish(),
            Self::DeflateDecoder(d) => d.finish(),
            Self::DeflateEncoder(d) => d.finish(),
            Self::GzDecoder(d) => d.finish(),
            Self::GzEncoder(d) => d.finish(),
        }?;
        Ok(output.bytes)
    }
}

fn closed() -> JsErrorBox {
    JsErrorBox::type_error("resource is closed")
}

fn broken(error: io::Error) -> JsErrorBox {
    JsErrorBox::type_error(error.to_string())
}

#[op2]
#[cppgc]
fn op_compression_new(
    isolate: &mut v8::Isolate,
    state: Rc<RefCell<OpState>>,
    #[string] format: &str,
    decoder: bool,
) -> Result<Stream, JsErrorBox> {
    let limits = memory::limits(&state.borrow());
    let bytes = if decoder {
        DECODER_BYTES
    } else {
        ENCODER_BYTES
    };
    let held = memory::hold(isolate, &limits, bytes)?;
    let output = Output {
        bytes: Vec::new(),
        limits,
    };
    let codec = Codec::new(format, decoder, output).ok_or_else(|| {
        JsErrorBox::type_error(format!("Unsupported compression format: '{format}'"))
    })?;
    Ok(Stream(RefCell::new(Some(Running { codec, _held: held }))))
}

#[op2]
fn op_compression_write(
    #[cppgc] stream: &Stream,
    #[anybuffer] input: &[u8],
) -> Result<Uint8Array, JsErrorBox> {
    let mut running = stream.0.borrow_mut();
    let running = running.as_mut().ok_or_else(closed)?;
    running.codec.write(input).map(Into::into).map_err(broken)
}

#[op2]
fn op_compression_finish(
    #[cppgc] stream: &Stream,
    report_errors: bool,
) -> Result<Uint8Array, JsErrorBox> {
    let running = stream.0.borrow_mut().take().ok_or_else(closed)?;
    match running.codec.finish() {
        Ok(output) => Ok(output.into()),
        Err(error) if report_errors => Err(broken(error)),
        Err(_) => Ok(Vec::new().into()),
    }
}
