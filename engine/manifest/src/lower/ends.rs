//! `expect:` and `status:` — which ends of a process pass.

use super::context::{Fields, Lower};
use super::steps::flag;
use crate::fixes;
use crate::manifest::{Ends, ExitMeaning, Expect, ExpectExit};
use crate::schema::{self, names};
use assay_diagnostics::{Diagnostic, Span, did_you_mean, is_worth_suggesting};
use assay_protocol::Status;
use assay_yaml::{Kind, Node};

/// Signals by name, as in `signal(7)` of Linux; real-time signals have no fixed names.
pub(crate) const SIGNALS: &[&str] = &[
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

pub(super) fn ends_of(cx: &mut Lower<'_>, fields: &Fields<'_>) -> Ends {
    match (fields.get("expect"), fields.get("status")) {
        (Some(expect), Some(status)) => {
            cx.push(
                Diagnostic::error(
                    "expect-and-status",
                    format!("{} has both `expect` and `status`", fields.what),
                )
                .at(status.span, "these exclude each other")
                .also(expect.span, "`expect` stands here")
                .help("keep the one that you mean"),
            );
            Ends::Success
        }
        (Some(node), None) => expect_of(cx, node).map(Ends::Expect).unwrap_or_default(),
        (None, Some(node)) => Ends::Map(status_map_of(cx, node)),
        (None, None) => Ends::Success,
    }
}

fn expect_of(cx: &mut Lower<'_>, node: &Node) -> Option<Expect> {
    let fields = cx.fields(node, "`expect`", &names(&schema::EXPECT))?;
    let mut expect = Expect::default();
    if let Some(node) = fields.get("exit") {
        expect.exit = match &node.kind {
            Kind::Int(_) => Some(ExpectExit::Codes(code_of(cx, node).into_iter().collect())),
            Kind::Sequence(items) => {
                Some(ExpectExit::Codes(items.iter().filter_map(|item| code_of(cx, item)).collect()))
            }
            _ => cx
                .word_of(node, "expect.exit", &[("any", true), ("nonzero", false)])
                .map(|any| if any { ExpectExit::Any } else { ExpectExit::Nonzero }),
        };
    }
    expect.signal = fields.get("signal").and_then(|node| signal_of(cx, node));
    expect.timeout = flag(cx, &fields, "timeout");
    if expect.exit.is_none() && expect.signal.is_none() && !expect.timeout && fields.entries.is_empty() {
        cx.push(
            Diagnostic::error("empty-expect", "`expect` names no end, so nothing could pass".to_owned())
                .at(node.span, "name an end")
                .help("write `expect: {exit: nonzero}`"),
        );
    }
    Some(expect)
}

fn code_of(cx: &mut Lower<'_>, node: &Node) -> Option<i32> {
    match node.kind {
        Kind::Int(code @ 0..=255) => Some(code as i32),
        _ => {
            bad_code(cx, cx.slice(node.span), node.span);
            None
        }
    }
}

fn bad_code(cx: &mut Lower<'_>, written: &str, span: Span) {
    cx.push(
        Diagnostic::error("bad-exit-code", format!("`{written}` is not an exit code"))
            .at(span, "expected a number from 0 to 255")
            .help("a program that a signal ended has no exit code: write `expect: {signal: SIGABRT}`"),
    );
}

fn signal_of(cx: &mut Lower<'_>, node: &Node) -> Option<String> {
    let signal = cx.text_of(node, "expect.signal")?.value;
    if SIGNALS.contains(&signal.as_str()) {
        return Some(signal);
    }
    let full = format!("SIG{}", signal.to_uppercase());
    let near = match SIGNALS.contains(&full.as_str()) {
        true => Some(full.as_str()),
        false if is_worth_suggesting(cx.diagnostics.len(), SIGNALS.len()) => {
            did_you_mean(&signal, SIGNALS.iter().copied())
        }
        false => None,
    };
    let finding = Diagnostic::error("bad-signal", format!("`{signal}` is not a signal"))
        .at(node.span, "expected a name such as `SIGABRT`");
    cx.push(match near {
        Some(near) => finding.help(format!("did you mean `{near}`?")).fix(fixes::replace(node.span, near)),
        None => finding.help("`kill -l` lists the names; write them with `SIG` in front"),
    });
    None
}

fn status_map_of(cx: &mut Lower<'_>, node: &Node) -> Vec<(i32, ExitMeaning)> {
    let Some(entries) = node.as_mapping() else {
        cx.wrong_type(node, "status", "a mapping of exit codes to statuses");
        return Vec::new();
    };
    let mut words: Vec<(&str, ExitMeaning)> =
        Status::OF_STEPS.iter().map(|status| (status.word(), ExitMeaning::Status(*status))).collect();
    words.push(("retry", ExitMeaning::Retry));
    let mut map = Vec::new();
    for (key, value) in entries {
        let Ok(code @ 0..=255) = key.name.parse::<i32>() else {
            bad_code(cx, &key.name, key.span);
            continue;
        };
        if let Some(meaning) = cx.word_of(value, "status", &words) {
            map.push((code, meaning));
        }
    }
    map
}
