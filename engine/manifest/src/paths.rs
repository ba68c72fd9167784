//! Paths as the language knows them.

use std::path::{Component, Path, PathBuf};

/// Names at the top of a run directory that belong to the engine.
pub const RESERVED: &[&str] = &[
    "plan.json",
    "journal.jsonl",
    "steps",
    "artifacts",
    "report.md",
    "report.html",
    "live",
    "work",
    "scratch",
    "control",
    "lock",
    "manifest.yaml",
    "manifests",
    "run.json",
    "console.log",
];

/// Says why `path` cannot be a delivery, if it cannot.
pub fn check_delivery(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        return Err("it is empty");
    }
    if path.chars().any(char::is_control) {
        return Err("it holds a control character");
    }
    let mut first = true;
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => {
                if first && name.to_str().is_some_and(|name| RESERVED.contains(&name)) {
                    return Err("that name belongs to the engine");
                }
                if first && name.as_encoded_bytes().starts_with(b".assay-") {
                    return Err("names that begin with `.assay-` belong to the engine");
                }
                first = false;
            }
            Component::CurDir => {}
            Component::ParentDir => return Err("`..` would leave the run directory"),
            Component::RootDir | Component::Prefix(_) => return Err("it is absolute"),
        }
    }
    if first { Err("it names nothing") } else { Ok(()) }
}

/// `path` made absolute from `base`, with `.` and `..` resolved as text.
pub fn absolute(base: &Path, path: &str) -> PathBuf {
    let joined = base.join(path);
    let mut clean = PathBuf::new();
    for component in joined.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::{absolute, check_delivery};
    use std::path::Path;

    #[test]
    fn a_delivery_stays_inside_the_run() {
        assert!(check_delivery("results.md").is_ok());
        assert!(check_delivery("tables/größe 1.csv").is_ok());
        for bad in ["../../x", "/etc/x", "journal.jsonl", "./steps/x", "", ".", "a/../../b", "a\nb"] {
            assert!(check_delivery(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn relative_paths_start_at_the_base() {
        assert_eq!(absolute(Path::new("/a/b"), "../c/./d"), Path::new("/a/c/d"));
        assert_eq!(absolute(Path::new("/a/b"), "/x"), Path::new("/x"));
    }
}
