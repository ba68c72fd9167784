//! What the log of a server says: why it failed, and where it quietly took another way than it was asked to.
//!
//! Must not read a log twice on the engine's thread: logs may be large.

use crate::server::adapter::Served;
use assay_protocol::Status;
use assay_run::{StepCtx, Stream};
use assay_serving::adapter::{Adapter, BootFailure, FailureClass};

/// Bytes of each log in which a cause is looked for: the first of a boot, the last of a server that ran.
const LOOKED_AT: usize = 8 << 20;
/// Bytes that are looked through at a time for fallbacks.
const CHUNK: usize = 256 << 10;
const STREAMS: [(Stream, &str); 2] = [(Stream::Stderr, "stderr"), (Stream::Stdout, "stdout")];

/// Why a server failed, as its log tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    /// The status of a boot that failed so.
    pub status: Status,
    /// What happened, where it stands, and what to do.
    pub words: String,
}

/// Looks for the cause in both logs; `None` where no line tells it.
pub(crate) async fn cause(cx: &StepCtx, served: &Served, was_ready: bool) -> Option<Cause> {
    let read = |stream| {
        let from = if was_ready { cx.output_len(stream).saturating_sub(LOOKED_AT as u64) } else { 0 };
        let bytes = cx.read_output(stream, from, LOOKED_AT).unwrap_or_default();
        (from == 0, String::from_utf8_lossy(&bytes).into_owned())
    };
    let logs = STREAMS.map(|(stream, name)| (name, read(stream)));
    let adapter = served.adapter.clone();
    let search = move || {
        let found = logs.iter().filter_map(|(name, (whole, text))| {
            let failure = adapter.classify_boot_failure(text)?;
            Some((rank(&adapter, &failure), *name, *whole, failure))
        });
        let (_, name, whole, failure) = found.min_by_key(|(rank, ..)| *rank)?;
        Some(Cause { status: status(failure.class), words: words(&failure, name, whole) })
    };
    // Lost only together with the engine.
    tokio::task::spawn_blocking(search).await.ok().flatten()
}

/// The least explains best, as within one log: no consequence, from the deepest process.
fn rank(adapter: &Adapter, failure: &BootFailure) -> (bool, usize) {
    let boot = &adapter.boot;
    let signature = boot.failures.iter().find(|signature| signature.id == failure.signature);
    let depth = boot.processes.iter().position(|process| Some(&process.name) == failure.process.as_ref());
    (signature.is_some_and(|signature| signature.consequence), depth.unwrap_or(boot.processes.len()))
}

fn status(class: FailureClass) -> Status {
    match class {
        FailureClass::Oom | FailureClass::Failed => Status::Failed,
        FailureClass::Environment => Status::Environment,
        FailureClass::Unsupported => Status::Unsupported,
    }
}

fn words(failure: &BootFailure, stream: &str, whole: bool) -> String {
    let memory = if failure.class == FailureClass::Oom { "out of memory: " } else { "" };
    let by = failure.process.as_ref().map(|process| format!(" by {process}")).unwrap_or_default();
    let place =
        if whole { format!("line {} of {stream}{by}", failure.line_number) } else { format!("{stream}{by}") };
    format!("{memory}{}: {place} says `{}`; {}", failure.cause, failure.line, failure.way_out)
}

/// Looks for fallbacks in logs as they grow.
#[derive(Debug)]
pub(crate) struct Fallbacks {
    cursors: [Cursor; 2],
}

#[derive(Debug)]
struct Cursor {
    stream: Stream,
    name: &'static str,
    offset: u64,
    lines: usize,
}

impl Fallbacks {
    /// From the beginning of both logs.
    pub(crate) fn new() -> Self {
        Self { cursors: STREAMS.map(|(stream, name)| Cursor { stream, name, offset: 0, lines: 0 }) }
    }

    /// What the logs say now, beyond what was looked through before.
    ///
    /// # Errors
    /// A fallback that the author did not allow.
    pub(crate) async fn look(&mut self, cx: &StepCtx, served: &Served) -> Result<(), String> {
        for cursor in &mut self.cursors {
            loop {
                let bytes = cx.read_output(cursor.stream, cursor.offset, CHUNK).unwrap_or_default();
                // A line that is still being written is looked at when it is whole; one longer than a chunk in parts.
                let whole = match bytes.iter().rposition(|byte| *byte == b'\n') {
                    Some(at) => at + 1,
                    None if bytes.len() == CHUNK => CHUNK,
                    None => break,
                };
                cursor.take(&bytes[..whole], served)?;
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }
}

impl Cursor {
    fn take(&mut self, bytes: &[u8], served: &Served) -> Result<(), String> {
        let text = String::from_utf8_lossy(bytes);
        let signals = served.adapter.fallback_signals(&text);
        if let Some(found) = signals.into_iter().find(|signal| !served.allowed.contains(&signal.id)) {
            return Err(format!(
                "the server took another way than it was asked to: {}, says line {} of {}: `{}`; ask for it by its flags, or \
                 write `allow_fallbacks: [{}]`",
                found.means,
                self.lines + found.line_number,
                self.name,
                found.line,
                found.id
            ));
        }
        self.offset += bytes.len() as u64;
        self.lines += bytes.iter().filter(|byte| **byte == b'\n').count();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Cursor, STREAMS, rank, status, words};
    use crate::server::adapter::Served;
    use assay_protocol::Status;
    use assay_serving::adapter::Adapter;

    fn served(allowed: &[&str]) -> Served {
        Served {
            adapter: Adapter::named("vllm").unwrap(),
            model_id: "m".to_owned(),
            check_generation: true,
            allowed: allowed.iter().map(|id| (*id).to_owned()).collect(),
        }
    }

    #[test]
    fn a_fallback_is_named_with_its_line_unless_it_is_allowed() {
        let mut cursor = Cursor { stream: STREAMS[0].0, name: "stderr", offset: 0, lines: 0 };
        assert!(cursor.take(b"one\ntwo\n", &served(&[])).is_ok());
        let line = b"INFO: Casting torch.bfloat16 to torch.float16.\n";
        assert!(cursor.take(line, &served(&["dtype-cast"])).is_ok());
        assert_eq!((cursor.offset, cursor.lines), (55, 3));
        let found = cursor.take(line, &served(&["cuda-graph-off"])).unwrap_err();
        assert!(
            found.contains("line 4 of stderr") && found.contains("allow_fallbacks: [dtype-cast]"),
            "{found}"
        );
    }

    #[test]
    fn memory_comes_first_in_words_and_consequences_last_in_rank() {
        let adapter = Adapter::named("vllm").unwrap();
        let of = |line: &str| adapter.classify_boot_failure(line).unwrap();
        let memory = of("(Worker_TP0 pid=3) ERROR CUDA out of memory");
        let follows = of("(APIServer pid=1) RuntimeError: Engine core initialization failed.");
        assert!(rank(&adapter, &memory) < rank(&adapter, &follows));
        let said = words(&memory, "stderr", true);
        assert!(said.starts_with("out of memory: ") && said.contains("line 1 of stderr by Worker"), "{said}");
        assert_eq!(status(memory.class), Status::Failed);
        assert_eq!(status(of("vllm: error: unrecognized arguments: --x").class), Status::Unsupported);
    }
}
