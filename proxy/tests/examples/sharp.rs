//! The module `sharp` beside the package that it stands for: what handlers do with it, on images of every kind, comes out as
//! near as `conformance/sharp/bars.json` says (NC-111 to NC-114, NC-117). `make sharp` has all of them; here is a selection.

use std::{path::Path, process::Command};

use crate::program::root;

/// Names in `conformance/sharp`: what each is about stands there.
const IMAGES: [&str; 14] = [
    "odd-420.jpg",
    "orientation-6.jpg",
    "display-p3.jpg",
    "cmyk.jpg",
    "ycck.jpg",
    "truncated.jpg",
    "rgba.png",
    "rgb16.png",
    "animated.gif",
    "animated.webp",
    "disposed.gif",
    "disposed.webp",
    "jpeg.tiff",
    "alpha.webp",
];

#[test]
fn pictures_come_out_as_those_of_the_package() {
    // NC-111, NC-112, NC-113, NC-114, NC-115, NC-117
    let ran = Command::new(root().join("scripts/sharp.sh"))
        .arg("--program")
        .arg(Path::new(env!("CARGO_BIN_EXE_fourfront")))
        .args(IMAGES)
        .output()
        .expect("a shell");
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success() && told.contains("S0: "),
        "{told}\n{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}
