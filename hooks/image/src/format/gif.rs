//! GIF, by the `gif` crate; pages are laid on each other as it says.

use std::borrow::Cow;

use ::gif::{
    ColorOutput, DecodeOptions, Decoder, DisposalMethod, Encoder, Frame, MemoryLimit, Repeat,
};

use super::{
    Metadata, Reading,
    gif_controls::{Controls, Disposal},
};
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
    // Numbers of colours, a row at a time: pages are never whole anywhere but on the canvas, however large they claim to be.
    options.set_color_output(ColorOutput::Indexed);
    options.set_memory_limit(MemoryLimit::Unlimited);
    options.skip_frame_decoding(is_looking);
    options.read_info(bytes).map_err(header)
}

fn header(error: impl std::fmt::Display) -> Error {
    Error::CorruptHeader(format!("gifload_buffer: {error}"))
}

/// How large the canvas is, in pixels: as the screen, or as the first page where that goes beyond. Sizes of usual monitors, and
/// sizes above 2048, say where a file was made and not how large it is: there, the first page alone counts, as in libnsgif.
fn canvas_size(screen: (u16, u16), first: &Frame<'_>) -> (u32, u32) {
    const MONITORS: [(u16, u16); 6] = [
        (640, 480),
        (640, 512),
        (800, 600),
        (1024, 768),
        (1280, 1024),
        (1600, 1200),
    ];
    const MOST: u16 = 2048;
    let (width, height) = screen;
    let says_nothing =
        MONITORS.contains(&screen) || width == 0 || height == 0 || width > MOST || height > MOST;
    let (width, height) = if says_nothing { (1, 1) } else { screen };
    (
        u32::from(width).max(u32::from(first.left) + u32::from(first.width)),
        u32::from(height).max(u32::from(first.top) + u32::from(first.height)),
    )
}

/// What stands before and between the pixels of its pages.
pub(super) fn facts(bytes: &[u8]) -> Result<Metadata, Error> {
    let mut decoder = decoder(bytes, true)?;
    let screen = (decoder.width(), decoder.height());
    let (mut width, mut height) = (0, 0);
    let mut delay = Vec::new();
    let mut count = 0;
    let mut has_alpha = false;
    let mut is_interlaced = false;
    let mut controls = Controls::of(bytes);
    let mut bits = palette_bits(decoder.global_palette());
    while count < MOST_PAGES {
        match decoder.next_frame_info() {
            Ok(Some(frame)) => {
                has_alpha |= frame.transparent.is_some();
                is_interlaced |= frame.interlaced;
                if count == 0 {
                    (width, height) = canvas_size(screen, frame);
                }
                bits = bits.max(palette_bits(frame.palette.as_deref()));
                let control = controls.next().unwrap_or_default();
                delay.push(u32::from(control.delay) * 10);
                count += 1;
            }
            Ok(None) => break,
            Err(error) if count == 0 => return Err(header(error)),
            Err(_) => break,
        }
    }
    if count == 0 {
        return Err(header("no frames in GIF"));
    }
    let repeats = match decoder.repeat() {
        Repeat::Infinite => 0,
        // After the first time.
        Repeat::Finite(n) => u32::from(n) + 1,
    };
    let mut facts = Metadata {
        width,
        height,
        space: "srgb",
        channels: if has_alpha { 4 } else { 3 },
        depth: "uchar",
        is_progressive: is_interlaced,
        is_palette: true,
        bits_per_sample: Some(bits),
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

/// Bits of the numbers that a palette has colours for.
fn palette_bits(palette: Option<&[u8]>) -> u8 {
    let colours = palette.map_or(0, |palette| palette.len() / 3);
    (0..8).find(|bits| colours <= 1 << bits).unwrap_or(8)
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
    let background = background(&decoder);
    let mut canvas = Picture::new(budget, width, height, 4)?;
    // What lies below a page, and a row of it.
    let _working = budget.charge(width * height * 4 + usize::from(u16::MAX))?;
    let last = reading.pages.map(|n| reading.page + n);
    let bands = usize::from(facts.channels);
    let mut colours = Colours::of(decoder.global_palette());
    let mut pages = Vec::new();
    let mut delays = Vec::new();
    let mut number = 0;
    let mut controls = Controls::of(bytes);
    while last.is_none_or(|last| number < last) {
        budget.check()?;
        let broken = |error: &dyn std::fmt::Display| {
            Err(Error::CorruptData(format!("gifload_buffer: {error}")))
        };
        let frame = match decoder.next_frame_info() {
            Ok(Some(frame)) => frame.clone(),
            Ok(None) => break,
            Err(error) if reading.is_strict || pages.is_empty() => return broken(&error),
            Err(_) => break,
        };
        let control = controls.next().unwrap_or_default();
        let before = (control.disposal == Disposal::Previous).then(|| canvas.data.clone());
        match lay(budget, &mut canvas, &mut decoder, &frame, &mut colours) {
            Ok(()) => {}
            Err(Unread::Given(error)) => return Err(error),
            Err(Unread::Broken(error)) if reading.is_strict || pages.is_empty() => {
                return broken(&error);
            }
            Err(Unread::Broken(_)) => break,
        }
        if number >= reading.page {
            pages.push(canvas.map(budget, bands, |from, to| to.copy_from_slice(&from[..bands]))?);
            delays.push(u32::from(control.delay) * 10);
        }
        match control.disposal {
            // Where a page has nothing transparent, what it leaves behind has not either.
            Disposal::Background if frame.transparent.is_some() => {
                clear(&mut canvas, &frame, [0; 4]);
            }
            Disposal::Background => clear(&mut canvas, &frame, background),
            Disposal::Previous => canvas.data = before.unwrap_or_default(),
            Disposal::Keep => {}
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

/// The colour of the screen: that of its number, the first where the number says nothing, black without a palette.
fn background(decoder: &Decoder<&[u8]>) -> [u8; 4] {
    let palette = decoder.global_palette().unwrap_or_default();
    let number = decoder.bg_color().unwrap_or(0);
    let colour = palette.get(number * 3..).unwrap_or_default();
    match colour.first_chunk().or_else(|| palette.first_chunk()) {
        Some([r, g, b]) => [*r, *g, *b, 255],
        None => [0, 0, 0, 255],
    }
}

/// Colours by their numbers. Those that no palette has are transparent black, or what they were in the page before.
struct Colours {
    of_screen: [[u8; 4]; 256],
    of_page: [[u8; 4]; 256],
}

impl Colours {
    fn of(screen: Option<&[u8]>) -> Self {
        let mut colours = Self {
            of_screen: [[0; 4]; 256],
            of_page: [[0; 4]; 256],
        };
        set(&mut colours.of_screen, screen.unwrap_or_default());
        colours
    }

    /// Those that count for a page.
    fn for_page(&mut self, page: Option<&[u8]>) -> &[[u8; 4]; 256] {
        let Some(palette) = page else {
            return &self.of_screen;
        };
        set(&mut self.of_page, palette);
        &self.of_page
    }
}

fn set(table: &mut [[u8; 4]; 256], palette: &[u8]) {
    for (entry, colour) in table.iter_mut().zip(palette.chunks_exact(3)) {
        if let [r, g, b] = *colour {
            *entry = [r, g, b, 255];
        }
    }
}

/// Why a page was not laid.
enum Unread {
    /// Nobody waits for it.
    Given(Error),
    Broken(::gif::DecodingError),
}

/// The part of the canvas that a page covers, in pixels: left, top, width, height.
fn covered(canvas: &Picture, frame: &Frame<'_>) -> (usize, usize, usize, usize) {
    let left = usize::from(frame.left).min(canvas.width);
    let top = usize::from(frame.top).min(canvas.height);
    let width = usize::from(frame.width).min(canvas.width - left);
    let height = usize::from(frame.height).min(canvas.height - top);
    (left, top, width, height)
}

/// Reads a page row by row onto the canvas. Of rows that are missing nothing is laid: what has begun is shown, as the peer does.
fn lay(
    budget: &Budget,
    canvas: &mut Picture,
    decoder: &mut Decoder<&[u8]>,
    frame: &Frame<'_>,
    colours: &mut Colours,
) -> Result<(), Unread> {
    /// Rows between two looks at whether anybody waits: of 64 KB at most.
    const ROWS: usize = 64;
    let colours = colours.for_page(frame.palette.as_deref());
    let (left, top, width, height) = covered(canvas, frame);
    if width == 0 || height == 0 {
        return Ok(());
    }
    let mut row = vec![0; usize::from(frame.width)];
    // Rows below the canvas come last, and are not read at all. Where rows are interlaced, those of the canvas are counted.
    for (count, y) in order(height, frame.interlaced).enumerate() {
        if count % ROWS == 0 {
            budget.check().map_err(Unread::Given)?;
        }
        // Not the number of a colour in most palettes: it tells how far a row goes that ends too early.
        const NONE: u8 = u8::MAX;
        row.fill(NONE);
        let is_whole = decoder.fill_buffer(&mut row).map_err(Unread::Broken)?;
        let there = if is_whole {
            width
        } else {
            let end = row.iter().rposition(|index| *index != NONE);
            end.map_or(0, |last| last + 1).min(width)
        };
        let to = canvas.row_mut(top + y).chunks_exact_mut(4).skip(left);
        for (index, to) in row.iter().take(there).zip(to) {
            if frame.transparent != Some(*index) {
                to.copy_from_slice(&colours[usize::from(*index)]);
            }
        }
        if !is_whole {
            break;
        }
    }
    Ok(())
}

/// In which order rows stand in a file.
fn order(height: usize, is_interlaced: bool) -> impl Iterator<Item = usize> {
    let passes: &[(usize, usize)] = if is_interlaced {
        &[(0, 8), (4, 8), (2, 4), (1, 2)]
    } else {
        &[(0, 1)]
    };
    passes
        .iter()
        .flat_map(move |(first, step)| (*first..height).step_by(*step))
}

fn clear(canvas: &mut Picture, frame: &Frame<'_>, colour: [u8; 4]) {
    let (left, top, width, height) = covered(canvas, frame);
    for y in top..top + height {
        let row = canvas.row_mut(y).chunks_exact_mut(4);
        for pixel in row.skip(left).take(width) {
            pixel.copy_from_slice(&colour);
        }
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
