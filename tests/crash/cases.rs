//! Crashes and resumes of runs that do not simply pass.

use crate::point::{Fallen, PHASES, Point, Stage, VICTIMS};
use crate::workflow;

/// Every `step`th boundary of a workflow that ends with `exit` undisturbed, the victims in turn.
fn at_boundaries(text: &str, exit: i32, step: usize, check: impl Fn(&Stage, Point)) {
    let stage = Stage::new(text);
    assert_eq!(stage.run(), exit, "{}", stage.said());
    let records = stage.records().len() as u64;
    check(&stage, Point { seq: records, phase: "undisturbed", victim: "nobody" });
    let all: Vec<(u64, &str)> = (2..=records).flat_map(|seq| PHASES.map(|phase| (seq, phase))).collect();
    for (at, (seq, phase)) in all.into_iter().enumerate().filter(|(at, _)| at % step == 0) {
        let point = Point { seq, phase, victim: VICTIMS[at / step % VICTIMS.len()] };
        let stage = Stage::new(text);
        stage.run_into(point);
        let fallen = Fallen::look(&stage);
        assert_eq!(stage.resume(), exit, "{point:?}: {}", stage.said());
        fallen.check(&stage, &format!("{point:?}"));
        check(&stage, point);
    }
}

pub fn killed_before_the_first_record() {
    for (phase, victim) in PHASES.into_iter().zip(VICTIMS) {
        let stage = Stage::new(workflow::EARLY_SERVER);
        assert!(stage.run_into(Point { seq: 1, phase, victim }));
        assert!(stage.effects().started.is_empty());
        let code = stage.resume();
        assert_eq!(code, 0, "{phase}: {}", stage.said());
        assert_eq!(stage.result().exit, Some(0), "{phase}");
    }
}

pub fn an_open_question_stays_open() {
    at_boundaries(workflow::QUESTION, 31, 5, |stage, point| {
        let asked = stage.scene.events("asked").len();
        assert!(asked >= 1, "{point:?}");
        for _ in 0..3 {
            assert_eq!(stage.resume(), 31, "{point:?}: {}", stage.said());
        }
        assert!(stage.scene.events("answered").is_empty(), "{point:?}: nobody answered");
        assert_eq!(stage.effects().starts("publish"), 0, "{point:?}: a question was passed by resuming");
    });
}

pub fn a_failed_gate_stays_failed() {
    at_boundaries(workflow::FAILED_GATE, 26, 4, |stage, point| {
        for _ in 0..2 {
            assert_eq!(stage.resume(), 26, "{point:?}: {}", stage.said());
        }
        assert_eq!(stage.effects().starts("publish"), 0, "{point:?}: a gate was passed by resuming");
        assert_eq!(stage.result().gates["good"], "incorrect", "{point:?}");
    });
}

pub fn a_failed_child_is_tried_again() {
    at_boundaries(workflow::FAILED_CHILD, 21, 5, |stage, point| {
        let tried = stage.effects().starts("one[allowed]");
        assert_eq!(stage.resume(), 21, "{point:?}: {}", stage.said());
        assert_eq!(
            stage.effects().starts("one[allowed]"),
            tried + 1,
            "{point:?}: the failed child counts as done"
        );
        assert_eq!(stage.effects().starts("after"), 0, "{point:?}");
        let siblings = stage.effects().starts("one[work]");
        std::fs::write(stage.effects.join("allow"), "").unwrap();
        assert_eq!(stage.resume(), 0, "{point:?}: {}", stage.said());
        assert_eq!(stage.effects().starts("one[work]"), siblings, "{point:?}: a sibling was repeated");
        assert_eq!(stage.effects().starts("after"), 1, "{point:?}");
    });
}

pub fn a_failed_reader_gets_its_server_again() {
    let stage = Stage::new(workflow::FAILED_READER);
    assert_eq!(stage.run(), 21, "{}", stage.said());
    std::fs::write(stage.effects.join("allow"), "").unwrap();
    assert_eq!(stage.resume(), 0, "{}", stage.said());
    let effects = stage.effects();
    assert_eq!((effects.starts("server"), effects.starts("passes"), effects.starts("last")), (2, 1, 1));
}

/// Killed after the server's only user had ended: neither the server nor what ended may run again.
pub fn a_server_that_nobody_needs_stays_down() {
    let stage = Stage::new(workflow::EARLY_SERVER);
    assert_eq!(stage.run(), 0, "{}", stage.said());
    let (tidy, server) = (final_record(&stage, "tidy"), final_record(&stage, "server"));
    assert!(tidy < server, "`finally` runs before servers stop");
    for victim in VICTIMS {
        let stage = Stage::new(workflow::EARLY_SERVER);
        let point = Point { seq: tidy, phase: "after-sync", victim };
        assert!(stage.run_into(point));
        let fallen = Fallen::look(&stage);
        assert_eq!(stage.resume(), 0, "{}", stage.said());
        fallen.check(&stage, victim);
        let effects = stage.effects();
        assert_eq!(
            (effects.starts("server"), effects.starts("tidy")),
            (1, 1),
            "{victim}: nobody needed the server"
        );
        assert_eq!(stage.result().steps["tidy"], "passed");
    }
}

/// Killed when only `finally` has yet to use the server: it starts again, and what used it before does not.
pub fn a_server_that_finally_needs_starts_again() {
    let stage = Stage::new(workflow::EARLY_SERVER);
    assert_eq!(stage.run(), 0, "{}", stage.said());
    let after = final_record(&stage, "after");
    for victim in VICTIMS {
        let stage = Stage::new(workflow::EARLY_SERVER);
        assert!(stage.run_into(Point { seq: after, phase: "before-write", victim }));
        assert_eq!(stage.resume(), 0, "{}", stage.said());
        let effects = stage.effects();
        assert_eq!((effects.starts("server"), effects.starts("use"), effects.starts("after")), (2, 1, 2));
        assert_eq!(stage.result().steps["tidy"], "passed", "{victim}");
    }
}

/// Number of the record by which a step ended for good.
fn final_record(stage: &Stage, step: &str) -> u64 {
    let ends = |record: &serde_json::Value| {
        let data = &record["data"];
        record["type"] == "step_finished" && data["step"] == step && data["final"] == true
    };
    stage.records().iter().position(ends).unwrap() as u64 + 1
}
