//! What an author may write: the schema and the reader agree.

use assay_loadgen::arrivals::Arrivals;
use assay_loadgen::dataset::{Dataset, build};
use serde_json::{Value, json};

#[test]
fn schema_and_reader_agree() {
    let datasets = [
        (json!({"kind": "random", "num_prompts": 80, "input_len": 1000, "output_len": 1000}), true),
        (
            json!({"kind": "random", "num_prompts": 80, "input_len": 1, "output_len": 1, "range_ratio": 0.5}),
            true,
        ),
        (json!({"kind": "random", "num_prompts": 80, "input_len": 1, "output_len": 1, "ratio": 0.5}), false),
        (json!({"kind": "random", "num_prompts": 80, "input_len": 1}), false),
        (json!({"kind": "sharegpt", "path": "x.json", "num_prompts": 5}), true),
        (
            json!({"kind": "sharegpt", "path": "x.json", "num_prompts": 5, "max_total_len": 9, "min_len": 2}),
            true,
        ),
        (json!({"kind": "sharegpt", "num_prompts": 5}), false),
        (json!({"kind": "jsonl", "path": "x.jsonl"}), true),
        (json!({"kind": "jsonl", "path": "x.jsonl", "rows": 5}), false),
        (
            json!({"kind": "shared-prefix", "groups": 2, "prompts_per_group": 3, "prefix_len": 4,
                "question_len": 5, "output_len": 6}),
            true,
        ),
        (json!({"kind": "shared_prefix"}), false),
        (
            json!({"kind": "multi-turn", "conversations": 2, "turns": 3, "first_len": 4, "turn_len": 5,
                "output_len": 6}),
            true,
        ),
        (json!({"kind": "multi-turn", "conversations": 2}), false),
        (json!({"num_prompts": 80}), false),
    ];
    let arrivals = [
        (json!({"kind": "burst"}), true),
        (json!({"kind": "burst", "rate": 3}), false),
        (json!({"kind": "constant", "rate": 3}), true),
        (json!({"kind": "poisson", "rate": 0.5}), true),
        (json!({"kind": "poisson"}), false),
        (json!({"kind": "gamma", "rate": 0.5, "burstiness": 0.2}), true),
        (json!({"kind": "gamma", "rate": 0.5, "shape": 0.2}), false),
        (json!({"kind": "ramp", "from": 1, "to": 10, "over_s": 60}), true),
        (json!({"kind": "ramp", "from": 1, "to": 10, "over_s": 60, "shape": "exponential"}), true),
        (json!({"kind": "ramp", "from": 1, "to": 10, "over_s": 60, "shape": "cubic"}), false),
        (json!({"kind": "trace", "path": "times.txt"}), true),
        (json!({"kind": "trace", "times": "times.txt"}), false),
        (json!({"kind": "trace", "offsets_s": [0, 1.5]}), true),
    ];
    agree::<Dataset>(&schemars::schema_for!(Dataset).to_value(), &datasets);
    agree::<Arrivals>(&schemars::schema_for!(Arrivals).to_value(), &arrivals);
}

#[test]
fn an_editor_sees_values_without_sense() {
    let validator = |schema: Value| jsonschema::validator_for(&schema).expect("a schema");
    let dataset = validator(schemars::schema_for!(Dataset).to_value());
    assert!(!dataset.is_valid(&json!({"kind": "random", "num_prompts": 0, "input_len": 1, "output_len": 1})));
    assert!(!dataset.is_valid(&json!({"kind": "jsonl", "path": "x.jsonl", "num_prompts": 0})));
    let arrivals = validator(schemars::schema_for!(Arrivals).to_value());
    assert!(!arrivals.is_valid(&json!({"kind": "poisson", "rate": 0})));
    assert!(!arrivals.is_valid(&json!({"kind": "ramp", "from": -1, "to": 10, "over_s": 60})));
    assert!(arrivals.is_valid(&json!({"kind": "ramp", "from": 0, "to": 10, "over_s": 60})));
}

/// Both say the expected, and what is read is written the same way.
fn agree<T: serde::de::DeserializeOwned + serde::Serialize + PartialEq>(
    schema: &Value,
    cases: &[(Value, bool)],
) {
    let validator = jsonschema::validator_for(schema).expect("a schema");
    for (value, good) in cases {
        assert_eq!(validator.is_valid(value), *good, "schema: {value}");
        let read = serde_json::from_value::<T>(value.clone());
        assert_eq!(read.is_ok(), *good, "reader: {value}");
        if let Ok(read) = read {
            let written = serde_json::to_value(&read).expect("JSON");
            assert!(serde_json::from_value::<T>(written).expect("read again") == read);
        }
    }
}

#[test]
fn every_field_is_described() {
    for schema in [schemars::schema_for!(Dataset).to_value(), schemars::schema_for!(Arrivals).to_value()] {
        for variant in schema["oneOf"].as_array().expect("variants") {
            assert!(variant["description"].is_string(), "{variant}");
            for (name, field) in variant["properties"].as_object().expect("fields") {
                assert!(name == "kind" || field["description"].is_string(), "{name}: {field}");
            }
        }
    }
}

#[test]
fn kinds_and_paths_are_told() {
    let jsonl: Dataset =
        serde_json::from_value(json!({"kind": "jsonl", "path": "/gone/x.jsonl"})).expect("read");
    assert_eq!((jsonl.kind(), jsonl.path().and_then(|path| path.to_str())), ("jsonl", Some("/gone/x.jsonl")));
    assert!(jsonl.check().is_ok(), "a check does not read files");
    assert!(build(&jsonl, 1, None, false).is_err());
}
