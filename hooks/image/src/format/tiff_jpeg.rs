//! JPEG in TIFF (compression 7): strips or tiles, each of them a file of its own but for the tables that they share.

use std::{borrow::Cow, io::Cursor};

use ::tiff::{decoder::Decoder, tags::Tag};

use super::{
    Reading,
    jpeg::{self, Hues},
    tiff::header,
};
use crate::{Error, budget::Budget, picture::Picture};

type Directory<'a> = Decoder<Cursor<&'a [u8]>>;

/// Whether the pixels of a directory are JPEG.
pub(super) fn is_compressed_so(directory: &mut Directory<'_>) -> bool {
    const JPEG: u16 = 7;
    number(directory, Tag::Compression) == Some(JPEG)
}

fn number<T: TryFrom<u64>>(directory: &mut Directory<'_>, tag: Tag) -> Option<T> {
    directory.find_tag_unsigned(tag).ok().flatten()
}

fn numbers(directory: &mut Directory<'_>, tag: Tag) -> Result<Vec<u64>, Error> {
    directory.get_tag_u64_vec(tag).map_err(header)
}

fn broken(what: &str) -> Error {
    Error::CorruptData(format!("tiffload_buffer: {what}"))
}

/// The pixels: width, height in pixels, and bands as the directory says them.
pub(super) fn decode(
    budget: &Budget,
    bytes: &[u8],
    directory: &mut Directory<'_>,
    (width, height, bands): (usize, usize, usize),
    reading: Reading,
) -> Result<Picture, Error> {
    const SEPARATE: u16 = 2;
    const RGB: u16 = 2;
    let is_separate = number(directory, Tag::PlanarConfiguration) == Some(SEPARATE);
    if bands > 1 && is_separate || !matches!(bands, 1 | 3) {
        return Err(Error::unsupported(format_args!(
            "sharp: reading JPEG in TIFF of {bands} bands"
        )));
    }
    let interpretation: Option<u16> = number(directory, Tag::PhotometricInterpretation);
    let hues = if interpretation == Some(RGB) {
        Hues::Given
    } else {
        Hues::Told
    };
    let (offsets, lengths, size) = if let Some(across) = number(directory, Tag::TileWidth) {
        let down = number(directory, Tag::TileLength).unwrap_or(0);
        (Tag::TileOffsets, Tag::TileByteCounts, (across, down))
    } else {
        let rows = number(directory, Tag::RowsPerStrip).unwrap_or(height);
        (
            Tag::StripOffsets,
            Tag::StripByteCounts,
            (width, rows.min(height)),
        )
    };
    if size.0 == 0 || size.1 == 0 {
        return Err(header("bad size of tiles"));
    }
    let tables = directory.get_tag_u8_vec(Tag::JPEGTables).ok();
    // Both lists, of numbers of eight bytes.
    let parts = width
        .div_ceil(size.0)
        .saturating_mul(height.div_ceil(size.1));
    let _lists = budget.charge(parts.saturating_mul(16))?;
    let offsets = numbers(directory, offsets)?;
    let lengths = numbers(directory, lengths)?;
    if offsets.len() < parts || lengths.len() < parts {
        return Err(broken("strips are missing"));
    }
    let mut picture = Picture::new(budget, width, height, bands)?;
    let places = (0..height)
        .step_by(size.1)
        .flat_map(|top| (0..width).step_by(size.0).map(move |left| (left, top)));
    for ((left, top), (offset, length)) in places.zip(offsets.into_iter().zip(lengths)) {
        budget.check()?;
        let part = usize::try_from(offset)
            .ok()
            .and_then(|offset| bytes.get(offset..))
            .ok_or_else(|| broken("a strip is outside of the file"))?;
        let part = usize::try_from(length)
            .ok()
            .and_then(|length| part.get(..length))
            .unwrap_or(part);
        let _joined = budget.charge(part.len() + tables.as_ref().map_or(0, Vec::len))?;
        let file = file(tables.as_deref(), part)?;
        let facts = jpeg::facts(&file)?;
        // Of those at the edges, libtiff writes as much as is seen, and others all.
        let needed = (size.0.min(width - left), size.1.min(height - top));
        let there = (facts.width as usize, facts.height as usize);
        if usize::from(facts.channels) != bands
            || there.0 < needed.0
            || there.1 < needed.1
            || there.0 > size.0
            || there.1 > size.1
        {
            return Err(broken("sizes of a strip and of its pixels differ"));
        }
        let decoded = jpeg::samples(budget, &file, &facts, reading, hues)?;
        for y in 0..needed.1 {
            let from = &decoded.row(y)[..needed.0 * bands];
            picture.row_mut(top + y)[left * bands..][..from.len()].copy_from_slice(from);
        }
    }
    // White is zero.
    if interpretation == Some(0) {
        picture.data.iter_mut().for_each(|v| *v = 255 - *v);
    }
    Ok(picture)
}

/// A strip or tile with the tables before it, which are a file of their own without pixels.
fn file<'a>(tables: Option<&[u8]>, part: &'a [u8]) -> Result<Cow<'a, [u8]>, Error> {
    const BEGIN: &[u8] = &[0xff, 0xd8];
    const END: &[u8] = &[0xff, 0xd9];
    let rest = part
        .strip_prefix(BEGIN)
        .ok_or_else(|| broken("a strip is not JPEG"))?;
    let Some(tables) = tables.filter(|tables| tables.starts_with(BEGIN)) else {
        return Ok(Cow::Borrowed(part));
    };
    let tables = tables.strip_suffix(END).unwrap_or(tables);
    Ok(Cow::Owned([tables, rest].concat()))
}
