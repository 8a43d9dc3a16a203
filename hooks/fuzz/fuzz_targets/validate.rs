//! No result makes the validator panic, whatever was shown. A NUL parts message and result.
#![no_main]

use fourfront_hooks::validate::{Input, validate};
use fourfront_hooks_fuzz::Message;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(nul) = data.iter().position(|b| *b == 0) else {
        return;
    };
    let Some(message) = Message::read(&data[..nul]) else {
        return;
    };
    let input = Input {
        response: Some(message.response()),
        ..Input::new(message.event_type, message.request())
    };
    if let Err(violation) = validate(&input, &data[nul + 1..]) {
        assert!(violation.to_string().starts_with("LE-"));
    }
});
