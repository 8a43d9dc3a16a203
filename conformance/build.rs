//! One linker flag for everything of this package that links Pingora and the engine together.
//!
//! Both bring the `brotli` crate, in two major versions, with its C interface switched on, and the C
//! interface exports the same unmangled names from both. Nothing calls those names: the Rust code of each
//! version calls its own mangled ones. So the linker may keep either definition.
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo::rustc-link-arg=-Wl,-z,muldefs");
    }
}
