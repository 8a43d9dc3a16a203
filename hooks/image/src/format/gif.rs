//! GIF, by the `gif` crate; pages are laid on each other as it says.

use std::borrow::Cow;

use ::gif::{
    ColorOutput, DecodeOptions, Decoder, DisposalMethod, Encoder, Frame, MemoryLimit, Repeat,
};

use super::{Metadata, Reading};
use crate::{
    Error,
    budget::Budget,
    output::{GifOptions, Written},
    palette::{self, Alpha},
    picture::{Pages, Picture},
};

/// Pages that are looked through for their number: more are not counted.
const MOST_PAGES: u32 = 1 << 16;

fn decoder(bytes: &[u8], is_looking: bool) -> Result<Decoder<&[u8]>, Error> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::RGBA);
    // What pages take is counted before.
    options.set_memory_limit(MemoryLimit::Unlimited);
    options.skip_frame_decoding(is_looking);
    options.read_info(bytes).map_err(header)
}

fn header(error: ::gif::DecodingError) -> Error {
    Error::CorruptHeader(format!("gifload_buffer: {error}"))
}

/// What stands before and between the pixels of its pages.
pub(super) fn facts(bytes: &[u8]) -> Result<Metadata, Error> {
    let mut decoder = decoder(bytes, true)?;
    let (width, height) = (decoder.width(), decoder.height());
    let mut delay = Vec::new();
    let mut count = 0;
    let mut has_alpha = false;
    let mut is_interlaced = false;
    let mut covers = true;
    while count < MOST_PAGES {
        match decoder.next_frame_info() {
            Ok(Some(frame)) => {
                has_alpha |= frame.transparent.is_some();
                is_interlaced |= frame.interlaced;
                if count == 0 {
                    covers = (frame.left, frame.top) == (0, 0)
                        && (frame.width, frame.height) == (width, height);
                }
                delay.push(u32::from(frame.delay) * 10);
                count += 1;
            }
            Ok(None) => break,
            Err(error) if count == 0 => return Err(header(error)),
            Err(_) => break,
        }
    }
    if count == 0 || width == 0 || height == 0 {
        return Err(Error::CorruptHeader(
            "gifload_buffer: no frames in GIF".to_owned(),
        ));
    }
    let has_alpha = has_alpha || !covers;
    let repeats = match decoder.repeat() {
        Repeat::Infinite => 0,
        // After the first time.
        Repeat::Finite(n) => u32::from(n) + 1,
    };
    let mut facts = Metadata {
        width: width.into(),
        height: height.into(),
        space: "srgb",
        channels: if has_alpha { 4 } else { 3 },
        depth: "uchar",
        is_progressive: is_interlaced,
        is_palette: true,
        bits_per_sample: Some(8),
        pages: Some(count),
        repeats: Some(repeats),
        delay,
        has_alpha,
        ..Metadata::default()
    };
    facts.set_icc(decoder.icc_profile().map(<[u8]>::to_vec));
    facts.xmp = decoder.xmp_metadata().map(<[u8]>::to_vec);
    Ok(facts)
}

/// Pages as they are shown, each of them the whole picture.
pub(super) fn decode(
    budget: &Budget,
    bytes: &[u8],
    facts: &Metadata,
    reading: Reading,
) -> Result<Pages, Error> {
    let (width, height) = (facts.width as usize, facts.height as usize);
    let mut decoder = decoder(bytes, false)?;
    let mut canvas = Picture::new(budget, width, height, 4)?;
    // One page as the decoder hands it out, and what lies below it.
    let _working = budget.charge(width * height * 8)?;
    let last = reading.pages.map(|n| reading.page + n);
    let bands = usize::from(facts.channels);
    let mut pages = Vec::new();
    let mut delays = Vec::new();
    let mut number = 0;
    while last.is_none_or(|last| number < last) {
        budget.check()?;
        let frame = match decoder.read_next_frame() {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            Err(error) if reading.is_strict || pages.is_empty() => {
                return Err(Error::CorruptData(format!("gifload_buffer: {error}")));
            }
            Err(_) => break,
        };
        let before = (frame.dispose == DisposalMethod::Previous).then(|| canvas.data.clone());
        lay(&mut canvas, frame);
        if number >= reading.page {
            pages.push(canvas.map(budget, bands, |from, to| to.copy_from_slice(&from[..bands]))?);
            delays.push(u32::from(frame.delay) * 10);
        }
        match frame.dispose {
            DisposalMethod::Background => clear(&mut canvas, frame),
            DisposalMethod::Previous => canvas.data = before.unwrap_or_default(),
            DisposalMethod::Any | DisposalMethod::Keep => {}
        }
        number += 1;
    }
    if pages.is_empty() {
        return Err(Error::CorruptHeader(
            "gifload_buffer: bad page number".to_owned(),
        ));
    }
    Ok(Pages {
        pages,
        delays,
        repeats: facts.repeats,
    })
}

/// The part of a row of the canvas that a page covers, for each row that it has there.
fn rows(
    width: usize,
    height: usize,
    frame: &Frame<'_>,
) -> impl Iterator<Item = (usize, usize, usize)> {
    let left = usize::from(frame.left).min(width);
    let right = (left + usize::from(frame.width)).min(width);
    let top = usize::from(frame.top).min(height);
    let bottom = (top + usize::from(frame.height)).min(height);
    (top..bottom).map(move |y| (y - top, (y * width + left) * 4, (right - left) * 4))
}

fn lay(canvas: &mut Picture, frame: &Frame<'_>) {
    let stride = usize::from(frame.width) * 4;
    for (y, at, length) in rows(canvas.width, canvas.height, frame) {
        let Some(from) = frame.buffer.get(y * stride..y * stride + length) else {
            return;
        };
        let to = &mut canvas.data[at..at + length];
        for (from, to) in from.chunks_exact(4).zip(to.chunks_exact_mut(4)) {
            if from[3] != 0 {
                to.copy_from_slice(from);
            }
        }
    }
}

fn clear(canvas: &mut Picture, frame: &Frame<'_>) {
    for (_, at, length) in rows(canvas.width, canvas.height, frame) {
        canvas.data[at..at + length].fill(0);
    }
}

/// Writes a file, a palette for each page. Of a page of an animation, only what changes is written, where that can be.
pub(super) fn encode(
    budget: &Budget,
    options: &GifOptions,
    written: &Written,
    pages: Pages,
) -> Result<Vec<u8>, Error> {
    let first = pages.first();
    let too_large = || Error::Refused("Processed image is too large for the GIF format".to_owned());
    let width = u16::try_from(first.width).map_err(|_| too_large())?;
    let height = u16::try_from(first.height).map_err(|_| too_large())?;
    let broken = |e: ::gif::EncodingError| Error::CorruptData(format!("gifsave_buffer: {e}"));
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height, &[]).map_err(broken)?;
    let count = pages.pages.len();
    if count > 1 {
        let repeats = written.repeats.or(pages.repeats).unwrap_or(0);
        match u16::try_from(repeats) {
            Ok(1) => {}
            Ok(0) | Err(_) => encoder.set_repeat(Repeat::Infinite).map_err(broken)?,
            Ok(n) => encoder.set_repeat(Repeat::Finite(n - 1)).map_err(broken)?,
        }
    }
    let is_shrinking = pages.pages.windows(2).any(|w| uncovers(&w[0], &w[1]));
    // One colour is kept for what is transparent, and for what does not change.
    let keeps_one = first.has_alpha() || written.is_of_gif || count > 1;
    let most = (1u16 << options.bitdepth) - u16::from(keeps_one);
    for (number, page) in pages.pages.iter().enumerate() {
        budget.check()?;
        let mut indexed = palette::of_picture(budget, page, most, options.dither, Alpha::Binary)?;
        let transparent = keeps_one.then(|| indexed.transparent());
        let delay = written
            .delays
            .get(number)
            .or_else(|| pages.delays.get(number))
            .copied()
            .unwrap_or(if count > 1 { 100 } else { 0 });
        let mut frame = Frame {
            width,
            height,
            delay: u16::try_from(delay / 10).unwrap_or(u16::MAX),
            // Where something becomes transparent, each page is written whole, on nothing.
            dispose: if is_shrinking {
                DisposalMethod::Background
            } else {
                DisposalMethod::Keep
            },
            transparent,
            palette: Some(indexed.rgb()),
            ..Frame::default()
        };
        let before = number.checked_sub(1).and_then(|n| pages.pages.get(n));
        match (before, transparent) {
            (Some(before), Some(transparent)) if !is_shrinking => {
                let changed = changes(before, page, &mut indexed.indices, transparent);
                let (left, top, right, bottom) = changed.unwrap_or((0, 0, 1, 1));
                let side = |v: usize| u16::try_from(v).unwrap_or(u16::MAX);
                frame.left = side(left);
                frame.top = side(top);
                frame.width = side(right - left);
                frame.height = side(bottom - top);
                let rows = indexed.indices.chunks_exact(page.width);
                let inside = rows.skip(top).take(bottom - top);
                let part: Vec<u8> = inside.flat_map(|row| &row[left..right]).copied().collect();
                frame.buffer = Cow::Owned(part);
            }
            _ => frame.buffer = Cow::Borrowed(&indexed.indices),
        }
        encoder.write_frame(&frame).map_err(broken)?;
    }
    drop(encoder);
    Ok(bytes)
}

/// Whether a pixel is seen in a file, where it is seen or not.
const fn is_seen(pixel: &[u8]) -> bool {
    match pixel {
        [_, alpha] | [_, _, _, alpha] => *alpha >= 128,
        _ => true,
    }
}

/// Whether something that was seen is not any more.
fn uncovers(before: &Picture, page: &Picture) -> bool {
    let mut both = before.pixels().zip(page.pixels());
    both.any(|(before, after)| is_seen(before) && !is_seen(after))
}

/// Makes transparent what is as it was, and tells the box around the rest.
fn changes(
    before: &Picture,
    page: &Picture,
    indices: &mut [u8],
    transparent: u8,
) -> Option<(usize, usize, usize, usize)> {
    let mut found: Option<(usize, usize, usize, usize)> = None;
    let pixels = before.pixels().zip(page.pixels()).zip(indices);
    for (i, ((before, after), index)) in pixels.enumerate() {
        if before == after {
            *index = transparent;
            continue;
        }
        let (x, y) = (i % page.width, i / page.width);
        found = Some(match found {
            None => (x, y, x + 1, y + 1),
            Some((l, t, r, b)) => (l.min(x), t.min(y), r.max(x + 1), b.max(y + 1)),
        });
    }
    found
}
