//! Bind mounts: the same folder may stand in a second place, and must be protected there, too.

use super::IsolationError;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// One line of `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    /// `major:minor` of the file system.
    device: String,
    /// Which folder of the file system is mounted.
    root: PathBuf,
    /// Where.
    point: PathBuf,
}

/// Other paths to the same folders.
pub(super) fn of(protected: &[PathBuf]) -> Result<Vec<PathBuf>, IsolationError> {
    let table = std::fs::read("/proc/self/mountinfo")
        .map_err(|error| IsolationError::Failed { what: format!("the mounts cannot be read: {error}") })?;
    let mounts: Vec<Mount> = table.split(|byte| *byte == b'\n').filter_map(parse).collect();
    Ok(protected.iter().flat_map(|path| others(&mounts, path)).collect())
}

fn others(mounts: &[Mount], path: &Path) -> Vec<PathBuf> {
    // Of several on one point the last is on top.
    let holds = |mount: &&Mount| path.starts_with(&mount.point);
    let Some(home) = mounts.iter().filter(holds).max_by_key(|mount| mount.point.components().count()) else {
        return Vec::new();
    };
    let Ok(below) = path.strip_prefix(&home.point) else { return Vec::new() };
    let inner = home.root.join(below);
    let same = mounts.iter().filter(|mount| mount.device == home.device);
    same.filter_map(|mount| match inner.strip_prefix(&mount.root) {
        Ok(rest) if rest.as_os_str().is_empty() => Some(mount.point.clone()),
        Ok(rest) => Some(mount.point.join(rest)),
        // A part of the folder, mounted elsewhere.
        Err(_) => mount.root.starts_with(&inner).then(|| mount.point.clone()),
    })
    .filter(|other| other != path)
    .collect()
}

fn parse(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ').skip(2);
    let device = String::from_utf8(fields.next()?.to_vec()).ok()?;
    Some(Mount { device, root: unescape(fields.next()?), point: unescape(fields.next()?) })
}

/// Blanks, tabs, line ends and backslashes stand as `\` and three octal digits.
fn unescape(mut text: &[u8]) -> PathBuf {
    let mut out = Vec::with_capacity(text.len());
    while let Some((&byte, rest)) = text.split_first() {
        let digits = rest.first_chunk::<3>().filter(|_| byte == b'\\');
        let code = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        out.push(code.unwrap_or(byte));
        text = if code.is_some() { &rest[3..] } else { rest };
    }
    PathBuf::from(OsString::from_vec(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_found_at_every_place_where_it_is_mounted() {
        let table = "\
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
23 22 0:5 / /proc rw - proc proc rw
30 22 8:1 /home/a /mnt/my\\040home rw - ext4 /dev/sda1 rw
31 22 8:1 /home/a/runs/one/steps /srv/steps rw - ext4 /dev/sda1 rw
32 22 8:1 /home/b /mnt/b rw - ext4 /dev/sda1 rw
33 22 8:2 / /data rw - ext4 /dev/sdb1 rw
34 22 8:2 /x /data2 rw - ext4 /dev/sdb1 rw";
        let mounts: Vec<Mount> = table.lines().filter_map(|line| parse(line.as_bytes())).collect();
        assert_eq!(mounts.len(), 7);
        let of = |path: &str| others(&mounts, Path::new(path));
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(of("/home/a/runs/one"), paths(&["/mnt/my home/runs/one", "/srv/steps"]));
        assert_eq!(of("/mnt/my home/runs/two"), paths(&["/home/a/runs/two"]));
        assert_eq!(of("/data/x"), paths(&["/data2"]));
        assert_eq!(of("/var"), paths(&[]));
    }
}
