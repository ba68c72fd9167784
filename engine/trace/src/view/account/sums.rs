//! Adding time up window by window, in whole nanoseconds.

use super::idle::Cause;
use super::windows::Window;
use super::{IdleCauses, Part, Parts};
use crate::name::Lane;
use crate::store::Ns;

/// Which lanes are at work.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Busy {
    compute: bool,
    elementwise: bool,
    other: bool,
    memory_kernel: bool,
    communication: bool,
    copy: bool,
}

impl Busy {
    /// Of what is active: whether it is a kernel, and its lane.
    pub(super) fn of(active: impl Iterator<Item = (bool, Lane)>) -> Self {
        let mut busy = Self::default();
        for (is_kernel, lane) in active {
            match lane {
                Lane::Compute => busy.compute = true,
                Lane::Elementwise => busy.elementwise = true,
                Lane::Other => busy.other = true,
                Lane::Communication => busy.communication = true,
                Lane::Memory if is_kernel => busy.memory_kernel = true,
                Lane::Memory => busy.copy = true,
            }
        }
        busy
    }

    /// Whether a kernel that is no communication is at work.
    fn kernel(self) -> bool {
        self.compute || self.elementwise || self.other || self.memory_kernel
    }
}

/// Time of a window by what it was spent on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub window: Ns,
    pub idle: Ns,
    compute: Ns,
    elementwise: Ns,
    other: Ns,
    memory_kernels: Ns,
    communication_exposed: Ns,
    copies_exposed: Ns,
    communication_hidden: Ns,
    copies_hidden: Ns,
    causes: [Ns; 5],
}

impl Sums {
    pub(super) fn add_busy(&mut self, busy: Busy, time: Ns) {
        let part = match busy {
            Busy { compute: true, .. } => &mut self.compute,
            Busy { elementwise: true, .. } => &mut self.elementwise,
            Busy { other: true, .. } => &mut self.other,
            Busy { memory_kernel: true, .. } => &mut self.memory_kernels,
            Busy { communication: true, .. } => &mut self.communication_exposed,
            _ => &mut self.copies_exposed,
        };
        *part += time;
        if busy.communication && busy.kernel() {
            self.communication_hidden += time;
        }
        if busy.copy && (busy.kernel() || busy.communication) {
            self.copies_hidden += time;
        }
    }

    pub(super) fn add_idle(&mut self, cause: Cause, time: Ns) {
        self.idle += time;
        self.causes[cause as usize] += time;
    }

    pub(super) fn plus(mut self, other: &Self) -> Self {
        self.window += other.window;
        self.idle += other.idle;
        self.compute += other.compute;
        self.elementwise += other.elementwise;
        self.other += other.other;
        self.memory_kernels += other.memory_kernels;
        self.communication_exposed += other.communication_exposed;
        self.copies_exposed += other.copies_exposed;
        self.communication_hidden += other.communication_hidden;
        self.copies_hidden += other.copies_hidden;
        for (sum, more) in self.causes.iter_mut().zip(other.causes) {
            *sum += more;
        }
        self
    }

    pub(super) fn parts(&self, with_causes: bool) -> Parts {
        let busy = self.compute
            + self.elementwise
            + self.other
            + self.memory_kernels
            + self.communication_exposed
            + self.copies_exposed;
        debug_assert_eq!(busy + self.idle, self.window, "the parts of a window must sum to it");
        debug_assert!(!with_causes || self.causes.iter().sum::<Ns>() == self.idle, "causes must sum to idle");
        let part = |ns: Ns| Part { ns, share: ns as f64 * 100.0 / self.window.max(1) as f64 };
        let cause = |cause: Cause| part(self.causes[cause as usize]);
        let idle_causes = IdleCauses {
            host_bound: cause(Cause::Host),
            launch: cause(Cause::Launch),
            sync: cause(Cause::Sync),
            graph: cause(Cause::Graph),
            unknown: cause(Cause::Unknown),
        };
        Parts {
            window_ns: self.window,
            busy: part(busy),
            compute: part(self.compute),
            elementwise: part(self.elementwise),
            other: part(self.other),
            memory_kernels: part(self.memory_kernels),
            communication_exposed: part(self.communication_exposed),
            copies_exposed: part(self.copies_exposed),
            communication_hidden: part(self.communication_hidden),
            copies_hidden: part(self.copies_hidden),
            idle: part(self.idle),
            idle_causes: with_causes.then_some(idle_causes),
        }
    }
}

/// Gives stretches of time, which come in order, to the windows that they lie in.
pub(super) struct Cursor<'a> {
    windows: &'a [Window],
    at: usize,
    /// As long as the windows.
    pub sums: Vec<Sums>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(windows: &'a [Window]) -> Self {
        let whole = |window: &Window| Sums { window: window.end - window.start, ..Sums::default() };
        Self { windows, at: 0, sums: windows.iter().map(whole).collect() }
    }

    /// Calls `each` with every window that the stretch touches and the time within it.
    pub(super) fn add(&mut self, from: Ns, until: Ns, each: impl Fn(&mut Sums, Ns)) {
        let mut now = from;
        while now < until {
            while self.windows[self.at].end <= now {
                self.at += 1;
            }
            let then = until.min(self.windows[self.at].end);
            each(&mut self.sums[self.at], then - now);
            now = then;
        }
    }
}
