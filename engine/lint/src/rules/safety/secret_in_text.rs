use crate::context::Cx;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use crate::tokens;
use assay_diagnostics::Span;
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "secret-in-text",
    family: Family::Safety,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "Text that has the shape of a token or of a private key, anywhere in the manifest, comments included.",
    why: "\
A manifest is committed, copied into every run and shown in reports: what stands in it is known to everybody who ever reads one of
them, and stays in the history of the repository. Known by its beginning and shape: Hugging Face (`hf_`), OpenAI and Anthropic (`sk-`),
GitHub (`ghp_`, `github_pat_` and kin), GitLab (`glpat-`), AWS (`AKIA`), Slack (`xoxb-`), NVIDIA (`nvapi-`), Google (`AIza`), npm, Docker,
JSON web tokens and PEM private keys. What follows must look drawn by chance: at least 3 bits per character, no long alphabet runs and
no words such as `example` or `xxx`. Take the secret back where it was issued; removing it here is not enough.",
    bad: "\
steps:
  get:
    uses: command
    env: {HF_HUB_TOKEN_FILE: hf_q7Zr2MnK9pLw4TxV8bYc3DsF6gHj1RtEuA5oP}
    with: {argv: [./get]}
    timeout: 10m
",
    good: "\
secrets: [HF_TOKEN]
steps:
  get:
    uses: command
    pass_env: [HF_TOKEN]
    with: {argv: [./get]}
    timeout: 10m
",
    fixes: Fixes::None,
    check: Check::Text(check),
};

fn check(cx: &Cx<'_>, found: &mut Found<'_>) {
    for (range, kind) in tokens::find(cx.text) {
        let span = Span { source: cx.source, start: range.start as u32, end: range.end as u32 };
        found.push(
            found
                .at(span, format!("the text holds {kind}"), "known to everybody who reads this")
                .masked()
                .help("take it back where it was issued, and remove it here")
                .help(
                    "name the variable under `secrets`, and let the steps that need it list it in `pass_env`",
                ),
        );
    }
}
