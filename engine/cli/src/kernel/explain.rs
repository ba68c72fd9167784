//! What `assay explain` knows of kernels: the codes of verdicts, the mark `sign_off`, and the fields of a task.

use crate::context::Cx;
use crate::kernel::fields;
use crate::reply::Reply;
use assay_kernel::advice::ADVICE;
use assay_kernel::judge::SIGN_OFF;
use assay_kernel::task::Task;
use assay_kernel::verdict::{Class, Code};
use assay_protocol::ExitCode;
use serde_json::json;

/// The fields of a task.
const TASK: &str = "kernel-task";

/// The mark of rows that a person must read.
const SIGN_OFF_TOPIC: &str = "sign_off";

/// The page of a topic. Codes are found in any case: `stale_result`, `Stale-Result`.
pub fn topic(cx: &Cx, what: &str) -> Option<Reply> {
    if what == TASK {
        return Some(task());
    }
    if what.replace('-', "_") == SIGN_OFF_TOPIC {
        return Some(sign_off(cx));
    }
    let word = what.to_uppercase().replace('-', "_");
    let code = ADVICE.iter().map(|advice| advice.code).find(|code| code.word() == word)?;
    Some(of_code(cx, code))
}

/// What `explain` may be asked for.
pub fn topics() -> impl Iterator<Item = String> {
    ADVICE.iter().map(|advice| advice.code.word()).chain([TASK.to_owned(), SIGN_OFF_TOPIC.to_owned()])
}

/// How `kernel judge` ends with a verdict.
pub fn exit(class: Class) -> ExitCode {
    match class {
        Class::Accept => ExitCode::Ok,
        Class::Reject => ExitCode::GateFailed,
        Class::Inconclusive => ExitCode::Inconclusive,
    }
}

fn of_code(cx: &Cx, code: Code) -> Reply {
    let (advice, exit) = (code.advice(), exit(code.class()));
    let word = code.word();
    let verdict = match code.class() {
        Class::Accept => "accepted",
        Class::Reject => "refused",
        Class::Inconclusive => "not accepted, not refused",
    };
    let mut text = format!("{word} (verdict on a kernel): {verdict}, exit code {}\n\n", exit.code());
    let width = usize::from(cx.console.width().unwrap_or(100)).clamp(40, 120);
    for (title, sentence) in
        [("means", advice.meaning), ("found by", code.found()), ("way out", advice.way_out)]
    {
        text.push_str(&format!("{title}:\n{}", crate::format::wrapped(sentence, 2, width)));
    }
    let data = json!({
        "kind": "kernel-code", "code": code, "verdict": code.class(), "exit": exit.code(),
        "meaning": advice.meaning, "found_by": code.found(), "way_out": advice.way_out,
    });
    Reply::ok(data, text)
}

fn sign_off(cx: &Cx) -> Reply {
    let found = format!(
        "The gate `plausibility` marks a judgement in which the candidate is more than {SIGN_OFF} times as fast as the baseline, over all \
         headline shapes or at any measured one."
    );
    let parts = [
        (
            "means",
            "Nobody should believe this gain unseen: a person must read the candidate's source before it counts. Nothing is refused for it.",
        ),
        ("found by", found.as_str()),
        (
            "why there",
            "The threshold is chosen by hand. Against a baseline that is worth beating, vector units, caches and one pass instead of two \
             are a few times each; work that is left out in a way that no gate sees is any number of times. A baseline that was never \
             tuned passes it honestly.",
        ),
        (
            "way out",
            "Read the source, and all that it includes. If it does the work, sign the row; if not, add a shape, a scale or a scalar to \
             the task at which it shows, and judge again.",
        ),
        (
            "signing",
            "`assay ledger sign LEDGER --row N --comment TEXT` adds a line to the ledger, chained like the others: who (user, terminal, \
             parent command), when, the digest of the row, the comment. `assay ledger show` then says `signed by` instead of `to be \
             read`. A row can be signed again with another comment, not with the same. What was refused, or is not marked, cannot be \
             signed, and a process that a run started cannot sign.",
        ),
    ];
    let mut text =
        String::from("sign_off (mark of a judgement): to be read by a person before it counts\n\n");
    let width = usize::from(cx.console.width().unwrap_or(100)).clamp(40, 120);
    for (title, sentence) in parts {
        text.push_str(&format!("{title}:\n{}", crate::format::wrapped(sentence, 2, width)));
    }
    let said = |at: usize| parts[at].1;
    let data = json!({
        "kind": SIGN_OFF_TOPIC, "threshold": SIGN_OFF, "meaning": said(0), "found_by": said(1), "reason": said(2), "way_out": said(3),
        "signing": said(4),
    });
    Reply::ok(data, text).next("assay ledger sign --help", "shows how to sign a row")
}

fn task() -> Reply {
    let schema = assay_protocol::schema::of::<Task>("Kernel task");
    let mut text = String::from(
        "kernel-task (task.yaml of `assay kernel`): everything that is fixed before anybody tunes\n\nfields:\n",
    );
    let all = fields::of(&schema);
    for field in &all {
        text.push_str(&field.text());
    }
    text.push_str(
        "\n<name> stands for a name of your own. Two words that are not the same: `scales` of a generator multiplies the values of\n\
         an input; `scalars` are numbers that the call passes along.\n",
    );
    let data: Vec<_> = all.iter().map(fields::Field::data).collect();
    Reply::ok(json!({"kind": TASK, "fields": data}), text)
        .next("assay kernel allowed", "lists the functions that every kernel may import")
        .next("assay schema kernel-task", "prints the schema, for editors")
}
