//! The manifest language: typed inputs, templates that keep types, argv, conditions, environment, folders, `finally`.

mod support;

use serde_json::json;
use support::Scene;

const INPUTS: &str = "\
inputs:
  count: {type: integer, default: 3, minimum: 1}
  name: {type: string, default: plain}
  rate: {type: number, default: 0.5}
  on: {type: boolean, default: true}
  list: {type: array, items: {type: integer}, default: [1, 2]}
  map: {type: object, default: {a: 1}}
  limit: {type: string, format: duration, default: 2m}
  room: {type: string, format: size, default: 16KiB}
  share: {type: string, format: percent, default: 1%}
  place: {type: string, format: path, default: data.txt}
steps:
  nothing: {uses: command, with: {argv: ['true']}}
outputs:
  count: {value: inputs.count, type: integer}
  name: {value: inputs.name, type: string}
  rate: {value: inputs.rate, type: number}
  on: {value: inputs.on, type: boolean}
  list: {value: inputs.list, type: array}
  map: {value: inputs.map, type: object}
  limit: {value: inputs.limit, type: number}
  room: {value: inputs.room, type: number}
  share: {value: inputs.share, type: number}
  place: {value: inputs.place, type: string}
";

#[test]
fn defaults_keep_their_types_and_quantities_become_numbers() {
    let scene = Scene::new();
    let file = scene.workflow("typed", INPUTS);
    scene.assay(&["run", &file]).expect(0);
    let place = scene.dir().canonicalize().unwrap().join("data.txt");
    let wanted = json!({"count": 3, "name": "plain", "rate": 0.5, "on": true, "list": [1, 2], "map": {"a": 1},
        "limit": 120.0, "room": 16384.0, "share": 0.01, "place": place});
    assert_eq!(scene.outputs(), wanted);
}

#[test]
fn inputs_come_from_pairs_and_from_a_file_and_pairs_win() {
    let scene = Scene::new();
    scene.write("flows/keep", "");
    let file = scene.workflow("flows/typed", &INPUTS.replace("flows/", ""));
    let text =
        std::fs::read_to_string(scene.dir().join(&file)).unwrap().replace("name: flows/typed", "name: typed");
    scene.write(&file, &text);
    scene.write("given.yaml", "count: 7\nname: from file\nlist: [5]\nplace: here.txt\n");
    scene
        .assay(&["run", &file, "--inputs", "given.yaml", "-i", "count=9", "-i", "on=false", "-i", "limit=1h"])
        .expect(0);
    let outputs = scene.outputs();
    let dir = scene.dir().canonicalize().unwrap();
    assert_eq!(outputs["count"], 9);
    assert_eq!(outputs["name"], "from file");
    assert_eq!(outputs["on"], false);
    assert_eq!(outputs["list"], json!([5]));
    assert_eq!(outputs["limit"], 3600.0);
    // Given paths start in the caller's folder, a default at the manifest's.
    assert_eq!(outputs["place"], json!(dir.join("here.txt")));
    scene.assay(&["run", &file]).expect(0);
    assert_eq!(scene.outputs()["place"], json!(dir.join("flows/data.txt")));
}

#[test]
fn a_text_input_is_never_read_as_something_else() {
    let scene = Scene::new();
    let file = scene.workflow("typed", INPUTS);
    for text in ["5", "true", "null", "[1]", "{{ run.id }}", "a=b", ""] {
        scene.assay(&["run", &file, "-i", &format!("name={text}")]).expect(0);
        assert_eq!(scene.outputs()["name"], text, "rendered text is never rendered again");
    }
}

#[test]
fn every_wrong_input_is_named_at_once_and_nothing_runs() {
    let scene = Scene::new();
    let file = scene.workflow("typed", INPUTS);
    let done = scene
        .assay(&[
            "run",
            &file,
            "-i",
            "count=0",
            "-i",
            "nme=x",
            "-i",
            "limit=soon",
            "-i",
            "list=[a]",
            "--json",
        ])
        .expect(11);
    let text = done.stdout.clone();
    assert_eq!(done.json()["ok"], false);
    for word in ["count", "did you mean `name`", "limit", "list"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(!scene.dir().join("runs").exists(), "a run was made");
    scene.assay(&["run", &file, "-i", "count"]).expect(2);
    scene.assay(&["run", &file, "--inputs", "missing.yaml"]).expect(2);
    let required = scene.workflow(
        "needs",
        "inputs:\n  source: {type: string}\nsteps:\n  a: {uses: command, with: {argv: ['true']}}\n",
    );
    let done = scene.assay(&["run", &required]).expect(11);
    assert!(done.stderr.contains("-i source="), "{}", done.stderr);
}

#[test]
fn argv_elements_are_rendered_each_on_its_own() {
    let scene = Scene::new();
    let file = scene.workflow(
        "argv",
        "inputs:\n  many: {type: array, default: [a b, '2', 3]}\n  ratio: {type: number, default: 0.25}\n  \
         whole: {type: integer, default: 4096}\n  spaced: {type: string, default: \"x  y; $HOME * 'q'\"}\n\
         steps:\n  show:\n    uses: command\n    with:\n      argv: [printf, '<%s>', '{{ inputs.spaced }}', 'n={{ inputs.whole }}', '{{ inputs.whole }}', \
         '{{ inputs.ratio }}', '{{ inputs.many }}', end]\n  quoted:\n    uses: command\n    with: {shell: \"printf '<%s>' {{ inputs.spaced | q }} | cat\"}\n",
    );
    scene.assay(&["run", &file]).expect(0);
    assert_eq!(scene.printed("show"), "<x  y; $HOME * 'q'><n=4096><4096><0.25><a b><2><3><end>");
    assert_eq!(scene.printed("quoted"), "<x  y; $HOME * 'q'>");
}

#[test]
fn booleans_null_and_maps_in_argv_are_errors() {
    let scene = Scene::new();
    let cases = [
        ("yes_", "inputs.map.yes", "boolean"),
        ("none_", "inputs.map.none", "null"),
        ("map", "inputs.map", "map"),
    ];
    let step = |(id, expr, _): &(&str, &str, &str)| {
        format!("  {id}: {{uses: command, with: {{argv: [echo, '{{{{ {expr} }}}}']}}}}\n")
    };
    let steps: Vec<String> = cases.iter().map(step).collect();
    let file = scene.workflow(
        "argv",
        &format!(
            "inputs:\n  map: {{type: object, default: {{yes: true, none: null}}}}\nsteps:\n{}",
            steps.concat()
        ),
    );
    scene.assay(&["run", &file]).expect(21);
    for (id, _, word) in cases {
        assert_eq!(scene.statuses()[id], "failed");
        let reason = scene.finished(id)["reason"].to_string();
        assert!(reason.contains("argv") && reason.contains(word), "{id}: {reason}");
    }
}

#[test]
fn undefined_is_an_error_unless_a_default_is_given() {
    let scene = Scene::new();
    let file = scene.workflow(
        "strict",
        "steps:\n  \
           off: {uses: command, when: 1 > 2, with: {argv: [echo, 'x=1'], parse: {as: regex, from: stdout, fields: {x: 'x=(.)'}, schema: {type: object, properties: {x: {type: integer}}}}}}\n  \
           reader: {uses: command, with: {argv: [echo, '{{ steps.off.result.x }}']}}\n  \
           careful: {uses: command, with: {argv: [echo, '{{ steps.off.result.x | default(7) }}']}}\n  \
           after: {uses: command, needs: [off], with: {argv: [echo, after]}}\n",
    );
    scene.assay(&["run", &file]).expect(21);
    let status = scene.statuses();
    assert_eq!(status["off"], "skipped");
    assert_eq!(status["reader"], "failed");
    assert_eq!((status["careful"].as_str(), status["after"].as_str()), ("passed", "passed"));
    let reason = scene.finished("reader")["reason"].to_string();
    assert!(reason.contains("off") && reason.contains("skipped"), "names the cause: {reason}");
    assert_eq!(scene.printed("careful"), "7\n");
}

#[test]
fn there_is_no_quiet_truth() {
    for (when, word) in [
        ("inputs.text", "true or false"),
        ("inputs.text > 1", "text"),
        ("inputs.map.nothing <= 1500", "null"),
        ("inputs.list", "list"),
        ("inputs.text + 1 > 2", "text"),
    ] {
        let scene = Scene::new();
        let file = scene.workflow(
            "truth",
            &format!(
                "inputs:\n  text: {{type: string, default: '2'}}\n  map: {{type: object, default: {{nothing: null}}}}\n  list: {{type: array, default: []}}\n\
                 steps:\n  a: {{uses: command, when: {when}, with: {{argv: ['true']}}}}\n"
            ),
        );
        scene.assay(&["run", &file]).expect(21);
        let reason = scene.finished("a")["reason"].to_string();
        assert!(reason.contains("when") && reason.contains(word), "{when}: {reason}");
    }
}

#[test]
fn the_environment_of_a_step_is_empty_but_for_what_is_listed() {
    let mut scene = Scene::new();
    scene.env("HANDED", "on").env("TOP", "above").env("HIDDEN", "no").env("TMPDIR", "/tmp");
    let file = scene.workflow(
        "env",
        "env: {ALL: 'for {{ skill.dir }}'}\npass_env: [TOP]\nsteps:\n  \
           bare: {uses: command, with: {argv: [env]}}\n  \
           own: {uses: command, env: {MINE: '{{ run.id }}', ALL: mine}, pass_env: [HANDED], with: {argv: [env]}}\n  \
           seen: {uses: command, pass_env: [HANDED], with: {argv: [echo, '{{ env.HANDED }}']}}\n",
    );
    scene.assay(&["run", &file]).expect(0);
    let names = |step: &str| -> Vec<String> {
        let text = scene.printed(step);
        let mut names: Vec<String> = text
            .lines()
            .filter_map(|line| line.split_once('=').map(|(name, _)| name.to_owned()))
            .filter(|name| !name.starts_with("ASSAY_"))
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("bare"), ["ALL", "HOME", "LANG", "PATH", "TMPDIR", "TOP"]);
    assert_eq!(names("own"), ["ALL", "HANDED", "HOME", "LANG", "MINE", "PATH", "TMPDIR", "TOP"]);
    assert!(scene.printed("own").contains("ALL=mine\n"));
    assert!(
        scene
            .printed("bare")
            .contains(&format!("ALL=for {}\n", scene.dir().canonicalize().unwrap().display()))
    );
    assert_eq!(scene.printed("seen"), "on\n");
}

#[test]
fn every_step_has_a_folder_of_its_own_and_the_call_has_one_scratch() {
    let scene = Scene::new();
    std::fs::create_dir(scene.dir().join("sub")).unwrap();
    let file = scene.workflow(
        "folders",
        "steps:\n  \
           one: {uses: command, with: {shell: 'pwd; touch mine; ls'}}\n  \
           two: {uses: command, needs: [one], with: {shell: 'pwd; ls'}}\n  \
           dir: {uses: command, with: {shell: 'test {{ step.dir | q }} = \"$(pwd)\" && pwd'}}\n  \
           sub: {uses: command, cwd: sub, with: {argv: [pwd]}}\n  \
           put: {uses: command, with: {shell: 'echo shared > {{ run.scratch | q }}/f'}}\n  \
           get: {uses: command, needs: [put], with: {shell: 'cat {{ run.scratch | q }}/f'}}\n",
    );
    scene.assay(&["run", &file]).expect(0);
    let (one, two) = (scene.printed("one"), scene.printed("two"));
    assert_eq!(one.lines().count(), 2, "{one}");
    assert_eq!(two.lines().count(), 1, "a step sees files of another: {two}");
    assert!(scene.printed("dir").starts_with(&*scene.run_dir().canonicalize().unwrap().to_string_lossy()));
    assert_eq!(
        scene.printed("sub").trim(),
        scene.dir().canonicalize().unwrap().join("sub").to_string_lossy()
    );
    assert_eq!(scene.printed("get"), "shared\n");
}

#[test]
fn finally_runs_whatever_happened() {
    for (argv, code) in [("'true'", 0), ("'false'", 21)] {
        let scene = Scene::new();
        let file = scene.workflow(
            "last",
            &format!(
                "steps:\n  work: {{uses: command, with: {{argv: [{argv}]}}}}\n  \
                 next: {{uses: command, needs: [work], with: {{argv: [echo, 'v=5'], parse: {{as: regex, from: stdout, fields: {{v: 'v=(.)'}}, schema: {{type: object, properties: {{v: {{type: integer}}}}}}}}}}}}\n\
                 finally:\n  tell: {{uses: command, with: {{argv: [echo, '{{{{ steps.work.status }}}}', '{{{{ steps.next.result.v | default(\"none\") }}}}']}}}}\n"
            ),
        );
        scene.assay(&["run", &file]).expect(code);
        let wanted = if code == 0 { "passed 5\n" } else { "failed none\n" };
        assert_eq!(scene.printed("tell"), wanted);
    }
}

#[test]
fn a_failing_finally_counts_only_if_nothing_else_failed() {
    let scene = Scene::new();
    let tail = "finally:\n  clean: {uses: command, with: {argv: ['false']}}\n";
    let good =
        scene.workflow("good", &format!("steps:\n  a: {{uses: command, with: {{argv: ['true']}}}}\n{tail}"));
    scene.assay(&["run", &good]).expect(21);
    let late = scene.workflow(
        "late",
        &format!("steps:\n  a: {{uses: command, timeout: 100ms, with: {{argv: [sleep, '9']}}}}\n{tail}"),
    );
    scene.assay(&["run", &late]).expect(22);
}

#[test]
fn every_step_tells_how_it_ended() {
    let scene = Scene::new();
    let file = scene.workflow(
        "told",
        "slug: 'n{{ inputs.n }}'\ninputs:\n  n: {type: integer, default: 4}\nsteps:\n  \
           a: {uses: command, with: {argv: [echo, said]}}\n  \
           k: {uses: command, on_fail: warn, with: {shell: 'kill -KILL $$'}}\n  \
           b: {uses: command, with: {argv: [cat, '{{ steps.a.stdout }}']}}\n  \
           r: {uses: command, with: {argv: [echo, '{{ run.id }}', '{{ run.dir }}', '{{ run.date }}', '{{ facts.host.cores }}']}}\n\
         outputs:\n  \
           a: {value: \"[steps.a.status, steps.a.reason, steps.a.exit, steps.a.signal, steps.a.attempts]\", type: array}\n  \
           k: {value: \"[steps.k.status, steps.k.exit, steps.k.signal]\", type: array}\n  \
           took: {value: steps.a.duration_s, type: number}\n",
    );
    scene.assay(&["run", &file]).expect(0);
    let outputs = scene.outputs();
    assert_eq!(outputs["a"], json!(["passed", "", 0, null, 1]));
    assert_eq!(outputs["k"], json!(["failed", null, "SIGKILL"]));
    assert!(outputs["took"].as_f64().unwrap() > 0.0);
    assert_eq!(scene.printed("b"), "said\n");
    let run = scene.run_dir();
    let printed = scene.printed("r");
    let words: Vec<&str> = printed.split_whitespace().collect();
    assert!(run.ends_with(words[1]) || std::path::Path::new(words[1]).ends_with(run.file_name().unwrap()));
    let folder = run.file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!(folder, format!("{}_n4_told-{}", words[2].replace('-', ""), words[0]));
    assert!(words[3].parse::<u32>().unwrap() > 0);
    // A kept step tells the same after the manifest changed.
    let text = std::fs::read_to_string(scene.dir().join(&file)).unwrap();
    scene.write(&file, text.replace("[cat, ", "[cat, '-u', "));
    scene.assay(&["resume", "latest"]).expect(0);
    assert_eq!(scene.outputs()["a"], outputs["a"]);
    assert_eq!(scene.outputs()["took"], outputs["took"]);
    assert_eq!(scene.printed("b"), "said\n");
}

#[test]
fn a_key_that_is_no_literal_and_secrets_in_templates_are_errors() {
    let mut scene = Scene::new();
    scene.env("API_TOKEN", "s3cr3t-value-0123");
    let steps = "  a: {uses: command, foreach: {v: [x]}, with: {argv: ['true']}}\n";
    let keyed = format!(
        "inputs:\n  k: {{type: string, default: x}}\nsteps:\n{steps}  b: {{uses: command, with: {{argv: [echo, '{{{{ steps[inputs.k].status }}}}']}}}}\n"
    );
    let file = scene.workflow("keyed", &keyed);
    scene.assay(&["plan", &file]).expect(11);
    let file = scene.workflow(
        "scoped",
        "secrets: [API_TOKEN]\nsteps:\n  a: {uses: command, pass_env: [API_TOKEN], with: {argv: [echo, '{{ env.API_TOKEN }}']}}\n",
    );
    let done = scene.assay(&["run", &file]);
    assert!(matches!(done.code, 11 | 21), "{done:?}");
    assert!(!format!("{done:?}").contains("s3cr3t"));
}
