//! Libraries that launch on a device by themselves: CUDA C++ by nvcc, and host code over the driver's functions by the C compiler.

use super::bounds::Bounds;
use super::compiler::{self, Compiler};
use super::{BuildError, Built, HEADER, Language, recipe};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where the toolkit's and the driver's programs are, beside the folders of a login shell: the second is where container runtimes
/// mount the driver.
const PROGRAMS: [&str; 2] = ["/usr/local/cuda/bin", "/usr/local/nvidia/bin"];

/// Where a toolkit lies that nobody names.
const TOOLKIT: &str = "/usr/local/cuda";

/// The names under which the driver's library and the run-time library are loaded.
const DRIVER: &str = "libcuda.so.1";
const RUNTIME: &str = "libcudart.so.13";

/// Parts of CUDA that lie where nobody looks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Toolkit {
    /// Folder of `libnvrtc.so.13`.
    pub nvrtc: Option<PathBuf>,
    /// Folder of `nvcc`, `compute-sanitizer` and `nvidia-smi`.
    pub bin: Option<PathBuf>,
}

impl Toolkit {
    /// Folders of programs, in the order of the search, as one text.
    pub fn path(&self) -> OsString {
        let mut path = OsString::new();
        for folder in self.bin.iter().map(|folder| folder.as_os_str()) {
            path.push(folder);
            path.push(":");
        }
        path.push(compiler::PATH);
        for folder in PROGRAMS {
            path.push(":");
            path.push(folder);
        }
        path
    }

    /// Folders of toolkits: that of NVRTC, that of nvcc, and the usual one.
    fn roots(&self) -> impl Iterator<Item = PathBuf> {
        let named = [&self.nvrtc, &self.bin].into_iter().flatten();
        named.filter_map(|folder| folder.parent().map(Path::to_owned)).chain([PathBuf::from(TOOLKIT)])
    }

    /// CUDA's headers for NVRTC, which brings none of its own: the first toolkit that has those of the narrow types, and beside them
    /// the headers of CCCL, which CUDA 13 keeps in a folder that nvcc looks into and NVRTC does not.
    pub fn headers(&self) -> Vec<PathBuf> {
        let folders: Vec<PathBuf> = self.roots().map(|root| root.join("include")).collect();
        let whole = folders.iter().find(|folder| folder.join("cuda_fp16.h").exists());
        let found = whole.or_else(|| folders.first().filter(|folder| folder.is_dir()));
        let both = found.into_iter().flat_map(|folder| [folder.clone(), folder.join("cccl")]);
        both.filter(|folder| folder.is_dir()).collect()
    }

    /// The folder of the run-time library that [`nvcc`] links, where a toolkit has one. No loader need know it, and a library may not
    /// name it itself.
    pub fn libraries(&self) -> Option<PathBuf> {
        let folders = self.roots().flat_map(|root| ["lib64", "lib"].map(|name| root.join(name)));
        folders.into_iter().find(|folder| folder.join(RUNTIME).exists())
    }

    /// A program of the toolkit or the driver; `None` if it is nowhere.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        assay_process::resolve_program(name.as_ref(), &self.path(), Path::new("/")).ok()
    }
}

fn file(path: &Path) -> impl Fn(std::io::Error) -> BuildError {
    let path = path.to_owned();
    move |source| BuildError::File { path: path.clone(), source }
}

/// The folder of a build with the header that kernels are written against; both are absolute.
fn prepared(out: &Path) -> Result<(PathBuf, PathBuf), BuildError> {
    let include = out.join("include");
    std::fs::create_dir_all(&include).map_err(file(&include))?;
    let out = out.canonicalize().map_err(file(out))?;
    let include = out.join("include");
    let header = include.join("assay_kernel.h");
    std::fs::write(&header, HEADER).map_err(file(&header))?;
    Ok((out, include))
}

/// Builds CUDA C++ to a shared library with nvcc.
///
/// # Errors
/// See [`BuildError`].
pub fn nvcc(source: &Path, flags: &[String], toolkit: &Toolkit, out: &Path) -> Result<Built, BuildError> {
    let Some(program) = toolkit.program("nvcc") else {
        let what = "there is no `nvcc`; install the CUDA toolkit, let `ASSAY_NVCC` name the folder of `nvcc`, or give a shared library";
        return Err(BuildError::NoNvcc { what: what.to_owned() });
    };
    let compiler = Compiler::at(program, &toolkit.path(), Bounds::NVCC)?;
    let source = source.canonicalize().map_err(file(source))?;
    let (out, include) = prepared(out)?;
    let library = out.join("library.so");
    let mut arguments: Vec<OsString> = flags.iter().map(Into::into).collect();
    arguments.extend(["-shared", "-Xcompiler", "-fPIC", "-cudart", "shared"].map(OsString::from));
    arguments.extend(["-Xlinker", "-z", "-Xlinker", "separate-code"].map(OsString::from));
    for folder in libraries(&compiler.program, &out)? {
        arguments.extend(["-L".into(), folder.into_os_string()]);
    }
    arguments.extend(["-I".into(), include.into_os_string(), "-o".into(), library.clone().into_os_string()]);
    arguments.push(source.into_os_string());
    compiler.finish(arguments, library, &out)
}

/// Where the libraries lie that nvcc links, for toolkits that come as wheels: there they lie in `lib` and not in `lib64`, and the
/// run-time library lacks the name that a linker looks for.
fn libraries(nvcc: &Path, out: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let Some(root) = nvcc.parent().and_then(Path::parent) else { return Ok(Vec::new()) };
    let (own, runtime) = (root.join("lib"), root.join("lib/libcudart.so.13"));
    if root.join("lib64").exists() || !runtime.exists() {
        return Ok(Vec::new());
    }
    let named = out.join("link");
    std::fs::create_dir_all(&named).map_err(file(&named))?;
    let link = named.join("libcudart.so");
    if !link.exists() {
        std::os::unix::fs::symlink(&runtime, &link).map_err(file(&link))?;
    }
    Ok(vec![named, own])
}

/// Builds C or C++ that calls the driver's functions, or those of the run-time library that `runtime` names. It is linked against
/// stand-ins of both, so neither need be here; what is missing in the real ones shows when it is loaded.
///
/// # Errors
/// See [`BuildError`].
pub fn over_driver(
    source: &Path,
    flags: &[String],
    runtime: &[String],
    out: &Path,
) -> Result<Built, BuildError> {
    let language = Language::of(source).ok_or_else(|| BuildError::Language { path: source.to_owned() })?;
    let compiler = Compiler::find(compiler::PATH.as_ref())?;
    let source = source.canonicalize().map_err(file(source))?;
    let (out, include) = prepared(out)?;
    let driver = compiler.stand_in(DRIVER, &[], &out)?;
    let runtime = compiler.stand_in(RUNTIME, runtime, &out)?;

    let flags = recipe::flags(flags, language);
    let text = compiler.preprocess(&source, language, &flags, &include, &out)?;
    // Of the driver nothing is used as far as the linker sees.
    let link = ["-Wl,--no-as-needed".into(), driver.into_os_string(), "-Wl,--as-needed".into()];
    let link: Vec<OsString> = link.into_iter().chain([runtime.into_os_string()]).collect();
    let made = compiler.assemble(&source, &text, language, &flags, Some(&link), &out)?;
    let (library, command, log) = (made.library, made.command, made.log);
    let compiler = compiler.version;
    Ok(Built { library, command, compiler, log, preload: Vec::new(), sources: BTreeSet::new() })
}

impl Compiler {
    /// A library of this name with functions of these names that do nothing.
    fn stand_in(&self, name: &str, functions: &[String], out: &Path) -> Result<PathBuf, BuildError> {
        let folder = out.join("stand-in");
        std::fs::create_dir_all(&folder).map_err(file(&folder))?;
        let (source, library) = (folder.join(format!("{name}.c")), folder.join(name));
        let code: String = functions.iter().map(|name| format!("void {name}(void) {{}}\n")).collect();
        std::fs::write(&source, code).map_err(file(&source))?;
        let mut arguments: Vec<OsString> = ["-shared", "-fPIC", "-o"].map(OsString::from).to_vec();
        arguments.extend([library.clone().into_os_string(), source.into_os_string()]);
        arguments.push(format!("-Wl,-soname,{name}").into());
        self.finish(arguments, library.clone(), out)?;
        Ok(library)
    }

    /// Runs a build to its end.
    fn finish(&self, arguments: Vec<OsString>, library: PathBuf, out: &Path) -> Result<Built, BuildError> {
        let (log, command) = (self.finished(&arguments, out)?, self.command(&arguments));
        let compiler = self.version.clone();
        Ok(Built { library, command, compiler, log, preload: Vec::new(), sources: BTreeSet::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::Toolkit;
    use std::path::Path;

    fn touch(file: &Path) {
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(file, "").expect("written");
    }

    #[test]
    fn headers_are_those_of_the_first_toolkit_that_has_them() {
        let out = tempfile::tempdir().expect("a folder");
        let (wheel, whole) = (out.path().join("wheel"), out.path().join("toolkit"));
        // The wheel of NVRTC brings nothing that a kernel could include.
        touch(&wheel.join("include/nvrtc.h"));
        touch(&whole.join("include/cuda_fp16.h"));
        touch(&whole.join("include/cccl/nv/target"));
        let toolkit = Toolkit { nvrtc: Some(wheel.join("lib")), bin: Some(whole.join("bin")) };
        assert_eq!(toolkit.headers(), [whole.join("include"), whole.join("include/cccl")]);
        touch(&wheel.join("include/cuda_fp16.h"));
        assert_eq!(toolkit.headers(), [wheel.join("include")]);
    }

    #[test]
    fn the_run_time_library_is_found_beside_nvcc() {
        let out = tempfile::tempdir().expect("a folder");
        touch(&out.path().join("lib64/libcudart.so.13"));
        let toolkit = Toolkit { nvrtc: None, bin: Some(out.path().join("bin")) };
        assert_eq!(toolkit.libraries(), Some(out.path().join("lib64")));
    }

    #[test]
    fn the_driver_s_programs_are_looked_for_where_containers_have_them() {
        let path = Toolkit::default().path().into_string().expect("text");
        assert!(path.split(':').any(|folder| folder == "/usr/local/nvidia/bin"), "{path}");
    }
}
