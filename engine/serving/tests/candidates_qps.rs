//! The search for the highest rate, against servers with a known limit.

use assay_serving::candidates::qps::{
    Contradiction, RateError, RateRange, RateResult, RateSearch, RateStatus, Told,
};
use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

const RANGE: RateRange = RateRange { lower: 0.25, upper: 4.0, tolerance: 0.1, max_rounds: 12 };

fn search(range: RateRange, told: &[(f64, RateResult)]) -> RateSearch {
    let mut search = RateSearch::new(range).expect("a range");
    for (rate, result) in told {
        search.tell(*rate, *result).expect("a rate");
    }
    search
}

/// Runs a search against a server that passes up to `limit`.
fn run(range: RateRange, limit: f64) -> RateSearch {
    let mut search = RateSearch::new(range).expect("a range");
    while let Some(rate) = search.next() {
        let result = if rate <= limit { RateResult::Passed } else { RateResult::Failed };
        search.tell(rate, result).expect("a rate");
    }
    search
}

#[test]
fn a_limit_inside_is_found_within_the_tolerance() {
    let answer = run(RANGE, 1.7).answer();
    assert_eq!(answer.status, RateStatus::Found);
    let (best, not_passed) = (answer.best.unwrap(), answer.not_passed.unwrap());
    assert!(best <= 1.7 && not_passed > 1.7 && not_passed - best <= 0.1, "{answer:?}");
    assert_eq!(answer.rounds, 6, "halving 3.75 to 0.1");
}

#[test]
fn the_ends_are_measured_only_where_they_decide() {
    let high = run(RANGE, 9.0);
    assert_eq!((high.answer().status, high.answer().best), (RateStatus::AtUpper, Some(4.0)));
    assert_eq!(high.told().last().unwrap().rate, 4.0);
    let low = run(RANGE, 0.1);
    assert_eq!((low.answer().status, low.answer().best), (RateStatus::BelowLower, None));
    assert_eq!(low.told().last().unwrap().rate, 0.25);
}

#[test]
fn the_last_round_of_a_short_budget_goes_where_it_says_most() {
    let short = RateRange { max_rounds: 3, ..RANGE };
    let ended = run(short, 0.3).answer();
    assert_eq!((ended.status, ended.best), (RateStatus::OutOfRounds, Some(0.25)));
    assert_eq!(run(short, 0.1).answer().status, RateStatus::BelowLower);
    assert_eq!(run(short, 9.0).answer().status, RateStatus::AtUpper);
    let middle = run(short, 1.7).answer();
    assert_eq!((middle.status, middle.rounds), (RateStatus::OutOfRounds, 3));
    assert!(middle.best.unwrap() < 1.7 && middle.not_passed.unwrap() > 1.7);
    assert_eq!(run(RateRange { max_rounds: 1, ..RANGE }, 1.0).answer().best, Some(0.25));
}

#[test]
fn contradictions_are_said_and_the_careful_answer_is_given() {
    let told = [
        (1.0, RateResult::Failed),
        (2.0, RateResult::Passed),
        (0.5, RateResult::Passed),
        (3.0, RateResult::Failed),
    ];
    let answer = search(RANGE, &told).answer();
    assert_eq!(answer.contradictions, [Contradiction { failed: 1.0, passed: 2.0 }]);
    assert_eq!((answer.best, answer.not_passed), (Some(0.5), Some(1.0)));
    let both = search(RANGE, &[(2.0, RateResult::Passed), (2.0, RateResult::Failed)]).answer();
    assert_eq!(both.contradictions, [Contradiction { failed: 2.0, passed: 2.0 }]);
    assert_eq!(both.best, None, "a rate that both passed and failed did not pass");
}

#[test]
fn an_undecided_rate_is_measured_once_more_and_then_counts_as_not_passed() {
    let mut search = search(RANGE, &[]);
    let first = search.next().unwrap();
    search.tell(first, RateResult::Undecided).unwrap();
    assert_eq!(search.next(), Some(first));
    search.tell(first, RateResult::Undecided).unwrap();
    assert!(search.next().unwrap() < first);
    while let Some(rate) = search.next() {
        search.tell(rate, RateResult::Passed).unwrap();
    }
    let answer = search.answer();
    assert_eq!((answer.status, answer.not_passed), (RateStatus::Undecided, Some(first)));
    assert_eq!(answer.undecided, [first]);
    let decided = self::search(RANGE, &[(2.0, RateResult::Undecided), (2.0, RateResult::Passed)]).answer();
    assert_eq!((decided.best, decided.undecided), (Some(2.0), vec![]));
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (lower, upper) in [(0.0, 1.0), (2.0, 1.0), (1.0, 1.0), (1.0, f64::INFINITY), (f64::NAN, 1.0)] {
        assert!(matches!(RateSearch::new(RateRange { lower, upper, ..RANGE }), Err(RateError::Range { .. })));
    }
    for tolerance in [0.0, -1.0, f64::NAN] {
        assert!(matches!(RateSearch::new(RateRange { tolerance, ..RANGE }), Err(RateError::Tolerance(_))));
    }
    assert_eq!(RateSearch::new(RateRange { max_rounds: 0, ..RANGE }).unwrap_err(), RateError::NoRounds);
    let mut search = search(RANGE, &[]);
    assert!(search.tell(f64::NAN, RateResult::Passed).is_err());
    assert!(search.tell(-1.0, RateResult::Passed).is_err());
    assert!(search.told().is_empty());
}

#[test]
fn a_tolerance_finer_than_numbers_ends() {
    let range = RateRange { tolerance: 1e-300, max_rounds: 10_000, ..RANGE };
    let found = run(range, 1.7).answer();
    assert_eq!((found.status, found.best), (RateStatus::Found, Some(1.7)));
    assert!(found.rounds < 80);
}

fn any_result() -> impl proptest::strategy::Strategy<Value = RateResult> {
    prop::sample::select(vec![RateResult::Passed, RateResult::Failed, RateResult::Undecided])
}

proptest! {
    #[test]
    fn the_answer_brackets_any_limit(limit in 0.01_f64..8.0, tolerance in 0.01_f64..1.0) {
        let range = RateRange { tolerance, max_rounds: 40, ..RANGE };
        let search = run(range, limit);
        let answer = search.answer();
        prop_assert!(answer.contradictions.is_empty());
        match answer.status {
            RateStatus::Found => {
                let (best, not_passed) = (answer.best.unwrap(), answer.not_passed.unwrap());
                prop_assert!(best <= limit && limit < not_passed && not_passed - best <= tolerance);
            }
            RateStatus::AtUpper => prop_assert!(limit >= 4.0),
            RateStatus::BelowLower => prop_assert!(limit < 0.25),
            other => prop_assert!(false, "{:?}", other),
        }
        prop_assert!(search.told().iter().all(|told| (0.25..=4.0).contains(&told.rate)));
    }

    #[test]
    fn a_search_goes_on_from_results_in_any_order(limit in 0.1_f64..5.0, cut in 0_usize..12, turn in 0_usize..12) {
        let whole = run(RANGE, limit);
        let mut kept: Vec<Told> = whole.told()[..cut.min(whole.told().len())].to_vec();
        let turn = if kept.is_empty() { 0 } else { turn % kept.len() };
        kept.rotate_left(turn);
        let pairs: Vec<_> = kept.iter().map(|told| (told.rate, told.result)).collect();
        let mut resumed = search(RANGE, &pairs);
        while let Some(rate) = resumed.next() {
            resumed.tell(rate, if rate <= limit { RateResult::Passed } else { RateResult::Failed }).unwrap();
        }
        prop_assert_eq!(resumed.answer(), whole.answer());
    }

    #[test]
    fn whatever_comes_back_the_search_ends_within_its_budget(results in prop::collection::vec(any_result(), 12)) {
        let mut search = RateSearch::new(RANGE).unwrap();
        for result in results {
            let Some(rate) = search.next() else { break };
            prop_assert!((0.25..=4.0).contains(&rate));
            search.tell(rate, result).unwrap();
        }
        prop_assert!(search.next().is_none());
        prop_assert!(search.answer().status != RateStatus::Searching);
    }
}
