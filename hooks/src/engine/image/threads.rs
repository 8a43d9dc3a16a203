//! The threads that make pictures.
//!
//! Functions take turns: one with a hundred pictures does not keep the next one waiting for them all.
//!
//! Work ends at its next look when the call that asked for it is over, and some has few of them: the encoder of AVIF may be
//! at one picture for minutes. So it is *given up* at once: another thread takes the place of its own, which ends with it,
//! and the function gets no turn before that. What a function leaves behind is at most what as many threads as there are
//! cores were at, it keeps nobody else waiting, and its memory stays in the function's account.

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::{
        Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crate::engine::{Priority, spawn};

/// What decoders may need of a stack.
const STACK: usize = 4 << 20;
/// Steps by which the threads give way to those that serve. With fewer, six pictures at a time on two cores had CloudFront
/// Functions wait for longer than they may take (LE-437).
const NICE: i32 = 15;

/// The threads of this process, started when the first picture comes.
pub(super) fn all() -> &'static Arc<Threads> {
    static ALL: LazyLock<Arc<Threads>> = LazyLock::new(|| {
        Threads::new(thread::available_parallelism().map_or(1, std::num::NonZero::get))
    });
    &ALL
}

/// A picture in the making, known to who waits and to who makes it.
pub(super) struct Work {
    /// Whose turn it takes.
    whose: String,
    /// Whether nobody waits any more.
    is_over: AtomicBool,
    stage: Mutex<Stage>,
}

/// How far work has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It waits for its turn, or it is done.
    Resting,
    Running,
    /// It runs, nobody waits for it, and another thread has the place of its own.
    GivenUp,
}

impl Work {
    pub(super) fn new(whose: String) -> Arc<Self> {
        Arc::new(Self {
            whose,
            is_over: AtomicBool::new(false),
            stage: Mutex::new(Stage::Resting),
        })
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Nothing is left to do but to tell, after which nobody waits.
    pub(super) fn done(&self) {
        let mut stage = self.stage();
        if *stage == Stage::Running {
            *stage = Stage::Resting;
        }
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Held by who waits. Without it the work ends at its next look.
pub(super) struct Ticket {
    threads: Arc<Threads>,
    work: Arc<Work>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.threads.leave(&self.work);
    }
}

/// A thread's part of the work.
struct Job {
    work: Arc<Work>,
    run: Box<dyn FnOnce() + Send>,
}

/// Work that waits, function by function.
#[derive(Default)]
struct Turns {
    waiting: VecDeque<(String, VecDeque<Job>)>,
    /// How much was given up and is not done, by whose it is.
    given_up: HashMap<String, usize>,
}

impl Turns {
    fn push(&mut self, job: Job) {
        let whose = &job.work.whose;
        match self.waiting.iter_mut().find(|(name, _)| name == whose) {
            Some((_, jobs)) => jobs.push_back(job),
            None => self
                .waiting
                .push_back((whose.clone(), VecDeque::from([job]))),
        }
    }

    /// The next one of the function whose turn it is; its others wait until all have had theirs.
    fn pop(&mut self) -> Option<Job> {
        let next = self
            .waiting
            .iter()
            .position(|(whose, _)| !self.given_up.contains_key(whose))?;
        let (whose, mut jobs) = self.waiting.remove(next)?;
        let job = jobs.pop_front();
        if !jobs.is_empty() {
            self.waiting.push_back((whose, jobs));
        }
        job
    }
}

/// As many threads as pictures are made at a time, beside those whose work was given up.
pub(super) struct Threads {
    most: usize,
    turns: Mutex<Turns>,
    something: Condvar,
    started: AtomicBool,
}

impl Threads {
    fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            turns: Mutex::default(),
            something: Condvar::new(),
            started: AtomicBool::new(false),
        })
    }

    /// Takes work on.
    ///
    /// # Errors
    /// When the system gives no thread at all.
    pub(super) fn take(
        self: &Arc<Self>,
        work: Arc<Work>,
        run: impl FnOnce() + Send + 'static,
    ) -> io::Result<Ticket> {
        if !self.started.swap(true, Ordering::AcqRel)
            && let Err(error) = self.start()
        {
            self.started.store(false, Ordering::Release);
            return Err(error);
        }
        self.turns().push(Job {
            work: work.clone(),
            run: Box::new(run),
        });
        self.something.notify_one();
        Ok(Ticket {
            threads: self.clone(),
            work,
        })
    }

    /// At least one thread, and as many as were asked for if the system allows.
    fn start(self: &Arc<Self>) -> io::Result<()> {
        for number in 0..self.most {
            match self.add() {
                Err(error) if number == 0 => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn add(self: &Arc<Self>) -> io::Result<()> {
        let threads = self.clone();
        let run = move || threads.work();
        spawn("ff-image".to_owned(), STACK, Priority::Nice(NICE), run).map(drop)
    }

    /// Nobody waits for this any more.
    fn leave(self: &Arc<Self>, work: &Work) {
        // Held until there is another thread, so that the one at work does not end before.
        let mut turns = self.turns();
        let mut stage = work.stage();
        work.is_over.store(true, Ordering::Release);
        if *stage == Stage::Running && self.add().is_ok() {
            *stage = Stage::GivenUp;
            *turns.given_up.entry(work.whose.clone()).or_default() += 1;
        }
    }

    fn work(&self) {
        loop {
            let job = self.next();
            {
                let mut stage = job.work.stage();
                if job.work.is_over() {
                    continue;
                }
                *stage = Stage::Running;
            }
            (job.run)();
            if self.is_replaced(&job.work) {
                return;
            }
        }
    }

    fn next(&self) -> Job {
        let mut turns = self.turns();
        loop {
            match turns.pop() {
                Some(job) => return job,
                None => {
                    turns = self
                        .something
                        .wait(turns)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// Whether another thread has taken the place of this one while it was at this work, which is done now.
    fn is_replaced(&self, work: &Work) -> bool {
        let mut turns = self.turns();
        let stage = std::mem::replace(&mut *work.stage(), Stage::Resting);
        if stage != Stage::GivenUp {
            return false;
        }
        if let Some(left) = turns.given_up.get_mut(&work.whose) {
            *left -= 1;
            if *left == 0 {
                turns.given_up.remove(&work.whose);
            }
        }
        // What waited for this may go on.
        self.something.notify_all();
        true
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn functions_take_turns() {
        // NC-116
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut turns = Turns::default();
        for name in ["a1", "a2", "a3", "b1", "c1", "c2"] {
            let order = order.clone();
            turns.push(Job {
                work: Work::new(name[..1].to_owned()),
                run: Box::new(move || order.lock().unwrap().push(name)),
            });
        }
        while let Some(job) = turns.pop() {
            (job.run)();
        }
        assert_eq!(*order.lock().unwrap(), ["a1", "b1", "c1", "a2", "c2", "a3"]);
    }

    #[test]
    fn work_that_nobody_waits_for_keeps_only_its_own_function_waiting() {
        // NC-116, LE-250: one thread, and its work is at something that ends when this test says so.
        let threads = Threads::new(1);
        let (finish, finished) = mpsc::channel::<()>();
        let (begin, begun) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let work = Work::new("a".to_owned());
        let ticket = threads
            .take(work.clone(), {
                let tell = tell.clone();
                move || {
                    begin.send(()).unwrap();
                    finished.recv_timeout(LONG).unwrap();
                    tell.send(if work.is_over() {
                        "given up"
                    } else {
                        "asked for"
                    })
                    .unwrap();
                }
            })
            .unwrap();
        begun.recv_timeout(LONG).unwrap();
        let others = ["a", "b"].map(|name| {
            let tell = tell.clone();
            let run = move || tell.send(name).unwrap();
            threads.take(Work::new(name.to_owned()), run).unwrap()
        });
        assert!(told.try_recv().is_err(), "there is one thread");
        drop(ticket);
        assert_eq!(told.recv_timeout(LONG), Ok("b"));
        assert!(told.try_recv().is_err(), "the function waits for itself");
        finish.send(()).unwrap();
        assert_eq!(told.recv_timeout(LONG), Ok("given up"));
        // Its turn comes again.
        assert_eq!(told.recv_timeout(LONG), Ok("a"));
        drop(others);
    }

    #[test]
    fn work_that_nobody_waits_for_is_not_begun() {
        // NC-116, LE-250
        let threads = Threads::new(1);
        let (begin, begun) = mpsc::channel();
        let (finish, finished) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let first = threads
            .take(Work::new("a".to_owned()), move || {
                begin.send(()).unwrap();
                finished.recv_timeout(LONG).unwrap();
            })
            .unwrap();
        begun.recv_timeout(LONG).unwrap();
        let tickets = ["left", "wanted"].map(|name| {
            let tell = tell.clone();
            let run = move || tell.send(name).unwrap();
            threads.take(Work::new(name.to_owned()), run).unwrap()
        });
        let [left, wanted] = tickets;
        drop(left);
        finish.send(()).unwrap();
        assert_eq!(told.recv_timeout(LONG), Ok("wanted"));
        assert!(told.try_recv().is_err());
        drop((first, wanted));
    }
}
