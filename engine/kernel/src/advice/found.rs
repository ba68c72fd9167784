//! How the judge comes to each code: what it did, as a sentence. Data: it decides nothing.

use crate::verdict::Code;

impl Code {
    /// How the judge finds it, as a sentence. There is one for every code: the compiler asks for it.
    pub fn found(self) -> &'static str {
        match self {
            Self::AcceptFaster => {
                "Every gate passed, and the lower end of the interval of the geometric mean over the headline shapes lies above `1 + timing.min_effect`, with no shape slower than `timing.regress_limit`."
            }
            Self::NoChange => {
                "Every gate passed, and the interval of the geometric mean over the headline shapes contains 1 and lies within 3 % of it."
            }
            Self::RejectSlower => {
                "Every gate passed, and the upper end of the interval of the geometric mean lies below `1 - timing.min_effect`."
            }
            Self::Inconclusive => {
                "Every gate passed; the interval still covers more than one answer after `timing.extend` times the samples, or one headline shape is slower by more than `timing.regress_limit` while the whole is faster."
            }
            Self::NoisyDevice => {
                "Before the candidate is timed, the baseline is timed against itself in the same way; every block is bracketed by the judge's own clock."
            }
            Self::LockBroken => {
                "SHA-256 of every file of the task, taken when it was loaded, is compared before the candidate is built and once more at the end."
            }
            Self::ForbiddenImport => {
                "The dynamic symbol table of the library, or the imports of a script, are compared with what every kernel may use (`assay kernel allowed`) and with `allow`."
            }
            Self::ForbiddenExport => {
                "The dynamic symbol table of the library: only the entry may be visible to others."
            }
            Self::ForbiddenConstructor => {
                "The dynamic section is read as the loader reads it: functions that run at loading or unloading, indirect symbols, and initialisers beyond the compiler's own."
            }
            Self::ForbiddenInstruction => {
                "Executable bytes are decoded from every place where code may begin; system calls, clocks, and writes to control registers are refused."
            }
            Self::BuildFailed => {
                "The source is preprocessed once with the task's flags and an empty environment; that text is read for pragmas, attributes, assembler and files that would change the build, and it is what is compiled, within limits of time and memory."
            }
            Self::LoadFailed => {
                "The library is loaded in a worker, with everything resolved at once; the loader's message is kept."
            }
            Self::AbiSymbolMissing => "The entry `abi.symbol` is looked up before and after loading.",
            Self::ReturnedError => {
                "Each call that the task's axes, types and layouts allow must return 0; this one did not."
            }
            Self::NotRejected => {
                "Each line of the task's `reject` is made as a call with one thing wrong; every one must return another code than 0 and leave outputs alone."
            }
            Self::OutputUnwritten => {
                "Outputs hold one pattern before a call and another before the next; an element that still holds both was not written."
            }
            Self::WrongValue => {
                "Each element is compared with an oracle in binary64, at every scale of the inputs and every value of the scalars, at the shapes of `workloads`."
            }
            Self::WrongHiddenShape => {
                "The same comparison at sizes from `hidden.odd`, at the ends of the axes' ranges, and at sizes drawn in each judgement, one of them larger than `hidden.max_elements`."
            }
            Self::WrongScalar => {
                "The same comparison at the smallest measured shape with the other `values` of the scalars, also with inputs a thousand times smaller than the smallest of `scales`, where a small number shows."
            }
            Self::WrongStrided => {
                "The same comparison with rows that have gaps between them, other ones in each tensor, for tensors with `strides: row_padded_ok`, and with a `byte_offset` in each descriptor."
            }
            Self::OobWrite => {
                "Memory beside each tensor and between its rows holds known bytes, with a page that nobody may touch behind it; a byte changed. A write that hits the page is `OOB_ACCESS`."
            }
            Self::OobAccess => {
                "Each tensor lies with its first byte, then with its last, against a page that nobody may touch; a read or a write hit it, and the worker told where."
            }
            Self::InputMutated => {
                "Inputs are mapped read-only, or compared with what was put there after the call."
            }
            Self::SpecialValueMismatch => {
                "Rows get a NaN, an infinity, zeros or subnormal numbers, and outputs are compared with what the oracle makes of them."
            }
            Self::Nondeterministic => {
                "Six calls on the same inputs, three of them at other addresses, are compared bit by bit, or within `determinism.max_ulp`."
            }
            Self::StaleResult => {
                "Calls in a row at the same addresses with a few elements changed each time: an answer fits the data from before, or fits only in a fresh process. Or outputs that held the answer to other data kept it. Or, in timed calls, it is fast on data that comes again and not on data that no call has seen."
            }
            Self::DeferredWrite => {
                "In a block of calls an output is copied right after a call that is drawn: the copy was wrong, whatever stood there in the end."
            }
            Self::AliasFailure => {
                "The first output is placed in the memory of the first input, which `abi.inplace_allowed` permits, and compared as elsewhere."
            }
            Self::AccuracyRegression => {
                "On the same data, the relative error (2-norm) is compared with the baseline's (`tolerance.rel_l2_vs_baseline`), and the mean signed error with what chance gives (`tolerance.max_bias_t`)."
            }
            Self::TimedOutputWrong => {
                "Outputs are made unreadable before each timed block and checked after it, with data changed in between; a call inside of the block is checked too."
            }
            Self::MathModeChanged => {
                "The processor's rounding and flushing modes, and the top of its x87 registers, are read before and after each call; for device code, instructions that flush or approximate are counted against the same source with the locked flags."
            }
            Self::StateLeak => {
                "The worker's size, as the system tells it, is read between series of calls on the same data, which must not go on growing it; on a device limits, settings and threads are read before and after a call."
            }
            Self::SanitizerMemory | Self::SanitizerRace | Self::SanitizerInit | Self::SanitizerUndefined => {
                "The source is built a second time with sanitizers, or run under the device's own, and called at small shapes; its report is kept."
            }
            Self::Crashed => {
                "The worker died of a signal in a call, and not from touching memory beside a tensor."
            }
            Self::Timeout => {
                "A call is given `limits.call_ms`, the whole judgement `limits.total_s`; then the worker is ended."
            }
            Self::EarlyExit => "The worker ended without an answer to the call that it was given.",
            Self::ResourceLimit => {
                "The worker's memory is limited to the tensors and `limits.memory_mib`; an allocation failed, or the call returned -12 (`ENOMEM`)."
            }
            Self::SandboxViolation => {
                "The kernel of the system ends a worker at the first system call that computing does not need."
            }
            Self::PhysicsViolation => {
                "The bytes and operations of the task's `roofline`, divided by the measured time, exceed what this machine was measured to do by more than 5 %."
            }
            Self::ClockMismatch => {
                "The worker's time of a block is compared with the judge's own clock around it; they differ by more than noise explains."
            }
            Self::StreamEscape => {
                "The caller's stream is held back, and the outputs are looked at meanwhile; or the device was still busy when the stream was done."
            }
            Self::GraphUnsafe => {
                "A call is captured in a graph, replayed, and its outputs are compared with those of an ordinary call."
            }
            Self::LaunchFailed => {
                "The driver's error after each launch, synchronisation and call is asked for, also where the kernel swallows it."
            }
            Self::ForeignKernel => {
                "The names of the kernels that ran are compared with those in the candidate and in `allow.kernels`."
            }
            Self::AllocInCall => {
                "Free device memory and the high-water mark of its pools are read around a call that was warmed."
            }
            Self::DeviceLost => {
                "After a call that did not end, no new context could be opened on the device."
            }
        }
    }
}
