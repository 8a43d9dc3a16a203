//! AVIF, written by `ravif`: AV1's intra frames in eight bits, without subsampling of colours.

use ravif::{BitDepth, Encoder, Img, RGB8, RGBA8};

use super::exif::PREFIX;
use crate::{
    Error,
    budget::Budget,
    output::{AvifOptions, Written},
    picture::Pages,
};

/// Writes a file.
pub(super) fn encode(
    budget: &Budget,
    options: &AvifOptions,
    written: &Written,
    pages: Pages,
) -> Result<Vec<u8>, Error> {
    if options.compression != "av1" {
        return Err(Error::unsupported("sharp: heif({ compression: 'hevc' })"));
    }
    if options.lossless {
        return Err(Error::unsupported("sharp: avif({ lossless: true })"));
    }
    let depth = match options.bitdepth {
        8 => BitDepth::Eight,
        10 => BitDepth::Ten,
        other => {
            return Err(Error::unsupported(format_args!(
                "sharp: avif({{ bitdepth: {other} }})"
            )));
        }
    };
    let mut picture = pages.into_roll(budget)?.into_rgb(budget)?;
    if options.chroma_subsampling == "4:2:0" {
        crate::op::halve_chroma(budget, &mut picture)?;
    }
    let (width, height) = (picture.width, picture.height);
    // The encoder's planes, their reconstruction and what it looks things up in: measured at 25 bytes a pixel.
    let _working = budget.charge(width * height * 28)?;
    let quality = quality(options.quality);
    let mut encoder = Encoder::new()
        .with_quality(quality)
        .with_alpha_quality(quality)
        .with_speed(speed(options.effort))
        .with_bit_depth(depth)
        .with_num_threads(Some(1));
    if let Some(exif) = &written.exif {
        encoder = encoder.with_exif(exif.strip_prefix(PREFIX).unwrap_or(exif).to_vec());
    }
    budget.check()?;
    let made = if picture.bands == 4 {
        let pixels: Vec<RGBA8> = picture
            .pixels()
            .map(|p| RGBA8::new(p[0], p[1], p[2], p[3]))
            .collect();
        encoder.encode_rgba(Img::new(&pixels, width, height))
    } else {
        let pixels: Vec<RGB8> = picture
            .pixels()
            .map(|p| RGB8::new(p[0], p[1], p[2]))
            .collect();
        encoder.encode_rgb(Img::new(&pixels, width, height))
    };
    let made = made.map_err(|e| Error::CorruptData(format!("heifsave_buffer: {e}")))?;
    Ok(made.avif_file)
}

/// sharp's qualities and those of the encoder at which files come out as long, measured with photographs and with flat
/// pictures. In between, it is a line.
const QUALITIES: [(u8, u8); 6] = [(1, 1), (30, 34), (50, 68), (65, 81), (80, 89), (100, 100)];

/// The encoder's quality for one of sharp's.
fn quality(sharp: u8) -> f32 {
    let sharp = f32::from(sharp.clamp(1, 100));
    let cell = QUALITIES
        .windows(2)
        .find(|pair| sharp <= f32::from(pair[1].0));
    let Some([(from, low), (to, high)]) = cell else {
        return sharp;
    };
    let [from, to, low, high] = [*from, *to, *low, *high].map(f32::from);
    low + (sharp - from) / (to - from) * (high - low)
}

/// sharp counts effort upwards from 0 to 9, the encoder speed from 10 downwards to 1.
fn speed(effort: u8) -> u8 {
    (10 - effort.min(9)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qualities_grow_with_each_other() {
        // NC-112, NC-117
        assert_eq!((quality(1), quality(50), quality(100)), (1.0, 68.0, 100.0));
        let all: Vec<f32> = (1..=100).map(quality).collect();
        assert!(all.is_sorted() && all.iter().all(|q| (1.0..=100.0).contains(q)));
    }
}
