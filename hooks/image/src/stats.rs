//! Facts about all pixels of a picture, as sharp's `stats` tells them.

use serde::Serialize;

use crate::{Error, budget::Budget, colour, number::real, picture::Picture, pipeline::Input, run};

/// Of one band.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are sharp's, and say it")]
pub struct Channel {
    pub min: u8,
    pub max: u8,
    pub sum: u64,
    pub squares_sum: u64,
    pub mean: f64,
    pub stdev: f64,
    pub min_x: usize,
    pub min_y: usize,
    pub max_x: usize,
    pub max_y: usize,
}

/// A colour.
#[derive(Clone, Copy, Debug, Serialize)]
#[expect(missing_docs, reason = "red, green, blue")]
pub struct Dominant {
    pub r: u8,
    pub g: u8,
    pub b: u8,
}

/// Of a picture.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Stats {
    /// Band by band.
    pub channels: Vec<Channel>,
    /// Whether no pixel is transparent.
    pub is_opaque: bool,
    /// Bits that a grey sample tells.
    pub entropy: f64,
    /// How much neighbours differ.
    pub sharpness: f64,
    /// The middle of the cube of colours that most pixels have.
    pub dominant: Dominant,
}

/// Looks at all pixels of the source.
///
/// # Errors
/// Those of [`Error`], whose texts are sharp's.
pub fn stats(budget: &Budget, input: &Input, buffers: &[&[u8]]) -> Result<Stats, Error> {
    input.check()?;
    let (pages, _, _) = run::open(budget, input, buffers)?;
    let picture = pages.into_roll(budget)?;
    let channels: Vec<Channel> = (0..picture.bands).map(|b| channel(&picture, b)).collect();
    let is_opaque = !picture.has_alpha() || channels.last().is_none_or(|c| c.min == 255);
    budget.check()?;
    let dominant = dominant(&picture);
    let grey = colour::to_grey(budget, picture)?;
    Ok(Stats {
        channels,
        is_opaque,
        entropy: entropy(&grey),
        sharpness: sharpness(&grey),
        dominant,
    })
}

fn channel(picture: &Picture, band: usize) -> Channel {
    let (mut min, mut max) = ((u8::MAX, 0), (0, 0));
    let (mut sum, mut squares) = (0u64, 0u64);
    let mut is_first = true;
    for (i, p) in picture.pixels().enumerate() {
        let v = p[band];
        sum += u64::from(v);
        squares += u64::from(v) * u64::from(v);
        if is_first || v < min.0 {
            min = (v, i);
        }
        if is_first || v > max.0 {
            max = (v, i);
        }
        is_first = false;
    }
    let count = real(picture.width * picture.height);
    #[expect(clippy::cast_precision_loss, reason = "sums of pixels stay below 2^53")]
    let (s, q) = (sum as f64, squares as f64);
    let variance = if count > 1.0 {
        (q - s * s / count) / (count - 1.0)
    } else {
        0.0
    };
    let place = |i: usize| (i % picture.width, i / picture.width);
    let ((min_x, min_y), (max_x, max_y)) = (place(min.1), place(max.1));
    Channel {
        min: min.0,
        max: max.0,
        sum,
        squares_sum: squares,
        mean: s / count,
        stdev: variance.max(0.0).sqrt(),
        min_x,
        min_y,
        max_x,
        max_y,
    }
}

fn entropy(grey: &Picture) -> f64 {
    let mut counts = [0usize; 256];
    for p in grey.pixels() {
        counts[usize::from(p[0])] += 1;
    }
    let total = real(grey.width * grey.height);
    counts
        .iter()
        .filter(|c| **c > 0)
        .map(|c| {
            let part = real(*c) / total;
            -part * part.log2()
        })
        .sum::<f64>()
        .abs()
}

fn sharpness(grey: &Picture) -> f64 {
    let (width, height) = (grey.width, grey.height);
    if width <= 1 && height <= 1 {
        return 0.0;
    }
    let at = |x: usize, y: usize| f64::from(grey.pixel(x, y)[0]);
    let (mut sum, mut squares) = (0.0, 0.0);
    for y in 0..height {
        let (above, below) = (y.saturating_sub(1), (y + 1).min(height - 1));
        for x in 0..width {
            let (left, right) = (x.saturating_sub(1), (x + 1).min(width - 1));
            let around = at(x, above) + at(x, below) + at(left, y) + at(right, y);
            let v = (around - 4.0 * at(x, y)) / 9.0;
            sum += v;
            squares += v * v;
        }
    }
    let count = real(width * height);
    ((squares - sum * sum / count) / (count - 1.0))
        .max(0.0)
        .sqrt()
}

fn dominant(picture: &Picture) -> Dominant {
    let mut counts = vec![0usize; 4096];
    for p in picture.pixels() {
        let [r, g, b] = if picture.bands < 3 {
            [p[0]; 3]
        } else {
            [p[0], p[1], p[2]]
        };
        let cube = usize::from(r >> 4) << 8 | usize::from(g >> 4) << 4 | usize::from(b >> 4);
        counts[cube] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(0);
    let cube = counts.iter().position(|c| *c == most).unwrap_or(0);
    let middle = |shift: usize| u8::try_from((cube >> shift & 15) * 16 + 8).unwrap_or(0);
    Dominant {
        r: middle(8),
        g: middle(4),
        b: middle(0),
    }
}
