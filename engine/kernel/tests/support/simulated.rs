//! A machine with a simulated device: its driver, images that it knows, and workers that find both. Must not judge.

use crate::tools::{folder, include, text, tool, words};
use assay_kernel::worker::Launcher;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;

/// A driver, built once for all tests of a process.
pub struct Machine {
    folder: TempDir,
}

/// Where the driver's sources lie.
fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/driver")
}

/// The machine of this process.
pub fn machine() -> &'static Machine {
    static MACHINE: OnceLock<Machine> = OnceLock::new();
    MACHINE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("kernels")).expect("a folder");
        let (driver, runtime) = (folder.path().join("libcuda.so.1"), folder.path().join("libcudart.so.13"));
        let mut build = words(&["-O2", "-std=c++17", "-fPIC", "-shared", "-pthread", "-Wl,-soname,libcuda.so.1", "-o"]);
        build.push(text(&driver));
        let files = std::fs::read_dir(sources()).expect("the driver's sources").map(|file| file.expect("a file").path());
        build.extend(files.filter(|file| file.extension().is_some_and(|kind| kind == "cpp")).map(|file| text(&file)));
        build.push("-ldl".to_owned());
        tool("c++", build, folder.path());
        let mut build = words(&["-O2", "-std=gnu11", "-fPIC", "-shared", "-Wl,-soname,libcudart.so.13", "-o"]);
        build.extend([text(&runtime), text(&sources().join("runtime.c")), text(&driver)]);
        tool("cc", build, folder.path());
        Machine { folder }
    })
}

impl Machine {
    /// How workers are started here. `settings` are words for the driver, see its `state.h`.
    pub fn launcher(&self, settings: &str) -> Launcher {
        let variable = |name: &str, value: OsString| (OsString::from(name), value);
        Launcher {
            program: PathBuf::from(env!("CARGO_BIN_EXE_assay-kernel-worker")),
            args: Vec::new(),
            env: vec![
                variable("LD_LIBRARY_PATH", self.folder.path().into()),
                variable("SIM_CUDA_KERNELS", self.folder.path().join("kernels").into()),
                variable("SIM_CUDA", settings.into()),
            ],
        }
    }

    /// Lets the driver know an image: from now on it is the kernels of a source. What nobody set in shared memory is not zero.
    pub fn knows(&self, image: &[u8], source: &Path, kernels: &[&str]) {
        let library = self.folder.path().join("kernels").join(format!("{:016x}.so", hash(image)));
        if library.exists() {
            return;
        }
        let proof = folder().join("proof");
        let mut code = format!("#include \"{}/cuda_on_cpu.h\"\n", text(&proof));
        code.push_str("#undef __shared__\n#define __shared__ static __attribute__((section(\"of_blocks\")))\n");
        code.push_str(&format!("#include \"{}\"\n#include \"{}/kernel.h\"\n", text(source), text(&sources())));
        code.push_str("extern \"C\" __attribute__((weak)) char __start_of_blocks[], __stop_of_blocks[];\n");
        for kernel in kernels {
            code.push_str(&format!(
                "extern \"C\" __attribute__((visibility(\"default\"))) void sim_bind_{kernel}(const SimLaunch &launch, void **params, \
                 std::function<void()> *run) {{\n    auto inner = sim_bind(launch, {kernel}, params);\n    *run = [inner] {{\n        \
                 if (__start_of_blocks) memset(__start_of_blocks, 0xff, (size_t)(__stop_of_blocks - __start_of_blocks));\n        \
                 inner();\n    }};\n}}\n"
            ));
        }
        let out = tempfile::tempdir().expect("a folder");
        let wrapped = out.path().join("kernel.cpp");
        std::fs::write(&wrapped, code).expect("written");
        let made = out.path().join("kernel.so");
        let mut build = words(&["-O2", "-std=c++17", "-fPIC", "-shared", "-I"]);
        build.extend([include(), text(&wrapped), "-o".to_owned(), text(&made), "-lm".to_owned()]);
        tool("c++", build, out.path());
        std::fs::copy(&made, &library).expect("copied");
    }

    /// An image with one kernel that this machine knows as a source, written to `to`. `inside` are lines of the kernel's text.
    pub fn image(&self, source: &Path, kernel: &str, inside: &str, to: &Path) {
        let text = ptx(source, kernel, inside);
        self.knows(text.as_bytes(), source, &[kernel]);
        std::fs::write(to, text).expect("written");
    }
}

/// PTX with nothing but what is looked at before a driver has it.
pub fn ptx(source: &Path, kernel: &str, inside: &str) -> String {
    format!(
        "// {}\n.version 8.0\n.target sm_75\n.address_size 64\n.visible .entry {kernel}(.param .u64 x)\n{{\n{inside}\tret;\n}}\n",
        source.file_name().unwrap_or_default().display()
    )
}

/// FNV-1a with 64 bits, as the driver names kernels.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}
