//! Pictures of the module `sharp`: made by `fourfront-image` on threads of their own (NC-116).
//!
//! A picture takes longer than an operation may (LE-352), and its decoder is not interrupted by V8. So it is handed to a
//! few threads, as many as the machine has cores, which give way to those that serve. What it needs of memory is taken from
//! the function's account before it is used (LE-264), and when the call that asked is over (LE-250), the work ends at its
//! next look. [`threads`] says whose turn it is, and what becomes of work that has no look for long.

mod threads;

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::Arc,
};

use deno_core::{JsBuffer, OpState, ToJsBuffer, op2, v8};
use deno_error::JsErrorBox;
use fourfront_image::{
    Error, Pipeline,
    budget::{Budget, Host},
    pipeline::Input,
};
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use self::threads::{Ticket, Work};
use super::{
    limits::{Held, Limits},
    memory,
    ops::Shared,
};

/// What is asked for, by the numbers that `js/sharp.js` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Run,
    Metadata,
    Stats,
}

/// Facts as JSON, blocks of bytes, and lines for the log.
type Answer = (String, Vec<ToJsBuffer>, Vec<String>);

/// The function's account, while a picture is made for it.
struct Account {
    limits: Arc<Limits>,
    work: Arc<Work>,
}

impl Host for Account {
    fn reserve(&self, bytes: usize) -> bool {
        self.limits.reserve(bytes)
    }

    fn release(&self, bytes: usize) {
        self.limits.release(bytes);
    }

    fn is_cancelled(&self) -> bool {
        self.work.is_over() || self.limits.fault().is_some()
    }
}

/// Bytes that were handed over, as they were then: JavaScript may change its own meanwhile.
struct Copied {
    buffers: Vec<Vec<u8>>,
    _held: Held,
}

/// Makes a picture, or tells facts about one. `is_last` says that there will be no other try: where the memory does not
/// suffice, the function is ended.
#[op2]
#[serde]
pub(super) fn op_ff_image(
    isolate: &mut v8::Isolate,
    state: Rc<RefCell<OpState>>,
    #[smi] question: u32,
    #[string] recorded: String,
    #[serde] buffers: Vec<JsBuffer>,
    is_last: bool,
) -> Result<impl Future<Output = Result<Answer, JsErrorBox>> + use<>, JsErrorBox> {
    let (limits, whose) = {
        let state = state.borrow();
        let shared = state.borrow::<Rc<Shared>>();
        let function = &shared.program.function;
        let whose = format!("{}@{}", function.name.as_str(), function.version.0);
        (shared.limits.clone(), whose)
    };
    let question = match question {
        0 => Question::Run,
        1 => Question::Metadata,
        _ => Question::Stats,
    };
    let size = buffers.iter().map(|b| b.len()).sum();
    let copied = Copied {
        _held: memory::hold(isolate, &limits, size)?,
        buffers: buffers.iter().map(|b| b.to_vec()).collect(),
    };
    let work = Work::new(whose);
    let account = Account {
        limits: limits.clone(),
        work: work.clone(),
    };
    let (tell, told) = oneshot::channel();
    let at_work = work.clone();
    let job = move || {
        let budget = Budget::new(Arc::new(account));
        // A decoder that panics is a picture that does not decode.
        let answer = catch_unwind(AssertUnwindSafe(|| {
            answer(question, &recorded, &copied, &budget)
        }))
        .unwrap_or_else(|_| {
            Err(Error::CorruptData(
                "the picture cannot be decoded".to_owned(),
            ))
        });
        // Before the answer, so that its memory is back when it is there.
        drop(copied);
        at_work.done();
        let _ = tell.send(answer);
    };
    let ticket: Ticket = threads::all()
        .take(work, job)
        .map_err(|e| JsErrorBox::generic(format!("fourfront: no thread for pictures: {e}")))?;
    Ok(async move {
        let answered = told.await;
        drop(ticket);
        match answered {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Error::OutOfMemory)) => {
                if is_last {
                    limits.run_out_of_memory();
                }
                Err(memory::used_up())
            }
            Ok(Err(error)) => Err(JsErrorBox::generic(error.to_string())),
            Err(_) => Err(JsErrorBox::generic("the picture cannot be decoded")),
        }
    })
}

fn answer(
    question: Question,
    recorded: &str,
    copied: &Copied,
    budget: &Budget,
) -> Result<Answer, Error> {
    let buffers: Vec<&[u8]> = copied.buffers.iter().map(|b| &b[..]).collect();
    Ok(match question {
        Question::Run => {
            let made = fourfront_image::run(budget, &read::<Pipeline>(recorded)?, &buffers)?;
            (json(&made.info)?, vec![made.bytes.into()], made.warnings)
        }
        Question::Metadata => {
            let facts = fourfront_image::metadata(budget, &read::<Input>(recorded)?, &buffers)?;
            let told = json(&facts)?;
            let blocks = [facts.exif, facts.icc, facts.iptc, facts.xmp];
            let blocks = blocks.map(|b| b.unwrap_or_default().into());
            (told, blocks.into(), Vec::new())
        }
        Question::Stats => {
            let stats = fourfront_image::stats(budget, &read::<Input>(recorded)?, &buffers)?;
            (json(&stats)?, Vec::new(), Vec::new())
        }
    })
}

/// What JavaScript has recorded. It checks what functions say; what it misses is refused here.
fn read<T: DeserializeOwned>(recorded: &str) -> Result<T, Error> {
    serde_json::from_str(recorded).map_err(|e| Error::CorruptData(format!("fourfront: sharp: {e}")))
}

fn json(facts: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(facts).map_err(|e| Error::CorruptData(format!("fourfront: sharp: {e}")))
}
