//! `assert`: a condition over inputs and facts holds.

use super::{cannot, kind, not_in_rehearsal, settled};
use crate::config::{self, schema_of};
use crate::fields::Expression;
use assay_manifest::Kind;
use assay_manifest::expr::{Expr, Reference, Segment};
use assay_run::{Check, CheckResult, LocalFuture, StepCtx};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

/// Evaluates a condition.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Condition over `inputs` and `facts`; must yield true or false.
    that: Expression,
    /// What it means when it does not hold; the condition itself if absent.
    #[serde(default)]
    message: Option<String>,
}

/// The check type.
#[derive(Debug)]
pub(crate) struct Assert;

impl Check for Assert {
    fn kind(&self) -> Kind {
        kind(
            "assert",
            "A condition over inputs and facts holds",
            "For what no single input can say by its type: two inputs that must fit together, a host that must have \
             enough cores.",
            "check: assert\nwith: {that: inputs.concurrency <= 64, message: the server takes at most 64 clients}\n",
            schema_of::<Config>,
        )
    }

    fn run<'a>(&'a self, cx: &'a StepCtx) -> LocalFuture<'a, CheckResult> {
        Box::pin(async move {
            settled(config::read(&cx.config).map_err(cannot).and_then(|config| look(cx, &config)))
        })
    }
}

fn look(cx: &StepCtx, config: &Config) -> Result<CheckResult, CheckResult> {
    let that = config.that.0.as_str();
    if Expr::parse(that).is_ok_and(|expr| expr.refs().iter().any(is_about_gpus)) {
        not_in_rehearsal(cx)?;
    }
    let evidence = json!({"that": that});
    match cx.eval_bool(that, &Value::Null) {
        Ok(true) => Ok(CheckResult::holds(format!("`{that}` holds"), evidence)),
        Ok(false) => {
            let found = match &config.message {
                Some(message) => format!("{message} (`{that}` does not hold)"),
                None => format!("`{that}` does not hold"),
            };
            Err(CheckResult::fails(found, evidence))
        }
        Err(error) => Err(CheckResult::fails(format!("cannot evaluate `{that}`: {error}"), evidence)),
    }
}

/// `facts.gpus`, `facts.driver` and what is said of `nvidia-smi`.
fn is_about_gpus(reference: &Reference) -> bool {
    let name = |at: usize| match reference.path.get(at) {
        Some(Segment::Name(name)) => name.as_str(),
        _ => "",
    };
    let of_version = name(0) == "versions" && matches!(name(1), "nvidia-smi" | "nvcc");
    reference.root == "facts" && (matches!(name(0), "gpus" | "driver") || of_version)
}
