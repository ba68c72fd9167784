//! What must hold for every comparison, and how often its promises are kept: seeded simulations.

use assay_stats::{
    Better, Looks, Pair, PairedComparison, Side, Verdict, log_interval, needs_more, pair_order,
};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A standard normal deviate (Box and Muller, 1958).
fn normal(random: &mut StdRng) -> f64 {
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.random::<f64>()).cos()
}

/// Pairs with log-normal noise: `noise` per side and a common disturbance ten times as large, which the pairing
/// must cancel. The candidate takes `1 / effect` of the baseline's time.
fn simulate(random: &mut StdRng, n: usize, effect: f64, noise: f64) -> Vec<Pair> {
    let order = pair_order(random.random(), n);
    let pair = |i: usize| {
        let common = 10.0 * noise * normal(random);
        let baseline = (common + noise * normal(random)).exp();
        let candidate = (common + noise * normal(random)).exp() / effect;
        Pair { baseline, candidate, first: Some(order[i]) }
    };
    (0..n).map(pair).collect()
}

fn plan(threshold: f64, first: usize, max: usize) -> PairedComparison {
    PairedComparison { better: Better::Lower, threshold, confidence: 0.95, looks: Looks { first, max } }
}

/// The verdict after looking, and extending while undecided, as the engine does.
#[expect(clippy::unwrap_used, reason = "the exception for tests does not reach helpers of a test file")]
fn run(settings: &PairedComparison, pairs: &[Pair]) -> Verdict {
    let schedule = settings.looks.schedule();
    let mut verdict = Verdict::Undecided;
    for size in schedule {
        verdict = settings.verdict(&pairs[..size]).unwrap();
        if verdict != Verdict::Undecided {
            break;
        }
    }
    verdict
}

/// Fraction of `trials` simulations in which the 95 % interval of `n` pairs holds the true ratio.
#[expect(clippy::unwrap_used, reason = "the exception for tests does not reach helpers of a test file")]
fn coverage(seed: u64, trials: usize, n: usize) -> f64 {
    let mut random = StdRng::seed_from_u64(seed);
    let effect = 1.07_f64;
    let held = (0..trials).filter(|_| {
        let pairs = simulate(&mut random, n, effect, 0.05);
        let logs: Vec<f64> = pairs.iter().map(|p| p.baseline.ln() - p.candidate.ln()).collect();
        let interval = log_interval(&logs, 0.05).unwrap();
        interval.low <= effect.ln() && effect.ln() <= interval.high
    });
    held.count() as f64 / trials as f64
}

#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    for (n, trials) in [(30, 3000), (10, 3000), (5, 3000)] {
        let covered = coverage(20_261_122 + n as u64, trials, n);
        println!("95 % interval, {n} pairs: covered in {:.2} % of {trials}", covered * 100.0);
        assert!((0.93..=0.975).contains(&covered), "{n} pairs: {covered}");
    }
}

#[test]
fn equal_sides_are_rarely_called_unequal_even_after_extensions() {
    let mut random = StdRng::seed_from_u64(41);
    let (settings, trials) = (plan(0.0, 30, 120), 2000);
    let wrong = (0..trials)
        .filter(|_| run(&settings, &simulate(&mut random, 120, 1.0, 0.05)) != Verdict::Undecided)
        .count();
    let rate = wrong as f64 / trials as f64;
    println!("equal sides, looks at 30, 60, 120: called better or worse in {:.2} %", rate * 100.0);
    assert!(rate <= 0.05, "{rate}");
    // A test that never decides would pass the line above.
    assert!(rate >= 0.01, "{rate}");
}

#[test]
fn a_candidate_just_at_the_threshold_is_rarely_called_better() {
    let mut random = StdRng::seed_from_u64(42);
    let settings = plan(0.01, 10, 80);
    let wrong = (0..2000)
        .filter(|_| run(&settings, &simulate(&mut random, 80, 1.01, 0.03)) == Verdict::Better)
        .count();
    println!("true ratio at the threshold, looks at 10, 20, 40, 80: called better in {wrong} of 2000");
    assert!(wrong <= 50, "{wrong} of 2000: half of the error is allowed on this side");
}

#[test]
fn real_effects_are_found_and_small_ones_tie() {
    let mut random = StdRng::seed_from_u64(43);
    let mut count = |effect, noise, wanted| {
        (0..200)
            .filter(|_| run(&plan(0.01, 30, 120), &simulate(&mut random, 120, effect, noise)) == wanted)
            .count()
    };
    assert!(count(1.05, 0.02, Verdict::Better) >= 190);
    assert!(count(1.0 / 1.05, 0.02, Verdict::Worse) >= 190);
    assert!(count(1.0, 0.005, Verdict::Tie) >= 190);
}

#[test]
fn extension_is_asked_for_only_while_undecided_and_planned() {
    let mut random = StdRng::seed_from_u64(44);
    let settings = plan(0.01, 10, 40);
    // Evenly spread over +-40 %, so that 40 pairs cannot tell a tie from an effect of 1 %.
    let spread = |i: u32| 10.0 * (f64::from(i * 7 % 20) / 25.0 - 0.38).exp();
    let noisy: Vec<Pair> =
        (0..40).map(|i| Pair { baseline: 10.0, candidate: spread(i), first: None }).collect();
    let first = settings.compare(&noisy[..10]).unwrap();
    assert_eq!((first.verdict, needs_more(&first)), (Verdict::Undecided, Some(20)));
    let last = settings.compare(&noisy).unwrap();
    assert_eq!((last.verdict, needs_more(&last)), (Verdict::Undecided, None));
    let clear = settings.compare(&simulate(&mut random, 10, 3.0, 0.01)).unwrap();
    assert_eq!((clear.verdict, needs_more(&clear)), (Verdict::Better, None));
}

#[test]
fn results_travel_through_json() {
    let mut random = StdRng::seed_from_u64(45);
    let result = plan(0.01, 12, 12).compare(&simulate(&mut random, 12, 1.3, 0.02)).unwrap();
    let text = serde_json::to_string(&result).unwrap();
    assert!(text.contains(r#""verdict":"better""#) && text.contains(r#""method":"signed_rank""#), "{text}");
    let back: assay_stats::Comparison = serde_json::from_str(&text).unwrap();
    assert_eq!(back.verdict, result.verdict);
    assert!((back.ratio - result.ratio).abs() < 1e-12);
    let schema = serde_json::to_string(&schemars::schema_for!(assay_stats::Comparison)).unwrap();
    assert!(schema.contains("ci_low"));
}

fn any_pairs() -> impl Strategy<Value = Vec<Pair>> {
    let pair = (0.1..100.0_f64, 0.5..2.0_f64, any::<bool>()).prop_map(|(baseline, factor, first)| Pair {
        baseline,
        candidate: baseline * factor,
        first: Some(if first { Side::Baseline } else { Side::Candidate }),
    });
    prop::collection::vec(pair, 3..40)
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

proptest! {
    // Seeds of failures are printed; no file is written beside the sources.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn swapping_the_sides_inverts_ratio_and_verdict(pairs in any_pairs(), threshold in 0.0..0.2_f64) {
        let settings = plan(threshold, pairs.len(), pairs.len());
        let swap = |p: &Pair| Pair { baseline: p.candidate, candidate: p.baseline, first: p.first.map(Side::other) };
        let swapped: Vec<Pair> = pairs.iter().map(swap).collect();
        let (here, there) = (settings.compare(&pairs).unwrap(), settings.compare(&swapped).unwrap());
        prop_assert_eq!(here.verdict, there.verdict.swapped());
        prop_assert!(close(here.ratio, 1.0 / there.ratio));
        prop_assert!(close(here.ci_low, 1.0 / there.ci_high) && close(here.ci_high, 1.0 / there.ci_low));
        let higher = PairedComparison { better: Better::Higher, ..settings }.compare(&pairs).unwrap();
        prop_assert_eq!(higher.verdict, there.verdict);
        prop_assert!(close(higher.ratio, there.ratio));
    }

    #[test]
    fn the_unit_does_not_matter(pairs in any_pairs(), exponent in -30..30_i32) {
        let settings = plan(0.01, pairs.len(), pairs.len());
        let unit = 10.0_f64.powi(exponent);
        let scale = |p: &Pair| Pair { baseline: p.baseline * unit, candidate: p.candidate * unit, first: p.first };
        let scaled: Vec<Pair> = pairs.iter().map(scale).collect();
        let (here, there) = (settings.compare(&pairs).unwrap(), settings.compare(&scaled).unwrap());
        prop_assert!(close(here.ratio, there.ratio) && close(here.ci_low, there.ci_low));
        prop_assert!(close(here.ci_high, there.ci_high));
    }

    #[test]
    fn the_estimate_lies_in_its_interval_and_nothing_depends_on_a_hidden_state(pairs in any_pairs()) {
        let settings = plan(0.01, pairs.len(), pairs.len());
        let result = settings.compare(&pairs).unwrap();
        prop_assert!(result.ci_low <= result.ratio && result.ratio <= result.ci_high);
        prop_assert_eq!(&result, &settings.compare(&pairs).unwrap());
        prop_assert_eq!(result.verdict, settings.verdict(&pairs).unwrap());
    }
}
