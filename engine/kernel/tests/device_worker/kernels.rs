//! Kernels that the worker launches itself.

use super::*;
use assay_kernel::worker::{Block, Fault, Mode, Place, device_answers};
use std::time::{Duration, Instant};

#[test]
fn a_right_kernel_is_right_in_every_request() {
    let bench = bench(Form::CudaKernel);
    let mut worker = bench.kernel("", "");
    for elements in [1, 1000, 1024, 5000] {
        for edge in [Edge::Start, Edge::End] {
            let arena = filled(elements, 3, edge, false);
            worker.map(&arena).expect("mapped");
            for set in [2, 0, 1] {
                let called = worker.call(set).expect("served");
                assert_eq!((called.rc, called.mode_after), (0, Mode::DEFAULT));
                assert!(called.ns <= called.host_ns);
                is_right(arena.bytes(set, 1), elements, set);
            }
            assert_eq!(arena.margins_intact(), None);
        }
    }
    let arena = filled(1000, 1, Edge::End, true);
    worker.map(&arena).expect("mapped");
    let (input, case) = (arena.bytes(0, 0).to_vec(), case(1000));
    worker.call(0).expect("served");
    let output: Vec<f64> = case.tensors[0].layout.read(&input).iter().map(|value| value * 3.0).collect();
    assert_eq!(case.tensors[1].layout.read(arena.bytes(0, 1)), output, "in place");
    assert_eq!(worker.call(9).expect_err("no set").to_string(), "the worker: no such set");
}

#[test]
fn blocks_are_timed_by_the_device_and_take_a_snapshot_there() {
    let bench = bench(Form::CudaKernel);
    // Each launch leaves its number behind.
    let mut worker = bench.kernel("", "if (at == 0) y[0] = ++begun;");
    let arena = filled(300, 8, Edge::Start, false);
    worker.map(&arena).expect("mapped");
    let first = |bytes: &[u8]| DType::Fp32.read(&bytes[..4]);
    for (flush, round) in [(false, 0.0), (true, 4.0)] {
        let block = Block { sets: vec![5, 3, 3, 7], snapshot: Some((1, 1)), flush };
        let done = worker.block(&block).expect("served");
        assert_eq!((done.failed, done.mode_after), (None, Mode::DEFAULT));
        assert!(done.ns > 0 && done.copy_ns > 0 && done.ns <= done.wall_ns, "{done:?}");
        assert!(done.wall_ns + done.copy_ns <= done.host_ns, "{done:?}");
        let found = [5, 3, 7].map(|set| first(arena.bytes(set, 1)));
        assert_eq!(found, [round + 1.0, round + 3.0, round + 4.0]);
        assert_eq!(first(arena.snapshot()), round + 2.0, "as it was after the second call");
    }
    let done = worker.block(&Block { sets: vec![0; 100], ..Block::default() }).expect("served");
    assert_eq!((done.failed, done.copy_ns), (None, 0));
    assert_eq!(first(arena.bytes(0, 1)), 108.0);
}

#[test]
fn the_device_and_the_kernel_are_described() {
    let bench = bench(Form::CudaKernel);
    let worker = bench.kernel("", "");
    let about = worker.about().expect("a device");
    assert_eq!((about.name.as_str(), about.cuda.as_str()), ("Simulated device", "13.0"));
    assert_eq!(about.uuid, "GPU-00112233-4455-6677-8899-aabbccddeeff");
    assert_eq!((about.capability, about.l2_bytes, about.multiprocessors), ((9, 0), 1 << 20, 4));
    assert_eq!((about.registers, about.local_bytes, about.max_threads), (32, 0, 1024));
}

#[test]
fn a_right_kernel_has_nothing_to_hide() {
    let bench = bench(Form::CudaKernel);
    let mut worker = bench.kernel("", "");
    let arena = filled(1000, 2, Edge::End, false);
    worker.map(&arena).expect("mapped");
    assert_eq!(worker.probe(1).expect("probed"), Probed::default());
    is_right(arena.bytes(1, 1), 1000, 1);
    assert!(arena.bytes(0, 1).iter().all(|byte| *byte == POISON), "no other set was touched");
}

/// The driver deepens the stack for a kernel that needs it, and leaves it so: that is nothing that the kernel did to the device.
#[test]
fn a_deep_stack_is_no_change_of_the_device() {
    let bench = bench(Form::CudaKernel);
    let mut worker = bench.declaring(".local .align 4 .b8 __local_depot0[4096];");
    assert_eq!(worker.about().expect("a device").local_bytes, 4096);
    worker.map(&filled(1000, 1, Edge::End, false)).expect("mapped");
    assert_eq!(worker.probe(0).expect("probed"), Probed::default());
}

/// Both kinds of shared memory count together against what needs no asking.
#[test]
fn declared_and_dynamic_shared_memory_count_together() {
    let bench = bench(Form::CudaKernel);
    let mut worker = bench.declaring(".shared .align 4 .b8 part[16384];");
    let mut case = case(1000);
    case.launch.as_mut().expect("a kernel").shared = 40 << 10;
    let mut arena = Arena::new(&case, 1, Edge::End, 1, false).expect("memory");
    fill(&case, &mut arena);
    worker.map(&arena).expect("mapped");
    assert_eq!(worker.call(0).expect("served").rc, 0);
    is_right(arena.bytes(0, 1), 1000, 0);
}

/// Shared memory holds what was left there, as a rule zeros, with which a forgotten start is right. Before each call it holds what is not.
#[test]
fn what_nobody_set_is_no_zero() {
    let bench = bench(Form::CudaKernel);
    let after = "if (at < n) y[at] += 0.0f * nobody[threadIdx.x];";
    let mut worker = bench.kernel("__shared__ float nobody[256];", after);
    let arena = filled(1000, 1, Edge::End, false);
    worker.map(&arena).expect("mapped");
    for _ in 0..2 {
        worker.call(0).expect("served");
        let got = case(1000).tensors[1].layout.read(arena.bytes(0, 1));
        assert!(got.iter().all(|value| value.is_nan()), "{:?}", &got[..4]);
    }
}

#[test]
fn writes_beyond_a_tensor_show_in_margins_and_bands() {
    let bench = bench(Form::CudaKernel);
    let mut worker = bench.kernel("", "if (at == 0) ((float *)x)[5] = 0, y[-1] = 1;");
    let arena = filled(1000, 2, Edge::End, false);
    worker.map(&arena).expect("mapped");
    let input = arena.bytes(1, 0).to_vec();
    worker.call(1).expect("comes back");
    assert_eq!(arena.margins_intact(), Some((1, 1)), "in front of the output, in its own page");
    let changed: Vec<usize> = (0..4000).filter(|at| arena.bytes(1, 0)[*at] != input[*at]).collect();
    assert_eq!((changed[0] / 4, changed.len() <= 4), (5, true), "inputs come back as they are");
    // A tensor of 4,000 bytes ends where its page ends, and begins 96 bytes behind the page's start.
    let guard = |after: &str| match bench.end(bench.kernel("", after)) {
        // The first byte of an element may be what the band holds, which is drawn.
        End::Guard { fault } => Fault { offset: fault.offset.div_euclid(4) * 4, ..fault },
        other => panic!("not seen in a band: {other:?}"),
    };
    let fault = Fault { set: 1, tensor: 1, place: Place::After, write: true, offset: 4000 };
    assert_eq!(guard("if (at == 0) y[n] = 1;"), fault);
    assert_eq!(guard("if (at == 0) y[n + 1500] = 1;"), Fault { offset: 10_000, ..fault });
    let before = Fault { place: Place::Before, offset: -400, ..fault };
    assert_eq!(guard("if (at == 0) y[-100] = 1;"), before);
}

#[test]
fn a_wild_address_is_told_by_its_name() {
    let bench = bench(Form::CudaKernel);
    let end = bench.end(bench.kernel("", "if (at == 0) y[1ll << 30] = 1;"));
    assert_eq!(end, End::Launch { error: "CUDA_ERROR_ILLEGAL_ADDRESS".to_owned() });
    let mut worker = bench.kernel("", "if (at == 0) *(volatile int *)0;");
    worker.map(&filled(10, 1, Edge::End, false)).expect("mapped");
    let end = worker.block(&Block { sets: vec![0; 3], ..Block::default() }).expect_err("it faults");
    assert_eq!(end, End::Launch { error: "CUDA_ERROR_ILLEGAL_ADDRESS".to_owned() });
    device_answers(&bench.launcher()).expect("the next context opens");
}

#[test]
fn a_kernel_that_never_ends_is_killed_and_the_device_asked() {
    let mut bench = bench(Form::CudaKernel);
    bench.limits.call_ms = 500;
    let start = Instant::now();
    let end = bench.end(bench.kernel("while (*(volatile float *)x != -1.0f) {}", ""));
    assert!(matches!(end, End::Timeout { limit_ms: 500.. }), "{end:?}");
    assert!(start.elapsed() < Duration::from_secs(30));
    assert_eq!(device_answers(&bench.launcher()), Ok(()));
    bench.words = "lost=error";
    assert_eq!(device_answers(&bench.launcher()), Err(End::DeviceLost));
}

#[test]
fn launches_that_the_driver_refuses_are_told() {
    let bench = bench(Form::CudaKernel);
    let launched = |shared: u32, threads: u32| {
        let mut case = case(100);
        let launch = case.launch.as_mut().expect("a launch");
        (launch.shared, launch.block[0]) = (shared, threads);
        let mut arena = Arena::new(&case, 1, Edge::End, 1, false).expect("memory");
        fill(&case, &mut arena);
        let mut worker = bench.kernel("", "");
        worker.map(&arena).and_then(|()| worker.call(0)).map(|called| {
            is_right(arena.bytes(0, 1), 100, 0);
            called.rc
        })
    };
    let refused = Err(End::Launch { error: "CUDA_ERROR_INVALID_VALUE".to_owned() });
    assert_eq!(launched(100 << 10, 256), Ok(0), "more than 48 KiB is asked for first");
    assert_eq!(launched(300 << 10, 256), refused);
    assert_eq!(launched(0, 2048), refused);
    assert_eq!(launched(0, 1024), Ok(0));
}

#[test]
fn images_that_do_not_load_say_why() {
    let bench = bench(Form::CudaKernel);
    let file = bench.folder.path().join("kernel.ptx");
    let refused = |image: &str| {
        std::fs::write(&file, image).expect("written");
        bench.try_start(&file).map(|_| ()).expect_err("it does not load")
    };
    let image = bench.image("", "");
    let Err(end) = Worker::start(
        &bench.launcher(),
        &{
            std::fs::write(&file, &image).expect("written");
            file.clone()
        },
        &Abi { symbol: "other".to_owned(), ..bench.abi.clone() },
        &bench.limits,
    ) else {
        panic!("there is no `other`")
    };
    assert_eq!(end, End::SymbolMissing { symbol: "other".to_owned() });
    let end = refused("no PTX, whatever its name says");
    assert_eq!(
        end.to_string(),
        "the library cannot be loaded: CUDA_ERROR_INVALID_PTX: ptxas application ptx input, line 1; fatal   : \
         Missing .version directive at start of file"
    );
    let end = refused(&image.replace("sm_90", "sm_100"));
    assert!(end.to_string().contains("SM version specified by .target is higher"), "{end}");
    let end = refused(&image.replace("ret;", "ret; // never built"));
    assert!(end.to_string().contains("no kernel for this image"), "{end}");
    // A cubin: ELF for machine 190, whose flags name the architecture.
    let mut cubin = vec![0_u8; 64];
    cubin[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    cubin[18] = 190;
    cubin[48] = 80;
    std::fs::write(&file, &cubin).expect("written");
    let end = bench.try_start(&file).map(|_| ()).expect_err("for another device");
    assert_eq!(end, End::LoadFailed { message: "CUDA_ERROR_NO_BINARY_FOR_GPU".to_owned() });
}
