//! Files that the verbs of kernels read and write.

use crate::context::Cx;
use crate::fail::Failure;
use crate::kernel::refused;
use assay_kernel::task::{Loaded, load};
use assay_manifest::absolute;
use std::path::{Path, PathBuf};

/// The task of a file, or of the folder that holds a `task.yaml`.
pub fn task(cx: &Cx, given: &str) -> Result<Loaded, Failure> {
    let path = absolute(&cx.paths.cwd, given);
    let file = if path.is_dir() { path.join("task.yaml") } else { path };
    load(&file).map_err(|error| refused::task(cx, &error))
}

/// The text of a file.
pub fn text(cx: &Cx, given: &str) -> Result<String, Failure> {
    let path = absolute(&cx.paths.cwd, given);
    std::fs::read_to_string(&path)
        .map_err(|error| Failure::usage(format!("cannot read `{}`: {error}", cx.paths.shown(&path))))
}

/// A folder that is there now and takes files.
pub fn folder(cx: &Cx, given: &str) -> Result<PathBuf, Failure> {
    let path = absolute(&cx.paths.cwd, given);
    let shown = cx.paths.shown(&path);
    if path.is_file() {
        return Err(Failure::usage(format!("`{shown}` is a file, and a folder is needed for the report"))
            .help(format!("name a folder, such as `{shown}.judged`; it is made if it is missing"))
            .help("or move the file away"));
    }
    let made = std::fs::create_dir_all(&path)
        .map_err(|error| Failure::usage(format!("cannot make the folder `{shown}`: {error}")));
    let tried = made.and_then(|()| {
        tempfile::tempfile_in(&path)
            .map_err(|error| Failure::usage(format!("cannot write into the folder `{shown}`: {error}")))
    });
    tried.map_err(|failure| {
        failure.help("name a folder that you may write to; it is made if it is missing")
    })?;
    Ok(path)
}

/// Writes a file.
pub fn write(cx: &Cx, path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text)
        .map_err(|error| Failure::usage(format!("cannot write `{}`: {error}", cx.paths.shown(path))))
}
