//! What runs foreign kernels: this program again, under a hidden verb. Must be reached before anything opens files or starts threads.

use crate::fail::Failure;
use assay_kernel::build::child;
use assay_kernel::worker::{self, Launcher};
use assay_protocol::ExitCode;
use rustix::net::{AddressFamily, SocketType, sockopt};
use std::ffi::OsString;

/// The hidden verb.
const VERB: &str = "kernel-worker";

/// Whether this process is a worker, or compiles for the judge. The judge hands a worker its socket as standard input; without one the words on the command line
/// are somebody's mistake.
pub fn work_if_asked(args: &[OsString]) -> Option<u8> {
    if let [_, verb, word] = args {
        let compiles = verb == VERB && word == child::WORD;
        return compiles.then(|| u8::try_from(child::main()).unwrap_or(2));
    }
    let [_, verb] = args else { return None };
    let stdin = std::io::stdin();
    let is_socket = || {
        sockopt::socket_domain(&stdin) == Ok(AddressFamily::UNIX)
            && sockopt::socket_type(&stdin) == Ok(SocketType::SEQPACKET)
    };
    (verb == VERB && is_socket()).then(|| u8::try_from(worker::main()).unwrap_or(2))
}

/// Where the driver of a device is looked for, which devices it shows in which order, and where its server is that shares them. Workers
/// without a device get none of it.
fn device_environment(of: impl Fn(&str) -> Option<OsString>) -> Vec<(OsString, OsString)> {
    // The numbers of visible devices mean what the order says: without it the first may be another one.
    let names = ["LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_MPS_PIPE_DIRECTORY"];
    names.into_iter().filter_map(|name| Some((name.into(), of(name)?))).collect()
}

/// How the judge starts a worker.
pub fn launcher() -> Result<Launcher, Failure> {
    let program = std::env::current_exe().map_err(|error| {
        Failure::new(ExitCode::Unsupported, "no-program", format!("cannot find this program: {error}"))
            .help("mount `/proc`: workers are this program again")
    })?;
    Ok(Launcher { program, args: vec![VERB.into()], env: device_environment(|name| std::env::var_os(name)) })
}

#[cfg(test)]
mod tests {
    use super::device_environment;

    #[test]
    fn workers_count_devices_as_the_user_does() {
        let of = |name: &str| (name != "LD_LIBRARY_PATH").then(|| name.to_lowercase().into());
        let names: Vec<_> = device_environment(of).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_MPS_PIPE_DIRECTORY"]);
    }
}
