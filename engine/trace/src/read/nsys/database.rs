//! A database that may be anything: checked before it is trusted, asked only for what it has.

use super::MAGIC;
use crate::error::TraceError;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// An export that is open.
pub struct Database {
    connection: Connection,
    path: PathBuf,
    tables: Vec<String>,
    /// Bytes of the file.
    pub bytes: u64,
}

impl Database {
    /// Opens `path` and makes sure that it is whole, at rest and an export.
    pub fn open(path: &Path) -> Result<Self, TraceError> {
        let header = Header::read(path)?;
        let fail = |reason: String| TraceError::Database { path: path.to_owned(), reason };
        header.whole().map_err(fail)?;
        at_rest(path, header.write_ahead).map_err(fail)?;
        // `immutable`: SQLite takes no lock and makes no file beside the database, which may lie on a read-only disk.
        let connection = connect(path, "mode=ro&immutable=1").map_err(|error| fail(error.to_string()))?;
        let mut database =
            Self { connection, path: path.to_owned(), tables: Vec::new(), bytes: header.file_bytes };
        database.tables = database.list("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")?;
        database.is_export()?;
        Ok(database)
    }

    /// Whether there is a table `name`.
    pub fn has(&self, name: &str) -> bool {
        self.tables.iter().any(|table| table.eq_ignore_ascii_case(name))
    }

    /// Calls `each` with every row of `table` in the order of the file. The row has `wanted` in this order; columns
    /// that the table lacks are NULL. Nothing happens where there is no such table.
    ///
    /// # Errors
    /// Where the database is damaged, or the table lacks one of the first `needed` columns.
    pub fn scan(
        &self,
        table: &str,
        wanted: &[&str],
        needed: usize,
        mut each: impl FnMut(&Row<'_>),
    ) -> Result<(), TraceError> {
        if !self.has(table) {
            return Ok(());
        }
        let has = self.list(&format!("SELECT name FROM pragma_table_info('{table}')"))?;
        let present = |column: &&str| has.iter().any(|name| name.eq_ignore_ascii_case(column));
        if let Some(absent) = wanted[..needed].iter().find(|column| !present(column)) {
            return Err(self.fail(format!("its table `{table}` has no column `{absent}`")));
        }
        // Names come from constants of this module's callers, never from the file.
        let column = |name: &&str| if present(name) { format!("\"{name}\"") } else { "NULL".to_owned() };
        let columns: Vec<String> = wanted.iter().map(column).collect();
        let query = format!("SELECT {} FROM \"{table}\"", columns.join(", "));
        let mut run = || -> rusqlite::Result<()> {
            let mut statement = self.connection.prepare(&query)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                each(&Row(row));
            }
            Ok(())
        };
        run().map_err(|error| self.fail(format!("its table `{table}`: {error}")))
    }

    /// The text of `id` in `StringIds`.
    pub fn string(&self, id: i64) -> Result<Option<String>, TraceError> {
        if !self.has("StringIds") {
            return Ok(None);
        }
        let run = || -> rusqlite::Result<Option<String>> {
            let mut statement = self.connection.prepare("SELECT value FROM StringIds WHERE id = ?1")?;
            let mut rows = statement.query([id])?;
            Ok(rows.next()?.and_then(|row| Row(row).text(0).map(Cow::into_owned)))
        };
        run().map_err(|error| self.fail(format!("its table `StringIds`: {error}")))
    }

    fn list(&self, query: &str) -> Result<Vec<String>, TraceError> {
        let run = || -> rusqlite::Result<Vec<String>> {
            let mut statement = self.connection.prepare(query)?;
            let rows = statement.query_map([], |row| row.get(0))?;
            rows.collect()
        };
        run().map_err(|error| self.fail(error.to_string()))
    }

    fn fail(&self, reason: String) -> TraceError {
        TraceError::Database { path: self.path.clone(), reason }
    }

    fn is_export(&self) -> Result<(), TraceError> {
        let known = |table: &String| table.starts_with("CUPTI_ACTIVITY_KIND_") || table == "NVTX_EVENTS";
        let meta = self.has("StringIds") && self.has("META_DATA_EXPORT");
        if meta || self.tables.iter().any(known) {
            return Ok(());
        }
        let mut found: Vec<String> = self.tables.iter().take(3).map(|table| format!("`{table}`")).collect();
        if self.tables.len() > found.len() {
            found.push("..".into());
        }
        let tables =
            if found.is_empty() { "no table".into() } else { format!("the tables {}", found.join(", ")) };
        let found = format!("it is an SQLite database, but no export of Nsight Systems: it has {tables}");
        Err(TraceError::NotATrace { path: self.path.clone(), found })
    }
}

/// A row under the cursor.
pub struct Row<'r>(&'r rusqlite::Row<'r>);

impl Row<'_> {
    /// Column `index` as a whole number; texts of digits count, as some tools write every column as text.
    pub fn int(&self, index: usize) -> Option<i64> {
        match self.0.get_ref(index).ok()? {
            ValueRef::Integer(number) => Some(number),
            ValueRef::Real(number) if number.fract() == 0.0 && number.abs() < 9.0e18 => Some(number as i64),
            ValueRef::Text(text) => std::str::from_utf8(text).ok()?.trim().parse().ok(),
            _ => None,
        }
    }

    /// Column `index` as a small number; 0 where there is none.
    pub fn small(&self, index: usize) -> u32 {
        self.int(index).and_then(|number| u32::try_from(number).ok()).unwrap_or_default()
    }

    /// Column `index` if it is a text that is not empty.
    pub fn text(&self, index: usize) -> Option<Cow<'_, str>> {
        match self.0.get_ref(index).ok()? {
            ValueRef::Text(text) if !text.is_empty() => Some(String::from_utf8_lossy(text)),
            _ => None,
        }
    }
}

/// What stands in the first hundred bytes; offsets as in SQLite's description of its file format, section 1.3.
struct Header {
    file_bytes: u64,
    wanted_bytes: Option<u64>,
    write_ahead: bool,
}

impl Header {
    fn read(path: &Path) -> Result<Self, TraceError> {
        let io = |error| TraceError::Io { path: path.to_owned(), error };
        let mut file = File::open(path).map_err(io)?;
        let file_bytes = file.metadata().map_err(io)?.len();
        let mut first = Vec::new();
        file.by_ref().take(100).read_to_end(&mut first).map_err(io)?;
        if first.len() < 100 || !first.starts_with(MAGIC) {
            return Ok(Self { file_bytes, wanted_bytes: Some(100), write_ahead: false });
        }
        let number = |at: usize| {
            u64::from(u32::from_be_bytes([first[at], first[at + 1], first[at + 2], first[at + 3]]))
        };
        let page = match u64::from(u16::from_be_bytes([first[16], first[17]])) {
            1 => 65_536,
            size => size,
        };
        // The count of pages is valid only where the last writer also noted the change counter.
        let valid = number(28) > 0 && number(24) == number(92);
        let wanted_bytes = valid.then(|| number(28) * page);
        Ok(Self { file_bytes, wanted_bytes, write_ahead: first[18] == 2 || first[19] == 2 })
    }

    fn whole(&self) -> Result<(), String> {
        match self.wanted_bytes {
            Some(wanted) if self.file_bytes < wanted => Err(format!(
                "it is cut off: it has {} of {wanted} bytes; export or copy it again",
                self.file_bytes
            )),
            _ => Ok(()),
        }
    }
}

/// Whether no program is writing the database, and none died while it did.
fn at_rest(path: &Path, write_ahead: bool) -> Result<(), String> {
    for ending in ["-journal", "-wal"] {
        let mut beside = path.as_os_str().to_owned();
        beside.push(ending);
        if std::fs::metadata(&beside).is_ok_and(|data| data.len() > 0) {
            let beside = Path::new(&beside).display();
            return Err(format!("a program is writing it or died while it did: `{beside}` lies beside it"));
        }
    }
    if write_ahead {
        // Opening such a database without `immutable` makes files beside it; without a log it is at rest.
        return Ok(());
    }
    let look = || -> rusqlite::Result<i64> {
        let connection = connect(path, "mode=ro")?;
        connection.busy_timeout(std::time::Duration::ZERO)?;
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))
    };
    match look() {
        Err(error)
            if matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
            ) =>
        {
            Err("another program has locked it, such as an export that still runs; try again when it has ended".into())
        }
        // Where a lock cannot be asked for (some network disks), there is nothing to learn from it.
        _ => Ok(()),
    }
}

fn connect(path: &Path, how: &str) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(format!("file:{}?{how}", escaped(path)), flags)
}

/// The path as the inside of a URI: every byte that could mean something there is escaped.
fn escaped(path: &Path) -> String {
    use std::fmt::Write;
    let bytes = path.as_os_str().as_encoded_bytes();
    // `file:a//b` would name a host.
    let relative = if bytes.starts_with(b"/") { "" } else { "./" };
    let mut uri = relative.to_owned();
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_') {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::escaped;
    use std::path::Path;

    #[test]
    fn paths_become_uris() {
        assert_eq!(escaped(Path::new("/a b/x?y#z%.sqlite")), "/a%20b/x%3Fy%23z%25.sqlite");
        assert_eq!(escaped(Path::new("é.sqlite")), "./%C3%A9.sqlite");
    }
}
