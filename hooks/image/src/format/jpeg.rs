//! JPEG: headers read here, pixels by `zune-jpeg`, files written by mozjpeg, which is what sharp writes them with.
//!
//! `jpeg-encoder`, in Rust, was tried: with Huffman tables made for the picture it writes one scan for each colour, which
//! decoders take for progressive, and without them files are longer.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mozjpeg::{ColorSpace as Layout, Compress, Marker, PixelDensity, PixelDensityUnit, qtable};
use zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::JpegDecoder;

use super::{Metadata, Reading, exif::PREFIX};
use crate::{
    Error,
    budget::Budget,
    colour, number,
    output::{JpegOptions, Written},
    picture::{Pages, Picture},
};

const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const ICC: &[u8] = b"ICC_PROFILE\0";

/// What stands before the pixels.
pub(super) fn facts(bytes: &[u8]) -> Result<Metadata, Error> {
    let mut facts = Metadata {
        depth: "uchar",
        ..Metadata::default()
    };
    let mut profile: Vec<(u8, &[u8])> = Vec::new();
    let mut exif = None;
    let mut seen = false;
    for (marker, body) in Segments(&bytes[2..]) {
        match marker {
            // A frame; C4, C8 and CC in this row are other things.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                frame(&mut facts, marker, body)?;
                seen = true;
            }
            0xe0 if body.starts_with(b"JFIF\0") => facts.density = jfif_density(body),
            0xe1 if body.starts_with(PREFIX) => exif = Some(body.to_vec()),
            0xe1 => {
                if let Some(xmp) = body.strip_prefix(XMP) {
                    facts.xmp = Some(xmp.to_vec());
                }
            }
            0xe2 => {
                if let Some([number, _, part @ ..]) = body.strip_prefix(ICC) {
                    profile.push((*number, part));
                }
            }
            0xed if body.starts_with(b"Photoshop 3.0\0") => facts.iptc = Some(body.to_vec()),
            _ => {}
        }
    }
    if !seen {
        return Err(Error::CorruptHeader(
            "VipsJpeg: Premature end of input file".to_owned(),
        ));
    }
    profile.sort_by_key(|(number, _)| *number);
    let joined: Vec<u8> = profile
        .iter()
        .flat_map(|(_, part)| *part)
        .copied()
        .collect();
    facts.set_icc((!joined.is_empty()).then_some(joined));
    if let Some(block) = exif {
        facts.set_exif(block);
    }
    facts.set_density(DENSITY);
    Ok(facts)
}

fn frame(facts: &mut Metadata, marker: u8, body: &[u8]) -> Result<(), Error> {
    let broken = || Error::CorruptHeader("VipsJpeg: Bogus marker length".to_owned());
    let [_, h1, h2, w1, w2, count, components @ ..] = body else {
        return Err(broken());
    };
    facts.height = u16::from_be_bytes([*h1, *h2]).into();
    facts.width = u16::from_be_bytes([*w1, *w2]).into();
    if facts.width == 0 || facts.height == 0 {
        return Err(Error::CorruptHeader(
            "VipsJpeg: Empty JPEG image (DNL not supported)".to_owned(),
        ));
    }
    facts.is_progressive = matches!(marker, 0xc2 | 0xc6 | 0xca | 0xce);
    facts.channels = *count;
    facts.space = match count {
        1 => "b-w",
        3 => "srgb",
        4 => "cmyk",
        _ => return Err(broken()),
    };
    let factors: Vec<u8> = components
        .chunks_exact(3)
        .take((*count).into())
        .map(|c| c[1])
        .collect();
    let [first, rest @ ..] = &factors[..] else {
        return Err(broken());
    };
    let is_halved = rest
        .iter()
        .any(|f| f >> 4 < first >> 4 || f & 15 < first & 15);
    facts.chroma_subsampling = Some(match (count, is_halved) {
        (4, true) => "4:2:0:4",
        (4, false) => "4:4:4:4",
        (_, true) => "4:2:0",
        (_, false) => "4:4:4",
    });
    Ok(())
}

fn jfif_density(body: &[u8]) -> Option<u32> {
    let [_, _, _, _, _, _, _, unit, x1, x2, ..] = body else {
        return None;
    };
    let x = f64::from(u16::from_be_bytes([*x1, *x2]));
    match unit {
        1 => number::rounded(x),
        2 => number::rounded(x * 2.54),
        _ => None,
    }
    .filter(|v| *v > 0)
}

/// Markers and what belongs to them, up to the first scan.
struct Segments<'a>(&'a [u8]);

impl<'a> Iterator for Segments<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let at = self
                .0
                .windows(2)
                .position(|w| w[0] == 0xff && w[1] != 0xff && w[1] != 0)?;
            let marker = self.0[at + 1];
            let rest = &self.0[at + 2..];
            // A scan or the end: nothing more is known before the pixels.
            if matches!(marker, 0xda | 0xd9) {
                return None;
            }
            if matches!(marker, 0x01 | 0xd0..=0xd8) {
                self.0 = rest;
                continue;
            }
            let length = usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
            let body = rest.get(2..length)?;
            self.0 = &rest[length..];
            return Some((marker, body));
        }
    }
}

/// The pixels, at their full size.
pub(super) fn decode(
    budget: &Budget,
    bytes: &[u8],
    facts: &Metadata,
    reading: Reading,
) -> Result<Pages, Error> {
    let mut picture = samples(budget, bytes, facts, reading, Hues::Told)?;
    if picture.bands == 4 {
        picture = colour::inks_to_rgb(budget, &picture, facts.icc.as_deref())?;
    }
    Ok(Pages::still(picture))
}

/// What three samples of a pixel are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hues {
    /// What the file says, or lightness and two colours; they become RGB.
    Told,
    /// What they are to be already.
    Given,
}

/// The samples: grey, RGB, or four inks as Adobe's programs write them, of which 255 is none.
pub(super) fn samples(
    budget: &Budget,
    bytes: &[u8],
    facts: &Metadata,
    reading: Reading,
    hues: Hues,
) -> Result<Picture, Error> {
    let (width, height) = (facts.width as usize, facts.height as usize);
    let bands = usize::from(facts.channels);
    let working = budget.charge(working(bytes, facts))?;
    let space = match bands {
        1 => ColorSpace::Luma,
        4 => ColorSpace::CMYK,
        _ => ColorSpace::RGB,
    };
    let options = DecoderOptions::default()
        .set_strict_mode(reading.is_strict)
        .set_max_width(1 << 16)
        .set_max_height(1 << 16)
        .jpeg_set_out_colorspace(space);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(damage)?;
    // It reads headers in its own way: what was charged for has to be what it found.
    let agrees = |info: zune_jpeg::ImageInfo| {
        info.components == facts.channels
            && (info.sof != Default::default()) == facts.is_progressive
    };
    if !decoder.info().is_some_and(agrees) {
        return Err(damage("headers contradict each other"));
    }
    // The decoder makes RGB of everything, and leaves alone what is asked for as it is.
    let found = decoder.input_colorspace();
    let is_ycck = bands == 4 && found == Some(ColorSpace::YCCK);
    if is_ycck {
        decoder.set_options(options.jpeg_set_out_colorspace(ColorSpace::YCCK));
    } else if bands == 3
        && hues == Hues::Given
        && let Some(found) = found
    {
        decoder.set_options(options.jpeg_set_out_colorspace(found));
    }
    let mut picture = Picture::new(budget, width, height, bands)?;
    if decoder.output_buffer_size() != Some(picture.data.len()) {
        return Err(damage("sizes differ"));
    }
    decoder.decode_into(&mut picture.data).map_err(damage)?;
    drop(working);
    budget.check()?;
    if is_ycck {
        for pixel in picture.pixels_mut() {
            if let [y, cb, cr, _] = pixel {
                let [r, g, b] = rgb(*y, *cb, *cr);
                (*y, *cb, *cr) = (255 - r, 255 - g, 255 - b);
            }
        }
    }
    Ok(picture)
}

/// Bytes that the decoder takes beside the picture: rows of blocks, and the coefficients of all of it where they come in several
/// scans.
fn working(bytes: &[u8], facts: &Metadata) -> usize {
    // Blocks of eight for the least of a component, of which others have up to four on each side.
    const MOST: usize = 32;
    let bands = usize::from(facts.channels);
    let across = (facts.width as usize).next_multiple_of(MOST);
    let down = (facts.height as usize).next_multiple_of(MOST);
    let rows = across * bands * MOST * 8;
    let mut segments = Segments(bytes.get(2..).unwrap_or_default());
    segments.by_ref().for_each(drop);
    // Behind the marker that ends them and its length.
    let is_after = segments.0.windows(2).position(|w| w == [0xff, 0xda]);
    let in_first = is_after.and_then(|at| segments.0.get(at + 4));
    if facts.is_progressive || in_first != Some(&facts.channels) {
        rows + across * down * bands * 2
    } else {
        rows
    }
}

/// Lightness and two colours as RGB: ITU-T T.871, in fractions of 65536.
fn rgb(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    [
        y + ((91_881 * cr + HALF) >> 16),
        y + ((-22_554 * cb - 46_802 * cr + HALF) >> 16),
        y + ((116_130 * cb + HALF) >> 16),
    ]
    .map(|v| u8::try_from(v.clamp(0, 255)).unwrap_or(0))
}

fn damage(error: impl std::fmt::Display) -> Error {
    let text = error.to_string();
    let told = if text.to_ascii_lowercase().contains("premature")
        || text.contains("xhausted")
        || text.contains("I/O")
    {
        "premature end of JPEG image".to_owned()
    } else {
        format!("Corrupt JPEG data: {}", text.trim_matches('"'))
    };
    Error::CorruptData(format!("VipsJpeg: {told}"))
}

/// Tables by the numbers that mozjpeg knows them by: for lightness and for colours.
fn tables(number: u8) -> (&'static qtable::QTable, &'static qtable::QTable) {
    use qtable::*;
    match number {
        1 => (&Flat, &Flat),
        2 => (&MSSSIM_Luma, &MSSSIM_Chroma),
        3 => (&NRobidoux, &NRobidoux),
        4 => (&PSNRHVS_Luma, &PSNRHVS_Chroma),
        5 => (&KleinSilversteinCarney, &KleinSilversteinCarney),
        6 => (&WatsonTaylorBorthwick, &WatsonTaylorBorthwick),
        7 => (&AhumadaWatsonPeterson, &AhumadaWatsonPeterson),
        8 => (&PetersonAhumadaWatson, &PetersonAhumadaWatson),
        _ => (&AnnexK_Luma, &AnnexK_Chroma),
    }
}

/// Writes a file. Alpha is laid on black (NC-112).
pub(super) fn encode(
    budget: &Budget,
    options: &JpegOptions,
    written: &Written,
    pages: Pages,
) -> Result<Vec<u8>, Error> {
    let picture = pages.into_roll(budget)?;
    let picture = crate::op::flatten(budget, picture, [0, 0, 0])?;
    write(budget, options, written, &picture)
}

/// Writes grey or RGB.
pub(super) fn write(
    budget: &Budget,
    options: &JpegOptions,
    written: &Written,
    picture: &Picture,
) -> Result<Vec<u8>, Error> {
    const MOST: usize = 65_500;
    if picture.width > MOST || picture.height > MOST {
        return Err(Error::Refused(
            "Processed image is too large for the JPEG format".to_owned(),
        ));
    }
    // The file, and with several passes all coefficients.
    let passes = options.optimise_coding || options.progressive;
    let _working = budget.charge(picture.data.len() * if passes { 3 } else { 1 })?;
    // The library tells of errors by panics, by way of its C.
    catch_unwind(AssertUnwindSafe(|| {
        compressed(budget, options, written, picture)
    }))
    .unwrap_or_else(|_| Err(Error::CorruptData("VipsJpeg: cannot be written".to_owned())))
}

fn compressed(
    budget: &Budget,
    options: &JpegOptions,
    written: &Written,
    picture: &Picture,
) -> Result<Vec<u8>, Error> {
    let failed = |e: std::io::Error| Error::CorruptData(format!("VipsJpeg: {e}"));
    let is_grey = picture.bands == 1;
    let mut setup = Compress::new(if is_grey {
        Layout::JCS_GRAYSCALE
    } else {
        Layout::JCS_RGB
    });
    setup.set_size(picture.width, picture.height);
    if !options.mozjpeg {
        setup.set_fastest_defaults();
        setup.set_optimize_coding(options.optimise_coding);
    }
    let quality = f32::from(options.quality);
    setup.set_quality(quality);
    let number = options.quantisation_table;
    if number != if options.mozjpeg { 3 } else { 0 } {
        let (luma, chroma) = tables(number);
        setup.set_luma_qtable(&luma.scaled(quality, quality));
        setup.set_chroma_qtable(&chroma.scaled(quality, quality));
    }
    if options.progressive && !options.mozjpeg {
        setup.set_progressive_mode();
    }
    if !is_grey {
        let size = if options.is_full_chroma() {
            (1, 1)
        } else {
            (2, 2)
        };
        setup.set_chroma_sampling_pixel_sizes(size, size);
    }
    let density = written.density.and_then(number::rounded).unwrap_or(DENSITY);
    let density = u16::try_from(density).unwrap_or(u16::MAX);
    setup.set_pixel_density(PixelDensity {
        unit: PixelDensityUnit::Inches,
        x: density,
        y: density,
    });
    let mut started = setup.start_compress(Vec::new()).map_err(failed)?;
    if let Some(exif) = &written.exif {
        segment(exif)?;
        started.write_marker(Marker::APP(1), exif);
    }
    if let Some(xmp) = &written.xmp {
        let block = [XMP, xmp].concat();
        segment(&block)?;
        started.write_marker(Marker::APP(1), &block);
    }
    if let Some(icc) = &written.icc {
        for block in &profile_segments(icc)? {
            started.write_marker(Marker::APP(2), block);
        }
    }
    for rows in picture.data.chunks(picture.width * picture.bands * 64) {
        budget.check()?;
        started.write_scanlines(rows).map_err(failed)?;
    }
    started.finish().map_err(failed)
}

/// A profile in as many segments as it needs, each with its number and how many there are.
fn profile_segments(icc: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    const MOST: usize = 65_519;
    let parts = icc.chunks(MOST);
    let count = u8::try_from(parts.len())
        .map_err(|_| Error::Refused("VipsJpeg: the profile is too long".to_owned()))?;
    Ok((1..=count)
        .zip(parts)
        .map(|(number, part)| [ICC, &[number, count], part].concat())
        .collect())
}

/// What a file says of pixels an inch when nobody has said anything.
const DENSITY: u32 = 72;

fn segment(block: &[u8]) -> Result<(), Error> {
    const MOST: usize = 65_533;
    if block.len() > MOST {
        return Err(Error::Refused(
            "VipsJpeg: metadata is too long for a segment".to_owned(),
        ));
    }
    Ok(())
}
