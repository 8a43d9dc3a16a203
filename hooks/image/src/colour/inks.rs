//! What cyan, magenta, yellow and black ink look like on coated paper, for files that have no profile.

use super::gamma;

/// How far light wanders in paper: Yule and Nielsen's n.
const SPREAD: f32 = 1.5;

/// Steps between no ink and all of it, at which [`PRIMARIES`] says what is seen.
const STEPS: usize = 3;

/// Light of red, green and blue that is left of white, in thousandths and to the power of 1 / [`SPREAD`], where each ink covers
/// none, half or all of the paper: cyan changes fastest, then magenta, yellow, black. Fitted to what libvips makes of a grid
/// of 9 steps for each ink: within 2 of 255 in the mean.
#[rustfmt::skip]
const PRIMARIES: [[i16; 3]; STEPS * STEPS * STEPS * STEPS] = [
    [1000, 1000, 1000],
    [170, 613, 848],
    [-53, 461, 807],
    [885, 369, 551],
    [359, 323, 547],
    [-47, 237, 511],
    [832, 14, 352],
    [387, 34, 330],
    [59, 21, 315],
    [970, 868, 350],
    [255, 600, 406],
    [-66, 429, 394],
    [901, 378, 301],
    [364, 299, 289],
    [-30, 228, 290],
    [827, 21, 196],
    [385, 50, 200],
    [62, 27, 185],
    [995, 851, -36],
    [294, 571, 33],
    [-66, 406, 93],
    [908, 361, 1],
    [377, 288, 47],
    [-17, 214, 73],
    [824, 14, 10],
    [378, 48, 47],
    [65, 36, 56],
    [380, 360, 361],
    [148, 309, 374],
    [-40, 224, 352],
    [389, 226, 288],
    [196, 185, 268],
    [-22, 127, 254],
    [373, 9, 184],
    [214, 9, 173],
    [20, 2, 165],
    [410, 379, 217],
    [158, 288, 208],
    [-36, 215, 205],
    [386, 209, 157],
    [205, 178, 158],
    [-14, 122, 153],
    [369, 18, 104],
    [208, 13, 100],
    [16, 1, 94],
    [409, 357, -8],
    [179, 280, 9],
    [-31, 205, 41],
    [384, 198, -5],
    [209, 168, 10],
    [-12, 111, 29],
    [369, 20, 0],
    [205, 12, 7],
    [26, 8, 19],
    [36, 21, 12],
    [3, 14, 9],
    [-1, 7, 9],
    [41, 3, 8],
    [4, 2, 5],
    [-3, -4, 3],
    [34, -5, 1],
    [3, -3, 2],
    [-4, -4, -2],
    [31, 18, 1],
    [2, 10, 3],
    [-1, 6, 4],
    [33, 1, -4],
    [11, 5, 3],
    [-3, 0, 0],
    [21, -6, -9],
    [4, -4, -6],
    [0, -2, 1],
    [38, 21, -3],
    [7, 12, -6],
    [-3, 2, -9],
    [36, 2, -5],
    [4, 2, -5],
    [-2, 1, -7],
    [40, -4, -2],
    [3, -6, -6],
    [1, -3, -3],
];

/// What four inks look like, by Neugebauer's equations in cells of half an ink.
pub(super) fn printed(inks: &[u8]) -> [u8; 3] {
    // Between which two steps each ink is, and how far.
    let cells: [(usize, f32); 4] = std::array::from_fn(|ink| {
        let at = f32::from(inks[ink]) / 127.5;
        if at < 1.0 { (0, at) } else { (1, at - 1.0) }
    });
    let mut light = [0.0f32; 3];
    for corner in 0..16usize {
        let (mut part, mut index, mut stride) = (1.0, 0, 1);
        for (ink, (cell, at)) in cells.iter().enumerate() {
            let upper = corner >> ink & 1;
            part *= if upper == 1 { *at } else { 1.0 - at };
            index += (cell + upper) * stride;
            stride *= STEPS;
        }
        for (light, primary) in light.iter_mut().zip(PRIMARIES[index]) {
            *light += part * f32::from(primary) / 1000.0;
        }
    }
    light.map(|v| gamma(v.max(0.0).powf(SPREAD)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inks_have_their_colours() {
        assert_eq!(printed(&[0, 0, 0, 0]), [255, 255, 255]);
        let [r, g, b] = printed(&[255, 0, 0, 0]);
        assert!(r < 40 && g > 120 && b > 180, "{r} {g} {b}");
        let [r, g, b] = printed(&[0, 0, 0, 255]);
        assert!(r < 60 && g < 60 && b < 60, "{r} {g} {b}");
        let [r, g, b] = printed(&[0, 255, 255, 0]);
        assert!(r > 200 && g < 60 && b < 90, "{r} {g} {b}");
    }
}
