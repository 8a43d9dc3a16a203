//! One picture on another: the ways of Porter and Duff, and those of PDF.

use crate::{Error, budget::Budget, number, picture::Picture};

/// How a picture meets the one below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blend {
    Clear,
    Source,
    Over,
    In,
    Out,
    Atop,
    Dest,
    DestOver,
    DestIn,
    DestOut,
    DestAtop,
    Xor,
    Add,
    Saturate,
    Multiply,
    Screen,
    Overlay,
    Darken,
    Lighten,
    ColourDodge,
    ColourBurn,
    HardLight,
    SoftLight,
    Difference,
    Exclusion,
}

impl Blend {
    /// By sharp's name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "clear" => Self::Clear,
            "source" => Self::Source,
            "over" => Self::Over,
            "in" => Self::In,
            "out" => Self::Out,
            "atop" => Self::Atop,
            "dest" => Self::Dest,
            "dest-over" => Self::DestOver,
            "dest-in" => Self::DestIn,
            "dest-out" => Self::DestOut,
            "dest-atop" => Self::DestAtop,
            "xor" => Self::Xor,
            "add" => Self::Add,
            "saturate" => Self::Saturate,
            "multiply" => Self::Multiply,
            "screen" => Self::Screen,
            "overlay" => Self::Overlay,
            "darken" => Self::Darken,
            "lighten" => Self::Lighten,
            "colour-dodge" => Self::ColourDodge,
            "colour-burn" => Self::ColourBurn,
            "hard-light" => Self::HardLight,
            "soft-light" => Self::SoftLight,
            "difference" => Self::Difference,
            "exclusion" => Self::Exclusion,
            _ => return None,
        })
    }

    /// Parts of the one above and of the one below that are seen, for the ways that only weigh.
    fn weights(self, above: f32, below: f32) -> Option<(f32, f32)> {
        Some(match self {
            Self::Clear => (0.0, 0.0),
            Self::Source => (1.0, 0.0),
            Self::Over => (1.0, 1.0 - above),
            Self::In => (below, 0.0),
            Self::Out => (1.0 - below, 0.0),
            Self::Atop => (below, 1.0 - above),
            Self::Dest => (0.0, 1.0),
            Self::DestOver => (1.0 - below, 1.0),
            Self::DestIn => (0.0, above),
            Self::DestOut => (0.0, 1.0 - above),
            Self::DestAtop => (1.0 - below, above),
            Self::Xor => (1.0 - below, 1.0 - above),
            Self::Add => (1.0, 1.0),
            Self::Saturate => {
                let part = if above > 0.0 {
                    ((1.0 - below) / above).min(1.0)
                } else {
                    1.0
                };
                (part, 1.0)
            }
            _ => return None,
        })
    }

    /// What two colours become where both are opaque.
    fn mix(self, above: f32, below: f32) -> f32 {
        match self {
            Self::Multiply => above * below,
            Self::Screen => above + below - above * below,
            Self::Overlay => Self::HardLight.mix(below, above),
            Self::Darken => above.min(below),
            Self::Lighten => above.max(below),
            Self::ColourDodge if below <= 0.0 => 0.0,
            Self::ColourDodge if above >= 1.0 => 1.0,
            Self::ColourDodge => (below / (1.0 - above)).min(1.0),
            Self::ColourBurn if below >= 1.0 => 1.0,
            Self::ColourBurn if above <= 0.0 => 0.0,
            Self::ColourBurn => 1.0 - ((1.0 - below) / above).min(1.0),
            Self::HardLight if above <= 0.5 => 2.0 * above * below,
            Self::HardLight => 1.0 - 2.0 * (1.0 - above) * (1.0 - below),
            Self::SoftLight if above <= 0.5 => below - (1.0 - 2.0 * above) * below * (1.0 - below),
            Self::SoftLight => {
                let d = if below <= 0.25 {
                    ((16.0 * below - 12.0) * below + 4.0) * below
                } else {
                    below.sqrt()
                };
                below + (2.0 * above - 1.0) * (d - below)
            }
            Self::Difference => (above - below).abs(),
            Self::Exclusion => above + below - 2.0 * above * below,
            _ => above,
        }
    }
}

/// Lays a picture on another one, at a place that may be outside. Both are RGBA.
pub(crate) fn lay(
    budget: &Budget,
    below: &mut Picture,
    above: &Picture,
    (left, top): (i64, i64),
    blend: Blend,
) -> Result<(), Error> {
    // What lies outside of the one above is as if that were transparent there: for some ways that matters.
    let reaches_out = blend
        .weights(0.0, 1.0)
        .is_some_and(|(_, below)| below != 1.0);
    for y in 0..below.height {
        budget.row(y, below.width)?;
        let row = inside(y, top, above.height);
        if row.is_none() && !reaches_out {
            continue;
        }
        let width = below.width;
        for (x, to) in below.row_mut(y).chunks_exact_mut(4).enumerate().take(width) {
            let from = match (row, inside(x, left, above.width)) {
                (Some(y), Some(x)) => above.pixel(x, y),
                _ if reaches_out => &[0; 4],
                _ => continue,
            };
            pixel(to, from, blend);
        }
    }
    Ok(())
}

fn inside(at: usize, begin: i64, length: usize) -> Option<usize> {
    let place = i64::try_from(at).ok()?.checked_sub(begin)?;
    usize::try_from(place).ok().filter(|p| *p < length)
}

fn pixel(to: &mut [u8], from: &[u8], blend: Blend) {
    let part = |v: u8| f32::from(v) / 255.0;
    let (above, below) = (part(from[3]), part(to[3]));
    let (alpha, colours): (f32, [f32; 3]) = match blend.weights(above, below) {
        Some((a, b)) => (
            (above * a + below * b).min(1.0),
            std::array::from_fn(|i| part(from[i]) * above * a + part(to[i]) * below * b),
        ),
        None => (
            above + below - above * below,
            std::array::from_fn(|i| {
                let (s, d) = (part(from[i]), part(to[i]));
                (1.0 - below) * above * s
                    + (1.0 - above) * below * d
                    // libvips mixes what has been multiplied with alpha already.
                    + above * below * blend.mix(s * above, d * below)
            }),
        ),
    };
    for (to, c) in to.iter_mut().zip(colours) {
        *to = if alpha > 0.0 {
            number::sample(c / alpha * 255.0)
        } else {
            0
        };
    }
    to[3] = number::sample(alpha * 255.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_meet_as_they_should() {
        let laid = |blend, below: [u8; 4], above: [u8; 4]| {
            let mut to = below;
            pixel(&mut to, &above, blend);
            to
        };
        let (red, half_blue) = ([255, 0, 0, 255], [0, 0, 255, 128]);
        assert_eq!(laid(Blend::Over, red, half_blue), [127, 0, 128, 255]);
        assert_eq!(laid(Blend::DestIn, red, half_blue), [255, 0, 0, 128]);
        assert_eq!(laid(Blend::Clear, red, half_blue), [0, 0, 0, 0]);
        let (grey, white) = ([128, 128, 128, 255], [255, 255, 255, 255]);
        assert_eq!(laid(Blend::Multiply, grey, white), grey);
        assert_eq!(laid(Blend::Screen, grey, white), white);
        assert_eq!(laid(Blend::Difference, grey, white), [127, 127, 127, 255]);
    }
}
