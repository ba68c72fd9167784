//! Questions and answers: who may answer, and the socket that takes answers while the engine works.

use crate::engine::Engine;
use crate::host::RUN_TAG;
use crate::message::Message;
use crate::world::Unit;
use assay_process::{ancestors, command_line, environ_value, parent_of};
use assay_protocol::{Answered, Answerer, Asked, Event};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader as AsyncReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

/// Longest answer that is read, in bytes.
const ANSWER_MAX: u64 = 64 * 1024;

/// What `assay answer` sends to a live engine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AnswerRequest {
    /// Path of the step.
    pub step: String,
    /// The choice.
    pub choice: String,
    /// A remark.
    pub comment: String,
    /// Whether standard input was a terminal.
    pub terminal: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Reply {
    refused: Option<String>,
}

/// The socket of a run's engine while a question is open.
pub fn socket_path(state_dir: &Path, run_id: &str) -> PathBuf {
    let path = state_dir.join("ctl").join(format!("{run_id}.sock"));
    // The kernel takes 107 bytes for the path of a socket.
    if path.as_os_str().len() <= 100 {
        path
    } else {
        std::env::temp_dir().join(format!("assay-{run_id}.sock"))
    }
}

/// Hands an answer to a live engine. `Ok(Err(_))`: it was refused, with the reason.
///
/// # Errors
/// No engine listens.
pub fn send_answer(socket: &Path, request: &AnswerRequest) -> std::io::Result<Result<(), String>> {
    let mut stream = StdStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut reply = String::new();
    BufReader::new(stream).read_line(&mut reply)?;
    let reply: Reply = serde_json::from_str(&reply)?;
    Ok(match reply.refused {
        Some(why) => Err(why),
        None => Ok(()),
    })
}

/// Who a process is, for the record of its answer.
pub fn answerer(uid: u32, pid: u32, terminal: bool) -> Answerer {
    let parent = parent_of(pid).map(command_line).unwrap_or_default();
    let parent: Vec<String> = parent.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    Answerer { uid, pid, terminal, parent: parent.join(" ") }
}

/// Listens until it is dropped.
#[derive(Debug)]
pub(crate) struct Socket {
    path: PathBuf,
}

impl Drop for Socket {
    fn drop(&mut self) {
        // A socket left behind is replaced by the next engine.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Socket {
    fn open(path: PathBuf, messages: mpsc::UnboundedSender<Message>) -> std::io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        if path.exists() {
            std::fs::remove_file(&path)?;
        }
        let listener = UnixListener::bind(&path)?;
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::task::spawn_local(serve(stream, messages.clone()));
            }
        });
        Ok(Self { path })
    }
}

async fn serve(stream: UnixStream, messages: mpsc::UnboundedSender<Message>) {
    let Ok(peer) = stream.peer_cred() else { return };
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut reader = AsyncReader::new(tokio::io::AsyncReadExt::take(read, ANSWER_MAX));
    let refused = match reader.read_line(&mut line).await {
        Ok(_) => match serde_json::from_str::<AnswerRequest>(&line) {
            Ok(request) => {
                let pid = peer.pid().and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0);
                let answer = Answered {
                    step: request.step,
                    choice: request.choice,
                    comment: request.comment,
                    by: answerer(peer.uid(), pid, request.terminal),
                    digest: String::new(),
                    refused: None,
                };
                let (tell, told) = oneshot::channel();
                let sent = messages.send(Message::Answer { answer: Box::new(answer), tell }).is_ok();
                match told.await {
                    Ok(result) if sent => result.err(),
                    _ => Some("the run ended meanwhile".to_owned()),
                }
            }
            Err(error) => Some(format!("not an answer: {error}")),
        },
        Err(error) => Some(error.to_string()),
    };
    if let Ok(mut reply) = serde_json::to_vec(&Reply { refused }) {
        reply.push(b'\n');
        // Whoever asked may have gone.
        let _ = write.write_all(&reply).await;
    }
}

impl Engine {
    pub(crate) fn on_asked(&mut self, unit: Unit, question: Asked, tell: oneshot::Sender<Answered>) {
        let path = question.step.clone();
        if let Some(running) = self.running.get_mut(&unit) {
            running.asking = Some((question, tell));
        }
        if self.options.answer.as_ref().is_some_and(|answer| answer.step == path)
            && let Some(answer) = self.options.answer.take()
        {
            let (tell, mut told) = oneshot::channel();
            self.on_answer(answer, tell);
            if let Ok(Err(why)) = told.try_recv() {
                self.end = Some(crate::job::RunEnd::problem(assay_protocol::ExitCode::Waiting, why));
            }
            return;
        }
        if self.answers.is_none() {
            let path = socket_path(&self.host.state_dir, self.host.run.id());
            // Without the socket the question can still be answered once the run waits.
            self.answers = Socket::open(path, self.messages.clone()).ok();
        }
    }

    pub(crate) fn on_answer(&mut self, mut answer: Answered, tell: oneshot::Sender<Result<(), String>>) {
        let asking = self.running.iter().find_map(|(unit, running)| {
            let (question, _) = running.asking.as_ref()?;
            (question.step == answer.step).then(|| (*unit, question.clone()))
        });
        let Some((unit, question)) = asking else {
            // Whoever asked may have gone.
            let _ = tell.send(Err(format!("step `{}` does not wait for an answer", answer.step)));
            return;
        };
        answer.digest.clone_from(&question.digest);
        if let Some(why) = self.refusal(&answer, &question) {
            answer.refused = Some(why.clone());
            self.host.record(Event::Answered(answer));
            let _ = tell.send(Err(why));
            return;
        }
        self.host.record(Event::Answered(answer.clone()));
        if let Some(running) = self.running.get_mut(&unit)
            && let Some((_, waiting)) = running.asking.take()
        {
            let _ = waiting.send(answer);
        }
        if !self.running.values().any(|running| running.asking.is_some()) {
            self.answers = None;
        }
        let _ = tell.send(Ok(()));
    }

    fn refusal(&self, answer: &Answered, question: &Asked) -> Option<String> {
        if !question.choices.contains(&answer.choice) {
            let choices: Vec<String> = question.choices.iter().map(|choice| format!("`{choice}`")).collect();
            return Some(format!("`{}` is no choice here; choose {}", answer.choice, choices.join(" or ")));
        }
        let supervisor = self.house.supervisor.as_ref();
        let own_engine = answer.by.pid == std::process::id();
        let from_below = !own_engine
            && ancestors(answer.by.pid)
                .iter()
                .any(|ancestor| Some(ancestor) == supervisor || *ancestor == self.house.engine);
        let tagged = if own_engine {
            self.host.env.get(RUN_TAG).map(String::as_str) == Some(self.host.run.id())
        } else {
            environ_value(answer.by.pid, RUN_TAG).is_some_and(|run| run == *self.host.run.id())
        };
        (from_below || tagged).then(|| {
            "the answer comes from a step of this run, and a run does not answer its own questions".to_owned()
        })
    }
}
