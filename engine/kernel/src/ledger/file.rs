//! The ledger's file: append under a lock with one write, read, verify.

use super::chain::{FIRST, seal, sealed_hash};
use super::line::{Entry, Line};
use super::row::{Row, VERSION};
use super::signature::{Signature, SignatureKind, Signer, Unsignable, may_add};
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Why the ledger could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file could not be read or written.
    #[error("cannot {action} `{}`", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A row could not be written as JSON, such as one with a number that is not finite.
    #[error("a row cannot be written as JSON: {reason}")]
    Row {
        /// Why.
        reason: String,
    },
    /// Rows are added only behind a chain that holds.
    #[error("row {} of `{}` is broken: {}; look at it with `verify`, move the file away to begin another", .broken.row, .path.display(), .broken.reason)]
    Broken {
        /// The file.
        path: PathBuf,
        /// The first broken row.
        broken: Broken,
    },
    /// A row cannot be signed.
    #[error("`{}` cannot take this signature: {why}", .path.display())]
    Unsignable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: Unsignable,
    },
}

/// The first row that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Its number, from 1.
    pub row: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// A last line without an end: its writer was stopped. It is no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// What is there of it.
    pub text: String,
    /// Where it was put when a row was added behind it; `None` while it still stands in the ledger.
    pub kept_in: Option<PathBuf>,
}

/// What is in a ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// The rows up to the first broken one, judgements and signatures in their order: the number of a row is its place here, from 1.
    /// Fractions may differ from what was added in the last place; the chain holds their text.
    pub entries: Vec<Entry>,
    /// The first row that does not hold.
    pub broken: Option<Broken>,
    /// A last line without an end.
    pub torn: Option<Torn>,
}

impl Read {
    /// The judgements, each with its number.
    pub fn judgements(&self) -> impl Iterator<Item = (usize, &Row)> {
        self.entries.iter().enumerate().filter_map(|(at, entry)| match &entry.line {
            Line::Judgement(row) => Some((at + 1, row.as_ref())),
            Line::Signature(_) => None,
        })
    }

    /// The signatures under a row, each with its own number.
    pub fn signatures(&self, of: usize) -> impl Iterator<Item = (usize, &Signature)> {
        self.entries.iter().enumerate().filter_map(move |(at, entry)| match &entry.line {
            Line::Signature(signature) if signature.row == of => Some((at + 1, signature)),
            _ => None,
        })
    }
}

/// Whether the chain holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Rows that hold.
    pub rows: usize,
    /// The first that does not.
    pub broken: Option<Broken>,
    /// A last line without an end.
    pub torn: Option<Torn>,
}

/// What became of an added row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Its number, from 1.
    pub row: usize,
    /// Its digest. Kept elsewhere, it shows later whether rows were cut off at the end.
    pub hash: String,
    /// A torn line that was moved aside for it.
    pub torn: Option<Torn>,
}

/// A ledger, which need not exist yet.
#[derive(Debug, Clone)]
pub struct Ledger {
    path: PathBuf,
}

/// Lines of a ledger that hold, and what is behind them.
struct Scan {
    entries: Vec<Entry>,
    broken: Option<Broken>,
    /// Bytes of the lines that have an end.
    whole: usize,
    torn: Option<String>,
}

impl Ledger {
    /// The ledger in a file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a judgement: one write and one fsync, under a lock that any number of engines may wait for. A torn last line is moved to
    /// `<file>.torn` first.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing is added behind a broken chain.
    pub fn append(&self, row: &Row) -> Result<Appended, LedgerError> {
        self.add(OpenOptions::new().create(true), |_| object(row))
    }

    /// Whether a judgement could be added now: the chain holds, the file can be written, or its folder takes a new one. Nothing is
    /// written.
    ///
    /// # Errors
    /// [`LedgerError`], the one that [`Ledger::append`] would end with.
    pub fn ready(&self) -> Result<(), LedgerError> {
        // Opening a named pipe waits for its other end.
        if std::fs::metadata(&self.path).is_ok_and(|facts| !facts.is_file() && !facts.is_dir()) {
            let strange = io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
            return Err(self.failed("open", strange));
        }
        match OpenOptions::new().append(true).open(&self.path) {
            Ok(_) => match self.read()?.broken {
                Some(broken) => Err(LedgerError::Broken { path: self.path.clone(), broken }),
                None => Ok(()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                tempfile::tempfile_in(self.folder()).map(drop).map_err(|source| self.failed("make", source))
            }
            Err(source) => Err(self.failed("open", source)),
        }
    }

    /// Signs a row: likewise, and only of a ledger that is there.
    ///
    /// # Errors
    /// [`LedgerError`], [`LedgerError::Unsignable`] where the row is none that can be signed.
    pub fn sign(&self, row: usize, by: Signer, comment: &str) -> Result<Appended, LedgerError> {
        self.add(&mut OpenOptions::new(), |entries| {
            let signed = may_add(entries, row, comment)
                .map_err(|why| LedgerError::Unsignable { path: self.path.clone(), why })?;
            object(&Signature {
                v: VERSION,
                kind: SignatureKind::Signature,
                ts: jiff::Timestamp::now().to_string(),
                row,
                row_hash: signed.to_owned(),
                by,
                comment: comment.to_owned(),
            })
        })
    }

    /// Adds the line that is made of what stands before it.
    fn add(
        &self,
        how: &mut OpenOptions,
        make: impl FnOnce(&[Entry]) -> Result<String, LedgerError>,
    ) -> Result<Appended, LedgerError> {
        let new = !self.path.exists();
        let mut file =
            how.read(true).append(true).open(&self.path).map_err(|source| self.failed("open", source))?;
        file.lock().map_err(|source| self.failed("lock", source))?;
        let scan = scan(&self.text(&mut file)?);
        if let Some(broken) = scan.broken {
            return Err(LedgerError::Broken { path: self.path.clone(), broken });
        }
        let object = make(&scan.entries)?;
        let torn = scan.torn.map(|text| self.put_aside(&file, text, scan.whole)).transpose()?;
        let line = seal(&object, last(&scan.entries));
        let hash = sealed_hash(&line).map(|(_, _, hash)| hash.to_owned()).unwrap_or_default();
        file.write_all(format!("{line}\n").as_bytes()).map_err(|source| self.failed("append to", source))?;
        file.sync_all().map_err(|source| self.failed("sync", source))?;
        if new {
            self.sync_folder()?;
        }
        Ok(Appended { row: scan.entries.len() + 1, hash, torn })
    }

    /// The rows. A ledger that does not exist has none.
    ///
    /// # Errors
    /// [`LedgerError::Io`].
    pub fn read(&self) -> Result<Read, LedgerError> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Read { entries: Vec::new(), broken: None, torn: None });
            }
            Err(source) => return Err(self.failed("open", source)),
        };
        file.lock_shared().map_err(|source| self.failed("lock", source))?;
        let scan = scan(&self.text(&mut file)?);
        let torn = scan.torn.map(|text| Torn { text, kept_in: None });
        Ok(Read { entries: scan.entries, broken: scan.broken, torn })
    }

    /// Whether every row is what it was when it was added, and follows the one before it.
    ///
    /// # Errors
    /// [`LedgerError::Io`].
    pub fn verify(&self) -> Result<Verified, LedgerError> {
        let Read { entries, broken, torn } = self.read()?;
        Ok(Verified { rows: entries.len(), broken, torn })
    }

    fn text(&self, file: &mut File) -> Result<Vec<u8>, LedgerError> {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0))
            .and_then(|_| file.read_to_end(&mut bytes))
            .map_err(|source| self.failed("read", source))?;
        Ok(bytes)
    }

    /// Moves a torn line out of the way. It is synced there before it is cut off here, so it is never lost.
    fn put_aside(&self, file: &File, text: String, whole: usize) -> Result<Torn, LedgerError> {
        let mut name = self.path.clone().into_os_string();
        name.push(".torn");
        let path = PathBuf::from(name);
        let put = || {
            let mut aside = OpenOptions::new().append(true).create(true).open(&path)?;
            aside.write_all(format!("{text}\n").as_bytes())?;
            aside.sync_all()?;
            file.set_len(whole as u64)
        };
        put().map_err(|source| self.failed("move a torn line out of", source))?;
        Ok(Torn { text, kept_in: Some(path) })
    }

    /// A new file's name is safe only once its folder is.
    fn sync_folder(&self) -> Result<(), LedgerError> {
        File::open(self.folder())
            .and_then(|folder| folder.sync_all())
            .map_err(|source| self.failed("sync the folder of", source))
    }

    fn folder(&self) -> &Path {
        self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    fn failed(&self, action: &'static str, source: io::Error) -> LedgerError {
        LedgerError::Io { action, path: self.path.clone(), source }
    }
}

/// The text of a line without its digests.
fn object(line: &impl Serialize) -> Result<String, LedgerError> {
    serde_json::to_string(line).map_err(|error| LedgerError::Row { reason: error.to_string() })
}

/// What the next line is chained to.
fn last(entries: &[Entry]) -> &str {
    entries.last().map_or(FIRST, |entry| &entry.hash)
}

fn scan(bytes: &[u8]) -> Scan {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let torn = (whole < bytes.len()).then(|| String::from_utf8_lossy(&bytes[whole..]).into_owned());
    let mut scan = Scan { entries: Vec::new(), broken: None, whole, torn };
    for (at, line) in bytes[..whole].split_inclusive(|byte| *byte == b'\n').enumerate() {
        match check(&line[..line.len() - 1], &scan.entries) {
            Ok(entry) => scan.entries.push(entry),
            Err(reason) => {
                scan.broken = Some(Broken { row: at + 1, reason });
                break;
            }
        }
    }
    scan
}

fn check(line: &[u8], before: &[Entry]) -> Result<Entry, String> {
    let line = std::str::from_utf8(line).map_err(|_| "it is not text".to_owned())?;
    let (object, prev, hash) = sealed_hash(line)
        .ok_or_else(|| "its content does not match its own `hash`: it was changed".to_owned())?;
    if prev != last(before) {
        return Err(
            "its `prev_hash` is not the digest of the row before it: rows were removed, added or moved"
                .to_owned(),
        );
    }
    Ok(Entry { hash: hash.to_owned(), line: Line::read(&object, before)? })
}
