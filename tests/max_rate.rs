//! The step type `max_rate`: searches against simulated servers whose limit is known.

mod support;

use serde_json::Value;
use std::time::Duration;
use support::{Scene, eventually, processes_with};

/// A server that reads 20 prompts of 8 tokens in each step of one second: it serves 20 requests per second, with a TTFT of one
/// to two seconds. (Slow, so that a busy machine does not make the client too late for it.)
const TWENTY_PER_SECOND: &str = "pace: {kind: engine, base_ms: 1000, per_sequence_ms: 0, per_1k_kv_ms: 0, \
     prefill_tokens_per_s: 1000000000, chunk_tokens: 160, prefix_cache: false}\n";
/// No load changes its times.
const ALWAYS_TWO_SECONDS: &str = "pace: {kind: paced, ttft_ms: 2000, itl_ms: 1}\n";

fn workflow(scene: &Scene, sim: &str, requests: u32, rates: &str, sla: &str) -> String {
    let exe = env!("CARGO_BIN_EXE_assay");
    let config = scene.write("sim.yaml", sim);
    scene.workflow(
        "rates",
        &format!(
            "steps:\n  srv:\n    uses: server\n    with:\n      argv: ['{exe}', sim-server, --port, '{{{{ self.port }}}}', --config, '{}']\n      \
             ready: {{http: {{path: /health}}, timeout: 20s}}\n  search:\n    uses: max_rate\n    with:\n      server: '{{{{ steps.srv }}}}'\n      \
             dataset: {{kind: random, num_prompts: {requests}, input_len: 8, output_len: 4, vocab_size: 500}}\n      as_ids: true\n      \
             rates: {rates}\n      sla: {sla}\n      subject: {{framework: sglang, candidate: c1, scenario: chat}}\n    timeout: 3m\noutputs:\n  \
             found: {{value: steps.search, type: object}}\n  curve: {{rows: steps.search.curve, columns: {{rate: Rate, result: SLA}}}}\n\
             deliver:\n  rows.jsonl: steps.search.rows\n  bench.html: steps.search.html\n",
            config.display()
        ),
    )
}

fn results(found: &Value) -> Vec<(f64, String)> {
    let point = |point: &Value| {
        (point["rate"].as_f64().expect("a rate"), point["result"].as_str().expect("a result").to_owned())
    };
    found["curve"].as_array().expect("a curve").iter().map(point).collect()
}

#[test]
fn the_limit_of_a_server_is_found_within_the_tolerance() {
    let scene = Scene::new();
    // Of 100 requests at a rate above 20 the median one waits 50 * (1/20 - 1/rate) seconds: half a second at 25.
    let sla = "{max_p50_ttft_ms: 2000}";
    let file = workflow(&scene, TWENTY_PER_SECOND, 100, "{lower: 8, upper: 64, tolerance: 8}", sla);
    scene.assay(&["run", &file]).expect(0);
    let found = scene.outputs()["found"].clone();
    assert_eq!(found["status"], "found", "{found}");
    let (best, not_passed) =
        (found["best_rate"].as_f64().expect("a rate"), found["not_passed"].as_f64().expect("a rate"));
    assert!(not_passed - best <= 8.0 && best <= 25.0 && not_passed >= 20.0, "{best} to {not_passed}");
    let row = &found["row"];
    assert_eq!((row["status"].as_str(), row["sla"]["passed"].as_bool()), (Some("ok"), Some(true)));
    assert_eq!(row["workload"]["request_rate"].as_f64(), Some(best));
    assert_eq!(found["result_rows"].as_array().map(Vec::len), Some(1));
    // Every measurement is of the same workload, with words of its own.
    let rows = found["rows"].as_array().expect("rows");
    assert_eq!(Some(rows.len() as u64), found["rounds"].as_u64());
    assert!(
        rows.len() > 2 && rows.iter().all(|row| row["digests"]["workload"] == rows[0]["digests"]["workload"])
    );
    let asked = |at: usize| {
        let file = found["requests"][at]["path"].as_str().expect("a path");
        std::fs::read_to_string(file).expect("requests").lines().count()
    };
    assert_eq!((asked(0), asked(1)), (101, 101));
    assert_eq!(scene.delivered("rows.jsonl").lines().count(), rows.len());
    let page = scene.delivered("bench.html");
    assert!(page.contains("Throughput against latency") && page.contains("Asked req/s"));
    let marker = scene.dir().to_string_lossy().into_owned();
    assert!(eventually(Duration::from_secs(2), || processes_with(&marker).is_empty()));
}

#[test]
fn a_range_below_the_limit_and_one_above_it_say_so() {
    for (sla, status, best, results_wanted) in [
        ("{max_p50_ttft_ms: 5000}", "at_upper", Some(60.0), "passed"),
        ("{max_p50_ttft_ms: 100}", "below_lower", None, "failed"),
    ] {
        let scene = Scene::new();
        let file = workflow(&scene, ALWAYS_TWO_SECONDS, 24, "{lower: 20, upper: 60, tolerance: 20}", sla);
        scene.assay(&["run", &file]).expect(0);
        let found = scene.outputs()["found"].clone();
        assert_eq!((found["status"].as_str(), found["best_rate"].as_f64()), (Some(status), best), "{found}");
        assert_eq!(found["row"].is_null(), best.is_none());
        // What a busy machine spoiled is undecided, and was measured once more.
        let mut decided = results(&found).into_iter().filter(|(_, result)| result != "undecided");
        assert!(decided.all(|(_, result)| result == results_wanted), "{found}");
        assert!(found["result_rows"].as_array().is_some_and(|rows| !rows.is_empty()));
    }
}

#[test]
fn what_must_not_be_used_decides_nothing_and_a_dead_server_fails() {
    let scene = Scene::new();
    // Answers of a wrong length: each measurement is invalid, and each rate is measured twice.
    let sim = format!(
        "{ALWAYS_TWO_SECONDS}failures: [{{kind: wrong_usage, completion_by: 3, when: {{every: 1}}}}]\n"
    );
    let file = workflow(
        &scene,
        &sim,
        20,
        "{lower: 20, upper: 60, tolerance: 39, max_rounds: 4}",
        "{max_p50_ttft_ms: 5000}",
    );
    scene.assay(&["run", &file]).expect(0);
    let found = scene.outputs()["found"].clone();
    assert!(results(&found).iter().all(|(_, result)| result == "undecided"), "{found}");
    assert_eq!((found["status"].as_str(), found["row"].is_null()), (Some("undecided"), true), "{found}");
    assert_eq!(found["rounds"], 4);

    let scene = Scene::new();
    let sim = format!("{ALWAYS_TWO_SECONDS}failures: [{{kind: status, code: 500, when: {{every: 1}}}}]\n");
    let file = workflow(&scene, &sim, 20, "{lower: 20, upper: 60, tolerance: 20}", "{max_p50_ttft_ms: 5000}");
    scene.assay(&["run", &file]).expect(21);
    let reason = scene.finished("search")["reason"].as_str().unwrap_or_default().to_owned();
    assert!(reason.contains("no request completed") && reason.contains("500"), "{reason}");
}
