//! Axes: a wall clock that leaves out long idle gaps, and round numbers for ticks.

/// Idle time is folded when it is longer than this, in seconds, and than a fifth of the busy time.
const MIN_FOLD_S: f64 = 60.0;
/// Width of a folded gap in pixels.
const FOLD_WIDTH: f64 = 34.0;
const MAX_FOLDS: usize = 8;

/// Steps between ticks of a clock, in seconds.
const CLOCK_STEPS: [f64; 22] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
    600.0, 1800.0, 3600.0, 10_800.0, 43_200.0,
];

/// A stretch of time and where it is drawn.
struct Stretch {
    from: f64,
    to: f64,
    left: f64,
    right: f64,
}

/// Maps times (seconds since the Unix epoch) to pixels.
pub struct Clock {
    busy: Vec<Stretch>,
}

/// An idle gap that is folded away.
pub struct Fold {
    /// Left edge in pixels.
    pub left: f64,
    /// Right edge in pixels.
    pub right: f64,
    /// How long nothing ran, in seconds.
    pub seconds: f64,
}

impl Clock {
    /// An axis from `left` to `right` pixels over these intervals of work and all between them.
    pub fn new(mut work: Vec<(f64, f64)>, left: f64, right: f64) -> Self {
        work.retain(|(from, to)| from.is_finite() && to.is_finite());
        work.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut merged: Vec<(f64, f64)> = Vec::new();
        for (from, to) in work {
            match merged.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => merged.push((from, to.max(from))),
            }
        }
        let busy_s: f64 = merged.iter().map(|(from, to)| to - from).sum();
        let limit = MIN_FOLD_S.max(busy_s / 5.0);
        let mut parts: Vec<(f64, f64)> = Vec::new();
        for (from, to) in merged {
            match parts.last_mut() {
                Some(last) if from - last.1 <= limit => last.1 = to,
                _ => parts.push((from, to)),
            }
        }
        fold_back(&mut parts);
        if parts.is_empty() {
            parts.push((0.0, 1.0));
        }
        let shown: f64 = parts.iter().map(|(from, to)| (to - from).max(1e-6)).sum();
        let room = right - left - FOLD_WIDTH * (parts.len() - 1) as f64;
        let mut x = left;
        let stretch = |(from, to): (f64, f64)| {
            let width = (to - from).max(1e-6) / shown * room;
            let stretch = Stretch { from, to: to.max(from + 1e-6), left: x, right: x + width };
            x += width + FOLD_WIDTH;
            stretch
        };
        Self { busy: parts.into_iter().map(stretch).collect() }
    }

    /// The first moment shown.
    pub fn start(&self) -> f64 {
        self.busy.first().map_or(0.0, |stretch| stretch.from)
    }

    /// Where a moment stands; moments outside are moved to the nearest edge.
    pub fn x(&self, at: f64) -> f64 {
        let stretch = self.busy.iter().find(|stretch| at <= stretch.to).or(self.busy.last());
        stretch.map_or(0.0, |s| {
            let share = ((at - s.from) / (s.to - s.from)).clamp(0.0, 1.0);
            s.left + share * (s.right - s.left)
        })
    }

    /// The folded gaps.
    pub fn folds(&self) -> Vec<Fold> {
        let fold = |pair: &[Stretch]| Fold {
            left: pair[0].right,
            right: pair[1].left,
            seconds: pair[1].from - pair[0].to,
        };
        self.busy.windows(2).map(fold).collect()
    }

    /// Moments for ticks, about one per `spacing` pixels, and the seconds between them.
    pub fn ticks(&self, spacing: f64) -> (Vec<f64>, f64) {
        let shown: f64 = self.busy.iter().map(|s| s.to - s.from).sum();
        let room: f64 = self.busy.iter().map(|s| s.right - s.left).sum();
        let wished = shown / (room / spacing).max(1.0);
        let step = CLOCK_STEPS
            .into_iter()
            .find(|step| *step >= wished)
            .unwrap_or((wished / 86_400.0).ceil() * 86_400.0);
        let mut ticks = Vec::new();
        for stretch in &self.busy {
            // Counted from the start of the stretch: the reader wants to know how long, then when.
            let count = ((stretch.to - stretch.from) / step).floor() as usize;
            ticks.extend((0..=count.min(60)).map(|index| stretch.from + index as f64 * step));
        }
        (ticks, step)
    }
}

/// Keeps the [`MAX_FOLDS`] longest gaps folded and joins the stretches around the others.
fn fold_back(parts: &mut Vec<(f64, f64)>) {
    if parts.len() <= MAX_FOLDS + 1 {
        return;
    }
    let mut gaps: Vec<f64> = parts.windows(2).map(|pair| pair[1].0 - pair[0].1).collect();
    gaps.sort_by(|a, b| b.total_cmp(a));
    let longest = gaps[MAX_FOLDS - 1];
    let mut left = MAX_FOLDS;
    let mut joined: Vec<(f64, f64)> = Vec::new();
    for (from, to) in parts.drain(..) {
        match joined.last_mut() {
            Some(last) if from - last.1 < longest || left == 0 => last.1 = to,
            Some(_) => {
                left -= 1;
                joined.push((from, to));
            }
            None => joined.push((from, to)),
        }
    }
    *parts = joined;
}

/// Round numbers between `low` and `high`, about `wished` of them.
pub fn round_ticks(low: f64, high: f64, wished: usize) -> Vec<f64> {
    let span = high - low;
    if !span.is_finite() || span <= 0.0 {
        return vec![low];
    }
    let raw = span / wished.max(1) as f64;
    let magnitude = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * magnitude).into_iter().find(|s| *s >= raw).unwrap_or(raw);
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    (first..=last.min(first + 40)).map(|index| index as f64 * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_night_without_work_is_folded() {
        let clock = Clock::new(vec![(0.0, 10.0), (40_000.0, 40_010.0), (5.0, 12.0)], 0.0, 1000.0);
        let folds = clock.folds();
        assert_eq!(folds.len(), 1);
        assert!((folds[0].seconds - 39_988.0).abs() < 1e-6);
        assert_eq!(clock.x(0.0), 0.0);
        assert!((clock.x(40_010.0) - 1000.0).abs() < 1e-6);
        assert!(clock.x(12.0) < clock.x(40_000.0));
        assert_eq!(clock.x(20_000.0), clock.x(40_000.0));
    }

    #[test]
    fn short_pauses_stay() {
        assert!(Clock::new(vec![(0.0, 1.0), (30.0, 31.0)], 0.0, 100.0).folds().is_empty());
    }

    #[test]
    fn many_folds_are_limited_and_nothing_divides_by_zero() {
        let work = (0..100).map(|n| (f64::from(n) * 1e5, f64::from(n) * 1e5 + 1.0)).collect();
        assert!(Clock::new(work, 0.0, 700.0).folds().len() <= MAX_FOLDS);
        assert!(Clock::new(Vec::new(), 0.0, 700.0).x(3.0).is_finite());
        assert!(Clock::new(vec![(5.0, 5.0)], 0.0, 700.0).x(5.0).is_finite());
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(
            round_ticks(0.93, 1.12, 4),
            [0.95, 1.0, 1.05, 1.1].map(|t: f64| (t / 0.05).round() * 0.05)
        );
        let (ticks, step) = Clock::new(vec![(100.0, 160.0)], 0.0, 600.0).ticks(100.0);
        assert_eq!((ticks.len(), step), (7, 10.0));
    }
}
