//! Pictures of the module `sharp`: made by `fourfront-image` on threads of their own (NC-116).
//!
//! A picture takes longer than an operation may (LE-352), and its decoder is not interrupted by V8. So it is handed to a
//! few threads, as many as the machine has cores, which give way to those that serve. What it needs of memory is taken from
//! the function's account before it is used (LE-264), and when the call that asked is over (LE-250), the work ends at its
//! next look. Functions take turns: one with a hundred pictures does not keep the next one waiting for them all.

use std::{
    cell::RefCell,
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::{
        Arc, Condvar, LazyLock, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
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

use super::{
    Priority,
    limits::{Held, Limits},
    memory,
    ops::Shared,
};

/// What decoders may need of a stack.
const STACK: usize = 4 << 20;
/// Steps by which the threads give way to those that serve. With fewer, six pictures at a time on two cores had CloudFront
/// Functions wait for longer than they may take (LE-437).
const NICE: i32 = 15;

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
    /// Whether the call that waited is gone.
    is_over: AtomicBool,
}

impl Host for Account {
    fn reserve(&self, bytes: usize) -> bool {
        self.limits.reserve(bytes)
    }

    fn release(&self, bytes: usize) {
        self.limits.release(bytes);
    }

    fn is_cancelled(&self) -> bool {
        self.is_over.load(Ordering::Relaxed) || self.limits.fault().is_some()
    }
}

/// Ends the work when nobody waits for it any more.
struct Waiting(Arc<Account>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
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
    let account = Arc::new(Account {
        limits: limits.clone(),
        is_over: AtomicBool::new(false),
    });
    let waiting = Waiting(account.clone());
    let (tell, told) = oneshot::channel();
    let job: Job = Box::new(move || {
        let budget = Budget::new(account);
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
        let _ = tell.send(answer);
    });
    THREADS
        .take(whose, job)
        .map_err(|e| JsErrorBox::generic(format!("fourfront: no thread for pictures: {e}")))?;
    Ok(async move {
        let answered = told.await;
        drop(waiting);
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
            let facts = fourfront_image::metadata(&read::<Input>(recorded)?, &buffers)?;
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

type Job = Box<dyn FnOnce() + Send>;

/// Work that waits, function by function.
#[derive(Default)]
struct Turns(VecDeque<(String, VecDeque<Job>)>);

impl Turns {
    fn push(&mut self, whose: String, job: Job) {
        match self.0.iter_mut().find(|(name, _)| *name == whose) {
            Some((_, jobs)) => jobs.push_back(job),
            None => self.0.push_back((whose, VecDeque::from([job]))),
        }
    }

    /// The next one of the function whose turn it is; its others wait until all have had theirs.
    fn pop(&mut self) -> Option<Job> {
        let (whose, mut jobs) = self.0.pop_front()?;
        let job = jobs.pop_front();
        if !jobs.is_empty() {
            self.0.push_back((whose, jobs));
        }
        job
    }
}

/// The threads, started when the first picture comes.
struct Threads {
    turns: Mutex<Turns>,
    something: Condvar,
    started: AtomicBool,
}

static THREADS: LazyLock<Arc<Threads>> = LazyLock::new(|| {
    Arc::new(Threads {
        turns: Mutex::default(),
        something: Condvar::new(),
        started: AtomicBool::new(false),
    })
});

impl Threads {
    fn take(self: &Arc<Self>, whose: String, job: Job) -> std::io::Result<()> {
        if !self.started.swap(true, Ordering::AcqRel)
            && let Err(error) = self.start()
        {
            self.started.store(false, Ordering::Release);
            return Err(error);
        }
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.push(whose, job);
        drop(turns);
        self.something.notify_one();
        Ok(())
    }

    /// At least one thread, and as many as there are cores if the system allows.
    fn start(self: &Arc<Self>) -> std::io::Result<()> {
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        for number in 0..cores {
            let threads = self.clone();
            let name = format!("ff-image-{number}");
            let spawned = super::spawn(name, STACK, Priority::Nice(NICE), move || threads.work());
            match spawned {
                Err(error) if number == 0 => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn work(&self) {
        loop {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            let job = loop {
                match turns.pop() {
                    Some(job) => break job,
                    None => {
                        turns = self
                            .something
                            .wait(turns)
                            .unwrap_or_else(PoisonError::into_inner);
                    }
                }
            };
            drop(turns);
            job();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_take_turns() {
        // NC-116
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut turns = Turns::default();
        for name in ["a1", "a2", "a3", "b1", "c1", "c2"] {
            let order = order.clone();
            let job: Job = Box::new(move || order.lock().unwrap().push(name));
            turns.push(name[..1].to_owned(), job);
        }
        while let Some(job) = turns.pop() {
            job();
        }
        assert_eq!(*order.lock().unwrap(), ["a1", "b1", "c1", "a2", "c2", "a3"]);
    }
}
