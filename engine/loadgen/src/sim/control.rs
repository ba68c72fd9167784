//! Requests for anything but tokens, and what all answers have in common.

use super::api::error_body;
use super::config::Pace;
use super::conn::Busy;
use super::http::{Call, Taken, whole};
use super::hub::Hub;
use super::metrics::{self, Load};
use super::routes::{Route, route};
use super::worker::Job;
use serde_json::{Value, json};

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

impl Hub<'_> {
    /// Takes the requests of a connection, as long as none of them has to wait.
    pub fn serve(&mut self, slot: usize) {
        while let Some(conn) = self.conn(slot).filter(|conn| matches!(conn.busy, Busy::Idle) && !conn.closing)
        {
            match conn.incoming.take() {
                Taken::More => return,
                Taken::Continue => self.send(slot, b"HTTP/1.1 100 Continue\r\n\r\n"),
                Taken::Bad(status, reason) => {
                    conn.keep_alive = false;
                    let body = error_body(self.config.framework, status, reason);
                    self.reply(slot, status, JSON, &body);
                }
                Taken::Call(call) => self.call(slot, &call),
            }
        }
    }

    fn call(&mut self, slot: usize, call: &Call) {
        self.tickets = self.tickets.wrapping_add(1);
        let ticket = self.tickets;
        let Some(conn) = self.conn(slot) else { return };
        conn.ticket = ticket;
        conn.keep_alive = call.keep_alive;
        let route = route(call, self.config, self.born, &|| self.internal());
        if !self.ready && !route.is_account() {
            let body = error_body(self.config.framework, 503, "the server is not ready");
            return self.reply(slot, 503, JSON, &body);
        }
        match route {
            Route::Ask(dialect) => self.ask(slot, dialect, &call.body),
            Route::Probe => self.probe(slot),
            Route::Flush => {
                self.engine.iter_mut().for_each(super::engine::Engine::flush);
                self.reply(slot, 200, TEXT, b"The prefix cache is empty.\n");
            }
            Route::Truth => self.report(slot),
            Route::TruthTokens => {
                let body = format!("{{\"tokens\":{}}}", self.counters.tokens);
                self.reply(slot, 200, JSON, body.as_bytes());
            }
            Route::TruthReset => {
                self.counters.reset();
                self.reply(slot, 200, JSON, b"{}");
            }
            Route::Metrics => {
                let text = metrics::text(&self.config.model, &self.counters, self.load());
                self.reply(slot, 200, "text/plain; version=0.0.4; charset=utf-8", text.as_bytes());
            }
            Route::StartProfile => {
                let (status, text) = self.profiler.start(&call.body, self.steps());
                self.reply(slot, status, TEXT, text.as_bytes());
            }
            Route::StopProfile => {
                let (status, text) = self.profiler.stop(self.steps());
                self.reply(slot, status, TEXT, text.as_bytes());
            }
            Route::Health => self.reply(slot, 200, JSON, b""),
            Route::Json(value) => self.reply(slot, 200, JSON, value.to_string().as_bytes()),
            Route::Missing => self.reply(slot, 404, JSON, b"{\"detail\":\"Not Found\"}"),
        }
    }

    /// The percentiles are another thread's work.
    fn report(&mut self, slot: usize) {
        let copy = Box::new(self.counters.clone());
        let Some(conn) = self.conn(slot) else { return };
        conn.busy = Busy::Report;
        let key = (slot, conn.ticket);
        self.worker.send(key, Job::SumUp(copy));
    }

    /// A whole answer.
    pub fn reply(&mut self, slot: usize, status: u16, kind: &str, body: &[u8]) {
        let Some(conn) = self.conn(slot) else { return };
        conn.busy = Busy::Idle;
        let bytes = whole(status, kind, body, conn.keep_alive);
        self.send(slot, &bytes);
        self.answered(slot);
    }

    /// The connection's request has its answer.
    pub fn answered(&mut self, slot: usize) {
        match self.conn(slot) {
            Some(conn) if conn.keep_alive => self.next.push(slot),
            Some(_) => self.close_behind(slot),
            None => {}
        }
    }

    /// Steps of the engine; where there is none, every token is one.
    pub fn steps(&self) -> u64 {
        self.engine.as_ref().map_or(self.made, |engine| engine.steps)
    }

    fn load(&self) -> Load {
        match (&self.engine, &self.config.pace) {
            (Some(engine), Pace::Engine(spec)) => {
                let (running, waiting, held) = engine.load();
                Load { running, waiting, kv_share: held as f64 / spec.kv_tokens as f64 }
            }
            _ => Load { running: self.counters.active as usize, waiting: 0, kv_share: 0.0 },
        }
    }

    /// What `/server_info` says of the scheduler.
    fn internal(&self) -> Value {
        let load = self.load();
        json!({
            "num_running_reqs": load.running, "num_waiting_reqs": load.waiting, "token_usage": load.kv_share,
            "effective_max_running_requests_per_dp": self.limit()
        })
    }

    fn limit(&self) -> Option<u32> {
        match &self.config.pace {
            Pace::Engine(spec) => Some(spec.max_running_requests),
            _ => None,
        }
    }
}
