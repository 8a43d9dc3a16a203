//! What is to be written: a format with its options, and what stays beside the pixels.

use serde::Deserialize;

/// The format and the options of each, of which that of the format counts.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Output {
    /// As sharp calls it; `input` for that of the source.
    pub(crate) format: String,
    pub(crate) jpeg: JpegOptions,
    pub(crate) png: PngOptions,
    pub(crate) webp: WebpOptions,
    pub(crate) gif: GifOptions,
    pub(crate) avif: AvifOptions,
    pub(crate) tiff: TiffOptions,
    /// How often an animation is shown.
    #[serde(rename = "loop")]
    pub(crate) repeats: Option<u32>,
    /// Milliseconds for each page, or one number for all.
    pub(crate) delay: Vec<u32>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct JpegOptions {
    pub(crate) quality: u8,
    pub(crate) progressive: bool,
    pub(crate) chroma_subsampling: String,
    pub(crate) optimise_coding: bool,
    pub(crate) quantisation_table: u8,
    /// Whether coefficients and scans are chosen with more effort.
    pub(crate) mozjpeg: bool,
}

impl JpegOptions {
    /// As libvips has it: what is of high quality is not subsampled, whatever is asked for, only with `auto`, which sharp
    /// never says.
    pub(crate) fn is_full_chroma(&self) -> bool {
        self.chroma_subsampling == "4:4:4"
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PngOptions {
    pub(crate) progressive: bool,
    pub(crate) compression_level: u8,
    pub(crate) adaptive_filtering: bool,
    pub(crate) palette: bool,
    pub(crate) bitdepth: u8,
    pub(crate) dither: f32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WebpOptions {
    pub(crate) quality: u8,
    pub(crate) alpha_quality: u8,
    pub(crate) lossless: bool,
    pub(crate) near_lossless: bool,
    pub(crate) smart_subsample: bool,
    pub(crate) smart_deblock: bool,
    pub(crate) preset: String,
    pub(crate) effort: u8,
    pub(crate) exact: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct GifOptions {
    pub(crate) bitdepth: u8,
    pub(crate) dither: f32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AvifOptions {
    pub(crate) quality: u8,
    pub(crate) lossless: bool,
    pub(crate) compression: String,
    pub(crate) effort: u8,
    pub(crate) chroma_subsampling: String,
    pub(crate) bitdepth: u8,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TiffOptions {
    pub(crate) quality: u8,
    pub(crate) compression: Option<String>,
    pub(crate) predictor: Option<String>,
}

/// What is written beside the pixels.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    pub(crate) icc: Option<Vec<u8>>,
    /// With its prefix.
    pub(crate) exif: Option<Vec<u8>>,
    pub(crate) xmp: Option<Vec<u8>>,
    /// Pixels an inch.
    pub(crate) density: Option<f64>,
    pub(crate) repeats: Option<u32>,
    /// Whether the source was a GIF, all of which can be transparent.
    pub(crate) is_of_gif: bool,
    /// One for each page, or none.
    pub(crate) delays: Vec<u32>,
}
