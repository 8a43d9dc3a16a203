//! What files claim of themselves and of their parts: it is paid for before it is there, and means what it means to libvips
//! (NC-116, NC-117).

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use fourfront_image::{
    Error, Metadata,
    budget::{Budget, Host, Purse},
    metadata, run,
};
use serde_json::{Value, json};

use super::{pipeline, recorded};

/// One buffer, all of its pages, as they are.
fn input() -> Value {
    let mut input = super::input(Some(0));
    input["failOn"] = json!("warning");
    input["autoOrient"] = json!(false);
    input
}

fn facts(bytes: &[u8]) -> Result<Metadata, Error> {
    let input = serde_json::from_value(input()).expect("an input");
    let budget = Budget::new(Purse::new(64 << 20));
    metadata(&budget, &input, &[bytes])
}

/// Samples of all pages, and how many a pixel has.
fn read(bytes: &[u8], most: usize) -> Result<(Vec<u8>, usize), Error> {
    let purse = Purse::new(most);
    let budget = Budget::new(purse.clone());
    let made = run(&budget, &pipeline(recorded(input(), "raw")), &[bytes]);
    assert_eq!(purse.left(), most, "all of it is given back");
    made.map(|made| (made.bytes, made.info.channels))
}

/// A file of these samples.
fn written(samples: &[u8], size: (usize, usize), bands: usize, format: &str) -> Vec<u8> {
    let mut raw = input();
    raw["raw"] =
        json!({ "width": size.0, "height": size.1, "channels": bands, "premultiplied": false });
    let mut steps = recorded(raw, format);
    steps["colourspace"] = json!(if bands == 1 { "b-w" } else { "srgb" });
    steps["output"]["tiff"]["compression"] = json!(null);
    steps["output"]["webp"]["lossless"] = json!(true);
    steps["output"]["webp"]["exact"] = json!(true);
    let budget = Budget::new(Purse::new(64 << 20));
    run(&budget, &pipeline(steps), &[samples])
        .expect("a file")
        .bytes
}

/// Numbers of colours below four as GIF packs them, the tables of codes cleared before they grow.
fn packed(indices: &[u8]) -> Vec<u8> {
    const CLEAR: u32 = 4;
    const END: u32 = 5;
    let codes = indices
        .chunks(2)
        .flat_map(|two| std::iter::once(CLEAR).chain(two.iter().map(|v| u32::from(*v))))
        .chain([END]);
    let (mut bytes, mut held, mut count) = (Vec::new(), 0u32, 0);
    for code in codes {
        held |= code << count;
        count += 3;
        while count >= 8 {
            bytes.push(held.to_le_bytes()[0]);
            held >>= 8;
            count -= 8;
        }
    }
    bytes.push(held.to_le_bytes()[0]);
    let mut blocks = vec![2];
    for block in bytes.chunks(255) {
        blocks.push(u8::try_from(block.len()).expect("at most 255"));
        blocks.extend_from_slice(block);
    }
    blocks.push(0);
    blocks
}

const COLOURS: [[u8; 3]; 4] = [[10, 0, 0], [0, 20, 0], [0, 0, 30], [40, 40, 40]];

/// The beginning of a GIF of four colours, of which number 2 is the screen's.
fn screen(width: u16, height: u16) -> Vec<u8> {
    let mut gif = b"GIF89a".to_vec();
    gif.extend_from_slice(&width.to_le_bytes());
    gif.extend_from_slice(&height.to_le_bytes());
    gif.extend_from_slice(&[0x81, 2, 0]);
    gif.extend_from_slice(COLOURS.as_flattened());
    gif
}

/// A page: how it is disposed of, the number that is transparent, its place and size, and its pixels.
fn page(gif: &mut Vec<u8>, disposal: u8, transparent: Option<u8>, place: [u16; 4], pixels: &[u8]) {
    let flags = disposal << 2 | u8::from(transparent.is_some());
    gif.extend_from_slice(&[
        0x21,
        0xf9,
        4,
        flags,
        5,
        0,
        transparent.unwrap_or(0),
        0,
        0x2c,
    ]);
    place
        .iter()
        .for_each(|v| gif.extend_from_slice(&v.to_le_bytes()));
    gif.push(0);
    gif.extend_from_slice(&packed(pixels));
}

#[test]
fn a_page_of_gif_costs_what_is_seen_of_it() {
    // NC-116: one pixel is seen of 65535 squared
    let mut gif = screen(1, 1);
    page(&mut gif, 1, None, [0, 0, 1, 1], &[1]);
    page(&mut gif, 1, None, [0, 0, u16::MAX, u16::MAX], &[3]);
    gif.push(0x3b);
    let (samples, bands) = read(&gif, 1 << 20).expect("two pages");
    assert_eq!((samples, bands), ([COLOURS[1], COLOURS[3]].concat(), 3));

    // Where it is the first, it is the canvas.
    let mut gif = screen(1, 1);
    page(&mut gif, 1, None, [0, 0, 15_000, 15_000], &[1]);
    gif.push(0x3b);
    assert_eq!(read(&gif, 1 << 20).err(), Some(Error::OutOfMemory));
}

/// Somebody who leaves after so many looks.
#[derive(Default)]
struct Leaving {
    looks: AtomicUsize,
    most: usize,
}

impl Host for Leaving {
    fn reserve(&self, _bytes: usize) -> bool {
        true
    }

    fn release(&self, _bytes: usize) {}

    fn is_cancelled(&self) -> bool {
        self.looks.fetch_add(1, Ordering::Relaxed) >= self.most
    }
}

#[test]
fn a_large_page_of_gif_is_given_up_in_between() {
    // NC-116: two thousand rows, a look at every sixty-fourth
    let mut gif = screen(1, 2000);
    page(&mut gif, 1, None, [0, 0, 200, 2000], &vec![1; 200 * 2000]);
    gif.push(0x3b);
    let looks = |most| {
        let host = Arc::new(Leaving {
            most,
            ..Leaving::default()
        });
        let budget = Budget::new(host.clone());
        let made = run(&budget, &pipeline(recorded(input(), "raw")), &[&gif]);
        (made.err(), host.looks.load(Ordering::Relaxed))
    };
    let (error, count) = looks(usize::MAX);
    assert_eq!(error, None);
    assert!(count > 2000 / 64, "{count}");
    assert_eq!(looks(20).0, Some(Error::Cancelled));
}

#[test]
fn gif_has_the_canvas_of_libnsgif() {
    // NC-117: alpha only where a page has a transparent colour, whatever it covers
    let mut gif = screen(3, 1);
    page(&mut gif, 1, None, [1, 0, 1, 1], &[1]);
    gif.push(0x3b);
    assert_eq!(
        read(&gif, 1 << 20).expect("a page"),
        ([[0; 3], COLOURS[1], [0; 3]].concat(), 3)
    );

    // NC-117: a first page enlarges the canvas, later ones are cut; a usual monitor's size is not one
    for size in [(2, 1), (640, 480), (4000, 1)] {
        let mut gif = screen(size.0, size.1);
        page(&mut gif, 1, None, [1, 0, 2, 1], &[1, 3]);
        page(&mut gif, 1, None, [2, 0, 3, 2], &[0; 6]);
        gif.push(0x3b);
        let found = facts(&gif).expect("a header");
        assert_eq!(
            (found.width, found.page_height, found.channels),
            (3, Some(1), 3)
        );
        let first = [[0; 3], COLOURS[1], COLOURS[3]];
        let second = [[0; 3], COLOURS[1], COLOURS[0]];
        let all = [first, second].concat().concat();
        assert_eq!(read(&gif, 1 << 20).expect("two pages").0, all);
    }

    // NC-117: what is left of a page is the screen's colour, or nothing where it had a transparent one
    let mut gif = screen(2, 1);
    page(&mut gif, 2, None, [0, 0, 1, 1], &[1]);
    page(&mut gif, 2, Some(3), [1, 0, 1, 1], &[1]);
    page(&mut gif, 4, Some(3), [0, 0, 2, 1], &[3, 0]);
    page(&mut gif, 1, Some(3), [0, 0, 2, 1], &[3, 3]);
    gif.push(0x3b);
    let opaque = |c: usize| [COLOURS[c][0], COLOURS[c][1], COLOURS[c][2], 255];
    let expected = [
        [opaque(1), [0; 4]],
        [opaque(2), opaque(1)],
        [opaque(2), opaque(0)],
        [opaque(2), [0; 4]],
    ];
    assert_eq!(
        read(&gif, 1 << 20).expect("four pages"),
        (expected.as_flattened().concat(), 4)
    );
}

fn chunk(name: &[u8], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("short");
    let mut chunk = [name, &length.to_le_bytes(), body].concat();
    chunk.resize(chunk.len().next_multiple_of(2), 0);
    chunk
}

/// A WebP of these chunks on a canvas of less than 256 rows and columns.
fn canvas(flags: u8, width: u8, height: u8, chunks: &[Vec<u8>]) -> Vec<u8> {
    let head = [flags, 0, 0, 0, width - 1, 0, 0, height - 1, 0, 0];
    let body = [b"WEBP".to_vec(), chunk(b"VP8X", &head), chunks.concat()].concat();
    chunk(b"RIFF", &body)
}

const ANIMATED: u8 = 2;

fn animated(width: u8, height: u8, frames: &[Vec<u8>]) -> Vec<u8> {
    let begin = chunk(b"ANIM", &[9, 9, 9, 9, 0, 0]);
    canvas(
        ANIMATED,
        width,
        height,
        &[vec![begin], frames.to_vec()].concat(),
    )
}

/// A frame at twice the place, with pixels of a file of its own.
fn frame(left: u8, width: u8, flags: u8, still: &[u8]) -> Vec<u8> {
    let head = [
        left,
        0,
        0,
        0,
        0,
        0,
        width - 1,
        0,
        0,
        0,
        0,
        0,
        7,
        0,
        0,
        flags,
    ];
    chunk(b"ANMF", &[&head[..], &still[12..]].concat())
}

#[test]
fn pixels_of_webp_are_as_large_as_their_canvas() {
    // NC-116: what claims 12000 rows and columns, on a canvas of one pixel
    let claims = [
        0x10, 0, 0, 0x9d, 1, 0x2a, 0xe0, 0x2e, 0xe0, 0x2e, 0, 0, 0, 0,
    ];
    let lossy = chunk(b"VP8 ", &claims);
    let lossless = chunk(b"VP8L", &[0x2f, 0xdf, 0xae, 0xb7, 0x0b, 0, 0, 0]);
    let padding = [0; 12];
    for pixels in [lossy, lossless] {
        let still = canvas(0, 1, 1, std::slice::from_ref(&pixels));
        let moving = animated(1, 1, &[frame(0, 1, 0, &[&padding[..], &pixels].concat())]);
        for file in [still, moving] {
            let refused = read(&file, 1 << 20).err();
            let told = Error::CorruptData("webp: Inconsistent image sizes".to_owned());
            assert_eq!(refused, Some(told));
        }
    }
    // NC-116: the claim of a profile
    let mut file = canvas(
        0x20,
        1,
        1,
        &[chunk(b"ICCP", &[1, 2]), chunk(b"VP8L", &[0x2f, 0, 0, 0, 0])],
    );
    file[34..38].copy_from_slice(&[0xf0, 0xff, 0xff, 0xff]);
    assert!(read(&file, 1 << 20).is_err());
}

#[test]
fn frames_of_webp_are_laid_as_they_say() {
    // NC-117: dispose, then blend or not; the background's colour is for nobody
    let still = |samples: &[u8]| written(samples, (samples.len() / 4, 1), 4, "webp");
    let red = [200, 0, 0, 255];
    let half = [0, 0, 200, 128];
    let file = animated(
        3,
        1,
        &[
            frame(0, 3, 0, &still(&[red, red, red].concat())),
            // Blended, and gone afterwards.
            frame(1, 1, 1, &still(&half)),
            // Not blended: what it does not have is not there.
            frame(0, 2, 2, &still(&[half, [0, 0, 0, 0]].concat())),
        ],
    );
    let (samples, bands) = read(&file, 1 << 20).expect("three pages");
    let mixed = [99, 0, 100, 255];
    let expected = [[red, red, red], [red, red, mixed], [half, [0; 4], [0; 4]]];
    assert_eq!(bands, 4);
    for (found, expected) in samples.iter().zip(expected.as_flattened().as_flattened()) {
        assert!(found.abs_diff(*expected) <= 1, "{samples:?}");
    }
    // NC-114: one page of them, whatever it lies on
    let mut one = input();
    one["page"] = json!(1);
    one["pages"] = json!(1);
    let budget = Budget::new(Purse::new(1 << 20));
    let made = run(&budget, &pipeline(recorded(one, "raw")), &[&file]).expect("a page");
    assert_eq!(made.bytes, samples[12..24]);
    assert_eq!(facts(&file).expect("a header").delay, [7, 7, 7]);

    // NC-117: frames without alpha that cover the canvas leave nothing to be seen through
    let plain = |samples: &[u8]| written(samples, (samples.len() / 3, 1), 3, "webp");
    let file = animated(
        2,
        1,
        &[
            frame(0, 2, 1, &plain(&[1, 2, 3, 4, 5, 6])),
            frame(0, 2, 1, &plain(&[9; 6])),
        ],
    );
    assert_eq!(
        read(&file, 1 << 20).expect("two pages"),
        ([1, 2, 3, 4, 5, 6, 9, 9, 9, 9, 9, 9].to_vec(), 3)
    );
}

#[test]
fn inks_are_read_however_they_are_written() {
    // NC-117: Photoshop writes lightness, two colours and black
    use mozjpeg::ColorSpace::{JCS_CMYK, JCS_YCCK};
    let samples: Vec<u8> = (0..64u32 * 48)
        .flat_map(|i| [i % 64 * 4, i / 64 * 5, 90, 255 - i / 16].map(|v| v.to_le_bytes()[0]))
        .collect();
    let file = |space, is_progressive: bool, is_halved: bool| {
        let mut setup = mozjpeg::Compress::new(JCS_CMYK);
        setup.set_size(64, 48);
        setup.set_color_space(space);
        setup.set_quality(98.0);
        if is_progressive {
            setup.set_progressive_mode();
        }
        if !is_halved {
            for component in setup.components_mut() {
                (component.h_samp_factor, component.v_samp_factor) = (1, 1);
            }
        }
        let mut started = setup.start_compress(Vec::new()).expect("a beginning");
        started.write_scanlines(&samples).expect("rows");
        started.finish().expect("a file")
    };
    let plain = read(&file(JCS_CMYK, false, false), 64 << 20).expect("a picture");
    for (is_progressive, is_halved) in [(false, false), (true, false), (false, true), (true, true)]
    {
        let file = file(JCS_YCCK, is_progressive, is_halved);
        assert!(file.windows(5).any(|w| w == b"Adobe"));
        let mixed = read(&file, 64 << 20).expect("a picture");
        assert_eq!(mixed.1, 3);
        let sum: u32 = plain
            .0
            .iter()
            .zip(&mixed.0)
            .map(|(a, b)| u32::from(a.abs_diff(*b)))
            .sum();
        assert!(f64::from(sum) / 9216.0 < 3.0, "{sum}");
    }
}

#[test]
fn tiff_is_read_as_it_is_written() {
    // NC-112: without a choice, strips are JPEG
    let width = 40u32;
    for bands in [1usize, 3] {
        let samples: Vec<u8> = (0..width * 30)
            .flat_map(|i| {
                [i % width * 6, i / width * 8, 128]
                    .map(|v| v.to_le_bytes()[0])
                    .into_iter()
                    .take(bands)
            })
            .collect();
        let file = written(&samples, (40, 30), bands, "tiff");
        let found = facts(&file).expect("a header");
        assert_eq!(
            (found.width, found.height, usize::from(found.channels)),
            (40, 30, bands)
        );
        // Grey comes out as three equal samples.
        let (pixels, channels) = read(&file, 4 << 20).expect("a picture");
        let samples: Vec<u8> = samples
            .chunks(bands)
            .flat_map(|pixel| pixel.iter().cycle().take(3))
            .copied()
            .collect();
        assert_eq!((pixels.len(), channels), (samples.len(), 3));
        let sum: u32 = pixels
            .iter()
            .zip(&samples)
            .map(|(a, b)| u32::from(a.abs_diff(*b)))
            .sum();
        assert!(f64::from(sum) / (f64::from(width) * 30.0) < 9.0, "{sum}");
        assert_eq!(read(&file, 1 << 10).err(), Some(Error::OutOfMemory));
        damage(&file);
    }
}

/// NC-116: whatever is cut off or changed, an error at most.
fn damage(file: &[u8]) {
    for at in 0..file.len() {
        let _ = facts(&file[..at]);
        let _ = read(&file[..at], 4 << 20);
        for bits in [0x55, 0x80, 0xff] {
            let mut changed = file.to_vec();
            changed[at] ^= bits;
            let _ = facts(&changed);
            let _ = read(&changed, 4 << 20);
        }
    }
}

#[test]
fn damaged_animations_cost_an_error_at_most() {
    let still = |value: u8| written(&[value, 9, 9, 99].repeat(6), (3, 2), 4, "webp");
    let pixels = [3, 0, 1, 2, 3, 1];
    let mut gif = screen(4, 3);
    for disposal in 0..5 {
        page(&mut gif, disposal, Some(3), [1, 1, 3, 2], &pixels);
    }
    gif.push(0x3b);
    damage(&gif);
    // Frames of one row, of which the files have two: they differ from what is said of them, too.
    damage(&animated(
        9,
        9,
        &[frame(0, 3, 1, &still(7)), frame(2, 3, 0, &still(8))],
    ));
    damage(&animated(
        3,
        1,
        &[frame(0, 1, 1, &written(&[1, 2, 3], (1, 1), 3, "webp"))],
    ));
}
