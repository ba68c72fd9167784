//! How a status or an outcome looks: an icon, a word and a tone, so that nothing is told by colour alone.

use assay_protocol::{CheckState, ExitCode, GateState, NodeState, Outcome, Status};

/// The family of colours that a mark takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tone {
    /// It passed.
    Good,
    /// It is wrong and somebody must act.
    Bad,
    /// Worth a look.
    Warn,
    /// Neither good nor bad.
    Quiet,
    /// Under way.
    Live,
}

impl Tone {
    /// The CSS class that sets the colours.
    pub fn class(self) -> &'static str {
        match self {
            Self::Good => "t-good",
            Self::Bad => "t-bad",
            Self::Warn => "t-warn",
            Self::Quiet => "t-quiet",
            Self::Live => "t-live",
        }
    }
}

/// Icon, word and tone of one status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mark {
    /// The word shown; recorded words with a blank instead of the underscore.
    pub word: &'static str,
    /// A character for plain text.
    pub sign: &'static str,
    /// Its colours.
    pub tone: Tone,
    /// SVG path data of the icon in a box of 16 by 16.
    pub path: &'static str,
}

const CIRCLE: &str = "M13.5 8a5.5 5.5 0 1 1-11 0a5.5 5.5 0 0 1 11 0z";

macro_rules! marks {
    ($($name:ident = $word:literal, $sign:literal, $tone:ident, $path:expr;)*) => {
        $(pub(crate) const $name: Mark = Mark { word: $word, sign: $sign, tone: Tone::$tone, path: $path };)*

        /// Every mark, for the icons at the top of an HTML file.
        pub const ALL: &[Mark] = &[$($name),*];
    };
}

marks! {
    PASSED = "passed", "✓", Good, "M3.2 8.6l3.1 3.1 6.5-7.2";
    FAILED = "failed", "✗", Bad, "M4.2 4.2l7.6 7.6M11.8 4.2l-7.6 7.6";
    TIMED_OUT = "timed out", "◷", Bad, "M13.5 8a5.5 5.5 0 1 1-11 0a5.5 5.5 0 0 1 11 0zM8 4.8V8l2.3 1.5";
    ENVIRONMENT = "environment", "△", Warn, "M8 2.6l6 10.6H2zM8 6.6v3M8 11.3v.2";
    UNSUPPORTED = "unsupported", "⊠", Warn, "M3 3h10v10H3zM5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8";
    EXCLUDED = "excluded", "⊖", Warn, "M13.5 8a5.5 5.5 0 1 1-11 0a5.5 5.5 0 0 1 11 0zM5.3 8h5.4";
    SKIPPED = "skipped", "»", Quiet, "M4 4.3L7.7 8 4 11.7M8.6 4.3L12.3 8l-3.7 3.7";
    BLOCKED = "blocked", "⊘", Quiet, "M13.5 8a5.5 5.5 0 1 1-11 0a5.5 5.5 0 0 1 11 0zM4.2 4.2l7.6 7.6";
    CANCELLED = "cancelled", "■", Warn, "M4.5 4.5h7v7h-7z";
    INCORRECT = "incorrect", "≠", Bad, "M3 6h10M3 10h10M10.6 2.8L5.4 13.2";
    UNFAIR = "unfair", "⚖", Bad, "M8 3v10M5 13h6M3 6l10-2M1.8 9.2L3 6l1.2 3.2zM11.8 7.2L13 4l1.2 3.2z";
    INCONCLUSIVE = "inconclusive", "≈", Warn, "M2.5 6.8c2-2.6 3.7-2.6 5.5-1s3.5 1.6 5.5-1M2.5 11.2c2-2.6 3.7-2.6 5.5-1s3.5 1.6 5.5-1";
    WARN = "warn", "△", Warn, "M8 2.6l6 10.6H2zM8 6.6v3M8 11.3v.2";
    TAMPERED = "tampered", "‼", Bad, "M5.6 2.8v6.6M5.6 12.4v.4M10.4 2.8v6.6M10.4 12.4v.4";
    RUNNING = "running", "▶", Live, "M5 3.4l7.4 4.6L5 12.6z";
    WAITING = "waiting for an answer", "?", Live, "M5.4 6a2.6 2.6 0 1 1 3.6 2.4c-.7.3-1 .8-1 1.6M8 12.4v.3";
    ENDED = "ended with its engine", "⌁", Quiet, "M2.5 8h4l1.5-3 1.5 6L11 8h2.5";
    NOT_REACHED = "not reached", "○", Quiet, CIRCLE;
}

/// The mark of a recorded status.
pub fn status(status: Status) -> Mark {
    match status {
        Status::Passed => PASSED,
        Status::Failed => FAILED,
        Status::TimedOut => TIMED_OUT,
        Status::Environment => ENVIRONMENT,
        Status::Unsupported => UNSUPPORTED,
        Status::Excluded => EXCLUDED,
        Status::Skipped => SKIPPED,
        Status::Blocked => BLOCKED,
        Status::Cancelled => CANCELLED,
        Status::Incorrect => INCORRECT,
        Status::Unfair => UNFAIR,
        Status::Inconclusive => INCONCLUSIVE,
    }
}

/// The mark of a recorded gate outcome.
pub fn outcome(outcome: Outcome) -> Mark {
    match outcome {
        Outcome::Passed => PASSED,
        Outcome::Failed => FAILED,
        Outcome::Incorrect => INCORRECT,
        Outcome::Unfair => UNFAIR,
        Outcome::Inconclusive => INCONCLUSIVE,
        Outcome::Warn => WARN,
        Outcome::Blocked => BLOCKED,
        Outcome::Skipped => SKIPPED,
        Outcome::Tampered => TAMPERED,
    }
}

/// The mark of a step as far as the journal tells.
pub fn node(node: Option<&NodeState>) -> Mark {
    let Some(node) = node else { return NOT_REACHED };
    match node.status() {
        Some(ended) => status(ended),
        None if node.is_waiting() => WAITING,
        None if node.is_running() => RUNNING,
        None => NOT_REACHED,
    }
}

/// The mark of a gate, decided or not.
pub fn gate(gate: Option<&GateState>) -> Mark {
    gate.map_or(NOT_REACHED, |gate| outcome(gate.decided.outcome))
}

/// The mark of a preflight check, ended or not.
pub fn check(check: Option<&CheckState>) -> Mark {
    check.map_or(NOT_REACHED, |check| match (check.finished.status, check.finished.on_fail.as_str()) {
        (ended, "warn") if !ended.satisfies_needs() => WARN,
        (ended, _) => status(ended),
    })
}

/// The mark of a whole run by its recorded exit code.
pub fn exit(code: ExitCode) -> Mark {
    let like = match code {
        ExitCode::Ok => PASSED,
        ExitCode::Incorrect => INCORRECT,
        ExitCode::Unfair => UNFAIR,
        ExitCode::Inconclusive => INCONCLUSIVE,
        ExitCode::Timeout => TIMED_OUT,
        ExitCode::PreflightFailed | ExitCode::Unsupported => ENVIRONMENT,
        ExitCode::Interrupted | ExitCode::Terminated => CANCELLED,
        ExitCode::Running => RUNNING,
        ExitCode::Waiting | ExitCode::ReviewOpen => WAITING,
        _ => FAILED,
    };
    Mark { word: code.name(), ..like }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_told_apart_without_colour() {
        let words: std::collections::BTreeSet<_> = ALL.iter().map(|mark| mark.word).collect();
        assert_eq!(words.len(), ALL.len());
        for ended in Status::ALL {
            assert_eq!(status(ended).word, ended.word().replace('_', " "));
        }
    }
}
