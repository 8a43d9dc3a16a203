//! TIFF, by the `tiff` crate: one page, grey or RGB with or without alpha.

use std::io::Cursor;

use ::tiff::{
    ColorType,
    decoder::{Decoder, DecodingResult, Limits, ifd::Value},
    encoder::{Compression, DeflateLevel, Predictor, TiffEncoder, colortype},
    tags::Tag,
};

use super::{Metadata, Reading, jpeg, tiff_jpeg};
use crate::{
    Error,
    budget::Budget,
    number,
    output::{JpegOptions, TiffOptions, Written},
    picture::{Pages, Picture},
};

pub(super) fn header(error: impl std::fmt::Display) -> Error {
    Error::CorruptHeader(format!("tiffload_buffer: {error}"))
}

/// Bands, whether samples have sixteen bits.
fn layout(decoder: &mut Decoder<Cursor<&[u8]>>) -> Result<(u8, bool), Error> {
    match decoder.colortype().map_err(header)? {
        // Which its decoder makes RGB of.
        ColorType::YCbCr(8) if tiff_jpeg::is_compressed_so(decoder) => Ok((3, false)),
        colour => layout_of(colour),
    }
}

fn layout_of(colour: ColorType) -> Result<(u8, bool), Error> {
    Ok(match colour {
        ColorType::Gray(8) => (1, false),
        ColorType::GrayA(8) => (2, false),
        ColorType::RGB(8) => (3, false),
        ColorType::RGBA(8) => (4, false),
        ColorType::Gray(16) => (1, true),
        ColorType::GrayA(16) => (2, true),
        ColorType::RGB(16) => (3, true),
        ColorType::RGBA(16) => (4, true),
        other => {
            return Err(Error::unsupported(format_args!(
                "sharp: reading TIFF with {other:?}"
            )));
        }
    })
}

/// What the first directory says.
pub(super) fn facts(bytes: &[u8]) -> Result<Metadata, Error> {
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(header)?;
    let (width, height) = decoder.dimensions().map_err(header)?;
    let (channels, is_deep) = layout(&mut decoder)?;
    let is_grey = channels < 3;
    let orientation: Option<u8> = decoder.find_tag_unsigned(Tag::Orientation).ok().flatten();
    let icc = decoder.get_tag_u8_vec(Tag::IccProfile).ok();
    let mut facts = Metadata {
        width,
        height,
        channels,
        space: match (is_grey, is_deep) {
            (true, false) => "b-w",
            (true, true) => "grey16",
            (false, false) => "srgb",
            (false, true) => "rgb16",
        },
        depth: if is_deep { "ushort" } else { "uchar" },
        bits_per_sample: Some(if is_deep { 16 } else { 8 }),
        has_alpha: channels == 2 || channels == 4,
        orientation: orientation.filter(|v| (1..=8).contains(v)),
        pages: Some(1),
        ..Metadata::default()
    };
    let unit: Option<u16> = decoder
        .find_tag_unsigned(Tag::ResolutionUnit)
        .ok()
        .flatten();
    if let Some(x) = resolution(&mut decoder) {
        const CENTIMETRES: u16 = 3;
        let is_metric = unit == Some(CENTIMETRES);
        // One pixel for each millimetre is nothing said.
        facts.density = number::rounded(if is_metric { x * 2.54 } else { x }).filter(|v| *v > 25);
        facts.resolution_unit = Some(if is_metric { "cm" } else { "inch" });
    }
    facts.set_icc(icc);
    Ok(facts)
}

/// Pixels for each unit, across.
fn resolution(decoder: &mut Decoder<Cursor<&[u8]>>) -> Option<f64> {
    match decoder.find_tag(Tag::XResolution).ok().flatten()? {
        Value::Rational(_, 0) => None,
        Value::Rational(pixels, units) => Some(f64::from(pixels) / f64::from(units)),
        Value::Float(v) => Some(v.into()),
        Value::Double(v) => Some(v),
        _ => None,
    }
}

/// The pixels of the first page.
pub(super) fn decode(budget: &Budget, bytes: &[u8], reading: Reading) -> Result<Pages, Error> {
    let broken = |e: ::tiff::TiffError| Error::CorruptData(format!("tiffload_buffer: {e}"));
    let mut limits = Limits::default();
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(header)?;
    let (width, height) = decoder.dimensions().map_err(header)?;
    let (width, height) = (width as usize, height as usize);
    let (bands, is_deep) = layout(&mut decoder)?;
    let bands = usize::from(bands);
    if tiff_jpeg::is_compressed_so(&mut decoder) {
        let picture =
            tiff_jpeg::decode(budget, bytes, &mut decoder, (width, height, bands), reading)?;
        return Ok(Pages::still(picture));
    }
    let samples = width.saturating_mul(height).saturating_mul(bands);
    let size = samples.saturating_mul(if is_deep { 2 } else { 1 });
    let _working = budget.charge(size)?;
    limits.decoding_buffer_size = size;
    limits.intermediate_buffer_size = size.saturating_mul(2).max(1 << 20);
    let mut decoder = decoder.with_limits(limits);
    let data = match decoder.read_image().map_err(broken)? {
        DecodingResult::U8(data) => data,
        DecodingResult::U16(data) => data.into_iter().map(|v| v.to_be_bytes()[0]).collect(),
        _ => return Err(Error::unsupported("sharp: reading such TIFF")),
    };
    budget.check()?;
    Ok(Pages::still(Picture::of(
        budget,
        (width, height, bands),
        data,
    )?))
}

/// Writes a file.
pub(super) fn encode(
    budget: &Budget,
    options: &TiffOptions,
    _written: &Written,
    pages: Pages,
) -> Result<Vec<u8>, Error> {
    let compression = match options.compression.as_deref() {
        Some("none") => Compression::Uncompressed,
        Some("lzw") => Compression::Lzw,
        Some("deflate") => Compression::Deflate(DeflateLevel::Balanced),
        Some("packbits") => Compression::Packbits,
        Some("jpeg") => return with_jpeg(budget, options, pages),
        Some(other) => {
            return Err(Error::unsupported(format_args!(
                "sharp: tiff({{ compression: '{other}' }})"
            )));
        }
        None => return with_jpeg(budget, options, pages),
    };
    let picture = pages.into_roll(budget)?;
    let _working = budget.charge(picture.data.len())?;
    let mut out = Cursor::new(Vec::new());
    let (width, height) = (
        number::length(picture.width),
        number::length(picture.height),
    );
    let made = (|| {
        let mut encoder = TiffEncoder::new(&mut out)?.with_compression(compression);
        let takes_prediction = matches!(compression, Compression::Lzw | Compression::Deflate(_));
        if takes_prediction && options.predictor.as_deref() != Some("none") {
            encoder = encoder.with_predictor(Predictor::Horizontal);
        }
        match picture.bands {
            1 => encoder.write_image::<colortype::Gray8>(width, height, &picture.data),
            3 => encoder.write_image::<colortype::RGB8>(width, height, &picture.data),
            _ => encoder.write_image::<colortype::RGBA8>(width, height, &picture.data),
        }
    })();
    made.map_err(|e: ::tiff::TiffError| Error::CorruptData(format!("tiffsave_buffer: {e}")))?;
    Ok(out.into_inner())
}

/// A directory with one strip, which is a JPEG file: sharp's default. The crate writes none.
fn with_jpeg(budget: &Budget, options: &TiffOptions, pages: Pages) -> Result<Vec<u8>, Error> {
    let picture = pages.into_roll(budget)?;
    let picture = crate::op::flatten(budget, picture, [0, 0, 0])?;
    let jpeg = JpegOptions {
        quality: options.quality,
        progressive: false,
        chroma_subsampling: "4:2:0".to_owned(),
        optimise_coding: true,
        quantisation_table: 0,
        mozjpeg: false,
    };
    let strip = jpeg::write(budget, &jpeg, &Written::default(), &picture)?;
    let is_grey = picture.bands == 1;
    // Behind the header: what does not fit into an entry, then the strip, then the directory.
    const HEADER: u32 = 8;
    const BITS: u32 = HEADER;
    const STRIP: u32 = BITS + 8;
    let size = number::length(strip.len());
    let directory = STRIP + size + size % 2;
    const SHORT: u16 = 3;
    const LONG: u16 = 4;
    let mut entries: Vec<(u16, u16, u32, u32)> = vec![
        (256, LONG, 1, number::length(picture.width)),
        (257, LONG, 1, number::length(picture.height)),
        if is_grey {
            (258, SHORT, 1, 8)
        } else {
            (258, SHORT, 3, BITS)
        },
        (259, SHORT, 1, 7),
        (262, SHORT, 1, if is_grey { 1 } else { 6 }),
        (273, LONG, 1, STRIP),
        (277, SHORT, 1, if is_grey { 1 } else { 3 }),
        (278, LONG, 1, number::length(picture.height)),
        (279, LONG, 1, size),
    ];
    if !is_grey {
        entries.push((530, SHORT, 2, 2 | 2 << 16));
    }
    let mut file = b"II*\0".to_vec();
    file.extend_from_slice(&directory.to_le_bytes());
    file.extend_from_slice(&[8, 0, 8, 0, 8, 0, 0, 0]);
    file.extend_from_slice(&strip);
    if size % 2 == 1 {
        file.push(0);
    }
    file.extend_from_slice(&u16::try_from(entries.len()).unwrap_or(0).to_le_bytes());
    for (tag, kind, count, value) in entries {
        file.extend_from_slice(&tag.to_le_bytes());
        file.extend_from_slice(&kind.to_le_bytes());
        file.extend_from_slice(&count.to_le_bytes());
        file.extend_from_slice(&value.to_le_bytes());
    }
    file.extend_from_slice(&[0; 4]);
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiff_says_how_dense_it_is() {
        // NC-113: 300 pixels an inch, as two numbers behind the directory
        let mut file = b"II*\0\x08\0\0\0".to_vec();
        let entries: [(u16, u16, u32, u32); 9] = [
            (256, 4, 1, 1),
            (257, 4, 1, 1),
            (258, 3, 1, 8),
            (262, 3, 1, 1),
            (273, 4, 1, 8),
            (278, 4, 1, 1),
            (279, 4, 1, 1),
            (282, 5, 1, 122),
            (296, 3, 1, 2),
        ];
        file.extend_from_slice(&[9, 0]);
        for (tag, kind, count, value) in entries {
            file.extend_from_slice(&tag.to_le_bytes());
            file.extend_from_slice(&kind.to_le_bytes());
            file.extend_from_slice(&count.to_le_bytes());
            file.extend_from_slice(&value.to_le_bytes());
        }
        file.extend_from_slice(&[0; 4]);
        file.extend_from_slice(&600u32.to_le_bytes());
        file.extend_from_slice(&2u32.to_le_bytes());
        let found = facts(&file).expect("a header");
        assert_eq!(
            (found.density, found.resolution_unit),
            (Some(300), Some("inch"))
        );
    }
}
