//! Formats of files: which one it is, what its headers say, its pixels, and the way back.
//!
//! Decoders are safe Rust throughout (NC-116). The encoders in C, mozjpeg's and libwebp's, see pixels that were made here.

mod avif;
mod exif;
mod gif;
mod gif_controls;
mod jpeg;
mod png;
mod tiff;
mod tiff_jpeg;
mod webp;
mod webp_ffi;
mod webp_pages;

pub(crate) use exif::{Exif, with_fields};

use serde::Serialize;

use crate::{
    Error,
    budget::{Budget, Charge},
    output::{Output, Written},
    picture::Pages,
};

/// A format that is read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Jpeg,
    Png,
    Webp,
    Gif,
    Tiff,
    /// Written, and not read.
    Avif,
    /// Samples without a file around them.
    Raw,
}

impl Format {
    /// As sharp calls it.
    pub(crate) const fn id(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Webp => "webp",
            Self::Gif => "gif",
            Self::Tiff => "tiff",
            Self::Avif => "heif",
            Self::Raw => "raw",
        }
    }

    /// The format that files which begin so have.
    fn of(bytes: &[u8]) -> Result<Self, Error> {
        match bytes {
            [0xff, 0xd8, 0xff, ..] => Ok(Self::Jpeg),
            [0x89, b'P', b'N', b'G', ..] => Ok(Self::Png),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Ok(Self::Gif),
            [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Ok(Self::Tiff),
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'E',
                b'B',
                b'P',
                ..,
            ] => Ok(Self::Webp),
            _ => Err(Error::UnsupportedFormat),
        }
    }
}

/// What the headers of a file say, before anything is done (NC-113).
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Metadata {
    /// As sharp calls it.
    pub format: &'static str,
    /// Bytes of the file.
    pub size: usize,
    /// In pixels.
    pub width: u32,
    /// In pixels; with several pages asked for, that of all of them.
    pub height: u32,
    /// `srgb`, `b-w`, `cmyk`, `rgb16` or `grey16`.
    pub space: &'static str,
    /// Samples of a pixel.
    pub channels: u8,
    /// `uchar` or `ushort`.
    pub depth: &'static str,
    /// Pixels an inch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub density: Option<u32>,
    /// `4:2:0` or `4:4:4`, with a `:4` after it for four inks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chroma_subsampling: Option<&'static str>,
    /// Whether a rough picture comes first.
    pub is_progressive: bool,
    /// Whether pixels are numbers of colours.
    pub is_palette: bool,
    /// Of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits_per_sample: Option<u8>,
    /// All that the file has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pages: Option<u32>,
    /// Of one page, where several are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_height: Option<u32>,
    /// How often an animation is shown; 0 for ever.
    #[serde(rename = "loop", skip_serializing_if = "Option::is_none")]
    pub repeats: Option<u32>,
    /// Milliseconds of each page.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub delay: Vec<u32>,
    /// Of resolutions in TIFF.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution_unit: Option<&'static str>,
    /// How pixels are packed, where formats have a choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<&'static str>,
    /// Whether there is a colour profile.
    pub has_profile: bool,
    /// Whether pixels can be transparent.
    pub has_alpha: bool,
    /// Of EXIF, 1 to 8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orientation: Option<u8>,
    /// With `Exif\0\0` before it.
    #[serde(skip)]
    pub exif: Option<Vec<u8>>,
    /// The colour profile.
    #[serde(skip)]
    pub icc: Option<Vec<u8>>,
    /// Captions as news agencies write them.
    #[serde(skip)]
    pub iptc: Option<Vec<u8>>,
    /// XML.
    #[serde(skip)]
    pub xmp: Option<Vec<u8>>,
}

impl Metadata {
    /// Takes note of EXIF, of which the orientation and, unless the file says it itself, the density are facts of the picture.
    fn set_exif(&mut self, block: Vec<u8>) {
        let read = Exif::read(&block);
        self.orientation = read.orientation;
        if self.density.is_none() {
            self.density = read.density;
        }
        self.exif = Some(block);
    }

    /// What the file says, or what stands for nothing said. One pixel for each millimetre is nothing said, too.
    fn set_density(&mut self, otherwise: u32) {
        const ONE_FOR_EACH_MILLIMETRE: u32 = 25;
        self.density = Some(self.density.unwrap_or(otherwise))
            .filter(|density| *density > ONE_FOR_EACH_MILLIMETRE);
    }

    fn set_icc(&mut self, profile: Option<Vec<u8>>) {
        self.has_profile = profile.is_some();
        self.icc = profile;
    }
}

/// What decoding goes by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// The first page that is read.
    pub(crate) page: usize,
    /// How many; `None` for all from there on.
    pub(crate) pages: Option<usize>,
    /// Whether damage that a picture can be made in spite of is an error.
    pub(crate) is_strict: bool,
    /// Whether checksums are compared.
    pub(crate) minds_checksums: bool,
}

/// A file whose headers have been read.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    pub(crate) format: Format,
    pub(crate) facts: Metadata,
    bytes: &'a [u8],
    /// Of the blocks that the facts hold.
    _charge: Charge,
}

impl<'a> Source<'a> {
    /// Reads the headers.
    pub(crate) fn open(budget: &Budget, bytes: &'a [u8]) -> Result<Self, Error> {
        // What is copied on the way is no longer than the file, but for what PNG packs, which has a limit of its own.
        let reading = budget.charge(bytes.len())?;
        let format = Format::of(bytes)?;
        let mut facts = match format {
            Format::Jpeg => jpeg::facts(bytes),
            Format::Png => png::facts(bytes),
            Format::Webp => webp::facts(bytes),
            Format::Gif => gif::facts(bytes),
            Format::Tiff => tiff::facts(bytes),
            Format::Avif | Format::Raw => Err(Error::UnsupportedFormat),
        }?;
        facts.format = format.id();
        facts.size = bytes.len();
        drop(reading);
        let blocks = [&facts.exif, &facts.icc, &facts.iptc, &facts.xmp];
        let kept: usize = blocks.into_iter().flatten().map(Vec::len).sum();
        let charge = budget.charge(kept + facts.delay.len() * size_of::<u32>())?;
        Ok(Self {
            format,
            facts,
            bytes,
            _charge: charge,
        })
    }

    /// Pages that are asked for and there.
    pub(crate) fn page_count(&self, reading: Reading) -> Result<usize, Error> {
        if !matches!(self.format, Format::Gif | Format::Webp | Format::Tiff) {
            // There is no such thing to ask for.
            return Ok(1);
        }
        let all = self.facts.pages.unwrap_or(1) as usize;
        if reading.page > 0 && reading.page >= all
            || reading.pages.is_some_and(|n| reading.page + n > all)
        {
            let loader = match self.format {
                Format::Gif => "gifload_buffer",
                Format::Tiff => "tiffload_buffer",
                _ => "webp",
            };
            return Err(Error::CorruptHeader(format!("{loader}: bad page number")));
        }
        Ok(reading.pages.unwrap_or(all - reading.page))
    }

    /// Reads the pixels. Those of four inks are RGB afterwards, those of sixteen bits have eight.
    pub(crate) fn decode(&self, budget: &Budget, reading: Reading) -> Result<Pages, Error> {
        match self.format {
            Format::Jpeg => jpeg::decode(budget, self.bytes, &self.facts, reading),
            Format::Png => png::decode(budget, self.bytes, reading),
            Format::Webp => webp::decode(budget, self.bytes, &self.facts, reading),
            Format::Gif => gif::decode(budget, self.bytes, &self.facts, reading),
            Format::Tiff => tiff::decode(budget, self.bytes, reading),
            Format::Avif | Format::Raw => Err(Error::UnsupportedFormat),
        }
    }
}

/// Writes a file.
pub(crate) fn encode(
    budget: &Budget,
    format: Format,
    output: &Output,
    written: &Written,
    pages: Pages,
) -> Result<Vec<u8>, Error> {
    match format {
        Format::Jpeg => jpeg::encode(budget, &output.jpeg, written, pages),
        Format::Png => png::encode(budget, &output.png, written, pages),
        Format::Webp => webp::encode(budget, &output.webp, written, pages),
        Format::Gif => gif::encode(budget, &output.gif, written, pages),
        Format::Tiff => tiff::encode(budget, &output.tiff, written, pages),
        Format::Avif => avif::encode(budget, &output.avif, written, pages),
        Format::Raw => {
            let roll = pages.into_roll(budget)?;
            Ok(roll.into_data())
        }
    }
}
