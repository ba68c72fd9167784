//! Tests only: one set of diagnostics that every renderer shows.

use crate::{Confidence, Diagnostic, Edit, Fix, SourceId, Sources, Span};

/// The static form of the codes of the sample.
pub(crate) fn code(code: &str) -> Option<&'static str> {
    let known = [
        "unknown-field",
        "float-looking-version",
        "missing-timeout",
        "unused-input",
        "no-manifest",
        "hostile",
    ];
    known.into_iter().find(|known| *known == code)
}

/// Two files, one with CRLF and characters of several bytes; places in both, none at all, fixes of all kinds.
pub(crate) fn sample() -> (Vec<Diagnostic>, Sources) {
    let mut sources = Sources::new();
    let one = sources.add(
        "skills/größe 1.yaml",
        "kind: Skill\r\n# 漢字 🙂\r\nversion: 1.10\r\nsteps:\r\n  bäcken: {uses: command, timeot: 2m}\r\n",
    );
    let two =
        sources.add("./flow.yaml", "inputs:\n  spare: {type: text}\nsteps:\n  build:\n    uses: command\n");
    let diagnostics = vec![
        Diagnostic::error("unknown-field", "a step has no field `timeot`")
            .at(find(&sources, one, "timeot"), "not known here")
            .also(find(&sources, one, "bäcken"), "in this step")
            .also(find(&sources, two, "build"), "called from here")
            .help("fields of a step: `uses`, `with`, `timeout`")
            .fix(Fix {
                title: "did you mean `timeout`?".to_owned(),
                safe: false,
                edits: vec![Edit { span: find(&sources, one, "timeot"), replacement: "timeout".to_owned() }],
            }),
        Diagnostic::warning("float-looking-version", "100 % of `{{ version }}` reads as the number 1.1")
            .at(find(&sources, one, "1.10"), "a number")
            .fix(Fix {
                title: "quote the value".to_owned(),
                safe: true,
                edits: quotes(&sources, one, "1.10"),
            }),
        Diagnostic { confidence: Confidence::Medium, ..missing_timeout(&sources, two) },
        Diagnostic::note("unused-input", "nothing uses the input `spare`")
            .at(find(&sources, two, "  spare: {type: text}\n"), ""),
        Diagnostic::error("no-manifest", "nothing to lint, really").help("give a folder with manifests"),
        Diagnostic { confidence: Confidence::Low, ..hostile(&sources, two) },
    ];
    (diagnostics, sources)
}

fn missing_timeout(sources: &Sources, source: SourceId) -> Diagnostic {
    let end = sources.text(source).len() as u32;
    let edit = Edit { span: Span { source, start: end, end }, replacement: "    timeout: 10m\n".to_owned() };
    Diagnostic::warning("missing-timeout", "the step `build` may run for ever")
        .at(find(sources, source, "build"), "no `timeout` in this step")
        .fix(Fix { title: "add `timeout: 10m`".to_owned(), safe: false, edits: vec![edit] })
}

fn hostile(sources: &Sources, source: SourceId) -> Diagnostic {
    Diagnostic::warning("hostile", "100%: a,b\r\n::error::<b attr=\"x\">&]]>\u{0}\u{1b}[2J\u{fffe}\u{9b}")
        .at(find(sources, source, "command"), "<&>\u{1b}")
        .help("::set-output name=a::b")
}

/// Where a piece of text stands in a source.
pub(crate) fn find(sources: &Sources, source: SourceId, what: &str) -> Span {
    let start = sources.text(source).find(what).unwrap() as u32;
    Span { source, start, end: start + what.len() as u32 }
}

fn quotes(sources: &Sources, source: SourceId, what: &str) -> Vec<Edit> {
    let span = find(sources, source, what);
    let quote = |at| Edit { span: Span { source, start: at, end: at }, replacement: "\"".to_owned() };
    vec![quote(span.start), quote(span.end)]
}
