//! The thread beside the event loop, for what would stall it: counting prompts with a tokenizer, percentiles.

use super::api::{Counted, Input};
use super::engine::Key;
use super::poll::Waker;
use super::truth::Counters;
use crate::LoadError;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use tokenizers::Tokenizer;

/// Work for the thread.
pub(super) enum Job {
    /// Count a prompt.
    Count(Input),
    /// Sum up.
    SumUp(Box<Counters>),
}

/// Work done.
pub(super) enum Done {
    /// A prompt's count, or why there is none.
    Counted(Result<Counted, String>),
    /// JSON.
    Report(Vec<u8>),
}

/// How prompts are counted.
#[derive(Debug, Clone)]
pub(super) struct Counter {
    pub tokenizer: Option<Arc<Tokenizer>>,
    /// Tokens of a page of the prefix cache.
    pub page: Option<u32>,
    pub per_message: u32,
}

impl Counter {
    pub fn count(&self, input: &Input) -> Result<Counted, String> {
        input.count(self.tokenizer.as_deref(), self.page, self.per_message)
    }
}

/// The thread.
#[derive(Debug)]
pub(super) struct Worker {
    jobs: Option<Sender<(Key, Job)>>,
    pub done: Receiver<(Key, Done)>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    pub fn start(counter: Counter, waker: Waker) -> Result<Self, LoadError> {
        let (jobs, taken) = channel::<(Key, Job)>();
        let (results, done) = channel();
        let work = move || {
            for (key, job) in taken {
                let result = match job {
                    Job::Count(input) => Done::Counted(counter.count(&input)),
                    Job::SumUp(counters) => {
                        Done::Report(serde_json::to_vec(&counters.sum_up()).unwrap_or_default())
                    }
                };
                if results.send((key, result)).is_err() {
                    return;
                }
                waker.wake();
            }
        };
        let thread = std::thread::Builder::new()
            .name("sim-worker".to_owned())
            .spawn(work)
            .map_err(LoadError::system("start a thread"))?;
        Ok(Self { jobs: Some(jobs), done, thread: Some(thread) })
    }

    /// Hands work over; the key names who waits for it.
    pub fn send(&self, key: Key, job: Job) {
        if let Some(jobs) = &self.jobs {
            // It fails only if the thread has panicked; then nobody answers, and the client's own limit ends the wait.
            let _ = jobs.send((key, job));
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
