//! Union, overlap and exposure of GPU activities by one sweep over their starts and ends.
//!
//! Activities come in launch order, not in time order; points wait until no earlier one can come. Only the run-ahead
//! of the CPU is held.

use super::truth::{GpuTruth, PassTruth};

/// What an activity counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Communication,
    /// Any other kernel.
    Compute,
    /// Copies and fills.
    Other,
}

#[derive(Debug, Clone, Copy)]
struct Point {
    at: u64,
    begins: bool,
    stream: usize,
    work: Work,
    pass: Option<usize>,
}

/// The sweep, with what is active at its front.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    waiting: Vec<Point>,
    streams: Vec<u32>,
    communication: u32,
    compute: u32,
    /// The pass of the collective that began last.
    collective_of: Option<usize>,
    front: u64,
    began: bool,
    gpu: GpuTruth,
}

impl Sweep {
    pub(super) fn add(&mut self, (start, end): (u64, u64), stream: usize, work: Work, pass: Option<usize>) {
        self.waiting.push(Point { at: start, begins: true, stream, work, pass });
        self.waiting.push(Point { at: end, begins: false, stream, work, pass });
    }

    /// Sweeps up to `until`, before which no further activity starts.
    pub(super) fn settle(&mut self, until: u64, passes: &mut [PassTruth]) {
        let (mut ready, later): (Vec<_>, Vec<_>) = self.waiting.iter().partition(|point| point.at < until);
        self.waiting = later;
        // An activity that lasts no time must begin before it ends.
        ready.sort_by_key(|point| (point.at, !point.begins));
        for point in ready {
            self.step(point, passes);
        }
    }

    /// The account of the whole device, after the last point.
    pub(super) fn finish(mut self, passes: &mut [PassTruth]) -> GpuTruth {
        self.settle(u64::MAX, passes);
        self.gpu.end_ns = self.front;
        self.gpu.window_ns = self.gpu.end_ns - self.gpu.start_ns;
        self.gpu.idle_ns = self.gpu.window_ns - self.gpu.busy_ns;
        self.gpu
    }

    fn step(&mut self, point: Point, passes: &mut [PassTruth]) {
        if self.began {
            self.account(point.at - self.front, passes);
        } else {
            self.began = true;
            self.gpu.start_ns = point.at;
        }
        self.front = point.at;
        if self.streams.len() <= point.stream {
            self.streams.resize(point.stream + 1, 0);
        }
        let shift = |count: &mut u32| if point.begins { *count += 1 } else { *count -= 1 };
        shift(&mut self.streams[point.stream]);
        match point.work {
            Work::Communication => {
                shift(&mut self.communication);
                if point.begins {
                    self.collective_of = point.pass;
                }
            }
            Work::Compute => shift(&mut self.compute),
            Work::Other => {}
        }
    }

    fn account(&mut self, length: u64, passes: &mut [PassTruth]) {
        match self.streams.iter().filter(|&&active| active > 0).count() {
            0 => return,
            1 => {}
            _ => self.gpu.overlap_ns += length,
        }
        self.gpu.busy_ns += length;
        if self.communication == 0 {
            return;
        }
        let pass = self.collective_of.and_then(|at| passes.get_mut(at));
        if self.compute == 0 {
            self.gpu.exposed_ns += length;
            if let Some(pass) = pass {
                pass.exposed_ns += length;
            }
        } else {
            self.gpu.hidden_ns += length;
            if let Some(pass) = pass {
                pass.hidden_ns += length;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn communication_is_exposed_only_where_no_kernel_runs_beside_it() {
        let mut sweep = Sweep::default();
        sweep.add((10, 30), 0, Work::Compute, None);
        sweep.add((20, 50), 1, Work::Communication, None);
        sweep.add((45, 60), 2, Work::Other, None);
        sweep.settle(40, &mut []);
        sweep.add((70, 80), 0, Work::Compute, None);
        let gpu = sweep.finish(&mut []);
        let expected = GpuTruth {
            start_ns: 10,
            end_ns: 80,
            window_ns: 70,
            busy_ns: 60,
            idle_ns: 10,
            overlap_ns: 15,
            exposed_ns: 20,
            hidden_ns: 10,
        };
        assert_eq!(gpu, expected);
    }

    #[test]
    fn nothing_at_all_is_zero() {
        assert_eq!(Sweep::default().finish(&mut []), GpuTruth::default());
    }
}
