//! Any specifier against any two `package.json` leads to a file of the bundle or to one of Node's errors. The
//! first line is the specifier, the second the function's own `package.json`, the rest that of a package `p`.
#![no_main]

use fourfront_hooks::bundle::{
    Bundle,
    resolve::{From, resolve},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut parts = text.splitn(3, '\n');
    let (Some(specifier), Some(own), Some(package)) = (parts.next(), parts.next(), parts.next())
    else {
        return;
    };
    let bundle = Bundle::from_files([
        ("package.json", own),
        ("index.js", ""),
        ("lib/x.mjs", ""),
        ("node_modules/p/package.json", package),
        ("node_modules/p/index.js", ""),
        ("node_modules/p/lib/a.js", ""),
        ("node_modules/@s/q/index.json", "{}"),
    ]);
    for from in [From::Require, From::Import] {
        for parent in ["/var/task/index.js", "/var/task/node_modules/p/index.js"] {
            match resolve(&bundle, specifier, parent, from) {
                Ok(found) => assert!(bundle.is_file(&found.path), "{}", found.path),
                Err(e) => assert!(!e.code.is_empty() && !e.message.is_empty()),
            }
        }
    }
});
