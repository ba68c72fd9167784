//! Paths: unicode and spaces everywhere, names that would leave the run directory, links that a step planted.
#![expect(clippy::unwrap_used, reason = "what helpers find amiss fails the test, too")]

mod support;

use std::path::Path;
use std::time::Duration;
use support::{Scene, eventually, finish};

#[test]
fn unicode_and_spaces_in_every_path_and_value() {
    let scene = Scene::new();
    let odd = "Ünï cödé 试验 'q' \"d\" $x `y` %s & (1)";
    let body = r#"slug: "{{ inputs.label }}"
inputs:
  label: {type: string}
  source: {type: string, format: path}
env: {SHOWN: "{{ inputs.label }}"}
steps:
  words:
    foreach: {word: ["naïve café", "日本 語", "a/b", "emoji 🎉", "plain"]}
    uses: command
    with: {argv: [printf, "%s", "{{ each.word }}"], parse: {as: regex, fields: {all: "(?s)^(.*)$"}, schema: {type: object, properties: {all: {type: string}}}}}
  argv:
    uses: command
    with: {argv: [cat, "{{ inputs.source }}"]}
    reads: ["{{ inputs.source }}"]
  shell:
    uses: command
    with: {shell: "printf '%s' {{ inputs.label | q }} > {{ run.scratch | q }}/{{ inputs.label | replace('/', '') | q }}; printf '%s' \"$SHOWN\""}
    files: {made: "{{ run.scratch }}/{{ inputs.label }}"}
  here:
    uses: command
    cwd: "{{ skill.dir }}/in hier"
    with: {argv: [./prog ram.sh, "{{ inputs.label }}"]}
outputs:
  words: {value: "steps.words | map(attribute='result') | map(attribute='all') | list", type: array}
deliver:
  "ergebnis {{ inputs.label }}/tabelle é.json": outputs
  "kopie ü.txt": steps.shell.files.made
"#;
    let file = scene.workflow("flow", body);
    let folder = scene.dir().join("mein ordner ✓/in hier");
    std::fs::create_dir_all(&folder).unwrap();
    let program = folder.join("prog ram.sh");
    std::fs::write(&program, "#!/bin/sh\nprintf '%s' \"$1\"\n").unwrap();
    let mut mode = std::fs::metadata(&program).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
    std::fs::set_permissions(&program, mode).unwrap();
    std::fs::rename(scene.dir().join(&file), scene.dir().join("mein ordner ✓/flöw ✓.yaml")).unwrap();
    scene.write(&format!("quellen/{odd}.txt"), "read me\n");
    let label = format!("label={odd}");
    let source = format!("source=quellen/{odd}.txt");
    let args =
        ["--runs-dir", "läufe und mehr", "run", "mein ordner ✓/flöw ✓.yaml", "-i", &label, "-i", &source];
    scene.assay(&args).expect(0);
    let runs = scene.dir().join("läufe und mehr");
    let run = std::fs::read_dir(&runs)
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.is_dir())
        .unwrap();
    let log =
        |step: &str| std::fs::read_to_string(run.join("steps").join(step).join("1/stdout.log")).unwrap();
    assert_eq!(log("shell"), odd);
    assert_eq!(log("here"), odd);
    assert_eq!(log("argv"), "read me\n");
    let delivered = std::fs::read_to_string(run.join(format!("ergebnis {odd}/tabelle é.json"))).unwrap();
    let outputs: serde_json::Value = serde_json::from_str(&delivered).unwrap();
    assert_eq!(outputs["words"], serde_json::json!(["naïve café", "日本 語", "a/b", "emoji 🎉", "plain"]));
    assert_eq!(std::fs::read_to_string(run.join("kopie ü.txt")).unwrap(), odd);
    // The other verbs find their way, too.
    for verb in ["status", "report", "resume", "logs"] {
        scene.assay(&["--runs-dir", "läufe und mehr", verb, "latest"]).expect(0);
    }
    scene.assay(&[verb_path(&run)[0], verb_path(&run)[1]]).expect(0);
}

fn verb_path(run: &Path) -> [&str; 2] {
    ["status", run.to_str().unwrap()]
}

#[test]
fn a_delivery_out_of_the_run_directory_or_to_a_reserved_name_is_an_error() {
    for path in [
        "../../x",
        "a/../../x",
        "/tmp/x",
        "journal.jsonl",
        "steps/x.json",
        "live/a.json",
        "report.md",
        "plan.json",
        "./lock",
        ".assay-x",
    ] {
        let scene = Scene::new();
        let body = format!(
            "steps:\n  one: {{uses: command, with: {{argv: ['true']}}}}\noutputs:\n  a: {{value: '1', type: integer}}\ndeliver:\n  '{path}': outputs\n"
        );
        let file = scene.workflow("bad", &body);
        let done = scene.assay(&["run", &file]).expect(11);
        assert!(done.stderr.contains("deliver"), "{path}: {}", done.stderr);
        assert!(!scene.dir().join("runs").exists(), "{path}: nothing ran");
    }
}

#[test]
fn a_delivery_path_that_turns_bad_at_run_time_is_not_written() {
    for path in ["../../x.json", "/tmp/assay-test-x.json", "journal.jsonl", "steps/one/x.json", ""] {
        let scene = Scene::new();
        let body = "inputs:\n  name: {type: string}\nsteps:\n  one: {uses: command, with: {argv: ['true']}}\n\
                    outputs:\n  a: {value: '1', type: integer}\ndeliver:\n  '{{ inputs.name }}': outputs\n  good.json: outputs\n";
        let file = scene.workflow("bad", body);
        let done = scene.assay(&["run", &file, "-i", &format!("name={path}")]).expect(21);
        let run = scene.run_dir();
        let records = scene.events("delivered");
        let bad: Vec<_> = records.iter().filter(|record| record["path"] != "good.json").collect();
        assert!(
            bad.iter().all(|record| record["sha256"].is_null()
                && record["reason"].as_str().is_some_and(|text| !text.is_empty())),
            "{path}: {bad:?}"
        );
        assert_eq!(bad.len(), 1, "{path}: {records:?}\n{}", done.stderr);
        assert!(run.join("good.json").exists());
        assert!(!scene.dir().join("x.json").exists() && !Path::new("/tmp/assay-test-x.json").exists());
        assert!(std::fs::read_to_string(run.join("journal.jsonl")).unwrap().starts_with("{\"v\":"));
    }
}

#[test]
fn a_foreach_value_never_becomes_a_path() {
    let scene = Scene::new();
    let body = "steps:\n  one:\n    foreach: {name: ['../../x', '..', '.', '/etc/passwd', 'a/b', '-rf', '']}\n    \
                uses: command\n    with: {argv: [echo, '{{ each.name }}']}\n\
                deliver:\n  all.json: steps.one\n";
    let file = scene.workflow("loop", body);
    scene.assay(&["run", &file]).expect(0);
    let run = scene.run_dir();
    let steps: Vec<String> =
        tree(&run.join("steps")).into_iter().filter(|path| path.ends_with("stdout.log")).collect();
    assert_eq!(steps.len(), 7, "{steps:?}");
    assert!(steps.iter().all(|path| path.starts_with("one/")), "{steps:?}");
    let outside: Vec<_> =
        std::fs::read_dir(scene.dir()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(outside.len(), 2, "the manifest and `runs`: {outside:?}");
    // A delivery named by such a value is refused; one folder per value is made up by the engine.
    let printed: Vec<String> =
        steps.iter().map(|path| std::fs::read_to_string(run.join("steps").join(path)).unwrap()).collect();
    assert!(printed.contains(&"../../x\n".to_owned()));
}

/// Every file below a folder, relative to it; links are not followed.
fn tree(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(root).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    found
}

/// A step replaces something of the run directory by a link to `outside`; then other steps write.
fn planted(plant: &str) -> (Scene, i32) {
    let scene = Scene::new();
    scene.write("outside/keep", "kept\n");
    let body = format!(
        "steps:\n  plant: {{uses: command, with: {{shell: 'cd {{{{ run.dir | q }}}}; O={{{{ skill.dir | q }}}}/outside; {plant}'}}}}\n  \
         print: {{needs: [plant], uses: command, with: {{shell: 'echo printed; echo made > {{{{ step.dir | q }}}}/made'}}, files: {{made: '{{{{ step.dir }}}}/made'}}}}\n  \
         big: {{needs: [plant], uses: command, with: {{shell: 'printf \"[\"; seq -s, 1 3000 | tr -d \"\\n\"; printf \"]\"', parse: {{as: json, schema: {{type: array}}}}}}}}\n\
         outputs:\n  a: {{value: '1', type: integer}}\ndeliver:\n  out/a.json: outputs\n  b.json: outputs\n  made.txt: steps.print.files.made\n"
    );
    let file = scene.workflow("plant", &body);
    let child = scene.start(&["run", &file]);
    let done = finish(child);
    (scene, done.code)
}

#[test]
fn a_link_planted_in_the_run_directory_is_not_followed() {
    let plants = [
        "for d in live steps artifacts work scratch out control; do rm -rf $d; ln -s $O $d; done",
        "mkdir -p steps; ln -s $O steps/print; ln -s $O steps/big",
        "mkdir -p steps/print steps/big; ln -s $O steps/print/1; ln -s $O steps/big/1",
        "mkdir -p steps/print/1; ln -s $O/new steps/print/1/stdout.log; ln -s $O/keep steps/print/1/result.json",
        "ln -s $O/new b.json; ln -s $O out; ln -s $O/keep made.txt; ln -s $O/keep report.md; ln -s $O/new report.html",
        "for f in live/*; do rm -rf $f; ln -s $O/keep $f; done",
    ];
    for plant in plants {
        let (scene, code) = planted(plant);
        let outside = scene.dir().join("outside");
        let mut found = tree(&outside);
        found.retain(|name| name != "keep");
        assert!(found.is_empty(), "exit {code}: `{plant}` led to {found:?}");
        assert_eq!(
            std::fs::read_to_string(outside.join("keep")).unwrap(),
            "kept\n",
            "exit {code}: `{plant}`"
        );
        assert_eq!(scene.statuses()["plant"], "passed", "it was planted");
        assert!([0, 1, 21].contains(&code), "exit {code} after `{plant}`");
    }
}

#[test]
fn a_link_in_place_of_a_log_is_not_read_as_a_log() {
    let scene = Scene::new();
    scene.write("secret.txt", "not for you\n");
    let body = "steps:\n  print: {uses: command, with: {argv: [echo, hello]}}\n  \
                swap: {needs: [print], uses: command, with: {shell: 'cd {{ run.dir | q }}/steps/print/1; rm stdout.log; ln -s {{ skill.dir | q }}/secret.txt stdout.log'}}\n  \
                fail: {needs: [swap], uses: command, with: {argv: ['false']}}\n";
    let file = scene.workflow("swap", body);
    scene.assay(&["run", &file]).expect(21);
    let run = scene.run_dir();
    assert!(run.join("steps/print/1/stdout.log").is_symlink());
    let shown = scene.assay(&["logs", "latest", "print"]);
    assert!(!shown.stdout.contains("not for you"), "{}", shown.stdout);
    let report = std::fs::read_to_string(run.join("report.html")).unwrap();
    assert!(!report.contains("not for you"));
    assert!(eventually(Duration::from_secs(1), || support::processes_with(run.to_str().unwrap()).is_empty()));
}

/// A skill hands on an optional file that its caller left out.
#[test]
fn an_empty_path_is_no_file_and_stays_empty() {
    let scene = Scene::new();
    let body = r#"inputs:
  left_out: {type: string, format: path, default: ""}
  given: {type: string, format: path, default: here.txt}
preflight:
  there: {check: file, when: inputs.left_out != '', with: {path: "{{ inputs.left_out }}"}}
steps:
  s: {uses: command, with: {argv: [printf, "[%s]", "{{ inputs.left_out }}", "{{ inputs.given }}"]}}
"#;
    let file = scene.workflow("optional", body);
    scene.assay(&["run", &file]).expect(0);
    let here = scene.dir().join("here.txt");
    assert_eq!(scene.printed("s"), format!("[][{}]", here.display()));
    scene.assay(&["run", &file, "-i", "left_out=absent.txt"]).expect(20);
    // Where a file is needed, none is an error.
    let file = scene.workflow("needed", "inputs: {x: {type: string, format: path, default: \"\"}}\npreflight: {f: {check: file, with: {path: \"{{ inputs.x }}\"}}}\nsteps: {s: {uses: command, with: {argv: ['true']}}}\n");
    scene.assay(&["run", &file]).expect(20);
}
