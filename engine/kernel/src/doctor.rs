//! What this machine has for judging kernels, for people who wonder why something does not work. Never fails, judges nothing.

use crate::build::Compiler;
use serde::Serialize;
use std::ffi::OsStr;
use std::path::Path;
#[cfg(not(feature = "cuda"))]
use std::path::PathBuf;

#[cfg(not(feature = "cuda"))]
/// Folders in which loaders find libraries without being told.
const LIBRARIES: &[&str] = &[
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib/wsl/lib",
    "/usr/local/cuda/lib64",
    "/usr/local/cuda/compat",
];

/// How much the absence of something matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// Nothing can be judged without it.
    Required,
    /// Kernels for GPUs need it.
    Gpu,
    /// It makes results better.
    Helpful,
}

/// Something that was looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// Its name.
    pub name: &'static str,
    /// How much its absence matters.
    pub need: Need,
    /// Whether it is there and fit.
    pub ok: bool,
    /// What was found.
    pub found: String,
    /// How to get it, as a sentence; empty where it is fit.
    pub way_out: String,
}

fn fact(name: &'static str, need: Need, found: Result<String, (String, &str)>) -> Fact {
    match found {
        Ok(found) => Fact { name, need, ok: true, found, way_out: String::new() },
        Err((found, way_out)) => Fact { name, need, ok: false, found, way_out: way_out.to_owned() },
    }
}

/// Looks. `path` is where programs are searched; `nvrtc` a folder that holds NVRTC's library where the loader does not search.
pub fn facts(path: &OsStr, nvrtc: Option<&Path>) -> Vec<Fact> {
    let mut facts = vec![processor(), quiet(), compiler(path), sanitizers(path), sandbox()];
    facts.extend(gpu(nvrtc));
    facts.push(program(
        "ncu",
        path,
        "Install NVIDIA Nsight Compute to explain where a GPU kernel's time goes.",
    ));
    facts.push(program(
        "compute-sanitizer",
        path,
        "Install the CUDA toolkit; it brings the sanitizer for GPU kernels.",
    ));
    facts
}

/// The processor's model, from the kernel; its architecture where it has no name.
pub fn processor_name() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    field("model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get())
}

fn processor() -> Fact {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = info.lines().find(|line| line.starts_with("flags") || line.starts_with("Features"));
    let wide = ["avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve"];
    let has = |name: &&&str| flags.is_some_and(|line| line.split_whitespace().any(|flag| flag == **name));
    let vectors: Vec<&str> = wide.iter().filter(has).copied().collect();
    let vectors = if vectors.is_empty() { String::new() } else { format!(", {}", vectors.join(" ")) };
    let found = format!("{}, {} cores{vectors}", processor_name(), cores());
    let served = cfg!(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")));
    let way_out = "Judge on Linux with an x86-64 or 64-bit ARM processor.";
    fact("processor", Need::Required, if served { Ok(found) } else { Err((found, way_out)) })
}

/// Whether other work would disturb times.
fn quiet() -> Fact {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let Some(load) = text.split_whitespace().next().and_then(|word| word.parse::<f64>().ok()) else {
        return fact("load", Need::Helpful, Err(("not known".to_owned(), "Mount `/proc`.")));
    };
    let cores = cores();
    let found = format!("{load:.2} on {cores} cores");
    let busy = load > 0.7 * cores as f64;
    let way_out =
        "Stop other work, or wait: times of a busy machine end as `NOISY_DEVICE` or `INCONCLUSIVE`.";
    fact("load", Need::Helpful, if busy { Err((found, way_out)) } else { Ok(found) })
}

fn compiler(path: &OsStr) -> Fact {
    let found =
        Compiler::find(path).map(|compiler| format!("{}: {}", compiler.program.display(), compiler.version));
    let way_out = "Install a C compiler as `cc`, such as the package `gcc`; without it only `.so` files can be loaded, and no baseline is built.";
    fact("compiler", Need::Required, found.map_err(|error| (error.to_string(), way_out)))
}

fn sanitizers(path: &OsStr) -> Fact {
    let way_out = "Install the compiler's sanitizers, such as the package `libasan8`; that gate is skipped without them.";
    let found = Compiler::find(path).and_then(|compiler| compiler.sanitizer(Path::new("/")));
    let found = found.map(|library| library.display().to_string());
    fact("sanitizers", Need::Helpful, found.map_err(|error| (error.to_string(), way_out)))
}

/// Whether the kernel can filter system calls.
fn sandbox() -> Fact {
    let actions = std::fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail").unwrap_or_default();
    let served = actions.split_whitespace().any(|action| action == "kill_process");
    let found = match served {
        true => Ok("seccomp with `kill_process`".to_owned()),
        false => Err((
            "no seccomp filter".to_owned(),
            "Use a kernel of Linux 4.14 or newer with `CONFIG_SECCOMP_FILTER`.",
        )),
    };
    fact("sandbox", Need::Required, found)
}

fn program(name: &'static str, path: &OsStr, way_out: &str) -> Fact {
    let found = assay_process::resolve_program(name.as_ref(), path, Path::new("/"));
    let found = found.map(|program| program.display().to_string());
    fact(name, Need::Gpu, found.map_err(|_| ("not in `PATH`".to_owned(), way_out)))
}

const NO_DRIVER: &str =
    "Install NVIDIA's driver (CUDA 13.0 or newer) where there is a GPU; C and C++ kernels need none.";
const NO_NVRTC: &str = "Install it, such as by `pip install nvidia-cuda-nvrtc==13.0.88`, and let `ASSAY_NVRTC` name the folder of `libnvrtc.so.13`.";

#[cfg(feature = "cuda")]
fn gpu(nvrtc: Option<&Path>) -> Vec<Fact> {
    let preloaded = nvrtc.map(crate::cuda::preload);
    let told = crate::cuda::facts();
    let library = |library: &crate::cuda::Library, title: &str| match library.usable {
        true => Ok(format!("{title} {}", library.version.as_deref().unwrap_or_default())),
        false => Err(library.problem.clone().unwrap_or_default()),
    };
    let why = match preloaded {
        Some(Err(error)) => Err(error.to_string()),
        _ => library(&told.libnvrtc, "libnvrtc"),
    };
    let devices = told.devices.iter();
    let devices: Vec<String> = devices
        .map(|one| format!("{}: {} with {} GiB", one.ordinal, one.name, one.memory_bytes >> 30))
        .collect();
    let none =
        || (told.no_device.clone().unwrap_or_else(|| "none".to_owned()), "Use a machine with an NVIDIA GPU.");
    vec![
        fact(
            "driver",
            Need::Gpu,
            library(&told.libcuda, "libcuda, serves CUDA").map_err(|why| (why, NO_DRIVER)),
        ),
        fact("nvrtc", Need::Gpu, why.map_err(|why| (why, NO_NVRTC))),
        fact("devices", Need::Gpu, if devices.is_empty() { Err(none()) } else { Ok(devices.join("; ")) }),
    ]
}

/// Without the feature libraries are looked for and not asked.
#[cfg(not(feature = "cuda"))]
fn gpu(nvrtc: Option<&Path>) -> Vec<Fact> {
    let in_build = "this build leaves CUDA out";
    let looked = |name: &'static str, file: &str, extra: Option<&Path>, way_out| {
        let found = find(file, extra).map(|path| format!("{} (not asked: {in_build})", path.display()));
        fact(name, Need::Gpu, found.ok_or_else(|| (format!("no `{file}`"), way_out)))
    };
    let devices = (0..16).filter(|at| Path::new(&format!("/dev/nvidia{at}")).exists()).count();
    let devices = match devices {
        0 => Err(("none".to_owned(), "Use a machine with an NVIDIA GPU.")),
        count => Ok(format!("{count} (not asked: {in_build})")),
    };
    vec![
        fact(
            "cuda",
            Need::Gpu,
            Err((
                in_build.to_owned(),
                "Build Assay with `--features cuda`; that needs no CUDA on the machine that builds.",
            )),
        ),
        looked("driver", "libcuda.so.1", None, NO_DRIVER),
        looked("nvrtc", "libnvrtc.so.13", nvrtc, NO_NVRTC),
        fact("devices", Need::Gpu, devices),
    ]
}

#[cfg(not(feature = "cuda"))]
fn find(file: &str, extra: Option<&Path>) -> Option<PathBuf> {
    let folders = LIBRARIES.iter().map(Path::new).chain(extra);
    folders.map(|folder| folder.join(file)).find(|path| path.exists())
}

#[cfg(test)]
mod tests {
    use super::{Need, facts};

    #[test]
    fn what_is_missing_says_how_to_get_it() {
        let found = facts("/nowhere".as_ref(), None);
        for fact in &found {
            assert!(!fact.found.is_empty() && fact.ok == fact.way_out.is_empty(), "{fact:?}");
        }
        let compiler = found.iter().find(|fact| fact.name == "compiler").expect("looked for");
        assert!(!compiler.ok && compiler.need == Need::Required && compiler.way_out.contains("gcc"));
        let here = facts("/usr/bin:/bin".as_ref(), None);
        assert!(here.iter().filter(|fact| fact.need == Need::Required).all(|fact| fact.ok), "{here:?}");
    }
}
