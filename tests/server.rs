//! Servers: readiness, ports, the time they are there, death while in use; `http` steps that ask them.

mod support;

use serde_json::json;
use std::net::TcpListener;
use std::time::{Duration, Instant};
use support::{Scene, eventually, processes_with};

/// A server on `self.port` that tells about itself, ends when asked to, and fails when asked to.
const SERVE: &str = r#"
import http.server, json, os, sys, time
port, slow = int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 0
begun, polls = time.time(), [0]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        polls[0] += 1
        if self.path == '/die':
            print('about to die', flush=True)
            os._exit(9)
        code = 503 if self.path == '/health' and time.time() - begun < slow else 200
        body = json.dumps({'path': self.path, 'polls': polls[0], 'ok': code == 200}).encode()
        self.send_response(code)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get('Content-Length', 0)))
        self.send_response(201)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
server = http.server.HTTPServer(('127.0.0.1', port), Handler)
print('serving on', port, flush=True)
server.serve_forever()
"#;

fn scene() -> Scene {
    let scene = Scene::new();
    scene.write("serve.py", SERVE);
    scene
}

fn no_server_left(scene: &Scene) {
    let marker = scene.dir().join("serve.py").to_string_lossy().into_owned();
    let gone = eventually(Duration::from_secs(2), || processes_with(&marker).is_empty());
    assert!(gone, "left running: {:?}", processes_with(&marker));
}

const SRV: &str =
    "uses: server, with: {argv: [/usr/bin/env, python3, '{{ skill.dir }}/serve.py', '{{ self.port }}'";

#[test]
fn each_way_of_readiness_holds_and_the_server_stops_after_its_last_dependent() {
    for ready in [
        "{tcp: true}",
        "{log: '^serving on'}",
        "{http: {path: /health}}",
        "{http: {path: /health, status: 200, contains: ok}, log: serving, tcp: true}",
    ] {
        let scene = scene();
        let file = scene.workflow(
            "ready",
            &format!(
                "steps:\n  srv: {{{SRV}], ready: {ready}}}, timeout: 1m}}\n  \
                 ask: {{uses: http, with: {{url: '{{{{ steps.srv.url }}}}/x'}}}}\n  \
                 same: {{uses: command, with: {{argv: [echo, '{{{{ steps.srv.port }}}} {{{{ steps.srv.url }}}}']}}}}\n  \
                 late: {{uses: command, needs: [ask], with: {{argv: [sleep, '0.5']}}}}\n\
                 outputs:\n  path: {{value: steps.ask.result.path, type: string}}\n"
            ),
        );
        scene.assay(&["run", &file]).expect(0);
        assert_eq!(scene.outputs()["path"], "/x");
        let printed = scene.printed("same");
        let port = printed.split(' ').next().unwrap();
        assert_eq!(printed.trim(), format!("{port} http://127.0.0.1:{port}"));
        let order: Vec<String> = scene
            .events("step_finished")
            .iter()
            .map(|end| end["step"].as_str().unwrap().to_owned())
            .collect();
        let at = |name: &str| order.iter().position(|step| step == name).unwrap();
        assert!(
            at("srv") > at("ask") && at("srv") < at("late"),
            "stopped when its last reader ended: {order:?}"
        );
        assert_eq!(scene.statuses()["srv"], "passed");
        no_server_left(&scene);
    }
}

#[test]
fn a_server_is_ready_only_once_its_health_says_so() {
    let scene = scene();
    let file = scene.workflow(
        "slow",
        &format!(
            "steps:\n  srv: {{{SRV}, '0.8'], ready: {{http: {{path: /health}}, interval: 50ms}}}}, timeout: 1m}}\n  \
             ask: {{uses: http, with: {{url: '{{{{ steps.srv.url }}}}/health'}}}}\n"
        ),
    );
    scene.assay(&["run", &file]).expect(0);
    assert!(scene.events("step_ready")[0]["ready_s"].as_f64().unwrap() >= 0.8);
}

#[test]
fn a_server_that_never_gets_ready_or_ends_early_fails_with_its_log() {
    let scene = scene();
    let file = scene.workflow(
        "never",
        &format!(
            "steps:\n  never: {{{SRV}, '60'], ready: {{http: {{path: /health}}, timeout: 3s}}}}, timeout: 1m}}\n  \
             early: {{uses: server, with: {{shell: 'echo cannot load the model; exit 4', ready: {{tcp: true}}}}, timeout: 1m}}\n  \
             user: {{uses: http, with: {{url: '{{{{ steps.early.url }}}}/'}}}}\n"
        ),
    );
    scene.assay(&["run", &file]).expect(21);
    let never = scene.finished("never")["reason"].as_str().unwrap().to_owned();
    assert!(never.contains("not ready within 3 s") && never.contains("503"), "{never}");
    assert!(never.contains("serving on"), "the tail of its log: {never}");
    let early = scene.finished("early")["reason"].as_str().unwrap().to_owned();
    assert!(early.contains("cannot load the model"), "{early}");
    assert_eq!(scene.statuses()["user"], "blocked");
    no_server_left(&scene);
}

#[test]
fn death_while_in_use_fails_the_users_at_once() {
    let scene = scene();
    let file = scene.workflow(
        "death",
        &format!(
            "steps:\n  srv: {{{SRV}], ready: {{tcp: true}}}}, timeout: 1m}}\n  \
             user: {{uses: command, needs: [srv], with: {{argv: [sleep, '30']}}}}\n  \
             killer: {{uses: http, on_fail: warn, with: {{url: '{{{{ steps.srv.url }}}}/die'}}}}\n  \
             other: {{uses: command, with: {{argv: ['true']}}}}\n"
        ),
    );
    let begin = Instant::now();
    scene.assay(&["run", &file]).expect(21);
    assert!(begin.elapsed() < Duration::from_secs(15), "the user of a dead server went on");
    let statuses = scene.statuses();
    assert_eq!(
        (statuses["srv"].as_str(), statuses["user"].as_str(), statuses["other"].as_str()),
        ("failed", "failed", "passed")
    );
    let reason = scene.finished("srv")["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("exit 9") && reason.contains("about to die"), "{reason}");
    let user = scene.finished("user")["reason"].as_str().unwrap().to_owned();
    assert!(user.contains("`srv`") && user.contains("about to die"), "with the log's tail: {user}");
}

#[test]
fn a_taken_port_is_an_error_that_names_its_holder() {
    let scene = scene();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port();
    let file = scene.workflow(
        "taken",
        &format!("steps:\n  srv: {{{SRV}], port: {port}, ready: {{tcp: true}}}}, timeout: 1m}}\n  use_: {{uses: http, with: {{url: '{{{{ steps.srv.url }}}}/'}}}}\n"),
    );
    scene.assay(&["run", &file]).expect(21);
    let reason = scene.finished("srv")["reason"].as_str().unwrap().to_owned();
    assert!(
        reason.contains(&port.to_string()) && reason.contains(&std::process::id().to_string()),
        "{reason}"
    );
    assert!(reason.contains("never reused"), "{reason}");
    drop(holder);
    scene.assay(&["run", &file]).expect(0);
    assert_eq!(scene.events("step_ready")[0]["outputs"]["port"], port);
}

#[test]
fn servers_of_a_foreach_have_ports_of_their_own_and_finally_may_read_one() {
    let scene = scene();
    let file = scene.workflow(
        "many",
        &format!(
            "steps:\n  srv: {{foreach: {{v: [a, b]}}, {SRV}], ready: {{http: {{path: /health}}}}}}, timeout: 1m}}\n  \
             ask: {{uses: http, with: {{url: \"{{{{ steps.srv['b'].url }}}}/b\"}}}}\n\
             finally:\n  last: {{uses: http, with: {{url: \"{{{{ steps.srv['a'].url }}}}/last\"}}}}\n"
        ),
    );
    scene.assay(&["run", &file]).expect(0);
    let ports: Vec<_> =
        scene.events("step_ready").iter().map(|ready| ready["outputs"]["port"].clone()).collect();
    assert!(ports.len() == 2 && ports[0] != ports[1], "{ports:?}");
    assert_eq!(scene.finished("last")["outputs"]["result"]["path"], "/last");
    no_server_left(&scene);
}

#[test]
fn a_server_that_nobody_reads_ends_with_the_run() {
    let scene = scene();
    let file = scene.workflow(
        "alone",
        &format!("steps:\n  srv: {{{SRV}], ready: {{tcp: true}}}}, timeout: 1m}}\n  other: {{uses: command, with: {{argv: ['true']}}}}\n"),
    );
    scene.assay(&["run", &file]).expect(0);
    no_server_left(&scene);
}

#[test]
fn http_steps_send_check_and_poll() {
    let scene = scene();
    let file = scene.workflow(
        "http",
        &format!(
            "steps:\n  srv: {{{SRV}, '1'], ready: {{tcp: true}}}}, timeout: 1m}}\n  \
             poll: {{uses: http, with: {{url: '{{{{ steps.srv.url }}}}/health', poll: {{until: self.status == 200 and self.json.ok, interval: 100ms, timeout: 20s}}}}}}\n  \
             post: {{uses: http, with: {{url: '{{{{ steps.srv.url }}}}/p', json: {{n: 1, text: ä}}, expect: {{status: 201}}}}}}\n  \
             save: {{uses: http, with: {{url: '{{{{ steps.srv.url }}}}/s', save: '{{{{ run.scratch }}}}/body.json', expect: {{json: {{type: object, required: [path]}}}}}}}}\n  \
             wrong: {{uses: http, on_fail: warn, with: {{url: '{{{{ steps.srv.url }}}}/w', expect: {{status: [404]}}}}}}\n  \
             shape: {{uses: http, on_fail: warn, with: {{url: '{{{{ steps.srv.url }}}}/w', expect: {{json: {{type: object, required: [lost]}}}}}}}}\n  \
             never: {{uses: http, on_fail: warn, with: {{url: '{{{{ steps.srv.url }}}}/n', poll: {{until: 'self.json.path == \"x\"', interval: 50ms, timeout: 400ms}}}}}}\n  \
             far: {{uses: http, on_fail: warn, with: {{url: 'https://example.com/'}}}}\n"
        ),
    );
    scene.assay(&["run", &file]).expect(0);
    assert!(scene.finished("poll")["duration_s"].as_f64().unwrap() > 0.3, "it asked until the answer fitted");
    assert_eq!(scene.finished("post")["outputs"]["http_status"], 201);
    let saved = scene.finished("save")["outputs"]["body_file"].as_str().unwrap().to_owned();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&std::fs::read_to_string(saved).unwrap()).unwrap()["path"],
        json!("/s")
    );
    let statuses = scene.statuses();
    assert_eq!((statuses["wrong"].as_str(), statuses["shape"].as_str()), ("failed", "failed"));
    assert!(scene.finished("wrong")["reason"].to_string().contains("404"));
    assert!(scene.finished("shape")["reason"].to_string().contains("lost"));
    assert!(matches!(statuses["never"].as_str(), "failed" | "timed_out"), "{statuses:?}");
    assert_eq!(statuses["far"], "unsupported");
}
