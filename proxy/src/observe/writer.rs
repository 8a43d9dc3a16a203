//! Lines written by a thread of their own, so that a full disk or a stopped terminal never holds up
//! a request or a function (LE-352).
//!
//! What does not fit into the queue, or cannot be written, is dropped and counted. An output that fails
//! is tried again: a log rotated away, a disk that was full for a while or a terminal that refused for a
//! moment costs the lines of that time and no others.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use parking_lot::Mutex;
use prometheus::IntCounter;

/// Bytes written at a time under load, and kept while the output fails.
const BATCH: usize = 64 * 1024;

/// How long a failed write waits for the next try when no line comes.
const RETRY: Duration = Duration::from_millis(100);

/// A queue of things to be written and the thread that writes them.
#[derive(Debug)]
pub struct Writer<T> {
    queue: Sender<Item<T>>,
    waiting: Arc<AtomicUsize>,
    capacity: usize,
    dropped: IntCounter,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// How a [`Writer`] is set up.
#[derive(Clone, Debug)]
pub struct WriterSettings {
    /// The thread's name.
    pub name: &'static str,
    /// How much may wait, in the unit of [`Writer::push`]'s `cost`.
    pub capacity: usize,
    /// Counts lines that were not written.
    pub dropped: IntCounter,
}

enum Item<T> {
    Line { value: T, cost: usize },
    Flush(SyncSender<()>),
    End(SyncSender<()>),
}

/// What a [`Writer`]'s thread does with what is queued.
pub(super) trait Sink<T>: Send + 'static {
    /// Takes one thing.
    fn take(&mut self, value: &T);

    /// Whether so much waits to be written that it is time.
    fn is_full(&self) -> bool;

    /// Writes what waits.
    fn write(&mut self);

    /// After how long [`Self::write`] is to be called when nothing comes; `None` when there is no need.
    fn wakes_after(&self) -> Option<Duration>;

    /// Nothing comes any more: what cannot be written is given up and counted.
    fn end(&mut self);
}

impl<T: Send + 'static> Writer<T> {
    /// Starts the thread. `format` appends one line, with its line feed; `report` is told once of each
    /// time the output begins to fail.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        settings: WriterSettings,
        out: impl Write + Send + 'static,
        format: impl Fn(&T, &mut Vec<u8>) + Send + 'static,
        report: impl Fn(&io::Error) + Send + 'static,
    ) -> io::Result<Self> {
        let output = Output {
            out,
            format,
            report,
            pending: Vec::new(),
            failing: false,
            dropped: settings.dropped.clone(),
        };
        Self::start_with(settings, output)
    }

    /// Starts the thread with something else to do than to write lines.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub(super) fn start_with(settings: WriterSettings, sink: impl Sink<T>) -> io::Result<Self> {
        let (queue, items) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let taken = waiting.clone();
        let thread = thread::Builder::new()
            .name(settings.name.to_owned())
            .spawn(move || write_all(&items, sink, &taken))?;
        Ok(Self {
            queue,
            waiting,
            capacity: settings.capacity,
            dropped: settings.dropped,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Queues one thing, or drops and counts it. Never blocks.
    pub fn push(&self, value: T, cost: usize) {
        // INVARIANT: `waiting` is the cost of all lines in the queue; who adds a line has reserved its cost.
        let waiting = self.waiting.fetch_add(cost, Ordering::Relaxed);
        let fits = waiting.saturating_add(cost) <= self.capacity;
        if !fits || self.queue.send(Item::Line { value, cost }).is_err() {
            self.waiting.fetch_sub(cost, Ordering::Relaxed);
            self.dropped.inc();
        }
    }

    /// Lines dropped so far.
    pub fn dropped(&self) -> u64 {
        self.dropped.get()
    }

    /// Waits until all that was pushed before is written or dropped. False when that took longer.
    pub fn flush(&self, within: Duration) -> bool {
        self.ask(Item::Flush, within)
    }

    /// Has the thread write what was pushed before, and waits for nothing.
    pub fn wake(&self) {
        // Nobody listens to the reply.
        let (reply, _) = sync_channel(1);
        let _ = self.queue.send(Item::Flush(reply));
    }

    /// Like [`Self::flush`], and ends the thread. What is pushed later is dropped.
    pub fn finish(&self, within: Duration) -> bool {
        let ended = self.ask(Item::End, within);
        if ended && let Some(thread) = self.thread.lock().take() {
            // It has said that it is at its end.
            let _ = thread.join();
        }
        ended
    }

    fn ask(&self, item: fn(SyncSender<()>) -> Item<T>, within: Duration) -> bool {
        let (reply, done) = sync_channel(1);
        // The queue has no bound of its own, so asking never blocks on an output that does.
        self.queue.send(item(reply)).is_err() || done.recv_timeout(within).is_ok()
    }
}

/// One of the process's own streams, past the buffers and locks of the standard library.
///
/// # Errors
/// When the process may open no more files.
pub fn unbuffered(stream: impl AsFd) -> io::Result<File> {
    stream.as_fd().try_clone_to_owned().map(File::from)
}

fn write_all<T>(items: &Receiver<Item<T>>, mut sink: impl Sink<T>, waiting: &AtomicUsize) {
    loop {
        let mut next = match sink.wakes_after() {
            None => items.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(after) => items.recv_timeout(after),
        };
        // Written when the queue runs dry: prompt when quiet, batched under load.
        while let Ok(item) = next {
            match item {
                Item::Line { value, cost } => {
                    waiting.fetch_sub(cost, Ordering::Relaxed);
                    sink.take(&value);
                    if sink.is_full() {
                        sink.write();
                    }
                }
                Item::Flush(reply) => {
                    sink.write();
                    let _ = reply.send(());
                }
                Item::End(reply) => {
                    sink.write();
                    sink.end();
                    let _ = reply.send(());
                    return;
                }
            }
            next = items.try_recv().map_err(|_| RecvTimeoutError::Timeout);
        }
        sink.write();
        if matches!(next, Err(RecvTimeoutError::Disconnected)) {
            sink.end();
            return;
        }
    }
}

/// Where lines go, and those that have not got there.
struct Output<W, F, R> {
    out: W,
    format: F,
    report: R,
    pending: Vec<u8>,
    failing: bool,
    dropped: IntCounter,
}

impl<T, W, F, R> Sink<T> for Output<W, F, R>
where
    W: Write + Send + 'static,
    F: Fn(&T, &mut Vec<u8>) + Send + 'static,
    R: Fn(&io::Error) + Send + 'static,
{
    fn take(&mut self, value: &T) {
        if self.failing && self.pending.len() >= BATCH {
            self.dropped.inc();
        } else {
            (self.format)(value, &mut self.pending);
        }
    }

    fn is_full(&self) -> bool {
        self.pending.len() >= BATCH
    }

    /// Writes what is pending. After a failure the rest stays, so that no line is torn or written twice.
    fn write(&mut self) {
        let mut written = 0;
        let result = loop {
            if written == self.pending.len() {
                break self.out.flush();
            }
            match self.out.write(&self.pending[written..]) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => written += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => break Err(e),
            }
        };
        self.pending.drain(..written);
        match result {
            Ok(()) => self.failing = false,
            Err(e) if !self.failing => {
                self.failing = true;
                (self.report)(&e);
            }
            Err(_) => {}
        }
    }

    fn wakes_after(&self) -> Option<Duration> {
        (!self.pending.is_empty()).then_some(RETRY)
    }

    fn end(&mut self) {
        let lines = memchr::memchr_iter(b'\n', &self.pending).count();
        self.dropped.inc_by(lines as u64);
        self.pending.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex, MutexGuard};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    /// An output that can be stopped or broken.
    #[derive(Clone, Default)]
    struct Pipe(Arc<(Mutex<State>, Condvar)>);

    #[derive(Default)]
    struct State {
        text: Vec<u8>,
        mode: Mode,
        tries: usize,
    }

    #[derive(Clone, Copy, Default, PartialEq)]
    enum Mode {
        #[default]
        Open,
        Stopped,
        Broken,
    }

    impl Pipe {
        fn state(&self) -> MutexGuard<'_, State> {
            self.0.0.lock().unwrap()
        }

        fn set(&self, mode: Mode) {
            self.state().mode = mode;
            self.0.1.notify_all();
        }

        fn wait_for(&self, reached: impl Fn(&State) -> bool) {
            let state = self.state();
            let waited = self.0.1.wait_timeout_while(state, LIMIT, |s| !reached(s));
            assert!(!waited.unwrap().1.timed_out());
        }

        fn text(&self) -> String {
            String::from_utf8(self.state().text.clone()).unwrap()
        }
    }

    impl Write for Pipe {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            let mut state = self.state();
            state.tries += 1;
            self.0.1.notify_all();
            state = self
                .0
                .1
                .wait_while(state, |s| s.mode == Mode::Stopped)
                .unwrap();
            if state.mode == Mode::Broken {
                return Err(io::Error::other("broken"));
            }
            // Short writes, as a pipe makes them.
            let n = buf.len().min(7);
            state.text.extend_from_slice(&buf[..n]);
            Ok(n)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn writer(pipe: &Pipe, capacity: usize) -> (Writer<String>, Arc<AtomicUsize>) {
        let reports = Arc::new(AtomicUsize::new(0));
        let counted = reports.clone();
        let settings = WriterSettings {
            name: "test-log",
            capacity,
            dropped: IntCounter::new("dropped", "Lines").unwrap(),
        };
        let writer = Writer::start(
            settings,
            pipe.clone(),
            |text: &String, line: &mut Vec<u8>| {
                line.extend_from_slice(text.as_bytes());
                line.push(b'\n');
            },
            move |_| {
                counted.fetch_add(1, Ordering::Relaxed);
            },
        );
        (writer.unwrap(), reports)
    }

    #[test]
    fn a_stopped_reader_holds_nobody_up_and_what_does_not_fit_is_counted() {
        // LE-352
        let pipe = Pipe::default();
        pipe.set(Mode::Stopped);
        let (writer, _) = writer(&pipe, 10);
        writer.push("first".into(), 1);
        pipe.wait_for(|s| s.tries == 1);
        for n in 0..15 {
            writer.push(n.to_string(), 1);
        }
        assert_eq!(writer.dropped(), 5);
        assert!(!writer.flush(Duration::from_millis(1)));
        pipe.set(Mode::Open);
        assert!(writer.flush(LIMIT));
        assert_eq!(pipe.text(), "first\n0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
        assert_eq!(writer.dropped(), 5);
    }

    #[test]
    fn a_failed_write_is_reported_once_and_tried_again() {
        let pipe = Pipe::default();
        pipe.set(Mode::Broken);
        let (writer, reports) = writer(&pipe, usize::MAX);
        for text in ["a", "b"] {
            writer.push(text.into(), 1);
            assert!(writer.flush(LIMIT));
        }
        assert_eq!(reports.load(Ordering::Relaxed), 1);
        pipe.set(Mode::Open);
        // No further line is needed for the next try.
        pipe.wait_for(|s| s.text.len() == 4);
        assert_eq!((pipe.text().as_str(), writer.dropped()), ("a\nb\n", 0));
    }

    #[test]
    fn lines_beyond_a_batch_are_dropped_while_the_output_fails() {
        let pipe = Pipe::default();
        pipe.set(Mode::Broken);
        let (writer, reports) = writer(&pipe, usize::MAX);
        for _ in 0..4 {
            writer.push("x".repeat(BATCH / 2), 1);
        }
        assert!(writer.flush(LIMIT));
        assert_eq!((writer.dropped(), reports.load(Ordering::Relaxed)), (2, 1));
        // What is still pending at the end was not written either.
        assert!(writer.finish(LIMIT));
        assert_eq!((writer.dropped(), pipe.text().len()), (4, 0));
        writer.push("late".into(), 1);
        assert_eq!(writer.dropped(), 5);
        assert!(writer.finish(LIMIT));
    }

    #[test]
    fn what_is_queued_is_written_when_the_writer_ends() {
        let pipe = Pipe::default();
        let (writer, _) = writer(&pipe, usize::MAX);
        writer.push("one".into(), 1);
        writer.push("two".into(), 1);
        assert!(writer.finish(LIMIT));
        assert_eq!(pipe.text(), "one\ntwo\n");
    }
}
