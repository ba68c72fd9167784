use crate::commands::Command;
use crate::commands::Word;
use crate::context::Cx;
use crate::programs::is_python;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use crate::targets::positional;
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::Manifest;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "unpinned-install",
    family: Family::Freshness,
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    finds: "A package, image or checkout without a version, so that tomorrow's run takes another one.",
    why: "\
What is installed decides what is measured. Without a version the next run gets whatever is new, and a number that changed has two
possible causes. Looked at: `pip`/`uv` (`name==1.2`), `npm`, `pnpm` and `yarn` (`name@1.2`), `apt-get` (`name=1.2`), `cargo install` (`--version`,
`--rev`, `--tag`, `--path`), `docker run` and `pull` (a digest, or a tag other than `latest`) and `git clone` (`--branch <tag>`, or a
`checkout` of a commit in the same manifest). Requirement and lock files, local paths, wheels and templates are left alone.",
    bad: "\
steps:
  install:
    uses: command
    with: {argv: [pip, install, sglang]}
    timeout: 10m
",
    good: "\
steps:
  install:
    uses: command
    with: {argv: [pip, install, \"sglang==0.5.23\"]}
    timeout: 10m
",
    fixes: Fixes::None,
    check: Check::Manifest(check),
};

fn check(cx: &Cx<'_>, _: &Manifest, found: &mut Found<'_>) {
    let commands = cx.commands();
    let built: Vec<&str> = commands.iter().flat_map(built_here).collect();
    let checks_out = commands.iter().any(|command| {
        let verbs = ["checkout", "switch", "reset", "worktree"];
        command.worker() == "git" && command.words.iter().any(|word| verbs.contains(&word.text.as_str()))
    });
    for command in commands {
        let Some((word, how)) = unpinned(command, &built, checks_out) else { continue };
        let owner = command.owner.shown();
        found.push(
            found
                .at(word.span, format!("{owner} takes whatever version is new"), "no version")
                .help(format!("name the version that was verified: {how}")),
        );
    }
}

/// Images that the manifest builds itself: `docker build -t name`.
fn built_here<'c>(command: &'c Command<'_>) -> Vec<&'c str> {
    let builds = matches!(command.worker(), "docker" | "podman")
        && command.words.iter().any(|word| word.text == "build");
    let name = command.option("-t").or(command.option("--tag")).filter(|_| builds);
    name.map(|word| word.text.as_str()).into_iter().collect()
}

/// The first word without a version, and how one is written.
fn unpinned<'c>(
    command: &'c Command<'_>,
    built: &[&str],
    checks_out: bool,
) -> Option<(&'c Word, &'static str)> {
    let words = command.effective();
    let (program, args) = words.split_first()?;
    let text = |at: usize| args.get(at).map_or("", |word| word.text.as_str());
    let name = program.base();
    if is_python(name) && text(0) == "-m" && text(1) == "pip" && text(2) == "install" {
        return pip(&args[3..]);
    }
    match (name, text(0)) {
        (name, "install")
            if name == "pip" || name.strip_prefix("pip").is_some_and(|rest| rest.starts_with('3')) =>
        {
            pip(&args[1..])
        }
        ("uv", "pip") if text(1) == "install" => pip(&args[2..]),
        ("uv", "tool") if text(1) == "install" => pip(&args[2..]),
        ("uv", "add") | ("pipx", "install") => pip(&args[1..]),
        ("npm", "install" | "i" | "add") | ("pnpm" | "yarn", "add") => {
            let names = positional(&args[1..], &["--prefix", "-C", "--registry"]);
            let free = |word: &&Word| {
                !word.open && !word.text.starts_with(['.', '/']) && !versioned(&word.text[1..], "@")
            };
            names
                .into_iter()
                .find(|word| !word.text.is_empty() && free(word))
                .map(|word| (word, "`name@1.2.3`"))
        }
        ("apt" | "apt-get", _) if args.iter().any(|word| word.text == "install") => {
            let names =
                positional(args, &["-o", "-t", "-c"]).into_iter().filter(|word| word.text != "install");
            let free = |word: &&Word| !word.open && !word.text.contains(['=', '/']);
            names.into_iter().find(free).map(|word| (word, "`name=1.2.3-1`"))
        }
        ("cargo", "install") => {
            let pins = ["--version", "--vers", "--path", "--rev", "--tag"];
            let pinned =
                args.iter().any(|word| pins.contains(&word.text.split('=').next().unwrap_or_default()));
            let names = positional(
                &args[1..],
                &["--root", "--git", "--branch", "--features", "-F", "-j", "--target", "--profile"],
            );
            let free = |word: &&Word| !word.open && !word.text.contains('@');
            let at = args.iter().find(|word| word.text == "--git").or(names.into_iter().find(free));
            at.filter(|_| !pinned).map(|word| (word, "`name@1.2.3`, or `--rev` behind `--git`"))
        }
        ("docker" | "podman", "run" | "pull") => image(&args[1..], built),
        ("git", "clone") => {
            let pins = ["--branch", "-b", "--revision"];
            let pinned =
                args.iter().any(|word| pins.contains(&word.text.split('=').next().unwrap_or_default()));
            let from =
                positional(&args[1..], &["--depth", "-c", "--reference", "-o", "-j"]).into_iter().next()?;
            let remote = from.text.contains("://") || from.text.starts_with("git@");
            (remote && !from.open && !pinned && !checks_out)
                .then_some((from, "`--branch v1.2.3`, or `git checkout <commit>` after it"))
        }
        _ => None,
    }
}

/// The first requirement without `==`.
fn pip(args: &[Word]) -> Option<(&Word, &'static str)> {
    let valued = [
        "-r",
        "--requirement",
        "-c",
        "--constraint",
        "-e",
        "--editable",
        "-i",
        "--index-url",
        "--extra-index-url",
        "-f",
        "--find-links",
        "--python",
        "-p",
        "-t",
        "--target",
        "--prefix",
        "--root",
        "--index",
        "--with",
        "--index-strategy",
        "--torch-backend",
        "--platform",
        "--python-version",
        "--only-binary",
        "--no-binary",
    ];
    // Constraints may hold every version.
    if args.iter().any(|word| matches!(word.text.as_str(), "-c" | "--constraint")) {
        return None;
    }
    let free = |word: &&Word| {
        let text = word.text.as_str();
        let local = text.starts_with(['.', '/', '~']) || text.contains(".whl") || text.contains(".tar.");
        let git = text.strip_prefix("git+");
        let pinned = match git {
            Some(url) => url
                .split_once("://")
                .is_some_and(|(_, path)| path.split_once('/').is_some_and(|(_, path)| path.contains('@'))),
            None => text.contains("==") || text.contains('@'),
        };
        !word.open && !local && !pinned
    };
    positional(args, &valued).into_iter().find(free).map(|word| (word, "`name==1.2.3`"))
}

/// Options of `docker run` and `pull` without a value.
const BARE: &[&str] = &[
    "--rm",
    "--init",
    "--privileged",
    "--detach",
    "--interactive",
    "--tty",
    "--read-only",
    "--no-healthcheck",
    "--publish-all",
    "--oom-kill-disable",
    "--quiet",
    "--all-tags",
    "--disable-content-trust",
    "--sig-proxy",
];

fn image<'c>(args: &'c [Word], built: &[&str]) -> Option<(&'c Word, &'static str)> {
    let mut words = args.iter();
    let image = loop {
        let word = words.next()?;
        let text = word.text.as_str();
        let letters = text
            .strip_prefix('-')
            .is_some_and(|rest| rest.bytes().all(|b| matches!(b, b'd' | b'i' | b't' | b'P' | b'q' | b'a')));
        if !text.starts_with('-') {
            break word;
        }
        // Only the first letters are known: anything else may take the next word.
        if !(letters && text != "-a" || BARE.contains(&text) || text.contains('=')) {
            words.next();
        }
    };
    let name = image.text.rsplit('/').next().unwrap_or_default();
    let tagged = name.split_once(':').is_some_and(|(_, tag)| !tag.is_empty() && tag != "latest");
    let pinned =
        image.open || tagged || image.text.contains("@sha256:") || built.contains(&image.text.as_str());
    (!pinned).then_some((image, "`image:1.2.3`, or better its digest `image@sha256:...`"))
}

/// Whether a mark and something behind it follow.
fn versioned(text: &str, mark: &str) -> bool {
    text.split_once(mark).is_some_and(|(_, version)| !version.is_empty() && version != "latest")
}
