//! Digests of files and folders. SHA-256 where users compare with `sha256sum`, BLAKE3 inside the engine.
//! Must not follow links inside a folder.

use crate::StoreError;
pub use assay_protocol::FileDigest;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Bytes read at a time.
const CHUNK: usize = 128 * 1024;

/// BLAKE3 of `bytes`, 64 hex digits.
pub fn blake3_hex(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// SHA-256 of `bytes`, 64 hex digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// The digest of a file, or of a folder with all that is in it; `path` in the answer is `path` as given.
///
/// A folder's digest is the SHA-256 over one line per file, sorted by relative path as bytes:
/// `<relative path>\0<sha256>\n`. A link counts by the text of its target, marked `link:`; it is not followed.
/// Empty folders do not count. Pipes, sockets and devices are [`StoreError::NotAFile`].
pub fn sha256_file(path: &Path) -> Result<FileDigest, StoreError> {
    let metadata = fs::metadata(path).map_err(|error| StoreError::io("read", path, error))?;
    let (sha256, bytes) = if metadata.is_dir() {
        folder(path)?
    } else if metadata.is_file() {
        let file = File::open(path).map_err(|error| StoreError::io("open", path, error))?;
        reader(file, path)?
    } else {
        return Err(StoreError::NotAFile { path: path.to_owned() });
    };
    let Some(text) = path.to_str() else {
        return Err(StoreError::UnsafePath {
            text: path.to_string_lossy().into_owned(),
            why: "it is not valid UTF-8".to_owned(),
        });
    };
    Ok(FileDigest { path: text.to_owned(), sha256, bytes })
}

/// SHA-256 and length of what `file` yields.
pub(crate) fn reader(mut file: impl Read, path: &Path) -> Result<(String, u64), StoreError> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; CHUNK];
    let mut bytes = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((hex(&hasher.finalize()), bytes)),
            Ok(count) => {
                hasher.update(&buffer[..count]);
                bytes += count as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(StoreError::io("read", path, error)),
        }
    }
}

fn folder(root: &Path) -> Result<(String, u64), StoreError> {
    let mut entries = Vec::new();
    let mut bytes = 0;
    let mut open = vec![root.to_owned()];
    while let Some(path) = open.pop() {
        let fail = |error| StoreError::io("read the folder", &path, error);
        for entry in fs::read_dir(&path).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let kind = entry.file_type().map_err(fail)?;
            if kind.is_dir() {
                open.push(entry.path());
                continue;
            }
            let (digest, length) = entry_digest(&entry.path(), kind)?;
            bytes += length;
            entries.push((relative_to(root, entry.path()), digest));
        }
    }
    entries.sort_by(|(a, _): &(PathBuf, String), (b, _)| a.as_os_str().cmp(b.as_os_str()));
    let mut hasher = Sha256::new();
    for (path, digest) in &entries {
        hasher.update(path.as_os_str().as_bytes());
        hasher.update(b"\0");
        hasher.update(digest);
        hasher.update(b"\n");
    }
    Ok((hex(&hasher.finalize()), bytes))
}

fn relative_to(root: &Path, path: PathBuf) -> PathBuf {
    path.strip_prefix(root).map(Path::to_owned).unwrap_or(path)
}

fn entry_digest(path: &Path, kind: fs::FileType) -> Result<(String, u64), StoreError> {
    let fail = |error| StoreError::io("read", path, error);
    if kind.is_symlink() {
        let target = fs::read_link(path).map_err(fail)?;
        let text = target.as_os_str().as_bytes();
        return Ok((format!("link:{}", sha256_hex(text)), text.len() as u64));
    }
    if !kind.is_file() {
        return Err(StoreError::NotAFile { path: path.to_owned() });
    }
    reader(File::open(path).map_err(fail)?, path)
}
