//! Which times are taken: what lies beyond is damage, and sums and differences of it would wrap around in every view.

use crate::store::{Ns, Trace};

/// 13 days in ns: no event takes longer, and no recording.
pub const LONGEST: Ns = 1 << 50;
/// 73 years in ns, before and after 0: times since boot, Unix times until 2043, and times since a report's own start.
pub const FARTHEST: Ns = 1 << 61;

/// Whether an event of these times, in ns, can be taken.
pub fn usable(start: Ns, dur: Ns) -> bool {
    (-FARTHEST..=FARTHEST).contains(&start) && (0..=LONGEST).contains(&dur)
}

/// Drops what lies over 13 days from the middle of the GPU's work, and counts it as without a usable time. Where
/// nothing ran on a GPU, the middle is that of the calls.
pub fn drop_far(trace: &mut Trace) {
    let starts = if trace.gpu.is_empty() { &trace.calls.start } else { &trace.gpu.start };
    let Some(middle) = median(starts) else { return };
    let near = |start: Ns| (start - middle).abs() <= LONGEST;
    let kept = |starts: &[Ns]| {
        let far = starts.iter().filter(|&&start| !near(start)).count();
        let rows = || (0..starts.len() as u32).filter(|&row| near(starts[row as usize])).collect::<Vec<_>>();
        (far > 0).then(|| (far as u64, rows()))
    };
    let Trace { gpu, calls, ops, annotations, frames, reading, .. } = trace;
    macro_rules! keep {
        ($($table:expr),*) => {
            $(if let Some((far, rows)) = kept(&$table.start) {
                $table.permute(&rows);
                reading.without_time += far;
            })*
        };
    }
    keep!(gpu, calls, ops, annotations);
    for frames in frames {
        keep!(frames);
    }
}

fn median(starts: &[Ns]) -> Option<Ns> {
    let mut starts = starts.to_vec();
    let middle = starts.len().checked_sub(1)? / 2;
    Some(*starts.select_nth_unstable(middle).1)
}
