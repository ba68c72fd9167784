//! The keeper's own process: starts one server, holds its locks, ends when it has ended or when it is told to stop.
//!
//! It is a session leader and a child subreaper, so that nothing of the server can leave it. It decides nothing: until it
//! hears that the server is kept, it goes down with its engine; afterwards only a signal or the server's end ends it.

use super::line::{self, Command, News};
use super::order::Order;
use crate::exit::Exit;
use crate::spawn::Spawn;
use crate::sweep::{reap_ended, sweep};
use crate::sys::{self, SignalSet};
use crate::tree::{signal_process, signal_tree};
use assay_protocol::ProcessIdentity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::process::Signal;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// The word that makes the program a keeper when it is its first argument. No verb is called that.
pub(super) const WORD: &str = "__keep";

/// Lives as a keeper if the arguments ask for it, and gives the exit code; `None` for every other program. Must be called
/// first in `main`, while the process has one thread.
pub fn keep_if_asked(args: &[std::ffi::OsString]) -> Option<u8> {
    if args.get(1).is_none_or(|word| word != WORD) {
        return None;
    }
    Some(match live() {
        Ok(Exit::Code(code)) => u8::try_from(code).unwrap_or(1),
        Ok(Exit::Signal(signal)) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        // Whoever started it sees the closed line; a person who typed the word sees the code.
        Err(_) => 2,
    })
}

fn live() -> io::Result<Exit> {
    let line = take_line()?;
    // What a terminal or a closing session sends is meant for others.
    let signals = SignalSet::of(&[libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT]);
    signals.block()?;
    let signals = signals.descriptor()?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let mut held = Vec::new();
    let order = loop {
        poll_forever(&mut [PollFd::new(&line, PollFlags::IN)])?;
        match line::command(&line) {
            Ok(Some(Command::Hold(fd))) => held.push(fd),
            Ok(Some(Command::Start(fd))) => break Order::from_file(fd)?,
            Ok(Some(Command::Keep)) => {}
            Ok(None) => return Ok(Exit::Code(0)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    };
    let server = match start(&order) {
        Ok(server) => server,
        Err(words) => {
            News::Failed(words).send(&line);
            return Ok(Exit::Code(1));
        }
    };
    News::Started(server.clone()).send(&line);
    let mut keeper = Keeper { server, order, line: Some(line), signals, held, kept: false, stopping: None };
    let exit = keeper.until_the_end();
    if let Some(line) = &keeper.line {
        News::Ended(exit).send(line);
    }
    // Only now: whoever waits for a lock must not meet the server.
    drop(keeper.held);
    Ok(exit)
}

/// The line stands in for standard input; the server must not get it.
fn take_line() -> io::Result<OwnedFd> {
    let stdin = io::stdin();
    rustix::net::sockopt::socket_type(&stdin)?;
    let line = rustix::io::fcntl_dupfd_cloexec(&stdin, 3)?;
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    sys::replace_standard(&null, 0)?;
    Ok(line)
}

fn start(order: &Order) -> Result<ProcessIdentity, String> {
    let pid = sys::start_bound(&order.program, &order.argv, &order.env, &order.cwd).map_err(|error| {
        let spawn = Spawn {
            program: order.program.clone(),
            argv: order.argv.clone(),
            env: order.env.clone(),
            cwd: order.cwd.clone(),
            ..Spawn::default()
        };
        spawn.explain(error).to_string()
    })?;
    // Not reaped yet, so `/proc` still knows it.
    crate::identity_of(pid).ok_or_else(|| "`/proc` does not show the server".to_owned())
}

fn poll_forever(waits: &mut [PollFd<'_>]) -> io::Result<()> {
    loop {
        match poll(waits, None) {
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

struct Keeper {
    server: ProcessIdentity,
    order: Order,
    /// Closed once the engine is gone.
    line: Option<OwnedFd>,
    signals: OwnedFd,
    held: Vec<OwnedFd>,
    /// The server outlives the engine.
    kept: bool,
    /// It was asked to end, and is killed then.
    stopping: Option<Instant>,
}

impl Keeper {
    /// Watches until the leader has ended, then ends what is left of it.
    fn until_the_end(&mut self) -> Exit {
        let mut ended = None;
        loop {
            let any = reap_ended(Some(self.server.pid), &mut ended);
            let over_time = self.stopping.is_some_and(|deadline| Instant::now() >= deadline);
            if ended.is_some() || !any || over_time || !self.hear() {
                let swept = sweep(Some(self.server.pid), &[]);
                return ended.or(swept).unwrap_or(Exit::Signal(libc::SIGKILL));
            }
        }
    }

    /// Waits for the next thing to happen. `false`: everything must end now.
    fn hear(&mut self) -> bool {
        let left = self.stopping.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let limit = left.map(|left| Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        });
        let mut waits = vec![PollFd::new(&self.signals, PollFlags::IN)];
        waits.extend(self.line.iter().map(|line| PollFd::new(line, PollFlags::IN)));
        match poll(&mut waits, limit.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return true,
            Err(_) => return false,
        }
        drop(waits);
        let asked = sys::read_signals(&self.signals).into_iter().filter(|one| *one == libc::SIGTERM).count();
        self.listen() && (asked == 0 || self.stop(asked))
    }

    /// Takes what the engine sent. `false`: it is gone, and the server was not kept.
    fn listen(&mut self) -> bool {
        while let Some(line) = &self.line {
            match line::command(line) {
                Ok(Some(Command::Hold(fd))) => self.held.push(fd),
                Ok(Some(Command::Keep)) => self.kept = true,
                Ok(Some(Command::Start(_))) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Ok(None) | Err(_) => {
                    self.line = None;
                    return self.kept;
                }
            }
        }
        true
    }

    /// Asks the server to end. `false` when it was asked before: then at once.
    fn stop(&mut self, asked: usize) -> bool {
        if self.stopping.is_some() || asked > 1 {
            return false;
        }
        self.stopping = Some(Instant::now() + self.order.grace.min(Duration::from_secs(24 * 3600)));
        let signal = Signal::from_named_raw(self.order.signal).unwrap_or(Signal::TERM);
        for member in signal_tree(&self.server, None, signal) {
            // One that is stopped would not hear the signal before it is continued.
            signal_process(&member, Signal::CONT);
        }
        true
    }
}
