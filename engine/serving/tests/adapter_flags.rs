//! Flags against the list of an adapter and against real help.

use assay_serving::adapter::{
    AbsentLimit, Adapter, Capability, FlagKind, FlagProblemKind, HelpSnapshot, Lengths, SequenceFit,
};
use indexmap::IndexMap;
use serde_json::{Value, json};

/// Help of real versions: lines that define flags, nothing else of the text.
const REAL: [(&str, &str); 5] = [
    ("sglang", include_str!("help/sglang-0.5.23.txt")),
    ("vllm", include_str!("help/vllm-0.33.0.txt")),
    ("tokenspeed", include_str!("help/tokenspeed-0.1.1.txt")),
    ("llama-cpp", include_str!("help/llama-cpp-python-0.3.36.txt")),
    ("transformers", include_str!("help/transformers-5.23.0.txt")),
];

/// Flags of TokenSpeed that its program takes itself or hands to the gateway, so that the engine's help lacks them.
const NOT_OF_THE_ENGINE: [&str; 7] = [
    "engine_startup_timeout",
    "gateway_startup_timeout",
    "drain_timeout",
    "control_port",
    "chat_template",
    "tool_call_parser",
    "headless",
];

fn flags(value: Value) -> IndexMap<String, Value> {
    serde_json::from_value(value).expect("an object")
}

fn adapter(name: &str) -> Adapter {
    Adapter::named(name).expect("a built-in adapter")
}

fn help(name: &str) -> HelpSnapshot {
    let (_, text) = REAL.iter().find(|(framework, _)| *framework == name).expect("a fixture");
    HelpSnapshot::parse(text).expect("a snapshot")
}

#[test]
fn every_flag_of_the_files_exists_in_real_help() {
    for (framework, text) in REAL {
        let (adapter, help) = (adapter(framework), HelpSnapshot::parse(text).expect("a snapshot"));
        let missing: Vec<&str> = adapter
            .flags
            .all_names()
            .filter(|name| !help.has(name))
            .filter(|name| framework != "tokenspeed" || !NOT_OF_THE_ENGINE.contains(name))
            .collect();
        assert!(missing.is_empty(), "{framework} {missing:?}");
    }
}

#[test]
fn every_flag_of_real_help_is_in_the_files() {
    for (framework, text) in REAL {
        let (adapter, help) = (adapter(framework), HelpSnapshot::parse(text).expect("a snapshot"));
        let missing: Vec<&str> = help
            .names()
            .filter(|name| !name.contains('.') && *name != "help" && adapter.flags.main_name(name).is_none())
            .collect();
        assert!(missing.is_empty(), "{framework} {missing:?}");
    }
}

#[test]
fn retired_flags_are_really_gone() {
    for (framework, _) in REAL {
        let (adapter, help) = (adapter(framework), help(framework));
        for name in adapter.flags.retired.keys() {
            assert!(!help.has(name), "{framework} {name}");
        }
    }
}

#[test]
fn an_unknown_flag_gets_a_suggestion() {
    for (framework, wrong, meant) in [
        ("sglang", "mem_fraction_statics", "mem_fraction_static"),
        ("vllm", "gpu-memory-utilisation", "gpu_memory_utilization"),
        ("tensorrt-llm", "max_batchsize", "max_batch_size"),
        ("tokenspeed", "chunked_prefil_size", "chunked_prefill_size"),
        ("llama-cpp", "n_thread", "n_threads"),
        ("transformers", "continuous_batch", "continuous_batching"),
    ] {
        let mut given = flags(json!({ wrong: 1 }));
        if framework == "tensorrt-llm" {
            given.insert("max_seq_len".to_owned(), json!(4096));
        }
        let problems = adapter(framework).check_flags(&given, None);
        assert_eq!(problems.len(), 1, "{framework} {problems:?}");
        assert_eq!(problems[0].kind, FlagProblemKind::Unknown);
        assert_eq!(problems[0].suggestion.as_deref(), Some(meant), "{framework}");
    }
    let nothing_like_it = adapter("vllm").check_flags(&flags(json!({"xyzzy": 1})), None);
    assert_eq!(nothing_like_it[0].suggestion, None);
}

#[test]
fn help_outranks_the_list_in_both_directions() {
    let older = HelpSnapshot::parse(
        "options:\n  --max-num-partial-prefills N  how many\n  --model MODEL\n  --tp N\n",
    )
    .expect("a snapshot");
    let vllm = adapter("vllm");
    let retired = flags(json!({"max_num_partial_prefills": 1}));
    assert!(vllm.check_flags(&retired, Some(&older)).is_empty());
    let without_help = vllm.check_flags(&retired, None);
    assert_eq!(without_help[0].kind, FlagProblemKind::Unknown);
    assert!(without_help[0].message.starts_with("gone by 0.33.0"), "{without_help:?}");
    let known = vllm.check_flags(&flags(json!({"max_num_seqs": 4})), Some(&older));
    assert_eq!(known[0].kind, FlagProblemKind::NotInThisVersion);
}

#[test]
fn another_name_of_the_same_flag_is_the_suggestion() {
    let newer = HelpSnapshot::parse("  --tensor_parallel_size N\n  --max_seq_len N\n").expect("a snapshot");
    let given = flags(json!({"max_seq_len": 1, "tp_size": 8}));
    let problems = adapter("tensorrt-llm").check_flags(&given, Some(&newer));
    assert_eq!(problems[0].suggestion.as_deref(), Some("tensor_parallel_size"));
}

#[test]
fn values_are_checked_against_the_choices_of_the_help() {
    let given = flags(json!({"schedule_policy": "lmp", "attention_backend": "flashinfer"}));
    let problems = adapter("sglang").check_flags(&given, Some(&help("sglang")));
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!((problems[0].kind, problems[0].suggestion.as_deref()), (FlagProblemKind::Value, Some("lpm")));
    let transformers = adapter("transformers").check_flags(&flags(json!({"reasoning": "maybe"})), None);
    assert_eq!(transformers[0].kind, FlagProblemKind::Value);
}

#[test]
fn a_version_without_the_pytorch_backend_is_found_out() {
    let trt = adapter("tensorrt-llm");
    let given = flags(json!({"max_seq_len": 4096}));
    let with = "  --backend [pytorch|tensorrt]  text\n  --max_seq_len INTEGER\n";
    for (help, found) in
        [(with.to_owned(), 0), (with.replace("pytorch|", ""), 1), (with.replace("--backend", "--runtime"), 1)]
    {
        let problems = trt.check_flags(&given, HelpSnapshot::parse(&help).as_ref());
        assert_eq!(problems.len(), found, "{help} {problems:?}");
        assert!(problems.iter().all(|problem| problem.flag == "backend"));
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let given = flags(json!({
        "interrupt_requests": true, "config_file": "x", "api_key": "sesame", "n_ctx": 1.5, "nctx_": 1,
        "n_batch": 1, "n-batch": 2
    }));
    let problems = adapter("llama-cpp").check_flags(&given, None);
    let kinds: Vec<FlagProblemKind> = problems.iter().map(|problem| problem.kind).collect();
    use FlagProblemKind::{Duplicate, Refused, Required, Secret, Unknown, Value};
    assert_eq!(kinds, [Duplicate, Refused, Secret, Value, Unknown, Required]);
    assert!(problems.iter().all(|problem| !problem.message.contains("sesame")));
}

#[test]
fn an_opposite_is_the_same_flag() {
    let vllm = adapter("vllm");
    let help = help("vllm");
    for given in [json!({"no_enable_prefix_caching": true}), json!({"disable_prefix_caching": true})] {
        for help in [None, Some(&help)] {
            assert!(vllm.check_flags(&flags(given.clone()), help).is_empty(), "{given}");
        }
    }
}

#[test]
fn help_of_all_styles_is_read() {
    let argparse = "usage: x [-h] [--from-usage N]\n\noptions:\n  -h, --help            show this help\n  \
                    --tp-size N, --tensor-parallel-size N\n                        see also --not-a-flag\n  \
                    --dtype {auto,half}   type; --neither here\n  --[no-]cache\n";
    let click = "Options:\n  --backend [pytorch|tensorrt|_autodeploy]\n                                  The backend.\n  \
                 --tp_size, --tensor_parallel_size INTEGER\n  --a / --no-a  text\n";
    let typer = "╭─ Options ─────╮\n│ *  --host           TEXT     Address. [default: x|y]    │\n│    --mode           [on|off]  Mode.  │\n╰───╯\n";
    let clap = "Options:\n  -p, --port <PORT>  Port\n      --log-level <LEVEL>\n          Level [possible values: a, b]\n";
    for (text, expected) in [
        (
            argparse,
            vec!["from_usage", "help", "tp_size", "tensor_parallel_size", "dtype", "no_cache", "cache"],
        ),
        (click, vec!["backend", "tp_size", "tensor_parallel_size", "a", "no_a"]),
        (typer, vec!["host", "mode"]),
        (clap, vec!["port", "log_level"]),
    ] {
        let snapshot = HelpSnapshot::parse(text).expect("a snapshot");
        assert_eq!(snapshot.names().collect::<Vec<_>>(), expected);
    }
    let choices = |text: &str, flag: &str| {
        HelpSnapshot::parse(text).expect("a snapshot").flag(flag).expect("it").choices.clone()
    };
    assert_eq!(choices(argparse, "dtype"), ["auto", "half"]);
    assert_eq!(choices(click, "backend"), ["pytorch", "tensorrt", "_autodeploy"]);
    assert_eq!(choices(typer, "mode"), ["on", "off"]);
    assert!(choices(typer, "host").is_empty());
}

#[test]
fn a_text_without_a_flag_is_no_snapshot() {
    let groups = "usage: vllm serve [options]\n\nSearch by using: `--help=<ConfigGroup>` to explore options\n  \
                  Use `--help=all` to show all flags\n  -h, --help\n";
    for text in ["", "bash: vllm: command not found\n", groups, "Traceback (most recent call last):\n"] {
        assert_eq!(HelpSnapshot::parse(text), None, "{text:?}");
    }
}

#[test]
fn hostile_help_is_survived() {
    let long = format!("  --x {}\n", "é".repeat(1 << 20));
    assert!(HelpSnapshot::parse(&long).expect("a snapshot").has("x"));
    for text in ["--", "-", "  --{", "  --x {a", "  --x [a|", "  -é --é", "[--", "│ --", "  --a--b ,--c"]
    {
        let _ = HelpSnapshot::parse(text);
    }
}

#[test]
fn the_longest_request_has_to_fit() {
    let lengths = |input, output| Lengths { scenario: format!("{input}-{output}"), input, output };
    let scenarios = [lengths(1000, 1000), lengths(8000, 1000)];
    let fit =
        |framework: &str, given: Value| adapter(framework).sequence_limit_covers(&flags(given), &scenarios);
    assert_eq!(fit("vllm", json!({"max_model_len": 9000})), SequenceFit::Covers { limit: 9000 });
    assert_eq!(
        fit("vllm", json!({"max-model-len": "8k"})),
        SequenceFit::TooShort {
            flag: Some("max-model-len".into()),
            limit: 8000,
            needed: 9000,
            scenario: "8000-1000".into()
        }
    );
    assert_eq!(fit("vllm", json!({"max_model_len": "16K"})), SequenceFit::Covers { limit: 16384 });
    assert_eq!(fit("vllm", json!({"max_model_len": "9.5k"})), SequenceFit::Covers { limit: 9500 });
    assert_eq!(fit("vllm", json!({"max_model_len": "auto"})), SequenceFit::ByModel { needed: 9000 });
    assert_eq!(fit("vllm", json!({"max_model_len": -1})), SequenceFit::ByModel { needed: 9000 });
    assert!(matches!(fit("vllm", json!({"max_model_len": "many"})), SequenceFit::Unreadable { .. }));
    assert!(matches!(fit("vllm", json!({"max_model_len": "9.5K"})), SequenceFit::Unreadable { .. }));
    assert_eq!(fit("llama-cpp", json!({"n_ctx": 0})), SequenceFit::ByModel { needed: 9000 });
    // The same text is another number for another framework.
    assert_eq!(fit("vllm", json!({"max_model_len": "1M"})), SequenceFit::Covers { limit: 1_048_576 });
    assert_eq!(fit("sglang", json!({"context_length": "1M"})), SequenceFit::Covers { limit: 1_000_000 });
    assert_eq!(fit("sglang", json!({"context_length": "9Ki"})), SequenceFit::Covers { limit: 9216 });
    assert!(matches!(fit("sglang", json!({"context_length": "16K"})), SequenceFit::Unreadable { .. }));
    assert_eq!(fit("sglang", json!({})), SequenceFit::ByModel { needed: 9000 });
    assert_eq!(
        fit("tensorrt-llm", json!({})),
        SequenceFit::Missing { flag: "max_seq_len".into(), needed: 9000 }
    );
    // A context of 2,048 tokens that nobody wrote down.
    assert!(matches!(fit("llama-cpp", json!({})), SequenceFit::TooShort { limit: 2048, needed: 9000, .. }));
    assert_eq!(adapter("llama-cpp").sequence_limit.absent, AbsentLimit::Default);
}

#[test]
fn attention_backends_need_their_gpus() {
    let sglang = adapter("sglang");
    let given =
        flags(json!({"prefill_attention_backend": ["fa3", "flashinfer"], "decode-attention-backend": "fa3"}));
    let on = |major, minor| sglang.attention_backend_fits(&given, Capability { major, minor });
    assert!(on(9, 0).is_empty());
    // A100, L40S, B200, RTX 5090
    for (major, minor) in [(8, 0), (8, 9), (10, 0), (12, 0)] {
        let misfits = on(major, minor);
        assert_eq!(misfits.len(), 2, "{misfits:?}");
        assert!(misfits.iter().all(|misfit| misfit.backend == "fa3" && misfit.why.contains("flashinfer")));
    }
    // Names of backends are those of the real help.
    let help = help("sglang");
    let choices = &help.flag("attention_backend").expect("the flag").choices;
    for backend in sglang.attention.backends.keys() {
        assert!(choices.contains(backend), "{backend}");
    }
}

#[test]
fn kinds_match_the_form_of_real_help() {
    // A metavar behind the name means a value; a switch has none.
    for (framework, text) in REAL {
        let adapter = adapter(framework);
        for line in text.lines().skip(1).filter(|line| line.trim_start().starts_with("--")) {
            let (name, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
            let takes_value = !rest.is_empty() && !rest.starts_with(['/', '-']);
            let name = name.trim_end_matches(',');
            let Some(kind) = adapter.flags.kind(name).filter(|_| !name.contains('.')) else { continue };
            let bare = matches!(kind, FlagKind::Switch | FlagKind::OnOff);
            assert_eq!(bare, !takes_value, "{framework}: {line}");
        }
    }
}

#[test]
fn parallel_sizes_make_the_number_of_gpus() {
    let needed = |framework: &str, given: Value| {
        let given = flags(given);
        adapter(framework).gpus_needed(&given).map(|(gpus, told)| (gpus, told.join(" ")))
    };
    let of = |gpus: u64, told: &str| Some((gpus, told.to_owned()));
    assert_eq!(needed("sglang", json!({"tp": 1, "dtype": "auto"})), None, "no size under this name");
    assert_eq!(needed("sglang", json!({"tensor-parallel-size": 4})), of(4, "tensor-parallel-size"));
    assert_eq!(
        needed("sglang", json!({"tp_size": 4, "dp_size": 2, "pp_size": 2})),
        of(16, "tp_size pp_size dp_size")
    );
    let inside = json!({"tp_size": 8, "dp_size": 8, "enable_dp_attention": true});
    assert_eq!(needed("sglang", inside), of(8, "tp_size"));
    assert_eq!(needed("sglang", json!({"tp_size": 16, "nnodes": 2})), None, "two hosts");
    assert_eq!(needed("sglang", json!({"tp_size": 16, "nnodes": 1})), of(16, "tp_size"));
    let open = json!({"tensor_parallel_size": "4", "data_parallel_size": "{{ inputs.copies }}"});
    assert_eq!(needed("vllm", open), of(4, "tensor_parallel_size"), "what is not known counts as 1");
    assert_eq!(needed("tensorrt-llm", json!({"tp_size": 2, "pp_size": 2})), of(4, "tp_size pp_size"));
    assert_eq!(needed("llama-cpp", json!({"n_ctx": 4096})), None);
}

#[test]
fn flags_state_numbers_and_weights_or_nobody_does() {
    let stated = |framework: &str, given: Value| {
        let (adapter, given) = (adapter(framework), flags(given));
        let states = &adapter.states;
        [&states.precision, &states.quantization, &states.revision]
            .map(|said| adapter.stated(said, &given).unwrap_or_default())
    };
    assert_eq!(stated("vllm", json!({})), ["auto", "model default", ""]);
    let given = json!({"dtype": "bfloat16", "quantization": "fp8", "revision": "abc123"});
    for framework in ["sglang", "vllm", "tokenspeed"] {
        assert_eq!(stated(framework, given.clone()), ["bfloat16", "fp8", "abc123"], "{framework}");
    }
    assert_eq!(stated("transformers", json!({"dtype": null})), ["auto", "model default", ""]);
    assert_eq!(stated("tensorrt-llm", json!({})), ["auto", "model default", ""]);
    assert_eq!(stated("llama-cpp", json!({})), ["", "", ""], "the file of the model decides");
}
