//! What a file is, before it is opened: opening a named pipe waits for its writer, and reading a device may never end.

use std::fs::FileType;
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

/// Most bytes of a source; the largest amalgamations have ten megabytes.
const MOST_OF_A_SOURCE: u64 = 64 << 20;
/// Most bytes of a library, or of a program; frameworks' own libraries come close.
const MOST_OF_A_LIBRARY: u64 = 1 << 30;
/// Endings of what people write.
const WRITTEN: [&str; 15] =
    ["c", "cc", "cpp", "cxx", "cu", "cuh", "h", "hh", "hpp", "hxx", "inc", "py", "ptx", "yaml", "jsonl"];

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error("it is {what}, not a regular file; {way_out}")]
    Kind { what: &'static str, way_out: &'static str },
    #[error("it holds {bytes} bytes, and at most {most} are read; name a smaller file")]
    Large { bytes: u64, most: u64 },
}

/// Refuses what is no regular file, and one that is larger than any source or library of a kernel. Links are followed.
///
/// # Errors
/// The file is not there, or is not what can be read; the text of the error says what it is, and a way out.
pub fn regular(path: &Path) -> io::Result<()> {
    let facts = std::fs::metadata(path)?;
    let unfit = |unfit| Err(io::Error::new(io::ErrorKind::InvalidInput, unfit));
    if !facts.is_file() {
        let (what, way_out) = kind(facts.file_type());
        return unfit(Unfit::Kind { what, way_out });
    }
    let written =
        path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| WRITTEN.contains(&ending));
    let most = if written { MOST_OF_A_SOURCE } else { MOST_OF_A_LIBRARY };
    if facts.len() > most {
        return unfit(Unfit::Large { bytes: facts.len(), most });
    }
    Ok(())
}

fn kind(kind: FileType) -> (&'static str, &'static str) {
    let copy = "write what it gives to a file, and name that";
    if kind.is_dir() {
        ("a folder", "name a file in it")
    } else if kind.is_fifo() {
        ("a named pipe", copy)
    } else if kind.is_char_device() || kind.is_block_device() {
        ("a device", copy)
    } else if kind.is_socket() {
        ("a socket", copy)
    } else {
        ("something else", copy)
    }
}

#[cfg(test)]
mod tests {
    use super::regular;
    use std::path::Path;

    #[test]
    fn only_regular_files_of_a_sensible_size_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str, bytes: u64| {
            let path = folder.path().join(name);
            std::fs::File::create(&path).and_then(|file| file.set_len(bytes)).expect("a sparse file");
            path
        };
        let told = |path: &Path| regular(path).map_err(|error| error.to_string()).expect_err("refused");
        assert!(regular(&at("k.c", 64 << 20)).is_ok() && regular(&at("k.so", 1 << 30)).is_ok());
        assert!(told(&at("k.c", (64 << 20) + 1)).contains("holds 67108865 bytes, and at most 67108864"));
        assert!(told(&at("k.so", (1 << 30) + 1)).contains("at most 1073741824"));
        assert!(told(folder.path()).contains("a folder, not a regular file; name a file in it"));
        assert!(told(Path::new("/dev/zero")).contains("a device, not a regular file"));
        assert!(told(&folder.path().join("absent")).contains("No such file"));
    }
}
