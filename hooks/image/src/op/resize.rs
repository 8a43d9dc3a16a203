//! Another size (NC-111).

use fast_image_resize::{
    FilterType, MulDiv, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};

use crate::{
    Error,
    budget::Budget,
    number,
    number::real,
    picture::Picture,
    pipeline::{Fit, Kernel, Resize},
};

/// By how much each side becomes shorter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shrink {
    pub(crate) horizontal: f64,
    pub(crate) vertical: f64,
}

impl Shrink {
    /// What a picture of this size has to be divided by, to fit as is asked.
    pub(crate) fn of(
        (width, height): (usize, usize),
        (target_width, target_height): (Option<u32>, Option<u32>),
        how: &Resize,
    ) -> Self {
        let (mut h, mut v) = (1.0, 1.0);
        match (target_width, target_height) {
            (Some(w), Some(t)) => {
                h = real(width) / f64::from(w);
                v = real(height) / f64::from(t);
                match how.fit {
                    Fit::Cover | Fit::Outside => (h, v) = (h.min(v), h.min(v)),
                    Fit::Contain | Fit::Inside => (h, v) = (h.max(v), h.max(v)),
                    Fit::Fill => {}
                }
            }
            (Some(w), None) => {
                h = real(width) / f64::from(w);
                if how.fit != Fit::Fill {
                    v = h;
                }
            }
            (None, Some(t)) => {
                v = real(height) / f64::from(t);
                if how.fit != Fit::Fill {
                    h = v;
                }
            }
            (None, None) => {}
        }
        if how.without_reduction {
            (h, v) = (h.min(1.0), v.min(1.0));
        } else if how.without_enlargement {
            (h, v) = (h.max(1.0), v.max(1.0));
        }
        Self {
            horizontal: h.min(real(width)),
            vertical: v.min(real(height)),
        }
    }

    /// Whether it leaves pictures as they are.
    pub(crate) fn is_none(self) -> bool {
        self.horizontal == 1.0 && self.vertical == 1.0
    }

    /// The size afterwards.
    pub(crate) fn size(self, (width, height): (usize, usize)) -> (usize, usize) {
        (
            number::pixels(real(width) * (1.0 / self.horizontal)),
            number::pixels(real(height) * (1.0 / self.vertical)),
        )
    }
}

fn layout(bands: usize) -> PixelType {
    match bands {
        1 => PixelType::U8,
        2 => PixelType::U8x2,
        3 => PixelType::U8x3,
        _ => PixelType::U8x4,
    }
}

/// Makes a picture of another size. Alpha has to be multiplied into the others before.
pub(crate) fn resize(
    budget: &Budget,
    picture: Picture,
    (width, height): (usize, usize),
    kernel: Kernel,
) -> Result<Picture, Error> {
    // libvips makes a side shorter with the kernel, and then longer sides by a grid laid over the picture.
    let smaller = (width.min(picture.width), height.min(picture.height));
    let picture = if smaller == (picture.width, picture.height) {
        picture
    } else {
        step(budget, &picture, smaller, algorithm(kernel))?
    };
    if (picture.width, picture.height) == (width, height) {
        return Ok(picture);
    }
    enlarge(budget, &picture, (width, height), kernel)
}

/// Where a sample of a longer side comes from: the first of four others, and the part of each.
fn grid(from: usize, to: usize, kernel: Kernel) -> Vec<(i64, [f32; 4])> {
    let scale = real(to) / real(from);
    (0..to)
        .map(|i| {
            // Half a pixel before where the middle of the sample would be: libvips' own convention.
            let at = real(i) / scale - 0.5;
            let first = at.floor();
            #[expect(
                clippy::cast_possible_truncation,
                reason = "fractions, and places in a picture"
            )]
            let (t, first) = ((at - first) as f32, first as i64);
            let parts = match kernel {
                Kernel::Nearest => [0.0, 1.0, 0.0, 0.0],
                Kernel::Linear => [0.0, 1.0 - t, t, 0.0],
                _ => [
                    -0.5 * t * t * t + t * t - 0.5 * t,
                    1.5 * t * t * t - 2.5 * t * t + 1.0,
                    -1.5 * t * t * t + 2.0 * t * t + 0.5 * t,
                    0.5 * t * t * t - 0.5 * t * t,
                ],
            };
            (first - 1, parts)
        })
        .collect()
}

/// Makes at least one side longer.
fn enlarge(
    budget: &Budget,
    picture: &Picture,
    (width, height): (usize, usize),
    kernel: Kernel,
) -> Result<Picture, Error> {
    let bands = picture.bands;
    let within = |place: i64, length: usize| usize::try_from(place).unwrap_or(0).min(length - 1);
    let mut made = Picture::new(budget, width, height, bands)?;
    let stride = width * bands;
    // Rows of the source with as many columns as the picture will have, those that were asked for last; and the grids.
    let _working = budget.charge(stride * 16 + width * 96 + height * 24)?;
    let columns: Vec<([usize; 4], [f32; 4])> = grid(picture.width, width, kernel)
        .into_iter()
        .map(|(first, parts)| {
            let places = [0, 1, 2, 3].map(|n| within(first + n, picture.width) * bands);
            (places, parts)
        })
        .collect();
    let mut rows: [(usize, Vec<f32>); 4] = std::array::from_fn(|_| (usize::MAX, vec![0.0; stride]));
    for (y, (first, parts)) in grid(picture.height, height, kernel).into_iter().enumerate() {
        budget.row(y, width)?;
        let wanted = [0, 1, 2, 3].map(|n| within(first + n, picture.height));
        for row in wanted {
            let slot = &mut rows[row % 4];
            if slot.0 == row {
                continue;
            }
            slot.0 = row;
            let from = picture.row(row);
            for (to, (places, parts)) in slot.1.chunks_exact_mut(bands).zip(&columns) {
                for (band, to) in to.iter_mut().enumerate() {
                    *to = places
                        .iter()
                        .zip(parts)
                        .map(|(place, part)| f32::from(from[place + band]) * part)
                        .sum();
                }
            }
        }
        let of = wanted.map(|row| &rows[row % 4].1);
        for (x, to) in made.row_mut(y).iter_mut().enumerate() {
            let sum: f32 = of.iter().zip(parts).map(|(row, part)| row[x] * part).sum();
            *to = number::sample(sum);
        }
    }
    Ok(made)
}

fn step(
    budget: &Budget,
    picture: &Picture,
    (width, height): (usize, usize),
    algorithm: ResizeAlg,
) -> Result<Picture, Error> {
    let failed = |e: String| Error::CorruptData(format!("resize: {e}"));
    let mut made = Picture::new(budget, width, height, picture.bands)?;
    // Rows are done before columns, or the other way round: one of the two lies between. And the weights, of
    // which the widest of kernels has nine for each place of the longer side.
    let between = (width * picture.height).max(picture.width * height) * picture.bands;
    let weights = (picture.width + picture.height + width + height) * 108;
    let _working = budget.charge(between + weights)?;
    let pixels = layout(picture.bands);
    let from = ImageRef::new(
        number::length(picture.width),
        number::length(picture.height),
        &picture.data,
        pixels,
    )
    .map_err(|e| failed(e.to_string()))?;
    let mut to = Image::from_slice_u8(
        number::length(width),
        number::length(height),
        &mut made.data,
        pixels,
    )
    .map_err(|e| failed(e.to_string()))?;
    let options = ResizeOptions::new().resize_alg(algorithm).use_alpha(false);
    Resizer::new()
        .resize(&from, &mut to, &options)
        .map_err(|e| failed(e.to_string()))?;
    budget.check()?;
    Ok(made)
}

fn algorithm(kernel: Kernel) -> ResizeAlg {
    if kernel == Kernel::Nearest {
        return ResizeAlg::Nearest;
    }
    ResizeAlg::Convolution(match kernel {
        Kernel::Linear => FilterType::Bilinear,
        Kernel::Cubic => FilterType::CatmullRom,
        Kernel::Mitchell => FilterType::Mitchell,
        Kernel::Lanczos2 => custom("lanczos2", lanczos2, 2.0),
        Kernel::Mks2013 => custom("mks2013", mks2013, 2.5),
        Kernel::Mks2021 => custom("mks2021", mks2021, 4.5),
        Kernel::Lanczos3 | Kernel::Nearest => FilterType::Lanczos3,
    })
}

fn custom(name: &'static str, function: fn(f64) -> f64, support: f64) -> FilterType {
    fast_image_resize::Filter::new(name, function, support)
        .map_or(FilterType::Lanczos3, FilterType::Custom)
}

fn lanczos2(x: f64) -> f64 {
    let sinc = |x: f64| {
        if x == 0.0 {
            1.0
        } else {
            let x = x * std::f64::consts::PI;
            x.sin() / x
        }
    };
    if x.abs() < 2.0 {
        sinc(x) * sinc(x / 2.0)
    } else {
        0.0
    }
}

/// Magic Kernel Sharp of 2013: <https://johncostella.com/magic/>.
fn mks2013(x: f64) -> f64 {
    let x = x.abs();
    if x >= 2.5 {
        0.0
    } else if x >= 1.5 {
        -0.125 * (x - 2.5).powi(2)
    } else if x >= 0.5 {
        0.25 * (4.0 * x * x - 11.0 * x + 7.0)
    } else {
        1.0625 - 1.75 * x * x
    }
}

/// The same of 2021.
fn mks2021(x: f64) -> f64 {
    let x = x.abs();
    if x >= 4.5 {
        0.0
    } else if x >= 3.5 {
        -(4.0 * x * x - 36.0 * x + 81.0) / 1152.0
    } else if x >= 2.5 {
        (4.0 * x * x - 27.0 * x + 45.0) / 144.0
    } else if x >= 1.5 {
        -(24.0 * x * x - 113.0 * x + 130.0) / 144.0
    } else if x >= 0.5 {
        (140.0 * x * x - 379.0 * x + 239.0) / 144.0
    } else {
        577.0 / 576.0 - 239.0 / 144.0 * x * x
    }
}

/// Multiplies alpha into the other bands.
pub(crate) fn premultiply(picture: Picture) -> Result<Picture, Error> {
    multiply(picture, |m, image| m.multiply_alpha_inplace(image))
}

/// Takes it out again.
pub(crate) fn unpremultiply(picture: Picture) -> Result<Picture, Error> {
    multiply(picture, |m, image| m.divide_alpha_inplace(image))
}

fn multiply<E: std::fmt::Display>(
    mut picture: Picture,
    how: impl FnOnce(&MulDiv, &mut Image<'_>) -> Result<(), E>,
) -> Result<Picture, Error> {
    if !picture.has_alpha() {
        return Ok(picture);
    }
    let (width, height) = (
        number::length(picture.width),
        number::length(picture.height),
    );
    let pixels = layout(picture.bands);
    let made = Image::from_slice_u8(width, height, &mut picture.data, pixels)
        .map_err(|e| e.to_string())
        .and_then(|mut image| how(&MulDiv::new(), &mut image).map_err(|e| e.to_string()));
    made.map_err(|e| Error::CorruptData(format!("premultiply: {e}")))?;
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn how(fit: Fit) -> Resize {
        Resize {
            width: None,
            height: None,
            fit,
            position: 0,
            background: [0, 0, 0, 255],
            kernel: Kernel::Lanczos3,
            without_enlargement: false,
            without_reduction: false,
            fast_shrink_on_load: true,
        }
    }

    #[test]
    fn sizes_are_rounded_as_in_sharp() {
        // NC-111
        let size = |from, to, fit| Shrink::of(from, to, &how(fit)).size(from);
        assert_eq!(size((320, 200), (None, Some(33)), Fit::Cover), (53, 33));
        assert_eq!(size((320, 200), (Some(100), None), Fit::Cover), (100, 63));
        assert_eq!(
            size((320, 200), (Some(100), Some(100)), Fit::Cover),
            (160, 100)
        );
        assert_eq!(
            size((320, 200), (Some(100), Some(100)), Fit::Inside),
            (100, 63)
        );
        assert_eq!(
            size((320, 200), (Some(100), Some(100)), Fit::Contain),
            (100, 63)
        );
        assert_eq!(
            size((320, 200), (Some(100), Some(100)), Fit::Outside),
            (160, 100)
        );
        assert_eq!(
            size((320, 200), (Some(100), Some(100)), Fit::Fill),
            (100, 100)
        );
        assert_eq!(size((320, 200), (Some(100), None), Fit::Fill), (100, 200));
        assert_eq!(size((1, 4000), (None, Some(10)), Fit::Cover), (1, 10));
        let never_larger = Resize {
            without_enlargement: true,
            ..how(Fit::Cover)
        };
        let shrink = Shrink::of((320, 200), (Some(640), None), &never_larger);
        assert!(shrink.is_none());
    }
}
