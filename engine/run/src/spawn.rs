//! Processes of a step: in a group of their own, output straight to files, found again by tag.

use crate::ctx::StepCtx;
use crate::ends::ProcessEnd;
use crate::host::{RUN_TAG, STEP_TAG};
use crate::kept::KeptTree;
use crate::pool::{LiveLog, LivePair};
use assay_process::{
    Child, Exit, Io, IsolationError, Keeper, KeeperOptions, KeptEnd, Relay, RelayChannel, Signal, Spawn,
    SpawnError, kill_tree, stop_tree, tree_rss,
};
use assay_protocol::{Event, ProcessIdentity, StepProcess};
use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often the memory of a tree is looked at.
const MEMORY_INTERVAL: Duration = Duration::from_millis(200);

/// Name of a program, where it starts, and its environment.
pub(crate) type Surroundings<'c> = (&'c str, PathBuf, Vec<(OsString, OsString)>);

/// Where programs are looked for.
pub(crate) fn search_path(env: &[(OsString, OsString)]) -> OsString {
    env.iter().rev().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone()).unwrap_or_default()
}

/// A program to run for a step.
#[derive(Debug, Clone, Default)]
pub struct CommandLine {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Variables beyond the step's own, and over them.
    pub env: Vec<(String, String)>,
    /// Variables of the step that it does not get.
    pub unset: Vec<String>,
    /// Where it starts, if not in the step's `cwd`.
    pub cwd: Option<PathBuf>,
    /// File that it reads as standard input; nothing by default.
    pub stdin: Option<PathBuf>,
}

impl CommandLine {
    /// Just a program and arguments.
    pub fn new(argv: Vec<String>) -> Self {
        Self { argv, ..Self::default() }
    }

    /// A line for `sh`.
    pub fn shell(line: &str) -> Self {
        Self::new(vec!["/bin/sh".to_owned(), "-c".to_owned(), line.to_owned()])
    }
}

/// Which log of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A process that a step started.
#[derive(Debug)]
pub struct Process {
    pub(crate) by: By,
    began: Instant,
}

/// Who waits for it.
#[derive(Debug)]
pub(crate) enum By {
    /// This engine.
    Engine(Child),
    /// A keeper, so that it can outlive this engine.
    Keeper {
        /// The keeper.
        keeper: Box<Keeper>,
        /// Time between the server's signal and KILL.
        grace: Duration,
    },
}

impl Process {
    /// Its pid, which is also its group's id.
    pub fn pid(&self) -> u32 {
        self.identity().pid
    }

    /// When its start began; for an isolated one, when its program began.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// Who it is.
    pub fn identity(&self) -> &ProcessIdentity {
        match &self.by {
            By::Engine(child) => &child.identity,
            By::Keeper { keeper, .. } => &keeper.server,
        }
    }

    /// How it ended, if it has; never known in advance of a kept one.
    pub fn try_end(&mut self) -> Option<ProcessEnd> {
        match &mut self.by {
            By::Engine(child) => child.try_wait().map(end_of),
            By::Keeper { .. } => None,
        }
    }

    async fn end(&mut self) -> ProcessEnd {
        match &mut self.by {
            By::Engine(child) => end_of(child.wait().await),
            By::Keeper { keeper, .. } => match keeper.wait().await {
                KeptEnd::Server(exit) => end_of(exit),
                KeptEnd::KeeperLost(_) => ProcessEnd::KeeperLost,
                KeptEnd::Unseen => ProcessEnd::Unseen,
            },
        }
    }
}

pub(crate) fn end_of(exit: Exit) -> ProcessEnd {
    match exit {
        Exit::Code(code) => ProcessEnd::Exited(code),
        Exit::Signal(signal) => ProcessEnd::Signalled(signal),
    }
}

impl StepCtx {
    /// Starts a program. Its output goes to the step's logs.
    ///
    /// # Errors
    /// Why it cannot be started, in words with a way out.
    pub fn spawn(&self, command: &CommandLine) -> Result<Process, String> {
        let spawn = self.prepare(command)?;
        let mut began = Instant::now();
        let child = self.host.reaper.spawn(&spawn).map_err(|error| {
            if let SpawnError::Isolation(IsolationError::Unsupported { .. }) = error {
                self.unsupported.replace(Some(error.to_string()));
            }
            error.to_string()
        })?;
        if self.isolation.is_some() {
            // Restricting itself is not the program's time.
            began = Instant::now();
        }
        self.host.live_pids.borrow_mut().insert(child.pid());
        self.trees.borrow_mut().push(child.identity.clone());
        self.record_process(&command.argv, &child.identity, None);
        Ok(Process { by: By::Engine(child), began })
    }

    /// Starts a server below a keeper of its own. It dies with this engine until it was told to be ready.
    ///
    /// # Errors
    /// Why it cannot be started, in words with a way out.
    pub async fn spawn_kept(
        &self,
        command: &CommandLine,
        signal: Signal,
        grace: Duration,
    ) -> Result<Process, String> {
        let detach = self.detach.as_ref().ok_or("the step does not say `detach: true`")?;
        if !self.secrets.is_empty() {
            return Err("a server that receives a secret cannot be detached: its log is masked by the supervisor, which \
                        it would outlive; remove `detach`, or the secret from its `pass_env`"
                .to_owned());
        }
        let spawn = self.prepare(command)?;
        let tag = self.host.tag_value(&self.path, self.attempt);
        let locks = std::mem::take(&mut *detach.locks.borrow_mut());
        let options = KeeperOptions {
            title: tag.clone(),
            env: vec![(RUN_TAG.into(), self.host.run.id().into()), (STEP_TAG.into(), tag.into())],
            signal,
            grace,
            locks: locks.iter().map(AsFd::as_fd).collect(),
        };
        let keeper = Keeper::start(&self.host.reaper, &spawn, options).await;
        let keeper = keeper.map_err(|error| error.to_string())?;
        let line = keeper.line().map_err(|error| error.to_string())?;
        detach.line.replace(line);
        self.host.live_pids.borrow_mut().insert(keeper.keeper.pid);
        self.record_process(&command.argv, &keeper.server, Some(&keeper.keeper));
        Ok(self.kept(keeper, grace))
    }

    /// Takes up the server that an earlier engine left running.
    ///
    /// # Errors
    /// It is gone.
    pub fn adopt(&self, grace: Duration) -> Result<Process, String> {
        let survivor = self.survivor().ok_or("there is no server to adopt")?;
        let keeper = Keeper::adopt(&survivor.keeper, &survivor.server).ok_or("it has ended meanwhile")?;
        Ok(self.kept(keeper, grace))
    }

    fn kept(&self, keeper: Keeper, grace: Duration) -> Process {
        if let Some(detach) = &self.detach {
            let (server, keeper) = (keeper.server.clone(), keeper.keeper.clone());
            detach.tree.replace(Some(KeptTree { keeper, server, grace }));
        }
        Process { by: By::Keeper { keeper: Box::new(keeper), grace }, began: Instant::now() }
    }

    fn record_process(&self, argv: &[String], process: &ProcessIdentity, keeper: Option<&ProcessIdentity>) {
        self.record_start(argv, Some(process.clone()));
        if self.awaits_process.replace(false) {
            self.host.record(Event::StepProcess(StepProcess {
                step: self.path.clone(),
                attempt: self.attempt,
                process: process.clone(),
                keeper: keeper.cloned(),
            }));
        }
    }

    /// Name of the program, where it starts, and its whole environment.
    pub(crate) fn surroundings<'c>(&self, command: &'c CommandLine) -> Result<Surroundings<'c>, String> {
        let cwd = command.cwd.clone().unwrap_or_else(|| self.cwd.clone());
        let taken = |name: &OsString| {
            command.unset.iter().any(|unset| name == unset.as_str())
                || command.env.iter().any(|(own, _)| name == own.as_str())
        };
        let mut env = self.env.clone();
        env.retain(|(name, _)| !taken(name));
        env.extend(command.env.iter().map(|(name, value)| (name.into(), value.into())));
        env.push((RUN_TAG.into(), self.host.run.id().into()));
        env.push((STEP_TAG.into(), self.host.tag_value(&self.path, self.attempt).into()));
        let name = command.argv.first().ok_or("`argv` is empty")?;
        Ok((name, cwd, env))
    }

    fn prepare(&self, command: &CommandLine) -> Result<Spawn, String> {
        let (name, cwd, env) = self.surroundings(command)?;
        let program =
            self.host.programs.borrow_mut().resolve(name.as_ref(), &search_path(&env), &cwd).map_err(
                |error| match error.hint() {
                    Some(hint) => format!("{error}; {hint}"),
                    None => error.to_string(),
                },
            )?;
        let stdin = match &command.stdin {
            None => Io::Null,
            Some(path) => {
                let file = std::fs::File::open(path)
                    .map_err(|error| format!("cannot read `stdin` from `{}`: {error}", path.display()))?;
                Io::from(OwnedFd::from(file))
            }
        };
        let pair = self.live_pair()?;
        let (stdout, stderr) = if self.secrets.is_empty() {
            (Io::Fd(Arc::clone(&pair.stdout.fd)), Io::Fd(Arc::clone(&pair.stderr.fd)))
        } else {
            self.relayed(&pair)?
        };
        Ok(Spawn {
            program,
            argv: command.argv.iter().map(OsString::from).collect(),
            env,
            cwd,
            stdin,
            stdout,
            stderr,
            isolation: self.isolation.clone(),
            session: false,
        })
    }

    /// Waits for the end of a process, at the latest until the step's `timeout`; what is left of its group is gone then.
    pub async fn wait(&self, process: &mut Process) -> ProcessEnd {
        let end = self.wait_within_limits(process).await;
        if matches!(end, ProcessEnd::KeeperLost | ProcessEnd::Unseen) {
            // What the keeper would have ended.
            let tag = self.host.tag(&self.path, self.attempt);
            kill_tree(process.identity(), Some(&tag)).await;
        }
        if let Some(problem) = self.finish_relays().await {
            self.note(format!("output was lost: {problem}"));
        }
        self.forget(process);
        end
    }

    async fn wait_within_limits(&self, process: &mut Process) -> ProcessEnd {
        let identity = process.identity().clone();
        let deadline = self.deadline;
        let over_time = async move {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let over_memory = async {
            let Some(limit) = self.memory else { return std::future::pending().await };
            loop {
                tokio::time::sleep(MEMORY_INTERVAL).await;
                let used = tree_rss(&identity, None);
                if used > limit {
                    return ProcessEnd::OverMemory { used, limit };
                }
            }
        };
        let broken = tokio::select! {
            biased;
            end = process.end() => return end,
            () = over_time => ProcessEnd::TimedOut,
            end = over_memory => end,
        };
        self.stop(process).await;
        broken
    }

    /// Starts a program and waits for its end.
    ///
    /// # Errors
    /// Why it cannot be started.
    pub async fn process(&self, command: &CommandLine) -> Result<ProcessEnd, String> {
        let mut process = self.spawn(command)?;
        Ok(self.wait(&mut process).await)
    }

    /// TERM, grace, KILL to the process's whole tree, escapees included.
    pub async fn stop(&self, process: &mut Process) {
        let tag = self.host.tag(&self.path, self.attempt);
        match &mut process.by {
            By::Engine(child) => {
                stop_tree(&child.identity, Some(&tag), self.host.grace).await;
                child.wait().await;
            }
            By::Keeper { keeper, grace } => keeper.stop(*grace, Some(&tag)).await,
        }
        if let Some(problem) = self.finish_relays().await {
            self.note(format!("output was lost: {problem}"));
        }
        self.forget(process);
    }

    fn forget(&self, process: &Process) {
        let pid = match &process.by {
            By::Engine(child) => child.pid(),
            By::Keeper { keeper, .. } => keeper.keeper.pid,
        };
        self.host.live_pids.borrow_mut().remove(&pid);
        self.trees.borrow_mut().retain(|tree| tree.pid != pid);
        if let (By::Keeper { .. }, Some(detach)) = (&process.by, &self.detach) {
            detach.tree.replace(None);
        }
    }

    /// The logs of the step; made when first asked for.
    pub(crate) fn live_pair(&self) -> Result<LivePair, String> {
        if let Some(pair) = self.logs.borrow().as_ref() {
            return Ok(pair.clone());
        }
        let mut pool = self.host.pool.borrow_mut();
        let mut log = || pool.log().map_err(|error| error.to_string());
        let pair = LivePair { stdout: log()?, stderr: log()? };
        *self.logs.borrow_mut() = Some(pair.clone());
        Ok(pair)
    }

    fn relayed(&self, pair: &LivePair) -> Result<(Io, Io), String> {
        let link = self.host.link.as_ref().ok_or("secrets need the supervisor, which is not there")?;
        let words = |error: std::io::Error| error.to_string();
        let copy = |log: &LiveLog| -> Result<OwnedFd, String> {
            rustix::io::fcntl_dupfd_cloexec(&*log.fd, 3).map_err(|errno| errno.to_string())
        };
        let (out_read, out_write) = assay_process::pipe().map_err(words)?;
        let (err_read, err_write) = assay_process::pipe().map_err(words)?;
        let relay = Relay {
            channels: vec![
                RelayChannel { read: out_read, file: copy(&pair.stdout)? },
                RelayChannel { read: err_read, file: copy(&pair.stderr)? },
            ],
            secrets: self.secrets.iter().map(|secret| secret.clone().into_bytes()).collect(),
        };
        let handle = link.relay(relay).map_err(|error| error.to_string())?;
        self.relays.borrow_mut().push(handle);
        Ok((out_write.into(), err_write.into()))
    }

    /// Bytes that a log holds now.
    pub fn output_len(&self, stream: Stream) -> u64 {
        self.log(stream).map_or(0, |log| log.len())
    }

    /// Reads up to `limit` bytes of a log from `offset`.
    ///
    /// # Errors
    /// What the system says.
    pub fn read_output(&self, stream: Stream, offset: u64, limit: usize) -> std::io::Result<Vec<u8>> {
        let Some(log) = self.log(stream) else { return Ok(Vec::new()) };
        let mut bytes =
            vec![0; limit.min(usize::try_from(log.len().saturating_sub(offset)).unwrap_or(limit))];
        let mut filled = 0;
        while filled < bytes.len() {
            match rustix::io::pread(&*log.fd, &mut bytes[filled..], offset + filled as u64)? {
                0 => break,
                read => filled += read,
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    /// The last lines of both logs, for messages: at most `lines` lines of the last 8 KiB of each.
    pub fn tail(&self, lines: usize) -> String {
        let mut tail = String::new();
        for stream in [Stream::Stdout, Stream::Stderr] {
            let offset = self.output_len(stream).saturating_sub(8192);
            let bytes = self.read_output(stream, offset, 8192).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            let all: Vec<&str> = text.lines().collect();
            for line in &all[all.len().saturating_sub(lines)..] {
                tail.push_str(line);
                tail.push('\n');
            }
        }
        tail.trim_end().to_owned()
    }

    fn log(&self, stream: Stream) -> Option<LiveLog> {
        let logs = self.logs.borrow();
        logs.as_ref().map(|pair| match stream {
            Stream::Stdout => pair.stdout.clone(),
            Stream::Stderr => pair.stderr.clone(),
        })
    }
}
