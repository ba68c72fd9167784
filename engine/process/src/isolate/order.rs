//! What the started binary is told, as bytes in a memory file: program, arguments, folders.
//!
//! Both ends are the same file on disk, so the format has no version. Not by arguments: a run may have thousands of
//! neighbours, and nothing of ours may count against the kernel's limit for the program's own.

use super::Isolation;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// One start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) program: PathBuf,
    pub(crate) argv: Vec<OsString>,
    pub(crate) isolation: Isolation,
}

impl Order {
    /// Lists with the number of their entries in front, entries with the number of their bytes.
    pub(crate) fn encode(program: &Path, argv: &[OsString], isolation: &Isolation) -> Vec<u8> {
        let paths = |paths: &[PathBuf]| paths.iter().map(|path| path.as_os_str().to_owned()).collect();
        let lists: [Vec<OsString>; 4] = [
            vec![program.as_os_str().to_owned()],
            argv.to_vec(),
            paths(&isolation.protected),
            paths(&isolation.writable),
        ];
        let mut out = Vec::new();
        for list in lists {
            out.extend((list.len() as u64).to_le_bytes());
            for entry in &list {
                put(&mut out, entry);
            }
        }
        out
    }

    /// `None` if it is none.
    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let program = list(&mut bytes)?.pop()?.into();
        let argv = list(&mut bytes)?;
        let mut paths =
            || -> Option<Vec<PathBuf>> { Some(list(&mut bytes)?.into_iter().map(PathBuf::from).collect()) };
        let isolation = Isolation { protected: paths()?, writable: paths()? };
        bytes.is_empty().then_some(Self { program, argv, isolation })
    }
}

fn put(out: &mut Vec<u8>, entry: &OsStr) {
    out.extend((entry.len() as u64).to_le_bytes());
    out.extend(entry.as_bytes());
}

fn number(bytes: &mut &[u8]) -> Option<usize> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    *bytes = rest;
    usize::try_from(u64::from_le_bytes(*number)).ok()
}

fn list(bytes: &mut &[u8]) -> Option<Vec<OsString>> {
    let mut entries = Vec::new();
    for _ in 0..number(bytes)? {
        let length = number(bytes)?;
        let (entry, rest) = bytes.split_at_checked(length)?;
        *bytes = rest;
        entries.push(OsString::from_vec(entry.to_vec()));
    }
    Some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_arrives_as_it_was_given_and_a_part_of_one_is_none() {
        let isolation =
            Isolation { protected: vec!["/a b".into(), "/ü\n".into()], writable: vec!["/a b/c".into()] };
        let argv = vec!["name".into(), OsString::from_vec(vec![0xff, b' ']), OsString::new()];
        let bytes = Order::encode(Path::new("/bin/x"), &argv, &isolation);
        let order = Order { program: "/bin/x".into(), argv, isolation };
        assert_eq!(Order::decode(&bytes), Some(order));
        for length in 0..bytes.len() {
            assert_eq!(Order::decode(&bytes[..length]), None, "{length}");
        }
        assert_eq!(Order::decode(&[bytes, vec![0]].concat()), None);
    }
}
