//! PNG, by the `png` crate.

use std::{borrow::Cow, io::Cursor};

use ::png::{
    BitDepth, ColorType, Decoder, DeflateCompression, Encoder, Filter, Info, Limits,
    PixelDimensions, Transformations, Unit,
};

use super::{Metadata, Reading, exif::PREFIX};
use crate::{
    Error,
    budget::Budget,
    number,
    output::{PngOptions, Written},
    palette::{self, Alpha},
    picture::{Pages, Picture},
};

/// Bytes of one text, unpacked.
const MOST_TEXT: usize = 1 << 20;
/// Bytes of texts and profiles that are taken from a file.
const MOST_BESIDE_PIXELS: usize = 16 << 20;

fn decoder(bytes: &[u8]) -> Decoder<Cursor<&[u8]>> {
    let mut decoder = Decoder::new_with_limits(
        Cursor::new(bytes),
        Limits {
            bytes: MOST_BESIDE_PIXELS,
        },
    );
    decoder.set_ignore_text_chunk(false);
    decoder
}

fn header(error: impl std::fmt::Display) -> Error {
    Error::CorruptHeader(format!("pngload_buffer: {error}"))
}

/// What stands before the pixels.
pub(super) fn facts(bytes: &[u8]) -> Result<Metadata, Error> {
    let reader = decoder(bytes).read_info().map_err(header)?;
    let info = reader.info();
    let bits = match info.bit_depth {
        BitDepth::One => 1,
        BitDepth::Two => 2,
        BitDepth::Four => 4,
        BitDepth::Eight => 8,
        BitDepth::Sixteen => 16,
    };
    let has_key = info.trns.is_some();
    let (colours, has_alpha) = match info.color_type {
        ColorType::Grayscale => (1, has_key),
        ColorType::GrayscaleAlpha => (1, true),
        ColorType::Rgb | ColorType::Indexed => (3, has_key),
        ColorType::Rgba => (3, true),
    };
    let is_deep = bits == 16;
    let mut facts = Metadata {
        width: info.width,
        height: info.height,
        channels: colours + u8::from(has_alpha),
        space: match (colours, is_deep) {
            (1, false) => "b-w",
            (1, true) => "grey16",
            (_, false) => "srgb",
            (_, true) => "rgb16",
        },
        depth: if is_deep { "ushort" } else { "uchar" },
        density: info.pixel_dims.and_then(density),
        is_progressive: info.interlaced,
        is_palette: info.color_type == ColorType::Indexed,
        bits_per_sample: Some(bits),
        has_alpha,
        ..Metadata::default()
    };
    facts.set_icc(info.icc_profile.as_deref().map(<[u8]>::to_vec));
    if let Some(exif) = &info.exif_metadata {
        facts.set_exif([PREFIX, exif].concat());
    }
    facts.xmp = info
        .utf8_text
        .iter()
        .find(|t| t.keyword == "XML:com.adobe.xmp")
        .and_then(|t| {
            // A copy, because it is unpacked in place; and no further than to what a text may be.
            let mut text = t.clone();
            text.decompress_text_with_limit(MOST_TEXT).ok()?;
            text.get_text().ok()
        })
        .map(String::into_bytes);
    facts.set_density(72);
    Ok(facts)
}

fn density(dims: PixelDimensions) -> Option<u32> {
    match dims.unit {
        Unit::Meter => number::rounded(f64::from(dims.xppu) * 0.0254).filter(|v| *v > 0),
        Unit::Unspecified => None,
    }
}

/// The pixels: eight bits each, palettes resolved, a colour that stands for transparency as alpha.
pub(super) fn decode(budget: &Budget, bytes: &[u8], reading: Reading) -> Result<Pages, Error> {
    let mut decoder = decoder(bytes);
    decoder.set_transformations(Transformations::normalize_to_color8());
    decoder.ignore_checksums(!reading.minds_checksums);
    let mut reader = decoder.read_info().map_err(header)?;
    let (colour, _) = reader.output_color_type();
    let bands = colour.samples();
    let (width, height) = {
        let info = reader.info();
        (info.width as usize, info.height as usize)
    };
    let mut picture = Picture::new(budget, width, height, bands)?;
    let stride = width * bands;
    if reader.output_line_size(reader.info().width) != Some(stride) {
        return Err(header("unexpected length of a row"));
    }
    if reader.info().interlaced {
        let read = reader.next_frame(&mut picture.data);
        if let Err(error) = read {
            damage(&error, reading)?;
        }
        return Ok(Pages::still(picture));
    }
    for y in 0..height {
        if y % 64 == 0 {
            budget.check()?;
        }
        match reader.next_row() {
            Ok(Some(row)) => picture.row_mut(y).copy_from_slice(row.data()),
            Ok(None) => break,
            Err(error) => {
                damage(&error, reading)?;
                break;
            }
        }
    }
    Ok(Pages::still(picture))
}

/// What is missing stays black, unless strictness is asked for.
fn damage(error: &::png::DecodingError, reading: Reading) -> Result<(), Error> {
    if !reading.is_strict {
        return Ok(());
    }
    let told = match error {
        ::png::DecodingError::IoError(_) => "libpng read error".to_owned(),
        other => other.to_string(),
    };
    Err(Error::CorruptData(format!("pngload_buffer: {told}")))
}

/// Writes a file.
pub(super) fn encode(
    budget: &Budget,
    options: &PngOptions,
    written: &Written,
    pages: Pages,
) -> Result<Vec<u8>, Error> {
    if options.progressive {
        return Err(Error::unsupported("sharp: png({ progressive: true })"));
    }
    let picture = pages.into_roll(budget)?;
    let _channels = picture.bands;
    let mut info = Info::with_size(
        number::length(picture.width),
        number::length(picture.height),
    );
    info.icc_profile = written.icc.as_ref().map(|p| Cow::Borrowed(&p[..]));
    info.exif_metadata = written
        .exif
        .as_ref()
        .map(|e| Cow::Borrowed(e.strip_prefix(PREFIX).unwrap_or(e)));
    info.pixel_dims = written
        .density
        .and_then(|d| number::rounded(d / 0.0254))
        .map(|v| PixelDimensions {
            xppu: v,
            yppu: v,
            unit: Unit::Meter,
        });
    let indexed = if options.palette {
        Some(palette::of_picture(
            budget,
            &picture,
            1 << options.bitdepth,
            options.dither,
            Alpha::Any,
        )?)
    } else {
        None
    };
    let data: Cow<'_, [u8]> = match &indexed {
        Some(indexed) => {
            info.color_type = ColorType::Indexed;
            let bits = indexed.bits();
            info.bit_depth = BitDepth::from_u8(bits).unwrap_or(BitDepth::Eight);
            info.palette = Some(Cow::Owned(indexed.rgb()));
            info.trns = indexed.alpha().map(Cow::Owned);
            Cow::Owned(indexed.packed(picture.width, bits))
        }
        None => {
            info.bit_depth = BitDepth::Eight;
            info.color_type = match picture.bands {
                1 => ColorType::Grayscale,
                2 => ColorType::GrayscaleAlpha,
                3 => ColorType::Rgb,
                _ => ColorType::Rgba,
            };
            Cow::Borrowed(&picture.data)
        }
    };
    // The filtered rows and what they are packed into.
    let _working = budget.charge(picture.data.len())?;
    let mut bytes = Vec::new();
    let made = (|| {
        let mut encoder = Encoder::with_info(&mut bytes, info)?;
        encoder.set_deflate_compression(match options.compression_level {
            0 => DeflateCompression::NoCompression,
            level => DeflateCompression::Level(level),
        });
        encoder.set_filter(if options.adaptive_filtering {
            Filter::Adaptive
        } else {
            Filter::NoFilter
        });
        if let Some(xmp) = &written.xmp {
            let text = String::from_utf8_lossy(xmp).into_owned();
            encoder.add_itxt_chunk("XML:com.adobe.xmp".to_owned(), text)?;
        }
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&data)?;
        writer.finish()
    })();
    made.map_err(|e: ::png::EncodingError| Error::CorruptData(format!("pngsave_buffer: {e}")))?;
    Ok(bytes)
}
