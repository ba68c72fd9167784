//! What may never pass: values nobody measured, baselines that changed, results of a manifest that changed since.

mod support;

use support::Scene;

#[test]
fn a_value_that_is_no_finite_number_blocks_every_comparison() {
    let values = [
        ("null", "'{\"v\": null}'"),
        ("text", "'{\"v\": \"0.3\"}'"),
        ("boolean", "'{\"v\": true}'"),
        ("list", "'{\"v\": [1]}'"),
        ("map", "'{\"v\": {\"a\": 1}}'"),
        ("missing", "'{\"w\": 1}'"),
    ];
    let mut steps = String::new();
    let mut gates = String::new();
    for (name, text) in values {
        steps.push_str(&format!(
            "  s_{name}: {{uses: command, with: {{argv: [echo, {text}], parse: {{as: json, schema: {{type: object}}}}}}}}\n"
        ));
        for (word, operator) in [("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">=")] {
            let value = format!("steps.s_{name}.result.v");
            gates.push_str(&format!("  {name}_{word}_left: {{assert: \"{value} {operator} 1500\"}}\n"));
            gates.push_str(&format!("  {name}_{word}_right: {{assert: \"0 {operator} {value}\"}}\n"));
            gates.push_str(&format!("  {name}_{word}_not: {{assert: \"not ({value} {operator} 1500)\"}}\n"));
            gates.push_str(&format!("  {name}_{word}_or: {{assert: \"{value} {operator} 1500 or true\"}}\n"));
        }
        gates.push_str(&format!("  {name}_sum: {{assert: \"steps.s_{name}.result.v + 1 == 2\"}}\n"));
        gates.push_str(&format!("  {name}_bare: {{assert: \"steps.s_{name}.result.v\"}}\n"));
    }
    let scene = Scene::new();
    let file = scene.workflow("quiet", &format!("steps:\n{steps}gates:\n{gates}"));
    scene.assay(&["run", &file]).expect(23);
    let outcomes = scene.outcomes();
    assert_eq!(outcomes.len(), values.len() * 18);
    for (gate, outcome) in &outcomes {
        // A boolean alone is a condition.
        let wanted = if gate == "boolean_bare" { "passed" } else { "blocked" };
        assert_eq!(outcome, wanted, "{gate}");
    }
    // Blocked gates say what stood there.
    let decided = scene.events("gate_decided");
    let reason = |name: &str| {
        decided.iter().find(|gate| gate["gate"] == name).unwrap()["reason"].as_str().unwrap().to_owned()
    };
    assert!(
        reason("null_le_left").contains("null") || reason("null_le_left").contains("none"),
        "{}",
        reason("null_le_left")
    );
    assert!(
        reason("text_gt_left").contains("text") || reason("text_gt_left").contains("string"),
        "{}",
        reason("text_gt_left")
    );
}

#[test]
fn a_number_that_is_not_finite_blocks_too() {
    let scene = Scene::new();
    let body = "steps:\n  \
                nan: {uses: command, with: {argv: [printf, 'v\\nnan\\n'], parse: {as: csv, schema: {type: array, items: {type: object, properties: {v: {type: number}}}}}}}\n  \
                inf: {uses: command, with: {argv: [echo, 'v=inf'], parse: {as: regex, fields: {v: 'v=(\\S+)'}, schema: {type: object, properties: {v: {type: number}}}}}}\n  \
                big: {uses: command, with: {argv: [echo, '{\"v\": 1e999}'], parse: {as: json, schema: {type: object, properties: {v: {type: number}}}}}}\n  \
                raw: {uses: command, with: {argv: [echo, '{\"v\": NaN}'], parse: {as: json, schema: {type: object}}}}\n  \
                zero: {uses: command, with: {argv: [echo, '{\"v\": 0}'], parse: {as: json, schema: {type: object}}}}\n\
                gates:\n  a: {assert: 'steps.nan.result[0].v < 5'}\n  b: {assert: steps.inf.result.v > 5}\n  c: {assert: steps.big.result.v > 5}\n  \
                d: {assert: steps.raw.result.v != 5}\n  e: {assert: 1 / steps.zero.result.v > 5}\n  f: {assert: not (0 / steps.zero.result.v > 5)}\n";
    let file = scene.workflow("infinite", body);
    let code = scene.assay(&["run", &file]).code;
    assert!([21, 23].contains(&code), "{code}");
    let outcomes = scene.outcomes();
    assert_eq!(outcomes.len(), 6);
    assert!(outcomes.values().all(|outcome| outcome == "blocked"), "{outcomes:?}");
}

#[test]
fn what_a_gate_reads_must_have_succeeded() {
    let scene = Scene::new();
    let body = "steps:\n  fails: {uses: command, with: {shell: 'echo 1; exit 1', parse: {as: json, schema: {type: integer}}}}\n\
                gates:\n  fast: {assert: steps.fails.result < 5}\n  negated: {assert: not (steps.fails.result > 5)}\n  seen: {assert: steps.fails.status == 'failed'}\n";
    let file = scene.workflow("fails", body);
    scene.assay(&["run", &file]).expect(21);
    let outcomes = scene.outcomes();
    assert_eq!(
        (outcomes["fast"].as_str(), outcomes["negated"].as_str(), outcomes["seen"].as_str()),
        ("blocked", "blocked", "passed")
    );
}

const FROZEN: &str = "\
steps:
  freeze: {uses: baseline, with: {files: ['{{ skill.dir }}/base.c', '{{ skill.dir }}/data']}}
  touch: {needs: [freeze], uses: command, with: {shell: 'TOUCH'}}
gates:
  holds: {assert: steps.freeze.status == 'passed' and steps.touch.status == 'passed'}
";

fn frozen(touch: &str) -> (Scene, String) {
    let scene = Scene::new();
    scene.write("base.c", "int base;\n");
    scene.write("data/one", "1\n");
    let file = scene.workflow("frozen", &FROZEN.replace("TOUCH", touch));
    (scene, file)
}

/// How often the baseline was made.
fn frozen_times(scene: &Scene) -> usize {
    scene.events("step_started").iter().filter(|step| step["step"] == "freeze").count()
}

#[test]
fn a_baseline_that_changed_between_freeze_and_gate_is_tampered() {
    for touch in [
        "echo >> {{ skill.dir | q }}/base.c",
        "rm {{ skill.dir | q }}/base.c",
        "touch {{ skill.dir | q }}/data/two",
        "rm -r {{ skill.dir | q }}/data",
        "echo 2 > {{ skill.dir | q }}/data/one",
    ] {
        let (scene, file) = frozen(touch);
        scene.assay(&["run", &file]).expect(24);
        assert_eq!(scene.outcomes()["holds"], "tampered", "{touch}");
        scene.assay(&["resume", "latest"]).expect(24);
        assert_ne!(scene.outcomes()["holds"], "passed", "resuming does not heal it: {touch}");
        assert_eq!(frozen_times(&scene), 1, "it is never made anew: {touch}");
    }
    let (scene, file) = frozen("touch {{ skill.dir | q }}/base.c");
    scene.assay(&["run", &file]).expect(0);
    // A passed gate is looked at again: the baseline changed after the run.
    scene.write("base.c", "int other;\n");
    scene.assay(&["resume", "latest"]).expect(24);
    assert_ne!(scene.outcomes()["holds"], "passed");
    scene.assay(&["resume", "latest"]).expect(24);
    assert_eq!(frozen_times(&scene), 1);
}

#[test]
fn a_resume_that_would_change_a_baseline_is_refused() {
    let (scene, file) = frozen("true");
    let text = std::fs::read_to_string(scene.dir().join(&file)).unwrap();
    scene.write(&file, text.replace("'true'", "'false'"));
    scene.assay(&["run", &file]).expect(21);
    scene.write(&file, text.replace(", '{{ skill.dir }}/data'", ""));
    let done = scene.assay(&["resume", "latest"]).expect(24);
    assert!(format!("{}{}", done.stdout, done.stderr).contains("freeze"), "{done:?}");
    assert_eq!(frozen_times(&scene), 1, "it is never rerun");
    scene.assay(&["resume", "latest"]).expect(24);
    // Back to what was frozen, it goes on.
    scene.write(&file, &text);
    scene.assay(&["resume", "latest"]).expect(0);
    assert_eq!(frozen_times(&scene), 1, "it is never rerun");
    scene.assay(&["resume", "latest", "--from", "freeze"]).expect(24);
}

#[test]
fn a_resume_after_a_change_runs_what_changed_and_what_depends_on_it_and_says_why() {
    let scene = Scene::new();
    let say = |name: &str| format!("echo {name} >> {{{{ skill.dir | q }}}}/ran; echo {name}");
    let body = format!(
        "steps:\n  a: {{uses: command, with: {{shell: '{}'}}}}\n  b: {{needs: [a], uses: command, with: {{shell: '{}'}}}}\n  \
         c: {{needs: [b], uses: command, with: {{shell: '{}'}}}}\n  alone: {{uses: command, with: {{shell: '{}'}}}}\n\
         gates:\n  ok: {{assert: steps.c.exit == 0}}\n",
        say("a"),
        say("b"),
        say("c"),
        say("alone")
    );
    let file = scene.workflow("changes", &body);
    let ran = || {
        let path = scene.dir().join("ran");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(path, "").unwrap();
        let mut words: Vec<String> = text.lines().map(str::to_owned).collect();
        words.sort();
        words
    };
    scene.assay(&["run", &file]).expect(0);
    assert_eq!(ran(), ["a", "alone", "b", "c"]);
    // A comment changes no step.
    scene.workflow("changes", &format!("# a remark\n{body}"));
    scene.assay(&["resume", "latest"]).expect(0);
    assert_eq!(ran(), [""; 0]);
    scene.workflow("changes", &body.replace("; echo b'", "; echo changed'"));
    let done = scene.assay(&["resume", "latest"]).expect(0);
    assert_eq!(ran(), ["b", "c"]);
    let why = scene.events("invalidated");
    let of = |step: &str| {
        why.iter().find(|event| event["step"] == step).unwrap_or_else(|| panic!("{step}: {why:?}"))["reason"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(!of("b").is_empty() && of("c").contains("`b`"), "{why:?}");
    assert!(done.stderr.contains('b') && done.stderr.contains(&of("b")), "it is said: {}", done.stderr);
    assert!(!why.iter().any(|event| event["step"] == "a" || event["step"] == "alone"), "{why:?}");
    // A new step runs, a removed one does not count.
    scene.workflow(
        "changes",
        &body.replace("; echo b'", "; echo changed'").replace(
            "  alone:",
            "  fresh: {uses: command, with: {shell: 'echo fresh >> {{ skill.dir | q }}/ran'}}\n  alone:",
        ),
    );
    scene.assay(&["resume", "latest"]).expect(0);
    assert_eq!(ran(), ["fresh"]);
}
