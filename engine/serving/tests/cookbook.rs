//! Import of cookbook configurations: every rule, all problems at once, and what comes of a good one.

use assay_serving::candidates::{Flags, Space, Strategy, plan};
use assay_serving::cookbook::{Cookbook, CookbookError, import};
use assay_serving::rank::AbsentKind;
use serde_json::{Value, json};

const FOUR: &str = include_str!("cookbook/four.yaml");

fn all_known(_: &str, _: &str) -> Option<String> {
    None
}

fn good(text: &str) -> Cookbook {
    import(text, &all_known).unwrap_or_else(|error| panic!("{error}"))
}

/// The problems of the example after one text is replaced by another.
fn problems(from: &str, to: &str) -> Vec<String> {
    assert!(FOUR.contains(from), "{from}");
    match import(&FOUR.replacen(from, to, 1), &all_known) {
        Err(CookbookError::Rules(problems)) => problems.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

fn one_problem(from: &str, to: &str) -> String {
    let [problem] = &problems(from, to)[..] else { panic!("{:?}", problems(from, to)) };
    problem.clone()
}

#[test]
fn a_good_configuration_becomes_flags_scenarios_and_limits() {
    let cookbook = good(FOUR);
    assert_eq!((cookbook.model.name.as_str(), &cookbook.model.tokenizer), ("example/moe-236b", &None));
    let scenarios: Vec<_> =
        cookbook.scenarios.iter().map(|s| (s.name.as_str(), s.input_len, s.output_len)).collect();
    assert_eq!(scenarios, [("chat", 1000, 1000), ("summarization", 8000, 1000)], "pairs, no product");
    assert_eq!(cookbook.longest().unwrap().name, "summarization");
    let limits = cookbook.limits.unwrap();
    assert_eq!(
        (limits.max_p50_ttft_ms, limits.max_p50_e2e_ms, limits.min_success_rate),
        (Some(1500.0), None, Some(0.99))
    );
    let benchmark = &cookbook.benchmark;
    assert_eq!(benchmark.max_concurrency, [None, Some(4), Some(8)]);
    assert_eq!(benchmark.extra_request_body["temperature"], json!(0.0));
    assert!(benchmark.request_rates.is_empty(), "the highest rate is looked for");
    assert_eq!(benchmark.qps.unwrap().max_rounds, 5);
    let names: Vec<_> = cookbook.frameworks.iter().map(|f| (f.name.as_str(), f.enabled)).collect();
    assert_eq!(names, [("sglang", true), ("vllm", true), ("tensorrt-llm", true), ("tokenspeed", false)]);
    let order: Vec<&String> = cookbook.frameworks[0].space.keys().collect();
    assert_eq!(order[0], "prefill_attention_backend", "the author's order is the priority");
    assert_eq!(cookbook.frameworks[1].base["max_model_len"], json!(12288));
    let left_out = cookbook.left_out();
    assert_eq!((left_out.len(), left_out[0].kind), (1, AbsentKind::UserExcluded));
    let remarks: Vec<&str> = cookbook.remarks.iter().map(|remark| remark.path.as_str()).collect();
    assert_eq!(remarks, ["search.candidate_generation"]);
}

#[test]
fn each_framework_gets_a_plan() {
    let cookbook = good(FOUR);
    for (framework, reached) in cookbook.frameworks.iter().zip([11, 8, 7]) {
        let (settings, remark) = framework.settings(&cookbook.search).unwrap();
        assert_eq!((settings.strategy, settings.max_candidates, remark), (Strategy::Ofat, Some(8), None));
        let space = Space::new(&framework.space).unwrap();
        let plan = plan(&framework.name, &framework.base, &space, &settings, &[]).unwrap();
        assert!(plan.excluded.is_empty(), "{:?}", plan.excluded);
        assert_eq!(plan.candidates.len(), 8, "{}", framework.name);
        assert_eq!(plan.coverage.values_reached, reached, "{}", framework.name);
    }
    let everything = good(&FOUR.replacen("tier: 2", "tier: 3", 1));
    let (settings, remark) = everything.frameworks[0].settings(&everything.search).unwrap();
    assert_eq!(settings.strategy, Strategy::Ofat);
    assert!(remark.unwrap().contains("all 73 candidates"));
}

#[test]
fn every_rule_has_its_message() {
    for (from, to, expected) in [
        ("schema_version: 1", "schema_version: 2", "schema_version: must be 1"),
        ("llm_serving_cookbook", "blog", "source.kind: must be `llm_serving_cookbook`"),
        ("name: example/moe-236b", "name: 7", "model.name: must be a text that is not empty, not 7"),
        ("[1000, 8000]", "[]", "dataset.input_len: must be a list that is not empty, not an empty list"),
        (
            "[1000, 8000]",
            "[1000]",
            "dataset.output_len: has 2 lengths, but `input_len` has 1; they are pairs",
        ),
        ("[1000, 8000]", "[0, 8000]", "dataset.input_len[0]: must be a whole number from 1 on, not 0"),
        (
            "[chat, summarization]",
            "[chat]",
            "dataset.scenario_names: must name each of the 2 pairs of lengths",
        ),
        (
            "[chat, summarization]",
            "[chat, chat]",
            "dataset.scenario_names: holds `chat` twice; results would be mixed",
        ),
        (
            "framework: 8",
            "framework: 0",
            "search.max_candidates_per_framework: must be a whole number from 1 on, not 0",
        ),
        (
            "framework: 8",
            "framework: 2.5",
            "search.max_candidates_per_framework: must be a whole number from 1 on, not 2.5",
        ),
        (
            "tier: 2",
            "tier: 4",
            "search.tier: must be 1 (one change at a time), 2 (bounded sweep) or 3 (everything)",
        ),
        (
            "  tokenspeed:\n    enabled: false\n",
            "",
            "frameworks.tokenspeed: is missing; add it, with `enabled: false` to leave it out",
        ),
        (
            "vllm serve",
            "''",
            "frameworks.vllm.server_command: must be a text that is not empty, not the text ``",
        ),
        (
            "[16]",
            "16",
            "frameworks.vllm.search_space.block_size: must be a list of values, not 16; write it in brackets",
        ),
        ("fixed_pytorch", "auto", "frameworks.tensorrt_llm.backend_policy: must be `fixed_pytorch`"),
        (
            "backend: pytorch",
            "backend: trt",
            "frameworks.tensorrt_llm.base_server_flags.backend: must be `pytorch`",
        ),
        (
            "max_batch_size: [32, 64]",
            "backend: [pytorch]",
            "frameworks.tensorrt_llm.search_space.backend: must not vary: the backend is fixed to `pytorch`",
        ),
        (
            "max_model_len: 12288",
            "max_model_len: 8192",
            "frameworks.vllm.base_server_flags.max_model_len: 8192 tokens do not hold scenario `summarization`, which needs 9000",
        ),
        (
            "[12288, 16384]",
            "[12288, 4096]",
            "frameworks.tensorrt_llm.search_space.max_seq_len: 4096 tokens do not hold scenario `summarization`, which needs 9000",
        ),
        (
            "max_model_len: 12288, ",
            "",
            "frameworks.vllm.base_server_flags.max_model_len: is missing; scenario `summarization` needs 9000 tokens",
        ),
        (
            "lower: 0.25",
            "lower: 9.0",
            "benchmark.qps: the range of rates is 9 to 4; both must be finite and above 0, the lower below the upper",
        ),
        (
            "enabled: false",
            "enabled: maybe",
            "frameworks.tokenspeed.enabled: must be true or false, not the text `maybe`",
        ),
    ] {
        let found = problems(from, to);
        assert!(found.contains(&expected.to_owned()), "{from} -> {to}: {found:?}");
    }
    assert!(
        one_problem("search_space:\n      max_num", "serach_space:\n      max_num")
            .starts_with("frameworks.vllm.search_space: must be a mapping, not absent")
    );
    assert_eq!(
        one_problem("  vllm:", "  vlm: {}\n  vllm:"),
        "frameworks.vlm: is no framework of this form; is `vllm` meant?"
    );
}

#[test]
fn the_context_limit_of_sglang_may_be_absent_but_not_too_small() {
    let problem = one_problem("tp_size: 8, mem", "context_length: 4096, tp_size: 8, mem");
    assert!(
        problem.starts_with("frameworks.sglang.base_server_flags.context_length: 4096 tokens"),
        "{problem}"
    );
}

#[test]
fn limits_under_other_names_get_the_right_name() {
    for (written, expected) in [
        ("max_ttft_ms", "rename it to `max_p50_ttft_ms`"),
        ("max_p99_tpot_ms", "limits are on medians, not on p99; rename it to `max_p50_tpot_ms`"),
        ("p99_e2e_ms", "rename it to `max_p50_e2e_ms`"),
        ("success_rate", "rename it to `min_success_rate`"),
        ("throughput", "known are `max_p50_ttft_ms`"),
    ] {
        let problem = one_problem("max_p50_ttft_ms", written);
        assert!(problem.starts_with(&format!("benchmark.sla.{written}: is not a limit here")), "{problem}");
        assert!(problem.contains(expected), "{problem}");
    }
    let top = FOUR.replacen("  sla: {", "  backend: x\nsla: {", 1).replacen(
        "  backend: openai-compatible\n",
        "",
        1,
    );
    let top = top.replacen("  output_dir: ./results/example-moe\n", "", 1);
    assert_eq!(good(&top).limits, good(FOUR).limits, "at the top level it means the same");
    let both = one_problem("search:", "sla: {max_p50_ttft_ms: 1}\nsearch:");
    assert!(both.contains("keep one of both"), "{both}");
    let beside = one_problem("  endpoint:", "  max_ttft_ms: 5\n  endpoint:");
    assert!(
        beside.starts_with("benchmark.max_ttft_ms") && beside.ends_with("under `benchmark.sla`"),
        "{beside}"
    );
    assert!(one_problem("min_success_rate: 0.99", "min_success_rate: 99").contains("at most 1"));
    assert!(one_problem("max_p50_tpot_ms: 30", "max_p50_tpot_ms: fast").contains("must be a number"));
    let none =
        FOUR.replacen("  sla: {max_p50_ttft_ms: 1500, max_p50_tpot_ms: 30, min_success_rate: 0.99}\n", "", 1);
    assert_eq!(good(&none).limits, None);
}

#[test]
fn all_problems_come_at_once_and_as_lines() {
    let bad = FOUR
        .replacen("schema_version: 1", "schema_version: 3", 1)
        .replacen("fixed_pytorch", "any", 1)
        .replacen("max_p50_ttft_ms", "p99_ttft_ms", 1);
    let error = import(&bad, &all_known).unwrap_err();
    let text = error.to_string();
    let paths: Vec<&str> = text.lines().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(
        paths,
        ["schema_version", "benchmark.sla.p99_ttft_ms", "frameworks.tensorrt_llm.backend_policy"]
    );
}

#[test]
fn flags_that_a_server_does_not_know_are_problems() {
    let known = |framework: &str, flag: &str| {
        (framework == "vllm" && (flag == "block_size" || flag == "dtype"))
            .then(|| "is not in the help text".to_owned())
    };
    let Err(CookbookError::Rules(found)) = import(FOUR, &known) else { panic!("rules are broken") };
    let paths: Vec<&str> = found.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["frameworks.vllm.base_server_flags.dtype", "frameworks.vllm.search_space.block_size"]);
}

#[test]
fn fields_that_are_not_taken_over_are_said() {
    let more = FOUR.replacen("  endpoint:", "  max_concurency: 5\n  endpoint:", 1);
    let remarks: Vec<String> = good(&more).remarks.iter().map(ToString::to_string).collect();
    assert!(
        remarks
            .contains(&"benchmark.max_concurency: is not taken over; `max_concurrency` is known".to_owned()),
        "{remarks:?}"
    );
}

#[test]
fn what_is_no_configuration_is_refused() {
    let of = |text: &str| import(text, &all_known).unwrap_err();
    assert!(matches!(of("a: [1"), CookbookError::Yaml(_)));
    assert!(matches!(of("a: 1\na: 2\n"), CookbookError::Yaml(_)), "a key that stands twice");
    assert!(matches!(of("a: 1\n---\nb: 2\n"), CookbookError::Yaml(_)));
    assert!(matches!(of(&" ".repeat((1 << 20) + 1)), CookbookError::TooLong { .. }));
    for text in ["", "3", "[1, 2]", "hello"] {
        let CookbookError::Rules(found) = of(text) else { panic!("{text}") };
        assert!(found[0].to_string().starts_with("the document: must be a mapping"), "{text}: {found:?}");
    }
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = level - 1;
        let items = vec![format!("*a{before}"); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    assert!(matches!(of(&bomb), CookbookError::Yaml(_)), "aliases that unfold without end");
}

#[test]
fn whatever_part_is_replaced_nothing_breaks() {
    let tree: Value = serde_yaml::from_str(FOUR).unwrap();
    let mut places = vec![String::new()];
    let mut index = 0;
    while index < places.len() {
        let here = places[index].clone();
        match tree.pointer(&here).unwrap() {
            Value::Object(map) => {
                places.extend(map.keys().map(|key| format!("{here}/{}", key.replace('/', "~1"))))
            }
            Value::Array(items) => places.extend((0..items.len()).map(|item| format!("{here}/{item}"))),
            _ => {}
        }
        index += 1;
    }
    assert!(places.len() > 90, "{}", places.len());
    for place in &places {
        for odd in [
            json!(null),
            json!(-1),
            json!(1e300),
            json!("x"),
            json!([]),
            json!([null]),
            json!({"a": {}}),
            json!(true),
        ] {
            let mut changed = tree.clone();
            *changed.pointer_mut(place).unwrap() = odd.clone();
            let text = serde_json::to_string(&changed).unwrap();
            if let Ok(cookbook) = import(&text, &all_known) {
                for framework in &cookbook.frameworks {
                    let settings = framework.settings(&cookbook.search).unwrap().0;
                    let space = Space::new(&framework.space).unwrap();
                    let base: Flags = framework.base.clone();
                    plan(&framework.name, &base, &space, &settings, &[]).unwrap();
                }
            }
        }
    }
}
