//! The points, and which of them are visited.

use crate::point::{Fallen, Outcome, PHASES, Point, Stage, VICTIMS, expect_resumed, visit};
use crate::workflow;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Points visited at once.
const AT_ONCE: usize = 2;
/// Points besides every tenth.
const RANDOM: usize = 10;

/// How the workflow ends undisturbed, which commands it runs, and how many records that takes.
fn undisturbed() -> (Outcome, BTreeSet<String>, u64) {
    let stage = Stage::new(workflow::EVERYTHING);
    assert_eq!(stage.run(), 0, "undisturbed\n{}", stage.said());
    let names = stage.effects().ended.into_keys().collect();
    (stage.result(), names, stage.records().len() as u64)
}

fn points(records: u64) -> Vec<Point> {
    let all = (1..=records).flat_map(|seq| PHASES.map(|phase| (seq, phase)));
    all.flat_map(|(seq, phase)| VICTIMS.map(|victim| Point { seq, phase, victim })).collect()
}

fn seed() -> u64 {
    let given = std::env::var("ASSAY_TEST_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(rand::random)
}

fn is_full() -> bool {
    std::env::args().any(|argument| argument == "--full")
        || std::env::var("ASSAY_TEST_FULL").is_ok_and(|value| value == "1")
}

/// Visits points, two at a time, and fails with every point that failed.
fn visit_all(chosen: &[Point], visit: impl Fn(Point) -> bool + Sync) {
    let begin = Instant::now();
    let (next, missed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(point) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match catch_unwind(AssertUnwindSafe(|| visit(*point))) {
                        Ok(true) => {}
                        Ok(false) => _ = missed.fetch_add(1, Ordering::Relaxed),
                        Err(_) => failed.lock().unwrap().push(*point),
                    }
                }
            });
        }
    });
    let missed = missed.into_inner();
    println!("{} points in {:.0} s, {missed} not reached", chosen.len(), begin.elapsed().as_secs_f64());
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} of {} points failed: {failed:#?}", failed.len(), chosen.len());
    // A run may end a few records earlier than the first one did; a test that hits nothing would show nothing.
    assert!(missed * 10 <= chosen.len(), "{missed} of {} points were not reached", chosen.len());
}

pub fn killed_at_journal_boundaries() {
    let (wanted, names, records) = undisturbed();
    let all = points(records);
    let boundaries = records * PHASES.len() as u64;
    assert!(boundaries >= 200, "the workflow has {boundaries} boundaries");
    let chosen = if is_full() {
        all
    } else {
        let seed = seed();
        println!("ASSAY_TEST_SEED={seed}");
        // Every tenth in an order in which each boundary has its four victims side by side meets all kinds of both,
        // because ten and sixteen share a factor of two only: the offset moves by one with each round.
        let tenth =
            all.iter().enumerate().filter(|(at, _)| (at + at / 80) % 10 == 0).map(|(_, point)| *point);
        let mut chosen: Vec<Point> = tenth.collect();
        chosen.extend(all.sample(&mut StdRng::seed_from_u64(seed), RANDOM));
        chosen
    };
    println!(
        "{records} records, {boundaries} boundaries, {} points of {}",
        chosen.len(),
        points(records).len()
    );
    visit_all(&chosen, |point| visit(point, &wanted, &names));
}

pub fn killed_again_while_resuming() {
    let (wanted, names, records) = undisturbed();
    let mut random = StdRng::seed_from_u64(7);
    let firsts: Vec<Point> =
        points(records * 3 / 4).sample(&mut random, if is_full() { 100 } else { 6 }).copied().collect();
    visit_all(&firsts, |first| {
        let stage = Stage::new(workflow::EVERYTHING);
        if !stage.run_into(first) {
            return false;
        }
        let fallen = Fallen::look(&stage);
        let seq = stage.records().len() as u64 + 1 + first.seq % 7;
        let second = Point { seq, victim: VICTIMS[(first.seq % 4) as usize], ..first };
        let label = format!("{first:?}, then {second:?}");
        let struck = stage.resume_into(second);
        fallen.check(&stage, &label);
        let fallen = Fallen::look(&stage);
        expect_resumed(&stage, &fallen, &wanted, &names, &label);
        struck
    });
}

pub fn resumed_ten_times() {
    let (wanted, names, records) = undisturbed();
    let chosen: Vec<Point> = [records / 5, records / 2, records - 3]
        .into_iter()
        .zip(VICTIMS)
        .map(|(seq, victim)| Point { seq, phase: "after-write", victim })
        .collect();
    visit_all(&chosen, |point| {
        let stage = Stage::new(workflow::EVERYTHING);
        let struck = stage.run_into(point);
        let fallen = Fallen::look(&stage);
        expect_resumed(&stage, &fallen, &wanted, &names, &format!("{point:?}"));
        let (journal, effects) = (stage.journal(), stage.effects());
        for _ in 0..8 {
            assert_eq!(stage.resume(), 0);
            assert!(
                stage.journal() == journal && stage.effects() == effects,
                "{point:?}: a resume changed something"
            );
        }
        struck
    });
}
