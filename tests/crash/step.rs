//! What the steps of the workflows under test run. Everything is written down outside the run, with a lock per step that
//! two copies cannot hold at once.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// How long an ordinary step works: long enough to be met by a kill, short enough for hundreds of runs.
const WORK: Duration = Duration::from_millis(15);
/// A step that is not killed ends by itself before a person gives up.
const FOREVER: Duration = Duration::from_secs(600);

/// The step's folder of effects and its name there.
struct Step {
    folder: PathBuf,
    /// Its path in the run, from the environment that the engine gives it.
    path: String,
    _alone: File,
}

/// `<folder> <what> [arguments]`; gives the exit code.
pub fn main(arguments: &[String]) -> u8 {
    let folder = PathBuf::from(&arguments[0]);
    let [what, rest @ ..] = &arguments[1..] else { return 98 };
    if what == "helper" {
        std::thread::sleep(FOREVER);
        return 0;
    }
    let Some(step) = Step::begin(folder) else { return 99 };
    let code = step.run(what, rest);
    step.log("ended");
    code
}

impl Step {
    /// `None` if another copy of the step is alive.
    fn begin(folder: PathBuf) -> Option<Self> {
        let tag = std::env::var("ASSAY_STEP").unwrap();
        let path = tag.split_once('/').unwrap().1.rsplit_once('#').unwrap().0.to_owned();
        let name = path.replace('/', "+");
        let alone =
            OpenOptions::new().create(true).append(true).open(folder.join(format!("{name}.lock"))).unwrap();
        let first = alone.try_lock().is_ok();
        let step = Self { folder, path, _alone: alone };
        step.log(if first { "started" } else { "twice" });
        first.then_some(step)
    }

    fn log(&self, word: &str) {
        let mut log = OpenOptions::new().create(true).append(true).open(self.folder.join("log")).unwrap();
        log.write_all(format!("{word} {} {}\n", self.path, std::process::id()).as_bytes()).unwrap();
    }

    fn run(&self, what: &str, rest: &[String]) -> u8 {
        match what {
            "work" => std::thread::sleep(WORK),
            "list" => println!(r#"{{"items": ["a", "b", "c"]}}"#),
            "write" => fs::write(&rest[0], "made\n").unwrap(),
            "fail" => return 3,
            "flaky" => return self.flaky(),
            "allowed" => return if self.folder.join("allow").exists() { 0 } else { 3 },
            "ask" => rest.iter().for_each(|port| ask(port)),
            "escape" => self.escape(),
            "serve" => self.serve(&rest[0], &rest[1]),
            _ => return 98,
        }
        0
    }

    /// Fails the first time.
    fn flaky(&self) -> u8 {
        let marker = self.folder.join(format!("{}.marker", self.path.replace('/', "+")));
        if OpenOptions::new().create_new(true).write(true).open(marker).is_ok() { 3 } else { 0 }
    }

    /// Leaves processes behind that are hard to find: in a session of their own, forked twice, without environment.
    fn escape(&self) {
        let exe = std::env::current_exe().unwrap();
        let helper = format!("'{}' step '{}' helper", exe.display(), self.folder.display());
        shell(&format!("setsid {helper} & (setsid {helper} &) ; env -i setsid {helper} &"));
        std::thread::sleep(WORK);
    }

    fn serve(&self, port: &str, kind: &str) {
        let exe = std::env::current_exe().unwrap();
        let helper = format!("'{}' step '{}' helper", exe.display(), self.folder.display());
        match kind {
            "forks" => shell(&format!("({helper} &) ; (setsid {helper} &) ; :")),
            _ => shell(&format!("setsid sh -c \"{helper} & {helper}; :\" & setsid {helper} &")),
        }
        let listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap();
        for stream in listener.incoming() {
            answer(stream.unwrap());
        }
    }
}

fn shell(line: &str) {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", line]).stdin(Stdio::null());
    command.spawn().unwrap().wait().unwrap();
}

/// One connection that is closed early must not end the server.
fn answer(mut stream: TcpStream) {
    let mut request = [0; 1024];
    if matches!(stream.read(&mut request), Ok(bytes) if bytes > 0) {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
    }
}

fn ask(port: &str) {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
}

/// The beginning of an `argv` that starts a step.
pub fn argv(effects: &Path) -> String {
    let exe = std::env::current_exe().unwrap();
    format!("\"{}\", step, \"{}\"", exe.display(), effects.display())
}
