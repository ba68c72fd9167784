//! `assay bench` and the step type `benchmark`, against `assay sim-server`.

#[expect(dead_code, reason = "the suite of schemas uses the rest")]
#[path = "support/schemas.rs"]
mod schemas;
mod support;

use schemas::{faults, validator};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;
use support::{Done, Scene, eventually, kill, processes_with};

/// A simulated server as a process of its own; ended with the test.
struct Sim {
    process: Child,
    url: String,
}

impl Sim {
    fn start(scene: &Scene, args: &[&str]) -> Self {
        let mut command = scene.command(&[&["sim-server", "--port", "0"], args].concat());
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("a simulator");
        let mut lines = BufReader::new(process.stderr.take().expect("stderr")).lines();
        let port = lines.by_ref().flatten().find_map(|line| {
            let (_, port) = line.split_once("listens on port ")?;
            port.trim().parse::<u16>().ok()
        });
        let url = format!("http://127.0.0.1:{}", port.expect("a port"));
        // Its later lines must not fill a pipe that nobody reads.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, url }
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Small: 24 requests of 8 tokens in and 6 out, at once. Servers here take a second, so that a busy machine does not make
/// the client too late for them.
const SMALL: [&str; 10] = [
    "--num-prompts",
    "24",
    "--input-len",
    "8",
    "--output-len",
    "6",
    "--vocab-size",
    "500",
    "--as-ids",
    "--concurrency",
];

fn bench(scene: &Scene, url: &str, more: &[&str]) -> Done {
    scene.assay(&[&["bench", "--url", url][..], &SMALL, &["24"], more].concat())
}

fn row(scene: &Scene, folder: &str) -> Value {
    serde_json::from_str(scene.read(&format!("{folder}/row.jsonl")).lines().next().expect("a line"))
        .expect("JSON")
}

#[test]
fn a_server_is_measured_and_every_file_is_there() {
    let scene = Scene::new();
    let sim = Sim::start(&scene, &["--ttft-ms", "1000", "--itl-ms", "4"]);
    let done =
        bench(&scene, &sim.url, &["-o", "result", "--max-p50-ttft-ms", "5000", "--repeats", "3"]).expect(0);
    for words in ["TTFT", "output tokens", "max_p50_ttft_ms 5000: met", "files: result"] {
        assert!(done.stdout.contains(words), "{words}: {}", done.stdout);
    }
    let row = row(&scene, "result");
    let schema = scene.assay(&["schema", "bench-row"]).expect(0).json();
    assert_eq!(faults(&validator(&schema), &row), Vec::<String>::new());
    assert_eq!(
        (&row["status"], &row["sla"]["passed"], &row["repeats"]),
        (&json!("ok"), &json!(true), &json!(3))
    );
    assert_eq!(row["workload"]["endpoint"], "/v1/completions");
    let requests = scene.read("result/requests.jsonl");
    // One request warms up before each repeat.
    assert_eq!(requests.lines().count(), 3 * 25);
    let record = scene.assay(&["schema", "bench-request"]).expect(0).json();
    let checked = validator(&record);
    for line in requests.lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(faults(&checked, &line["record"]), Vec::<String>::new());
    }
    let page = scene.read("result/bench.html");
    assert!(page.contains("<svg") && page.contains("p50 TTFT ms"));
    assert!(scene.read("result/bench.md").contains("Latencies of completed requests"));
}

#[test]
fn an_answer_for_programs_holds_the_row() {
    let scene = Scene::new();
    let sim = Sim::start(&scene, &["--ttft-ms", "1000", "--itl-ms", "1"]);
    let answer = bench(&scene, &sim.url, &["--json"]).expect(0).json();
    assert_eq!(answer["data"]["row"]["status"], "ok");
    assert_eq!(answer["data"]["measurements"][0]["metrics"]["counts"]["completed"], 24);
}

#[test]
fn a_file_describes_a_benchmark_and_options_go_over_it() {
    let scene = Scene::new();
    // A slow server, so that a busy machine does not make the client too late for it.
    let sim = Sim::start(&scene, &["--ttft-ms", "1500", "--itl-ms", "1"]);
    scene.write("rows.jsonl", "{\"prompt\": \"Hello there\", \"output_len\": 4}\n".repeat(30));
    scene.write(
        "chat.yaml",
        format!(
            "url: {}\napi: chat\ndataset: {{kind: jsonl, path: rows.jsonl}}\narrivals: {{kind: poisson, rate: 50}}\n\
             subject: {{scenario: chat, framework: sglang}}\n",
            sim.url
        ),
    );
    scene
        .assay(&["bench", "--config", "chat.yaml", "-o", "out", "--model", "sim", "--num-prompts", "21"])
        .expect(0);
    let row = row(&scene, "out");
    assert_eq!(row["workload"]["endpoint"], "/v1/chat/completions");
    assert_eq!(
        (&row["workload"]["num_prompts"], &row["workload"]["request_rate"]),
        (&json!(21), &json!(50.0))
    );
    assert_eq!((&row["framework"], &row["workload"]["scenario"]), (&json!("sglang"), &json!("chat")));
}

#[test]
fn a_missed_limit_and_a_failing_server_have_exit_codes_of_their_own() {
    let scene = Scene::new();
    let sim = Sim::start(&scene, &["--ttft-ms", "1000", "--itl-ms", "1"]);
    let done = bench(&scene, &sim.url, &["--max-p50-ttft-ms", "1"]).expect(23);
    assert!(done.stdout.contains("max_p50_ttft_ms 1.00: missed"), "{}", done.stdout);

    scene.write(
        "failing.yaml",
        "failures: [{kind: cancel_others, when: {every: 1}}]\npace: {kind: paced, ttft_ms: 20, itl_ms: 5}\n",
    );
    let sim = Sim::start(&scene, &["--config", "failing.yaml"]);
    let done = bench(&scene, &sim.url, &["-o", "failed"]).expect(21);
    assert!(done.stdout.contains("of 24 requests completed"), "{}", done.stdout);
    // The server that completes few requests has no throughput to show.
    assert!(!done.stdout.contains("requests/s") && !done.stdout.contains("output tokens"), "{}", done.stdout);
    assert_eq!(row(&scene, "failed")["status"], "failed");
}

#[test]
fn a_client_that_is_held_up_makes_the_measurement_invalid() {
    let scene = Scene::new();
    let sim = Sim::start(&scene, &["--ttft-ms", "10", "--itl-ms", "5"]);
    let args =
        ["--num-prompts", "200", "--input-len", "8", "--output-len", "6", "--vocab-size", "500", "--as-ids"];
    let child =
        scene.start(&[&["bench", "--url", &sim.url, "--rate", "100", "-o", "held"][..], &args].concat());
    let begun = eventually(Duration::from_secs(10), || {
        let asked = scene.shell(&format!("curl -s {}/truth/tokens", sim.url)).stdout;
        asked
            .chars()
            .filter(char::is_ascii_digit)
            .collect::<String>()
            .parse::<u64>()
            .is_ok_and(|tokens| tokens > 50)
    });
    assert!(begun, "the load did not begin");
    kill(child.id(), "STOP");
    std::thread::sleep(Duration::from_millis(600));
    kill(child.id(), "CONT");
    let done = support::finish(child).expect(25);
    assert!(done.stdout.contains("started requests late"), "{}", done.stdout);
    assert!(!done.stdout.contains("output tokens"), "{}", done.stdout);
    assert_eq!(row(&scene, "held")["status"], "invalid");
}

#[test]
fn an_interrupted_benchmark_keeps_what_it_measured() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 143)] {
        let scene = Scene::new();
        let sim = Sim::start(&scene, &["--ttft-ms", "50", "--itl-ms", "50"]);
        let child = scene.start(&[&["bench", "--url", &sim.url, "-o", "cut"][..], &SMALL, &["2"]].concat());
        std::thread::sleep(Duration::from_millis(1500));
        kill(child.id(), signal);
        let done = support::finish(child).expect(code);
        assert!(done.stdout.contains("stopped before its end"), "{}", done.stdout);
        let lines = scene.read("cut/requests.jsonl");
        assert!(lines.lines().count() >= 24, "{lines}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_a_way_out() {
    let scene = Scene::new();
    scene.write("odd.yaml", "url: http://127.0.0.1:1\ndataset: {kind: rendom}\n");
    let sized = ["--num-prompts", "4", "--input-len", "8", "--output-len", "6"];
    for (args, words) in [
        (vec!["bench"], "--url"),
        (vec!["bench", "--url", "http://127.0.0.1:1"], "`concurrency`"),
        (
            vec!["bench", "--url", "https://a", "--concurrency", "1", "--vocab-size", "9", "--as-ids"],
            "encrypted",
        ),
        (vec!["bench", "--url", "http://127.0.0.1:1", "--rate", "0"], "requests per second"),
        (
            vec!["bench", "--url", "http://127.0.0.1:1", "--concurrency", "1", "--extra-body", "[1]"],
            "no JSON object",
        ),
        (vec!["bench", "--config", "odd.yaml"], "rendom"),
        (vec!["bench", "--config", "missing.yaml"], "missing.yaml"),
        ([&["bench", "--url", "http://127.0.0.1:1", "--concurrency", "1"][..], &sized].concat(), "tokenizer"),
    ] {
        let done = scene.assay(&args).expect(2);
        assert!(done.stderr.contains(words), "{args:?}: {}", done.stderr);
    }
}

/// A server and a benchmark of it, with more in the benchmark's `with`.
fn workflow(scene: &Scene, server: &str, more: &str) -> String {
    let exe = env!("CARGO_BIN_EXE_assay");
    scene.workflow(
        "serve",
        &format!(
            "steps:\n  srv:\n    uses: server\n    with:\n      argv: ['{exe}', sim-server, --port, '{{{{ self.port }}}}', {server}]\n      \
             ready: {{http: {{path: /health}}, timeout: 20s}}\n  load:\n    uses: benchmark\n    with:\n      server: '{{{{ steps.srv }}}}'\n      \
             dataset: {{kind: random, num_prompts: 24, input_len: 8, output_len: 6, vocab_size: 500}}\n      as_ids: true\n      concurrency: 24\n{more}    \
             timeout: 1m\ngates:\n  quick: {{assert: steps.load.sla_passed}}\n  steady: {{assert: steps.load.longest_stall_ms < 5000}}\noutputs:\n  \
             row: {{value: steps.load.row, type: object}}\n  p50: {{value: steps.load.metrics.p50_ttft_ms, type: number}}\n\
             deliver:\n  rows.jsonl: '[outputs.row]'\n  bench.html: steps.load.html\n"
        ),
    )
}

#[test]
fn a_workflow_measures_the_server_that_it_started() {
    let scene = Scene::new();
    let file = workflow(&scene, "--ttft-ms, '1000', --itl-ms, '2'", "      sla: {max_p50_ttft_ms: 5000}\n");
    scene.assay(&["run", &file]).expect(0);
    assert_eq!(scene.statuses()["load"], "passed");
    let row: Value =
        serde_json::from_str(scene.delivered("rows.jsonl").lines().next().expect("a row")).expect("JSON");
    assert_eq!(row["status"], "ok");
    assert!(scene.delivered("bench.html").contains("<svg"));
    assert!(scene.outputs()["p50"].as_f64().is_some_and(|p50| p50 > 9.0), "{}", scene.outputs());
    let marker = scene.dir().to_string_lossy().into_owned();
    assert!(eventually(Duration::from_secs(2), || processes_with(&marker).is_empty()));
}

#[test]
fn a_missed_limit_fails_the_gate_and_a_bad_server_the_step() {
    let scene = Scene::new();
    let file = workflow(&scene, "--ttft-ms, '1000', --itl-ms, '2'", "      sla: {max_p50_ttft_ms: 1}\n");
    scene.assay(&["run", &file]).expect(23);
    assert_eq!(scene.statuses()["load"], "passed");

    for (failure, words) in [
        ("{kind: wrong_usage, completion_by: 3, when: {every: 1}}", ["the measurement is invalid"; 2]),
        // Who tells of it first: the server's end, or the requests that it cut off.
        (
            "{kind: crash, when: {after_requests: 9}}",
            ["the server `srv` that it uses is gone", "requests completed"],
        ),
        ("{kind: status, code: 500, when: {every: 2}}", ["answered 500"; 2]),
    ] {
        let scene = Scene::new();
        let config = scene.write(
            "sim.yaml",
            format!("failures: [{failure}]\npace: {{kind: paced, ttft_ms: 1000, itl_ms: 1}}\n"),
        );
        let server = format!("--config, '{}'", config.display());
        let file = workflow(&scene, &server, "      sla: {max_p50_ttft_ms: 5000}\n");
        scene.assay(&["run", &file]).expect(21);
        let reason = scene.finished("load")["reason"].as_str().unwrap_or_default().to_owned();
        assert!(words.iter().any(|words| reason.contains(words)), "{failure}: {reason}");
    }
}

#[test]
fn a_step_that_runs_out_of_time_leaves_nothing_running() {
    let scene = Scene::new();
    let file = workflow(&scene, "--ttft-ms, '60000'", "");
    let text = std::fs::read_to_string(scene.dir().join(&file)).expect("the workflow");
    std::fs::write(scene.dir().join(&file), text.replace("timeout: 1m", "timeout: 3s")).expect("written");
    scene.assay(&["run", &file]).expect(22);
    assert_eq!(scene.statuses()["load"], "timed_out");
    let marker = scene.dir().to_string_lossy().into_owned();
    assert!(
        eventually(Duration::from_secs(2), || processes_with(&marker).is_empty()),
        "{:?}",
        processes_with(&marker)
    );
}

#[test]
fn a_tagged_choice_is_checked_by_its_tag() {
    let scene = Scene::new();
    for (dataset, words) in [
        ("{kind: rendom, num_prompts: 1}", "did you mean `random`?"),
        ("{num_prompts: 1}", "`dataset` needs `kind`"),
        ("{kind: jsonl, path: a, num_prompt: 1}", "unknown field `num_prompt`"),
        ("{kind: jsonl}", "`dataset` needs `path`"),
    ] {
        let file = scene.workflow(
            "odd",
            &format!("steps:\n  load: {{uses: benchmark, with: {{url: 'http://x', concurrency: 1, dataset: {dataset}}}, timeout: 1m}}\n"),
        );
        let done = scene.assay(&["run", &file]).expect(11);
        assert!(done.stderr.contains(words), "{dataset}: {}", done.stderr);
    }
}
