//! The pixels of WebP: each frame is read by `image-webp` as a file of its own, and those of animations are laid here.
//!
//! The crate lays them, too, but never disposes of one, and clears too much where it is told to.

use std::io::Cursor;

use image_webp::{DecodingError, WebPDecoder};

use super::{Metadata, Reading, webp::Chunks};
use crate::{
    Error,
    budget::Budget,
    number,
    picture::{Pages, Picture},
};

fn broken(error: impl std::fmt::Display) -> Error {
    Error::CorruptData(format!("webp: {error}"))
}

/// The pixels, of each page the whole picture.
pub(super) fn decode(
    budget: &Budget,
    bytes: &[u8],
    facts: &Metadata,
    reading: Reading,
) -> Result<Pages, Error> {
    if facts.pages.is_some() {
        return animation(budget, bytes, facts, reading);
    }
    let has_alpha = facts.channels == 4;
    let mut coded = Coded::of(Chunks::of(bytes))?;
    if !has_alpha {
        coded.alpha = None;
    }
    let picture = coded.read(budget, (facts.width as usize, facts.height as usize))?;
    Ok(Pages::still(if has_alpha {
        picture.into_alpha(budget, u8::MAX)?
    } else {
        picture.into_opaque(budget)?
    }))
}

/// The bodies of an animation's frames, in order.
fn frames(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let chunks = Chunks::of(bytes).filter(|(name, _)| name == b"ANMF");
    chunks.map(|(_, body)| body)
}

/// How long each page is shown, in milliseconds.
pub(super) fn durations(bytes: &[u8]) -> Vec<u32> {
    let durations = frames(bytes).map(|body| Frame::of(body).map_or(0, |frame| frame.duration));
    durations.collect()
}

/// Whether something of an animation can be seen through: a frame has alpha, or leaves a part of the canvas free.
pub(super) fn is_transparent(bytes: &[u8], canvas: (u32, u32)) -> bool {
    frames(bytes).filter_map(Frame::of).any(|frame| {
        let size = (number::length(frame.width), number::length(frame.height));
        size != canvas || Coded::of(frame.chunks).is_ok_and(|coded| coded.has_alpha())
    })
}

fn animation(
    budget: &Budget,
    bytes: &[u8],
    facts: &Metadata,
    reading: Reading,
) -> Result<Pages, Error> {
    let (width, height) = (facts.width as usize, facts.height as usize);
    let bands = usize::from(facts.channels);
    let mut canvas = Picture::new(budget, width, height, 4)?;
    let last = reading.pages.map_or(usize::MAX, |n| reading.page + n);
    let mut pages = Vec::new();
    let mut delays = Vec::new();
    let mut before: Option<Frame<'_>> = None;
    // Pages before the first one are read, too: it may lie on them.
    for (number, body) in frames(bytes).enumerate().take(last) {
        budget.check()?;
        let read = Frame::of(body)
            .ok_or_else(|| broken(DecodingError::InvalidChunkSize))
            .and_then(|frame| Ok((frame.read(budget, (width, height))?, frame)));
        let (picture, frame) = match read {
            Ok(read) => read,
            Err(Error::CorruptData(_)) if !reading.is_strict && !pages.is_empty() => break,
            Err(error) => return Err(error),
        };
        if let Some(before) = before.filter(|before| before.disposes) {
            before.clear(&mut canvas);
        }
        // Below the first there is nothing, which colours that are not seen are kept by.
        frame.lay(&picture, &mut canvas, frame.blends && number > 0);
        if number >= reading.page {
            pages.push(canvas.map(budget, bands, |from, to| to.copy_from_slice(&from[..bands]))?);
            delays.push(frame.duration);
        }
        before = Some(frame);
    }
    if pages.is_empty() {
        return Err(Error::CorruptHeader("webp: bad page number".to_owned()));
    }
    Ok(Pages {
        pages,
        delays,
        repeats: facts.repeats,
    })
}

/// A frame of an animation: where it lies on the canvas, in pixels, and how.
struct Frame<'a> {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    /// In milliseconds.
    duration: u32,
    /// Whether what lies below is seen through it.
    blends: bool,
    /// Whether its part of the canvas is transparent afterwards.
    disposes: bool,
    chunks: Chunks<'a>,
}

impl<'a> Frame<'a> {
    /// What stands before its pixels; `None` where not all of that is there.
    fn of(body: &'a [u8]) -> Option<Self> {
        let (head, rest) = body.split_first_chunk::<16>()?;
        let [.., flags] = *head;
        let number = |at: usize| {
            let three = head.get(at..at + 3).unwrap_or_default();
            three
                .iter()
                .rev()
                .fold(0, |sum: u32, byte| sum << 8 | u32::from(*byte))
        };
        Some(Self {
            left: number(0) as usize * 2,
            top: number(3) as usize * 2,
            width: number(6) as usize + 1,
            height: number(9) as usize + 1,
            duration: number(12),
            blends: flags & 2 == 0,
            disposes: flags & 1 != 0,
            chunks: Chunks(rest),
        })
    }

    /// Its pixels, if it lies within the canvas.
    fn read(&self, budget: &Budget, (width, height): (usize, usize)) -> Result<Picture, Error> {
        if self.left + self.width > width || self.top + self.height > height {
            return Err(broken(DecodingError::FrameOutsideImage));
        }
        Coded::of(self.chunks)?.read(budget, (self.width, self.height))
    }

    fn clear(&self, canvas: &mut Picture) {
        for y in self.top..self.top + self.height {
            canvas.row_mut(y)[self.left * 4..][..self.width * 4].fill(0);
        }
    }

    /// Lays its pixels, with or without alpha, on a canvas with alpha.
    fn lay(&self, picture: &Picture, canvas: &mut Picture, blends: bool) {
        for y in 0..self.height {
            let to = &mut canvas.row_mut(self.top + y)[self.left * 4..][..self.width * 4];
            let pixels = picture.row(y).chunks_exact(picture.bands);
            for (from, to) in pixels.zip(to.chunks_exact_mut(4)) {
                match *from {
                    [r, g, b] => to.copy_from_slice(&[r, g, b, u8::MAX]),
                    [_, _, _, 0] if blends => {}
                    [_, _, _, alpha] if blends => blend(from, alpha, to),
                    _ => to.copy_from_slice(from),
                }
            }
        }
    }
}

/// Lays a pixel that is not wholly transparent over another, alpha not multiplied into colours, in whole numbers as libvips does.
fn blend(over: &[u8], alpha: u8, under: &mut [u8]) {
    let alpha = u32::from(alpha);
    let [colours @ .., below] = under else {
        return;
    };
    let below_part = (u32::from(*below) * (256 - alpha)) >> 8;
    let sum = alpha + below_part;
    let scale = (1 << 24) / sum;
    for (under, over) in colours.iter_mut().zip(over) {
        let mixed = u32::from(*over) * alpha + u32::from(*under) * below_part;
        *under = (mixed * scale).to_be_bytes()[0];
    }
    *below = u8::try_from(sum).unwrap_or(u8::MAX);
}

/// The chunks that the pixels of one picture are in.
struct Coded<'a> {
    /// Alpha beside pixels that have none themselves.
    alpha: Option<&'a [u8]>,
    is_lossless: bool,
    pixels: &'a [u8],
}

impl<'a> Coded<'a> {
    fn of(chunks: Chunks<'a>) -> Result<Self, Error> {
        let mut alpha = None;
        for (name, body) in chunks {
            match &name {
                b"ALPH" => alpha = alpha.or(Some(body)),
                b"VP8 " | b"VP8L" => {
                    let is_lossless = name == *b"VP8L";
                    return Ok(Self {
                        alpha: alpha.filter(|_| !is_lossless),
                        is_lossless,
                        pixels: body,
                    });
                }
                _ => {}
            }
        }
        Err(broken(DecodingError::ChunkMissing))
    }

    /// The size that the pixels themselves claim; `None` where they say nothing and cannot be read.
    fn size(&self) -> Option<(usize, usize)> {
        const SIDE: u32 = 0x3fff;
        let (width, height) = if self.is_lossless {
            let sides = self.sides()?;
            ((sides & SIDE) + 1, (sides >> 14 & SIDE) + 1)
        } else {
            let sides = u32::from_le_bytes(*self.pixels.get(6..)?.first_chunk()?);
            (sides & SIDE, sides >> 16 & SIDE)
        };
        Some((width as usize, height as usize))
    }

    /// Both sides and whether there is alpha, of pixels without loss.
    fn sides(&self) -> Option<u32> {
        Some(u32::from_le_bytes(*self.pixels.get(1..)?.first_chunk()?))
    }

    fn has_alpha(&self) -> bool {
        const ALPHA: u32 = 1 << 28;
        if self.is_lossless {
            self.sides().is_some_and(|sides| sides & ALPHA != 0)
        } else {
            self.alpha.is_some()
        }
    }

    /// The pixels, RGB or RGBA, which have to be as many as is said elsewhere.
    fn read(&self, budget: &Budget, (width, height): (usize, usize)) -> Result<Picture, Error> {
        if self.size().is_some_and(|size| size != (width, height)) {
            return Err(broken(DecodingError::InconsistentImageSizes));
        }
        let each = width * height;
        let working = if self.is_lossless {
            // All four samples where alpha is not asked for, and what was done to blocks of them.
            each * 5
        } else {
            let planes = width.next_multiple_of(16) * height.next_multiple_of(16) * 3 / 2;
            // Alpha is a picture without loss of its own, and its samples once more.
            planes + if self.alpha.is_some() { each * 6 } else { 0 }
        };
        let length = self.pixels.len() + self.alpha.map_or(0, <[u8]>::len);
        let _working = budget.charge(working + length)?;
        let file = self.file((width, height));
        let mut decoder = WebPDecoder::new(Cursor::new(&file[..])).map_err(broken)?;
        let bands = if decoder.has_alpha() { 4 } else { 3 };
        let mut picture = Picture::new(budget, width, height, bands)?;
        decoder.read_image(&mut picture.data).map_err(broken)?;
        budget.check()?;
        Ok(picture)
    }

    /// A file of nothing else.
    fn file(&self, (width, height): (usize, usize)) -> Vec<u8> {
        let mut body = b"WEBP".to_vec();
        if let Some(alpha) = self.alpha {
            put_canvas(&mut body, ALPHA, (width, height));
            put(&mut body, b"ALPH", alpha);
        }
        put(
            &mut body,
            if self.is_lossless { b"VP8L" } else { b"VP8 " },
            self.pixels,
        );
        riff(&body)
    }
}

/// The flag of a canvas for pixels that can be seen through.
pub(super) const ALPHA: u8 = 0x10;

/// Appends a chunk.
pub(super) fn put(file: &mut Vec<u8>, name: &[u8; 4], content: &[u8]) {
    file.extend_from_slice(name);
    file.extend_from_slice(&number::length(content.len()).to_le_bytes());
    file.extend_from_slice(content);
    if content.len() % 2 == 1 {
        file.push(0);
    }
}

/// Appends the chunk that says how large the canvas is, in pixels, and what else there is.
pub(super) fn put_canvas(file: &mut Vec<u8>, flags: u8, (width, height): (usize, usize)) {
    let side = |length: usize| number::length(length.saturating_sub(1)).to_le_bytes();
    let ([w0, w1, w2, _], [h0, h1, h2, _]) = (side(width), side(height));
    put(file, b"VP8X", &[flags, 0, 0, 0, w0, w1, w2, h0, h1, h2]);
}

/// Chunks, which begin with their kind, as a file.
pub(super) fn riff(body: &[u8]) -> Vec<u8> {
    let length = number::length(body.len()).to_le_bytes();
    [b"RIFF", &length[..], body].concat()
}
