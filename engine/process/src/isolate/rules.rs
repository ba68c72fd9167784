//! From protected folders to Landlock's rules, and their enforcement on this process.

use super::{Isolation, IsolationError, aliases};
use landlock::{
    ABI, Access as _, AccessFs, AddRuleError, AddRulesError, BitFlags, CompatLevel, Compatible as _,
    PathBeneath, Ruleset, RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetError, Scope,
};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use std::collections::HashSet;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

fn failed(what: impl Into<String>) -> IsolationError {
    IsolationError::Failed { what: what.into() }
}

/// Puts this process, and everything it becomes or starts, under Landlock for ever.
pub(super) fn restrict(isolation: &Isolation) -> Result<(), IsolationError> {
    super::isolation_support()?;
    let mut ruleset = new_ruleset().map_err(|error| failed(error.to_string()))?;
    let mut protected: Vec<PathBuf> =
        isolation.protected.iter().map(|path| real_path(path)).collect::<Result<_, _>>()?;
    protected.extend(aliases::of(&protected)?);
    for path in grants(&protected) {
        grant_path(&mut ruleset, &path)?;
    }
    for path in &isolation.writable {
        grant_inside(&mut ruleset, path)?;
    }
    // A script that writes to `/dev/stderr` opens the log anew, by its path inside the protected folder.
    for stream in [std::io::stdout().as_fd(), std::io::stderr().as_fd()] {
        grant(&mut ruleset, stream, Path::new("a standard stream"), Some(FileType::RegularFile))?;
    }
    let status = ruleset.restrict_self().map_err(|error| IsolationError::Unsupported {
        what: format!("the kernel refuses to enforce it: {error}"),
    })?;
    // Never silently less than asked for.
    match status.ruleset {
        landlock::RulesetStatus::NotEnforced => {
            Err(IsolationError::Unsupported { what: "the kernel enforces nothing".to_owned() })
        }
        _ => Ok(()),
    }
}

/// Every way to write, as of the least ABI; signals and abstract sockets where the kernel has them.
fn new_ruleset() -> Result<RulesetCreated, RulesetError> {
    let created = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(writes())?
        .set_compatibility(CompatLevel::BestEffort)
        .scope(Scope::from_all(ABI::V6))?
        .create()?;
    Ok(created.set_compatibility(CompatLevel::HardRequirement))
}

fn writes() -> BitFlags<AccessFs> {
    AccessFs::from_write(ABI::V3)
}

/// The path without links, as far as it exists.
fn real_path(path: &Path) -> Result<PathBuf, IsolationError> {
    let mut missing = Vec::new();
    let mut here = path;
    loop {
        match here.canonicalize() {
            Ok(real) => return Ok(missing.iter().rev().fold(real, |path, name| path.join(name))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(format!("`{}`: {error}", here.display()))),
        }
        let (Some(parent), Some(name)) = (here.parent(), here.file_name()) else {
            return Err(failed(format!("`{}` is no absolute path", path.display())));
        };
        missing.push(name);
        here = parent;
    }
}

/// Everything that stays writable: for each folder on the way to a protected path, its other entries.
pub(super) fn grants(protected: &[PathBuf]) -> Vec<PathBuf> {
    let whole: HashSet<&Path> = protected.iter().map(PathBuf::as_path).collect();
    let on_the_way: HashSet<&Path> = protected.iter().flat_map(|path| path.ancestors().skip(1)).collect();
    let mut granted = Vec::new();
    let mut folders = vec![PathBuf::from("/")];
    while let Some(folder) = folders.pop() {
        // What cannot be listed is not allowed either: less, never more.
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            if whole.contains(path.as_path()) || entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
                // What a link leads to is judged where it stands.
                continue;
            }
            if on_the_way.contains(path.as_path()) {
                folders.push(path);
            } else {
                granted.push(path);
            }
        }
    }
    granted
}

fn open(path: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

fn grant_path(ruleset: &mut RulesetCreated, path: &Path) -> Result<(), IsolationError> {
    match open(path) {
        Ok(fd) => grant(ruleset, fd.as_fd(), path, None),
        // Gone since the folder was listed, or out of reach, and then out of reach for the program too.
        Err(_) => Ok(()),
    }
}

/// A folder inside a protected one. It must stand where it is said to: a step before this one may have put a link there.
fn grant_inside(ruleset: &mut RulesetCreated, path: &Path) -> Result<(), IsolationError> {
    let fd = match open(path) {
        Ok(fd) => fd,
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(failed(format!("`{}`: {errno}", path.display()))),
    };
    if path.canonicalize().map_or(true, |real| real != path) {
        return Err(failed(format!("`{}` is not a folder any more, but a link", path.display())));
    }
    grant(ruleset, fd.as_fd(), path, Some(FileType::Directory))
}

/// Allows every way to write to a file, or to everything below a folder. `only`: does nothing for other files.
fn grant(
    ruleset: &mut RulesetCreated,
    fd: BorrowedFd<'_>,
    path: &Path,
    only: Option<FileType>,
) -> Result<(), IsolationError> {
    let Ok(stat) = rustix::fs::fstat(fd) else { return Ok(()) };
    let kind = FileType::from_raw_mode(stat.st_mode);
    if kind == FileType::Symlink || only.is_some_and(|only| only != kind) {
        return Ok(());
    }
    let access = if kind == FileType::Directory { writes() } else { writes() & AccessFs::from_file(ABI::V3) };
    match ruleset.add_rule(PathBeneath::new(fd, access)).map(drop) {
        // Files of the kernel's own, such as a kept namespace, which Landlock never restricts.
        Err(RulesetError::AddRules(AddRulesError::Fs(AddRuleError::AddRuleCall { source, .. })))
            if source.raw_os_error() == Some(libc::EBADFD) =>
        {
            Ok(())
        }
        Err(error) => Err(failed(format!("`{}`: {error}", path.display()))),
        Ok(()) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_beside_the_way_is_granted_and_nothing_on_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for folder in ["runs/one/steps", "runs/two", "src", "state"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        std::fs::write(root.join("file"), "").unwrap();
        std::os::unix::fs::symlink("/", root.join("link")).unwrap();
        let protected = [root.join("runs/one"), root.join("state"), root.join("missing/deep")];
        let granted = grants(&protected);
        let below: HashSet<&Path> = granted.iter().filter_map(|path| path.strip_prefix(&root).ok()).collect();
        assert_eq!(below, ["runs/two", "src", "file"].map(Path::new).into());
        assert!(granted.contains(&"/dev".into()) && granted.contains(&"/proc".into()));
        for path in &protected {
            let open = granted.iter().find(|granted| path.starts_with(granted) || granted.starts_with(path));
            assert_eq!(open, None, "{}", path.display());
        }
    }

    #[test]
    fn real_paths_go_as_far_as_there_is_something() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::os::unix::fs::symlink(&root, root.join("again")).unwrap();
        assert_eq!(real_path(&root.join("again/a/b")), Ok(root.join("a/b")));
        assert_eq!(real_path(&root), Ok(root));
    }
}
