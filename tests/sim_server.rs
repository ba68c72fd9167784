//! `assay sim-server`: standing in for a framework's command, configuration files, ends of every kind.

mod support;

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStderr};
use std::time::Duration;
use support::{Scene, eventually, finish, kill, processes_with};

/// A server that listens, and the rest of its log.
struct Served {
    child: Child,
    log: BufReader<ChildStderr>,
    seen: String,
    port: u16,
}

impl Served {
    fn start(scene: &Scene, args: &[&str]) -> Self {
        let mut child = scene.start(&[&["sim-server"], args].concat());
        let log = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut served = Self { child, log, seen: String::new(), port: 0 };
        while served.port == 0 {
            let from = served.seen.len();
            let read = served.log.read_line(&mut served.seen).expect("a log");
            assert!(read > 0, "it ended: {}", served.seen);
            if let Some((_, port)) = served.seen[from..].trim_end().split_once(" listens on port ") {
                served.port = port.parse().expect("a port");
            }
        }
        served
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .expect("a socket");
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text);
        text
    }

    fn json(&self, path: &str) -> Value {
        let text = self.ask("GET", path, "");
        serde_json::from_str(text.split_once("\r\n\r\n").expect("a body").1).expect("JSON")
    }

    /// Ends it with a signal: exit code, standard output, log.
    fn end(mut self, signal: Option<&str>) -> (i32, String, String) {
        if let Some(signal) = signal {
            kill(self.child.id(), signal);
        }
        self.log.read_to_string(&mut self.seen).expect("a log");
        let done = finish(self.child);
        (done.code, done.stdout, self.seen)
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).expect("a port").port()
}

#[test]
fn it_stands_in_for_the_command_of_a_framework() {
    let scene = Scene::new();
    let port = free_port().to_string();
    for signal in ["TERM", "INT"] {
        let args = [
            "--json",
            "--flood",
            "--as",
            "sglang",
            "--",
            "python",
            "-m",
            "sglang.launch_server",
            "--model-path",
            "/m/tiny",
            "--port",
            &port,
            "--tp-size",
            "2",
            "--enable-odd-thing",
        ];
        let served = Served::start(&scene, &args);
        assert_eq!(served.port.to_string(), port);
        assert_eq!(served.json("/v1/models")["data"][0]["id"], "/m/tiny");
        let info = served.json("/server_info");
        assert_eq!((info["tp_size"].as_u64(), info["enable_odd_thing"].as_bool()), (Some(2), Some(true)));
        let answer = served.ask("POST", "/v1/completions", r#"{"prompt": [1, 2], "max_tokens": 5}"#);
        assert!(answer.contains("\"completion_tokens\":5"), "{answer}");
        let (code, stdout, log) = served.end(Some(signal));
        assert_eq!(code, 0, "{log}");
        assert!(log.contains("The server is fired up and ready to roll!"), "{log}");
        let answer: Value = serde_json::from_str(&stdout).expect("one object");
        assert_eq!((&answer["data"]["tokens"], &answer["data"]["requests"]), (&5.into(), &1.into()));
    }
}

#[test]
fn a_command_needs_no_dashes_and_flags_win() {
    let scene = Scene::new();
    let args = ["--as", "vllm", "--port", "0", "--model", "mine", "vllm", "serve", "M", "--port", "1", "--x"];
    let served = Served::start(&scene, &args);
    assert_ne!(served.port, 1);
    assert_eq!(served.json("/v1/models")["data"][0]["id"], "mine");
    assert_eq!(served.json("/server_info")["argv"].as_array().map(Vec::len), Some(6));
    assert_eq!(served.end(Some("TERM")).0, 0);
}

#[test]
fn a_file_says_the_rest() {
    let scene = Scene::new();
    scene.write(
        "conf/server.yaml",
        "model: tiny\npace: {kind: engine, base_ms: 1}\nprofile: {dir: traces, flush_s: 0}\n",
    );
    let served = Served::start(&scene, &["--config", "conf/server.yaml"]);
    assert_eq!(served.json("/server_info")["pace"]["kind"], "engine");
    assert!(served.ask("POST", "/start_profile", "").starts_with("HTTP/1.1 200"));
    assert!(scene.dir().join("conf/traces/server_args.json").exists(), "paths start at the file");
    assert_eq!(served.end(Some("TERM")).0, 0);
    scene.write("wrong.yaml", "pace: {kind: paced, ttft_ms: 1}\n");
    let done = scene.assay(&["sim-server", "--config", "wrong.yaml"]).expect(11);
    assert!(
        done.stderr.contains("itl_ms") && done.stderr.contains("assay schema sim-server"),
        "{}",
        done.stderr
    );
    scene.write("odd.yaml", "speed: 1\n");
    assert!(scene.assay(&["sim-server", "--config", "odd.yaml"]).expect(11).stderr.contains("speed"));
    scene.assay(&["sim-server", "--config", "missing.yaml"]).expect(2);
    assert!(scene.assay(&["sim-server", "--ttft-ms=-1"]).expect(11).stderr.contains("ttft_ms"));
}

#[test]
fn it_ends_as_the_real_ones_do() {
    let scene = Scene::new();
    let fail = |name: &str, failure: &str| {
        scene.write(&format!("{name}.yaml"), format!("pace: {{kind: flood}}\nfailures: [{failure}]\n"));
        format!("{name}.yaml")
    };
    let out_of_memory = fail("oom", "{kind: oom_at_start}");
    let done = scene.assay(&["sim-server", "--config", &out_of_memory]).expect(1);
    assert!(done.stderr.contains("CUDA out of memory"), "{}", done.stderr);
    let flag = fail("flag", "{kind: unknown_flag}");
    let done =
        scene.assay(&["sim-server", "--config", &flag, "--as", "vllm", "--", "vllm", "serve", "M", "--odd"]);
    assert!(done.expect(2).stderr.contains("unrecognized arguments: --odd"));
    let crash = fail("crash", "{kind: crash, when: on_start}");
    let served = Served::start(&scene, &["--config", &crash]);
    let cut = served.ask("POST", "/v1/completions", r#"{"prompt": [1], "max_tokens": 9, "stream": true}"#);
    assert!(cut.contains("data: ") && !cut.contains("[DONE]"), "{cut}");
    let (code, _, log) = served.end(None);
    assert!(code == 134 && log.contains("CUDA error"), "{code}: {log}");
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let done = scene.assay(&["sim-server", "--port", &port]).expect(1);
    assert!(done.stderr.contains("in use") && done.stderr.contains("--port"), "{}", done.stderr);
}

#[test]
fn a_child_lives_on() {
    let scene = Scene::new();
    // A length of sleep that no other test has.
    scene.write("stray.yaml", "failures: [{kind: leave_child, seconds: 61.317, own_group: true}]\n");
    let served = Served::start(&scene, &["--config", "stray.yaml"]);
    assert_eq!(served.end(Some("TERM")).0, 0);
    let strays = processes_with("sleep 61.317");
    assert_eq!(strays.len(), 1, "{strays:?}");
    kill(strays[0].0, "KILL");
    assert!(eventually(Duration::from_secs(5), || processes_with("sleep 61.317").is_empty()));
}
