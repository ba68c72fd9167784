//! Signals that ask a command to end: work looks now and then whether one has come. The second one ends the process.

use crate::sys;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What listens to SIGINT, SIGTERM and SIGHUP (the terminal was closed; not where `nohup` has it ignored).
#[derive(Debug, Clone)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    /// Exit code that the first signal stands for; 0 before.
    code: Arc<AtomicU8>,
}

/// Which signal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The first: work should come to its end.
    Once,
    /// Another: the process ends when the action returns, wherever its other threads are.
    Again,
}

impl Stop {
    /// Listens from now on. At each signal `act` runs, after [`Self::asked`] holds and on a thread that is not the caller's; what takes long there
    /// keeps the second signal waiting.
    ///
    /// # Errors
    /// The system gives no thread or no handler.
    pub fn listen(act: impl Fn(Asked) + Send + 'static) -> std::io::Result<Self> {
        let stop = Self { asked: Arc::default(), code: Arc::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (mut interrupt, mut terminate, mut hangup) = {
            let _inside = runtime.enter();
            let hears = !sys::is_ignored(libc::SIGHUP);
            let hangup = hears.then(|| signal(SignalKind::hangup())).transpose()?;
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, hangup)
        };
        let told = stop.clone();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async {
                loop {
                    // The codes of `assay run`: 130 stands for SIGINT, 143 for every other end that somebody else asks for.
                    let code = tokio::select! {
                        _ = interrupt.recv() => 130,
                        _ = terminate.recv() => 143,
                        () = next(hangup.as_mut()) => 143,
                    };
                    // A second signal changes nothing about what the first asked for.
                    let first =
                        told.code.compare_exchange(0, code, Ordering::Relaxed, Ordering::Relaxed).is_ok();
                    told.asked.store(true, Ordering::Relaxed);
                    if first {
                        act(Asked::Once);
                    } else {
                        act(Asked::Again);
                        std::process::exit(code.into());
                    }
                }
            });
        })?;
        Ok(stop)
    }

    /// Whether one has come.
    pub fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// The same as a flag, for work that knows no signals.
    pub fn flag(&self) -> &AtomicBool {
        &self.asked
    }

    /// The exit code that the first one stands for: 130 for SIGINT, 143 for SIGTERM and SIGHUP; `None` before.
    pub fn code(&self) -> Option<u8> {
        Some(self.code.load(Ordering::Relaxed)).filter(|code| *code != 0)
    }
}

/// The next of a signal; never, where nobody listens to it.
async fn next(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
