//! Builds the simulated driver, kernels for it and host code against it, with a C and a C++ compiler and nothing else. Must not judge.
//!
//! All is built once, into a folder of the build whose name is the hash of what it is made of; several tests may do so at once.

use crate::tools::{folder, include, text, tool, words};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

const PARTS: [&str; 5] = ["context.cpp", "memory.cpp", "streams.cpp", "modules.cpp", "graph.cpp"];

/// Where the driver's sources lie; host candidates include `api.h` from there.
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/driver")
}

/// FNV-1a with 64 bits, as the driver itself hashes images.
fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// The driver, and the folder of its kernels.
pub struct Simulated {
    folder: PathBuf,
    libraries: PathBuf,
}

/// The driver as it is.
pub fn simulated() -> Simulated {
    simulated_with(&[])
}

/// The driver built with further flags, such as `-DcuGraphLaunch=withheld`, which takes a function away.
pub fn simulated_with(flags: &[&str]) -> Simulated {
    let folders = [sources(), folder().join("proof"), folder().join("cuda")];
    let mut files: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).expect("sources"))
        .map(|entry| entry.expect("a source").path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    let all: Vec<u8> = files.iter().flat_map(|file| std::fs::read(file).expect("a source")).collect();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("simulated-{:016x}", hash(&all)));
    let libraries = folder.join(format!("driver-{:016x}", hash(flags.concat().as_bytes())));
    std::fs::create_dir_all(folder.join("kernels")).expect("a folder");
    std::fs::create_dir_all(&libraries).expect("a folder");
    let simulated = Simulated { folder, libraries };
    let driver = simulated.libraries.join("libcuda.so.1");
    made(&driver, |out| {
        let mut arguments = words(&["-std=c++17", "-O1", "-fPIC", "-shared", "-pthread"]);
        arguments.extend(words(&["-Wall", "-Wextra", "-Werror", "-Wl,-soname,libcuda.so.1", "-o", out]));
        arguments.extend(words(flags));
        arguments.extend(PARTS.iter().map(|part| text(&sources().join(part))));
        arguments.push("-ldl".to_owned());
        tool("c++", arguments, &simulated.libraries);
    });
    // What a linker looks for.
    made(&simulated.libraries.join("libcuda.so"), |out| {
        std::os::unix::fs::symlink("libcuda.so.1", out).expect("a link");
    });
    simulated
}

/// Makes a file in one step, if it is not there.
fn made(file: &Path, make: impl FnOnce(&str)) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    if file.exists() {
        return;
    }
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let own = format!("{}.{}.{number}", file.display(), std::process::id());
    make(&own);
    std::fs::rename(own, file).expect("moved");
}

impl Simulated {
    /// The environment of a worker. `words` are the driver's settings: see `state.h`.
    pub fn env(&self, words: &str) -> Vec<(OsString, OsString)> {
        let kernels = self.folder.join("kernels");
        vec![
            ("LD_LIBRARY_PATH".into(), self.libraries.clone().into()),
            ("SIM_CUDA_KERNELS".into(), kernels.into()),
            ("SIM_CUDA".into(), words.into()),
        ]
    }

    /// The folder of `libcuda.so`.
    pub fn libraries(&self) -> &Path {
        &self.libraries
    }

    /// Lets the driver know the kernels of an image: they are built of CUDA C++ for the processor.
    pub fn teach(&self, image: &[u8], source: &Path, kernels: &[&str]) {
        let name = format!("{:016x}", hash(image));
        made(&self.folder.join("kernels").join(format!("{name}.so")), |out| {
            let wrapped = format!("{out}.cpp");
            let (proof, driver) = (folder().join("proof/cuda_on_cpu.h"), sources().join("kernel.h"));
            let includes = [&proof, source, &driver].map(|file| format!("#include \"{}\"\n", file.display()));
            let ends = kernels.iter().map(|kernel| format!("SIM_KERNEL({kernel})\n"));
            std::fs::write(&wrapped, includes.into_iter().chain(ends).collect::<String>()).expect("written");
            let mut arguments =
                words(&["-std=c++17", "-O2", "-fPIC", "-shared", "-w", "-DON_CPU_THREADS=1024"]);
            arguments.extend(["-I".to_owned(), include(), "-I".to_owned(), text(&sources())]);
            arguments.extend([wrapped.clone(), "-o".to_owned(), out.to_owned(), "-lm".to_owned()]);
            tool("c++", arguments, &self.folder);
            std::fs::remove_file(wrapped).expect("removed");
        });
    }

    /// An image of a kernel in this source: text that looks like PTX, and that no other source has. The driver knows it from then on.
    pub fn image(&self, source: &str, kernel: &str) -> String {
        self.image_with(source, kernel, "")
    }

    /// As [`Self::image`], with declarations in the kernel, such as `.shared .align 4 .b8 part[1024];`.
    pub fn image_with(&self, source: &str, kernel: &str, declared: &str) -> String {
        let name = hash(format!("{source}{declared}").as_bytes());
        let file = self.folder.join(format!("{name:016x}.cu"));
        made(&file, |out| std::fs::write(out, source).expect("written"));
        let image = format!(
            "// {name:016x}\n.version 8.0\n.target sm_90\n.address_size 64\n.visible .entry {kernel}()\n{{\n    {declared}\n    ret;\n}}\n"
        );
        self.teach(image.as_bytes(), &file, &[kernel]);
        image
    }

    /// Builds host code in C as a library that calls the driver. `more` are further arguments.
    pub fn host(&self, source: &str, out: &Path, more: &[&str]) -> PathBuf {
        let (file, library) = (out.join("host.c"), out.join("host.so"));
        std::fs::write(&file, source).expect("written");
        let mut arguments = words(&["-O1", "-shared", "-fPIC", "-w", "-pthread"]);
        arguments.extend(["-I".to_owned(), text(&sources()), text(&file), "-o".to_owned(), text(&library)]);
        arguments.extend(words(more));
        arguments.extend(["-L".to_owned(), text(&self.libraries), "-lcuda".to_owned()]);
        tool("cc", arguments, out);
        library
    }

    /// Builds CUDA's run-time library, as far as it is simulated, beside the driver.
    pub fn runtime(&self) {
        made(&self.libraries.join("libcudart.so.13"), |out| {
            let mut arguments = words(&["-O1", "-shared", "-fPIC", "-Wl,-soname,libcudart.so.13", "-o", out]);
            arguments.push(text(&sources().join("runtime.c")));
            arguments.extend(["-L".to_owned(), text(&self.libraries), "-lcuda".to_owned()]);
            tool("cc", arguments, &self.libraries);
        });
    }
}
