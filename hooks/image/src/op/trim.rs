//! Cutting off edges of one colour.

use super::{geometry, median};
use crate::{Error, budget::Budget, colour, picture::Picture, pipeline::Trim};

/// A picture without its edges, and how far from where it began.
pub(crate) struct Trimmed {
    pub(crate) picture: Picture,
    pub(crate) left: usize,
    pub(crate) top: usize,
}

type Box = Option<(usize, usize, usize, usize)>;

/// Cuts off what is as the pixel at the top left, or as a given colour, by a threshold.
pub(crate) fn trim(budget: &Budget, picture: Picture, how: &Trim) -> Result<Trimmed, Error> {
    if picture.width < 3 && picture.height < 3 {
        return Err(Error::Refused(
            "Image to trim must be at least 3x3 pixels".to_owned(),
        ));
    }
    let colours = picture.colours();
    let (background, alpha) = match how.background {
        None => {
            let first = picture.pixel(0, 0);
            let alpha = if picture.has_alpha() {
                first[colours]
            } else {
                255
            };
            (first[..colours].to_vec(), alpha)
        }
        Some(colour) => (colour::background(colour, colours), colour[3]),
    };
    let shown = if picture.has_alpha() {
        let on = match background[..] {
            [grey] => [grey; 3],
            [r, g, b] => [r, g, b],
            _ => [0; 3],
        };
        flattened(budget, &picture, &on)?
    } else {
        picture.map(budget, colours, |from, to| to.copy_from_slice(from))?
    };
    let mut found = bounds(budget, shown, &background, how)?;
    if picture.has_alpha() {
        let alone = picture.map(budget, 1, |from, to| to[0] = from[colours])?;
        found = joined(found, bounds(budget, alone, &[alpha], how)?);
    }
    let Some((left, top, right, bottom)) = found else {
        return Ok(Trimmed {
            picture,
            left: 0,
            top: 0,
        });
    };
    let margin = how.margin as usize;
    let (left, top) = (left.saturating_sub(margin), top.saturating_sub(margin));
    let right = (right + margin).min(picture.width);
    let bottom = (bottom + margin).min(picture.height);
    let picture = geometry::crop(budget, picture, (left, top), (right - left, bottom - top))?;
    Ok(Trimmed { picture, left, top })
}

fn flattened(budget: &Budget, picture: &Picture, on: &[u8; 3]) -> Result<Picture, Error> {
    let colours = picture.colours();
    picture.map(budget, colours, |from, to| {
        let alpha = f32::from(from[colours]) / 255.0;
        for ((to, from), below) in to.iter_mut().zip(from).zip(on) {
            let below = f32::from(*below);
            *to = crate::number::sample(below + (f32::from(*from) - below) * alpha);
        }
    })
}

fn joined(a: Box, b: Box) -> Box {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.min(b.1), a.2.max(b.2), a.3.max(b.3))),
        (a, b) => a.or(b),
    }
}

/// The box around what differs from a colour: left, top, right and bottom, the last two outside.
fn bounds(budget: &Budget, picture: Picture, colour: &[u8], how: &Trim) -> Result<Box, Error> {
    // Single specks do not count.
    let picture = if how.line_art {
        picture
    } else {
        median(budget, &picture, 3)?
    };
    let differs = |p: &[u8]| {
        p.iter()
            .zip(colour)
            .any(|(v, c)| f32::from(v.abs_diff(*c)) > how.threshold)
    };
    let mut found: Box = None;
    for y in 0..picture.height {
        let row = picture.row(y).chunks_exact(picture.bands);
        let Some(first) = row.clone().position(differs) else {
            continue;
        };
        let last = row.clone().rposition(differs).unwrap_or(first);
        found = joined(found, Some((first, y, last + 1, y + 1)));
    }
    Ok(found)
}
