//! What `assay explain` knows of kernels: the codes of verdicts, and the fields of a task.

use crate::context::Cx;
use crate::kernel::fields;
use crate::reply::Reply;
use assay_kernel::advice::ADVICE;
use assay_kernel::task::Task;
use assay_kernel::verdict::{Class, Code};
use assay_protocol::ExitCode;
use serde_json::json;

/// The fields of a task.
const TASK: &str = "kernel-task";

/// The page of a topic. Codes are found in any case: `stale_result`, `Stale-Result`.
pub fn topic(cx: &Cx, what: &str) -> Option<Reply> {
    if what == TASK {
        return Some(task());
    }
    let word = what.to_uppercase().replace('-', "_");
    let code = ADVICE.iter().map(|advice| advice.code).find(|code| code.word() == word)?;
    Some(of_code(cx, code))
}

/// What `explain` may be asked for.
pub fn topics() -> impl Iterator<Item = String> {
    ADVICE.iter().map(|advice| advice.code.word()).chain([TASK.to_owned()])
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
