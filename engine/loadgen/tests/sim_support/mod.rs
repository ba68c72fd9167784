//! A simulated server in a thread, and a client of a few lines that shares nothing with the real one.
#![allow(dead_code, reason = "each test program uses its part")]

use assay_loadgen::sim::{Config, Ended, Server, Truth};
use serde_json::{Value, json};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Longest wait for anything.
pub const LIMIT: Duration = Duration::from_secs(30);

pub struct Sim {
    pub port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Ended>>,
    lines: Arc<Mutex<Vec<String>>>,
}

/// An answer that was read whole, or as far as it came.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
    /// Data of each event and when it was read.
    pub events: Vec<(Instant, String)>,
    /// The body came to its end as HTTP has it.
    pub complete: bool,
}

/// A connection.
pub struct Wire {
    pub stream: TcpStream,
    buffer: Vec<u8>,
}

pub fn config(value: Value) -> Config {
    serde_json::from_value(value).expect("a configuration")
}

impl Sim {
    pub fn start(value: Value) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (kept, asked) = (Arc::clone(&lines), Arc::clone(&stop));
        let address: SocketAddr = ([127, 0, 0, 1], 0).into();
        let log = move |line: &str| kept.lock().expect("no panic").push(line.to_owned());
        let server = Server::bind(config(value), address).expect("a port").on_log(Arc::new(log));
        let port = server.port();
        let thread = std::thread::spawn(move || server.run(&asked).expect("a loop"));
        Self { port, stop, thread: Some(thread), lines }
    }

    /// Started, and answers.
    pub fn ready(value: Value) -> Self {
        let sim = Self::start(value);
        eventually(|| sim.try_get("/health").is_some_and(|answer| answer.status == 200));
        sim
    }

    pub fn wire(&self) -> Wire {
        self.try_wire().expect("a connection")
    }

    fn try_wire(&self) -> Option<Wire> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        stream.set_nodelay(true).expect("no delay");
        Some(Wire { stream, buffer: Vec::new() })
    }

    pub fn try_get(&self, path: &str) -> Option<Answer> {
        let mut wire = self.try_wire()?;
        wire.send(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"));
        Some(wire.answer())
    }

    pub fn get(&self, path: &str) -> Answer {
        self.try_get(path).expect("a connection")
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        let mut wire = self.wire();
        wire.post(path, body);
        wire.answer()
    }

    pub fn truth(&self) -> Truth {
        let answer = self.get("/truth");
        serde_json::from_slice(&answer.body).expect("the account")
    }

    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("no panic").clone()
    }

    /// Waits for its own end.
    pub fn ended(mut self) -> Ended {
        self.thread.take().expect("not joined yet").join().expect("no panic")
    }

    /// Asks it to end.
    pub fn stop(self) -> Ended {
        self.stop.store(true, Ordering::Relaxed);
        self.ended()
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Wire {
    pub fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).expect("a socket that takes it");
    }

    pub fn post(&mut self, path: &str, body: &Value) {
        let body = body.to_string();
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ));
    }

    /// Reads one answer.
    pub fn answer(&mut self) -> Answer {
        let mut answer = Answer::default();
        let Some(head) = self.until(b"\r\n\r\n") else { return answer };
        answer.head = String::from_utf8(head).expect("text").to_ascii_lowercase();
        answer.status = answer.head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
        if answer.head.contains("transfer-encoding: chunked") {
            self.chunks(&mut answer);
        } else {
            let length = answer.head.split("content-length: ").nth(1).expect("a length");
            let length = length.lines().next().and_then(|text| text.parse().ok()).expect("a number");
            answer.complete = self.fill(length);
            answer.body = self.buffer.drain(..length.min(self.buffer.len())).collect();
        }
        answer
    }

    fn chunks(&mut self, answer: &mut Answer) {
        loop {
            let Some(line) = self.until(b"\r\n") else { return };
            let text = String::from_utf8_lossy(&line);
            let Ok(size) = usize::from_str_radix(text.trim(), 16) else { return };
            if !self.fill(size + 2) {
                return;
            }
            let chunk: Vec<u8> = self.buffer.drain(..size + 2).take(size).collect();
            if size == 0 {
                answer.complete = true;
                return;
            }
            let text = String::from_utf8_lossy(&chunk);
            let data = text.strip_prefix("data: ").expect("an event").trim_end().to_owned();
            answer.events.push((Instant::now(), data));
            answer.body.extend_from_slice(&chunk);
        }
    }

    /// Bytes up to this mark and with it; `None` at the end of the connection.
    fn until(&mut self, mark: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.buffer.windows(mark.len()).position(|part| part == mark) {
                return Some(self.buffer.drain(..at + mark.len()).collect());
            }
            if !self.more() {
                return None;
            }
        }
    }

    fn fill(&mut self, size: usize) -> bool {
        while self.buffer.len() < size {
            if !self.more() {
                return false;
            }
        }
        true
    }

    fn more(&mut self) -> bool {
        let mut room = [0; 16 << 10];
        match self.stream.read(&mut room) {
            Ok(0) => false,
            Ok(count) => {
                self.buffer.extend_from_slice(&room[..count]);
                true
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            Err(_) => false,
        }
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{error}: {}", String::from_utf8_lossy(&self.body));
        })
    }

    /// Events that are JSON.
    pub fn objects(&self) -> Vec<Value> {
        self.events.iter().filter_map(|(_, data)| serde_json::from_str(data).ok()).collect()
    }

    /// Text of each token of an OpenAI stream, with when it was read.
    pub fn tokens(&self) -> Vec<(Instant, String)> {
        let read = |(at, data): &(Instant, String)| {
            let value: Value = serde_json::from_str(data).ok()?;
            let choice = &value["choices"][0];
            let text = choice["text"].as_str().or(choice["delta"]["content"].as_str())?;
            (!text.is_empty()).then(|| (*at, text.to_owned()))
        };
        self.events.iter().filter_map(read).collect()
    }

    pub fn text(&self) -> String {
        self.tokens().into_iter().map(|(_, text)| text).collect()
    }

    pub fn is_done(&self) -> bool {
        self.complete && self.events.last().is_some_and(|(_, data)| data == "[DONE]")
    }
}

/// Body of a streamed completion with this many prompt and output tokens.
pub fn completion(input: u32, output: u32) -> Value {
    json!({
        "model": "sim", "prompt": vec![7; input as usize], "max_tokens": output, "stream": true,
        "ignore_eos": true, "stream_options": {"include_usage": true}
    })
}

pub fn eventually(mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < LIMIT, "waited too long");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
