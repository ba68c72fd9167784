//! Opening paths beneath a folder without following any link: the only way into a run directory.
//!
//! Steps run as the same user and may put links, pipes or other things into the run directory; nothing here follows
//! or waits on them. Must not know what the files mean.

use crate::StoreError;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set once the kernel (before 5.6) or a sandbox turned out not to offer `openat2`.
static NO_OPENAT2: AtomicBool = AtomicBool::new(false);

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);
const FILE_MODE: Mode = Mode::from_raw_mode(0o666);
const FOLDER_MODE: Mode = Mode::from_raw_mode(0o777);

/// Opens `relative` beneath `dir`; a link anywhere in it is `ELOOP`.
pub(crate) fn open(dir: impl AsFd, relative: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::CLOEXEC;
    let mode = if flags.contains(OFlags::CREATE) { FILE_MODE } else { Mode::empty() };
    if !NO_OPENAT2.load(Ordering::Relaxed) {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        // With `O_NOFOLLOW` a link at the end would be opened, then be `ENOTDIR` rather than `ELOOP`.
        match rustix::fs::openat2(dir.as_fd(), relative, flags - OFlags::NOFOLLOW, mode, resolve) {
            Err(Errno::NOSYS) => NO_OPENAT2.store(true, Ordering::Relaxed),
            // Some sandboxes answer `EPERM` to calls they do not know: the slow way then decides.
            Err(Errno::PERM) => {}
            other => return other,
        }
    }
    open_by_component(dir.as_fd(), relative, flags, mode)
}

fn open_by_component(
    dir: BorrowedFd<'_>,
    relative: &Path,
    flags: OFlags,
    mode: Mode,
) -> Result<OwnedFd, Errno> {
    let (Some(parent), Some(name)) = (relative.parent(), relative.file_name()) else {
        return Err(Errno::INVAL);
    };
    let mut current = None;
    for part in parent.iter() {
        let at = current.as_ref().map_or(dir, OwnedFd::as_fd);
        current = Some(enter(at, Path::new(part))?);
    }
    let at = current.as_ref().map_or(dir, OwnedFd::as_fd);
    rustix::fs::openat(at, name, flags | OFlags::NOFOLLOW, mode).map_err(|errno| link_or(at, name, errno))
}

/// One folder down, never through a link.
fn enter(dir: BorrowedFd<'_>, name: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(dir, name, FOLDER, Mode::empty()).map_err(|errno| link_or(dir, name, errno))
}

/// `O_DIRECTORY | O_NOFOLLOW` on a link is `ENOTDIR`; this tells it from a plain file in the way.
fn link_or(dir: BorrowedFd<'_>, name: impl AsRef<Path>, errno: Errno) -> Errno {
    let is_link = errno == Errno::NOTDIR
        && rustix::fs::statat(dir, name.as_ref(), AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink);
    if is_link { Errno::LOOP } else { errno }
}

/// Opens the run directory itself; here the user's own links are followed.
pub(crate) fn open_root(path: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Opens the folder `relative`; the empty path is `dir` itself.
pub(crate) fn open_folder(dir: impl AsFd, relative: &Path) -> Result<OwnedFd, Errno> {
    if relative.as_os_str().is_empty() {
        return rustix::fs::openat(dir, ".", FOLDER, Mode::empty());
    }
    open(dir, relative, FOLDER)
}

/// Opens the folder `relative` and makes what is missing of it.
pub(crate) fn make_folder(dir: impl AsFd, relative: &Path) -> Result<OwnedFd, Errno> {
    match open_folder(&dir, relative) {
        Err(Errno::NOENT) => {}
        other => return other,
    }
    let mut current = open_folder(&dir, Path::new(""))?;
    for part in relative.iter() {
        match rustix::fs::mkdirat(&current, part, FOLDER_MODE) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
        current = enter(current.as_fd(), Path::new(part))?;
    }
    Ok(current)
}

/// Opens an existing regular file for reading. Pipes do not block, and are refused.
pub(crate) fn open_regular(dir: impl AsFd, relative: &Path, flags: OFlags) -> Result<Option<File>, Errno> {
    let fd = open(dir, relative, flags | OFlags::NONBLOCK | OFlags::NOCTTY)?;
    let stat = rustix::fs::fstat(&fd)?;
    let regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    Ok(regular.then(|| File::from(fd)))
}

/// Removes `name` in `dir`, with everything below it; links are removed, not followed. Missing is fine.
pub(crate) fn remove_tree(dir: BorrowedFd<'_>, name: &Path) -> Result<(), Errno> {
    match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(errno) => return Err(errno),
    }
    let folder = enter(dir, name)?;
    for entry in Dir::read_from(&folder)? {
        let entry = entry?;
        let child = entry.file_name();
        if child != c"." && child != c".." {
            use std::os::unix::ffi::OsStrExt as _;
            let child = Path::new(std::ffi::OsStr::from_bytes(child.to_bytes()));
            remove_tree(folder.as_fd(), child)?;
        }
    }
    rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR)
}

/// An error of this module as one of the store's: links become [`StoreError::Planted`].
pub(crate) fn explain(action: &'static str, path: &Path, errno: Errno) -> StoreError {
    match errno {
        Errno::LOOP | Errno::XDEV => StoreError::Planted { path: path.to_owned() },
        Errno::EXIST => StoreError::Exists { path: path.to_owned() },
        errno => StoreError::io(action, path, errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn both_ways_of_opening_agree() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("a/b")).unwrap();
        std::fs::write(root.path().join("a/b/file"), "x").unwrap();
        symlink("b", root.path().join("a/link")).unwrap();
        symlink("b/file", root.path().join("a/filelink")).unwrap();
        let dir = open_root(root.path()).unwrap();
        let cases = [
            ("a/b/file", None),
            ("a/link/file", Some(Errno::LOOP)),
            ("a/filelink", Some(Errno::LOOP)),
            ("a/nothing", Some(Errno::NOENT)),
            ("a/b/file/x", Some(Errno::NOTDIR)),
        ];
        for (path, wanted) in cases {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            let fast = open(&dir, Path::new(path), flags).err();
            let slow = open_by_component(dir.as_fd(), Path::new(path), flags, Mode::empty()).err();
            assert_eq!((fast, slow), (wanted, wanted), "{path}");
        }
        for (path, wanted) in
            [("a/b", None), ("a/link", Some(Errno::LOOP)), ("a/b/file", Some(Errno::NOTDIR))]
        {
            let fast = open(&dir, Path::new(path), FOLDER).err();
            let slow = open_by_component(dir.as_fd(), Path::new(path), FOLDER, Mode::empty()).err();
            assert_eq!((fast, slow), (wanted, wanted), "{path}");
        }
    }

    #[test]
    fn a_tree_is_removed_but_not_what_its_links_point_to() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("tree/deep")).unwrap();
        std::fs::create_dir(root.path().join("kept")).unwrap();
        std::fs::write(root.path().join("kept/file"), "x").unwrap();
        symlink("../../kept", root.path().join("tree/deep/link")).unwrap();
        let dir = open_root(root.path()).unwrap();
        remove_tree(dir.as_fd(), Path::new("tree")).unwrap();
        assert!(!root.path().join("tree").exists());
        assert!(root.path().join("kept/file").exists());
    }
}
