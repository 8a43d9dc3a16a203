//! Colours: profiles become sRGB, inks become light, light becomes grey, and the way to CIELAB and back.

mod inks;

use std::sync::LazyLock;

use moxcms::{ColorProfile, DataColorSpace, Layout, RenderingIntent, TransformOptions};

use crate::{Error, budget::Budget, number::sample, picture::Picture};

/// Light for each sample of sRGB, 0 to 1.
static LINEAR: LazyLock<[f32; 256]> = LazyLock::new(|| {
    std::array::from_fn(|i| {
        #[expect(clippy::cast_precision_loss, reason = "below 256")]
        let v = i as f32 / 255.0;
        if v <= 0.04045 {
            v / 12.92
        } else {
            ((v + 0.055) / 1.055).powf(2.4)
        }
    })
});

/// Light of a sample.
#[inline]
pub(crate) fn linear(sample: u8) -> f32 {
    LINEAR[usize::from(sample)]
}

/// The sample for an amount of light.
#[inline]
pub(crate) fn gamma(light: f32) -> u8 {
    let light = light.clamp(0.0, 1.0);
    let v = if light <= 0.003_130_8 {
        light * 12.92
    } else {
        1.055 * light.powf(1.0 / 2.4) - 0.055
    };
    sample(v * 255.0)
}

/// How bright a colour looks, as a sample.
#[inline]
pub(crate) fn grey(rgb: &[u8]) -> u8 {
    let light = 0.2126 * linear(rgb[0]) + 0.7152 * linear(rgb[1]) + 0.0722 * linear(rgb[2]);
    gamma(light)
}

/// RGB becomes grey; alpha stays.
pub(crate) fn to_grey(budget: &Budget, picture: Picture) -> Result<Picture, Error> {
    match picture.bands {
        3 => picture.map(budget, 1, |from, to| to[0] = grey(from)),
        4 => picture.map(budget, 2, |from, to| {
            to[0] = grey(from);
            to[1] = from[3];
        }),
        _ => Ok(picture),
    }
}

/// The white that CIELAB is relative to: daylight at 6504 K.
const WHITE: [f32; 3] = [0.950_47, 1.0, 1.088_827];

/// Lightness 0 to 100, and two axes of colour.
pub(crate) fn to_lab(rgb: &[u8]) -> [f32; 3] {
    let [r, g, b] = [linear(rgb[0]), linear(rgb[1]), linear(rgb[2])];
    let x = 0.412_456_4 * r + 0.357_576_1 * g + 0.180_437_5 * b;
    let y = 0.212_672_9 * r + 0.715_152_2 * g + 0.072_175 * b;
    let z = 0.019_333_9 * r + 0.119_192 * g + 0.950_304_1 * b;
    let f = |t: f32| {
        if t > 0.008_856 {
            t.cbrt()
        } else {
            7.787 * t + 16.0 / 116.0
        }
    };
    let [fx, fy, fz] = [f(x / WHITE[0]), f(y / WHITE[1]), f(z / WHITE[2])];
    [116.0 * fy - 16.0, 500.0 * (fx - fy), 200.0 * (fy - fz)]
}

/// The samples of a colour, as near as sRGB has it.
pub(crate) fn from_lab([l, a, b]: [f32; 3]) -> [u8; 3] {
    let fy = (l + 16.0) / 116.0;
    let f = |t: f32| {
        let cube = t * t * t;
        if cube > 0.008_856 {
            cube
        } else {
            (t - 16.0 / 116.0) / 7.787
        }
    };
    let x = f(fy + a / 500.0) * WHITE[0];
    let y = f(fy) * WHITE[1];
    let z = f(fy - b / 200.0) * WHITE[2];
    [
        gamma(3.240_454_2 * x - 1.537_138_5 * y - 0.498_531_4 * z),
        gamma(-0.969_266 * x + 1.876_010_8 * y + 0.041_556 * z),
        gamma(0.055_643_4 * x - 0.204_025_9 * y + 1.057_225_2 * z),
    ]
}

fn perceptual() -> TransformOptions {
    TransformOptions {
        rendering_intent: RenderingIntent::Perceptual,
        ..TransformOptions::default()
    }
}

/// Turns the colours that a profile describes into sRGB. A profile that does not read or is for other colours is left out, as
/// sharp does.
pub(crate) fn to_srgb(budget: &Budget, picture: Picture, icc: &[u8]) -> Result<Picture, Error> {
    let Ok(profile) = ColorProfile::new_from_slice(icc) else {
        return Ok(picture);
    };
    let from = match (profile.color_space, picture.bands) {
        (DataColorSpace::Rgb, 3) => Layout::Rgb,
        (DataColorSpace::Rgb, 4) => Layout::Rgba,
        (DataColorSpace::Gray, 1) => Layout::Gray,
        (DataColorSpace::Gray, 2) => Layout::GrayAlpha,
        _ => return Ok(picture),
    };
    let (to, bands) = if picture.has_alpha() {
        (Layout::Rgba, 4)
    } else {
        (Layout::Rgb, 3)
    };
    let srgb = ColorProfile::new_srgb();
    let Ok(transform) = profile.create_transform_8bit(from, &srgb, to, perceptual()) else {
        return Ok(picture);
    };
    by_rows(budget, &picture, bands, |from, to| {
        transform.transform(from, to).is_ok()
    })
    .map(|made| made.unwrap_or(picture))
}

fn by_rows(
    budget: &Budget,
    picture: &Picture,
    bands: usize,
    mut each: impl FnMut(&[u8], &mut [u8]) -> bool,
) -> Result<Option<Picture>, Error> {
    let mut made = Picture::new(budget, picture.width, picture.height, bands)?;
    for y in 0..picture.height {
        budget.row(y, picture.width)?;
        if !each(picture.row(y), made.row_mut(y)) {
            return Ok(None);
        }
    }
    Ok(Some(made))
}

/// Four inks become RGB: by their profile, or as inks on coated paper look.
pub(crate) fn inks_to_rgb(
    budget: &Budget,
    picture: &Picture,
    icc: Option<&[u8]>,
) -> Result<Picture, Error> {
    // Files say how much paper is left, as Adobe's programs began to do.
    let mut inks = Picture::new(budget, picture.width, picture.height, 4)?;
    for (from, to) in picture.data.iter().zip(&mut inks.data) {
        *to = 255 - from;
    }
    if let Some(profile) = icc.and_then(|p| ColorProfile::new_from_slice(p).ok())
        && profile.color_space == DataColorSpace::Cmyk
        && let Ok(transform) = profile.create_transform_8bit(
            // Four samples of whatever the profile is for.
            Layout::Rgba,
            &ColorProfile::new_srgb(),
            Layout::Rgb,
            perceptual(),
        )
        && let Some(mut made) = by_rows(budget, &inks, 3, |from, to| {
            transform.transform(from, to).is_ok()
        })?
    {
        let mut darkest = [0; 3];
        if transform.transform(&[255; 4], &mut darkest).is_ok() {
            blacken(&mut made, darkest);
        }
        return Ok(made);
    }
    inks.map(budget, 3, |from, to| {
        to.copy_from_slice(&inks::printed(from))
    })
}

/// The darkest colour of a press becomes black and the others follow, which belongs to the perceptual intent (black point
/// compensation, ISO 18619) and `moxcms` leaves out.
fn blacken(picture: &mut Picture, darkest: [u8; 3]) {
    let tables = darkest.map(|black| -> [u8; 256] {
        let black = linear(black).min(0.5);
        std::array::from_fn(|v| gamma((LINEAR[v] - black) / (1.0 - black)))
    });
    for pixel in picture.pixels_mut() {
        for (v, table) in pixel.iter_mut().zip(&tables) {
            *v = table[usize::from(*v)];
        }
    }
}

/// The profile of sRGB, as a file carries it.
pub(crate) fn srgb_profile() -> Option<Vec<u8>> {
    ColorProfile::new_srgb().encode().ok()
}

/// The profile of Display P3.
pub(crate) fn p3_profile() -> Option<Vec<u8>> {
    ColorProfile::new_display_p3().encode().ok()
}

/// Turns sRGB into the colours of Display P3.
pub(crate) fn to_p3(budget: &Budget, picture: Picture) -> Result<Picture, Error> {
    let (layout, bands) = match picture.bands {
        3 => (Layout::Rgb, 3),
        4 => (Layout::Rgba, 4),
        _ => return Ok(picture),
    };
    let p3 = ColorProfile::new_display_p3();
    let Ok(transform) =
        ColorProfile::new_srgb().create_transform_8bit(layout, &p3, layout, perceptual())
    else {
        return Ok(picture);
    };
    by_rows(budget, &picture, bands, |from, to| {
        transform.transform(from, to).is_ok()
    })
    .map(|made| made.unwrap_or(picture))
}

/// A colour as the bands of a picture have it: grey where they are, with alpha where it is there.
pub(crate) fn background(colour: [u8; 4], bands: usize) -> Vec<u8> {
    let [r, g, b, a] = colour;
    match bands {
        1 => vec![weighed(colour)],
        2 => vec![weighed(colour), a],
        3 => vec![r, g, b],
        _ => vec![r, g, b, a],
    }
}

/// The grey of a colour that fills an area, by the weights without light.
fn weighed([r, g, b, _]: [u8; 4]) -> u8 {
    sample(0.2126 * f32::from(r) + 0.7152 * f32::from(g) + 0.0722 * f32::from(b))
}

/// The same, multiplied with its alpha.
pub(crate) fn premultiplied(mut colour: Vec<u8>) -> Vec<u8> {
    if matches!(colour.len(), 2 | 4)
        && let Some((alpha, rest)) = colour.split_last_mut()
    {
        for v in rest {
            *v = sample(f32::from(*v) * f32::from(*alpha) / 255.0);
        }
    }
    colour
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_survive_cielab() {
        for rgb in [
            [0, 0, 0],
            [255, 255, 255],
            [12, 200, 99],
            [255, 0, 0],
            [1, 2, 250],
        ] {
            let back = from_lab(to_lab(&rgb));
            for (a, b) in rgb.iter().zip(back) {
                assert!(a.abs_diff(b) <= 1, "{rgb:?} {back:?}");
            }
        }
        let [l, a, b] = to_lab(&[255, 255, 255]);
        assert!((l - 100.0).abs() < 0.01 && a.abs() < 0.05 && b.abs() < 0.05);
    }

    #[test]
    fn grey_is_weighed_in_light() {
        assert_eq!(grey(&[128, 128, 128]), 128);
        assert_eq!(grey(&[255, 255, 255]), 255);
        // 0.2126 of the light, not of the samples.
        assert_eq!(grey(&[255, 0, 0]), 127);
    }
}
