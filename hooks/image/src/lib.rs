//! Pictures for functions: what the npm package `sharp` does, for the part of it that handlers use (NC-110 and following).
//!
//! JavaScript records what is to be done as a [`Pipeline`]; [`run`] does it, on a thread of the caller's choice. There is no
//! V8 here, no file and no network: bytes in, bytes out. Memory is asked for before it is used, and the work is given up
//! when nobody waits any more: see [`budget`].
//!
//! # Choices
//! Every decoder is safe Rust: `zune-jpeg`, `png`, `gif`, `image-webp`, `tiff`. Sizes come from `fast_image_resize`, colours
//! from `moxcms`, palettes from `quantizr`; AVIF is written by `ravif`, JPEG by mozjpeg and WebP by libwebp, both in C, of
//! which there is no match in Rust. `conformance/sharp` compares all of it with the npm package (NC-117).
//!
//! Decoders are not taken at their word: what they would keep beside the pixels is asked for before, by what the headers
//! say, pages of GIF are read by the row, and frames of WebP one by one. What is left: `image-webp` makes as many tables of
//! codes as pixels without loss ask for, up to some 270 times the bytes of a file, and tells nobody.
//!
//! Samples have eight bits all the way. Sixteen are read and rounded, as sharp's default of sRGB output does at its end.
#![deny(unsafe_op_in_unsafe_fn)]

pub mod budget;
mod colour;
mod error;
mod format;
mod number;
mod op;
mod output;
mod palette;
mod picture;
pub mod pipeline;
mod run;
mod stats;

pub use error::Error;
pub use format::Metadata;
pub use pipeline::Pipeline;
pub use run::{Info, Made, run};
pub use stats::{Channel, Dominant, Stats, stats};

/// What the headers of a source say. Nothing is decoded.
///
/// # Errors
/// Those of [`Error`], whose texts are sharp's.
pub fn metadata(
    budget: &budget::Budget,
    input: &pipeline::Input,
    buffers: &[&[u8]],
) -> Result<Metadata, Error> {
    input.check()?;
    let source = run::headers(budget, input, buffers)?;
    let count = source.page_count(run::reading(input))?;
    let mut facts = source.facts;
    if count > 1 {
        facts.page_height = Some(facts.height);
        facts.height = facts.height.saturating_mul(number::length(count));
    }
    Ok(facts)
}
