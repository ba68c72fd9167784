//! `isolate: true`: what a step can no longer write to, what it still can, and that nothing else about it changes.

mod support;

use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::{Scene, processes_with};

/// Runs each line of `attempts` in a shell of its own and prints `<line number> <exit code>`, and what it complained of.
const TRY: &str = r#"
n=0
while IFS= read -r line; do
  n=$((n + 1))
  said=$(R="$1" D="$2" S="$3" H="$4" O="$5" E="$PPID" sh -c "$line" 2>&1 >/dev/null) && code=0 || code=1
  echo "$n $code"
  [ -z "$said" ] || echo "$said" | sed 's/^/  /'
done < "$6"
"#;

/// A scene with a script that makes attempts, and a run that was there before.
fn scene() -> Scene {
    let scene = Scene::new();
    scene.write("try.sh", TRY);
    let first = scene.workflow("first", "steps:\n  a: {uses: command, with: {argv: [echo, one]}}\n");
    scene.assay(&["run", &first]).expect(0);
    scene
}

/// A step that makes attempts from a file: `$R` run directory, `$D` step directory, `$S` scratch, `$H` home of the test, `$O`
/// another run, `$E` the engine's pid.
fn attempts(scene: &Scene, name: &str, lines: &[&str]) -> String {
    let other = scene.run_dir();
    let home = scene.dir().parent().expect("a folder").to_owned();
    scene.write(name, format!("{}\n", lines.join("\n")));
    format!(
        "[sh, '{{{{ skill.dir }}}}/try.sh', '{{{{ run.dir }}}}', '{{{{ step.dir }}}}', '{{{{ run.scratch }}}}', '{}', '{}', '{{{{ skill.dir }}}}/{name}']",
        home.display(),
        other.display(),
    )
}

/// Every line must have ended like this.
#[track_caller]
fn all(scene: &Scene, step: &str, lines: &[&str], code: u32) {
    let printed = scene.printed(step);
    let wrong: Vec<_> = lines
        .iter()
        .enumerate()
        .filter(|(index, _)| !printed.lines().any(|line| line == format!("{} {code}", index + 1)))
        .map(|(_, line)| line)
        .collect();
    assert!(wrong.is_empty(), "not {code}: {wrong:#?}\n{printed}");
}

const FORBIDDEN: &[&str] = &[
    "echo x >> $R/journal.jsonl",
    "truncate -s 0 $R/journal.jsonl",
    "mv $R/journal.jsonl $R/j",
    "mv $R/journal.jsonl /dev/shm/assay-$E; code=$?; rm -f /dev/shm/assay-$E; exit $code",
    "ln $R/journal.jsonl $D/hard",
    "ln -s $R/journal.jsonl $D/soft && echo x >> $D/soft",
    "echo x >> /proc/self/root$R/journal.jsonl",
    "echo x >> /proc/$E/root$R/journal.jsonl",
    ": > $R/plan.json",
    "echo x > $D/mine && mv $D/mine $R/plan.json",
    "rm $R/plan.json",
    "rm -r $R/steps/before",
    "mv $R $R-gone",
    "rm $R/lock",
    "ln -s /etc $R/artifacts",
    "mkdir $R/artifacts",
    "mkfifo $R/report.md",
    "echo x > $R/results.json",
    "echo x >> $R/steps/before/1/stdout.log",
    "mkdir -p $R/steps/after/1",
    "touch $R/work/new",
    "touch $R/scratch/new",
    "echo x >> $O/journal.jsonl",
    "rm -r $O/steps",
    "for f in $H/state/assay/heads/*; do echo x >> $f || exit 1; done",
    "rm -r $H/state/assay/heads",
    "mkdir $H/locks/new",
    "mkdir -p $H/cache/assay/new",
    "setsid sh -c \"echo x >> $R/journal.jsonl\"",
    "python3 -c \"import os; os.fork() or os.setsid(); open('$R/journal.jsonl', 'a')\"",
    "kill -9 $E",
    "kill -0 $E",
    "kill -STOP $(sed -n 's/^PPid:.//p' /proc/$E/status)",
    "dd if=/dev/zero of=/proc/$E/mem bs=1 count=0 conv=notrunc",
    "unshare -m mount -t tmpfs none $R",
];

#[test]
fn records_and_engine_are_out_of_reach_and_the_verdict_is_right() {
    let scene = scene();
    let argv = attempts(&scene, "forbidden", FORBIDDEN);
    let file = scene.workflow(
        "guarded",
        &format!(
            "steps:\n  before: {{uses: command, with: {{argv: [echo, kept]}}}}\n  \
             hostile: {{uses: command, isolate: true, needs: [before], timeout: 1m, with: {{argv: {argv}}}}}\n  \
             after: {{uses: command, needs: [hostile], with: {{argv: [echo, '{{{{ steps.before.stdout }}}}']}}}}\n\
             gates:\n  good: {{assert: steps.after.exit == 0}}\n  bad: {{assert: steps.hostile.exit == 1, on_fail: warn}}\n\
             deliver:\n  results.json: steps.after.status\n"
        ),
    );
    scene.assay(&["run", &file]).expect(0);
    all(&scene, "hostile", FORBIDDEN, 1);
    assert_eq!(scene.outcomes(), [("bad".into(), "warn".into()), ("good".into(), "passed".into())].into());
    assert_eq!(scene.printed("before"), "kept\n");
    assert_eq!(scene.delivered("results.json").trim(), "\"passed\"");
    scene.assay(&["resume", "latest"]).expect(0);
}

#[test]
fn the_same_step_without_it_is_found() {
    for (isolate, code) in [("true", 0), ("false", 24)] {
        let scene = Scene::new();
        let file = scene.workflow(
            "same",
            &format!(
                "steps:\n  a:\n    uses: command\n    isolate: {isolate}\n    expect: {{exit: any}}\n    \
                 with: {{shell: 'echo x >> {{{{ run.dir | q }}}}/journal.jsonl'}}\n  \
                 b: {{needs: [a], uses: command, with: {{argv: ['true']}}}}\n"
            ),
        );
        scene.assay(&["run", &file]).expect(code);
    }
}

const ALLOWED: &[&str] = &[
    "echo x > $D/a && mkdir $D/b && mv $D/a $D/b/c && truncate -s 0 $D/b/c && ln -s c $D/b/l",
    "echo x > $S/a && mv $S/a $D/from-scratch && mv $D/from-scratch $S/made",
    "f=$(mktemp) && echo x > $f && rm $f",
    "echo x > $TMPDIR/left && mkfifo $TMPDIR/fifo",
    "echo x > $H/work/beside/new && rm $H/work/beside/new && mkdir $H/work/beside/deep",
    "echo x >> $H/work/beside/old",
    "mv $H/work/beside/old $D/old && mv $D/old $H/work/beside/old",
    "echo x > /dev/null && echo x >> /dev/stdout && echo x >> /dev/stderr",
    "echo x > /dev/shm/assay-test-$E && rm /dev/shm/assay-test-$E",
    "echo 0 > /proc/self/oom_score_adj",
    "sleep 30 & kill -9 $! && kill -0 $$",
    "cat $R/journal.jsonl $R/plan.json $O/journal.jsonl && ls $R/scratch $H/locks",
    "printf '#!/bin/sh\\nexit 0\\n' > $D/run && chmod +x $D/run && $D/run",
];

#[test]
fn its_own_folders_and_everything_beside_the_run_stay_writable() {
    let mut scene = scene();
    scene.write("beside/old", "");
    let argv = attempts(&scene, "allowed", ALLOWED);
    let file = scene.workflow(
        "free",
        &format!(
            "steps:\n  a: {{uses: command, isolate: true, timeout: 1m, with: {{argv: {argv}}}, files: {{made: '{{{{ run.scratch }}}}/made'}}}}\n  \
             log: {{uses: command, isolate: true, with: {{shell: 'echo three > $TMPDIR/x; echo $TMPDIR; echo one; echo two >> /dev/stdout'}}}}\n  \
             own: {{uses: command, isolate: true, env: {{TMPDIR: '{{{{ skill.dir }}}}/beside'}}, with: {{shell: 'echo $TMPDIR; touch $TMPDIR/own'}}}}\n"
        ),
    );
    scene.assay(&["run", &file]).expect(0);
    all(&scene, "a", ALLOWED, 0);
    assert!(scene.printed("log").ends_with("\none\ntwo\n"), "{}", scene.printed("log"));
    assert!(scene.finished("a")["outputs"]["files"]["made"]["sha256"].is_string());
    assert!(scene.dir().join("beside/own").exists(), "a `TMPDIR` that the author gives is taken");
    let temporary = scene.printed("log").lines().next().unwrap().to_owned();
    assert!(temporary.starts_with(scene.run_dir().to_str().unwrap()), "{temporary}");
    assert!(!std::path::Path::new(&temporary).join("x").exists(), "temporary files go with their step");
    // A folder for temporary files that lies beside the records is used as it is.
    let temporary = scene.dir().join("beside").to_string_lossy().into_owned();
    scene.env("TMPDIR", &temporary);
    scene.assay(&["run", &file]).expect(0);
    assert_eq!(scene.printed("log").lines().next().unwrap(), temporary);
}

#[test]
fn what_cannot_start_says_the_same_as_without() {
    let scene = Scene::new();
    for (name, text, mode) in
        [("plain", "#!/bin/sh\n", 0o644), ("lost", "#!/no/such/shell\n", 0o755), ("odd", "echo x\n", 0o755)]
    {
        let path = scene.write(name, text);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(path, mode).unwrap();
    }
    let long = "x".repeat(140 << 10);
    let steps = [
        "with: {argv: [no-such-program-here]}".to_owned(),
        "with: {argv: ['{{ skill.dir }}/plain']}".to_owned(),
        "with: {argv: ['{{ skill.dir }}/lost']}".to_owned(),
        "with: {argv: ['{{ skill.dir }}/odd']}".to_owned(),
        "with: {argv: ['{{ skill.dir }}']}".to_owned(),
        "with: {argv: ['true']}, cwd: /no/such/folder".to_owned(),
        format!("with: {{argv: ['true', {long}]}}"),
        "with: {argv: [sh, -c, 'exit 7']}".to_owned(),
        "with: {argv: [sh, -c, 'kill -SEGV $$']}".to_owned(),
        "with: {argv: [sh, -c, 'yes | head -1 > /dev/null']}".to_owned(),
        "with: {argv: [sleep, '30']}, timeout: 300ms".to_owned(),
        "with: {argv: [sh, -c, 'exit 5']}, expect: {exit: 5}".to_owned(),
        "with: {argv: [sh, -c, 'exit 75']}, status: {0: passed, 75: environment}".to_owned(),
    ];
    let both: Vec<String> = steps
        .iter()
        .enumerate()
        .map(|(index, fields)| {
            format!("  a{index}: {{uses: command, {fields}}}\n  b{index}: {{uses: command, isolate: true, {fields}}}\n")
        })
        .collect();
    let file = scene.workflow("pairs", &format!("steps:\n{}", both.concat()));
    scene.assay(&["run", &file]).expect(21);
    for index in 0..steps.len() {
        let end = |side: char| {
            let end = scene.finished(&format!("{side}{index}"));
            // The environment holds the step's name and folders, so its length differs.
            let text =
                |name: &str| end[name].to_string().replace(|c: char| name == "reason" && c.is_numeric(), "");
            ["status", "reason", "exit", "signal"].map(text)
        };
        assert_eq!(end('a'), end('b'), "{}", &steps[index][..steps[index].len().min(100)]);
    }
    assert_eq!(scene.finished("b8")["signal"], "SIGSEGV");
}

#[test]
fn the_program_sees_nothing_of_how_it_was_started() {
    let scene = Scene::new();
    let script = "env | grep -v -e ^ASSAY_STEP -e ^PWD -e ^TMPDIR | sort; ls /proc/self/fd; grep ^Sig[BIC] /proc/self/status; \
                  tr '\\\\0' ' ' < /proc/$$/cmdline; cat /proc/$$/comm; test $(ps -o pgid= -p $$) = $$ && test $(pwd) = $STEP && echo own";
    let step = |isolate: &str| {
        format!(
            "{{uses: command, isolate: {isolate}, env: {{A: 'ü b', STEP: '{{{{ step.dir }}}}'}}, with: {{argv: [sh, -c, \"{script}\", 'x y', '']}}}}"
        )
    };
    let file = scene.workflow("seen", &format!("steps:\n  a: {}\n  b: {}\n", step("false"), step("true")));
    scene.assay(&["run", &file]).expect(0);
    let printed = |step: &str| {
        let text = scene.printed(step);
        let lines = text.lines().filter(|line| !line.starts_with("STEP="));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(printed("a"), printed("b"));
    assert!(printed("b").iter().any(|line| line == "own"), "{:?}", printed("b"));
    let command = scene.events("step_started").into_iter().find(|event| event["step"] == "b").unwrap();
    assert_eq!(command["command"][0], "sh");
}

#[test]
fn servers_comparisons_loops_retries_secrets_and_memory_work_under_it() {
    let mut scene = Scene::new();
    scene.env("TOKEN", "a-long-secret-value");
    scene.write(
        "serve.py",
        "import http.server, sys\ntry:\n  open(sys.argv[2] + '/journal.jsonl', 'a'); print('wrote', flush=True)\nexcept PermissionError:\n  print('denied', flush=True)\n\
         http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()\n",
    );
    let argv = |pause: &str| {
        format!("{{argv: [sh, -c, '! touch \"$1\"/x 2>&- && sleep {pause}', x, '{{{{ run.dir }}}}']}}")
    };
    let file = scene.workflow(
        "kinds",
        &format!(
            "secrets: [TOKEN]\nsteps:\n  \
             srv: {{uses: server, isolate: true, timeout: 1m, with: {{argv: [/usr/bin/env, python3, '{{{{ skill.dir }}}}/serve.py', '{{{{ self.port }}}}', '{{{{ run.dir }}}}'], ready: {{http: {{path: /}}}}}}}}\n  \
             ask: {{uses: http, with: {{url: '{{{{ steps.srv.url }}}}/'}}}}\n  \
             race: {{uses: compare, isolate: true, timeout: 1m, with: {{baseline: {}, candidate: {}, metric: {{value: wall_time, better: lower}}, pairs: 6}}}}\n  \
             each_one: {{uses: command, isolate: true, foreach: {{name: [a, b]}}, with: {{shell: 'touch {{{{ run.scratch | q }}}}/{{{{ each.name | q }}}}; ! touch {{{{ run.dir | q }}}}/{{{{ each.name | q }}}}'}}}}\n  \
             again: {{uses: command, isolate: true, retry: {{max: 2, backoff: {{first: 10ms}}}}, with: {{shell: 'echo x >> {{{{ run.scratch | q }}}}/n; test $(wc -l < {{{{ run.scratch | q }}}}/n) = 2'}}}}\n  \
             token: {{uses: command, isolate: true, pass_env: [TOKEN], with: {{shell: 'echo got $TOKEN; echo err $TOKEN > /dev/stderr; ! touch {{{{ run.dir | q }}}}/x'}}}}\n  \
             big: {{uses: command, isolate: true, on_fail: warn, timeout: 30s, resources: {{memory: 64MiB}}, with: {{argv: [/usr/bin/env, python3, -c, 'import time; x = bytearray(200 << 20); time.sleep(20)']}}}}\n",
            argv("0.2"),
            argv("0.02"),
        ),
    );
    scene.assay(&["run", &file]).expect(0);
    assert_eq!(scene.printed("srv").lines().next(), Some("denied"));
    assert_eq!(scene.finished("race")["outputs"]["verdict"], "better");
    assert_eq!(scene.finished("again")["attempt"], 2);
    assert_eq!(scene.printed("token"), "got ***\n".replace("***", mask(&scene.printed("token"))));
    assert!(!scene.delivered(scene.finished("token")["stderr"].as_str().unwrap()).contains("a-long-secret"));
    let reason = scene.finished("big")["reason"].to_string();
    assert!(reason.contains("memory"), "{reason}");
    let marker = scene.dir().join("serve.py").to_string_lossy().into_owned();
    assert_eq!(processes_with(&marker), []);
}

/// What stands in place of the secret; the secret itself would not do.
fn mask(printed: &str) -> &str {
    let mask = printed.strip_prefix("got ").expect("what it printed").trim_end();
    assert!(!mask.is_empty() && !mask.contains("secret-value"), "{mask}");
    mask
}

#[test]
fn a_step_without_a_process_refuses_it_with_a_way_out() {
    let scene = Scene::new();
    scene.skill("inner", "steps:\n  a: {uses: command, with: {argv: ['true']}}\n");
    for (step, way_out) in [
        ("{uses: http, isolate: true, with: {url: 'http://127.0.0.1:1/'}}", "remove `isolate`"),
        ("{uses: approval, isolate: true, with: {prompt: ok?, choices: [yes, no]}}", "remove `isolate`"),
        ("{uses: 'skill:inner', isolate: true}", "the steps inside"),
        (
            "{uses: server, isolate: true, detach: true, with: {argv: ['true'], ready: {tcp: true}}}",
            "one of the two",
        ),
    ] {
        let file = scene.workflow("refused", &format!("steps:\n  a: {step}\n"));
        for verb in ["plan", "run"] {
            let done = scene.assay(&[verb, &file, "--json"]).expect(11).json();
            let all = done["diagnostics"].as_array().unwrap();
            let finding = all.iter().find(|finding| finding["message"].to_string().contains("`isolate`"));
            let finding = finding.unwrap_or_else(|| panic!("{done}"));
            assert_eq!(finding["code"], "wrong-field", "{finding}");
            assert!(finding["help"][0].as_str().unwrap().contains(way_out), "{finding}");
        }
    }
}

/// Runs the rest of its arguments on a kernel that answers every question about Landlock with ENOSYS, as one without it does.
const WITHOUT_LANDLOCK: &str = r#"
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
code = lambda *rows: b"".join(struct.pack("HBBI", *row) for row in rows)
rows = code((0x20, 0, 0, 0), (0x15, 0, 1, 444), (0x06, 0, 0, 0x00050000 | 38), (0x06, 0, 0, 0x7fff0000))
text = ctypes.create_string_buffer(rows)
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 4, ctypes.addressof(text)))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0, ctypes.get_errno()
os.execv(sys.argv[1], sys.argv[1:])
"#;

#[test]
fn a_kernel_without_landlock_is_unsupported_and_nothing_runs_unprotected() {
    let scene = Scene::new();
    let file = scene.workflow(
        "without",
        "steps:\n  a: {uses: command, isolate: true, retry: {max: 3}, with: {shell: 'touch {{ skill.dir | q }}/ran'}}\n  \
         b: {uses: command, with: {argv: ['true']}}\n  \
         srv: {uses: server, isolate: true, with: {argv: [touch, '{{ skill.dir }}/ran'], ready: {tcp: true}}}\n  \
         race: {uses: compare, isolate: true, with: {baseline: {argv: [touch, '{{ skill.dir }}/ran']}, candidate: {argv: ['true']}, metric: {value: wall_time, better: lower}, pairs: 6}}\n",
    );
    let script = scene.write("without.py", WITHOUT_LANDLOCK);
    let binary = scene.command(&["run", &file]);
    let mut command = Command::new("python3");
    command.arg(script).arg(binary.get_program()).args(binary.get_args());
    command.current_dir(scene.dir()).env_clear().stdin(Stdio::null());
    command.envs(binary.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().expect("python3");
    assert_eq!(output.status.code(), Some(40), "{}", String::from_utf8_lossy(&output.stderr));
    let statuses = scene.statuses();
    assert_eq!(statuses["b"], "passed");
    for step in ["a", "srv", "race"] {
        let end = scene.finished(step);
        assert_eq!((&end["status"], &end["attempt"]), (&json!("unsupported"), &json!(1)), "{end}");
        assert!(end["reason"].as_str().unwrap().contains("Landlock"), "{end}");
    }
    assert!(!scene.dir().join("ran").exists());
}

/// A folder that stands in a second place, taken away again at the end.
struct Bind(std::path::PathBuf);

impl Drop for Bind {
    fn drop(&mut self) {
        // A failed unmount shows when the scene cannot be removed.
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_second_way_to_the_records_is_closed_too() {
    let scene = Scene::new();
    let (other, runs) = (scene.dir().join("other"), scene.dir().join("runs"));
    std::fs::create_dir_all(&other).unwrap();
    std::fs::create_dir_all(&runs).unwrap();
    let mounted = Command::new("mount").arg("--bind").args([&runs, &other]).stderr(Stdio::null()).status();
    if !mounted.is_ok_and(|status| status.success()) {
        // Only root may mount.
        return;
    }
    let _bind = Bind(other);
    let file = scene.workflow(
        "alias",
        "steps:\n  a: {uses: command, isolate: true, with: {shell: 'cd {{ skill.dir | q }}/other/*{{ run.id | q }} && timeout 5 sh -c \"until test -s journal.jsonl; do sleep 0.01; done\" && ! echo x >> journal.jsonl'}}\n",
    );
    scene.assay(&["run", &file]).expect(0);
}

#[test]
fn a_link_in_place_of_a_folder_of_its_own_is_not_followed() {
    let scene = Scene::new();
    let file = scene.workflow(
        "swap",
        "steps:\n  swap: {uses: command, with: {shell: 'rmdir {{ run.scratch | q }} && ln -s {{ run.dir | q }} {{ run.scratch | q }}'}}\n  \
         a: {uses: command, isolate: true, needs: [swap], with: {shell: 'echo x >> {{ run.dir | q }}/journal.jsonl'}}\n",
    );
    scene.assay(&["run", &file]).expect(21);
    let end = scene.finished("a");
    assert!(end["reason"].as_str().unwrap().contains("a link"), "{end}");
    assert_eq!(end["exit"], Value::Null, "it did not run");
}

#[test]
fn a_start_takes_milliseconds() {
    let scene = Scene::new();
    let file = scene.workflow(
        "many",
        "steps:\n  a: {uses: command, isolate: true, foreach: {n: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}, with: {argv: ['true']}}\n",
    );
    let begin = Instant::now();
    scene.assay(&["run", &file]).expect(0);
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}
