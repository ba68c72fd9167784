use crate::context::Cx;
use crate::programs::server;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::{Ends, Manifest, Uses};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "server-without-stop",
    family: Family::Safety,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A step that starts a server as if it were a command, and so runs until its time is up.",
    why: "\
A server does not end by itself. As a `command` it holds its step until `timeout`, the step fails as `timed_out`, and nothing that
needs it can start. A step with `uses: server` passes as soon as the server is ready, runs on while other steps use it, and is
stopped, with all its processes, when the last of them has ended. Asking a server for its `--help` is left alone, and so is a step
that expects to run into its `timeout`, or whose command is limited by `timeout 30 ...`.",
    bad: "\
steps:
  serve:
    uses: command
    with: {argv: [vllm, serve, Qwen/Qwen3-8B]}
    timeout: 30m
",
    good: "\
steps:
  serve:
    uses: server
    with:
      argv: [vllm, serve, Qwen/Qwen3-8B, --port, \"{{ self.port }}\"]
      ready: {http: {path: /health}, timeout: 10m}
  ask:
    uses: command
    with: {argv: [curl, -sf, \"{{ steps.serve.url }}/v1/models\"]}
    timeout: 1m
",
    fixes: Fixes::None,
    check: Check::Manifest(check),
};

fn check(cx: &Cx<'_>, _: &Manifest, found: &mut Found<'_>) {
    for command in cx.commands() {
        let Some(step) = command.owner.step() else { continue };
        let kind = &step.uses.value;
        let waits_for_timeout = matches!(&step.ends, Ends::Expect(expect) if expect.timeout);
        let limited = command.starters().iter().any(|word| word.base() == "timeout");
        let serves = matches!(kind, Uses::Kind(kind) if kind == "server");
        // `&` is another rule's.
        if serves || waits_for_timeout || limited || command.then == "&" {
            continue;
        }
        let Some(server) = server(command) else { continue };
        let owner = command.owner.shown();
        found.push(
            found
                .at(server.word.span, format!("{owner} runs `{}` as a command", server.name), "does not end by itself")
                .also(step.uses.span, "waits until it ends")
                .help("write `uses: server` with `ready:`, and read it where it is used: `{{ steps.<id>.url }}`"),
        );
    }
}
