//! The few distribution functions that intervals and tests need.
//!
//! "A&S" is Abramowitz and Stegun, "Handbook of Mathematical Functions" (1964).

use std::f64::consts::{FRAC_2_PI, PI};

/// Above this many pairs the signed-rank distribution is taken as normal; at 200 pairs the two
/// differ by less than 0.1 % of all ranks at the levels used here (tested below).
const EXACT_SIGNED_RANK: usize = 200;

/// Upper tail of the standard normal distribution, P(Z > z), for any `z`.
pub(crate) fn normal_upper_tail(z: f64) -> f64 {
    if z < 0.0 {
        return 1.0 - normal_upper_tail(-z);
    }
    let density = (-z * z / 2.0).exp() / (2.0 * PI).sqrt();
    if z < 2.5 {
        // A&S 26.2.11: Phi(z) = 1/2 + density * sum of z^(2k+1) / (1*3*5*...*(2k+1)).
        let (mut term, mut sum, mut odd) = (z, z, 3.0);
        while term > 1e-18 * sum {
            term *= z * z / odd;
            sum += term;
            odd += 2.0;
        }
        return 0.5 - density * sum;
    }
    // A&S 26.2.14: density times the continued fraction 1/(z + 1/(z + 2/(z + 3/(z + ...)))).
    let fraction = (1..=80_u32).rev().fold(z, |inner, k| z + f64::from(k) / inner);
    density / fraction
}

/// Two-sided p-value of a standard normal statistic.
pub(crate) fn normal_two_sided(z: f64) -> f64 {
    (2.0 * normal_upper_tail(z.abs())).min(1.0)
}

/// Where a falling `tail` function reaches `target`, for a positive argument.
fn invert_tail(tail: impl Fn(f64) -> f64, target: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while tail(high) > target && high < 1e300 {
        low = high;
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if tail(middle) > target { low = middle } else { high = middle }
    }
    high
}

/// The value that a standard normal variable exceeds with probability `tail` (at most 1/2).
pub(crate) fn normal_upper_quantile(tail: f64) -> f64 {
    invert_tail(normal_upper_tail, tail)
}

/// Upper tail P(T > t) of Student's t with a whole number of degrees of freedom, `t >= 0`: A&S 26.7.3 and
/// 26.7.4.
pub(crate) fn student_upper_tail(t: f64, degrees: usize) -> f64 {
    let nu = degrees as f64;
    let theta = (t / nu.sqrt()).atan();
    let (sine, cosine) = theta.sin_cos();
    let square = cosine * cosine;
    // Inside is P(|T| < t).
    let inside = if degrees % 2 == 1 {
        let (mut term, mut sum) = (cosine, if degrees == 1 { 0.0 } else { cosine });
        for k in (3..degrees).step_by(2) {
            term *= square * (k - 1) as f64 / k as f64;
            sum += term;
        }
        FRAC_2_PI * (theta + sine * sum)
    } else {
        let (mut term, mut sum) = (1.0, 1.0);
        for k in (2..degrees).step_by(2) {
            term *= square * (k - 1) as f64 / k as f64;
            sum += term;
        }
        sine * sum
    };
    ((1.0 - inside) / 2.0).max(0.0)
}

/// The value that Student's t exceeds with probability `tail` (below 1/2).
pub(crate) fn student_upper_quantile(tail: f64, degrees: usize) -> f64 {
    invert_tail(|t| student_upper_tail(t, degrees), tail)
}

/// The largest `k` with P(W <= k - 1) <= `tail` for the signed-rank statistic W of `n` pairs without an effect:
/// the interval's ends are then the k-th smallest and the k-th largest Walsh average. `None` if no `k` from 1
/// upwards will do. Source: Hollander, Wolfe and Chicken, 3rd edition, sections 3.1 and 3.3.
pub(crate) fn signed_rank_k(n: usize, tail: f64) -> Option<usize> {
    let k = if n <= EXACT_SIGNED_RANK { exact_signed_rank_k(n, tail) } else { normal_signed_rank_k(n, tail) };
    (k >= 1).then_some(k)
}

fn exact_signed_rank_k(n: usize, tail: f64) -> usize {
    let half = n * (n + 1) / 4;
    // chance[w] = P(W = w): each rank joins the sum with probability 1/2. Only the lower half is needed.
    let mut chance = vec![0.0; half + 1];
    chance[0] = 1.0;
    for rank in 1..=n {
        for w in (0..=half.min(rank * (rank + 1) / 2)).rev() {
            let joined = if w >= rank { chance[w - rank] } else { 0.0 };
            chance[w] = (chance[w] + joined) / 2.0;
        }
    }
    let mut sum = 0.0;
    chance
        .iter()
        .take_while(|&&p| {
            sum += p;
            sum <= tail
        })
        .count()
}

fn normal_signed_rank_k(n: usize, tail: f64) -> usize {
    let n = n as f64;
    let mean = n * (n + 1.0) / 4.0;
    let spread = (n * (n + 1.0) * (2.0 * n + 1.0) / 24.0).sqrt();
    // P(W <= k - 1) is about Phi((k - 1 + 1/2 - mean) / spread).
    (mean - normal_upper_quantile(tail) * spread + 0.5).floor().max(0.0) as usize
}

/// The largest rank `r` with P(B <= r - 1) <= `tail` for B binomial with `n` trials and p = 1/2.
pub(crate) fn binomial_half_tail_rank(n: usize, tail: f64) -> Option<usize> {
    let mut log_chance = -(n as f64) * std::f64::consts::LN_2;
    let mut sum = 0.0;
    let mut rank = 0;
    while rank < n {
        sum += log_chance.exp();
        if sum > tail {
            break;
        }
        rank += 1;
        log_chance += ((n - rank + 1) as f64 / rank as f64).ln();
    }
    (rank >= 1).then_some(rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f64, expected: f64, tolerance: f64) {
        assert!((got - expected).abs() <= tolerance, "got {got}, expected {expected}");
    }

    #[test]
    fn normal_matches_its_table() {
        close(normal_upper_tail(0.0), 0.5, 1e-15);
        close(normal_upper_tail(1.0), 0.158_655_253_931_457, 1e-14);
        close(normal_upper_tail(2.499_999), normal_upper_tail(2.500_001), 1e-7);
        close(normal_upper_tail(3.0), 0.001_349_898_031_630_1, 1e-15);
        close(normal_upper_tail(6.0) / 9.865_876_450_377e-10, 1.0, 1e-9);
        close(normal_upper_tail(-1.0), 0.841_344_746_068_543, 1e-14);
        close(normal_upper_quantile(0.025), 1.959_963_984_540_054, 1e-10);
    }

    #[test]
    fn student_matches_its_table() {
        for (degrees, expected) in [
            (1, 12.706_204_7),
            (2, 4.302_652_7),
            (3, 3.182_446_3),
            (4, 2.776_445_1),
            (9, 2.262_157_2),
            (30, 2.042_272_5),
        ] {
            close(student_upper_quantile(0.025, degrees), expected, 1e-6);
        }
    }

    #[test]
    fn signed_rank_matches_its_table() {
        // Two-sided critical values at 5 %: W may be at most 0 (n=6), 8 (10), 52 (20), 137 (30).
        assert_eq!(signed_rank_k(5, 0.025), None);
        for (n, critical) in [(6, 0), (10, 8), (20, 52), (30, 137)] {
            assert_eq!(signed_rank_k(n, 0.025), Some(critical + 1), "n = {n}");
        }
    }

    #[test]
    fn the_normal_form_joins_the_exact_one() {
        for tail in [0.025, 0.00625, 0.0025] {
            let (exact, normal) = (exact_signed_rank_k(200, tail), normal_signed_rank_k(200, tail));
            // 20100 averages: 20 ranks are 0.1 % of them.
            assert!(exact.abs_diff(normal) <= 20, "{exact} against {normal} at {tail}");
        }
    }

    #[test]
    fn binomial_ranks_survive_large_samples() {
        // Normal form for n = 10,000 at 2.5 %: 5000 - 1.96 * 50 = 4902.
        let rank = binomial_half_tail_rank(10_000, 0.025).unwrap();
        assert!((4901..=4903).contains(&rank), "{rank}");
    }
}
