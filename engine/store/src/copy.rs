//! Copying a file or a folder into an open folder: by reflink where the file system can, else by content.
//! Must not follow links inside the source.

use crate::{StoreError, beneath};
use rustix::fs::{Mode, OFlags};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Copies `source` to the new name `name` in `dir`. A link as `source` itself is followed; it is the caller's.
pub(crate) fn copy(source: &Path, dir: BorrowedFd<'_>, name: &Path) -> Result<(), StoreError> {
    let root = source.canonicalize().map_err(|error| StoreError::io("open", source, error))?;
    copy_entry(&root, &root, dir, name)
}

fn copy_entry(root: &Path, source: &Path, dir: BorrowedFd<'_>, name: &Path) -> Result<(), StoreError> {
    let kind =
        fs::symlink_metadata(source).map_err(|error| StoreError::io("read", source, error))?.file_type();
    if kind.is_file() {
        copy_file(source, dir, name)
    } else if kind.is_dir() {
        copy_folder(root, source, dir, name)
    } else if kind.is_symlink() {
        copy_link(root, source, dir, name)
    } else {
        Err(StoreError::NotAFile { path: source.to_owned() })
    }
}

fn copy_file(source: &Path, dir: BorrowedFd<'_>, name: &Path) -> Result<(), StoreError> {
    let fail = |error| StoreError::io("copy", source, error);
    // Without waiting, should a pipe have taken the file's place since it was looked at.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut from = File::options().read(true).custom_flags(flags).open(source).map_err(fail)?;
    let metadata = from.metadata().map_err(fail)?;
    if !metadata.is_file() {
        return Err(StoreError::NotAFile { path: source.to_owned() });
    }
    let created = beneath::open(dir, name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL);
    let mut to = File::from(created.map_err(|errno| fail(errno.into()))?);
    if rustix::fs::ioctl_ficlone(&to, &from).is_err() {
        io::copy(&mut from, &mut to).map_err(fail)?;
    }
    if metadata.mode() & 0o111 != 0 {
        rustix::fs::fchmod(&to, Mode::from_raw_mode(0o755)).map_err(|errno| fail(errno.into()))?;
    }
    Ok(())
}

fn copy_folder(root: &Path, source: &Path, dir: BorrowedFd<'_>, name: &Path) -> Result<(), StoreError> {
    let fail = |error| StoreError::io("copy the folder", source, error);
    let made = beneath::make_folder(dir, name).map_err(|errno| fail(errno.into()))?;
    for entry in fs::read_dir(source).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        copy_entry(root, &entry.path(), made.as_fd(), Path::new(&entry.file_name()))?;
    }
    Ok(())
}

/// A link is kept if it is relative and ends inside the source: then it means the same in the copy.
fn copy_link(root: &Path, source: &Path, dir: BorrowedFd<'_>, name: &Path) -> Result<(), StoreError> {
    let fail = |error| StoreError::io("copy the link", source, error);
    let target = fs::read_link(source).map_err(fail)?;
    let stays = target.is_relative() && source.canonicalize().is_ok_and(|end| end.starts_with(root));
    if !stays {
        return Err(StoreError::LinkOut { path: source.to_owned(), target });
    }
    rustix::fs::symlinkat(&target, dir, name).map_err(|errno| fail(errno.into()))
}
