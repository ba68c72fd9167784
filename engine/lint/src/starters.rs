//! Programs that only start another one: what stands behind them does the work.

use crate::commands::Word;

/// One such program.
struct Starter {
    name: &'static str,
    /// A word that must follow, as `run` in `uv run`; empty: none.
    verb: &'static str,
    /// Options whose value is the next word.
    valued: &'static [&'static str],
    /// Words between the options and the program, as the time of `timeout`.
    positional: usize,
}

const fn plain(name: &'static str, valued: &'static [&'static str]) -> Starter {
    Starter { name, verb: "", valued, positional: 0 }
}

/// From the manual pages of coreutils 9, util-linux 2.39, sudo 1.9 and numactl 2.0, and the help of uv and conda.
const STARTERS: &[Starter] = &[
    plain(
        "sudo",
        &["-u", "-g", "-h", "-p", "-C", "-T", "-D", "-R", "-r", "-t", "--user", "--group", "--chdir"],
    ),
    plain("doas", &["-u", "-C"]),
    plain("env", &["-u", "-C", "-S", "--unset", "--chdir"]),
    plain("nohup", &[]),
    plain("exec", &["-a"]),
    plain("command", &[]),
    plain("setsid", &[]),
    plain("time", &["-f", "-o", "--format", "--output"]),
    plain("stdbuf", &["-i", "-o", "-e"]),
    plain("nice", &["-n", "--adjustment"]),
    plain("ionice", &["-c", "-n", "--class", "--classdata"]),
    Starter { name: "timeout", verb: "", valued: &["-s", "-k", "--signal", "--kill-after"], positional: 1 },
    Starter { name: "taskset", verb: "", valued: &[], positional: 1 },
    Starter { name: "chrt", verb: "", valued: &[], positional: 1 },
    plain("numactl", &["-N", "-m", "-C", "-i", "-p", "-w"]),
    Starter {
        name: "uv",
        verb: "run",
        valued: &["--with", "-p", "--python", "--extra", "--group", "--directory", "--project", "--env-file"],
        positional: 0,
    },
    Starter { name: "conda", verb: "run", valued: &["-n", "-p", "--name", "--prefix"], positional: 0 },
];

/// How many words only start the rest; never all of them.
pub(crate) fn count(words: &[Word]) -> usize {
    let mut at = 0;
    while let Some(next) = behind(&words[at..]) {
        at += next;
    }
    at
}

/// The starting programs themselves, outermost first.
pub(crate) fn of(words: &[Word]) -> Vec<&Word> {
    let (mut at, mut found) = (0, Vec::new());
    while let Some(next) = behind(&words[at..]) {
        found.push(&words[at]);
        at += next;
    }
    found
}

/// How many words of `words` belong to a starter at their beginning.
fn behind(words: &[Word]) -> Option<usize> {
    let name = words.first()?.base();
    let starter = STARTERS.iter().find(|starter| starter.name == name)?;
    let mut at = 1;
    if !starter.verb.is_empty() {
        if words.get(1)?.text != starter.verb {
            return None;
        }
        at = 2;
    }
    while let Some(word) = words.get(at) {
        let text = word.text.as_str();
        if starter.name == "command" && matches!(text, "-v" | "-V") {
            return None; // only asks whether there is such a program
        }
        if text == "--" {
            at += 1;
            break;
        }
        if starter.valued.contains(&text) {
            at += 2;
        } else if text.starts_with('-') || (matches!(name, "env" | "sudo" | "doas") && text.contains('=')) {
            at += 1;
        } else {
            break;
        }
    }
    at += starter.positional;
    (at < words.len()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_diagnostics::{SourceId, Span};

    fn words(line: &str) -> Vec<Word> {
        let span = Span { source: SourceId(0), start: 0, end: 0 };
        line.split(' ')
            .map(|text| Word { text: text.to_owned(), span, open: text.starts_with('$') })
            .collect()
    }

    #[test]
    fn what_does_the_work_is_found() {
        for (line, work) in [
            ("pkill x", "pkill"),
            ("sudo -u root pkill x", "pkill"),
            ("env -u A B=1 pkill x", "pkill"),
            ("timeout -s KILL 10 /usr/bin/pkill x", "/usr/bin/pkill"),
            ("nice -n 10 ionice -c 3 pkill", "pkill"),
            ("taskset -c 0-3 ./bench", "./bench"),
            ("numactl -N 0 --membind=0 ./bench", "./bench"),
            ("uv run --with x python -m y", "python"),
            ("uv pip install x", "uv"),
            ("command -v sudo", "command"),
            ("command -- pkill x", "pkill"),
            ("sudo -v", "sudo"),
            ("timeout 5", "timeout"),
            ("env", "env"),
            ("$X pkill", "$X"),
        ] {
            let words = words(line);
            assert_eq!(words[count(&words)].text, work, "{line}");
        }
        assert_eq!(of(&words("sudo timeout 5 nohup x")).len(), 3);
    }
}
