//! The events of the simulated process, and who wants to hear of them.

use std::borrow::Cow;
use std::io;

use super::json::{Cat, push_escaped, push_number};
use super::kernels::Role;
use super::model::Site;
use super::truth::{CollectiveTruth, Stage};

/// An operator or a step mark that begins.
#[derive(Debug, Clone)]
pub(super) struct Operator {
    pub(super) external: u64,
    pub(super) name: Cow<'static, str>,
    pub(super) mark: bool,
    /// First dimension of its inputs.
    pub(super) rows: u32,
    pub(super) start: u64,
}

/// What a Python frame is called.
#[derive(Debug, Clone, Copy)]
pub(super) enum FrameName {
    Plain(&'static str),
    /// A function of the framework below the folder it is installed in.
    Framework(&'static str, &'static Site),
    Module(&'static str, u32),
    /// Method, object, address.
    BuiltIn(&'static str, &'static str, u64),
}

impl FrameName {
    pub(super) fn push(self, buffer: &mut Vec<u8>, poison: &[u8]) {
        match self {
            Self::Plain(text) => push_escaped(buffer, text),
            Self::Framework(folder, site) => {
                buffer.extend_from_slice(folder.as_bytes());
                buffer.extend_from_slice(site.path.as_bytes());
                buffer.push(b'(');
                push_number(buffer, u64::from(site.line));
                buffer.extend_from_slice(b"): ");
                buffer.extend_from_slice(site.function.as_bytes());
            }
            Self::Module(class, index) => {
                buffer.extend_from_slice(b"nn.Module: ");
                buffer.extend_from_slice(class.as_bytes());
                buffer.push(b'_');
                push_number(buffer, u64::from(index));
            }
            Self::BuiltIn(method, object, address) => {
                buffer.extend_from_slice(b"<built-in method ");
                buffer.extend_from_slice(method.as_bytes());
                buffer.extend_from_slice(b" of ");
                buffer.extend_from_slice(object.as_bytes());
                buffer.extend_from_slice(poison);
                buffer.extend_from_slice(b" object at 0x");
                push_hex(buffer, address);
                buffer.push(b'>');
            }
        }
    }
}

fn push_hex(buffer: &mut Vec<u8>, value: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let width = (64 - value.leading_zeros()).div_ceil(4).max(1);
    buffer.extend((0..width).rev().map(|at| DIGITS[(value >> (4 * at) & 15) as usize]));
}

/// A Python frame that begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) id: u64,
    pub(super) parent: Option<u64>,
    pub(super) name: FrameName,
    pub(super) start: u64,
    /// Open until the recording ends.
    pub(super) lasting: bool,
}

/// A call of the runtime or the driver.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) cat: Cat,
    pub(super) name: &'static str,
    /// The number of the function in the profiling library.
    pub(super) function: u64,
    pub(super) start: u64,
    pub(super) duration: u64,
    pub(super) correlation: u64,
    pub(super) external: Option<u64>,
    /// The kernel it starts, when it starts exactly one.
    pub(super) kernel: Option<&'static str>,
    /// Whether it starts anything on the device.
    pub(super) starts: bool,
}

/// An activity of the device.
#[derive(Debug, Clone, Copy)]
pub(super) struct Activity {
    pub(super) role: Role,
    pub(super) name: &'static str,
    /// Position of the stream in the list of streams.
    pub(super) stream: usize,
    pub(super) start: u64,
    pub(super) duration: u64,
    pub(super) stage: Stage,
    pub(super) layer: Option<u32>,
    pub(super) blocks: u32,
    pub(super) origin: Origin,
    /// Start of the launch call.
    pub(super) launched: Option<u64>,
    pub(super) collective: Option<CollectiveTruth>,
}

/// What started an activity.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin {
    Eager {
        correlation: u64,
        external: u64,
        site: &'static Site,
        operator: &'static str,
    },
    Replay {
        correlation: u64,
        graph: u32,
        node: u32,
    },
    /// Launched before the recording began.
    Before {
        correlation: u64,
    },
}

impl Origin {
    pub(super) fn correlation(self) -> u64 {
        match self {
            Self::Eager { correlation, .. }
            | Self::Replay { correlation, .. }
            | Self::Before { correlation } => correlation,
        }
    }
}

/// Hears of the events in the order of the CPU thread, each beginning with its start.
///
/// The profiler writes operators, then frames, then calls and activities; the simulation therefore runs once for each
/// of the three listeners, instead of keeping two sections of the file in memory.
pub(super) trait Sink {
    fn open_operator(&mut self, _operator: Operator) {}
    fn close_operator(&mut self, _external: u64, _end: u64) {}
    fn open_frame(&mut self, _frame: Frame) {}
    fn close_frame(&mut self, _id: u64, _end: u64) {}
    fn call(&mut self, _call: &Call) {}
    fn activity(&mut self, _activity: &Activity) {}
    fn open_pass(&mut self, _step: u32, _stage: Stage) {}
    /// All activities of the pass are known, and no later one starts before `now`.
    fn close_pass(&mut self, _marks: &[(u64, String)], _now: u64) {}
    /// The first failure of the output so far.
    fn check(&mut self) -> io::Result<()>;
}
