//! What is done with pixels.

mod blend;
mod filter;
mod geometry;
mod resize;
mod tone;
mod trim;

pub(crate) use blend::{Blend, lay};
pub(crate) use filter::{blur, median, sharpen};
pub(crate) use geometry::{
    Turn, crop, embed, extend, extract, flip, flop, for_background, gravity_inside,
    gravity_outside, rotate, turn,
};
pub(crate) use resize::{Shrink, premultiply, resize, unpremultiply};
pub(crate) use tone::{
    extract_channel, flatten, gamma, halve_chroma, linear, modulate, negate, normalise, recomb,
    threshold, tint, unflatten,
};
pub(crate) use trim::trim;
