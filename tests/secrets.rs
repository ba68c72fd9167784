//! A secret that a step prints in every form that is covered stands nowhere on the disk, also after `kill -9`.
#![expect(clippy::unwrap_used, reason = "what helpers find amiss fails the test, too")]

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;
use support::{Scene, eventually, finish, kill};

/// With characters that each encoding changes, and two lines.
const SECRET: &str = "pä$s \"wörd\"/+'42'?&=<x>\\end\nsecond-line-of-it:Zz9/";

/// Prints the secret in every covered form, on both outputs, whole and a byte at a time.
const LEAK: &str = r#"
import base64, json, os, shlex, sys, time, urllib.parse
s = os.environ["TOKEN"]; b = s.encode()
forms = [b]
for pad in (b"", b"x", b"yy"):
    forms.append(base64.b64encode(pad + b + b"tail"))
    forms.append(base64.urlsafe_b64encode(pad + b + b"tail"))
forms += [base64.b64encode(b), base64.b64encode(b).rstrip(b"=")]
forms += [urllib.parse.quote(s, safe="").encode(), urllib.parse.quote(s).encode(), urllib.parse.quote_plus(s).encode()]
forms += [json.dumps(s).encode(), json.dumps(s, ensure_ascii=False).encode(), json.dumps({"a": [s]}).encode()]
forms += [b.hex().encode(), b.hex().upper().encode(), shlex.quote(s).encode()]
forms += s.encode().split(b"\n")
forms += [s.replace("\n", "\r\n").encode()]
for out in (sys.stdout.buffer, sys.stderr.buffer):
    for form in forms:
        out.write(b"begin " + form + b" end\n"); out.flush()
    for form in forms:
        for at in range(len(form)):
            os.write(out.fileno(), form[at:at+1])
        os.write(out.fileno(), b"\n")
    half = len(b) // 2
    os.write(out.fileno(), b[:half]); time.sleep(0.3); os.write(out.fileno(), b[half:] + b"\n")
print("all said")
"#;

/// Texts that betray it: each line in itself, and its forms without the ends that depend on the neighbours.
fn traces() -> Vec<Vec<u8>> {
    let mut traces: Vec<Vec<u8>> = SECRET.lines().map(|line| line.as_bytes().to_vec()).collect();
    let hex: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
    traces.push(hex.as_bytes()[8..40].to_vec());
    traces.push(hex.to_uppercase().as_bytes()[8..40].to_vec());
    for text in ["%22w%C3%B6rd%22", "\\\"w\\u00f6rd\\\"", "\\\"wörd\\\"", "second-line-of-it", "wörd"] {
        traces.push(text.as_bytes().to_vec());
    }
    // Base64 of the middle at its three offsets, encoded here by hand so that the test shares no code with the engine.
    for skip in 0..3 {
        let bytes = &SECRET.as_bytes()[skip..];
        let whole = base64(&bytes[..bytes.len() / 3 * 3]);
        traces.push(whole.as_bytes()[4..28].to_vec());
        traces.push(whole.replace('+', "-").replace('/', "_").as_bytes()[4..28].to_vec());
    }
    traces
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = bytes.chunks_exact(3).flat_map(|group| {
        let word = u32::from(group[0]) << 16 | u32::from(group[1]) << 8 | u32::from(group[2]);
        [18, 12, 6, 0].map(|shift| char::from(DIGITS[(word >> shift & 63) as usize]))
    });
    groups.collect()
}

/// Files below a folder that hold a trace, with the trace.
fn leaks(root: &Path) -> Vec<(PathBuf, String)> {
    let traces = traces();
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                let bytes = std::fs::read(entry.path()).unwrap_or_default();
                for trace in traces
                    .iter()
                    .filter(|trace| bytes.windows(trace.len()).any(|window| window == trace.as_slice()))
                {
                    found.push((entry.path(), String::from_utf8_lossy(trace).into_owned()));
                }
            }
        }
    }
    found
}

fn scene() -> Scene {
    let mut scene = Scene::new();
    scene.env("TOKEN", SECRET);
    scene.write("leak.py", LEAK);
    scene
}

#[test]
fn every_form_that_a_step_prints_is_masked() {
    let scene = scene();
    let body = "secrets: [TOKEN]\nsteps:\n  leak: {uses: command, pass_env: [TOKEN], with: {argv: [python3, '{{ skill.dir }}/leak.py']}}\n  \
                fail: {needs: [leak], uses: command, pass_env: [TOKEN], with: {shell: 'printenv TOKEN; printenv TOKEN >&2; exit 1'}}\n";
    let file = scene.workflow("leaky", body);
    let done = scene.assay(&["run", &file]).expect(21);
    let run = scene.run_dir();
    let log = std::fs::read_to_string(run.join("steps/leak/1/stdout.log")).unwrap();
    assert!(log.contains("begin ") && log.contains("all said"), "the rest of the output stays:\n{log}");
    assert_eq!(leaks(scene.dir().parent().unwrap()), []);
    for text in [done.stdout, done.stderr] {
        assert!(!text.contains("wörd") && !text.contains("second-line-of-it"), "{text}");
    }
}

#[test]
fn nothing_is_on_the_disk_after_kill_9_of_any_of_the_three_processes() {
    for role in ["engine", "supervisor", "front"] {
        let scene = scene();
        let body = "secrets: [TOKEN]\nsteps:\n  leak: {uses: command, pass_env: [TOKEN], with: {shell: 'while true; do python3 {{ skill.dir | q }}/leak.py; touch {{ skill.dir | q }}/said; done'}}\n";
        let file = scene.workflow("leaky", body);
        let child = scene.start(&["run", &file]);
        assert!(eventually(Duration::from_secs(30), || scene.dir().join("said").exists()));
        let pid = scene.events("engine_started")[0][role]["pid"].as_u64().unwrap();
        kill(u32::try_from(pid).unwrap(), "KILL");
        finish(child);
        let dir = scene.dir();
        let marker = dir.to_str().unwrap();
        assert!(eventually(Duration::from_secs(2), || support::processes_with(marker).is_empty()), "{role}");
        assert_eq!(leaks(dir.parent().unwrap()), [], "{role} was killed");
    }
}

#[test]
fn a_declared_file_with_a_secret_fails_the_step_and_is_deleted() {
    for (writes, what) in [
        ("printf \"%s\" \"$TOKEN\" > {{ run.scratch | q }}/out", "raw"),
        ("printf \"xx%s\" \"$TOKEN\" | base64 -w0 > {{ run.scratch | q }}/out", "base64"),
        (
            "mkdir {{ run.scratch | q }}/out; echo fine > {{ run.scratch | q }}/out/a; printenv TOKEN > {{ run.scratch | q }}/out/b",
            "in a folder",
        ),
    ] {
        let scene = scene();
        let body = format!(
            "secrets: [TOKEN]\nsteps:\n  write:\n    uses: command\n    pass_env: [TOKEN]\n    with: {{shell: '{writes}'}}\n    files: {{out: '{{{{ run.scratch }}}}/out'}}\n"
        );
        let file = scene.workflow("writes", &body);
        scene.assay(&["run", &file]).expect(21);
        let end = scene.events("step_finished").pop().unwrap();
        assert!(end["reason"].as_str().unwrap().contains("secret"), "{what}: {end}");
        assert_eq!(leaks(scene.dir().parent().unwrap()), [], "{what}");
    }
}

#[test]
fn a_parsed_result_a_reason_and_a_watch_never_carry_it() {
    let scene = scene();
    let body = r#"secrets: [TOKEN]
steps:
  parsed: {uses: command, pass_env: [TOKEN], with: {argv: [python3, -c, "import json, os; print(json.dumps({'t': os.environ['TOKEN']}))"], parse: {as: json, schema: {type: object}}}}
  file: {uses: command, pass_env: [TOKEN], with: {argv: [python3, -c, "import json, os; open(os.environ['OUT'], 'w').write(json.dumps({'t': os.environ['TOKEN']}))"], parse: {as: json, from: "{{ run.scratch }}/r.json", schema: {type: object}}}, env: {OUT: "{{ run.scratch }}/r.json"}, files: {r: "{{ run.scratch }}/r.json"}}
  wrong: {uses: command, pass_env: [TOKEN], with: {argv: [printenv, TOKEN], parse: {as: json, schema: {type: object}}}}
  watched: {uses: command, pass_env: [TOKEN], with: {argv: [printenv, TOKEN], watch: {must_not: [{regex: '[A-Za-z]+-line-of.*'}]}}}
  early: {uses: command, pass_env: [TOKEN], with: {shell: "printenv TOKEN > {{ run.scratch | q }}/early; exit 4"}, files: {e: "{{ run.scratch }}/early"}}
  loose: {uses: command, pass_env: [TOKEN], with: {argv: [python3, -c, "import json, os; open('{{ skill.dir }}/loose.json', 'w').write(json.dumps({'t': os.environ['TOKEN']}))"], parse: {as: json, from: "{{ skill.dir }}/loose.json", schema: {type: object}}}}
  odd: {uses: command, pass_env: [TOKEN], with: {argv: [python3, -c, "import os; open('{{ skill.dir }}/odd.json', 'w').write(os.environ['TOKEN'])"], parse: {as: regex, from: "{{ skill.dir }}/odd.json", fields: {a: '(?s)(.*)'}, schema: {type: object, properties: {a: {type: number}}}}}}
outputs:
  all: {value: steps.parsed.result, type: object}
  loose: {value: steps.loose.result, type: object}
deliver: {all.json: outputs}
"#;
    let file = scene.workflow("reads", body);
    let done = scene.assay(&["run", &file]).expect(21);
    // What the steps wrote to places of their own is theirs; the run must not take it over.
    std::fs::remove_file(scene.dir().join("loose.json")).unwrap();
    std::fs::remove_file(scene.dir().join("odd.json")).unwrap();
    assert_eq!(leaks(scene.dir().parent().unwrap()), []);
    let statuses = scene.statuses();
    for (step, wanted) in [
        ("parsed", "passed"),
        ("file", "failed"),
        ("loose", "failed"),
        ("odd", "failed"),
        ("early", "failed"),
    ] {
        assert_eq!(statuses[step], wanted, "{step}");
    }
    assert!(!done.stdout.contains("wörd") && !done.stderr.contains("wörd"), "{}", done.stderr);
}

#[test]
fn a_secret_reaches_no_template_and_no_step_that_does_not_ask() {
    let scene = scene();
    let file = scene.workflow("asks", "secrets: [TOKEN]\nsteps:\n  a: {uses: command, pass_env: [TOKEN], with: {argv: [echo, '{{ env.TOKEN }}']}}\n");
    let done = scene.assay(&["run", &file]);
    assert!([11, 21].contains(&done.code), "{}: {}", done.code, done.stderr);
    assert_eq!(leaks(scene.dir().parent().unwrap()), []);
    let file = scene.workflow(
        "quiet",
        "secrets: [TOKEN]\nsteps:\n  b: {uses: command, with: {shell: 'echo \"[$TOKEN]\"'}}\n",
    );
    scene.assay(&["run", &file]).expect(0);
    assert_eq!(std::fs::read_to_string(scene.run_dir().join("steps/b/1/stdout.log")).unwrap(), "[]\n");
}

#[test]
fn a_short_secret_is_refused() {
    let mut scene = Scene::new();
    scene.env("TOKEN", "short12");
    let file = scene.workflow(
        "short",
        "secrets: [TOKEN]\nsteps:\n  a: {uses: command, pass_env: [TOKEN], with: {argv: ['true']}}\n",
    );
    let done = scene.assay(&["run", &file]);
    assert_ne!(done.code, 0);
    assert!(
        done.stderr.contains("TOKEN") && done.stderr.contains('8') && !done.stderr.contains("short12"),
        "{}",
        done.stderr
    );
}
