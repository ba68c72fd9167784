//! When each step was on a device: windows that cover the device's time once and only once.

use crate::analysis::Analysis;
use crate::name::EventKind;
use crate::store::Ns;
use crate::timeline::Span;

/// A stretch of a device's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub start: Ns,
    pub end: Ns,
    /// None between steps.
    pub step: Option<u32>,
    /// Time of the step's own range outside of its window.
    pub clipped: Ns,
}

/// The range of a step's events on a device.
#[derive(Debug, Clone, Copy)]
struct Range {
    step: u32,
    start: Ns,
    end: Ns,
    /// First kernel; a copy for the next step may run ahead of it.
    work: Ns,
}

/// Windows of steps and what lies between them, in order, from the first start to the last end without a gap. `None`
/// without events. `spans` is sorted by start.
pub(super) fn windows(analysis: &Analysis<'_>, spans: &[Span]) -> Option<Vec<Window>> {
    let first = spans.first()?.start;
    let last = spans.iter().map(|span| span.end).max()?;
    let mut result = Vec::new();
    let mut now = first;
    for window in clip(ranges(analysis, spans)) {
        if window.start > now {
            result.push(Window { start: now, end: window.start, step: None, clipped: 0 });
        }
        now = window.end;
        result.push(window);
    }
    if last > now {
        result.push(Window { start: now, end: last, step: None, clipped: 0 });
    }
    Some(result)
}

/// Ranges of steps by their first kernel.
fn ranges(analysis: &Analysis<'_>, spans: &[Span]) -> Vec<Range> {
    let mut of_step: Vec<Option<Range>> = vec![None; analysis.segments.steps.len()];
    for span in spans {
        let Some(step) = analysis.segments.of_event[span.event as usize] else { continue };
        let kernel = analysis.trace.gpu.kind[span.event as usize] == EventKind::Kernel;
        let new = Range { step, start: span.start, end: span.end, work: Ns::MAX };
        let range = of_step[step as usize].get_or_insert(new);
        range.end = range.end.max(span.end);
        range.work = range.work.min(if kernel { span.start } else { Ns::MAX });
    }
    let mut ranges: Vec<Range> = of_step.into_iter().flatten().collect();
    for range in &mut ranges {
        range.work = if range.work == Ns::MAX { range.start } else { range.work };
    }
    ranges.sort_unstable_by_key(|range| (range.work, range.start, range.step));
    ranges
}

/// Cuts ranges apart where they overlap: at the first kernel of the later step, or at the end of the earlier one if
/// that comes first. What the earlier one still does after the cut counts to the later window.
fn clip(ranges: Vec<Range>) -> Vec<Window> {
    let mut windows: Vec<(Window, Range)> = Vec::new();
    for range in ranges {
        let mut window = Window { start: range.start, end: range.end, step: Some(range.step), clipped: 0 };
        if let Some((last, _)) = windows.last_mut().filter(|(last, _)| range.start < last.end) {
            let cut = range.work.clamp(last.start, last.end);
            window.end = range.end.max(last.end);
            window.start = cut;
            last.end = cut;
        }
        windows.push((window, range));
    }
    // A step that lay within another one up to its first kernel has no time of its own.
    windows.retain(|(window, _)| window.start < window.end);
    let clipped = |(window, range): (Window, Range)| {
        let inside = range.end.min(window.end) - range.start.max(window.start);
        Window { clipped: range.end - range.start - inside.max(0), ..window }
    };
    windows.into_iter().map(clipped).collect()
}
