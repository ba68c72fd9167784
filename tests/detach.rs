//! Detached servers: they outlive their engine, hold their locks, are adopted on resume, and are gone when they should be.
#![expect(clippy::unwrap_used, reason = "what helpers find amiss fails the test, too")]

mod support;

use serde_json::Value;
use std::process::Child;
use std::time::Duration;
use support::{Scene, eventually, finish, kill, processes_with};

const LIMIT: Duration = Duration::from_secs(20);

/// A server that counts its probes in a file, has a child in a session of its own, and is unwell while a file `sick` is
/// there; with `never` it is never ready.
const SERVE: &str = r#"
import http.server, os, subprocess, sys
port, folder = int(sys.argv[1]), os.path.dirname(os.path.abspath(sys.argv[0]))
subprocess.Popen(['sleep', '600.' + str(port)], start_new_session=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == '/health':
            open(folder + '/probes', 'a').write('probe\n')
        sick = os.path.exists(folder + '/sick') or len(sys.argv) > 2
        self.send_response(503 if sick and self.path == '/health' else 200)
        self.send_header('Content-Length', '0')
        self.end_headers()
    def log_message(self, *args): pass
server = http.server.HTTPServer(('127.0.0.1', port), Handler)
print('serving on', port, flush=True)
server.serve_forever()
"#;

/// `asked` ends at once; `user` waits for a file `go`.
const BODY: &str = "\
steps:
  srv:
    uses: server
    detach: true
    timeout: 5m
    resources: {locks: [the-lock]}
    with:
      argv: [/usr/bin/env, python3, '{{ skill.dir }}/serve.py', '{{ self.port }}'MORE]
      ready: {http: {path: /health}, log: '^serving on', interval: 50ms, timeout: 5s}
      stop: {grace: 2s}
  asked: {uses: http, bind: epoch, with: {url: '{{ steps.srv.url }}/x'}}
  user:
    needs: [srv, asked]
    uses: command
    with: {shell: 'touch {{ skill.dir | q }}/up; while [ ! -e {{ skill.dir | q }}/go ]; do sleep 0.05; done'}
";

/// The scene of one test. Whatever a failed one leaves is killed.
struct Stage(Scene);

impl Drop for Stage {
    fn drop(&mut self) {
        for _ in 0..2 {
            for (pid, _) in self.left() {
                kill(pid, "KILL");
            }
        }
    }
}

impl Stage {
    fn new() -> Self {
        let scene = Scene::new();
        scene.write("serve.py", SERVE);
        scene.workflow("served", &BODY.replace("MORE", ""));
        Self(scene)
    }

    /// Starts the run and waits until something uses the server.
    fn under_way() -> (Self, Child) {
        let stage = Self::new();
        let run = stage.0.start(&["run", "served.yaml"]);
        assert!(eventually(LIMIT, || stage.0.dir().join("up").exists()), "the server is used");
        (stage, run)
    }

    /// Processes of the run's server, its child in another session included, and its keepers.
    fn left(&self) -> Vec<(u32, String)> {
        let marker = self.0.dir().join("serve.py").to_string_lossy().into_owned();
        let mut left = processes_with(&marker);
        if self.0.has_run() {
            for ready in self.0.events("step_ready") {
                left.extend(processes_with(&format!("sleep 600.{}", ready["outputs"]["port"])));
            }
            let run = self.0.run_dir();
            let id = run.to_str().unwrap().rsplit('-').next().unwrap().to_owned();
            left.extend(processes_with(&format!("__keep {id}/")));
        }
        left
    }

    fn nothing_left(&self) {
        assert!(eventually(Duration::from_secs(5), || self.left().is_empty()), "left: {:?}", self.left());
    }

    fn engine(&self, who: &str) -> u32 {
        u32::try_from(self.0.events("engine_started").pop().unwrap()[who]["pid"].as_u64().unwrap()).unwrap()
    }

    fn process(&self, who: &str) -> u32 {
        u32::try_from(self.0.events("step_process").pop().unwrap()[who]["pid"].as_u64().unwrap()).unwrap()
    }

    fn is_there(&self) -> bool {
        let server = self.process("process");
        self.left().iter().any(|(pid, _)| *pid == server)
    }

    fn go(&self) {
        self.0.write("go", "");
    }

    fn probes(&self) -> usize {
        std::fs::read_to_string(self.0.dir().join("probes")).unwrap_or_default().lines().count()
    }

    /// Resumes, and says that the server was adopted and nothing was repeated.
    #[track_caller]
    fn is_adopted(&self) {
        let before = (self.process("process"), self.probes());
        self.go();
        let done = self.0.assay(&["resume", "latest"]).expect(0);
        let ready = self.0.events("step_ready");
        assert_eq!(ready.len(), 2, "{ready:?}");
        assert!(ready[1]["adopted"].as_str().unwrap().contains("adopted"), "{ready:?}");
        assert_eq!(
            (&ready[0]["outputs"], &ready[0]["attempt"]),
            (&ready[1]["outputs"], &ready[1]["attempt"])
        );
        assert_eq!(ready[1]["outputs"]["pid"], before.0);
        assert!(self.probes() > before.1, "it was probed again");
        assert_eq!(self.starts("srv"), 1, "no new attempt");
        assert_eq!(self.starts("asked"), 1, "the server is the same, so its epoch is");
        assert!(done.stderr.contains("adopted"), "{done:?}");
        assert_eq!(self.0.statuses()["srv"], "passed");
        assert!(self.0.printed("srv").contains("serving on"), "its log is kept");
        self.nothing_left();
    }

    fn starts(&self, step: &str) -> usize {
        self.0.events("step_started").iter().filter(|start| start["step"] == step).count()
    }
}

#[test]
fn it_outlives_whoever_is_killed_and_is_adopted() {
    for victims in [
        &["engine"][..],
        &["supervisor"],
        &["front"],
        &["supervisor", "engine"],
        &["front", "supervisor", "engine"],
    ] {
        let (stage, run) = Stage::under_way();
        let pids: Vec<u32> = victims.iter().map(|who| stage.engine(who)).collect();
        for pid in pids {
            kill(pid, "KILL");
        }
        let done = finish(run);
        assert!(matches!(done.code, 130 | 137), "{victims:?}: {done:?}");
        if !victims.contains(&"front") {
            assert!(done.stderr.contains("still runs") && done.stderr.contains("assay cancel"), "{done:?}");
        }
        let user = stage.0.dir().join("go").to_string_lossy().into_owned();
        // With all three gone at once it is the resume that ends what is left.
        let swept = || victims.len() == 3 || processes_with(&user).is_empty();
        assert!(eventually(Duration::from_secs(2), swept), "{victims:?}");
        std::thread::sleep(Duration::from_millis(300));
        assert!(stage.is_there(), "{victims:?}");
        let status = stage.0.assay(&["status", "--json"]).expect(130).json();
        assert_eq!(status["data"]["still_running"][0]["pid"], stage.process("process"), "{status}");
        stage.is_adopted();
    }
}

#[test]
fn ctrl_c_leaves_it_and_says_so() {
    let (stage, run) = Stage::under_way();
    kill(run.id(), "INT");
    let done = finish(run).expect(130);
    let pid = stage.process("process");
    assert!(done.stderr.contains("`srv` still runs"), "{done:?}");
    assert!(done.stderr.contains(&format!("pid {pid}")) && done.stderr.contains("assay cancel"), "{done:?}");
    assert!(stage.is_there());
    stage.is_adopted();
}

#[test]
fn a_second_interruption_leaves_an_adopted_one_too() {
    let (stage, run) = Stage::under_way();
    kill(run.id(), "INT");
    finish(run).expect(130);
    std::fs::remove_file(stage.0.dir().join("up")).unwrap();
    let again = stage.0.start(&["resume", "latest"]);
    assert!(eventually(LIMIT, || stage.0.dir().join("up").exists()));
    kill(stage.engine("engine"), "KILL");
    finish(again).expect(130);
    assert!(stage.is_there());
    stage.go();
    stage.0.assay(&["resume", "latest"]).expect(0);
    assert_eq!((stage.starts("srv"), stage.0.events("step_ready").len()), (1, 3));
    stage.nothing_left();
}

#[test]
fn its_locks_hold_in_between() {
    let (stage, run) = Stage::under_way();
    let port = stage.0.events("step_ready")[0]["outputs"]["port"].clone();
    kill(stage.engine("engine"), "KILL");
    finish(run).expect(130);
    // Another folder of runs, the same locks of the host.
    let other = |name: &str, step: &str| {
        stage.0.workflow(name, &format!("steps:\n  a: {step}\n"));
        stage.0.start(&["run", &format!("{name}.yaml"), "--runs-dir", "others", "--no-report"])
    };
    let taken = other(
        "port",
        &format!(
            "{{uses: server, with: {{argv: ['true'], port: {port}, ready: {{tcp: true}}}}, timeout: 1m}}"
        ),
    );
    let taken = finish(taken).expect(21);
    assert!(taken.stdout.contains("is held by step `srv`"), "{taken:?}");
    let mut waits = other("name", "{uses: command, resources: {locks: [the-lock]}, with: {argv: ['true']}}");
    std::thread::sleep(Duration::from_secs(1));
    assert!(waits.try_wait().unwrap().is_none(), "the keeper holds the lock");
    stage.0.assay(&["cancel", "latest"]).expect(0);
    finish(waits).expect(0);
    stage.nothing_left();
}

#[test]
fn a_dead_or_sick_one_is_started_anew() {
    for how in ["killed", "sick", "changed"] {
        let (stage, run) = Stage::under_way();
        kill(stage.engine("engine"), "KILL");
        finish(run).expect(130);
        match how {
            "killed" => {
                kill(stage.process("process"), "KILL");
                stage.nothing_left();
            }
            "sick" => {
                stage.0.write("sick", "");
                stage.go();
                let resumed = stage.0.start(&["resume", "latest"]);
                assert!(eventually(LIMIT, || stage.starts("srv") == 2), "replaced");
                std::fs::remove_file(stage.0.dir().join("sick")).unwrap();
                finish(resumed).expect(0);
            }
            _ => {
                let changed =
                    BODY.replace("MORE", "").replace("/x'", "/x?2'").replace("grace: 2s", "grace: 3s");
                stage.0.workflow("served", &changed);
            }
        }
        stage.go();
        stage.0.assay(&["resume", "latest"]).expect(0);
        assert_eq!(stage.starts("srv"), 2, "{how}");
        let ready = stage.0.events("step_ready");
        assert!(ready.len() == 2 && ready[1].get("adopted").is_none(), "{how}: {ready:?}");
        assert_eq!(stage.starts("asked"), 2, "{how}: it is bound to the epoch");
        stage.nothing_left();
    }
}

#[test]
fn one_that_nothing_needs_any_more_is_stopped() {
    let (stage, run) = Stage::under_way();
    kill(stage.engine("engine"), "KILL");
    finish(run).expect(130);
    let without =
        BODY.replace("MORE", "").replace("  user:", "  other:").replace("needs: [srv, asked]", "needs: []");
    let without = without.split("  srv:").next().unwrap().to_owned()
        + "  other: {uses: command, with: {argv: ['true']}}\n";
    stage.0.workflow("served", &without);
    stage.0.assay(&["resume", "latest"]).expect(0);
    assert_eq!(stage.starts("srv"), 1);
    stage.nothing_left();
}

#[test]
fn cancel_stops_it_whether_an_engine_is_there_or_not() {
    let (stage, run) = Stage::under_way();
    kill(stage.engine("engine"), "KILL");
    finish(run).expect(130);
    let done = stage.0.assay(&["cancel", "latest", "--json"]).expect(0).json();
    assert_eq!(done["data"]["stopped"][0]["step"], "srv", "{done}");
    stage.nothing_left();
    let status = stage.0.assay(&["status", "--json"]).expect(130).json();
    assert_eq!(status["data"]["still_running"], Value::Array(Vec::new()));
    assert_eq!(stage.0.assay(&["cancel", "latest"]).code, 3, "nothing is left to stop");
    std::fs::remove_file(stage.0.dir().join("up")).unwrap();
    let again = stage.0.start(&["resume", "latest"]);
    assert!(eventually(LIMIT, || stage.0.dir().join("up").exists()));
    stage.0.assay(&["cancel", "latest"]).expect(0);
    finish(again).expect(143);
    stage.nothing_left();
}

#[test]
fn a_run_that_ends_or_fails_leaves_none() {
    let stage = Stage::new();
    stage.go();
    stage.0.assay(&["run", "served.yaml"]).expect(0);
    assert_eq!(stage.0.statuses()["srv"], "passed");
    stage.nothing_left();
    let fails = BODY.replace("MORE", "").replace("touch {{", "exit 3; touch {{");
    stage.0.workflow("served", &fails);
    stage.0.assay(&["run", "served.yaml"]).expect(21);
    stage.nothing_left();
}

#[test]
fn killed_before_it_is_ready_leaves_nothing() {
    for who in ["engine", "supervisor", "front"] {
        let stage = Stage::new();
        stage.0.workflow("served", &BODY.replace("MORE", ", never"));
        let run = stage.0.start(&["run", "served.yaml"]);
        assert!(eventually(LIMIT, || stage.probes() > 1), "it is asked, and not ready");
        kill(stage.engine(who), "KILL");
        finish(run);
        stage.nothing_left();
    }
}

#[test]
fn a_killed_keeper_takes_it_along_and_fails_the_step() {
    let (stage, run) = Stage::under_way();
    kill(stage.process("keeper"), "KILL");
    finish(run).expect(21);
    let reason = stage.0.finished("srv")["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("keeper") && reason.contains("serving on"), "{reason}");
    assert_eq!(stage.0.statuses()["user"], "failed");
    stage.nothing_left();
}

#[test]
fn only_servers_can_be_detached() {
    let stage = Stage::new();
    stage.0.workflow("served", "steps:\n  a: {uses: command, detach: true, with: {argv: ['true']}}\n");
    let done = stage.0.assay(&["run", "served.yaml", "--json"]).expect(11).json();
    assert_eq!(done["diagnostics"][0]["code"], "wrong-field", "{done}");
}

#[test]
fn one_that_receives_a_secret_is_refused_with_a_way_out() {
    let mut stage = Stage::new();
    stage.0.env("TOKEN", "hunter2hunter2");
    let with_secret = BODY.replace("MORE", "").replace("detach: true", "detach: true\n    pass_env: [TOKEN]");
    stage.0.workflow("served", &format!("secrets: [TOKEN]\n{with_secret}"));
    stage.0.assay(&["run", "served.yaml"]).expect(21);
    let reason = stage.0.finished("srv")["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("secret") && reason.contains("remove `detach`"), "{reason}");
    stage.nothing_left();
}
