//! What functions ask for: what cannot be had is refused before it costs anything, and what takes long can be ended.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use fourfront_image::{
    Error,
    budget::{Budget, Host},
    metadata, run,
};
use serde_json::{Value, json};

use super::{budget, input, pipeline, recorded};

/// A picture of one colour, and what is to be done with it.
fn created(width: u32, height: u32, format: &str) -> Value {
    let mut from = input(None);
    from["create"] = json!({ "width": width, "height": height, "channels": 3, "background": [200, 100, 50, 255] });
    from["autoOrient"] = json!(false);
    recorded(from, format)
}

fn refused(steps: Value, bytes: usize) -> Error {
    let (purse, budget) = budget(bytes);
    let made = run(&budget, &pipeline(steps), &[]);
    assert_eq!(purse.left(), bytes, "all of it is given back");
    made.map(|m| m.info.size).expect_err("it is refused")
}

#[test]
fn what_making_a_picture_longer_takes_is_paid_for() {
    // NC-116: a row of 60 MB, and as much as 20 times that to work out where each of its pixels comes from
    let mut steps = created(1, 1, "raw");
    steps["resize"]["width"] = json!(20_000_000);
    steps["resize"]["height"] = json!(1);
    steps["resize"]["fit"] = json!("fill");
    assert_eq!(refused(steps, 256 << 20), Error::OutOfMemory);
    let mut steps = created(1, 1, "raw");
    steps["extend"] = json!({ "left": 20_000_000, "right": 0, "top": 0, "bottom": 0, "background": [0, 0, 0, 255], "with": "copy" });
    assert_eq!(refused(steps, 128 << 20), Error::OutOfMemory);
}

#[test]
fn numbers_that_only_a_changed_recording_has_are_refused() {
    // NC-116: JavaScript refuses them, and a function can change what JavaScript does
    let not_so = Error::Refused("fourfront: sharp: what is recorded is not supported".to_owned());
    let changes: [(&str, Value); 6] = [
        ("/median", json!(60_000)),
        ("/recomb", json!([1.0, 2.0])),
        ("/resize/width", json!(u32::MAX)),
        ("/input/create/channels", json!(200)),
        ("/output/gif/bitdepth", json!(16)),
        ("/output/jpeg/quality", json!(0)),
    ];
    for (at, value) in changes {
        let mut steps = created(10, 10, "png");
        *steps.pointer_mut(at).unwrap() = value;
        assert_eq!(refused(steps, 1 << 20), not_so, "{at}");
    }
    let mut steps = created(10, 10, "png");
    steps["extend"] = json!({ "left": u32::MAX, "right": 0, "top": 0, "bottom": 0, "background": [0, 0, 0, 255], "with": "copy" });
    assert_eq!(refused(steps, 1 << 20), not_so);
}

#[test]
fn what_a_format_has_no_room_for_is_refused_before_it_is_made() {
    // NC-115
    for (format, name, side) in [
        ("webp", "WebP", 16_384),
        ("jpeg", "JPEG", 65_536),
        ("gif", "GIF", 65_536),
    ] {
        let mut steps = created(10, 10, format);
        steps["resize"]["width"] = json!(side);
        let told = format!("Processed image is too large for the {name} format");
        assert_eq!(refused(steps, 1 << 20), Error::Refused(told));
    }
    // What is cut afterwards is not too large.
    let mut steps = created(10, 10, "webp");
    steps["resize"]["width"] = json!(20_000);
    steps["resize"]["height"] = json!(1);
    steps["resize"]["fit"] = json!("fill");
    steps["extractAfter"] = json!({ "left": 0, "top": 0, "width": 10, "height": 1 });
    let (_, budget) = budget(64 << 20);
    let made = run(&budget, &pipeline(steps), &[]).unwrap();
    assert_eq!((made.info.width, made.info.height), (10, 1));
}

/// Somebody who leaves after so many looks.
struct Impatient(AtomicUsize);

impl Host for Impatient {
    fn reserve(&self, _: usize) -> bool {
        true
    }

    fn release(&self, _: usize) {}

    fn is_cancelled(&self) -> bool {
        self.0.fetch_sub(1, Ordering::Relaxed) == 1
    }
}

#[test]
fn long_rows_are_looked_up_from_as_tall_pictures_are() {
    // NC-116: one row, and work of minutes in it
    let changes: [(&str, Value); 3] = [
        ("blur", json!({ "sigma": 1000.0, "minAmplitude": 0.01 })),
        (
            "sharpen",
            json!({ "sigma": 10.0, "m1": 1.0, "m2": 2.0, "x1": 2.0, "y2": 10.0, "y3": 20.0 }),
        ),
        ("rotation", json!(0.001)),
    ];
    for (step, how) in changes {
        let mut steps = created(3_000_000, 1, "raw");
        steps[step] = how;
        let budget = Budget::new(Arc::new(Impatient(AtomicUsize::new(30))));
        let made = run(&budget, &pipeline(steps), &[]);
        assert_eq!(made.map(|m| m.info.size), Err(Error::Cancelled), "{step}");
    }
    let mut steps = created(200_000, 1, "raw");
    steps["median"] = json!(1000);
    assert_eq!(
        refused(steps, 16 << 20),
        Error::Refused("rank: window too large".to_owned())
    );
}

/// Two pages of two rows: red above, then green above, black below each.
fn animation() -> Vec<u8> {
    let mut bytes = Vec::new();
    let palette = [0, 0, 0, 255, 0, 0, 0, 255, 0];
    let mut encoder = gif::Encoder::new(&mut bytes, 3, 2, &palette).expect("an encoder");
    for colour in [1, 2] {
        let frame = gif::Frame {
            width: 3,
            height: 2,
            delay: 10,
            buffer: vec![colour, colour, colour, 0, 0, 0].into(),
            ..gif::Frame::default()
        };
        encoder.write_frame(&frame).expect("a frame");
    }
    drop(encoder);
    bytes
}

fn of_animation(change: impl FnOnce(&mut Value)) -> Vec<[u8; 3]> {
    let mut steps = recorded(input(Some(0)), "raw");
    change(&mut steps);
    let (_, budget) = budget(1 << 20);
    let made = run(&budget, &pipeline(steps), &[&animation()]).expect("a picture");
    assert_eq!(made.info.channels, 3);
    let rows = made.bytes.chunks_exact(made.info.width * 3);
    rows.map(|row| [row[0], row[1], row[2]]).collect()
}

#[test]
fn pages_are_changed_as_one_tall_picture() {
    // NC-110, NC-117: as the package does, whose pages lie below each other
    let (red, green, black) = ([255, 0, 0], [0, 255, 0], [0; 3]);
    assert_eq!(of_animation(|_| {}), [red, black, green, black]);
    assert_eq!(
        of_animation(|steps| steps["flip"] = json!(true)),
        [black, green, black, red]
    );
    // From black to the lightest of all pages: red alone would become lighter.
    let stretched = of_animation(|steps| steps["normalise"] = json!([0.0, 100.0]));
    assert!(stretched[0][1] < 100, "{stretched:?}");
}

#[test]
fn edges_that_are_copied_need_no_colour() {
    // NC-117: a transparent background that is not used makes nothing transparent
    let mut steps = created(2, 2, "raw");
    steps["extend"] = json!({ "left": 1, "right": 0, "top": 0, "bottom": 0, "background": [0, 0, 0, 0], "with": "mirror" });
    let (_, budget) = budget(1 << 20);
    let made = run(&budget, &pipeline(steps), &[]).unwrap();
    assert_eq!((made.info.width, made.info.channels), (3, 3));
}

/// A PNG file of one pixel, with a text that is packed.
fn with_text(length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 1, 1);
    encoder.set_color(png::ColorType::Grayscale);
    let mut writer = encoder.write_header().expect("a header");
    let mut text = png::text_metadata::ITXtChunk::new("XML:com.adobe.xmp", "x".repeat(length));
    text.compressed = true;
    writer.write_text_chunk(&text).expect("a text");
    writer.write_image_data(&[7]).expect("a pixel");
    drop(writer);
    bytes
}

#[test]
fn packed_texts_are_unpacked_to_what_a_text_may_be() {
    // NC-113, NC-116: 64 MB in less than one
    let facts = |bytes: &[u8]| {
        let (_, budget) = budget(8 << 20);
        let from = serde_json::from_value(input(Some(0))).unwrap();
        metadata(&budget, &from, &[bytes]).unwrap()
    };
    assert_eq!(facts(&with_text(1000)).xmp.map(|x| x.len()), Some(1000));
    let bomb = with_text(64 << 20);
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    assert_eq!(facts(&bomb).xmp, None);
}

#[test]
fn formats_without_pages_have_one_whichever_is_asked_for() {
    // NC-117
    let mut from = input(Some(0));
    from["page"] = json!(1);
    from["pages"] = json!(2);
    let (_, budget) = budget(1 << 20);
    let made = run(
        &budget,
        &pipeline(recorded(from.clone(), "raw")),
        &[&with_text(1)],
    )
    .unwrap();
    assert_eq!((made.info.width, made.info.pages), (1, None));
    // Nor more samples of a pixel than may be.
    let mut file = created(1, 1, "png");
    file["output"]["format"] = json!("png");
    let png = run(&budget, &pipeline(file), &[]).unwrap().bytes;
    from["limitInputChannels"] = json!(1);
    let made = run(&budget, &pipeline(recorded(from, "raw")), &[&png]);
    assert_eq!(made.map(|m| m.info.size), Err(Error::ChannelLimit));
}
