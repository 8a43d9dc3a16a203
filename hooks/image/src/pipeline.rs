//! What is to be done with a picture, as JavaScript has recorded it.

use serde::Deserialize;

use crate::{Error, output::Output};

/// The longest side, and the farthest place.
const MOST_SIDE: u32 = 100_000_000;
/// Pixels of a side of the square that a median is taken of.
const MOST_MEDIAN: u32 = 1000;

/// `js/sharp.js` refuses all of this in words of its own. A function can change what JavaScript's own objects do, and with
/// them what that hands over.
fn within(holds: bool) -> Result<(), Error> {
    if holds {
        Ok(())
    } else {
        Err(Error::unsupported("sharp: what is recorded"))
    }
}

fn is_side(length: u32) -> bool {
    (1..=MOST_SIDE).contains(&length)
}

/// Where a picture comes from.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Input {
    /// Which of the buffers handed along; none for what is created.
    pub buffer: Option<usize>,
    /// Samples without a file around them.
    pub raw: Option<Raw>,
    /// A picture of one colour.
    pub create: Option<Create>,
    /// `none`, `truncated`, `error` or `warning`.
    pub fail_on: String,
    /// Most pixels; 0 for any number.
    pub limit_input_pixels: u64,
    /// Most samples of a pixel; 0 for any number.
    pub limit_input_channels: u64,
    /// Whether EXIF's orientation is followed.
    pub auto_orient: bool,
    /// Whether colour profiles are ignored.
    pub ignore_icc: bool,
    /// The first page; -1 for the first there is.
    pub page: i64,
    /// How many; -1 for all.
    pub pages: i64,
}

impl Input {
    /// Whether its numbers are as they may be.
    pub(crate) fn check(&self) -> Result<(), Error> {
        const MOST_PAGES: i64 = 100_000;
        within((-1..=MOST_PAGES).contains(&self.page) && (-1..=MOST_PAGES).contains(&self.pages))?;
        if let Some(raw) = self.raw {
            let is_right = (1..=4).contains(&raw.channels);
            within(is_side(raw.width) && is_side(raw.height) && is_right)?;
        }
        if let Some(create) = self.create {
            let is_right = (3..=4).contains(&create.channels);
            within(is_side(create.width) && is_side(create.height) && is_right)?;
        }
        Ok(())
    }
}

/// Samples without a file around them.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Raw {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// 1 to 4.
    pub channels: u8,
    /// Whether alpha is multiplied into the others.
    pub premultiplied: bool,
}

/// A picture of one colour.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Create {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// 3 or 4.
    pub channels: u8,
    /// Red, green, blue, alpha.
    pub background: [u8; 4],
}

/// Part of a picture, in pixels.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Area {
    pub(crate) left: u32,
    pub(crate) top: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// How a picture is made to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Fit {
    Cover,
    Contain,
    Fill,
    Inside,
    Outside,
}

/// What samples of a new size are made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kernel {
    Nearest,
    Linear,
    Cubic,
    Mitchell,
    Lanczos2,
    Lanczos3,
    Mks2013,
    Mks2021,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Resize {
    pub(crate) width: Option<u32>,
    pub(crate) height: Option<u32>,
    pub(crate) fit: Fit,
    /// sharp's number of a gravity, or of a strategy from 16 on.
    pub(crate) position: u8,
    pub(crate) background: [u8; 4],
    pub(crate) kernel: Kernel,
    pub(crate) without_enlargement: bool,
    pub(crate) without_reduction: bool,
    pub(crate) fast_shrink_on_load: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Trim {
    pub(crate) background: Option<[u8; 4]>,
    pub(crate) threshold: f32,
    pub(crate) line_art: bool,
    pub(crate) margin: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ExtendWith {
    Background,
    Copy,
    Repeat,
    Mirror,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Extend {
    pub(crate) top: u32,
    pub(crate) bottom: u32,
    pub(crate) left: u32,
    pub(crate) right: u32,
    pub(crate) background: [u8; 4],
    pub(crate) with: ExtendWith,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Sharpen {
    /// -1 for the fast way.
    pub(crate) sigma: f32,
    pub(crate) m1: f32,
    pub(crate) m2: f32,
    pub(crate) x1: f32,
    pub(crate) y2: f32,
    pub(crate) y3: f32,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Blur {
    /// -1 for the fast way.
    pub(crate) sigma: f32,
    pub(crate) min_amplitude: f32,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Threshold {
    pub(crate) value: u8,
    pub(crate) greyscale: bool,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Modulate {
    pub(crate) brightness: f32,
    pub(crate) saturation: f32,
    pub(crate) hue: f32,
    pub(crate) lightness: f32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Layer {
    pub(crate) input: Input,
    pub(crate) blend: String,
    pub(crate) tile: bool,
    pub(crate) left: i64,
    pub(crate) top: i64,
    pub(crate) has_offset: bool,
    pub(crate) gravity: u8,
    pub(crate) premultiplied: bool,
}

/// What is kept or set beside the pixels.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Kept {
    pub(crate) exif: bool,
    pub(crate) xmp: bool,
    pub(crate) icc: bool,
    /// A profile by its name that replaces the one there is.
    pub(crate) profile: Option<String>,
    pub(crate) orientation: Option<u8>,
    pub(crate) density: Option<f64>,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) merge: bool,
    pub(crate) xmp_text: Option<String>,
}

/// All of it, in the order of the names where it matters (NC-110).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pipeline {
    /// The picture.
    pub input: Input,
    pub(crate) orient_before: bool,
    pub(crate) rotate_before: bool,
    /// A multiple of 90.
    pub(crate) angle: i32,
    /// Any other number of degrees.
    pub(crate) rotation: f64,
    pub(crate) rotation_background: [u8; 4],
    pub(crate) flip: bool,
    pub(crate) flop: bool,
    pub(crate) trim: Option<Trim>,
    pub(crate) extract_before: Option<Area>,
    pub(crate) resize: Resize,
    pub(crate) extract_after: Option<Area>,
    pub(crate) extend: Option<Extend>,
    pub(crate) flatten: Option<[u8; 3]>,
    pub(crate) unflatten: bool,
    pub(crate) gamma: Option<[f32; 2]>,
    pub(crate) greyscale: bool,
    pub(crate) median: u32,
    pub(crate) threshold: Option<Threshold>,
    pub(crate) blur: Option<Blur>,
    pub(crate) recomb: Vec<f32>,
    pub(crate) modulate: Option<Modulate>,
    pub(crate) sharpen: Option<Sharpen>,
    pub(crate) composite: Vec<Layer>,
    pub(crate) linear: Option<[Vec<f32>; 2]>,
    /// Percentiles that become black and white.
    pub(crate) normalise: Option<[f32; 2]>,
    pub(crate) tint: Option<[u8; 3]>,
    pub(crate) remove_alpha: bool,
    pub(crate) ensure_alpha: Option<f32>,
    pub(crate) colourspace: String,
    pub(crate) extract_channel: Option<u8>,
    /// Whether alpha is turned around, too.
    pub(crate) negate: Option<bool>,
    pub(crate) kept: Kept,
    pub(crate) output: Output,
}

impl Pipeline {
    /// Whether its numbers are as they may be.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.input.check()?;
        for layer in &self.composite {
            layer.input.check()?;
            let place = -i64::from(MOST_SIDE)..=i64::from(MOST_SIDE);
            within(place.contains(&layer.left) && place.contains(&layer.top))?;
        }
        let sides = [self.resize.width, self.resize.height];
        within(sides.into_iter().flatten().all(is_side))?;
        let areas = [self.extract_before, self.extract_after];
        for area in areas.into_iter().flatten() {
            let all = [area.left, area.top, area.width, area.height];
            within(all.iter().all(|v| *v <= MOST_SIDE))?;
        }
        if let Some(edges) = self.extend {
            let all = [edges.left, edges.top, edges.right, edges.bottom];
            within(all.iter().all(|v| *v <= MOST_SIDE))?;
        }
        if let Some(trim) = &self.trim {
            within(trim.margin <= MOST_SIDE)?;
        }
        if let Some(blur) = self.blur {
            within(blur.min_amplitude > 0.0)?;
        }
        within(self.median <= MOST_MEDIAN)?;
        within(matches!(self.recomb.len(), 0 | 9 | 16))?;
        let output = &self.output;
        within(output.gif.bitdepth <= 8 && output.png.bitdepth <= 8)?;
        let qualities = [
            output.jpeg.quality,
            output.webp.quality,
            output.tiff.quality,
        ];
        within(qualities.iter().all(|q| (1..=100).contains(q)))
    }
}
