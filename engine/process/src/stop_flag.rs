//! A flag that the first SIGINT or SIGTERM sets, for work that looks at it now and then. The second one ends the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{SignalKind, signal};

/// As [`stop_flag_then`], for work that blocks on nothing for long.
///
/// # Errors
/// As there.
pub fn stop_flag() -> std::io::Result<Arc<AtomicBool>> {
    stop_flag_then(|_| {})
}

/// Watches for both signals from now on; the flag holds once one has come. For each signal `act` is told the exit code
/// that it stands for, 130 or 143, after the flag was set and on a thread that is not the caller's.
///
/// # Errors
/// The system gives no thread or no handler.
#[expect(clippy::exit, reason = "whoever asks twice wants no orderly end")]
pub fn stop_flag_then(act: impl Fn(u8) + Send + 'static) -> std::io::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    let told = Arc::clone(&flag);
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            loop {
                let code = tokio::select! {
                    _ = interrupt.recv() => 130,
                    _ = terminate.recv() => 143,
                };
                let again = told.swap(true, Ordering::Relaxed);
                act(code);
                if again {
                    std::process::exit(code.into());
                }
            }
        });
    })?;
    Ok(flag)
}
