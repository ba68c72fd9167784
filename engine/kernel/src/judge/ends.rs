//! How a worker ended, as a finding.

use super::bench::Bench;
use super::stage::Stop;
use crate::case::Case;
use crate::verdict::{Code, Finding, Gate};
use crate::worker::{self, End, Fault, Place};
use serde_json::{Value, json};

/// What an end of a worker means for a gate.
pub fn stop(gate: Gate, case: Option<&Case>, end: End) -> Stop {
    match code(&end) {
        None => Stop::Failed(end.into()),
        Some(code) => Stop::Found(finding(gate, case, code, &end)),
    }
}

/// The judgement of an end; `None` where the system is at fault.
fn code(end: &End) -> Option<Code> {
    Some(match end {
        End::LoadFailed { .. } => Code::LoadFailed,
        End::SymbolMissing { .. } => Code::AbiSymbolMissing,
        End::Crashed { fault: Some(fault), .. } => of_fault(fault),
        End::Crashed { fault: None, .. } => Code::Crashed,
        End::Timeout { .. } => Code::Timeout,
        End::EarlyExit { .. } => Code::EarlyExit,
        End::Sandbox => Code::SandboxViolation,
        End::Memory => Code::ResourceLimit,
        End::Guard { .. } => Code::OobWrite,
        End::Launch { error } => of_launch(error),
        End::DeviceLost => Code::DeviceLost,
        End::System { .. } | End::Unsupported { .. } => return None,
    })
}

fn of_fault(fault: &Fault) -> Code {
    match fault.place {
        Place::ReadOnly => Code::InputMutated,
        Place::Before if fault.write => Code::OobWrite,
        Place::Before | Place::After => Code::OobAccess,
        Place::Elsewhere => Code::Crashed,
    }
}

/// What the driver's name of an error says (CUDA driver API, `CUresult`).
fn of_launch(error: &str) -> Code {
    let is = |names: &[&str]| names.iter().any(|name| error.contains(name));
    if is(&["CUDA_ERROR_ILLEGAL_ADDRESS"]) {
        Code::OobAccess
    } else if is(&["CUDA_ERROR_LAUNCH_TIMEOUT"]) {
        Code::Timeout
    } else if is(&["CUDA_ERROR_OUT_OF_MEMORY"]) {
        Code::ResourceLimit
    } else if is(&[
        "CUDA_ERROR_MISALIGNED_ADDRESS",
        "CUDA_ERROR_ILLEGAL_INSTRUCTION",
        "CUDA_ERROR_INVALID_PC",
        "CUDA_ERROR_INVALID_ADDRESS_SPACE",
        "CUDA_ERROR_HARDWARE_STACK_ERROR",
        "CUDA_ERROR_ASSERT",
        "CUDA_ERROR_LAUNCH_FAILED",
    ]) {
        Code::Crashed
    } else {
        Code::LaunchFailed
    }
}

/// A call that never came back may have taken the device with it: then nothing is known about the candidate.
pub fn after(bench: &Bench<'_>, finding: &mut Finding) {
    if finding.code != Code::Timeout || !bench.task().abi.on_device() {
        return;
    }
    if let Err(end) = worker::device_answers(&bench.setup.launcher) {
        finding.code = Code::DeviceLost;
        finding.message.push_str(&format!("; after that {end}"));
    }
}

fn finding(gate: Gate, case: Option<&Case>, code: Code, end: &End) -> Finding {
    let at = case.map(|case| format!(" at {}", case.title())).unwrap_or_default();
    let fault = match end {
        End::Crashed { fault: Some(fault), .. } | End::Guard { fault } => touched(fault, case),
        _ => Value::Null,
    };
    let evidence =
        json!({ "axes": case.map(|case| &case.axes), "kind": case.map(|case| case.kind), "fault": fault });
    Finding::new(gate, code, format!("{end}{at}"), evidence)
}

fn touched(fault: &Fault, case: Option<&Case>) -> Value {
    let place = match fault.place {
        Place::Before => "before",
        Place::After => "after",
        Place::ReadOnly => "input",
        Place::Elsewhere => "elsewhere",
    };
    let tensor = case.and_then(|case| case.tensors.get(fault.tensor)).map(|tensor| &tensor.name);
    // An address changes from run to run and would make judgements of the same seeds differ.
    let offset = (fault.place != Place::Elsewhere).then_some(fault.offset);
    json!({ "place": place, "tensor": tensor, "write": fault.write, "offset": offset })
}

#[cfg(test)]
mod tests {
    use super::{code, of_fault};
    use crate::verdict::Code;
    use crate::worker::{End, Fault, Place};

    #[test]
    fn every_end_has_its_code() {
        let at = |place, write| of_fault(&Fault { set: 0, tensor: 0, place, write, offset: 0 });
        assert_eq!(at(Place::ReadOnly, true), Code::InputMutated);
        assert_eq!(at(Place::Before, true), Code::OobWrite);
        assert_eq!(at(Place::Before, false), Code::OobAccess);
        assert_eq!(at(Place::After, true), Code::OobAccess);
        assert_eq!(at(Place::Elsewhere, true), Code::Crashed);
        assert_eq!(code(&End::Memory), Some(Code::ResourceLimit));
        assert_eq!(code(&End::Sandbox), Some(Code::SandboxViolation));
        assert_eq!(code(&End::EarlyExit { code: 0 }), Some(Code::EarlyExit));
        let launch = |error: &str| code(&End::Launch { error: error.to_owned() });
        assert_eq!(launch("CUDA_ERROR_ILLEGAL_ADDRESS"), Some(Code::OobAccess));
        assert_eq!(launch("CUDA_ERROR_LAUNCH_FAILED"), Some(Code::Crashed));
        assert_eq!(launch("CUDA_ERROR_INVALID_VALUE"), Some(Code::LaunchFailed));
        assert_eq!(code(&End::DeviceLost), Some(Code::DeviceLost));
        assert_eq!(code(&End::Unsupported { what: String::new() }), None);
        assert_eq!(code(&End::Crashed { signal: 8, fault: None }), Some(Code::Crashed));
        let fault = Fault { set: 0, tensor: 0, place: Place::After, write: true, offset: 1 };
        assert_eq!(code(&End::Guard { fault }), Some(Code::OobWrite));
        assert_eq!(code(&End::System { what: "x", reason: String::new() }), None);
    }
}
