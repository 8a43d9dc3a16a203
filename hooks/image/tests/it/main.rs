//! The crate from outside: recordings as JavaScript makes them, and bytes that strangers wrote.

#![recursion_limit = "256"]

mod asked;
mod claims;
mod hostile;

use std::sync::Arc;

use fourfront_image::{
    Pipeline,
    budget::{Budget, Purse},
};
use serde_json::{Value, json};

/// A recording as `hooks/js/sharp.js` makes it when nothing is asked for.
pub(crate) fn recorded(input: Value, format: &str) -> Value {
    json!({
        "input": input, "orientBefore": false, "rotateBefore": false, "angle": 0, "rotation": 0.0, "rotationBackground": [0, 0, 0, 255],
        "flip": false, "flop": false, "trim": null, "extractBefore": null,
        "resize": { "width": null, "height": null, "fit": "cover", "position": 0, "background": [0, 0, 0, 255], "kernel": "lanczos3",
            "withoutEnlargement": false, "withoutReduction": false, "fastShrinkOnLoad": true },
        "extractAfter": null, "extend": null, "flatten": null, "unflatten": false, "gamma": null, "greyscale": false, "median": 0,
        "threshold": null, "blur": null, "recomb": [], "modulate": null, "sharpen": null, "composite": [], "linear": null,
        "normalise": null, "tint": null, "removeAlpha": false, "ensureAlpha": null, "colourspace": "srgb", "extractChannel": null,
        "negate": null,
        "kept": { "exif": true, "xmp": true, "icc": true, "profile": null, "orientation": null, "density": null, "fields": [],
            "merge": true, "xmpText": null },
        "output": {
            "format": format,
            "jpeg": { "quality": 80, "progressive": false, "chromaSubsampling": "4:2:0", "optimiseCoding": true, "quantisationTable": 0, "mozjpeg": false },
            "png": { "progressive": false, "compressionLevel": 6, "adaptiveFiltering": false, "palette": false, "bitdepth": 8, "dither": 1.0 },
            "webp": { "quality": 80, "alphaQuality": 100, "lossless": false, "nearLossless": false, "smartSubsample": false, "smartDeblock": false,
                "preset": "default", "effort": 0, "exact": false },
            "gif": { "bitdepth": 8, "dither": 1.0 },
            "avif": { "quality": 50, "lossless": false, "compression": "av1", "effort": 0, "chromaSubsampling": "4:4:4", "bitdepth": 8 },
            "tiff": { "quality": 80, "compression": "lzw", "predictor": null }, "loop": null, "delay": [] },
    })
}

pub(crate) fn input(buffer: Option<usize>) -> Value {
    json!({ "buffer": buffer, "raw": null, "create": null, "failOn": "none", "limitInputPixels": 268_402_689u64, "limitInputChannels": 5, "autoOrient": true,
        "ignoreIcc": false, "page": -1, "pages": -1 })
}

pub(crate) fn pipeline(value: Value) -> Pipeline {
    serde_json::from_value(value).expect("a recording")
}

pub(crate) fn budget(bytes: usize) -> (Arc<Purse>, Budget) {
    let purse = Purse::new(bytes);
    (purse.clone(), Budget::new(purse))
}
