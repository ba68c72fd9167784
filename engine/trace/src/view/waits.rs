//! Calls in which the host stands still until the GPU is done.

use crate::store::{Ns, Trace};

/// Whether a call returns only when the GPU has reached a point: `cudaStreamSynchronize`, `cudaDeviceSynchronize`,
/// `cudaEventSynchronize`, `cudaMemcpy` and their driver and HIP forms.
///
/// Copies between devices return before they are done (CUDA API synchronisation behaviour), so they are none.
pub(super) fn waits(name: &str) -> bool {
    // Nsight Systems writes the version of the entry point behind the name: `cudaMemcpy_v3020`.
    let name = name.split("_v").next().unwrap_or(name);
    let Some(rest) = ["cuda", "hip", "cu"].iter().find_map(|prefix| name.strip_prefix(prefix)) else {
        return false;
    };
    let copies = rest.starts_with("Memcpy")
        && !["Async", "Peer", "DtoD", "Batch"].iter().any(|word| rest.contains(word));
    copies || rest.split('_').next().is_some_and(|call| call.ends_with("Synchronize"))
}

/// Rows of [`Trace::calls`] that wait, in order.
pub(super) fn waiting_calls(trace: &Trace) -> Vec<u32> {
    let mut known: Vec<Option<bool>> = vec![None; trace.names.len()];
    let waits = |call: &u32| {
        let name = trace.calls.name[*call as usize];
        *known[name.0 as usize].get_or_insert_with(|| waits(trace.text(name)))
    };
    (0..trace.calls.len() as u32).filter(waits).collect()
}

/// For each thread, when it stood in a waiting call: sorted stretches that do not touch, `(start, end)`.
pub(super) fn stretches_of_waiting(trace: &Trace) -> Vec<Vec<(Ns, Ns)>> {
    let mut threads: Vec<Vec<(Ns, Ns)>> = vec![Vec::new(); trace.threads.len()];
    for call in waiting_calls(trace) {
        let call = trace.calls.row(call as usize);
        let (start, end) = (call.start, call.start + call.dur);
        let stretches = &mut threads[call.thread as usize];
        // A runtime call and the driver call within it are one wait.
        match stretches.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => stretches.push((start, end)),
        }
    }
    threads
}

#[cfg(test)]
mod tests {
    use super::waits;

    #[test]
    fn calls_that_wait_and_calls_that_do_not() {
        for name in [
            "cudaStreamSynchronize",
            "cudaDeviceSynchronize",
            "cudaEventSynchronize",
            "cudaMemcpy",
            "cudaMemcpy_v3020",
            "cudaStreamSynchronize_v3020",
            "cudaMemcpy2D",
            "cuStreamSynchronize",
            "cuStreamSynchronize_ptsz",
            "cuCtxSynchronize",
            "cuMemcpyDtoH_v2",
            "hipStreamSynchronize",
            "hipDeviceSynchronize",
            "hipMemcpy",
            "hipMemcpyWithStream",
        ] {
            assert!(waits(name), "{name}");
        }
        for name in [
            "cudaMemcpyAsync",
            "cudaMemcpyAsync_v3020",
            "cudaLaunchKernel",
            "cudaStreamWaitEvent",
            "cuMemcpyDtoDAsync_v2",
            "cuMemcpyDtoD_v2",
            "hipMemcpyAsync",
            "hipMemcpyPeer",
            "cudaEventRecord",
            "cudaGraphLaunch",
            "Synchronize",
            "aten::copy_",
            "",
        ] {
            assert!(!waits(name), "{name}");
        }
    }
}
