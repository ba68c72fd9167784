//! Finds the program that a command names, before anything is started.
//!
//! The search follows execvp(3) with the step's own `PATH` and directory; it never looks at this process's environment.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Why a program cannot be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The name is empty.
    #[error("the program's name is empty")]
    Empty,
    /// Nothing of that name was found.
    #[error("program `{name}` not found{}", searched(.folders))]
    NotFound {
        /// The name as given.
        name: String,
        /// Folders of `PATH` that were searched; empty for a name with a slash.
        folders: Vec<PathBuf>,
    },
    /// It exists, but may not be executed.
    #[error("`{}` is not executable", path.display())]
    NotExecutable {
        /// Where it stands.
        path: PathBuf,
    },
    /// It is a folder.
    #[error("`{}` is a folder", path.display())]
    Directory {
        /// Where it stands.
        path: PathBuf,
    },
}

fn searched(folders: &[PathBuf]) -> String {
    if folders.is_empty() {
        return String::new();
    }
    let names: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
    format!(" in `{}`", names.join(":"))
}

impl ResolveError {
    /// A way out, as one sentence.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Empty => None,
            Self::NotFound { folders, .. } if folders.is_empty() => {
                Some("Check the path; relative paths start in the step's directory.".to_owned())
            }
            Self::NotFound { .. } => {
                Some("Install it, give its full path, or put its folder into `env: {PATH: ...}`.".to_owned())
            }
            Self::NotExecutable { path } => {
                Some(format!("Run `chmod +x {}`, or name its interpreter first.", path.display()))
            }
            Self::Directory { .. } => Some("Name the program inside it.".to_owned()),
        }
    }
}

/// The absolute path of the program `name`. A name with a slash is a path, relative to `cwd`; any other is searched in
/// the folders of `path` (separated by colons; an empty or relative entry starts in `cwd`).
pub fn resolve_program(name: &OsStr, path: &OsStr, cwd: &Path) -> Result<PathBuf, ResolveError> {
    if name.is_empty() {
        return Err(ResolveError::Empty);
    }
    let not_found = |folders| ResolveError::NotFound { name: name.to_string_lossy().into_owned(), folders };
    if name.as_bytes().contains(&b'/') {
        return examine(cwd.join(name)).unwrap_or_else(|| Err(not_found(Vec::new())));
    }
    let folders: Vec<PathBuf> = std::env::split_paths(path).map(|folder| cwd.join(folder)).collect();
    let mut first_unfit = None;
    for folder in &folders {
        match examine(folder.join(name)) {
            Some(Ok(found)) => return Ok(found),
            // As execvp does, a later folder may still have a usable one.
            Some(Err(unfit)) => first_unfit = first_unfit.or(Some(unfit)),
            None => {}
        }
    }
    Err(first_unfit.unwrap_or_else(|| not_found(folders)))
}

/// `None`: nothing there.
fn examine(path: PathBuf) -> Option<Result<PathBuf, ResolveError>> {
    let metadata = std::fs::metadata(&path).ok()?;
    Some(if metadata.is_dir() {
        Err(ResolveError::Directory { path })
    } else if rustix::fs::access(&path, rustix::fs::Access::EXEC_OK).is_err() {
        Err(ResolveError::NotExecutable { path })
    } else {
        Ok(path)
    })
}

/// Remembers where programs were found: a foreach of 10,000 instances searches `PATH` once.
#[derive(Debug, Default)]
pub struct Programs {
    found: HashMap<(OsString, OsString), PathBuf>,
}

impl Programs {
    /// As [`resolve_program`]. Only hits are remembered, and only where the answer does not depend on `cwd`.
    pub fn resolve(&mut self, name: &OsStr, path: &OsStr, cwd: &Path) -> Result<PathBuf, ResolveError> {
        let key = (name.to_owned(), path.to_owned());
        if let Some(found) = self.found.get(&key) {
            return Ok(found.clone());
        }
        let found = resolve_program(name, path, cwd)?;
        let absolute = std::env::split_paths(path).all(|folder| folder.is_absolute());
        if absolute && !name.as_bytes().contains(&b'/') {
            self.found.insert(key, found.clone());
        }
        Ok(found)
    }

    /// Forgets everything: after a step that may have installed programs, or when a start says that one is gone.
    pub fn forget(&mut self) {
        self.found.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn script(path: &Path, mode: u32) {
        std::fs::write(path, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn finds_what_execvp_would_find() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("zwei ü"));
        std::fs::create_dir_all(one.join("tool")).unwrap();
        std::fs::create_dir_all(&two).unwrap();
        script(&two.join("tool"), 0o755);
        script(&two.join("plain"), 0o644);
        let path = std::env::join_paths([&one, &two]).unwrap();
        let find = |name: &str| resolve_program(OsStr::new(name), &path, dir.path());
        assert_eq!(find("tool"), Ok(two.join("tool")), "a folder of that name does not hide it");
        assert_eq!(find("zwei ü/tool"), Ok(two.join("tool")));
        assert_eq!(find("plain"), Err(ResolveError::NotExecutable { path: two.join("plain") }));
        assert_eq!(find("./one"), Err(ResolveError::Directory { path: dir.path().join("./one") }));
        assert_eq!(find(""), Err(ResolveError::Empty));
        let missing = find("no-such-tool").unwrap_err();
        assert!(missing.to_string().starts_with("program `no-such-tool` not found in `/"), "{missing}");
        assert!(matches!(find("x/y"), Err(ResolveError::NotFound { folders, .. }) if folders.is_empty()));
    }

    #[test]
    fn the_memory_keeps_hits_only() {
        let dir = tempfile::tempdir().unwrap();
        let mut programs = Programs::default();
        let path = dir.path().as_os_str();
        assert!(programs.resolve(OsStr::new("late"), path, dir.path()).is_err());
        script(&dir.path().join("late"), 0o755);
        assert!(programs.resolve(OsStr::new("late"), path, dir.path()).is_ok());
        std::fs::remove_file(dir.path().join("late")).unwrap();
        assert!(programs.resolve(OsStr::new("late"), path, dir.path()).is_ok());
        programs.forget();
        assert!(programs.resolve(OsStr::new("late"), path, dir.path()).is_err());
    }
}
