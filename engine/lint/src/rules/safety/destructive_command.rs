use crate::commands::Command;
use crate::commands::Word;
use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use crate::targets::{is_ruinous, positional};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::Manifest;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "destructive-command",
    family: Family::Safety,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A command that removes what the run did not make: homes, caches, local changes, containers, disks.",
    why: "\
`rm -rf` of a home, of the root or of a shared cache, `git reset --hard`, `git clean -f`, `git push --force`, `git stash drop`, `docker
system prune`, `huggingface-cli delete-cache` and `mkfs` cannot be taken back. Work that nobody saved is gone, and a cache of 500 GB is
downloaded again by everybody. Inside `{{ run.scratch }}` and `{{ step.dir }}` a run may do what it likes: git commands in a clone there
(`git -C`, `cd` or `cwd`) are left alone.",
    bad: "\
steps:
  clean:
    uses: command
    with: {argv: [git, reset, --hard]}
    timeout: 1m
",
    good: "\
steps:
  clean:
    uses: command
    with: {argv: [git, -C, \"{{ run.scratch }}/checkout\", reset, --hard]}
    timeout: 1m
",
    fixes: Fixes::None,
    check: Check::Manifest(check),
};

fn check(cx: &Cx<'_>, _: &Manifest, found: &mut Found<'_>) {
    // The folder that a line last changed to.
    let mut cd: Option<&Command<'_>> = None;
    for command in cx.commands() {
        cd = cd.filter(|cd| cd.group == command.group);
        if command.in_shell && command.program() == "cd" {
            cd = Some(command);
        }
        let Some((word, what)) = destroys(command) else { continue };
        let git = command.worker() == "git";
        if git && in_own_folder(cd, command) {
            continue;
        }
        let way_out = if git {
            "work in a clone or worktree below `{{ run.scratch }}`, or check with `check: git_clean` and stop"
        } else {
            "remove only what this run made below `{{ run.scratch }}`; the engine tidies up the rest"
        };
        let owner = command.owner.shown();
        found.push(found.at(word.span, format!("{owner} {what}"), "cannot be taken back").help(way_out));
    }
}

/// What is lost for good.
fn destroys<'c>(command: &'c Command<'_>) -> Option<(&'c Word, &'static str)> {
    let (program, args) = command.effective().split_first()?;
    let all = |words: &[&str]| {
        let mut plain = args.iter().map(|word| word.text.as_str()).filter(|text| !text.starts_with('-'));
        words.iter().all(|wanted| plain.next() == Some(*wanted))
    };
    let told = |yes: bool, what: &'static str| yes.then_some((program, what));
    match program.base() {
        "rm" => {
            let deep = args.iter().any(|word| is_flag(&word.text, &['r', 'R']) || word.text == "--recursive");
            let targets = positional(args, &[]);
            let target = targets.into_iter().find(|word| is_ruinous(&word.text)).filter(|_| deep)?;
            Some((target, "removes a folder that others use"))
        }
        "find" => {
            let deletes = args.iter().any(|word| word.text == "-delete" || word.text == "rm");
            let start = args
                .iter()
                .take_while(|word| !word.text.starts_with('-'))
                .find(|word| is_ruinous(&word.text));
            start.filter(|_| deletes).map(|word| (word, "removes files that others use"))
        }
        "git" => git(args),
        "docker" | "podman" => told(
            ["system", "image", "container", "volume", "builder", "network"]
                .iter()
                .any(|kind| all(&[kind, "prune"])),
            "removes what other containers need",
        ),
        "huggingface-cli" => told(all(&["delete-cache"]), "empties the model cache that all share"),
        "hf" => told(
            all(&["cache", "delete"]) || all(&["cache", "rm"]) || all(&["cache", "prune"]),
            "empties the model cache that all share",
        ),
        "pip" | "pip3" => told(all(&["cache", "purge"]), "empties the package cache that all share"),
        "dd" => args
            .iter()
            .find(|word| {
                word.text
                    .strip_prefix("of=/dev/")
                    .is_some_and(|device| !matches!(device, "null" | "stdout" | "stderr"))
            })
            .map(|word| (word, "overwrites a device")),
        "wipefs" => Some((program, "overwrites a disk")),
        name if name == "mkfs" || name.starts_with("mkfs.") => Some((program, "overwrites a disk")),
        "reboot" | "shutdown" | "poweroff" | "halt" => Some((program, "ends the whole host")),
        _ => None,
    }
}

fn git(args: &[Word]) -> Option<(&Word, &'static str)> {
    let words = positional(args, &["-C", "-c", "--git-dir", "--work-tree"]);
    let (verb, rest) = words.split_first()?;
    let flag = |names: &[&str], letter: char| {
        args.iter().any(|word| names.contains(&word.text.as_str()) || is_flag(&word.text, &[letter]))
    };
    let path = rest.iter().any(|word| word.text == ".");
    let first = rest.first().map_or("", |word| word.text.as_str());
    let what = match verb.text.as_str() {
        "reset" if flag(&["--hard"], '\0') => "throws local changes away",
        "clean" if flag(&["--force"], 'f') && !flag(&["--dry-run"], 'n') => {
            "removes files that git does not know"
        }
        "checkout" | "switch" if flag(&["--force", "--discard-changes"], 'f') => "throws local changes away",
        "checkout" | "restore" if path && !flag(&["--staged"], '\0') => "throws local changes away",
        "stash" if matches!(first, "drop" | "clear") => "throws stashed changes away",
        "push" if flag(&["--force", "--force-with-lease", "--mirror"], 'f') => {
            "overwrites what others pushed"
        }
        _ => return None,
    };
    Some((verb, what))
}

/// Whether `text` is a group of one-letter options with one of these letters.
fn is_flag(text: &str, letters: &[char]) -> bool {
    text.starts_with('-') && !text.starts_with("--") && text.contains(letters)
}

/// Whether a git command works below the run's own folders: by `-C`, by a `cd` before it, or by `cwd`.
fn in_own_folder(cd: Option<&Command<'_>>, command: &Command<'_>) -> bool {
    let own = |text: &str| {
        text.strip_prefix("{{").is_some_and(|code| {
            let code = code.trim_start_matches(['-', ' ']);
            ["run.scratch", "run.dir", "step.dir", "steps."].iter().any(|root| code.starts_with(root))
        })
    };
    if let Some(folder) = command.option("-C") {
        return own(&folder.text);
    }
    if let Some(target) = cd.and_then(|cd| cd.words.get(1)) {
        return own(&target.text);
    }
    command.owner.step().and_then(|step| step.cwd.as_ref()).is_some_and(|cwd| own(cwd.template.source()))
}
