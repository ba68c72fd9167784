//! Which ends of a process pass, and what the others are called.

use assay_manifest::{Ends, ExitMeaning, Expect, ExpectExit};
use assay_process::signal_name;
use assay_protocol::Status;

/// How a process of a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessEnd {
    /// It exited with this code.
    Exited(i32),
    /// This signal ended it.
    Signalled(i32),
    /// It ran into the step's `timeout` and was stopped.
    TimedOut,
    /// It used more memory than `resources.memory` and was killed.
    OverMemory {
        /// Bytes that its tree held.
        used: u64,
        /// Bytes that it was given.
        limit: u64,
    },
    /// The keeper of a detached server was killed, and the server with it.
    KeeperLost,
    /// A server that an earlier engine started is gone, and nobody saw how.
    Unseen,
}

/// What an end means under a step's `expect` or `status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The status.
    pub status: Status,
    /// Why; empty when it passed.
    pub reason: String,
    /// The exit code is mapped to `retry`.
    pub asks_retry: bool,
}

impl ProcessEnd {
    /// Exit code, if it exited.
    pub fn exit(self) -> Option<i32> {
        match self {
            Self::Exited(code) => Some(code),
            _ => None,
        }
    }

    /// Signal name, if one ended it.
    pub fn signal(self) -> Option<String> {
        match self {
            Self::Signalled(signal) => Some(signal_name(signal)),
            _ => None,
        }
    }

    /// In words.
    pub fn words(self) -> String {
        match self {
            Self::Exited(code) => format!("exit {code}"),
            Self::Signalled(signal) => signal_name(signal),
            Self::TimedOut => "timeout".to_owned(),
            Self::OverMemory { used, limit } => {
                format!("memory limit exceeded ({} of {} MiB)", used >> 20, limit >> 20)
            }
            Self::KeeperLost => "an end by force, because its keeper was killed".to_owned(),
            Self::Unseen => "an end that no engine saw, because it was adopted".to_owned(),
        }
    }

    /// What it means for the step.
    pub fn judge(self, ends: &Ends) -> Judged {
        let judged = |status, reason: String| Judged { status, reason, asks_retry: false };
        match (ends, self) {
            (Ends::Expect(expect), end) if expected(expect, end) => judged(Status::Passed, String::new()),
            (Ends::Expect(expect), end) => {
                let status = if end == Self::TimedOut { Status::TimedOut } else { Status::Failed };
                judged(status, format!("expected {}, got {}", expect_words(expect), end.words()))
            }
            (_, Self::TimedOut) => judged(Status::TimedOut, "ran into its `timeout`".to_owned()),
            (Ends::Map(map), Self::Exited(code)) => match map.iter().find(|(known, _)| *known == code) {
                Some((_, ExitMeaning::Status(Status::Passed))) => judged(Status::Passed, String::new()),
                Some((_, ExitMeaning::Status(status))) => {
                    judged(*status, format!("exit {code} means {} here", status.word()))
                }
                Some((_, ExitMeaning::Retry)) => Judged {
                    status: Status::Failed,
                    reason: format!("exit {code} asks for a new attempt"),
                    asks_retry: true,
                },
                None => judged(Status::Failed, format!("exit {code}")),
            },
            (_, Self::Exited(0)) => judged(Status::Passed, String::new()),
            (_, end @ Self::Signalled(_)) => judged(Status::Failed, format!("ended by {}", end.words())),
            (_, end) => judged(Status::Failed, end.words()),
        }
    }
}

fn expected(expect: &Expect, end: ProcessEnd) -> bool {
    match end {
        ProcessEnd::Exited(code) => match &expect.exit {
            Some(ExpectExit::Any) => true,
            Some(ExpectExit::Nonzero) => code != 0,
            Some(ExpectExit::Codes(codes)) => codes.contains(&code),
            None => false,
        },
        ProcessEnd::Signalled(signal) => expect.signal.as_deref() == Some(signal_name(signal).as_str()),
        ProcessEnd::TimedOut => expect.timeout,
        ProcessEnd::OverMemory { .. } | ProcessEnd::KeeperLost | ProcessEnd::Unseen => false,
    }
}

fn expect_words(expect: &Expect) -> String {
    let mut words = Vec::new();
    match &expect.exit {
        Some(ExpectExit::Any) => words.push("any exit".to_owned()),
        Some(ExpectExit::Nonzero) => words.push("a nonzero exit".to_owned()),
        Some(ExpectExit::Codes(codes)) => {
            let codes: Vec<String> = codes.iter().map(i32::to_string).collect();
            words.push(format!("exit {}", codes.join(" or ")));
        }
        None => {}
    }
    words.extend(expect.signal.clone());
    if expect.timeout {
        words.push("timeout".to_owned());
    }
    words.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::ProcessEnd;
    use assay_manifest::{Ends, ExitMeaning, Expect, ExpectExit};
    use assay_protocol::Status;

    #[test]
    fn expectations_name_what_came_instead() {
        let ends = Ends::Expect(Expect { exit: Some(ExpectExit::Nonzero), signal: None, timeout: false });
        assert_eq!(ProcessEnd::Exited(3).judge(&ends).status, Status::Passed);
        let judged = ProcessEnd::Exited(0).judge(&ends);
        assert_eq!(
            (judged.status, judged.reason.as_str()),
            (Status::Failed, "expected a nonzero exit, got exit 0")
        );
        assert_eq!(ProcessEnd::TimedOut.judge(&ends).status, Status::TimedOut);
    }

    #[test]
    fn a_status_map_renames_exit_codes() {
        let ends = Ends::Map(vec![
            (0, ExitMeaning::Status(Status::Passed)),
            (75, ExitMeaning::Retry),
            (137, ExitMeaning::Status(Status::Environment)),
        ]);
        assert_eq!(ProcessEnd::Exited(137).judge(&ends).status, Status::Environment);
        assert!(ProcessEnd::Exited(75).judge(&ends).asks_retry);
        assert_eq!(ProcessEnd::Exited(1).judge(&ends).status, Status::Failed);
        assert_eq!(ProcessEnd::Signalled(9).judge(&ends).reason, "ended by SIGKILL");
    }
}
