//! Result rows: what an outcome allows, verdicts that are computed and not believed, repeats, secrets, and files.

use assay_loadgen::Record;
use assay_loadgen::metrics::{Metrics, Window, summarise};
use assay_loadgen::row::{
    Outcome, Row, RowMetrics, Sample, Status, Subject, append, from_lines, read, to_line,
};
use assay_loadgen::sla::Sla;
use serde_json::{Value, json};

fn subject() -> Subject {
    Subject { framework: "vllm".into(), candidate_id: "c0".into(), model: "tiny".into() }
}

fn plain(text: &str) -> String {
    text.to_owned()
}

fn ok() -> Row {
    Row::new(subject(), Outcome::Ok, &plain).expect("a row")
}

fn sample(request_throughput: f64, p50_ttft_ms: f64) -> Sample {
    let metrics = RowMetrics {
        request_throughput: Some(request_throughput),
        p50_ttft_ms: Some(p50_ttft_ms),
        success_rate: Some(1.0),
        ..RowMetrics::default()
    };
    Sample { metrics, position: None }
}

/// The JSON of an `ok` row with one change.
fn changed(change: impl FnOnce(&mut Value)) -> String {
    let mut value = serde_json::to_value(ok()).expect("JSON");
    change(&mut value);
    value.to_string()
}

fn problem(text: &str) -> String {
    from_lines(text).expect_err("no row").to_string()
}

#[test]
fn the_row_has_the_shape_of_the_catalog() {
    let mut row = ok();
    row.set_samples(vec![sample(8.0, 100.0)]);
    row.set_sla(Sla { max_p50_ttft_ms: Some(1500.0), ..Sla::default() });
    row.set_commands(Some("vllm serve tiny"), Some("assay bench"), &plain);
    row.workload.scenario = Some("chat".into());
    let value = serde_json::to_value(&row).expect("JSON");
    assert_eq!(value["schema_version"], 1);
    assert_eq!((&value["status"], &value["rehearsal"]), (&json!("ok"), &json!(false)));
    assert_eq!(value["sla"], json!({"max_p50_ttft_ms": 1500.0, "passed": true}));
    assert_eq!(value["workload"], json!({"scenario": "chat"}));
    assert_eq!(value["metrics"]["request_throughput"], 8.0);
    assert_eq!(value["server_command"], "vllm serve tiny");
    assert!(value["definitions"]["p50_ttft_ms"].as_str().is_some_and(|text| text.contains("first piece")));
    assert!(!value.to_string().contains("null"), "what is not known is left out: {value}");
}

#[test]
fn an_invalid_client_result_is_never_ok() {
    let outcome = Outcome::measured(vec!["the client used a whole core".into()]);
    let row = Row::new(subject(), outcome, &plain).expect("a row");
    assert_eq!((row.status(), row.validity().valid), (Status::Invalid, false));
    assert_eq!(row.failure_reason(), Some("the client used a whole core"));
    assert!(!row.is_eligible());
    let forged = changed(|row| row["validity"] = json!({"valid": false, "reasons": ["x"]}));
    assert!(problem(&forged).contains("such a row is `invalid`"), "{}", problem(&forged));
    assert_eq!(Outcome::measured(Vec::new()), Outcome::Ok);
}

#[test]
fn every_other_status_needs_a_reason() {
    let reason = String::new;
    for outcome in [
        Outcome::Failed(reason()),
        Outcome::Oom(reason()),
        Outcome::Timeout(reason()),
        Outcome::Skipped("  ".into()),
        Outcome::Invalid(Vec::new()),
    ] {
        Row::new(subject(), outcome, &plain).expect_err("a reason is missing");
    }
    for status in ["failed", "oom", "timeout", "skipped", "invalid"] {
        let text = changed(|row| {
            row["status"] = json!(status);
            row["validity"] = json!({"valid": false, "reasons": ["x"]});
        });
        assert!(problem(&text).contains("`failure_reason` says nothing"), "{}", problem(&text));
    }
    let unnamed = Subject { model: " ".into(), ..subject() };
    assert!(Row::new(unnamed, Outcome::Ok, &plain).is_err());
}

#[test]
fn a_verdict_is_computed_and_not_believed() {
    // A row that says it passed with 9999 ms against 100 ms.
    let text = changed(|row| {
        row["metrics"] = json!({"request_throughput": 50.0, "p50_ttft_ms": 9999.0, "success_rate": 1.0});
        row["sla"] = json!({"max_p50_ttft_ms": 100.0, "passed": true});
    });
    let rows = from_lines(&text).expect("readable");
    let row = &rows[0];
    assert_eq!(row.verdict().passed, Some(false));
    assert!(row.verdict_differs() && !row.is_eligible());
    assert!(to_line(row).expect_err("not written").to_string().contains("`sla.passed`"));
    let absent = changed(|row| row["sla"] = json!({"max_p50_tpot_ms": 30.0, "passed": true}));
    assert_eq!(from_lines(&absent).expect("readable")[0].verdict().passed, Some(false));
}

#[test]
fn limits_judge_latency_from_the_intended_start_where_it_is_known() {
    let mut row = ok();
    let mut sample = sample(8.0, 50.0);
    sample.metrics.p50_ttft_intended_ms = Some(3000.0);
    row.set_sla(Sla { max_p50_ttft_ms: Some(100.0), ..Sla::default() });
    row.set_samples(vec![sample]);
    assert_eq!(row.sla().expect("limits").passed, Some(false), "judged again when the figures came");
    assert_eq!(row.verdict().checks[0].found, Some(3000.0));
}

#[test]
fn repeats_keep_their_samples_and_give_intervals() {
    let mut row = ok();
    row.set_samples(vec![sample(10.0, 100.0), sample(12.0, 90.0), sample(11.0, 300.0)]);
    assert_eq!((row.repeats, row.samples.len()), (3, 3));
    assert_eq!((row.metrics.request_throughput, row.metrics.p50_ttft_ms), (Some(11.0), Some(100.0)));
    let interval = row.intervals["request_throughput"];
    assert!(interval.low < 11.0 && 11.0 < interval.high && interval.n == 3, "{interval:?}");
    assert!(interval.low > 0.0);
    row.set_samples(vec![sample(10.0, 100.0), sample(12.0, 90.0)]);
    assert!(row.intervals.is_empty(), "two runs tell nothing about noise");
}

#[test]
fn a_figure_that_some_runs_lack_is_left_out() {
    let mut lacking = sample(12.0, 90.0);
    lacking.metrics.p50_ttft_ms = None;
    let mut row = ok();
    row.set_samples(vec![sample(10.0, 100.0), lacking]);
    assert_eq!((row.metrics.request_throughput, row.metrics.p50_ttft_ms), (Some(11.0), None));
    assert!(!row.definitions.contains_key("p50_ttft_ms"));
}

#[test]
fn figures_of_records_come_through_with_their_definitions() {
    let record = Record {
        chunk_ns: vec![50_000_000, 60_000_000],
        end_ns: 65_000_000,
        output_len: 2,
        ..Record::default()
    };
    let metrics: Metrics = summarise(&[record], Window::default(), None);
    let mut row = ok();
    row.set_figures(&[metrics]);
    assert_eq!(row.metrics.p50_ttft_ms, Some(50.0));
    assert_eq!((row.metrics.p50_tpot_ms, row.metrics.output_token_throughput), (None, None));
    let named: Vec<String> = row.metrics.measured().into_iter().map(|(name, _)| name).collect();
    assert!(named.iter().all(|name| row.definitions.contains_key(name)), "{named:?}");
}

#[test]
fn secrets_pass_the_redactor() {
    let redact = |text: &str| text.replace("hf_secret", "***");
    let outcome = Outcome::Failed("exit 1: --token hf_secret".into());
    let mut row = Row::new(subject(), outcome, &redact).expect("a row");
    row.set_commands(Some("serve --token hf_secret"), Some("bench --key hf_secret"), &redact);
    let line = to_line(&row).expect("a line");
    assert!(!line.contains("hf_secret") && line.matches("***").count() == 4, "{line}");
}

#[test]
fn a_rehearsal_never_wins() {
    let mut row = ok();
    row.set_samples(vec![sample(10.0, 100.0)]);
    assert!(row.is_eligible());
    row.rehearsal = true;
    assert!(!row.is_eligible());
}

#[test]
fn scenarios_have_a_name() {
    let mut row = ok();
    assert_eq!(row.scenario(), "default");
    row.workload.kind = Some("random".into());
    assert_eq!(row.scenario(), "random");
    row.workload.scenario = Some("chat".into());
    assert_eq!(row.scenario(), "chat");
}

#[test]
fn files_grow_line_by_line_and_errors_name_the_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("candidates.jsonl");
    let mut row = ok();
    append(&path, &row).expect("written");
    row.candidate_id = "c1".into();
    append(&path, &row).expect("written");
    let rows = read(&path).expect("rows");
    assert_eq!(rows.iter().map(|row| row.candidate_id.as_str()).collect::<Vec<_>>(), ["c0", "c1"]);
    assert_eq!(rows[1], row);
    let good = to_line(&row).expect("a line");
    for (bad, says) in [
        ("{\"framework\"".to_owned(), "EOF"),
        (changed(|row| row["statsu"] = json!("ok")), "unknown field `statsu`"),
        (changed(|row| row["schema_version"] = json!(2)), "`schema_version` is 2"),
        (changed(|row| row["metrics"]["p50_ttft_ms"] = json!(-1.0)), "no figure is below 0"),
        (changed(|row| row["metrics"]["success_rate"] = json!(1.5)), "cannot be above 1"),
    ] {
        let found = problem(&format!("{good}\n{bad}\n"));
        assert!(found.starts_with("line 3: ") && found.contains(says), "{found}");
        assert!(!found.contains("at line 1"), "{found}");
    }
    assert!(read(&folder.path().join("none")).expect_err("missing").to_string().contains("cannot read `"));
}

#[test]
fn rows_meet_their_schema() {
    let schema = schemars::schema_for!(Row).to_value();
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let mut row = ok();
    row.set_samples(vec![sample(10.0, 100.0), sample(12.0, 90.0), sample(11.0, 95.0)]);
    row.set_sla(Sla { max_p50_ttft_ms: Some(100.0), ..Sla::default() });
    let value = serde_json::to_value(&row).expect("JSON");
    let problems: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(schema["title"], "Row");
    assert_eq!(schema["additionalProperties"], json!(false));
    let unknown: Value = serde_json::from_str(&changed(|row| row["speed"] = json!(1))).expect("JSON");
    assert!(!validator.is_valid(&unknown));
}
