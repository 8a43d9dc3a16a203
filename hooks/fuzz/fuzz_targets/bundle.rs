//! Any bytes are a bundle or are refused, and what a bundle holds lies below its root.
#![no_main]

use fourfront_hooks::bundle::{Bundle, Look, TASK_ROOT};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(bundle) = Bundle::from_zip(data) else {
        return;
    };
    let below = format!("{TASK_ROOT}/");
    for (path, bytes) in bundle.files() {
        assert!(path.starts_with(&below), "{path}");
        assert!(path.split('/').all(|part| part != ".."), "{path}");
        let Some(Look::File(length, _)) = bundle.look(path) else {
            panic!("{path} is no file");
        };
        assert_eq!(length, bytes.len() as u64);
    }
    let mut open = vec![TASK_ROOT.to_owned()];
    while let Some(dir) = open.pop() {
        for name in bundle.list(&dir) {
            let path = format!("{dir}/{name}");
            match bundle.look(&path) {
                Some(Look::Dir) => open.push(path),
                // It may lead nowhere, but not out of the tree.
                Some(Look::Link) => {
                    let real = bundle.real_path(&path);
                    assert!(real.is_none_or(|r| bundle.look(&r).is_some()), "{path}");
                }
                Some(Look::File(..)) => {}
                None => panic!("{path} is listed and not there"),
            }
        }
    }
});
