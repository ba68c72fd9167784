//! One crash: a scene of its own, the kill, what must hold right after it, and what must hold after resuming.

use crate::effects::{Effects, alive};
use crate::support::{Scene, records};
use crate::workflow;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long after the front's end processes may be left. From the issue.
const GONE_WITHIN: Duration = Duration::from_secs(1);

/// Phases as `ASSAY_FAULT` names them.
pub const PHASES: [&str; 4] = ["before-write", "mid-write", "after-write", "after-sync"];
/// Whom to kill, as `ASSAY_FAULT` names them.
pub const VICTIMS: [&str; 4] = ["engine", "supervisor", "front", "engine+supervisor"];

/// Where to strike, and whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Number of the record.
    pub seq: u64,
    /// One of [`PHASES`].
    pub phase: &'static str,
    /// One of [`VICTIMS`].
    pub victim: &'static str,
}

impl Point {
    fn spec(self) -> String {
        format!("{}:{}:{}", self.seq, self.phase, self.victim)
    }
}

/// A folder for one workflow and its effects.
pub struct Stage {
    pub scene: Scene,
    pub effects: PathBuf,
    file: String,
}

impl Stage {
    /// A workflow of this text.
    pub fn new(text: &str) -> Self {
        let scene = Scene::new();
        let effects = scene.dir().join("effects");
        std::fs::create_dir(&effects).unwrap();
        scene.write("frozen.txt", "as it was\n");
        scene.skill("inner", &workflow::with_steps(workflow::INNER, &effects));
        let file = scene.workflow("crash", &workflow::with_steps(text, &effects));
        Self { scene, effects, file }
    }

    /// Runs it undisturbed; gives the exit code.
    pub fn run(&self) -> i32 {
        self.assay(&["run", &self.file], None).0
    }

    /// Resumes it undisturbed; gives the exit code.
    pub fn resume(&self) -> i32 {
        self.assay(&["resume", "latest"], None).0
    }

    /// Runs it with a fault; `false` if the run ended before the fault.
    pub fn run_into(&self, point: Point) -> bool {
        self.fall(&["run", &self.file], point)
    }

    /// Resumes it with a fault; `false` if the run ended before the fault.
    pub fn resume_into(&self, point: Point) -> bool {
        self.fall(&["resume", "latest"], point)
    }

    fn assay(&self, args: &[&str], fault: Option<Point>) -> (i32, String) {
        let mut command = self.scene.command(args);
        if let Some(point) = fault {
            command.env("ASSAY_FAULT", point.spec());
        }
        // Through files, not pipes: a process that is left must not keep the test waiting.
        let log = |name: &str| std::fs::File::create(self.scene.dir().join(name)).unwrap();
        let mut child = command.stdout(log("stdout")).stderr(log("stderr")).spawn().unwrap();
        let status = child.wait().unwrap();
        let said = std::fs::read_to_string(self.scene.dir().join("stderr")).unwrap();
        let code = status
            .code()
            .unwrap_or_else(|| 128 + std::os::unix::process::ExitStatusExt::signal(&status).unwrap());
        (code, said)
    }

    fn fall(&self, args: &[&str], point: Point) -> bool {
        let (code, said) = self.assay(args, Some(point));
        let end = Instant::now();
        let root = self.scene.dir().parent().unwrap().to_string_lossy().into_owned();
        let mut left = alive(&root);
        while !left.is_empty() && end.elapsed() < GONE_WITHIN {
            std::thread::sleep(Duration::from_millis(10));
            left = alive(&root);
        }
        assert!(left.is_empty(), "{point:?}: left 1 s after the end of the front: {left:#?}");
        let killed = if point.victim == "front" { 137 } else { 130 };
        if code == killed {
            return true;
        }
        assert!(self.records().len() as u64 + 1 >= point.seq, "{point:?}: exit {code}\n{said}");
        assert!(self.is_over(), "{point:?}: exit {code} instead of {killed}\n{said}");
        false
    }

    fn is_over(&self) -> bool {
        self.records().last().is_some_and(|record| record["type"] == "run_finished")
    }

    /// Records of the run as they stand, without a torn one.
    pub fn records(&self) -> Vec<Value> {
        records(&self.scene.run_dir())
    }

    /// The journal's bytes.
    pub fn journal(&self) -> Vec<u8> {
        std::fs::read(self.scene.run_dir().join("journal.jsonl")).unwrap()
    }

    /// What the steps wrote down.
    pub fn effects(&self) -> Effects {
        Effects::read(&self.effects)
    }

    /// What the journal says at the end.
    pub fn result(&self) -> Outcome {
        Outcome::of(&self.records())
    }
}

/// What a journal says of a run, without times and numbers of attempts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Final status by path.
    pub steps: BTreeMap<String, String>,
    /// Outcome by gate.
    pub gates: BTreeMap<String, String>,
    /// Digest by delivered file.
    pub delivered: BTreeMap<String, String>,
    /// Verdict, if the run has ended.
    pub exit: Option<u64>,
}

impl Outcome {
    /// Folds records.
    pub fn of(records: &[Value]) -> Self {
        let mut outcome = Self::default();
        for record in records {
            let data = &record["data"];
            let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
            match record["type"].as_str().unwrap() {
                "step_started" | "invalidated" => {
                    outcome.steps.remove(&text("step"));
                }
                "step_finished" if data["final"] == true => {
                    outcome.steps.insert(text("step"), text("status"));
                }
                "gate_decided" => {
                    outcome.gates.insert(text("gate"), text("outcome"));
                }
                "delivered" => {
                    outcome.delivered.insert(text("path"), text("sha256"));
                }
                "engine_started" => outcome.exit = None,
                "run_finished" => outcome.exit = data["exit"].as_u64(),
                _ => {}
            }
        }
        outcome
    }

    /// Steps that need never run again.
    pub fn settled(&self) -> BTreeSet<&str> {
        let settled = ["passed", "skipped"];
        self.steps
            .iter()
            .filter(|(_, status)| settled.contains(&status.as_str()))
            .map(|(path, _)| path.as_str())
            .collect()
    }
}

/// What was there when the house had fallen, to be compared with what is there later.
pub struct Fallen {
    records: Vec<Value>,
    effects: Effects,
    journal: Vec<u8>,
}

impl Fallen {
    /// Looks now.
    pub fn look(stage: &Stage) -> Self {
        let mut journal = stage.journal();
        // A torn last line is dropped by the next engine.
        journal.truncate(journal.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1));
        Self { records: stage.records(), effects: stage.effects(), journal }
    }

    /// Nothing recorded was lost, nothing finished was repeated, nothing ran twice at once.
    pub fn check(&self, stage: &Stage, label: &str) {
        let now = stage.effects();
        assert_eq!(now.twice, Vec::<String>::new(), "{label}: two copies at once");
        assert!(stage.journal().starts_with(&self.journal), "{label}: the journal lost records");
        let before = Outcome::of(&self.records);
        for path in before.settled() {
            assert_eq!(
                now.starts(path),
                self.effects.starts(path),
                "{label}: `{path}` had finished and was repeated"
            );
            let later = stage.records().split_off(self.records.len());
            let again = later
                .iter()
                .find(|record| record["type"] == "step_started" && record["data"]["step"] == path);
            assert!(again.is_none(), "{label}: `{path}` had finished: {again:?}");
        }
        for (path, count) in &now.started {
            let extra = count - self.effects.starts(path);
            // What was under way starts once more; `flaky` steps may have their failure before or after the crash.
            assert!(extra <= 2, "{label}: `{path}` began {extra} times after the crash");
        }
    }
}

/// The whole life of one point of [`workflow::EVERYTHING`]. `false` if the run ended before the fault.
pub fn visit(point: Point, wanted: &Outcome, names: &BTreeSet<String>) -> bool {
    let label = format!("{point:?}");
    let stage = Stage::new(workflow::EVERYTHING);
    let struck = stage.run_into(point);
    if !struck {
        assert_eq!(stage.result(), *wanted, "{label}: not struck");
        return false;
    }
    let fallen = Fallen::look(&stage);
    expect_resumed(&stage, &fallen, wanted, names, &label);
    true
}

/// Resumes twice: the first time leads to the wanted end, the second time changes nothing.
pub fn expect_resumed(
    stage: &Stage,
    fallen: &Fallen,
    wanted: &Outcome,
    names: &BTreeSet<String>,
    label: &str,
) {
    let code = stage.resume();
    assert_eq!(code, 0, "{label}: exit of `resume`\n{}", stage.said());
    fallen.check(stage, label);
    assert_eq!(stage.result(), *wanted, "{label}: another end than undisturbed");
    let effects = stage.effects();
    for name in names {
        assert!(effects.ended.contains_key(name), "{label}: `{name}` was lost");
    }
    let journal = stage.journal();
    assert_eq!(stage.resume(), 0, "{label}: exit of the second `resume`\n{}", stage.said());
    assert_eq!(stage.effects(), effects, "{label}: the second `resume` started something");
    assert!(stage.journal() == journal, "{label}: the second `resume` changed the journal");
}

impl Stage {
    /// What the last call printed.
    pub fn said(&self) -> String {
        let read = |name: &str| std::fs::read_to_string(self.scene.dir().join(name)).unwrap_or_default();
        if !self.scene.dir().join("runs").exists() {
            return format!("{}{}", read("stdout"), read("stderr"));
        }
        let told = |record: &Value| {
            let data = &record["data"];
            format!("{} {} {} {}", record["seq"], record["type"], data["step"], data["reason"])
        };
        let types: Vec<_> = self.records().iter().map(told).collect();
        format!("{}{}\n{}", read("stdout"), read("stderr"), types.join("\n"))
    }
}
