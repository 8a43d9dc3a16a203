//! What a pixel becomes by itself, or by a look at all of them.

use crate::{
    Error,
    budget::Budget,
    colour, number,
    picture::{Pages, Picture},
    pipeline::{Modulate, Threshold},
};

/// Lays a picture on a colour; alpha is gone then (NC-112).
pub(crate) fn flatten(budget: &Budget, picture: Picture, on: [u8; 3]) -> Result<Picture, Error> {
    if !picture.has_alpha() {
        return Ok(picture);
    }
    let colours = picture.colours();
    // On grey, libvips takes the first of the three.
    let below = &on[..colours];
    picture.map(budget, colours, |from, to| {
        let alpha = f32::from(from[colours]) / 255.0;
        for ((to, from), below) in to.iter_mut().zip(from).zip(below) {
            let below = f32::from(*below);
            *to = number::sample(below + (f32::from(*from) - below) * alpha);
        }
    })
}

/// What is white becomes transparent.
pub(crate) fn unflatten(budget: &Budget, picture: Picture) -> Result<Picture, Error> {
    let mut made = picture.into_alpha(budget, 255)?;
    let colours = made.colours();
    for p in made.pixels_mut() {
        let bright = if colours == 1 { p[0] } else { colour::grey(p) };
        if bright == 255 {
            p[colours] = 0;
        }
    }
    Ok(made)
}

/// Each sample but alpha by a table.
fn by_table(mut picture: Picture, table: impl Fn(f32) -> f32) -> Picture {
    let table: [u8; 256] = std::array::from_fn(|i| {
        #[expect(clippy::cast_precision_loss, reason = "below 256")]
        let v = i as f32;
        number::sample(table(v))
    });
    let colours = picture.colours();
    for p in picture.pixels_mut() {
        for v in &mut p[..colours] {
            *v = table[usize::from(*v)];
        }
    }
    picture
}

/// Darkens with an exponent above 1.
pub(crate) fn gamma(picture: Picture, exponent: f32) -> Picture {
    by_table(picture, |v| (v / 255.0).powf(exponent) * 255.0)
}

/// The opposite of each sample.
pub(crate) fn negate(mut picture: Picture, alpha_too: bool) -> Picture {
    let bands = if alpha_too {
        picture.bands
    } else {
        picture.colours()
    };
    for p in picture.pixels_mut() {
        for v in &mut p[..bands] {
            *v = 255 - *v;
        }
    }
    picture
}

/// `a` times the sample plus `b`: one pair for all, or one for each band.
pub(crate) fn linear(mut picture: Picture, a: &[f32], b: &[f32]) -> Result<Picture, Error> {
    let bands = picture.bands;
    if a.is_empty() {
        return Ok(picture);
    }
    if a.len() > bands {
        return Err(Error::Refused(
            "Band expansion using linear is unsupported".to_owned(),
        ));
    }
    let colours = picture.colours();
    let changed = if a.len() == bands { bands } else { colours };
    if a.len() != 1 && a.len() != changed {
        return Err(Error::Refused(format!(
            "linear: vector must have 1 or {changed} elements"
        )));
    }
    let pair = |band: usize| {
        let i = if a.len() == 1 { 0 } else { band };
        (a[i], b.get(i).copied().unwrap_or(0.0))
    };
    for p in picture.pixels_mut() {
        for (band, v) in p[..changed].iter_mut().enumerate() {
            let (a, b) = pair(band);
            // Without rounding, as libvips has it.
            *v = number::sample((f32::from(*v) * a + b - 0.5).max(0.0));
        }
    }
    Ok(picture)
}

/// White from a value on, black below.
pub(crate) fn threshold(
    budget: &Budget,
    picture: Picture,
    how: Threshold,
) -> Result<Picture, Error> {
    let mut picture = if how.greyscale {
        colour::to_grey(budget, picture)?
    } else {
        picture
    };
    for v in &mut picture.data {
        *v = if *v >= how.value { 255 } else { 0 };
    }
    Ok(picture)
}

/// Each pixel's bands by sums of them.
pub(crate) fn recomb(budget: &Budget, picture: Picture, matrix: &[f32]) -> Result<Picture, Error> {
    let mut picture = picture.into_rgb(budget)?;
    let size = if matrix.len() == 9 { 3 } else { 4 };
    if picture.bands < size {
        return Err(Error::Refused(
            "recomb: bands in must equal matrix width".to_owned(),
        ));
    }
    for p in picture.pixels_mut() {
        let before: [f32; 4] = std::array::from_fn(|i| p.get(i).map_or(0.0, |v| f32::from(*v)));
        for (row, v) in matrix.chunks_exact(size).zip(p.iter_mut()) {
            *v = number::sample(row.iter().zip(before).map(|(m, v)| m * v).sum());
        }
    }
    Ok(picture)
}

/// Brightness, saturation, hue and lightness.
pub(crate) fn modulate(
    budget: &Budget,
    picture: Picture,
    how: &Modulate,
) -> Result<Picture, Error> {
    let is_grey = picture.bands < 3;
    let mut picture = picture;
    let (sin, cos) = how.hue.to_radians().sin_cos();
    let turned = [cos * how.saturation, sin * how.saturation];
    for y in 0..picture.height {
        budget.row(y, picture.width)?;
        let bands = picture.bands;
        for p in picture.row_mut(y).chunks_exact_mut(bands) {
            let [l, a, b] = if is_grey {
                colour::to_lab(&[p[0]; 3])
            } else {
                colour::to_lab(p)
            };
            // Not bounded above, as in libvips: what is lighter than white keeps its hue until it is light again.
            let l = (l * how.brightness + how.lightness).max(0.0);
            let rgb = colour::from_lab([
                l,
                a * turned[0] - b * turned[1],
                a * turned[1] + b * turned[0],
            ]);
            if is_grey {
                p[0] = rgb[1];
            } else {
                p[..3].copy_from_slice(&rgb);
            }
        }
    }
    Ok(picture)
}

/// Stretches lightness between two percentiles over its whole range: the same for all pages, as if they were one picture.
pub(crate) fn normalise(
    budget: &Budget,
    pages: Pages,
    [lower, upper]: [f32; 2],
) -> Result<Pages, Error> {
    let is_grey = pages.first().bands < 3;
    let lab = |p: &[u8]| {
        if is_grey {
            colour::to_lab(&[p[0]; 3])
        } else {
            colour::to_lab(p)
        }
    };
    let mut counts = [0u64; 101];
    let mut total = 0u64;
    for picture in &pages.pages {
        for y in 0..picture.height {
            budget.row(y, picture.width)?;
            for p in picture.row(y).chunks_exact(picture.bands) {
                let bin = number::rounded((lab(p)[0] - 0.5).max(0.0).into()).unwrap_or(0);
                counts[bin.min(100) as usize] += 1;
                total += 1;
            }
        }
    }
    // As libvips finds it: in a cumulative histogram as long as it has values, cut to whole numbers, and one after its end
    // where nothing in it is enough.
    let bins = counts
        .iter()
        .rposition(|c| *c > 0)
        .map_or(1, |last| last + 1);
    #[expect(clippy::cast_precision_loss, reason = "numbers of pixels")]
    let percentile = |percent: f32| {
        let mut sum = 0;
        for (bin, count) in counts[..bins].iter().enumerate() {
            sum += *count;
            let height = (sum as f32 * (bins - 1) as f32 / total as f32).floor();
            if height >= percent / 100.0 * bins as f32 {
                return bin as f32;
            }
        }
        bins as f32
    };
    #[expect(clippy::cast_precision_loss, reason = "at most 100")]
    let found = |bin: Option<usize>| bin.unwrap_or(0) as f32;
    let low = if lower == 0.0 {
        found(counts.iter().position(|c| *c > 0))
    } else {
        percentile(lower)
    };
    let high = if upper == 100.0 {
        found(counts.iter().rposition(|c| *c > 0))
    } else {
        percentile(upper)
    };
    if (high - low).abs() <= 1.0 {
        return Ok(pages);
    }
    let factor = 100.0 / (high - low);
    pages.each(|mut picture| {
        let (width, bands) = (picture.width, picture.bands);
        for y in 0..picture.height {
            budget.row(y, width)?;
            for p in picture.row_mut(y).chunks_exact_mut(bands) {
                let [l, a, b] = lab(p);
                let rgb = colour::from_lab([((l - low) * factor).clamp(0.0, 100.0), a, b]);
                if is_grey {
                    p[0] = rgb[1];
                } else {
                    p[..3].copy_from_slice(&rgb);
                }
            }
        }
        Ok(picture)
    })
}

/// Light and dark of one colour.
pub(crate) fn tint(budget: &Budget, picture: Picture, rgb: [u8; 3]) -> Result<Picture, Error> {
    let [_, a, b] = colour::to_lab(&rgb);
    let table: Vec<[u8; 3]> = (0..=255u8)
        .map(|v| {
            let [l, _, _] = colour::to_lab(&[v; 3]);
            let part = l / 100.0;
            let weight = 1.0 - 4.0 * (part - 0.5) * (part - 0.5);
            colour::from_lab([l, a * weight, b * weight])
        })
        .collect();
    let was_grey = picture.bands < 3;
    let grey = colour::to_grey(budget, picture)?;
    let alpha = grey.has_alpha();
    let tinted = grey.map(budget, if alpha { 4 } else { 3 }, |from, to| {
        to[..3].copy_from_slice(&table[usize::from(from[0])]);
        if alpha {
            to[3] = from[1];
        }
    })?;
    // What has no colours gets none.
    if was_grey {
        return colour::to_grey(budget, tinted);
    }
    Ok(tinted)
}

/// One band alone.
pub(crate) fn extract_channel(
    budget: &Budget,
    picture: &Picture,
    channel: usize,
) -> Result<Picture, Error> {
    let channel = if channel == 3 && picture.has_alpha() {
        picture.bands - 1
    } else {
        channel
    };
    if channel >= picture.bands {
        return Err(Error::Refused(format!(
            "Cannot extract channel {channel} from image with channels 0-{}",
            picture.bands - 1
        )));
    }
    picture.map(budget, 1, |from, to| to[0] = from[channel])
}

/// Colours become those of squares of two by two, as subsampling leaves them; lightness stays.
pub(crate) fn halve_chroma(budget: &Budget, picture: &mut Picture) -> Result<(), Error> {
    let bands = picture.bands;
    if bands < 3 {
        return Ok(());
    }
    let luma =
        |p: &[u8]| 0.299 * f32::from(p[0]) + 0.587 * f32::from(p[1]) + 0.114 * f32::from(p[2]);
    for y in (0..picture.height).step_by(2) {
        budget.row(y, picture.width)?;
        for x in (0..picture.width).step_by(2) {
            let mut places = [0usize; 4];
            let mut count = 0;
            for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                if x + dx < picture.width && y + dy < picture.height {
                    places[count] = ((y + dy) * picture.width + x + dx) * bands;
                    count += 1;
                }
            }
            let places = &places[..count];
            #[expect(clippy::cast_precision_loss, reason = "at most four")]
            let number = count as f32;
            // Red and blue against lightness, which say what green is.
            let mut mean = [0.0f32; 3];
            for at in places {
                let p = &picture.data[*at..at + 3];
                let light = luma(p);
                for (m, v) in mean.iter_mut().zip(p) {
                    *m += (f32::from(*v) - light) / number;
                }
            }
            for at in places {
                let light = luma(&picture.data[*at..at + 3]);
                for (v, m) in picture.data[*at..at + 3].iter_mut().zip(mean) {
                    *v = number::sample(light + m);
                }
            }
        }
    }
    Ok(())
}
