//! Host code that launches by itself: what it can hide from whoever waits for the caller's stream, and how that is seen.

use super::*;
use assay_kernel::worker::Block;

#[test]
fn right_host_code_is_right_and_has_nothing_to_hide() {
    let bench = bench(Form::CDltensor);
    let mut worker = bench.library(
        "static int checked(const DLTensor *t) { return t->device.type == 2 && t->device.id == 0; }
         KERNEL { if (!stream || !checked(in) || !checked(out)) return 9; return run(stream, 0); }",
    );
    let arena = filled(1000, 3, Edge::End, false);
    worker.map(&arena).expect("mapped");
    for set in [1, 0, 2] {
        assert_eq!(worker.call(set).expect("served").rc, 0);
        is_right(arena.bytes(set, 1), 1000, set);
    }
    assert_eq!(worker.probe(0).expect("probed"), Probed::default());
    is_right(arena.bytes(0, 1), 1000, 0);
    let done = worker.block(&Block { sets: vec![0, 1, 2, 0], ..Block::default() }).expect("served");
    assert_eq!(done.failed, None);
    assert_eq!(worker.about().expect("a device").registers, 0, "its kernel is not ours to look at");
}

#[test]
fn return_codes_come_back() {
    let bench = bench(Form::CDltensor);
    let mut worker =
        bench.library("static int calls; KERNEL { run(stream, 0); return ++calls == 3 ? -12 : 0; }");
    let arena = filled(100, 1, Edge::End, false);
    worker.map(&arena).expect("mapped");
    assert_eq!(worker.call(0).expect("comes back").rc, 0);
    let done = worker.block(&Block { sets: vec![0; 10], ..Block::default() }).expect("comes back");
    assert_eq!(done.failed, Some((1, -12)));
}

#[test]
fn work_on_other_streams_escapes() {
    let bench = bench(Form::CDltensor);
    let private = "static CUstream own; KERNEL { if (!own) cuStreamCreate(&own, CU_STREAM_NON_BLOCKING); return run(own, 0); }";
    let probed = bench.probed(private);
    assert!(probed.escaped && !probed.waited, "{probed:?}");
    assert!(probed.capture.as_ref().is_some_and(|why| why.contains("replay")), "{probed:?}");
    let probed = bench.probed("KERNEL { return run(0, 0); }");
    assert!(probed.escaped && !probed.waited, "the default stream: {probed:?}");
    assert!(probed.capture.as_ref().is_some_and(|why| why.contains("replay")), "{probed:?}");
    // Joined by events it is the caller's again.
    let joined = "static CUstream own; static CUevent begin, end;
        KERNEL { if (!own) cuStreamCreate(&own, CU_STREAM_NON_BLOCKING), cuEventCreate(&begin, 2), cuEventCreate(&end, 2);
          cuEventRecord(begin, stream); cuStreamWaitEvent(own, begin, 0); int error = run(own, 0);
          cuEventRecord(end, own); cuStreamWaitEvent(stream, end, 0); return error; }";
    assert_eq!(bench.probed(joined), Probed::default());
    let forked = joined.replace("cuStreamWaitEvent(stream, end, 0); ", "");
    let probed = bench.probed(&forked);
    assert_eq!(probed.capture.as_deref(), Some("CUDA_ERROR_STREAM_CAPTURE_UNJOINED"));
}

#[test]
fn work_that_hides_from_the_events_shows_on_the_clock() {
    let bench = bench(Form::CDltensor);
    let slow = "static void wait(void *data) { usleep(30000); }
        static CUstream own; KERNEL { if (!own) cuStreamCreate(&own, 1); cuLaunchHostFunc(WHERE, wait, 0); return run(WHERE, 0); }";
    for (stream, hides) in [("stream", false), ("own", true)] {
        let mut worker = bench.library(&slow.replace("WHERE", stream));
        worker.map(&filled(100, 1, Edge::End, false)).expect("mapped");
        let done = worker.block(&Block { sets: vec![0; 3], ..Block::default() }).expect("served");
        assert!(done.wall_ns >= 90_000_000, "{done:?}");
        assert_eq!(done.ns < 45_000_000, hides, "{done:?}");
    }
}

#[test]
fn work_that_is_put_off_is_not_in_the_snapshot() {
    let bench = bench(Form::CDltensor);
    // Each call does the work of the one before.
    let mut worker = bench.library(
        "static void *x, *y; KERNEL { int error = 0;
           if (y) error = launch(x, y, in[0].shape[0], (float)scalars[0], stream, 0);
           x = in[0].data, y = out[0].data; return error; }",
    );
    let arena = filled(100, 3, Edge::Start, false);
    worker.map(&arena).expect("mapped");
    worker.block(&Block { sets: vec![0, 1, 2], snapshot: Some((1, 1)), flush: false }).expect("served");
    is_right(arena.bytes(1, 1), 100, 1);
    assert!(arena.snapshot()[..400].iter().all(|byte| *byte == POISON), "not there when its call returned");
}

#[test]
fn a_call_that_waits_is_seen_and_cannot_be_captured() {
    let bench = bench(Form::CDltensor);
    let probed =
        bench.probed("KERNEL { int error = run(stream, 0); cuStreamSynchronize(stream); return error; }");
    assert!(probed.waited && !probed.escaped, "{probed:?}");
    assert_eq!(probed.capture.as_deref(), Some("CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"));
    let probed = bench.probed("KERNEL { int error = run(stream, 0); cuCtxSynchronize(); return error; }");
    assert!(probed.waited && probed.capture.is_some(), "{probed:?}");
}

#[test]
fn memory_that_is_taken_in_a_call_is_counted() {
    let bench = bench(Form::CDltensor);
    let mebibyte = "CUdeviceptr p; KERNEL { ";
    let probed = bench.probed(&format!(
        "{mebibyte} cuMemAlloc(&p, 1 << 20); int error = run(stream, 0); cuMemFree(p); return error; }}"
    ));
    assert!(probed.allocated >= 1 << 20 && probed.waited, "freeing waits for the device: {probed:?}");
    let probed = bench.probed(&format!(
        "{mebibyte} cuMemAllocAsync(&p, 1 << 20, stream); int error = run(stream, 0); cuMemFreeAsync(p, stream); return error; }}"
    ));
    assert!(probed.allocated >= 1 << 20 && !probed.waited, "{probed:?}");
    let probed = bench.probed(&format!("{mebibyte} cuMemAlloc(&p, 1 << 20); return run(stream, 0); }}"));
    assert!(probed.allocated >= 1 << 20 && !probed.waited, "kept: {probed:?}");
    let once =
        bench.probed("CUdeviceptr p; KERNEL { if (!p) cuMemAlloc(&p, 1 << 20); return run(stream, 0); }");
    assert_eq!(once, Probed::default(), "taken once, by the first call");
}

#[test]
fn changed_limits_are_named() {
    let bench = bench(Form::CDltensor);
    let probed = bench.probed(
        "KERNEL { cuCtxSetLimit(CU_LIMIT_PERSISTING_L2_CACHE_SIZE, 4096); cuCtxSetCacheConfig(1); return run(stream, 0); }",
    );
    let changed: Vec<_> = probed.changed.iter().map(|(name, was, is)| (name.as_str(), *was, *is)).collect();
    let all = [("persisting second-level cache", 0, 4096), ("preference of the first-level cache", 0, 1)];
    assert_eq!(changed, all);
    assert!(!probed.escaped && probed.capture.is_none(), "{probed:?}");
}

#[test]
fn a_swallowed_launch_failure_is_kept_by_the_run_time_library() {
    let bench = bench(Form::CDltensor);
    bench.driver.runtime();
    let body = "typedef struct { unsigned x, y, z; } dim3;
        int cudaLaunchKernel(const void *, dim3, dim3, void **, size_t, CUstream);
        KERNEL { void *x = in[0].data, *y = out[0].data; long long count = in[0].shape[0]; float factor = scalars[0];
          void *params[] = {&x, &y, &count, &factor}; dim3 grid = {(count + 255) / 256, 1, 1}, block = {256, 1, 1};
          cudaLaunchKernel(kernel(), grid, block, params, SHARED, stream); return 0; }";
    let link = format!("{}/libcudart.so.13", bench.driver.libraries().display());
    let worker = |shared: &str| {
        let library = bench.host(&body.replace("SHARED", shared), &[&link]);
        bench.try_start(&library).expect("a worker")
    };
    let mut honest = worker("0");
    let arena = filled(1000, 1, Edge::End, false);
    honest.map(&arena).expect("mapped");
    assert_eq!(honest.call(0).expect("served").rc, 0);
    is_right(arena.bytes(0, 1), 1000, 0);
    let failed = End::Launch { error: "cudaErrorInvalidValue".to_owned() };
    assert_eq!(bench.end(worker("65792")), failed);
}

#[test]
fn functions_of_tvm_ffi_are_told_the_stream() {
    let mut bench = bench(Form::CDltensor);
    bench.abi.form = Form::TvmFfi;
    let body = "typedef struct { int32_t type, pad; union { int64_t i; double f; void *p; } v; } Any;
        SET
        int __tvm_ffi_kv_entry(void *self, const Any *args, int32_t count, Any *result) {
          if (count != 3 || args[0].type != 7 || args[1].type != 3 || args[2].type != 7) return -1;
          DLTensor *in = args[0].v.p, *out = args[2].v.p; const double *scalars = &args[1].v.f;
          DO }";
    // As the library of tvm-ffi keeps it; here in the library itself.
    let set =
        "static void *told; int TVMFFIEnvSetStream(int32_t type, int32_t id, void *stream, void **old) {
        if (type != 2 || id != 0) return -1; told = stream; return 0; }";
    // One that forgets it is told again before the next call.
    let honest = "int error = run(told, 0); told = 0; return error;";
    let mut worker = bench.library(&body.replace("SET", set).replace("DO", honest));
    let arena = filled(1000, 1, Edge::End, false);
    worker.map(&arena).expect("mapped");
    assert_eq!(worker.call(0).expect("served").rc, 0);
    is_right(arena.bytes(0, 1), 1000, 0);
    assert_eq!(worker.probe(0).expect("probed"), Probed::default());
    let without = bench.host(&body.replace("SET", "").replace("DO", "return run(0, 0);"), &[]);
    let end = bench.try_start(&without).map(|_| ()).expect_err("nobody tells it");
    assert!(matches!(&end, End::LoadFailed { message } if message.contains("libtvm_ffi")), "{end:?}");
}

#[test]
fn host_code_that_crashes_is_told_as_such() {
    let bench = bench(Form::CDltensor);
    let end = bench.end(bench.library("KERNEL { *(volatile int *)8 = 1; return run(stream, 0); }"));
    assert!(matches!(end, End::Crashed { signal: libc::SIGSEGV, fault: Some(_) }), "{end:?}");
    assert_eq!(bench.end(bench.library("KERNEL { exit(3); }")), End::EarlyExit { code: 3 });
    assert_eq!(
        bench.end(bench.library("KERNEL { abort(); }")),
        End::Crashed { signal: libc::SIGABRT, fault: None }
    );
    let swallowed = "KERNEL { run(stream, 1 << 20); return 0; }";
    let mut worker = bench.library(swallowed);
    let arena = filled(100, 1, Edge::End, false);
    worker.map(&arena).expect("mapped");
    assert_eq!(worker.call(0).expect("comes back").rc, 0, "the driver keeps no error of a launch");
    assert!(arena.bytes(0, 1).iter().all(|byte| *byte == POISON), "so it is the output that shows it");
}
