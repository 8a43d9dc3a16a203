//! Bytes that strangers wrote: none of them may cost more than was granted, or more than an error (NC-116).

use fourfront_image::{Error, metadata, run, stats};
use serde_json::json;

use super::{budget, input, pipeline, recorded};

/// A small file of a format, with something in it.
fn sample(format: &str) -> Vec<u8> {
    let width = 37u8;
    let pixels: Vec<u8> = (0..usize::from(width) * 29 * 4)
        .map(|i| u8::try_from(i * i / 7 % 251).unwrap_or(0))
        .collect();
    let mut raw = input(Some(0));
    raw["raw"] = json!({ "width": width, "height": 29, "channels": 4, "premultiplied": false });
    raw["autoOrient"] = json!(false);
    let (_, budget) = budget(64 << 20);
    run(&budget, &pipeline(recorded(raw, format)), &[&pixels])
        .expect("a file")
        .bytes
}

/// The same numbers each time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap_or(0) % below.max(1)
    }
}

#[test]
fn damaged_files_cost_an_error_at_most() {
    // NC-116
    let formats = ["jpeg", "png", "webp", "gif", "tiff"];
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let (mut made, mut refused) = (0, 0);
    for format in formats {
        let whole = sample(format);
        for _ in 0..600 {
            let mut bytes = whole.clone();
            match numbers.next(4) {
                0 => bytes.truncate(numbers.next(whole.len())),
                1 => {
                    let at = numbers.next(bytes.len());
                    let more: Vec<u8> = (0..numbers.next(40)).map(|_| u8::MAX).collect();
                    bytes.splice(at..at, more);
                }
                // Most of what a file says of itself is at its beginning.
                2 => {
                    for _ in 0..=numbers.next(4) {
                        let at = numbers.next(bytes.len().min(64));
                        bytes[at] = u8::try_from(numbers.next(256)).unwrap_or(0);
                    }
                }
                _ => {
                    for _ in 0..=numbers.next(8) {
                        let at = numbers.next(bytes.len());
                        bytes[at] ^= 1 << numbers.next(8);
                    }
                }
            }
            let (purse, budget) = budget(48 << 20);
            let mut steps = recorded(input(Some(0)), "png");
            steps["resize"]["width"] = json!(20);
            match run(&budget, &pipeline(steps), &[&bytes]) {
                Ok(_) => made += 1,
                Err(_) => refused += 1,
            }
            let facts = serde_json::from_value(input(Some(0))).expect("an input");
            let _ = metadata(&budget, &facts, &[&bytes]);
            let _ = stats(&budget, &facts, &[&bytes]);
            assert_eq!(purse.left(), 48 << 20, "all of it is given back");
        }
    }
    assert!(
        made > 300 && refused > 300,
        "{made} made, {refused} refused"
    );
}

#[test]
fn what_a_file_claims_is_paid_for_before_it_is_there() {
    // NC-116: two thousand rows and columns in a few bytes, for who may have 16 MB. Of larger screens libvips thinks that
    // somebody's own is meant.
    let mut gif = sample("gif");
    gif[6..10].copy_from_slice(&[0, 8, 0, 8]);
    let (purse, budget) = budget(16 << 20);
    let refused = run(&budget, &pipeline(recorded(input(Some(0)), "png")), &[&gif]);
    assert_eq!(refused.map(|m| m.bytes).err(), Some(Error::OutOfMemory));
    assert_eq!(purse.left(), 16 << 20);

    let mut many = input(None);
    many["create"] =
        json!({ "width": 9000, "height": 9000, "channels": 4, "background": [0, 0, 0, 0] });
    let refused = run(&budget, &pipeline(recorded(many, "webp")), &[]);
    assert_eq!(refused.map(|m| m.bytes).err(), Some(Error::OutOfMemory));
}

#[test]
fn pages_of_an_animation_are_paid_for_one_by_one() {
    // NC-116: five thousand pages of a large canvas, each of one pixel
    let frame = [
        0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0x80, 0, 0, 0, 255, 255, 255, 2, 2, 0x44, 0x01, 0,
    ];
    let mut gif = b"GIF89a\xe8\x03\xe8\x03\x00\x00\x00".to_vec();
    for _ in 0..5000 {
        gif.extend_from_slice(&frame);
    }
    gif.push(0x3b);
    let (purse, budget) = budget(64 << 20);
    let refused = run(
        &budget,
        &pipeline(recorded(input(Some(0)), "webp")),
        &[&gif],
    );
    let error = refused.map(|m| m.bytes).err();
    // A thousand pixels squared five thousand times are more than may be read at all.
    assert_eq!(error, Some(Error::PixelLimit));
    let mut some = input(Some(0));
    some["limitInputPixels"] = json!(0);
    let refused = run(&budget, &pipeline(recorded(some, "webp")), &[&gif]);
    assert_eq!(refused.map(|m| m.bytes).err(), Some(Error::OutOfMemory));
    assert_eq!(purse.left(), 64 << 20);
}
