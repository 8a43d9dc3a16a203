//! WebP: read by `image-webp`, written by libwebp.

use std::io::Cursor;

use image_webp::{LoopCount, WebPDecoder};

use super::{
    Metadata,
    exif::PREFIX,
    webp_ffi::{self, Setup},
    webp_pages::{self, ALPHA},
};
use crate::{
    Error,
    budget::Budget,
    number,
    output::{WebpOptions, Written},
    picture::Pages,
};

fn header(error: impl std::fmt::Display) -> Error {
    Error::CorruptHeader(format!("webp: {error}"))
}

/// What stands before the pixels.
pub(super) fn facts(bytes: &[u8]) -> Result<Metadata, Error> {
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(header)?;
    // Of a block, no more is there than the file has.
    decoder.set_memory_limit(bytes.len());
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(header("bad image dimensions"));
    }
    let mut has_alpha = decoder.has_alpha();
    if decoder.is_animated() {
        has_alpha |= webp_pages::is_transparent(bytes, (width, height));
    }
    let mut facts = Metadata {
        width,
        height,
        space: "srgb",
        channels: if has_alpha { 4 } else { 3 },
        depth: "uchar",
        has_alpha,
        ..Metadata::default()
    };
    if decoder.is_animated() {
        facts.delay = webp_pages::durations(bytes);
        facts.pages = Some(number::length(facts.delay.len()));
        facts.repeats = Some(match decoder.loop_count() {
            LoopCount::Forever => 0,
            LoopCount::Times(n) => u16::from(n).into(),
        });
    }
    let block = |read: Result<Option<Vec<u8>>, _>| read.ok().flatten();
    facts.set_icc(block(decoder.icc_profile()));
    facts.xmp = block(decoder.xmp_metadata());
    if let Some(exif) = block(decoder.exif_metadata()) {
        facts.set_exif(if exif.starts_with(PREFIX) {
            exif
        } else {
            [PREFIX, &exif].concat()
        });
    }
    Ok(facts)
}

/// Chunks: their names and what they hold, as far as it is there.
#[derive(Clone, Copy)]
pub(super) struct Chunks<'a>(pub(super) &'a [u8]);

impl<'a> Chunks<'a> {
    /// Those of a file.
    pub(super) fn of(file: &'a [u8]) -> Self {
        Self(file.get(12..).unwrap_or_default())
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = ([u8; 4], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, rest) = self.0.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        let body = rest.get(..length).unwrap_or(rest);
        self.0 = rest.get(length + length % 2..).unwrap_or_default();
        Some((*name, body))
    }
}

/// The pixels, of each page the whole picture.
pub(super) use webp_pages::decode;

/// Writes a file.
pub(super) fn encode(
    budget: &Budget,
    options: &WebpOptions,
    written: &Written,
    pages: Pages,
) -> Result<Vec<u8>, Error> {
    let pages = pages.each(|page| page.into_rgb(budget))?;
    let first = pages.first();
    let has_alpha = first.has_alpha();
    const MOST: usize = 16383;
    if first.width > MOST || first.height > MOST {
        return Err(Error::Refused(
            "Processed image is too large for the WebP format".to_owned(),
        ));
    }
    // Pixels as the encoder keeps them, its planes, and its candidates: measured for each of its ways.
    let each = first.width * first.height;
    let _working = budget.charge(each * if options.lossless { 24 } else { 10 } + (1 << 20))?;
    let setup = Setup {
        quality: options.quality,
        alpha_quality: options.alpha_quality,
        is_lossless: options.lossless,
        is_near_lossless: options.near_lossless,
        is_sharp_yuv: options.smart_subsample,
        is_autofilter: options.smart_deblock,
        is_exact: options.exact,
        effort: options.effort,
        preset: &options.preset,
    };
    let bytes = if pages.pages.len() > 1 {
        let delays: Vec<u32> = (0..pages.pages.len())
            .map(|n| {
                let given = written.delays.get(n).or_else(|| pages.delays.get(n));
                // What browsers take for no delay at all is one, as libvips has it.
                given.copied().filter(|ms| *ms > 10).unwrap_or(100)
            })
            .collect();
        let repeats = written.repeats.or(pages.repeats).unwrap_or(0);
        webp_ffi::animation(budget, &setup, &pages.pages, &delays, repeats)?
    } else {
        webp_ffi::still(budget, &setup, first)?
    };
    Ok(with_metadata(
        bytes,
        (first.width, first.height),
        has_alpha,
        written,
    ))
}

/// The file with what is kept beside its pixels.
fn with_metadata(
    bytes: Vec<u8>,
    (width, height): (usize, usize),
    has_alpha: bool,
    written: &Written,
) -> Vec<u8> {
    let exif = written
        .exif
        .as_ref()
        .map(|e| e.strip_prefix(PREFIX).unwrap_or(e));
    if written.icc.is_none() && exif.is_none() && written.xmp.is_none() {
        return bytes;
    }
    const ANIMATED: u8 = 0x02;
    const XMP: u8 = 0x04;
    const EXIF: u8 = 0x08;
    const ICC: u8 = 0x20;
    let old: Vec<_> = Chunks::of(&bytes).collect();
    let mut flags = 0;
    for (flag, is_set) in [
        (ANIMATED, old.iter().any(|(n, _)| n == b"ANIM")),
        (XMP, written.xmp.is_some()),
        (EXIF, exif.is_some()),
        (ALPHA, has_alpha),
        (ICC, written.icc.is_some()),
    ] {
        if is_set {
            flags |= flag;
        }
    }
    let mut body = b"WEBP".to_vec();
    webp_pages::put_canvas(&mut body, flags, (width, height));
    let mut put = |name: &[u8; 4], content: &[u8]| webp_pages::put(&mut body, name, content);
    if let Some(icc) = &written.icc {
        put(b"ICCP", icc);
    }
    for (name, content) in &old {
        if name != b"VP8X" {
            put(name, content);
        }
    }
    if let Some(exif) = exif {
        put(b"EXIF", exif);
    }
    if let Some(xmp) = &written.xmp {
        put(b"XMP ", xmp);
    }
    webp_pages::riff(&body)
}
