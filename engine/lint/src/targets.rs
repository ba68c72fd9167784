//! Where a command writes, and whose place that is.

use crate::commands::{Command, Word};

/// Whose place a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The run's, a device, or not known from the text.
    Fine,
    /// A fixed name in a folder that all processes of a host share.
    Shared,
    /// Not the run's; the words say whose.
    Outside(&'static str),
}

/// Folders that all processes of a host share.
const SHARED: &[&str] = &["/tmp", "/var/tmp", "/dev/shm"];

/// Whose place `path` is; `open` and `in_shell` as of its word.
pub(crate) fn place(path: &str, open: bool, in_shell: bool) -> Place {
    let below =
        |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if let Some(code) = path.strip_prefix("{{") {
        let skill = code.trim_start_matches(['-', ' ']).starts_with("skill.dir");
        return if skill { Place::Outside("the manifest's own folder") } else { Place::Fine };
    }
    if matches!(path, "/dev/null" | "/dev/stdout" | "/dev/stderr" | "/dev/tty")
        || below("/dev/fd")
        || below("/proc/self/fd")
    {
        return Place::Fine;
    }
    if let Some(rest) = SHARED
        .iter()
        .find_map(|folder| path.strip_prefix(folder))
        .filter(|rest| rest.is_empty() || rest.starts_with('/'))
    {
        return if open || rest.trim_matches('/').is_empty() { Place::Fine } else { Place::Shared };
    }
    if path.starts_with('/') {
        return Place::Outside("a fixed place of the host");
    }
    if in_shell && (below("~") || below("$HOME") || below("${HOME}")) {
        return Place::Outside("the user's home");
    }
    if below("..") || path.starts_with("./..") {
        return Place::Outside("above the step's own folder");
    }
    Place::Fine
}

/// Folders with what others downloaded or built, as parts of a path.
const CACHES: &[&str] = &["/.cache", "/.triton", "/.nv/ComputeCache"];

/// How the path of a shared folder begins.
const HOMES: &[&str] = &["~/", "/home/", "/root/", "$HOME/", "${HOME}/"];

/// Variables that name such a folder.
const CACHE_VARIABLES: &[&str] = &["$HF_HOME", "${HF_HOME}", "$HF_HUB_CACHE", "${HF_HUB_CACHE}"];

/// Whether removing this folder with all it holds takes away what others use: the root, a home, a cache.
pub(crate) fn is_ruinous(path: &str) -> bool {
    let folder = path.trim_end_matches('*').trim_end_matches('/');
    let home = matches!(folder, "~" | "$HOME" | "${HOME}" | "..");
    let root = folder.is_empty() && path.starts_with('/');
    let system =
        matches!(folder, "/home" | "/root" | "/usr" | "/etc" | "/var" | "/opt" | "/data" | "/mnt" | "/tmp");
    let cache = HOMES.iter().any(|home| path.starts_with(home))
        && CACHES.iter().any(|cache| path.contains(cache))
        || CACHE_VARIABLES.iter().any(|variable| path.starts_with(variable));
    home || root || system || cache
}

/// Options whose value is written, whatever the program.
const OUTPUTS: &[&str] = &[
    "-o",
    "--output",
    "--out",
    "--output-file",
    "--output-dir",
    "--out-dir",
    "--output-path",
    "--output_dir",
    "--output_file",
    "--result-dir",
    "--save-dir",
    "--log-file",
    "--log-dir",
];

/// Programs whose `-o` is something else.
const OTHER_OUTPUTS: &[&str] = &[
    "grep", "egrep", "fgrep", "rg", "ps", "ssh", "scp", "mount", "find", "set", "ls", "lsblk", "findmnt",
    "apt-get", "chown", "install",
];

/// The words that name what a command writes or removes, each with the path in it.
pub(crate) fn written<'c>(command: &'c Command<'_>) -> Vec<(&'c Word, &'c str)> {
    let mut found: Vec<(&Word, &str)> = Vec::new();
    for redirect in &command.redirects {
        let text = redirect.target.text.as_str();
        let descriptor =
            redirect.operator == ">&" && (text == "-" || text.bytes().all(|b| b.is_ascii_digit()));
        if redirect.operator.contains('>') && !descriptor {
            found.push((&redirect.target, text));
        }
    }
    let Some((program, args)) = command.effective().split_first() else { return found };
    if !OTHER_OUTPUTS.contains(&program.base()) {
        options(args, OUTPUTS, &mut found);
    }
    let whole = |word: &'c Word| (word, word.text.as_str());
    let name = program.base();
    match name {
        "tee" | "mkdir" | "touch" | "rmdir" | "rm" | "truncate" | "shred" => {
            let valued: &[&str] =
                if name == "truncate" { &["-s", "--size"] } else { &["-m", "-d", "-t", "-r"] };
            let valued = if matches!(name, "rm" | "tee") { &[] } else { valued };
            found.extend(positional(args, valued).into_iter().map(whole));
        }
        "cp" | "mv" | "ln" | "install" | "rsync" => {
            options(args, &["-t", "--target-directory"], &mut found);
            let words = positional(args, &["-t", "-m", "-o", "-g", "-e"]);
            if words.len() > 1 {
                found.extend(words.last().map(|word| whole(word)));
            }
        }
        "git" if args.first().is_some_and(|word| word.text == "clone") => {
            let words =
                positional(&args[1..], &["-b", "--branch", "--depth", "-c", "--reference", "-o", "-j"]);
            found.extend(words.get(1).map(|word| whole(word)));
        }
        "dd" => found
            .extend(args.iter().filter_map(|word| word.text.strip_prefix("of=").map(|path| (word, path)))),
        "tar" if args.first().is_some_and(|word| word.text.contains('x')) => {
            options(args, &["-C", "--directory"], &mut found);
        }
        "unzip" => options(args, &["-d"], &mut found),
        "wget" => options(args, &["-O", "-P", "--output-document", "--directory-prefix"], &mut found),
        _ => {}
    }
    found
}

/// Values of options, as `--name value` and `--name=value`.
fn options<'c>(args: &'c [Word], names: &[&str], found: &mut Vec<(&'c Word, &'c str)>) {
    for (at, word) in args.iter().enumerate() {
        if names.contains(&word.text.as_str()) {
            found.extend(args.get(at + 1).map(|value| (value, value.text.as_str())));
        } else if let Some((name, value)) = word.text.split_once('=').filter(|(name, _)| names.contains(name))
        {
            debug_assert!(!name.is_empty());
            found.push((word, value));
        }
    }
}

/// Arguments that are no options; `valued`: options whose value is the next word.
pub(crate) fn positional<'c>(args: &'c [Word], valued: &[&str]) -> Vec<&'c Word> {
    let mut found = Vec::new();
    let mut words = args.iter();
    while let Some(word) = words.next() {
        if word.text == "--" {
            found.extend(words);
            break;
        }
        if valued.contains(&word.text.as_str()) {
            words.next();
        } else if !word.text.starts_with('-') || word.text == "-" {
            found.push(word);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_apart() {
        for (path, open, wanted) in [
            ("out.json", false, Place::Fine),
            ("/dev/null", false, Place::Fine),
            ("/dev/shm/x-{{ run.id }}", true, Place::Fine),
            ("/dev/shm/x", false, Place::Shared),
            ("/tmp/x", false, Place::Shared),
            ("/tmp", false, Place::Fine),
            ("/tmpfiles/x", false, Place::Outside("a fixed place of the host")),
            ("/data/$X", true, Place::Outside("a fixed place of the host")),
            ("{{ run.scratch }}/x", true, Place::Fine),
            ("{{ skill.dir }}/x", true, Place::Outside("the manifest's own folder")),
            ("$HOME/x", true, Place::Outside("the user's home")),
            ("$HOMEDIR/x", true, Place::Fine),
            ("~", false, Place::Outside("the user's home")),
            ("../x", false, Place::Outside("above the step's own folder")),
            ("..x", false, Place::Fine),
        ] {
            assert_eq!(place(path, open, true), wanted, "{path}");
        }
        assert_eq!(place("~/x", false, false), Place::Fine, "only a shell expands it");
    }
}
