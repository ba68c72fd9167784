//! Exit codes: one per "who must act next".

use crate::{Outcome, Status};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! exit_codes {
    ($($variant:ident = $code:literal, $name:literal, $meaning:literal, $acts:literal;)*) => {
        /// The process exit codes of every verb. `assay explain exit-codes` prints this table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case")]
        pub enum ExitCode { $(#[doc = $meaning] $variant,)* }

        impl ExitCode {
            /// Every code, in numerical order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
            /// The number that the process exits with.
            pub fn code(self) -> u8 { match self { $(Self::$variant => $code),* } }
            /// The kebab-case name.
            pub fn name(self) -> &'static str { match self { $(Self::$variant => $name),* } }
            /// What it means, in one line.
            pub fn meaning(self) -> &'static str { match self { $(Self::$variant => $meaning),* } }
            /// Who must act next.
            pub fn who_acts(self) -> &'static str { match self { $(Self::$variant => $acts),* } }
        }
    };
}

exit_codes! {
    Ok = 0, "ok", "Done, all gates passed", "nobody";
    Internal = 1, "internal", "A bug or an I/O error of the engine itself; never a verdict", "the Assay team";
    Usage = 2, "usage", "Bad arguments", "caller";
    Nothing = 3, "nothing", "Nothing matched the selection", "caller";
    Findings = 10, "findings", "Lint findings at or above the chosen level", "author";
    InvalidManifest = 11, "invalid-manifest", "The manifest or its inputs cannot be parsed or resolved", "author";
    PreflightFailed = 20, "preflight-failed", "The environment is unfit; nothing was run", "operator";
    StepFailed = 21, "step-failed", "A step failed", "engineer";
    Timeout = 22, "timeout", "A step hit its time limit", "engineer";
    GateFailed = 23, "gate-failed", "A valid measurement missed its threshold", "engineer";
    Unfair = 24, "unfair", "Conditions differ from the baseline, or a record was tampered with", "reviewer";
    Inconclusive = 25, "inconclusive", "Noise or too few repeats: nothing can be decided", "whoever reruns it";
    Incorrect = 26, "incorrect", "A correctness gate failed", "engineer";
    ReviewOpen = 27, "review-open", "A review round is not closed", "reviewer";
    Running = 30, "running", "The run has not ended yet", "poll again";
    Waiting = 31, "waiting", "The run waits for an answer", "whoever is asked";
    Locked = 32, "locked", "Another process owns the run or a lock", "wait";
    UnknownRun = 33, "unknown-run", "No such run, or the prefix is ambiguous", "caller";
    Incompatible = 34, "incompatible", "Written by a newer format", "upgrade Assay";
    Unsupported = 40, "unsupported", "Not available in this build or on this host", "operator";
    Interrupted = 130, "interrupted", "Interrupted by SIGINT; the run can be resumed", "resume";
    Terminated = 143, "terminated", "Stopped by SIGTERM; the run can be resumed", "resume";
}

impl ExitCode {
    /// Precedence when several apply: the smaller, the stronger. From `manifest.md`, exit codes:
    /// 1 > 130/143 > 11 > 20 > 31 > 26 > 24 > 21 > 22 > 40 > 23 > 25 > 27.
    fn rank(self) -> u8 {
        match self {
            Self::Internal => 0,
            Self::Interrupted | Self::Terminated => 1,
            Self::InvalidManifest => 2,
            Self::PreflightFailed => 3,
            Self::Waiting => 4,
            Self::Incorrect => 5,
            Self::Unfair => 6,
            Self::StepFailed => 7,
            Self::Timeout => 8,
            Self::Unsupported => 9,
            Self::GateFailed => 10,
            Self::Inconclusive => 11,
            Self::ReviewOpen => 12,
            Self::Usage
            | Self::Nothing
            | Self::Findings
            | Self::Running
            | Self::Locked
            | Self::UnknownRun
            | Self::Incompatible => 13,
            Self::Ok => 14,
        }
    }

    /// The code that wins when both apply.
    pub fn strongest(self, other: Self) -> Self {
        if other.rank() < self.rank() { other } else { self }
    }

    /// The code a final step status contributes; `None` for those that stand for another's failure.
    pub fn of_status(status: Status) -> Option<Self> {
        match status {
            Status::Passed | Status::Skipped | Status::Excluded | Status::Blocked => None,
            Status::Failed | Status::Cancelled => Some(Self::StepFailed),
            Status::TimedOut => Some(Self::Timeout),
            Status::Environment | Status::Unsupported => Some(Self::Unsupported),
            Status::Incorrect => Some(Self::Incorrect),
            Status::Unfair => Some(Self::Unfair),
            Status::Inconclusive => Some(Self::Inconclusive),
        }
    }

    /// The code a gate's outcome contributes.
    pub fn of_outcome(outcome: Outcome) -> Option<Self> {
        match outcome {
            Outcome::Passed | Outcome::Warn | Outcome::Skipped => None,
            Outcome::Failed | Outcome::Blocked => Some(Self::GateFailed),
            Outcome::Incorrect => Some(Self::Incorrect),
            Outcome::Unfair | Outcome::Tampered => Some(Self::Unfair),
            Outcome::Inconclusive => Some(Self::Inconclusive),
        }
    }

    /// The code with this number.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|exit| exit.code() == code)
    }
}

#[cfg(test)]
mod tests {
    use super::ExitCode;

    #[test]
    fn numbers_are_distinct_and_documented() {
        let mut seen = std::collections::BTreeSet::new();
        for exit in ExitCode::ALL {
            assert!(seen.insert(exit.code()), "{} is used twice", exit.code());
            assert!(!exit.meaning().is_empty() && !exit.who_acts().is_empty());
            assert_eq!(ExitCode::from_code(exit.code()), Some(*exit));
        }
    }

    #[test]
    fn correctness_outranks_speed() {
        assert_eq!(ExitCode::GateFailed.strongest(ExitCode::Incorrect), ExitCode::Incorrect);
        assert_eq!(ExitCode::Incorrect.strongest(ExitCode::Inconclusive), ExitCode::Incorrect);
        assert_eq!(ExitCode::Ok.strongest(ExitCode::ReviewOpen), ExitCode::ReviewOpen);
    }
}
