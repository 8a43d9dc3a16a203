//! What a pixel becomes by those around it.

use crate::{
    Error,
    budget::Budget,
    colour, number,
    picture::Picture,
    pipeline::{Blur, Sharpen},
};

/// A bell of whole numbers, as libvips makes it: as wide as it is above the least amplitude.
fn bell(sigma: f32, least: f32) -> Vec<f32> {
    let at = |x: f32| (-x * x / (2.0 * sigma * sigma)).exp();
    let mut half = vec![1.0f32];
    let mut x = 1.0;
    // 5000 pixels are more than any picture needs.
    while at(x) >= least && half.len() < 5000 {
        half.push(at(x));
        x += 1.0;
    }
    let half: Vec<f32> = half.iter().map(|v| (20.0 * v).round()).collect();
    half.iter().rev().chain(&half[1..]).copied().collect()
}

/// Rows, then columns, with one kernel.
fn both_ways(budget: &Budget, picture: Picture, kernel: &[f32]) -> Result<Picture, Error> {
    if kernel.len() < 2 {
        return Ok(picture);
    }
    let scale: f32 = kernel.iter().sum();
    let reach = kernel.len() / 2;
    let (width, height, bands) = (picture.width, picture.height, picture.bands);
    let mut between = Picture::new(budget, width, height, bands)?;
    let _working = budget.charge(width * bands * size_of::<f32>())?;
    let mut sums = vec![0.0f32; width * bands];
    for y in 0..height {
        let from = picture.row(y);
        sums.fill(0.0);
        for (i, weight) in kernel.iter().enumerate() {
            budget.row(y * kernel.len() + i, width)?;
            for x in 0..width {
                let at = (x + i).saturating_sub(reach).min(width - 1);
                for b in 0..bands {
                    sums[x * bands + b] += weight * f32::from(from[at * bands + b]);
                }
            }
        }
        for (to, sum) in between.row_mut(y).iter_mut().zip(&sums) {
            *to = number::sample(sum / scale);
        }
    }
    let mut made = picture;
    for y in 0..height {
        sums.fill(0.0);
        for (i, weight) in kernel.iter().enumerate() {
            budget.row(y * kernel.len() + i, width)?;
            let at = (y + i).saturating_sub(reach).min(height - 1);
            for (sum, from) in sums.iter_mut().zip(between.row(at)) {
                *sum += weight * f32::from(*from);
            }
        }
        for (to, sum) in made.row_mut(y).iter_mut().zip(&sums) {
            *to = number::sample(sum / scale);
        }
    }
    Ok(made)
}

/// Nine weights for a pixel and those around it.
fn three_by_three(
    budget: &Budget,
    picture: &Picture,
    kernel: [f32; 9],
    scale: f32,
) -> Result<Picture, Error> {
    let (width, height, bands) = (picture.width, picture.height, picture.bands);
    let mut made = Picture::new(budget, width, height, bands)?;
    for y in 0..height {
        budget.row(y, width)?;
        let rows = [0usize, 1, 2].map(|d| (y + d).saturating_sub(1).min(height - 1));
        for x in 0..width {
            let columns = [0usize, 1, 2].map(|d| (x + d).saturating_sub(1).min(width - 1));
            for b in 0..bands {
                let mut sum = 0.0;
                for (i, row) in rows.iter().enumerate() {
                    for (j, column) in columns.iter().enumerate() {
                        let v = picture.data[(row * width + column) * bands + b];
                        sum += kernel[i * 3 + j] * f32::from(v);
                    }
                }
                made.data[(y * width + x) * bands + b] = number::sample(sum / scale);
            }
        }
    }
    Ok(made)
}

/// Blurs.
pub(crate) fn blur(budget: &Budget, picture: Picture, how: &Blur) -> Result<Picture, Error> {
    if how.sigma < 0.0 {
        return three_by_three(budget, &picture, [1.0; 9], 9.0);
    }
    both_ways(budget, picture, &bell(how.sigma, how.min_amplitude))
}

/// Sharpens: the lightness alone, flat areas and edges each by as much as is said.
pub(crate) fn sharpen(budget: &Budget, picture: Picture, how: &Sharpen) -> Result<Picture, Error> {
    if how.sigma < 0.0 {
        let kernel = [-1.0, -1.0, -1.0, -1.0, 32.0, -1.0, -1.0, -1.0, -1.0];
        return three_by_three(budget, &picture, kernel, 24.0);
    }
    let (width, height, bands) = (picture.width, picture.height, picture.bands);
    let is_grey = bands < 3;
    let lab = |p: &[u8]| {
        if is_grey {
            colour::to_lab(&[p[0]; 3])
        } else {
            colour::to_lab(p)
        }
    };
    let kernel = bell(how.sigma, 0.1);
    let scale: f32 = kernel.iter().sum();
    let reach = kernel.len() / 2;
    // Lightness, and lightness blurred along rows.
    let _working = budget.charge(width * height * 8)?;
    let mut lightness = Vec::with_capacity(width * height);
    for y in 0..height {
        budget.check()?;
        lightness.extend(picture.row(y).chunks_exact(bands).map(|p| lab(p)[0]));
    }
    let mut across = vec![0.0f32; width * height];
    for (from, to) in lightness
        .chunks_exact(width)
        .zip(across.chunks_exact_mut(width))
    {
        for (x, to) in to.iter_mut().enumerate() {
            budget.row(x, kernel.len())?;
            let sum: f32 = kernel
                .iter()
                .enumerate()
                .map(|(i, w)| w * from[(x + i).saturating_sub(reach).min(width - 1)])
                .sum();
            *to = sum / scale;
        }
    }
    let curve = |d: f32| {
        let y = if d < -how.x1 {
            (d + how.x1) * how.m2 - how.x1 * how.m1
        } else if d < how.x1 {
            d * how.m1
        } else {
            (d - how.x1) * how.m2 + how.x1 * how.m1
        };
        y.clamp(-how.y3, how.y2)
    };
    let mut made = picture;
    for y in 0..height {
        let rows: Vec<(f32, usize)> = kernel
            .iter()
            .enumerate()
            .map(|(i, w)| (*w, (y + i).saturating_sub(reach).min(height - 1) * width))
            .collect();
        for (x, p) in made.row_mut(y).chunks_exact_mut(bands).enumerate() {
            budget.row(x, kernel.len())?;
            let blurred = rows.iter().map(|(w, at)| w * across[at + x]).sum::<f32>() / scale;
            let [l, a, b] = lab(p);
            let rgb = colour::from_lab([(l + curve(l - blurred)).clamp(0.0, 100.0), a, b]);
            if is_grey {
                p[0] = rgb[1];
            } else {
                p[..3].copy_from_slice(&rgb);
            }
        }
    }
    Ok(made)
}

/// The middle one of the samples in a square around each, by counts that go along with the square: what leaves it on the
/// left is taken out, and what enters it on the right put in.
///
/// # Errors
/// [`Error::Refused`] for a square that is larger than the picture, as libvips has it.
pub(crate) fn median(budget: &Budget, picture: &Picture, size: usize) -> Result<Picture, Error> {
    let (width, height, bands) = (picture.width, picture.height, picture.bands);
    if size > width || size > height {
        return Err(Error::Refused("rank: window too large".to_owned()));
    }
    let mut made = Picture::new(budget, width, height, bands)?;
    let before = size / 2;
    let middle = size * size / 2;
    let column = |x: usize| x.saturating_sub(before).min(width - 1) * bands;
    let mut rows = vec![0; size];
    for y in 0..height {
        for (d, row) in rows.iter_mut().enumerate() {
            *row = (y + d).saturating_sub(before).min(height - 1) * width * bands;
        }
        for b in 0..bands {
            let mut counts = [0usize; 256];
            for dx in 0..size {
                budget.row(dx, size)?;
                for row in &rows {
                    counts[usize::from(picture.data[row + column(dx) + b])] += 1;
                }
            }
            for x in 0..width {
                budget.row(x, size)?;
                if x > 0 {
                    for row in &rows {
                        counts[usize::from(picture.data[row + column(x - 1) + b])] -= 1;
                        counts[usize::from(picture.data[row + column(x + size - 1) + b])] += 1;
                    }
                }
                let mut below = 0;
                let found = (0..=u8::MAX).find(|v| {
                    below += counts[usize::from(*v)];
                    below > middle
                });
                made.data[(y * width + x) * bands + b] = found.unwrap_or(u8::MAX);
            }
        }
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Purse;

    #[test]
    fn the_median_is_the_middle_one_of_a_square() {
        // NC-111: held against sorting
        let budget = Budget::new(Purse::new(1 << 20));
        let (width, height, bands) = (13, 9, 3);
        let mut picture = Picture::new(&budget, width, height, bands).unwrap();
        for (i, v) in picture.data.iter_mut().enumerate() {
            *v = u8::try_from(i * i % 251).unwrap();
        }
        for size in [1, 2, 3, 4, 9] {
            let made = median(&budget, &picture, size).unwrap();
            for y in 0..height {
                for x in 0..width {
                    for b in 0..bands {
                        let near = |at: usize, d: usize, length: usize| {
                            (at + d).saturating_sub(size / 2).min(length - 1)
                        };
                        let mut all: Vec<u8> = (0..size * size)
                            .map(|i| {
                                let (x, y) = (near(x, i % size, width), near(y, i / size, height));
                                picture.pixel(x, y)[b]
                            })
                            .collect();
                        all.sort_unstable();
                        assert_eq!(made.pixel(x, y)[b], all[size * size / 2], "{size} {x} {y}");
                    }
                }
            }
        }
        let refused = median(&budget, &picture, 10).map(|_| ());
        assert_eq!(
            refused,
            Err(Error::Refused("rank: window too large".to_owned()))
        );
    }
}
