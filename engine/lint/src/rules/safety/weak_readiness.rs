use crate::context::Cx;
use crate::launched::launched;
use crate::programs::server;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::Manifest;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "weak-readiness",
    family: Family::Safety,
    severity: Severity::Note,
    confidence: Confidence::High,
    finds: "An inference server that counts as ready before it was seen to answer.",
    why: "\
Inference servers listen, or print that they are up, before the model is loaded and warmed up. The first requests then wait for
minutes or fail, and a measurement takes them in. An HTTP request that must be answered (`/health`; for vLLM and SGLang
`/health_generate` or `/v1/models` say more) closes that gap. With `adapter` the server is asked all that its framework needs, and
generates an answer before it is ready, unless `check_generation: false` takes that away. Other servers are left alone.",
    bad: "\
steps:
  serve:
    uses: server
    with:
      argv: [llama-server, -m, x.gguf, --port, \"{{ self.port }}\"]
      ready: {tcp: true, timeout: 5m}
  ask:
    uses: command
    with: {argv: [curl, -sf, \"{{ steps.serve.url }}/v1/models\"]}
    timeout: 1m
",
    good: "\
steps:
  serve:
    uses: server
    with:
      argv: [llama-server, -m, x.gguf, --port, \"{{ self.port }}\"]
      ready: {http: {path: /health}, timeout: 5m}
  ask:
    uses: command
    with: {argv: [curl, -sf, \"{{ steps.serve.url }}/v1/models\"]}
    timeout: 1m
",
    fixes: Fixes::None,
    check: Check::Manifest(check),
};

fn check(cx: &Cx<'_>, manifest: &Manifest, found: &mut Found<'_>) {
    for server in launched(cx, manifest) {
        let Some(unasked) =
            server.node.get("check_generation").filter(|asked| asked.as_bool() == Some(false))
        else {
            continue;
        };
        let message =
            format!("step `{}` counts as ready before it has generated anything", server.step.id.value);
        found.push(
            found
                .at(unasked.span, message, "a broken model would be measured")
                .help("leave `check_generation` out"),
        );
    }
    for command in cx.commands() {
        let Some(step) = command.owner.step() else { continue };
        let Some(ready) = step.with.get("ready") else { continue };
        let Some(server) = server(command).filter(|server| server.inference) else { continue };
        let asked = ready.get("http").is_some()
            || ready
                .literal()
                .is_some_and(|ready| ready.as_object().is_none_or(|ready| ready.contains_key("http")));
        if !asked {
            let owner = command.owner.shown();
            found.push(
                found
                    .at(
                        ready.span,
                        format!("{owner} is not asked anything before it counts as ready"),
                        "no `http` here",
                    )
                    .also(server.word.span, "listens before its model is loaded")
                    .help("add `http: {path: /health}` to `ready`"),
            );
        }
    }
}
