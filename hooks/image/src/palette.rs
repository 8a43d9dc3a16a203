//! Few colours in the place of many, by `quantizr`: for GIF and for PNG with a palette.

use quantizr::{Image, Options, QuantizeResult};

use crate::{
    Error,
    budget::{Budget, Charge},
    picture::Picture,
};

/// How opaque colours may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alpha {
    /// As they are.
    Any,
    /// Wholly or not at all.
    Binary,
}

/// A picture as numbers of colours.
pub(crate) struct Indexed {
    /// At most 256 colours, with alpha last.
    pub(crate) colours: Vec<[u8; 4]>,
    /// One for each pixel.
    pub(crate) indices: Vec<u8>,
    _charge: Charge,
}

impl Indexed {
    /// Bits that a number takes: 1, 2, 4 or 8.
    pub(crate) fn bits(&self) -> u8 {
        match self.colours.len() {
            0..=2 => 1,
            3..=4 => 2,
            5..=16 => 4,
            _ => 8,
        }
    }

    /// The number of the transparent colour, which is added where it is missing and there is room.
    pub(crate) fn transparent(&mut self) -> u8 {
        let found = self.colours.iter().position(|c| c[3] == 0);
        let index = found.unwrap_or_else(|| {
            self.colours.push([0; 4]);
            self.colours.len() - 1
        });
        u8::try_from(index).unwrap_or(u8::MAX)
    }

    /// The colours without alpha, one after the other.
    pub(crate) fn rgb(&self) -> Vec<u8> {
        self.colours
            .iter()
            .flat_map(|c| [c[0], c[1], c[2]])
            .collect()
    }

    /// How opaque each is, where one is not quite.
    pub(crate) fn alpha(&self) -> Option<Vec<u8>> {
        let alpha: Vec<u8> = self.colours.iter().map(|c| c[3]).collect();
        alpha.iter().any(|a| *a != 255).then_some(alpha)
    }

    /// The numbers, so many bits each; rows begin on whole bytes.
    pub(crate) fn packed(&self, width: usize, bits: u8) -> Vec<u8> {
        if bits == 8 {
            return self.indices.clone();
        }
        let in_byte = usize::from(8 / bits);
        self.indices
            .chunks(width)
            .flat_map(|row| {
                row.chunks(in_byte).map(move |some| {
                    let byte = some.iter().fold(0u8, |byte, index| byte << bits | index);
                    let missing = in_byte - some.len();
                    byte << (usize::from(bits) * missing)
                })
            })
            .collect()
    }
}

/// RGBA, whatever the picture has.
pub(crate) fn rgba(picture: &Picture) -> Vec<u8> {
    picture
        .pixels()
        .flat_map(|p| match *p {
            [grey] => [grey, grey, grey, 255],
            [grey, alpha] => [grey, grey, grey, alpha],
            [r, g, b] => [r, g, b, 255],
            [r, g, b, a, ..] => [r, g, b, a],
            [] => [0; 4],
        })
        .collect()
}

/// Chooses the colours of a picture, and which is whose.
pub(crate) fn of_picture(
    budget: &Budget,
    picture: &Picture,
    most: u16,
    dither: f32,
    alpha: Alpha,
) -> Result<Indexed, Error> {
    let pixels = picture.width * picture.height;
    let _working = budget.charge(pixels * 4)?;
    let charge = budget.charge(pixels)?;
    let mut rgba = rgba(picture);
    if alpha == Alpha::Binary && picture.has_alpha() {
        for pixel in rgba.chunks_exact_mut(4) {
            match pixel[3] {
                0..128 => pixel.fill(0),
                _ => pixel[3] = 255,
            }
        }
    }
    of_rgba(&rgba, (picture.width, picture.height), most, dither, charge)
}

fn of_rgba(
    rgba: &[u8],
    (width, height): (usize, usize),
    most: u16,
    dither: f32,
    charge: Charge,
) -> Result<Indexed, Error> {
    if let Some((colours, indices)) = exactly(rgba, most) {
        return Ok(Indexed {
            colours,
            indices,
            _charge: charge,
        });
    }
    let refused = |e: quantizr::Error| Error::CorruptData(format!("quantise: {e:?}"));
    let image = Image::new(rgba, width, height).map_err(refused)?;
    let mut options = Options::default();
    options
        .set_max_colors(i32::from(most).clamp(2, 256))
        .map_err(refused)?;
    let mut result = QuantizeResult::quantize(&image, &options);
    result
        .set_dithering_level(dither.clamp(0.0, 1.0))
        .map_err(refused)?;
    let mut indices = vec![0; width * height];
    result.remap_image(&image, &mut indices).map_err(refused)?;
    let palette = result.get_palette();
    let count = usize::try_from(palette.count).unwrap_or(0).min(256);
    let colours = palette.entries[..count]
        .iter()
        .map(|c| [c.r, c.g, c.b, c.a])
        .collect();
    Ok(Indexed {
        colours,
        indices,
        _charge: charge,
    })
}

/// The colours themselves, where there are few enough.
fn exactly(rgba: &[u8], most: u16) -> Option<(Vec<[u8; 4]>, Vec<u8>)> {
    let mut colours: Vec<[u8; 4]> = Vec::new();
    let mut known = std::collections::HashMap::new();
    let mut indices = Vec::with_capacity(rgba.len() / 4);
    for pixel in rgba.chunks_exact(4) {
        let colour: [u8; 4] = match pixel {
            [_, _, _, 0] => [0; 4],
            [r, g, b, a] => [*r, *g, *b, *a],
            _ => return None,
        };
        let index = match known.get(&colour) {
            Some(index) => *index,
            None => {
                if colours.len() == usize::from(most.min(256)) {
                    return None;
                }
                let index = u8::try_from(colours.len()).ok()?;
                colours.push(colour);
                known.insert(colour, index);
                index
            }
        };
        indices.push(index);
    }
    Some((colours, indices))
}
