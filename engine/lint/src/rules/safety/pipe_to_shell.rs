use crate::commands::Command;
use crate::commands::Word;
use crate::context::Cx;
use crate::programs::is_python;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::Manifest;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "pipe-to-shell",
    family: Family::Safety,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A download that is run at once: `curl ... | sh`.",
    why: "\
What runs is whatever the server sends today, with all rights of the run; half of it if the connection breaks. Nobody can say
afterwards what it was, so no result of the run can be repeated. Download to a file, compare its digest, then run the file.
A program of its own that only reads the download (`| python3 -c ...`, `| python3 -m json.tool`) is left alone.",
    bad: "\
steps:
  install:
    uses: command
    with: {shell: \"curl -fsSL https://example.org/install.sh | sh\"}
    timeout: 5m
",
    good: "\
steps:
  install:
    uses: command
    with:
      shell: |
        curl -fsSL -o install.sh https://example.org/install.sh
        echo \"6f0a2c5d5e9bd1d1c7c3bf3c7d1de6f6b1e5c1f7a5b3b8e5e7a1f9d3c2b4a697  install.sh\" | sha256sum -c && sh install.sh
    timeout: 5m
",
    fixes: Fixes::None,
    check: Check::Manifest(check),
};

fn check(cx: &Cx<'_>, _: &Manifest, found: &mut Found<'_>) {
    let mut source: Option<&Command<'_>> = None;
    for command in cx.commands().iter().filter(|command| command.in_shell) {
        let told = match source.take().filter(|source| source.group == command.group) {
            Some(source) if runs_input(command.effective()) => {
                Some((&source.effective()[0], &command.effective()[0]))
            }
            earlier => {
                source = earlier;
                substituted(command)
            }
        };
        if let Some((download, shell)) = told {
            let owner = command.owner.shown();
            found.push(
                found
                    .at(
                        shell.span,
                        format!("{owner} runs a download that nobody has seen"),
                        "runs whatever arrives",
                    )
                    .also(download.span, "from here")
                    .help("download to a file, check it with `sha256sum -c`, then run the file"),
            );
        }
        if downloads(command.worker()) {
            source = Some(command);
        }
        if !command.then.starts_with('|') || command.then == "||" {
            source = None;
        }
    }
}

fn downloads(program: &str) -> bool {
    matches!(program, "curl" | "wget" | "aria2c")
}

fn interprets(program: &str) -> bool {
    matches!(program, "sh" | "bash" | "dash" | "zsh" | "ksh" | "perl" | "ruby" | "node") || is_python(program)
}

/// An interpreter that gets its program from standard input.
fn runs_input(words: &[Word]) -> bool {
    let Some((program, args)) = words.split_first() else { return false };
    let program = program.base();
    if !interprets(program) {
        return false;
    }
    let shell = program.ends_with("sh");
    for word in args {
        match word.text.as_str() {
            "-" => return true,
            "-s" if shell => return true,
            "--" => {}
            text if shell && text.starts_with('-') && !text.contains('c') => {}
            "-u" | "-B" | "-E" | "-I" if !shell => {}
            _ => return false,
        }
    }
    true
}

/// `bash <(curl ...)`, `sh -c "$(curl ...)"`, `eval "$(curl ...)"`.
fn substituted<'c>(command: &'c Command<'_>) -> Option<(&'c Word, &'c Word)> {
    let (program, args) = command.effective().split_first()?;
    if !interprets(program.base()) && !matches!(program.base(), "eval" | "source" | ".") {
        return None;
    }
    let word = args.iter().find(|word| word.open)?;
    let inner = word.text.strip_prefix("<(").or(word.text.strip_prefix("$("))?;
    downloads(inner.split_whitespace().next()?).then_some((word, program))
}
