//! The directory of one run. Everything beneath it is opened by a descriptor of the directory, without following
//! links, created exclusively and published by rename. Must not know what a file means.

use crate::beneath::{self, explain};
use crate::names::{self, plain_relative};
use crate::{StoreError, copy};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Crockford's base 32, lower case: no `i`, `l`, `o`, `u`, so ids survive being read aloud.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of an id: 40 random bits.
const ID_LENGTH: usize = 8;
/// Tries to find a free name before giving up; one clash is already a one in a million event.
const TRIES: usize = 16;

/// The directory of one run. Clones share one descriptor.
#[derive(Debug, Clone)]
pub struct RunDir {
    path: PathBuf,
    id: String,
    dir: Arc<OwnedFd>,
}

pub(crate) fn random_id() -> String {
    let mut bits: u64 = rand::random();
    let mut id = String::with_capacity(ID_LENGTH);
    for _ in 0..ID_LENGTH {
        id.push(char::from(ALPHABET[(bits & 31) as usize]));
        bits >>= 5;
    }
    id
}

/// The run id within a folder's name: what follows the last dash.
pub(crate) fn id_of(folder: &str) -> &str {
    folder.rsplit_once('-').map_or(folder, |(_, id)| id)
}

impl RunDir {
    /// Makes `<date>_<slug>_<name>-<id>` in `runs_root`, which is made too. `date`: `YYYYMMDD`.
    pub fn create(
        runs_root: &Path,
        slug: Option<&str>,
        name: &str,
        date_yyyymmdd: &str,
    ) -> Result<Self, StoreError> {
        std::fs::create_dir_all(runs_root)
            .map_err(|source| StoreError::io("make the folder", runs_root, source))?;
        let slug = slug.map(|text| format!("{}_", names::slug(text))).unwrap_or_default();
        let stem = format!("{date_yyyymmdd}_{slug}{}", names::slug(name));
        let mut path = runs_root.to_owned();
        for _ in 0..TRIES {
            path = runs_root.join(format!("{stem}-{}", random_id()));
            match rustix::fs::mkdir(&path, Mode::from_raw_mode(0o777)) {
                Ok(()) => return Self::open(&path),
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(StoreError::io("make the run directory", &path, errno)),
            }
        }
        Err(StoreError::Exists { path })
    }

    /// Opens an existing run directory.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let fail = |source| StoreError::io("open the run directory", path, source);
        let path = path.canonicalize().map_err(fail)?;
        let dir = beneath::open_root(&path).map_err(|errno| fail(errno.into()))?;
        let folder = path.file_name().unwrap_or_default().to_string_lossy();
        let id = id_of(&folder).to_owned();
        Ok(Self { path, id, dir: Arc::new(dir) })
    }

    /// The directory's absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run's id: the part after the last dash of the folder's name.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// `relative` in its plain form, with its parent opened (and made, if `make`) and its last name.
    fn place(&self, relative: &Path, make: bool) -> Result<Place, StoreError> {
        let plain = plain_relative(relative)?;
        let full = self.path.join(&plain);
        let parent = plain.parent().unwrap_or(Path::new(""));
        let opened = if make {
            beneath::make_folder(self.fd(), parent)
        } else {
            beneath::open_folder(self.fd(), parent)
        };
        let parent = opened.map_err(|errno| explain("open the folder of", &full, errno))?;
        let name = PathBuf::from(plain.file_name().unwrap_or_default());
        Ok(Place { parent, name, full })
    }

    /// Makes the folder `relative` and its parents; existing ones are fine.
    pub fn create_dirs(&self, relative: impl AsRef<Path>) -> Result<PathBuf, StoreError> {
        let plain = plain_relative(relative.as_ref())?;
        let full = self.path.join(&plain);
        match beneath::make_folder(self.fd(), &plain) {
            Ok(_) => Ok(full),
            Err(errno) => Err(explain("make the folder", &full, errno)),
        }
    }

    /// Creates the file `relative` for writing, its parents too; [`StoreError::Exists`] if there is anything already.
    pub fn create_file(&self, relative: impl AsRef<Path>) -> Result<File, StoreError> {
        let place = self.place(relative.as_ref(), true)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        match beneath::open(&place.parent, &place.name, flags) {
            Ok(fd) => Ok(File::from(fd)),
            Err(errno) => Err(explain("create", &place.full, errno)),
        }
    }

    /// Opens the regular file `relative` for reading.
    pub fn open_file(&self, relative: impl AsRef<Path>) -> Result<File, StoreError> {
        self.open_with(relative.as_ref(), OFlags::RDONLY)
    }

    pub(crate) fn open_with(&self, relative: &Path, flags: OFlags) -> Result<File, StoreError> {
        let plain = plain_relative(relative)?;
        let full = self.path.join(&plain);
        match beneath::open_regular(self.fd(), &plain, flags) {
            Ok(Some(file)) => Ok(file),
            // A socket answers `ENXIO`.
            Ok(None) | Err(Errno::NXIO) => Err(StoreError::NotAFile { path: full }),
            Err(errno) => Err(explain("open", &full, errno)),
        }
    }

    /// The content of `relative`, if it has at most `limit` bytes.
    pub fn read(&self, relative: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>, StoreError> {
        let relative = relative.as_ref();
        let mut content = Vec::new();
        let path = self.path.join(relative);
        self.open_file(relative)?
            .take(limit.saturating_add(1))
            .read_to_end(&mut content)
            .map_err(|source| StoreError::io("read", &path, source))?;
        if content.len() as u64 > limit {
            return Err(StoreError::TooLarge { path, limit });
        }
        Ok(content)
    }

    /// Puts `bytes` at `relative` at once: readers see the old content or the new, never a part.
    pub fn publish(&self, relative: impl AsRef<Path>, bytes: &[u8]) -> Result<(), StoreError> {
        self.put(relative.as_ref(), bytes, false)
    }

    /// [`RunDir::publish`], and on the disk (content and name) when it returns.
    pub fn publish_durable(&self, relative: impl AsRef<Path>, bytes: &[u8]) -> Result<(), StoreError> {
        self.put(relative.as_ref(), bytes, true)
    }

    fn put(&self, relative: &Path, bytes: &[u8], durable: bool) -> Result<(), StoreError> {
        let place = self.place(relative, true)?;
        let temporary = place.temporary();
        let written = place.write_and_rename(&temporary, bytes, durable);
        if written.is_err() {
            // The first error is the one to report; a leftover temporary file does no harm.
            let _ = rustix::fs::unlinkat(&place.parent, &temporary, AtFlags::empty());
        }
        written
    }

    /// Renames a file or folder within the run directory, replacing a file that is there.
    pub fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<(), StoreError> {
        let from = self.place(from.as_ref(), false)?;
        let to = self.place(to.as_ref(), true)?;
        rustix::fs::renameat(&from.parent, &from.name, &to.parent, &to.name)
            .map_err(|errno| explain("rename", &from.full, errno))
    }

    /// Removes a file, a link or a whole folder; missing is fine.
    pub fn remove(&self, relative: impl AsRef<Path>) -> Result<(), StoreError> {
        let place = match self.place(relative.as_ref(), false) {
            Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Ok(());
            }
            other => other?,
        };
        beneath::remove_tree(place.parent.as_fd(), &place.name)
            .map_err(|errno| explain("remove", &place.full, errno))
    }

    /// Removes the folder `relative` if nothing is in it; says whether it did.
    pub fn remove_dir_if_empty(&self, relative: impl AsRef<Path>) -> Result<bool, StoreError> {
        let place = match self.place(relative.as_ref(), false) {
            Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Ok(false);
            }
            other => other?,
        };
        match rustix::fs::unlinkat(&place.parent, &place.name, AtFlags::REMOVEDIR) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
            Err(errno) => Err(explain("remove the folder", &place.full, errno)),
        }
    }

    /// Copies a file or folder into the run directory at `relative`, published by rename; what was there is replaced.
    /// Links inside a folder are copied as links if they stay inside it; others are [`StoreError::LinkOut`].
    pub fn copy_in(&self, source: &Path, relative: impl AsRef<Path>) -> Result<(), StoreError> {
        let place = self.place(relative.as_ref(), true)?;
        if source
            .canonicalize()
            .is_ok_and(|source| place.full.parent().is_some_and(|to| to.starts_with(source)))
        {
            let text = source.to_string_lossy().into_owned();
            return Err(StoreError::UnsafePath { text, why: "it would be copied into itself".to_owned() });
        }
        let temporary = place.temporary();
        let copied =
            copy::copy(source, place.parent.as_fd(), &temporary).and_then(|()| place.replace_by(&temporary));
        if copied.is_err() {
            let _ = beneath::remove_tree(place.parent.as_fd(), &temporary);
        }
        copied
    }

    /// Makes the directory's own entries durable, and its name in the folder above.
    pub(crate) fn sync_names(&self) -> Result<(), StoreError> {
        let fail = |errno| StoreError::io("sync the run directory", &self.path, errno);
        rustix::fs::fsync(self.fd()).map_err(fail)?;
        let Some(parent) = self.path.parent() else { return Ok(()) };
        let above = beneath::open_root(parent).map_err(fail)?;
        rustix::fs::fsync(&above).map_err(fail)
    }
}

/// A name in an open folder.
struct Place {
    parent: OwnedFd,
    name: PathBuf,
    full: PathBuf,
}

impl Place {
    fn temporary(&self) -> PathBuf {
        PathBuf::from(format!("{}{}", names::TEMPORARY, random_id()))
    }

    fn write_and_rename(&self, temporary: &Path, bytes: &[u8], durable: bool) -> Result<(), StoreError> {
        let io = |source| StoreError::io("write", &self.full, source);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let fd = beneath::open(&self.parent, temporary, flags)
            .map_err(|errno| explain("write", &self.full, errno))?;
        let mut file = File::from(fd);
        file.write_all(bytes).map_err(io)?;
        if durable {
            file.sync_all().map_err(io)?;
        }
        rustix::fs::renameat(&self.parent, temporary, &self.parent, &self.name)
            .map_err(|errno| explain("write", &self.full, errno))?;
        if durable {
            rustix::fs::fsync(&self.parent)
                .map_err(|errno| explain("sync the folder of", &self.full, errno))?;
        }
        Ok(())
    }

    /// Renames `temporary` to the name; a folder in the way is removed first, as rename cannot replace it.
    fn replace_by(&self, temporary: &Path) -> Result<(), StoreError> {
        let rename = || rustix::fs::renameat(&self.parent, temporary, &self.parent, &self.name);
        let renamed = match rename() {
            Err(Errno::ISDIR | Errno::NOTDIR | Errno::NOTEMPTY | Errno::EXIST) => {
                beneath::remove_tree(self.parent.as_fd(), &self.name).and_then(|()| rename())
            }
            other => other,
        };
        renamed.map_err(|errno| explain("write", &self.full, errno))
    }
}
