//! The module `sharp`, as functions see it. What its pictures look like, `conformance/sharp` compares with the npm package.

use std::time::Duration;

use fourfront_hooks::{ExecutionFault, log::LogLevel};
use fourfront_model::Compat;
use serde_json::{Value, json};

use super::harness::{Tried, js, load, load_as, value};

/// A picture to begin with, and a handler around what is done with it.
fn with_picture(code: &str) -> String {
    format!(
        "const sharp = require('sharp');
         const red = {{ create: {{ width: 320, height: 200, channels: 3, background: 'red' }} }};
         const clear = {{ create: {{ width: 40, height: 20, channels: 4, background: {{ r: 0, g: 255, b: 0, alpha: 0.5 }} }} }};
         const thrown = (act) => {{ try {{ act(); return 'nothing' }} catch (e) {{ return e.message }} }};
         const rejected = (promise) => promise.then(() => 'nothing', (e) => e.message);
         const pixel = async (instance, x, y) => {{
             const {{ data, info }} = await instance.raw().toBuffer({{ resolveWithObject: true }});
             const at = (y * info.width + x) * info.channels;
             return [...data.subarray(at, at + info.channels)];
         }};
         const size = async (instance) => {{ const {{ info }} = await instance.toBuffer({{ resolveWithObject: true }}); return [info.width, info.height] }};
         exports.handler = async (event, context) => {{ {code} }};"
    )
}

async fn seen(code: &str) -> Value {
    js(&with_picture(code)).ok(Value::Null).await
}

#[tokio::test]
async fn it_is_there_for_both_kinds_of_modules_and_no_part_of_node() {
    // NC-70
    let common = "(() => { const sharp = require('sharp'); const { builtinModules, isBuiltin } = require('module');
        return [typeof sharp, sharp === require('sharp'), builtinModules.includes('sharp'), isBuiltin('sharp'), typeof sharp.versions.sharp] })()";
    assert_eq!(
        value(common).await,
        json!(["function", true, false, false, "string"])
    );
    let f = load(&[
        (
            "index.mjs",
            "import sharp from 'sharp'; import { createRequire } from 'module';
             export const handler = async () => [typeof sharp, sharp === createRequire(import.meta.url)('sharp'), sharp === (await import('sharp')).default];",
        ),
    ])
    .unwrap();
    assert_eq!(f.ok(Value::Null).await, json!(["function", true, true]));
}

#[tokio::test]
async fn a_copy_in_the_bundle_is_left_alone_with_one_line() {
    // NC-70, NC-92
    let f = load(&[
        (
            "index.js",
            "const a = require('sharp'), b = require('sharp');
             const why = (name) => { try { return require(name) } catch (e) { return [e.code, e.message] } };
             exports.handler = async () => [a === b, a.own === undefined, why('@img/sharp-linux-x64/sharp.node')];",
        ),
        ("node_modules/sharp/index.js", "exports.own = true;"),
        ("node_modules/@img/sharp-linux-x64/sharp.node", "native"),
    ])
    .unwrap();
    let told = f.ok(Value::Null).await;
    assert_eq!(
        (&told[0], &told[1], &told[2][0]),
        (&json!(true), &json!(true), &json!("ERR_DLOPEN_FAILED"))
    );
    let message = told[2][1].as_str().unwrap();
    assert!(
        message.ends_with("@img/sharp-linux-x64; require('sharp') gives the built-in one"),
        "{message}"
    );
    let logs = f.logs();
    let told: Vec<_> = logs.iter().filter(|(_, t)| t.contains("NC-70")).collect();
    assert!(told.len() == 1 && told[0].0 == LogLevel::Warn, "{logs:?}");
}

#[tokio::test]
async fn calls_record_and_their_order_is_the_modules() {
    // NC-110
    let told = seen(
        "const one = sharp(red).resize(100);
         const two = one.clone().resize(50).png();
         const extracted = sharp(red).extract({ left: 0, top: 0, width: 100, height: 50 }).resize(20);
         const after = sharp(red).resize(100).extract({ left: 10, top: 10, width: 30, height: 20 });
         return [await size(one.png()), await size(two), await size(one), await size(extracted.png()), await size(after.png()),
             await size(sharp(red).rotate(90).resize(100).png()), await size(sharp(red).resize(100).rotate(90).png())];",
    )
    .await;
    assert_eq!(
        told,
        json!([
            [100, 63],
            [50, 31],
            [100, 63],
            [20, 10],
            [30, 20],
            [100, 160],
            [63, 100]
        ])
    );
}

#[tokio::test]
async fn what_is_asked_for_is_what_was_recorded_by_then() {
    // NC-110: an instance that goes on being used while its pictures are made
    let told = seen(
        "const image = sharp(red);
         const made = [10, 20, 30].map((width) => image.resize(width).png().toBuffer({ resolveWithObject: true }));
         image.extract({ left: 0, top: 0, width: 1, height: 1 });
         return (await Promise.all(made)).map(({ info }) => info.width)",
    )
    .await;
    assert_eq!(told, json!([10, 20, 30]));
}

#[tokio::test]
async fn a_recording_that_a_function_changes_is_refused() {
    // NC-116: what JavaScript's own objects do is the function's to change, and what costs too much is refused all the same
    let told = seen(
        "const stringify = JSON.stringify;
         JSON.stringify = (value) => stringify({ ...value, median: 60000 });
         const whole = await size(sharp(red).resize(10).png());
         JSON.stringify = stringify;
         Object.prototype.toJSON = function () { return this.median === 0 ? { ...this, median: 60000, toJSON: undefined } : this };
         const changed = await rejected(sharp(red).resize(10).png().toBuffer());
         delete Object.prototype.toJSON;
         return [whole, changed]",
    )
    .await;
    assert_eq!(
        told,
        json!([
            [10, 6],
            "fourfront: sharp: what is recorded is not supported"
        ])
    );
}

#[tokio::test]
async fn pictures_are_made_to_fit() {
    // NC-111
    let told = seen(
        "const to = (width, height, fit, more) => size(sharp(red).resize({ width, height, fit, ...more }).png());
         const mixed = await sharp(red).composite([{ input: { create: { width: 10, height: 200, channels: 3, background: '#00f' } }, left: 0, top: 0 }]).png().toBuffer();
         return [await to(100, 100, 'cover'), await to(100, 100, 'contain'), await to(100, 100, 'fill'), await to(100, 100, 'inside'),
             await to(100, 100, 'outside'), await to(640, undefined, 'cover', { withoutEnlargement: true }), await to(10, undefined, 'cover', { withoutReduction: true }),
             await size(sharp(red).resize(null, 33).png()), await pixel(sharp(mixed).resize(100, 100, { position: 'left' }), 0, 50),
             await pixel(sharp(mixed).resize(100, 100, { position: 'right' }), 0, 50),
             await pixel(sharp(red).resize({ width: 50, height: 50, fit: 'contain', background: { r: 0, g: 255, b: 0, alpha: 1 } }), 0, 0)];",
    )
    .await;
    let sizes = json!([
        [100, 100],
        [100, 100],
        [100, 100],
        [100, 63],
        [160, 100],
        [320, 200],
        [10, 200],
        [53, 33]
    ]);
    assert_eq!(told.as_array().unwrap()[..8], *sizes.as_array().unwrap());
    assert_eq!(
        (&told[9], &told[10]),
        (&json!([255, 0, 0, 255]), &json!([0, 255, 0]))
    );
    assert!(told[8][2].as_u64() > Some(200), "{told}");

    let f = js(&with_picture(
        "return (await sharp(red).resize(50, 50, { position: sharp.strategy.attention }).png().toBuffer({ resolveWithObject: true })).info.cropOffsetLeft",
    ));
    assert_eq!(f.ok(Value::Null).await, json!(-15));
    let logs = f.logs();
    assert!(
        logs.len() == 1 && logs[0].1.contains("'attention'"),
        "{logs:?}"
    );
}

#[tokio::test]
async fn formats_are_kept_or_changed() {
    // NC-112
    let told = seen(
        "const format = async (buffer) => (await sharp(await buffer).metadata()).format;
         const webp = await sharp(red).webp().toBuffer();
         return [await format(sharp(webp).resize(10).toBuffer()), await format(sharp(webp).toFormat('jpg').toBuffer()), await format(sharp(webp).toFormat(sharp.format.png).toBuffer()),
             await format(sharp(webp).jpeg({ force: false }).toBuffer()), await pixel(sharp(await sharp(clear).jpeg({ quality: 100 }).toBuffer()), 5, 5),
             (await sharp(red).avif({ effort: 0 }).toBuffer()).toString('latin1', 4, 12), (await sharp(red).tiff().toBuffer()).toString('latin1', 0, 2), await format(sharp(red).gif().toBuffer()), await format(sharp(red).tiff({ compression: 'lzw' }).toBuffer()),
             thrown(() => sharp(red).toFormat('bmp')), thrown(() => sharp(red).jpeg({ quality: 101 })), thrown(() => sharp(red).webp({ quality: 1.5 }))];",
    )
    .await;
    assert_eq!(
        told.as_array().unwrap()[..4],
        ["webp", "jpeg", "png", "webp"]
    );
    let flat: Vec<u64> = told[4]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_u64)
        .collect();
    assert!(
        flat[0] < 8 && (122..134).contains(&flat[1]) && flat[2] < 8,
        "{flat:?}"
    );
    assert_eq!(
        told.as_array().unwrap()[5..9],
        ["ftypavif", "II", "gif", "tiff"]
    );
    assert_eq!(
        told.as_array().unwrap()[9..],
        [
            "Expected one of: heic, heif, avif, jpeg, jpg, jpe, tile, dz, png, raw, tiff, tif, webp, gif, jp2, jpx, j2k, j2c, jxl for format but received bmp of type string",
            "Expected integer between 1 and 100 for quality but received 101 of type number",
            "Expected integer between 1 and 100 for quality but received 1.5 of type number",
        ]
    );
}

#[tokio::test]
async fn what_is_told_of_pictures() {
    // NC-113, NC-114
    let told = seen(
        "const { data, info } = await sharp(clear).png().toBuffer({ resolveWithObject: true });
         const jpeg = await sharp(red).jpeg().withMetadata({ orientation: 6, density: 144 }).toBuffer();
         const { exif, icc, ...facts } = await sharp(jpeg).metadata();
         const upright = await sharp(jpeg).rotate().resize(100).withMetadata().toBuffer();
         const of = async (buffer) => { const m = await sharp(buffer).metadata(); return [m.width, m.height, m.orientation ?? null, m.exif === undefined, m.hasProfile] };
         const called = await new Promise((resolve) => sharp(clear).png().toBuffer((error, data, info) => resolve([error, Buffer.isBuffer(data), info.format])));
         return [Buffer.isBuffer(data), info, facts, Buffer.isBuffer(exif), Buffer.isBuffer(icc), await of(upright), await of(await sharp(jpeg).toBuffer()), called,
             (await sharp(red).stats()).dominant, data.length === info.size];",
    )
    .await;
    assert_eq!(told[0], true);
    let info = &told[1];
    assert_eq!(
        (
            &info["format"],
            &info["width"],
            &info["height"],
            &info["channels"],
            &info["premultiplied"]
        ),
        (
            &json!("png"),
            &json!(40),
            &json!(20),
            &json!(4),
            &json!(false)
        )
    );
    let facts = &told[2];
    let wanted = json!({
        "format": "jpeg", "width": 320, "height": 200, "space": "srgb", "channels": 3, "depth": "uchar", "density": 144, "orientation": 6,
        "chromaSubsampling": "4:2:0", "isProgressive": false, "hasProfile": true, "hasAlpha": false, "autoOrient": { "width": 200, "height": 320 },
    });
    for (name, value) in wanted.as_object().unwrap() {
        assert_eq!(&facts[name], value, "{name}");
    }
    assert_eq!((&told[3], &told[4]), (&json!(true), &json!(true)));
    assert_eq!(told[5], json!([100, 160, 1, false, true]));
    assert_eq!(told[6], json!([320, 200, null, true, false]));
    assert_eq!(told[7], json!([null, true, "png"]));
    assert_eq!(
        (&told[8], &told[9]),
        (&json!({ "r": 248, "g": 8, "b": 8 }), &json!(true))
    );
}

#[tokio::test]
async fn animations_stay_animated_only_when_asked_for() {
    // NC-114: two pages, made of a GIF that is written by hand
    let told = seen(
        "const frame = (index, delay) => [0x21, 0xf9, 4, 0, delay, 0, 0, 0, 0x2c, 0, 0, 0, 0, 2, 0, 2, 0, 0, 2, 3, ...(index ? [0x8c, 0x4d, 0x05] : [0x84, 0x41, 0x05]), 0];
         const gif = Buffer.from([...Buffer.from('GIF89a'), 2, 0, 2, 0, 0x80, 0, 0, 0, 0, 0, 255, 255, 255, 0x21, 0xff, 11, ...Buffer.from('NETSCAPE2.0'), 3, 1, 0, 0, 0,
             ...frame(0, 5), ...frame(1, 7), 0x3b]);
         const of = async (buffer) => { const m = await sharp(buffer, { animated: true }).metadata(); return [m.format, m.width, m.pages ?? 1, m.delay ?? null, m.loop ?? null] };
         const info = (await sharp(gif, { animated: true }).resize(4).webp().toBuffer({ resolveWithObject: true })).info;
         return [await of(gif), await of(await sharp(gif, { animated: true }).resize(4).webp({ lossless: true }).toBuffer()), await of(await sharp(gif).resize(4).webp().toBuffer()),
             await of(await sharp(gif, { animated: true }).gif({ loop: 3, delay: [10, 20] }).toBuffer()), [info.pages, info.pageHeight, info.height]];",
    )
    .await;
    assert_eq!(told[0], json!(["gif", 2, 2, [50, 70], 0]), "{told}");
    assert_eq!(told[1], json!(["webp", 4, 2, [50, 70], 0]), "{told}");
    assert_eq!(told[2], json!(["webp", 4, 1, null, null]), "{told}");
    assert_eq!(told[3], json!(["gif", 2, 2, [10, 20], 3]), "{told}");
    assert_eq!(told[4], json!([2, 4, 8]), "{told}");
}

#[tokio::test]
async fn errors_have_the_words_of_the_package() {
    // NC-115, NC-97
    let f = js(&with_picture(
        "try { sharp(red).resize('wide') } catch (e) { return e.message }",
    ));
    assert_eq!(
        f.ok(Value::Null).await,
        "Expected positive integer between 1 and 100000000 for width but received wide of type string"
    );
    let told = seen(
        "const png = await sharp(red).png().toBuffer();
         return [thrown(() => sharp(Buffer.alloc(0))), await rejected(sharp(Buffer.from('no picture')).metadata()), await rejected(sharp(png, { limitInputPixels: 10 }).toBuffer()),
             await rejected(sharp(png).extract({ left: 300, top: 0, width: 100, height: 10 }).toBuffer()), thrown(() => sharp(png).resize(0)), thrown(() => sharp(png).resize(10, 10, { fit: 'tight' })),
             thrown(() => sharp(undefined)), thrown(() => sharp(png).affine([1, 0, 0, 1])), thrown(() => sharp(png).pipe()), await rejected(sharp(Buffer.from('<svg/>')).png().toBuffer())];",
    )
    .await;
    assert_eq!(
        told,
        json!([
            "Input Buffer is empty",
            "Input buffer contains unsupported image format",
            "Input image exceeds pixel limit",
            "extract_area: bad extract area",
            "Expected positive integer between 1 and 100000000 for width but received 0 of type number",
            "Expected valid fit for fit but received tight of type string",
            "Invalid input",
            "fourfront: sharp.affine is not supported",
            "fourfront: sharp.pipe is not supported",
            "Input buffer contains unsupported image format",
        ])
    );
}

#[tokio::test]
async fn settings_from_before_version_0_22_work() {
    // NC-111
    let told = seen(
        "return [await size(sharp(red).resize(100, 100).max().png()), await size(sharp(red).resize(100, 100).min().png()), await size(sharp(red).resize(100, 100).embed().png()),
             await size(sharp(red).resize(100, 100).crop(sharp.gravity.north).png()), await size(sharp(red).resize(640).withoutEnlargement().png()), await size(sharp(red).resize(100, 100).ignoreAspectRatio().png())];",
    )
    .await;
    assert_eq!(
        told,
        json!([
            [100, 63],
            [160, 100],
            [100, 100],
            [100, 100],
            [320, 200],
            [100, 100]
        ])
    );
}

#[tokio::test]
async fn pictures_take_the_functions_memory_and_no_more() {
    // NC-116, LE-264: 300 MB of pixels for a function that may have 128, before any of them is there; and 40 pictures one after
    // the other that fit only because each gives back what it had
    let f = js(&with_picture(
        "return (await sharp({ create: { width: 10000, height: 10000, channels: 3, background: 'red' } }).png().toBuffer()).length",
    ));
    let fault = f.fault().await;
    assert!(
        matches!(fault, ExecutionFault::OutOfMemory { limit_mb: 128 }),
        "{fault:?}"
    );
    let f = load_as(
        &[(
            "index.js",
            &with_picture(
                "let total = 0;
                 for (let i = 0; i < 40; i++) total += (await sharp({ create: { width: 2000, height: 1500, channels: 3, background: 'red' } }).raw().toBuffer()).length;
                 return total",
            ),
        )],
        Compat::Strict,
        |f| f.timeout = Some(Duration::from_secs(20)),
    )
    .unwrap();
    assert_eq!(f.ok(Value::Null).await, json!(40 * 2000 * 1500 * 3));
}

/// A call that runs out of its time, and then a picture of another function.
async fn assert_others_need_not_wait_for(f: &Tried) {
    let fault = f.fault().await;
    assert!(matches!(fault, ExecutionFault::Timeout { .. }), "{fault:?}");
    assert_eq!(
        seen("return size(sharp(red).resize(10).png())").await,
        json!([10, 6])
    );
}

#[tokio::test]
async fn pictures_end_with_the_call_that_asked_for_them() {
    // NC-116, LE-250: what would take minutes is given up, and the threads are there for others
    let mut f = js(&with_picture(
        "const wide = { create: { width: 3000, height: 2500, channels: 3, background: 'red' } };
         await Promise.all(Array.from({ length: 8 }, () => sharp(wide).median(99).raw().toBuffer()));",
    ));
    f.timeout = Duration::from_millis(300);
    assert_others_need_not_wait_for(&f).await;
}

#[tokio::test]
async fn pictures_that_cannot_be_ended_keep_only_their_own_function_waiting() {
    // NC-116, LE-250: an encoder of AVIF is at each of these for far longer than the other function may wait
    let mut f = load_as(
        &[(
            "index.js",
            &with_picture(
                "const noise = { raw: { width: 1200, height: 1000, channels: 3 } };
                 const bytes = require('crypto').randomBytes(1200 * 1000 * 3);
                 await Promise.all(Array.from({ length: 8 }, () => sharp(bytes, noise).avif({ effort: 9, quality: 90 }).toBuffer()));",
            ),
        )],
        Compat::Strict,
        |f| f.memory_mb = Some(1024),
    )
    .unwrap();
    f.timeout = Duration::from_secs(2);
    assert_others_need_not_wait_for(&f).await;
}

#[tokio::test]
async fn the_bytes_of_a_picture_are_those_of_the_call() {
    // NC-116: JavaScript writes over its buffer while the picture is being made
    let told = seen(
        "const png = await sharp(red).png().toBuffer();
         const made = sharp(png).resize(20).raw().toBuffer();
         const later = made.then((data) => [...data.subarray(0, 3)]);
         await Promise.resolve();
         await new Promise(setImmediate);
         png.fill(0);
         return later;",
    )
    .await;
    assert_eq!(told, json!([255, 0, 0]));
}
