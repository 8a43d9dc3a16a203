//! Moving pixels without changing them, but for [`rotate`].

use crate::{
    Error,
    budget::Budget,
    colour, number,
    number::real,
    picture::Picture,
    pipeline::{Area, Extend, ExtendWith},
};

/// A turn clockwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    None,
    Quarter,
    Half,
    ThreeQuarters,
}

impl Turn {
    /// By a multiple of 90 degrees.
    pub(crate) fn of_degrees(angle: i32) -> Self {
        match angle.rem_euclid(360) {
            90 => Self::Quarter,
            180 => Self::Half,
            270 => Self::ThreeQuarters,
            _ => Self::None,
        }
    }

    /// What EXIF's orientation asks for: a turn, and whether left and right change places after it.
    pub(crate) fn of_orientation(orientation: u8) -> (Self, bool) {
        match orientation {
            2 => (Self::None, true),
            3 => (Self::Half, false),
            4 => (Self::Half, true),
            5 => (Self::Quarter, true),
            6 => (Self::Quarter, false),
            7 => (Self::ThreeQuarters, true),
            8 => (Self::ThreeQuarters, false),
            _ => (Self::None, false),
        }
    }

    /// Whether width and height change places.
    pub(crate) const fn swaps(self) -> bool {
        matches!(self, Self::Quarter | Self::ThreeQuarters)
    }
}

/// Turns a picture.
pub(crate) fn turn(budget: &Budget, mut picture: Picture, by: Turn) -> Result<Picture, Error> {
    let bands = picture.bands;
    match by {
        Turn::None => Ok(picture),
        Turn::Half => {
            let pixels = picture.width * picture.height;
            for i in 0..pixels / 2 {
                if i % (1 << 16) == 0 {
                    budget.check()?;
                }
                let j = pixels - 1 - i;
                for b in 0..bands {
                    picture.data.swap(i * bands + b, j * bands + b);
                }
            }
            Ok(picture)
        }
        Turn::Quarter | Turn::ThreeQuarters => {
            let mut made = Picture::new(budget, picture.height, picture.width, bands)?;
            // In blocks, so that neither side leaves the processor's cache.
            const BLOCK: usize = 32;
            for top in (0..picture.height).step_by(BLOCK) {
                budget.check()?;
                for left in (0..picture.width).step_by(BLOCK) {
                    for y in top..(top + BLOCK).min(picture.height) {
                        for x in left..(left + BLOCK).min(picture.width) {
                            let (to_x, to_y) = if by == Turn::Quarter {
                                (picture.height - 1 - y, x)
                            } else {
                                (y, picture.width - 1 - x)
                            };
                            let at = (to_y * made.width + to_x) * bands;
                            made.data[at..at + bands].copy_from_slice(picture.pixel(x, y));
                        }
                    }
                }
            }
            Ok(made)
        }
    }
}

/// Top and bottom change places.
pub(crate) fn flip(mut picture: Picture) -> Picture {
    let stride = picture.width * picture.bands;
    for y in 0..picture.height / 2 {
        let (above, below) = picture.data.split_at_mut((picture.height - 1 - y) * stride);
        above[y * stride..][..stride].swap_with_slice(&mut below[..stride]);
    }
    picture
}

/// Left and right change places.
pub(crate) fn flop(mut picture: Picture) -> Picture {
    let (width, bands) = (picture.width, picture.bands);
    for y in 0..picture.height {
        let row = picture.row_mut(y);
        for x in 0..width / 2 {
            for b in 0..bands {
                row.swap(x * bands + b, (width - 1 - x) * bands + b);
            }
        }
    }
    picture
}

/// A part that has to lie inside.
pub(crate) fn extract(budget: &Budget, picture: Picture, area: Area) -> Result<Picture, Error> {
    let [left, top, width, height] =
        [area.left, area.top, area.width, area.height].map(|v| v as usize);
    if width == 0 || height == 0 || left + width > picture.width || top + height > picture.height {
        return Err(Error::BadExtractArea);
    }
    crop(budget, picture, (left, top), (width, height))
}

/// A part that lies inside.
pub(crate) fn crop(
    budget: &Budget,
    picture: Picture,
    (left, top): (usize, usize),
    (width, height): (usize, usize),
) -> Result<Picture, Error> {
    if (left, top, width, height) == (0, 0, picture.width, picture.height) {
        return Ok(picture);
    }
    let mut made = Picture::new(budget, width, height, picture.bands)?;
    let bands = picture.bands;
    for y in 0..height {
        let from = &picture.row(top + y)[left * bands..][..width * bands];
        made.row_mut(y).copy_from_slice(from);
    }
    Ok(made)
}

/// Where a window lies in a larger picture, by sharp's number of a gravity.
pub(crate) fn gravity_inside(
    (in_width, in_height): (usize, usize),
    (width, height): (usize, usize),
    gravity: u8,
) -> (usize, usize) {
    let (x, y) = (
        in_width.saturating_sub(width),
        in_height.saturating_sub(height),
    );
    placed((x, y), (x.div_ceil(2), y.div_ceil(2)), gravity)
}

/// Where a picture lies on a larger canvas.
pub(crate) fn gravity_outside(
    (width, height): (usize, usize),
    (out_width, out_height): (usize, usize),
    gravity: u8,
) -> (usize, usize) {
    let (x, y) = (
        out_width.saturating_sub(width),
        out_height.saturating_sub(height),
    );
    placed((x, y), (x / 2, y / 2), gravity)
}

fn placed((x, y): (usize, usize), (half_x, half_y): (usize, usize), gravity: u8) -> (usize, usize) {
    match gravity {
        1 => (half_x, 0),
        2 => (x, half_y),
        3 => (half_x, y),
        4 => (0, half_y),
        5 => (x, 0),
        6 => (x, y),
        7 => (0, y),
        8 => (0, 0),
        _ => (half_x, half_y),
    }
}

/// Lays a picture on a canvas of one colour, which has as many bands as the picture.
pub(crate) fn embed(
    budget: &Budget,
    picture: &Picture,
    (left, top): (usize, usize),
    (width, height): (usize, usize),
    colour: &[u8],
) -> Result<Picture, Error> {
    let mut made = Picture::filled(budget, width, height, colour)?;
    let bands = picture.bands;
    for y in 0..picture.height {
        made.row_mut(top + y)[left * bands..][..picture.width * bands]
            .copy_from_slice(picture.row(y));
    }
    Ok(made)
}

/// Adds edges. The colour has as many bands as the picture.
pub(crate) fn extend(
    budget: &Budget,
    picture: &Picture,
    edges: &Extend,
    colour: &[u8],
) -> Result<Picture, Error> {
    let [left, right, top, bottom] =
        [edges.left, edges.right, edges.top, edges.bottom].map(|v| v as usize);
    let (width, height) = (picture.width + left + right, picture.height + top + bottom);
    if edges.with == ExtendWith::Background {
        return embed(budget, picture, (left, top), (width, height), colour);
    }
    let bands = picture.bands;
    let mut made = Picture::new(budget, width, height, bands)?;
    let _working = budget.charge(width * size_of::<usize>())?;
    let columns: Vec<usize> = (0..width)
        .map(|x| source(edges.with, x, left, picture.width))
        .collect();
    for y in 0..height {
        budget.row(y, width)?;
        let from = picture.row(source(edges.with, y, top, picture.height));
        let to = made.row_mut(y);
        for (x, to) in columns.iter().zip(to.chunks_exact_mut(bands)) {
            to.copy_from_slice(&from[x * bands..][..bands]);
        }
    }
    Ok(made)
}

/// Which of `length` pixels stands at a place before, in or after them.
fn source(with: ExtendWith, at: usize, before: usize, length: usize) -> usize {
    match with {
        ExtendWith::Repeat => (at + length - before % length) % length,
        ExtendWith::Mirror => {
            let period = 2 * length;
            let place = (at + period - before % period) % period;
            if place < length {
                place
            } else {
                period - 1 - place
            }
        }
        ExtendWith::Copy | ExtendWith::Background => at.saturating_sub(before).min(length - 1),
    }
}

/// Turns by any angle, clockwise, onto a canvas that holds all of it; samples lie between four others.
pub(crate) fn rotate(
    budget: &Budget,
    picture: &Picture,
    degrees: f64,
    colour: &[u8],
) -> Result<Picture, Error> {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (w, h) = (real(picture.width), real(picture.height));
    // The corners, and the box around them, with edges of pixels and not their middles as what is turned.
    let corners = [(0.0, 0.0), (w, 0.0), (0.0, h), (w, h)]
        .map(|(x, y): (f64, f64)| (x * cos - y * sin, x * sin + y * cos));
    let low = corners
        .iter()
        .fold((f64::MAX, f64::MAX), |m, c| (m.0.min(c.0), m.1.min(c.1)));
    let high = corners
        .iter()
        .fold((f64::MIN, f64::MIN), |m, c| (m.0.max(c.0), m.1.max(c.1)));
    // Rounding of sines must not make a pixel of its own.
    let tidy = |v: f64| (v * 1e9).round() / 1e9;
    let (left, top) = (tidy(low.0).round(), tidy(low.1).round());
    let width = number::pixels(tidy(high.0 - low.0));
    let height = number::pixels(tidy(high.1 - low.1));
    let bands = picture.bands;
    let mut made = Picture::filled(budget, width, height, colour)?;
    let at = |x: i64, y: i64| -> &[u8] {
        match (usize::try_from(x), usize::try_from(y)) {
            (Ok(x), Ok(y)) if x < picture.width && y < picture.height => picture.pixel(x, y),
            _ => colour,
        }
    };
    for y in 0..height {
        budget.row(y, width)?;
        let row = made.row_mut(y);
        for (x, to) in row.chunks_exact_mut(bands).enumerate() {
            let (px, py) = (real(x) + left, real(y) + top);
            let (sx, sy) = (px * cos + py * sin, -px * sin + py * cos);
            if sx < -1.0 || sy < -1.0 || sx > w || sy > h {
                continue;
            }
            #[expect(
                clippy::cast_possible_truncation,
                reason = "just compared with the picture's bounds"
            )]
            let (x0, y0) = (sx.floor() as i64, sy.floor() as i64);
            #[expect(clippy::cast_possible_truncation, reason = "fractions")]
            let (fx, fy) = ((sx - sx.floor()) as f32, (sy - sy.floor()) as f32);
            let [a, b, c, d] = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(i, j)| at(x0 + i, y0 + j));
            for (band, to) in to.iter_mut().enumerate() {
                let v = |p: &[u8]| f32::from(p[band]);
                let above = v(a) + (v(b) - v(a)) * fx;
                let below = v(c) + (v(d) - v(c)) * fx;
                *to = number::sample(above + (below - above) * fy);
            }
        }
    }
    Ok(made)
}

/// The colour that an area of a picture is filled with, and the picture with alpha if the colour needs it.
pub(crate) fn for_background(
    budget: &Budget,
    picture: Picture,
    colour: [u8; 4],
    is_premultiplied: bool,
) -> Result<(Picture, Vec<u8>), Error> {
    let picture = if colour[3] < 255 {
        picture.into_alpha(budget, 255)?
    } else {
        picture
    };
    let bands = colour::background(colour, picture.bands);
    let bands = if is_premultiplied {
        colour::premultiplied(bands)
    } else {
        bands
    };
    Ok((picture, bands))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Purse;

    fn budget() -> Budget {
        Budget::new(Purse::new(1 << 20))
    }

    fn numbers(width: usize, height: usize) -> Picture {
        let data = (0..width * height)
            .map(|i| u8::try_from(i).unwrap())
            .collect();
        Picture::of(&budget(), (width, height, 1), data).unwrap()
    }

    #[test]
    fn turns_are_clockwise() {
        // 0 1 2
        // 3 4 5
        let turned = turn(&budget(), numbers(3, 2), Turn::Quarter).unwrap();
        assert_eq!((turned.width, turned.height), (2, 3));
        assert_eq!(turned.data, [3, 0, 4, 1, 5, 2]);
        let turned = turn(&budget(), numbers(3, 2), Turn::Half).unwrap();
        assert_eq!(turned.data, [5, 4, 3, 2, 1, 0]);
        let turned = turn(&budget(), numbers(3, 2), Turn::ThreeQuarters).unwrap();
        assert_eq!(turned.data, [2, 5, 1, 4, 0, 3]);
        assert_eq!(flip(numbers(3, 2)).data, [3, 4, 5, 0, 1, 2]);
        assert_eq!(flop(numbers(3, 2)).data, [2, 1, 0, 5, 4, 3]);
    }

    #[test]
    fn areas_outside_are_refused() {
        // NC-115
        let area = |left, top, width, height| Area {
            left,
            top,
            width,
            height,
        };
        let some = extract(&budget(), numbers(3, 2), area(1, 0, 2, 2)).unwrap();
        assert_eq!(some.data, [1, 2, 4, 5]);
        for bad in [
            area(2, 0, 2, 1),
            area(0, 2, 1, 1),
            area(0, 0, 0, 1),
            area(u32::MAX, 0, 1, 1),
        ] {
            let refused = extract(&budget(), numbers(3, 2), bad);
            assert_eq!(refused.err(), Some(Error::BadExtractArea));
        }
    }

    #[test]
    fn edges_copy_repeat_and_mirror() {
        let row = |with| -> Vec<usize> { (0..7).map(|x| source(with, x, 2, 3)).collect() };
        assert_eq!(row(ExtendWith::Copy), [0, 0, 0, 1, 2, 2, 2]);
        assert_eq!(row(ExtendWith::Repeat), [1, 2, 0, 1, 2, 0, 1]);
        assert_eq!(row(ExtendWith::Mirror), [1, 0, 0, 1, 2, 2, 1]);
    }
}
