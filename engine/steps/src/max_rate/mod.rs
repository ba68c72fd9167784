//! `max_rate`: the highest rate of requests at which a server still meets its SLA.

mod outputs;

use crate::benchmark::load::{self, Measured};
use crate::config::{self, schema_of};
use assay_loadgen::arrivals::Arrivals;
use assay_loadgen::bench::Bench;
use assay_loadgen::row::{Row, Status};
use assay_loadgen::sla::Sla;
use assay_manifest::{Effects, Kind};
use assay_protocol::{Value, ValueMap};
use assay_run::{LocalFuture, Outcome, Step, StepCtx};
use assay_serving::candidates::qps::{RateRange, RateResult, RateSearch};
use outputs::{Found, Round};
use serde_json::json;

/// The field that a benchmark has not.
const RATES: &str = "rates";

/// The step type.
#[derive(Debug)]
pub(crate) struct MaxRate;

impl Step for MaxRate {
    fn kind(&self) -> Kind {
        Kind {
            name: "max_rate",
            summary: "Search the highest rate of requests at which a server meets its SLA",
            doc: "Takes what `benchmark` takes, with `rates` in place of `arrivals`, and measures at one rate after the other: \
                  Poisson arrivals, whether or not earlier requests have ended. Halving between the highest rate that met \
                  every limit of `sla` and the lowest that did not; the ends of the range are measured only where they \
                  decide something.\n\n\
                  A measurement that must not be used decides nothing: its rate is measured once more, then counts as not \
                  passed. At a rate at which too few requests complete the SLA is missed. That no rate passes is a result \
                  (`status: below_lower`), no failure; the step fails where no request completes at all.\n\n\
                  `status` is `found` (within `tolerance`), `at_upper` (even the highest passed), `below_lower`, \
                  `out_of_rounds` or `undecided`. Each rate has a folder with all files of a benchmark. Rates that were \
                  measured before an interruption are measured again.",
            example: "uses: max_rate\nwith:\n  url: http://127.0.0.1:8000\n  tokenizer: /models/tiny\n  dataset: {kind: random, \
                      num_prompts: 80, input_len: 1000, output_len: 100}\n  rates: {lower: 0.25, upper: 4, tolerance: 0.1, \
                      max_rounds: 5}\n  sla: {max_p50_ttft_ms: 1500, min_success_rate: 0.99}\ntimeout: 1h\n",
            schema: std::sync::LazyLock::new(schema),
            outputs: outputs::DOCS,
            effects: Effects::Contained,
            runs_processes: true,
        }
    }

    fn run<'a>(&'a self, cx: &'a StepCtx) -> LocalFuture<'a, Outcome> {
        Box::pin(async move { run(cx).await.unwrap_or_else(|outcome| outcome) })
    }

    fn stub(&self, _config: &Value) -> ValueMap {
        outputs::stub()
    }
}

/// That of a benchmark, with the range of rates in place of the arrivals, and the SLA needed.
fn schema() -> Value {
    let mut schema = load::schema();
    let range = schema_of::<RateRange>();
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.shift_remove("arrivals");
        let mut rates = range.as_object().cloned().unwrap_or_default();
        rates.shift_remove("$schema");
        rates.shift_remove("title");
        properties.insert(RATES.to_owned(), Value::Object(rates));
        if let Some(cap) = properties.get_mut("concurrency") {
            cap["description"] = json!("Most requests in flight. Default: no cap.");
        }
        if let Some(repeats) = properties.get_mut("repeats") {
            repeats["description"] = json!("Measurements at each rate, one after the other. Default: 1.");
        }
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.extend([json!(RATES), json!("sla")]);
    }
    schema
}

/// What is searched, at whom and by which limits.
struct Asked {
    bench: Bench,
    limits: Sla,
    search: RateSearch,
}

fn asked(config: &Value) -> Result<Asked, String> {
    let mut fields = config.as_object().cloned().unwrap_or_default();
    if fields.contains_key("arrivals") {
        return Err(
            "`arrivals` has no place here: requests arrive at the rates that are searched; remove it"
                .to_owned(),
        );
    }
    let rates =
        fields.shift_remove(RATES).ok_or("`rates` is missing; give `lower`, `upper` and `tolerance`")?;
    let range: RateRange = config::read(&rates).map_err(|error| format!("`rates`: {error}"))?;
    let search = RateSearch::new(range).map_err(|error| format!("`rates`: {error}"))?;
    let mut bench = load::bench(&Value::Object(fields))?;
    bench.arrivals = Some(Arrivals::Poisson { rate: range.lower });
    bench.check().map_err(|error| error.to_string())?;
    let limits = bench.sla.filter(|sla| !sla.is_empty());
    let limits = limits.ok_or("`sla` limits nothing, so every rate would pass; give at least one limit")?;
    Ok(Asked { bench, limits, search })
}

async fn run(cx: &StepCtx) -> Result<Outcome, Outcome> {
    let Asked { mut bench, limits, mut search } = asked(&cx.config).map_err(Outcome::failed)?;
    let folder = cx.own_dir().map_err(Outcome::failed)?;
    let mut rounds: Vec<Round> = Vec::new();
    while let Some(rate) = search.next() {
        bench.arrivals = Some(Arrivals::Poisson { rate });
        let number = rounds.len() + 1;
        let own = folder.join(format!("rate-{number}"));
        let described = folder.join(format!("rate-{number}.json"));
        let Measured { row, .. } = load::measure(cx, &bench, &described, &own).await?;
        let result = judged(&row, limits)
            .map_err(|reason| Outcome::failed(format!("at {rate} requests per second {reason}")))?;
        search.tell(rate, result).map_err(|error| Outcome::failed(error.to_string()))?;
        rounds.push(Round { rate, result, row, folder: own });
        // No cache may know the words of the next rate.
        bench.first_repeat = bench.first_repeat.saturating_add(bench.repeats);
    }
    let found = Found { answer: search.answer(), rounds };
    outputs::of(cx, &folder, &found).map(Outcome::passed).map_err(Outcome::failed)
}

/// What a measurement shows about its rate; an error if the server did not serve at all.
fn judged(row: &Row, limits: Sla) -> Result<RateResult, String> {
    match row.status() {
        Status::Invalid => Ok(RateResult::Undecided),
        Status::Ok if limits.judge(&row.metrics).passed == Some(true) => Ok(RateResult::Passed),
        Status::Ok => Ok(RateResult::Failed),
        _ if row.metrics.success_rate.is_some_and(|rate| rate > 0.0) => Ok(RateResult::Failed),
        _ => Err(format!("no request completed: {}", row.failure_reason().unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::{asked, schema};
    use serde_json::{Value, json};

    fn config(more: Value) -> Value {
        let mut config = json!({
            "url": "http://127.0.0.1:9", "sla": {"max_p50_ttft_ms": 100}, "rates": {"lower": 1, "upper": 8, "tolerance": 1},
            "dataset": {"kind": "random", "num_prompts": 4, "input_len": 8, "output_len": 4, "vocab_size": 100},
        });
        for (name, value) in more.as_object().expect("fields") {
            config[name] = value.clone();
        }
        config
    }

    #[test]
    fn a_search_needs_limits_and_a_range() {
        let good = asked(&config(json!({}))).map(|asked| (asked.bench.concurrency, asked.search.next()));
        assert_eq!(good, Ok((None, Some(4.5))));
        for (more, words) in [
            (json!({"sla": {}}), "limits nothing"),
            (json!({"sla": null}), "limits nothing"),
            (
                json!({"rates": {"lower": 4, "upper": 2, "tolerance": 1}}),
                "`rates`: the range of rates is 4 to 2",
            ),
            (json!({"rates": {"lower": 1, "upper": 2}}), "tolerance"),
            (json!({"arrivals": {"kind": "burst"}}), "`arrivals` has no place here"),
            (json!({"first_repeat": 0}), "counted from 1"),
        ] {
            let error = asked(&config(more.clone())).err().unwrap_or_default();
            assert!(error.contains(words), "{more}: {error}");
        }
    }

    #[test]
    fn the_schema_is_that_of_a_benchmark_with_rates() {
        let schema = schema();
        let properties = schema["properties"].as_object().expect("properties");
        assert!(properties.contains_key("server") && properties.contains_key("subject"));
        assert!(
            !properties.contains_key("arrivals")
                && schema["properties"]["rates"]["properties"]["lower"].is_object()
        );
        assert_eq!(schema["required"], json!(["dataset", "rates", "sla"]));
    }
}
