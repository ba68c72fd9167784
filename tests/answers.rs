//! Questions: who may answer them, and what neither a step, an agent nor a resume may do in a person's place.
#![expect(clippy::unwrap_used, reason = "what helpers find amiss fails the test, too")]

mod support;

use std::time::Duration;
use support::{Scene, eventually, finish};

const BODY: &str = "\
steps:
  before: {uses: command, with: {shell: 'echo before >> {{ skill.dir | q }}/ran'}}
  sign: {needs: [before], uses: approval, with: {question: Publish?, choices: [ship, hold], passes: [ship], show: {ratio: 1.2}}}
  after: {needs: [sign], uses: command, with: {shell: 'echo after >> {{ skill.dir | q }}/ran'}}
";

fn ran(scene: &Scene) -> String {
    std::fs::read_to_string(scene.dir().join("ran")).unwrap_or_default().replace('\n', " ")
}

/// The binary's path, for steps that call it.
const ASSAY: &str = env!("CARGO_BIN_EXE_assay");

#[test]
fn a_run_waits_and_a_persons_answer_continues_it() {
    let scene = Scene::new();
    let file = scene.workflow("ask", BODY);
    scene.assay(&["run", &file]).expect(31);
    let status = scene.assay(&["status", "latest", "--json"]).expect(31).json();
    assert!(status.to_string().contains("Publish?"), "{status}");
    let done = scene.assay(&["answer", "latest", "sign", "ship", "--comment", "looks right"]).expect(0);
    assert_eq!(ran(&scene), "before after ", "{}", done.stderr);
    let answer = scene.events("answered").pop().unwrap();
    assert_eq!(answer["choice"], "ship");
    assert_eq!(answer["comment"], "looks right");
    assert_eq!(answer["by"]["terminal"], false);
    assert_eq!(answer["by"]["uid"], rustix_uid());
    assert!(
        answer["by"]["parent"].as_str().unwrap().contains("answers"),
        "this test is the parent: {answer}"
    );
    assert_eq!(answer["digest"], scene.events("asked")[0]["digest"]);
    assert!(answer["refused"].is_null());
}

fn rustix_uid() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn an_answer_that_does_not_pass_fails_the_step() {
    let scene = Scene::new();
    let file = scene.workflow("ask", BODY);
    scene.assay(&["run", &file]).expect(31);
    scene.assay(&["answer", "latest", "sign", "hold"]).expect(21);
    assert_eq!(scene.statuses()["sign"], "failed");
    assert_eq!(scene.statuses()["after"], "blocked");
    assert_eq!(ran(&scene), "before ");
}

#[test]
fn a_word_that_is_no_choice_is_refused_and_the_question_stays() {
    let scene = Scene::new();
    let file = scene.workflow("ask", BODY);
    scene.assay(&["run", &file]).expect(31);
    let done = scene.assay(&["answer", "latest", "sign", "shp"]).expect(2);
    assert!(done.stderr.contains("`ship`"), "{}", done.stderr);
    scene.assay(&["answer", "latest", "sing", "ship"]).expect(3);
    scene.assay(&["status", "latest"]).expect(31);
    scene.assay(&["answer", "latest", "sign", "ship"]).expect(0);
    // Answered once is answered.
    scene.assay(&["answer", "latest", "sign", "hold"]).expect(3);
    assert_eq!(scene.statuses()["sign"], "passed");
}

#[test]
fn resuming_never_passes_an_approval() {
    let scene = Scene::new();
    let file = scene.workflow("ask", BODY);
    scene.assay(&["run", &file]).expect(31);
    for _ in 0..3 {
        scene.assay(&["resume", "latest"]).expect(31);
    }
    scene.assay(&["resume", "latest", "--only-failed"]).expect(31);
    scene.assay(&["resume", "latest", "--from", "sign"]).expect(31);
    assert_eq!(ran(&scene), "before ");
    assert!(scene.events("answered").is_empty());
    scene.assay(&["answer", "latest", "sign", "ship"]).expect(0);
    // Asked again because it was told to: the old answer does not stand in for a new one.
    scene.assay(&["resume", "latest", "--from", "sign"]).expect(31);
    assert_eq!(scene.events("answered").len(), 1);
}

#[test]
fn a_refused_answer_stays_refused_when_the_run_is_resumed() {
    let scene = Scene::new();
    let file = scene.workflow("ask", BODY);
    scene.assay(&["run", &file]).expect(31);
    scene.assay(&["answer", "latest", "sign", "hold"]).expect(21);
    // A failed step is tried again: the person is asked again, nobody answers in their place.
    scene.assay(&["resume", "latest"]).expect(31);
    assert_eq!(ran(&scene), "before ");
}

/// A run whose step `agent` answers the question `sign` that is open meanwhile.
fn own_answer(line: &str) -> Scene {
    let mut scene = Scene::new();
    // The agent needs what a person at the keyboard has: the places of runs, state and locks.
    let root = scene.dir().parent().unwrap().to_owned();
    let places =
        format!("XDG_STATE_HOME={0}/state ASSAY_LOCKS={0}/locks ASSAY_RUNS={0}/work/runs", root.display());
    scene.env("LC_ALL", "C.UTF-8");
    let script = format!(
        "#!/bin/sh\nexport {places} HOME={}\nfor n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do\n  grep -q '\"type\":\"asked\"' $1/journal.jsonl && break\n  sleep 0.1\ndone\n\
         {ASSAY} answer $2 sign ship > {1}/work/said 2>&1\necho $? > {1}/work/code\n",
        root.display(),
        root.display(),
    );
    let path = scene.write("agent.sh", &script);
    let body = format!(
        "steps:\n  sign: {{uses: approval, with: {{question: Publish?, choices: [ship, hold], passes: [ship]}}}}\n  \
         agent: {{uses: command, with: {{shell: '{}'}}}}\n  \
         after: {{needs: [sign], uses: command, with: {{shell: 'echo after >> {{{{ skill.dir | q }}}}/ran'}}}}\n",
        line.replace("AGENT", &format!("sh {} {{{{ run.dir | q }}}} {{{{ run.id | q }}}}", path.display()))
    );
    let file = scene.workflow("agent", &body);
    scene.assay(&["run", &file, "--cpus", "2"]).expect(31);
    scene
}

#[test]
fn an_agent_that_answers_its_own_question_is_refused_and_recorded() {
    for line in [
        "AGENT",
        "setsid --wait AGENT",
        "env -i PATH=$PATH AGENT",
        "(setsid env -i PATH=$PATH AGENT &) ; while [ ! -e {{ skill.dir | q }}/code ]; do sleep 0.05; done",
    ] {
        let scene = own_answer(line);
        let said = std::fs::read_to_string(scene.dir().join("said")).unwrap();
        let code = std::fs::read_to_string(scene.dir().join("code")).unwrap();
        assert_eq!(code.trim(), "31", "`{line}`: {said}");
        assert!(said.contains("does not count"), "`{line}`: {said}");
        let answers = scene.events("answered");
        assert_eq!(answers.len(), 1, "`{line}`: {answers:?}");
        assert!(answers[0]["refused"].as_str().unwrap().contains("this run"), "`{line}`: {answers:?}");
        assert_eq!(ran(&scene), "", "`{line}`");
        // A person still can.
        scene.assay(&["answer", "latest", "sign", "ship"]).expect(0);
        assert_eq!(ran(&scene), "after ");
        assert_eq!(scene.events("answered").len(), 2);
        let report = std::fs::read_to_string(scene.run_dir().join("report.md")).unwrap();
        assert!(report.contains("refused"), "the attempt stands in the report");
    }
}

#[test]
fn an_answer_that_carries_the_runs_tag_is_refused_and_recorded_while_nobody_works_on_the_run() {
    let scene = Scene::new();
    let file = scene.workflow("ask", BODY);
    scene.assay(&["run", &file]).expect(31);
    let id = scene.assay(&["status", "latest", "--json"]).json()["run"].as_str().map(str::to_owned);
    let run = scene.run_dir();
    let id = id
        .unwrap_or_else(|| run.file_name().unwrap().to_str().unwrap().rsplit('-').next().unwrap().to_owned());
    // What a process of a step that outlived the run by some other service would show.
    let output = scene.command(&["answer", "latest", "sign", "ship"]).env("ASSAY_RUN", &id).output().unwrap();
    assert_eq!(output.status.code(), Some(31), "{}", String::from_utf8_lossy(&output.stderr));
    let answers = scene.events("answered");
    assert!(answers.len() == 1 && answers[0]["refused"].is_string(), "{answers:?}");
    scene.assay(&["status", "latest"]).expect(31);
    assert_eq!(ran(&scene), "before ");
    scene.assay(&["answer", "latest", "sign", "ship"]).expect(0);
}

#[test]
fn an_answer_while_other_steps_still_run_is_taken_by_the_live_engine() {
    let scene = Scene::new();
    let body = format!(
        "{BODY}  other: {{uses: command, with: {{shell: 'while [ ! -e {{{{ skill.dir | q }}}}/go ]; do sleep 0.02; done'}}}}\n"
    );
    let file = scene.workflow("ask", &body);
    let child = scene.start(&["run", &file, "--cpus", "2"]);
    assert!(eventually(Duration::from_secs(30), || scene.has_event("asked", |_| true)));
    scene.assay(&["answer", "latest", "sign", "shp"]).expect(2);
    scene.assay(&["answer", "latest", "sign", "ship"]).expect(0);
    assert!(eventually(Duration::from_secs(10), || ran(&scene) == "before after "), "{}", ran(&scene));
    scene.write("go", "");
    finish(child).expect(0);
}

#[test]
fn a_question_that_shows_something_else_needs_a_new_answer() {
    let scene = Scene::new();
    let file = scene.workflow("ask", BODY);
    scene.assay(&["run", &file]).expect(31);
    scene.assay(&["answer", "latest", "sign", "ship"]).expect(0);
    scene.workflow("ask", &BODY.replace("ratio: 1.2", "ratio: 0.7"));
    scene.assay(&["resume", "latest"]).expect(31);
    assert_eq!(scene.events("answered").len(), 1);
}
