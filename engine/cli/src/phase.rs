//! Where a run stands, from its records and from whether somebody works on it.

use assay_protocol::{ExitCode, RunState};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// An engine works on it.
    Running,
    /// It waits for an answer; nobody works on it.
    Waiting,
    /// It has ended.
    Finished(ExitCode),
    /// Its engine stopped before the end and said so.
    Interrupted,
    /// Its engine is gone without a word.
    Lost,
}

impl Phase {
    /// Reads it off the records. `working`: somebody holds the run's lock.
    pub fn of(state: &RunState, working: bool) -> Self {
        if working {
            return Self::Running;
        }
        if let Some(finished) = &state.finished {
            return match ExitCode::from_code(finished.exit) {
                Some(ExitCode::Waiting) => Self::Waiting,
                Some(ExitCode::Interrupted | ExitCode::Terminated) => Self::Interrupted,
                Some(exit) => Self::Finished(exit),
                None => Self::Finished(ExitCode::Internal),
            };
        }
        let interrupted = state.sessions.last().is_some_and(|session| session.interrupted.is_some());
        if interrupted {
            Self::Interrupted
        } else if state.waiting().next().is_some() {
            Self::Waiting
        } else {
            Self::Lost
        }
    }

    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Finished(_) => "finished",
            Self::Interrupted => "interrupted",
            Self::Lost => "lost",
        }
    }

    /// The exit code that stands for it.
    pub fn exit(self, state: &RunState) -> ExitCode {
        match self {
            Self::Running => ExitCode::Running,
            Self::Waiting => ExitCode::Waiting,
            Self::Finished(exit) => exit,
            Self::Interrupted => {
                let signal = state.sessions.last().and_then(|session| session.interrupted.as_deref());
                if signal == Some("SIGTERM") { ExitCode::Terminated } else { ExitCode::Interrupted }
            }
            Self::Lost => ExitCode::Interrupted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Phase;
    use assay_protocol::{Event, ExitCode, RunFinished, RunState, ValueMap};

    #[test]
    fn the_lock_tells_running_from_lost() {
        let mut state = RunState::default();
        assert_eq!(Phase::of(&state, true), Phase::Running);
        assert_eq!(Phase::of(&state, false), Phase::Lost);
        let finished = RunFinished {
            exit: 26,
            verdict: String::new(),
            outputs: ValueMap::new(),
            output_reasons: ValueMap::new(),
            duration_s: 0.0,
        };
        state.apply(1.0, Event::RunFinished(finished));
        assert_eq!(Phase::of(&state, false), Phase::Finished(ExitCode::Incorrect));
    }
}
