//! Embeds the repository's skills, workflows and the quickstart example, so that the binary works on its own.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What is embedded, relative to the repository.
const FOLDERS: [&str; 3] = ["skills", "workflows", "examples/quickstart"];
/// Built-in files are texts; anything larger was put there by mistake.
const LARGEST: u64 = 1024 * 1024;

fn main() -> Result<(), String> {
    let here = std::env::var("CARGO_MANIFEST_DIR").map_err(|error| error.to_string())?;
    let root = Path::new(&here).join("../..").canonicalize().map_err(|error| error.to_string())?;
    let mut files = Vec::new();
    for folder in FOLDERS {
        println!("cargo::rerun-if-changed={}", root.join(folder).display());
        collect(&root.join(folder), &mut files)?;
    }
    files.sort();
    let mut code = String::from(
        "/// Path in the tree and content, sorted by path.\nstatic FILES: &[(&str, &[u8])] = &[\n",
    );
    let mut hasher = blake3::Hasher::new();
    for file in &files {
        let content = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        if content.len() as u64 > LARGEST {
            return Err(format!("{} is too large to be embedded", file.display()));
        }
        let name =
            file.strip_prefix(&root).map_err(|error| error.to_string())?.to_string_lossy().into_owned();
        hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes());
        hasher.update(&(content.len() as u64).to_le_bytes()).update(&content);
        let _ = writeln!(code, "    ({name:?}, include_bytes!({:?})),", file.to_string_lossy());
    }
    let digest = &hasher.finalize().to_hex()[..16];
    let _ = write!(code, "];\n\n/// Digest over the tree.\nconst DIGEST: &str = {digest:?};\n");
    let out = std::env::var("OUT_DIR").map_err(|error| error.to_string())?;
    std::fs::write(Path::new(&out).join("builtin.rs"), code).map_err(|error| error.to_string())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
