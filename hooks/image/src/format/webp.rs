//! WebP: read by `image-webp`, written by libwebp.

use std::io::Cursor;

use image_webp::{LoopCount, WebPDecoder};

use super::{
    Metadata, Reading,
    exif::PREFIX,
    webp_ffi::{self, Setup},
};
use crate::{
    Error,
    budget::Budget,
    number,
    output::{WebpOptions, Written},
    picture::{Pages, Picture},
};

fn header(error: impl std::fmt::Display) -> Error {
    Error::CorruptHeader(format!("webp: {error}"))
}

fn decoder(bytes: &[u8]) -> Result<WebPDecoder<Cursor<&[u8]>>, Error> {
    WebPDecoder::new(Cursor::new(bytes)).map_err(header)
}

/// What stands before the pixels.
pub(super) fn facts(bytes: &[u8]) -> Result<Metadata, Error> {
    let mut decoder = decoder(bytes)?;
    let (width, height) = decoder.dimensions();
    let has_alpha = decoder.has_alpha();
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
        facts.pages = Some(decoder.num_frames());
        facts.repeats = Some(match decoder.loop_count() {
            LoopCount::Forever => 0,
            LoopCount::Times(n) => u16::from(n).into(),
        });
        facts.delay = durations(bytes);
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

/// Chunks of a file: their names and what they hold.
struct Chunks<'a>(&'a [u8]);

impl<'a> Iterator for Chunks<'a> {
    type Item = ([u8; 4], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, rest) = self.0.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        let body = rest.get(..length)?;
        self.0 = rest.get(length + length % 2..).unwrap_or_default();
        Some((*name, body))
    }
}

fn durations(bytes: &[u8]) -> Vec<u32> {
    Chunks(bytes.get(12..).unwrap_or_default())
        .filter(|(name, _)| name == b"ANMF")
        .filter_map(|(_, body)| {
            let [a, b, c] = *body.get(12..15)? else {
                return None;
            };
            Some(u32::from_le_bytes([a, b, c, 0]))
        })
        .collect()
}

/// The pixels, of each page the whole picture.
pub(super) fn decode(
    budget: &Budget,
    bytes: &[u8],
    facts: &Metadata,
    reading: Reading,
) -> Result<Pages, Error> {
    let broken = |e: image_webp::DecodingError| Error::CorruptData(format!("webp: {e}"));
    let (width, height) = (facts.width as usize, facts.height as usize);
    let bands = usize::from(facts.channels);
    // Planes of a page, and the canvas of an animation.
    let _working = budget.charge(width * height * if facts.pages.is_some() { 8 } else { 4 })?;
    let mut decoder = decoder(bytes)?;
    if !decoder.is_animated() {
        let mut picture = Picture::new(budget, width, height, bands)?;
        decoder.read_image(&mut picture.data).map_err(broken)?;
        budget.check()?;
        return Ok(Pages::still(picture));
    }
    let last = reading.pages.map(|n| reading.page + n);
    let mut pages = Vec::new();
    let mut delays = Vec::new();
    let mut number = 0;
    // Pages before the first one are read, too: it may lie on them.
    while last.is_none_or(|last| number < last) {
        budget.check()?;
        let mut picture = Picture::new(budget, width, height, bands)?;
        match decoder.read_frame(&mut picture.data) {
            Ok(duration) if number >= reading.page => {
                pages.push(picture);
                delays.push(duration);
            }
            Ok(_) => {}
            Err(image_webp::DecodingError::NoMoreFrames) => break,
            Err(error) if reading.is_strict || pages.is_empty() => return Err(broken(error)),
            Err(_) => break,
        }
        number += 1;
    }
    if pages.is_empty() {
        return Err(header("bad page number"));
    }
    Ok(Pages {
        pages,
        delays,
        repeats: facts.repeats,
    })
}

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
                given.copied().unwrap_or(100)
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
    const ALPHA: u8 = 0x10;
    const ICC: u8 = 0x20;
    let old: Vec<_> = Chunks(bytes.get(12..).unwrap_or_default()).collect();
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
    let mut put = |name: &[u8; 4], content: &[u8]| {
        body.extend_from_slice(name);
        body.extend_from_slice(&number::length(content.len()).to_le_bytes());
        body.extend_from_slice(content);
        if content.len() % 2 == 1 {
            body.push(0);
        }
    };
    let side = |length: usize| number::length(length.saturating_sub(1)).to_le_bytes();
    let ([w0, w1, w2, _], [h0, h1, h2, _]) = (side(width), side(height));
    put(b"VP8X", &[flags, 0, 0, 0, w0, w1, w2, h0, h1, h2]);
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
    let mut file = b"RIFF".to_vec();
    file.extend_from_slice(&number::length(body.len()).to_le_bytes());
    file.extend_from_slice(&body);
    file
}
