//! What a compiler may use: memory, processor time, and the size of a file. A source can ask for any amount of each.
//!
//! A shell sets the limits and becomes the compiler: the parts that a compiler starts inherit them, with no moment in between.

use super::BuildError;
use assay_process::Spawn;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

/// Where every Unix has a shell.
const SHELL: &str = "/bin/sh";

/// Blocks of a file have 512 bytes, memory counts in KiB. A limit that is tighter already stays.
const SCRIPT: &str = "{ ulimit -c 0; ulimit -t \"$1\"; ulimit -f \"$2\"; ulimit -v \"$3\"; } 2>/dev/null
shift 3; exec \"$0\" \"$@\"";

/// Largest file that a compiler may write, in bytes.
const FILE: u64 = 1 << 30;

/// Limits of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    what: &'static str,
    hint: &'static str,
    /// Seconds, of the clock and of the processor.
    seconds: u64,
    /// Address space of each process, in GiB.
    memory: u64,
}

impl Bounds {
    /// A C compiler: a kernel takes seconds and some hundred megabytes.
    pub const COMPILER: Self = Self { what: "the compiler", hint: "", seconds: 120, memory: 4 };
    /// The preprocessor alone, which needs next to nothing.
    pub const PREPROCESSOR: Self = Self {
        what: "the preprocessor",
        hint: "; look for an include of a pipe or a device",
        seconds: 20,
        memory: 1,
    };
    /// nvcc, whose parts hold a program for each architecture.
    pub const NVCC: Self = Self { memory: 16, ..Self::COMPILER };

    /// Longest run.
    pub fn time(self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// What a run is that took longer.
    pub fn timeout(self) -> BuildError {
        BuildError::Timeout { what: self.what, seconds: self.seconds, hint: self.hint }
    }

    /// A program with arguments, within these bounds.
    pub fn around(self, program: &Path, arguments: &[OsString]) -> Spawn {
        let mut argv: Vec<OsString> = ["sh", "-c"].map(OsString::from).to_vec();
        argv.push(SCRIPT.into());
        argv.push(program.as_os_str().to_owned());
        argv.extend([self.seconds, FILE / 512, self.memory << 20].map(|number| number.to_string().into()));
        argv.extend_from_slice(arguments);
        Spawn { program: SHELL.into(), argv, ..Spawn::default() }
    }

    /// The bound that a compiler met, by its own words; `None` where it failed for another reason.
    pub fn met(self, log: &str) -> Option<String> {
        const MEMORY: [&str; 3] = ["out of memory allocating", "memory exhausted", "std::bad_alloc"];
        let says = |words: &[&str]| words.iter().any(|word| log.contains(word));
        if says(&MEMORY) {
            Some(format!("{} needs more than {} GiB of memory for it{}", self.what, self.memory, self.hint))
        } else if says(&["File size limit exceeded", "File too large"]) {
            Some(format!("{} writes more than {} GiB for it", self.what, FILE >> 30))
        } else if says(&["CPU time limit exceeded"]) {
            Some(format!("{} needs more than {} s of processor time for it", self.what, self.seconds))
        } else {
            None
        }
    }
}
