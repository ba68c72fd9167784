//! Events in words: one line per event worth telling. Plain and live view say the same.

use crate::console::{Tone, clean, paint};
use crate::format::{duration, one_line, shell_word};
use assay_protocol::{Asked, Event, GateDecided, Outcome, Status, StepFinished, StepReady};

/// Characters of a reason in a line.
const REASON: usize = 200;

/// A line to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Without time and newline.
    pub text: String,
    /// Not to be kept back.
    pub important: bool,
}

/// The line for an event, if it is worth telling.
pub fn line(event: &Event, run_id: &str, color: bool) -> Option<Line> {
    let quiet = |text: String| Some(Line { text, important: false });
    let loud = |text: String| Some(Line { text, important: true });
    match event {
        Event::EngineStarted(data) if data.resume => {
            loud(resumed(data.ended_leftovers.len(), data.dropped_bytes))
        }
        Event::CheckFinished(data) => {
            let tone = match (data.status.satisfies_needs(), data.on_fail.as_str()) {
                (true, _) => Tone::Good,
                (false, "warn") => Tone::Warn,
                _ => Tone::Bad,
            };
            let word = paint(color, tone, data.status.word());
            let text = format!("check {} {word}{}", data.check, colon(&data.reason));
            if data.status.satisfies_needs() { quiet(text) } else { loud(text) }
        }
        Event::StepReady(StepReady { step, adopted: Some(why), .. }) => {
            loud(format!("{step} {}{}", paint(color, Tone::Good, "ready"), colon(why)))
        }
        Event::StepReady(data) => loud(format!(
            "{} {} after {}",
            data.step,
            paint(color, Tone::Good, "ready"),
            duration(data.ready_s)
        )),
        Event::StepFinished(data) => step(data, color),
        Event::GateDecided(data) => loud(gate(data, color)),
        Event::Asked(data) => loud(question(data, run_id, color)),
        Event::Answered(data) => match &data.refused {
            Some(why) => loud(format!("answer to {} refused: {why}", data.step)),
            None => loud(format!("{} answered: {}", data.step, clean(&data.choice))),
        },
        Event::Delivered(data) if data.sha256.is_empty() => {
            loud(format!("{} is not delivered{}", data.path, colon(&data.reason)))
        }
        Event::Invalidated(data) => quiet(format!("{} runs again{}", data.step, colon(&data.reason))),
        Event::Note(data) if data.about.is_empty() => {
            quiet(format!("note: {}", one_line(&data.message, REASON)))
        }
        Event::Note(data) => quiet(format!("note on {}: {}", data.about, one_line(&data.message, REASON))),
        Event::Interrupted(data) => loud(format!(
            "{} by {}; steps are being stopped",
            paint(color, Tone::Warn, "interrupted"),
            data.signal
        )),
        _ => None,
    }
}

fn resumed(leftovers: usize, dropped: u64) -> String {
    let mut text = "resumed".to_owned();
    if leftovers > 0 {
        text.push_str(&format!("; ended {} left over", crate::format::count(leftovers, "process")));
    }
    if dropped > 0 {
        text.push_str(&format!("; dropped a torn record of {dropped} bytes"));
    }
    text.replace("processs", "processes")
}

fn step(data: &StepFinished, color: bool) -> Option<Line> {
    // The sum over instances or inner steps says nothing that those did not say.
    if data.attempt == 0 && data.status == Status::Passed {
        return None;
    }
    let tone = match data.status {
        Status::Passed => Tone::Good,
        Status::Skipped | Status::Blocked | Status::Cancelled => Tone::Quiet,
        _ if data.warned => Tone::Warn,
        Status::Excluded | Status::Inconclusive => Tone::Warn,
        _ => Tone::Bad,
    };
    let word = paint(color, tone, data.status.word());
    let took = if data.attempt == 0 { String::new() } else { format!(" {}", duration(data.duration_s)) };
    let again = match (data.is_final, data.status) {
        (true, _) => String::new(),
        (false, Status::Cancelled) => " (goes on when the run is resumed)".to_owned(),
        (false, _) => format!(" (attempt {}, tries again)", data.attempt),
    };
    let cached = data.cached_from.as_ref().map(|run| format!(" (reused from run {run})")).unwrap_or_default();
    let text = format!("{} {word}{took}{again}{cached}{}", data.step, colon(&data.reason));
    Some(Line { text, important: matches!(tone, Tone::Bad | Tone::Warn) })
}

fn gate(data: &GateDecided, color: bool) -> String {
    let tone = match data.outcome {
        Outcome::Passed => Tone::Good,
        Outcome::Skipped => Tone::Quiet,
        Outcome::Warn | Outcome::Inconclusive => Tone::Warn,
        _ => Tone::Bad,
    };
    let why = if data.measured.is_empty() { &data.reason } else { &data.measured };
    format!("gate {} {}{}", data.gate, paint(color, tone, data.outcome.word()), colon(why))
}

fn question(data: &Asked, run_id: &str, color: bool) -> String {
    let step = shell_word(&data.step);
    let answers: Vec<String> = data
        .choices
        .iter()
        .map(|choice| format!("    assay answer {run_id} {step} {}", shell_word(choice)))
        .collect();
    format!(
        "{} {}: {}\n{}",
        data.step,
        paint(color, Tone::Warn, "asks"),
        clean(&data.question),
        answers.join("\n")
    )
}

fn colon(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {}", one_line(reason, REASON)) }
}

#[cfg(test)]
mod tests {
    use super::line;
    use assay_protocol::{Event, Status, StepFinished, ValueMap};

    fn finished(status: Status, attempt: u32, is_final: bool) -> Event {
        Event::StepFinished(StepFinished {
            step: "build[baseline]".to_owned(),
            attempt,
            status,
            is_final,
            reason: if status == Status::Passed { String::new() } else { "exit 3\u{1b}[2J".to_owned() },
            exit: None,
            signal: None,
            duration_s: 0.3,
            outputs: ValueMap::new(),
            outputs_file: None,
            stdout: None,
            stderr: None,
            reads: Vec::new(),
            warned: false,
            cached_from: None,
        })
    }

    #[test]
    fn one_line_per_end() {
        let text = |event: &Event| line(event, "ab", false).map(|line| line.text);
        assert_eq!(text(&finished(Status::Passed, 1, true)).unwrap(), "build[baseline] passed 0.3 s");
        assert_eq!(
            text(&finished(Status::Failed, 2, false)).unwrap(),
            "build[baseline] failed 0.3 s (attempt 2, tries again): exit 3\u{fffd}[2J"
        );
        assert_eq!(text(&finished(Status::Passed, 0, true)), None, "sums are not told");
        assert!(line(&finished(Status::Failed, 1, true), "ab", false).unwrap().important);
        assert!(!line(&finished(Status::Passed, 1, true), "ab", false).unwrap().important);
    }
}
