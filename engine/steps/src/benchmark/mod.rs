//! `benchmark`: loads a server and measures how it serves.

pub(crate) mod load;
mod outputs;

use assay_loadgen::row::Status;
use assay_manifest::{Effects, Kind};
use assay_protocol::{Value, ValueMap};
use assay_run::{LocalFuture, Outcome, Step, StepCtx};

/// The step type.
#[derive(Debug)]
pub(crate) struct Benchmark;

impl Step for Benchmark {
    fn kind(&self) -> Kind {
        Kind {
            name: "benchmark",
            summary: "Load an inference server and measure how it serves",
            doc: "Sends a workload to an OpenAI-compatible server (or SGLang's `/generate`) in an open or a closed loop and \
                  measures TTFT, TPOT, gaps between pieces, end-to-end latency, throughput and success, each under one \
                  definition (`assay schema bench-row` states them). It runs in a process of its own.\n\n\
                  `server` takes the outputs of a `server` step: its URL, and with an adapter also the model's name, the \
                  framework and what its API needs. The step keeps the row to publish (`row.jsonl`), every request with raw \
                  times (`requests.jsonl`), all figures (`bench.json`) and a report with pictures.\n\n\
                  A measurement that must not be used fails the step and says why: the client was the bottleneck or late, \
                  answers of another length than asked for, prompts that the server counts otherwise, or too few requests \
                  completed (`sla.min_success_rate`, else 99 %). A missed limit of `sla` passes the step: gate on \
                  `sla_passed`.",
            example: "uses: benchmark\nwith:\n  url: http://127.0.0.1:8000\n  tokenizer: /models/tiny\n  dataset: {kind: random, \
                      num_prompts: 80, input_len: 1000, output_len: 100}\n  concurrency: 8\n  sla: {max_p50_ttft_ms: 1500, \
                      min_success_rate: 0.99}\ntimeout: 10m\n",
            schema: std::sync::LazyLock::new(load::schema),
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

async fn run(cx: &StepCtx) -> Result<Outcome, Outcome> {
    let bench = load::bench(&cx.config).map_err(Outcome::failed)?;
    bench.check().map_err(|error| Outcome::failed(error.to_string()))?;
    let folder = cx.own_dir().map_err(Outcome::failed)?;
    let measured = load::measure(cx, &bench, &folder.join("benchmark.json"), &folder).await?;
    let reason = measured.row.failure_reason().unwrap_or_default();
    let outcome = match measured.row.status() {
        Status::Ok => Outcome::passed(outputs::of(&folder, &measured.row).map_err(Outcome::failed)?),
        Status::Invalid => Outcome::failed(format!("the measurement is invalid: {reason}")),
        _ => Outcome::failed(reason),
    };
    Ok(Outcome { exit: measured.exit, ..outcome })
}
