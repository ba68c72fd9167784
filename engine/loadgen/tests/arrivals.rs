//! Schedules of arrivals.

use assay_loadgen::LoadError;
use assay_loadgen::arrivals::{Arrivals, Shape};
use proptest::prelude::*;
use std::io::Write as _;

fn offsets(arrivals: &Arrivals, n: u32, seed: u64) -> Vec<u64> {
    arrivals.offsets_ns(n, seed).expect("a schedule")
}

fn gaps(offsets: &[u64]) -> Vec<f64> {
    offsets.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1e9).collect()
}

fn mean_and_variance(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0))
}

fn any_arrivals() -> impl Strategy<Value = Arrivals> {
    let rate = 0.01f64..10_000.0;
    let burstiness = 0.05f64..50.0;
    let ramp = (
        0.0f64..1000.0,
        0.1f64..1000.0,
        0.1f64..1000.0,
        any::<bool>(),
        proptest::option::of(burstiness.clone()),
    );
    prop_oneof![
        Just(Arrivals::Burst {}),
        rate.clone().prop_map(|rate| Arrivals::Constant { rate }),
        rate.clone().prop_map(|rate| Arrivals::Poisson { rate }),
        (rate, burstiness).prop_map(|(rate, burstiness)| Arrivals::Gamma { rate, burstiness }),
        ramp.prop_map(|(from, to, over_s, linear, burstiness)| Arrivals::Ramp {
            from: if linear { from } else { from + 0.1 },
            to,
            over_s,
            shape: if linear { Shape::Linear } else { Shape::Exponential },
            burstiness,
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_schedule_starts_at_0_never_goes_back_and_repeats(arrivals in any_arrivals(), n in 0u32..2000, seed: u64) {
        let one = offsets(&arrivals, n, seed);
        prop_assert_eq!(one.len(), n as usize);
        prop_assert_eq!(one.first().copied().unwrap_or(0), 0);
        prop_assert!(one.is_sorted());
        prop_assert_eq!(&one, &offsets(&arrivals, n, seed));
        let random = matches!(
            arrivals,
            Arrivals::Poisson { .. } | Arrivals::Gamma { .. } | Arrivals::Ramp { burstiness: Some(_), .. }
        );
        if n > 20 {
            prop_assert_eq!(one != offsets(&arrivals, n, seed ^ 1), random);
        }
    }

    #[test]
    fn a_random_schedule_offers_its_rate_exactly(rate in 0.1f64..1000.0, burstiness in 0.2f64..20.0, seed: u64) {
        // The sum of the first n gaps of n is short of n / rate by the last gap alone: it lies inside, and the mean over
        // many seeds is right.
        let n = 500;
        let total = f64::from(n) / rate;
        for arrivals in [Arrivals::Poisson { rate }, Arrivals::Gamma { rate, burstiness }] {
            let last = *offsets(&arrivals, n, seed).last().expect("requests") as f64 / 1e9;
            prop_assert!(last <= total * (1.0 + 1e-9), "{last} of {total}");
            prop_assert!(last > total * 0.85, "{last} of {total}");
        }
    }

    #[test]
    fn gaps_vary_as_the_burstiness_says(burstiness in 0.25f64..16.0, seed: u64) {
        let rate = 40.0;
        let (mean, variance) = mean_and_variance(&gaps(&offsets(&Arrivals::Gamma { rate, burstiness }, 20_000, seed)));
        prop_assert!((mean * rate - 1.0).abs() < 0.01, "mean {mean}");
        // The relative spread of a sample variance is sqrt((kurtosis - 1) / n); a gamma's kurtosis is 3 + 6 / shape.
        let sigma = ((2.0 + 6.0 / burstiness) / 20_000.0).sqrt();
        let expected = 1.0 / (rate * rate * burstiness);
        prop_assert!((variance / expected - 1.0).abs() < 6.0 * sigma, "variance {variance}, expected {expected}");
    }
}

#[test]
fn poisson_gaps_are_exponential() {
    let gaps = gaps(&offsets(&Arrivals::Poisson { rate: 10.0 }, 50_000, 3));
    // Kolmogorov-Smirnov distance from 1 - exp(-10 t); 1.95 / sqrt(n) is exceeded by chance once in a thousand times.
    let mut sorted = gaps;
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let distance = sorted.iter().enumerate().map(|(index, gap)| {
        let expected = 1.0 - (-10.0 * gap).exp();
        (expected - index as f64 / n).abs().max((expected - (index + 1) as f64 / n).abs())
    });
    let distance = distance.fold(0.0, f64::max);
    assert!(distance < 1.95 / n.sqrt(), "{distance}");
}

#[test]
fn even_schedules_are_exact() {
    assert_eq!(offsets(&Arrivals::Burst {}, 3, 1), [0, 0, 0]);
    assert_eq!(offsets(&Arrivals::Constant { rate: 4.0 }, 4, 1), [0, 250_000_000, 500_000_000, 750_000_000]);
    let third = offsets(&Arrivals::Constant { rate: 3.0 }, 3_000_001, 1);
    assert_eq!(third.last(), Some(&1_000_000_000_000_000), "no drift in a million seconds");
}

#[test]
fn a_ramp_offers_what_its_rate_adds_up_to() {
    let ramp = |from, to, shape| Arrivals::Ramp { from, to, over_s: 100.0, shape, burstiness: None };
    // Linear from 0 to 10 in 100 s: 500 requests by then, a quarter of them at half time; 10 per second from there on.
    let offsets_s = |arrivals: &Arrivals, n| {
        offsets(arrivals, n, 1).into_iter().map(|at| at as f64 / 1e9).collect::<Vec<_>>()
    };
    let linear = offsets_s(&ramp(0.0, 10.0, Shape::Linear), 601);
    let near =
        |value: f64, expected: f64| assert!((value - expected).abs() < 1e-6, "{value}, expected {expected}");
    near(linear[125], 50.0);
    near(linear[500], 100.0);
    near(linear[600], 110.0);
    // Exponential from 1 to e^2 in 100 s: (e^2 - 1) * 50 requests by then, (e - 1) * 50 at half time.
    let exponential = offsets_s(&ramp(1.0, 2f64.exp(), Shape::Exponential), 400);
    let by = |time: f64| exponential.iter().filter(|at| **at < time).count() as f64;
    assert!((by(50.0) - (1f64.exp() - 1.0) * 50.0).abs() <= 1.0);
    assert!((by(100.0) - (2f64.exp() - 1.0) * 50.0).abs() <= 1.0);
    // Downwards, and not at all.
    let down = offsets_s(&ramp(10.0, 2.0, Shape::Linear), 700);
    near(down[600], 100.0);
    near(down[602], 101.0);
    let flat = [Shape::Linear, Shape::Exponential].map(|shape| offsets(&ramp(5.0, 5.0, shape), 900, 1));
    assert_eq!(flat[0], offsets(&Arrivals::Constant { rate: 5.0 }, 900, 1));
    assert_eq!(flat[0], flat[1]);
}

#[test]
fn a_random_ramp_follows_its_rate() {
    let (from, to, over_s) = (10.0, 100.0, 100.0);
    let ramp = Arrivals::Ramp { from, to, over_s, shape: Shape::Linear, burstiness: Some(1.0) };
    let offsets = offsets(&ramp, 8000, 5);
    let by = |time: f64| offsets.iter().filter(|at| **at as f64 / 1e9 < time).count() as f64;
    let expected = |time: f64| from * time + (to - from) / over_s * time * time / 2.0;
    for time in [20.0, 50.0, 80.0, 100.0] {
        let sigma = expected(time).sqrt();
        assert!((by(time) - expected(time)).abs() < 4.0 * sigma, "{} by {time}", by(time));
    }
}

#[test]
fn a_trace_is_played_from_its_first_arrival() {
    let trace = |offsets_s: &[f64]| Arrivals::Trace { path: None, offsets_s: Some(offsets_s.to_vec()) };
    assert_eq!(offsets(&trace(&[2.0, 2.0, 3.5, 9.0]), 3, 1), [0, 0, 1_500_000_000]);
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(b"0.5\n1e0\r\n 2.25\n").expect("written");
    let path = Some(file.path().to_owned());
    let from_file = Arrivals::Trace { path: path.clone(), offsets_s: None };
    assert_eq!(offsets(&from_file, 3, 1), [0, 500_000_000, 1_750_000_000]);
    let message = |arrivals: &Arrivals, n| arrivals.offsets_ns(n, 1).expect_err("refused").to_string();
    assert!(message(&from_file, 4).contains("has 3 arrivals, the workload 4 requests"));
    assert!(message(&trace(&[1.0, 0.5]), 2).contains("arrival 2 of the trace is 0.5 after 1"));
    assert!(message(&trace(&[-1.0]), 1).contains("arrival 1 of the trace is -1"));
    assert!(message(&trace(&[0.0, f64::NAN]), 2).contains("arrival 2 of the trace is NaN"));
    assert!(message(&trace(&[0.0, 1e12]), 2).contains("longer than 365 days"));
    assert!(message(&Arrivals::Trace { path: None, offsets_s: None }, 1).contains("exactly one of `path`"));
    assert!(message(&Arrivals::Trace { path, offsets_s: Some(vec![]) }, 1).contains("exactly one of `path`"));
    file.write_all(b"soon\n").expect("written");
    assert!(
        message(&from_file, 4).contains("line 4: `soon` is not a number; each line is one time in seconds")
    );
}

#[test]
fn values_without_sense_are_refused() {
    let refused = [
        Arrivals::Constant { rate: 0.0 },
        Arrivals::Constant { rate: f64::INFINITY },
        Arrivals::Poisson { rate: -1.0 },
        Arrivals::Poisson { rate: f64::NAN },
        Arrivals::Gamma { rate: 1.0, burstiness: 0.0 },
        Arrivals::Ramp { from: 0.0, to: 1.0, over_s: 1.0, shape: Shape::Exponential, burstiness: None },
        Arrivals::Ramp { from: 1.0, to: 0.0, over_s: 1.0, shape: Shape::Linear, burstiness: None },
        Arrivals::Ramp { from: 1.0, to: 1.0, over_s: 0.0, shape: Shape::Linear, burstiness: None },
        Arrivals::Ramp { from: 1.0, to: 2.0, over_s: 1.0, shape: Shape::Linear, burstiness: Some(-1.0) },
    ];
    for arrivals in refused {
        assert!(matches!(arrivals.check(), Err(LoadError::Config(_))), "{arrivals:?}");
        assert!(arrivals.offsets_ns(2, 1).is_err());
    }
    assert!(Arrivals::Constant { rate: 1e-9 }.offsets_ns(2, 1).is_err(), "30 years");
}
