//! Machines that lack something: an end that says what, never a panic.

use super::*;
use assay_kernel::worker::device_answers;

fn unsupported(bench: &Bench, launcher: &Launcher) -> String {
    let file = bench.folder.path().join("kernel.ptx");
    std::fs::write(&file, bench.image("", "")).expect("written");
    let end = Worker::start(launcher, &file, &bench.abi, &bench.limits).map(|_| ());
    assert_eq!(device_answers(launcher).err(), end.clone().err(), "asked for the device, it says the same");
    match end {
        Err(End::Unsupported { what }) => what,
        other => panic!("not unsupported: {other:?}"),
    }
}

#[test]
fn without_a_driver() {
    // A machine with a driver of its own finds that one.
    if assay_kernel::cuda::facts().libcuda.usable {
        return;
    }
    let bench = bench(Form::CudaKernel);
    let launcher = Launcher { env: Vec::new(), ..bench.launcher() };
    assert_eq!(unsupported(&bench, &launcher), "there is no `libcuda`; it comes with NVIDIA's driver");
}

#[test]
fn without_a_device() {
    let mut bench = bench(Form::CudaKernel);
    bench.words = "devices=0";
    let what = unsupported(&bench, &bench.launcher());
    assert!(what.contains("there is no NVIDIA device") && what.contains("CUDA_ERROR_NO_DEVICE"), "{what}");
}

/// What machines with several GPUs, containers and shared devices say on first contact; none of it is the candidate's.
#[test]
fn with_a_machine_that_is_not_ready() {
    let cases = [
        ("init=802", "nvidia-fabricmanager"),
        ("init=304", "/dev/nvidia-uvm"),
        ("init=999", "/dev/nvidia-uvm"),
        ("init=805", "MPS"),
        ("init=46", "compute mode"),
    ];
    for (words, way_out) in cases {
        let mut bench = bench(Form::CudaKernel);
        bench.words = words;
        let what = unsupported(&bench, &bench.launcher());
        assert!(what.contains(way_out) && what.contains("cuInit"), "{words}: {what}");
    }
}

#[test]
fn with_a_driver_that_lacks_a_function() {
    let mut bench = bench(Form::CudaKernel);
    bench.driver = driver::simulated_with(&["-DcuGraphLaunch=withheld"]);
    let what = unsupported(&bench, &bench.launcher());
    assert_eq!(what, "`libcuda` has no `cuGraphLaunch`; it is older than CUDA 13");
}

/// As the newest NVRTC makes it, where the driver is of the first CUDA 13.
#[test]
fn with_a_compiler_that_is_newer_than_the_driver() {
    let bench = bench(Form::CudaKernel);
    let file = bench.folder.path().join("kernel.ptx");
    std::fs::write(&file, bench.image("", "").replace(".version 8.0", ".version 9.1")).expect("written");
    match bench.try_start(&file).map(|_| ()) {
        Err(End::Unsupported { what }) => assert!(what.contains("CUDA 13.0"), "{what}"),
        other => panic!("not unsupported: {other:?}"),
    }
}

#[test]
fn without_memory_on_the_device() {
    let mut bench = bench(Form::CudaKernel);
    bench.words = "memory_mib=2";
    let mut worker = bench.kernel("", "");
    assert_eq!(worker.map(&filled(1 << 20, 1, Edge::End, false)), Err(End::Memory));
}
