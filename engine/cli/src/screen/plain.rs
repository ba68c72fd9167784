//! Plain lines for pipes and files: `12:03:05 build[baseline] passed 0.3 s`.
//!
//! Lines are gathered and written at most every 100 ms, important ones at once, so that 10,000 short steps cost a few
//! hundred writes.

use super::words;
use crate::format::Clock;
use assay_protocol::Event;
use assay_run::Subscriber;
use assay_store::RunDir;
use std::io::Write as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Longest time that a line is kept back.
const PAUSE: Duration = Duration::from_millis(100);

/// The view; clones share it.
#[derive(Clone)]
pub struct Plain {
    shared: Arc<Shared>,
    clock: Clock,
    color: bool,
    run_id: String,
}

struct Shared {
    buffer: Mutex<Buffer>,
    wake: Condvar,
}

#[derive(Default)]
struct Buffer {
    text: String,
    written: Option<Instant>,
    /// The thread that writes what was kept back runs.
    flusher: bool,
    closed: bool,
}

impl Plain {
    /// A view on standard error.
    pub fn new(color: bool, run: &RunDir) -> Self {
        let shared = Arc::new(Shared { buffer: Mutex::default(), wake: Condvar::new() });
        Self { shared, clock: Clock::system(), color, run_id: run.id().to_owned() }
    }

    /// Writes what was kept back.
    pub fn finish(&self) {
        let mut buffer = lock(&self.shared);
        buffer.closed = true;
        write(&mut buffer);
        self.shared.wake.notify_all();
    }

    fn push(&self, line: &str, important: bool) {
        let mut buffer = lock(&self.shared);
        buffer.text.push_str(line);
        buffer.text.push('\n');
        let due = buffer.written.is_none_or(|written| written.elapsed() >= PAUSE);
        if important || due || buffer.closed {
            write(&mut buffer);
        } else if !buffer.flusher {
            buffer.flusher = start_flusher(&self.shared);
        } else {
            self.shared.wake.notify_one();
        }
    }
}

impl Subscriber for Plain {
    fn event(&mut self, at: f64, event: &Event) {
        if let Some(line) = words::line(event, &self.run_id, self.color) {
            self.push(&format!("{} {}", self.clock.time(at), line.text), line.important);
        }
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, Buffer> {
    shared.buffer.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write(buffer: &mut Buffer) {
    if !buffer.text.is_empty() {
        // Nobody reads it: the run goes on.
        let _ = std::io::stderr().lock().write_all(buffer.text.as_bytes());
        buffer.text.clear();
    }
    buffer.written = Some(Instant::now());
}

/// Without the thread a line may come late, but it comes.
fn start_flusher(shared: &Arc<Shared>) -> bool {
    let shared = Arc::clone(shared);
    let work = move || {
        let mut buffer = lock(&shared);
        while !buffer.closed {
            if buffer.text.is_empty() {
                buffer = shared.wake.wait(buffer).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let waited = shared.wake.wait_timeout_while(buffer, PAUSE, |buffer| !buffer.closed);
            buffer = waited.unwrap_or_else(PoisonError::into_inner).0;
            write(&mut buffer);
        }
    };
    std::thread::Builder::new().name("screen".to_owned()).spawn(work).is_ok()
}
