//! The table of the error analysis, by simulation: RMS norm of rows of 1,024 elements in bf16, judged as the task asks.

use super::{Errors, errors};
use crate::case::{Kind, make};
use crate::dtype::DType;
use crate::generate;
use crate::oracle::Expected;
use crate::task::Task;
use indexmap::IndexMap;

fn task(dtype: &str, roundings: u32) -> Task {
    let text = format!(
        r#"{{"apiVersion": "assay/v1", "kind": "KernelTask", "name": "t", "description": "RMS norm.", "abi": {{"symbol": "f"}},
        "axes": {{"R": {{"range": [1, 64]}}, "C": {{"range": [1, 4096]}}}},
        "inputs": {{"x": {{"dtype": "{dtype}", "shape": ["R", "C"]}},
                    "w": {{"dtype": "{dtype}", "shape": ["C"], "gen": {{"mean": 1, "std": 0.25}}}}}},
        "outputs": {{"y": {{"dtype": "{dtype}", "shape": ["R", "C"], "roundings": {roundings}}}}},
        "scalars": {{"eps": {{"value": 1e-6}}}}, "oracle": {{"builtin": "rmsnorm"}},
        "tolerance": {{"accum": {{"n": "C", "unit": "fp32"}}}},
        "workloads": {{"shapes": [{{"R": 16, "C": 1024}}]}}, "baseline": {{"path": "b.c"}}}}"#
    );
    serde_json::from_str(&text).expect("a task")
}

/// Where a candidate goes wrong.
#[derive(Clone, Copy, PartialEq)]
enum Kernel {
    Honest,
    Twice,
    Truncates,
    Fp8,
    Half,
}

/// Toward zero: the largest number of bf16 that is not beyond the value.
fn truncated(value: f64) -> f64 {
    f64::from(f32::from_bits((value as f32).to_bits() & 0xffff_0000))
}

fn run(kernel: Kernel, dtype: DType, seed: u64) -> (Errors, Vec<f64>, Vec<f64>) {
    let name = serde_json::to_value(dtype).expect("a name");
    let task = task(name.as_str().expect("a name"), 1);
    let sizes = IndexMap::from([("R".to_owned(), 16), ("C".to_owned(), 1024)]);
    let case = make(&task, Kind::Measured, &sizes, 0).expect("a case");
    let (x, w) = (generate::values(&task, &case, 0, seed, 1.0), generate::values(&task, &case, 1, seed, 1.0));
    let (mut right, mut got) = (Expected::default(), Vec::new());
    for row in x.chunks(1024) {
        let factor =
            |row: &[f64]| 1.0 / (row.iter().map(|x| x * x).sum::<f64>() / row.len() as f64 + 1e-6).sqrt();
        let right_factor = factor(row);
        let used = match kernel {
            Kernel::Half => factor(&row[..512]),
            _ => right_factor,
        };
        for (x, w) in row.iter().zip(&w) {
            let y = x * right_factor * w;
            right.values.push(y);
            right.terms.push(0.5 * y.abs());
            got.push(match kernel {
                Kernel::Honest | Kernel::Half => dtype.rounded(x * used * w),
                Kernel::Twice => dtype.rounded(dtype.rounded(x * used) * w),
                Kernel::Truncates => truncated(y),
                Kernel::Fp8 => dtype.rounded(DType::E4m3.rounded(x * used) * w),
            });
        }
    }
    (errors(&task, &task.outputs[0], &sizes, &right, &got), right.values, got)
}

/// Relative errors of the table: honest 1.65-1.67e-3, double rounding 2.34-2.38e-3, truncation 3.26-3.44e-3, e4m3 2.6e-2, half of
/// the reduction 3.25-3.5e-2 (of 1,024 terms and 16 rows that is the spread of the rows' sums, so it varies more).
#[test]
fn relative_errors_are_those_of_the_table() {
    for seed in 0..4 {
        let measured = |kernel| run(kernel, DType::Bf16, seed).0.rel_l2;
        for (kernel, low, high) in [
            (Kernel::Honest, 1.61e-3, 1.69e-3),
            (Kernel::Twice, 2.26e-3, 2.42e-3),
            (Kernel::Truncates, 3.2e-3, 3.5e-3),
            (Kernel::Fp8, 2.5e-2, 2.75e-2),
            (Kernel::Half, 1.2e-2, 4.5e-2),
        ] {
            let found = measured(kernel);
            assert!((low..high).contains(&found), "seed {seed}: {found:e} is not in {low:e}..{high:e}");
        }
    }
}

#[test]
fn one_rounding_passes_in_every_type_and_has_the_same_error_in_units() {
    for dtype in [DType::Fp32, DType::Fp16, DType::Bf16] {
        let (errors, _, _) = run(Kernel::Honest, dtype, 11);
        let share = errors.rel_l2 / dtype.unit_roundoff().expect("a float");
        assert!(errors.passed() && errors.max_u <= 1.0 + 1e-9, "{dtype:?}: {errors:?}");
        assert!((0.40..0.44).contains(&share), "{dtype:?}: {share}");
        assert_eq!(errors.bias_t, 0.0, "{dtype:?}");
    }
}

#[test]
fn what_is_not_the_same_kernel_fails() {
    for seed in 0..8 {
        assert!(run(Kernel::Honest, DType::Bf16, seed).0.passed());
        for (kernel, least) in
            [(Kernel::Twice, 1.5), (Kernel::Truncates, 1.9), (Kernel::Fp8, 10.0), (Kernel::Half, 4.0)]
        {
            let (errors, _, _) = run(kernel, DType::Bf16, seed);
            let worst = errors.worst.clone().expect("a worst element");
            assert!(errors.failed > 0 && errors.max_u > least, "seed {seed}: {errors:?}");
            assert!((worst.got - worst.expected).abs() > worst.bound);
        }
        let bias = run(Kernel::Truncates, DType::Bf16, seed).0.bias_t;
        assert!((-1.75..-1.4).contains(&bias), "{bias}");
    }
}

/// What wide tolerances accept, and this does not.
#[test]
fn wide_tolerances_accept_them() {
    let beyond = |kernel, tolerance: f64| {
        let (_, right, got) = run(kernel, DType::Bf16, 3);
        right.iter().zip(&got).filter(|(y, got)| (*y - *got).abs() > tolerance + tolerance * y.abs()).count()
    };
    assert_eq!(beyond(Kernel::Twice, 1e-2) + beyond(Kernel::Truncates, 1e-2) + beyond(Kernel::Fp8, 5e-2), 0);
    assert!(beyond(Kernel::Fp8, 1e-2) > 0);
}

fn one(dtype: &str, expected: f64, got: f64) -> bool {
    let task = task(dtype, 1);
    let sizes = IndexMap::from([("R".to_owned(), 1), ("C".to_owned(), 1)]);
    let right = Expected { values: vec![expected], terms: Vec::new() };
    errors(&task, &task.outputs[0], &sizes, &right, &[got]).passed()
}

#[test]
fn special_values_are_expected_or_not() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    for (expected, got, right) in [
        (nan, nan, true),
        (nan, 1.0, false),
        (1.0, nan, false),
        (nan, inf, false),
        (inf, nan, false),
        (inf, inf, true),
        (-inf, -inf, true),
        (inf, -inf, false),
        (inf, 3.0e38, false),
        (1.0, inf, false),
        (0.0, -0.0, true),
        // Beyond the type, or rounded there.
        (1e39, inf, true),
        (-1e39, inf, false),
        (3.395e38, inf, true),
        (3.0e38, inf, false),
        (3.395e38, DType::Bf16.max_finite().expect("a float"), true),
    ] {
        assert_eq!(one("bf16", expected, got), right, "{expected} {got}");
    }
    assert!(one("e4m3", 1000.0, nan) && one("e4m3", 1000.0, 448.0) && !one("e4m3", 1000.0, -448.0));
    assert!(!one("e4m3", 300.0, nan) && !one("e4m3", nan, 448.0));
}

#[test]
fn results_below_the_normal_numbers_are_compared_absolutely() {
    let least = DType::Fp16.min_normal().expect("a float");
    let step = least / 1024.0;
    // Half a step is one rounding; flushing small results to zero is not.
    assert!(one("fp16", 3.4 * step, 3.0 * step) && one("fp16", 0.3 * step, 0.0));
    assert!(!one("fp16", 400.0 * step, 0.0) && !one("fp16", 3.0 * step, 4.0 * step));
}

#[test]
fn whole_numbers_are_equal_and_lengths_agree() {
    let mut task = task("bf16", 1);
    task.outputs[0].dtype = DType::Int32;
    let sizes = IndexMap::from([("R".to_owned(), 1), ("C".to_owned(), 3)]);
    let right = Expected { values: vec![1.0, -2.0, 3.0], terms: vec![9.0; 3] };
    let judge = |got: &[f64]| errors(&task, &task.outputs[0], &sizes, &right, got);
    assert!(judge(&[1.0, -2.0, 3.0]).passed());
    let off = judge(&[1.0, -2.0, 5.0]);
    assert_eq!((off.failed, off.max_u, off.worst.expect("a worst").at), (1, 2.0, 2));
    assert_eq!(judge(&[1.0]).failed, 2);
}

#[test]
fn bits_are_compared_where_bits_are_asked() {
    let mut task = task("bf16", 1);
    task.outputs[0].mode = crate::task::OutputMode::BitwiseVsBaseline;
    let sizes = IndexMap::from([("R".to_owned(), 1), ("C".to_owned(), 1)]);
    let judge = |expected: f64, got: f64| {
        let right = Expected { values: vec![expected], terms: Vec::new() };
        errors(&task, &task.outputs[0], &sizes, &right, &[got]).passed()
    };
    assert!(judge(1.0, 1.0) && judge(f64::NAN, f64::NAN) && judge(f64::INFINITY, f64::INFINITY));
    assert!(!judge(1.0, 1.0078125) && !judge(0.0, -0.0) && !judge(1e39, f64::INFINITY));
}

#[test]
fn errors_come_back_from_json() {
    let miss = super::Miss { at: 3, expected: f64::NAN, got: 1.5, bound: 0.25 };
    let errors = Errors { elements: 4, failed: 1, worst: Some(miss), ..Errors::default() };
    let text = serde_json::to_string(&errors).expect("text");
    let back: Errors = serde_json::from_str(&text).expect("errors");
    let worst = back.worst.expect("a worst");
    assert!(worst.expected.is_nan() && worst.got == 1.5 && back.failed == 1);
}

/// In fp32 the error of a row's sum is as large as a rounding, and moves all elements of the row to the same side.
#[test]
fn one_rows_factor_is_no_bias() {
    let task = task("fp32", 1);
    let sizes = IndexMap::from([("R".to_owned(), 1), ("C".to_owned(), 1024)]);
    let values: Vec<f64> = (0..1024).map(|at| 1.0 + f64::from(at) / 1024.0).collect();
    let off = 1.0 + DType::Fp32.unit_roundoff().expect("a float");
    let got: Vec<f64> = values.iter().map(|y| DType::Fp32.rounded(y * off)).collect();
    let judge = |terms: Vec<f64>| {
        let right = Expected { values: values.clone(), terms };
        errors(&task, &task.outputs[0], &sizes, &right, &got).bias_t
    };
    assert_eq!(judge(values.iter().map(|y| 0.5 * y).collect()), 0.0);
    assert!(judge(Vec::new()) > 1.0, "without a sum it is one");
}

/// An RMS norm over one element gives the weight everywhere, and so the same error.
#[test]
fn few_different_results_are_no_bias() {
    let task = task("bf16", 1);
    let sizes = IndexMap::from([("R".to_owned(), 256), ("C".to_owned(), 1)]);
    let values: Vec<f64> = (1..=256).map(|at| 1.003 - 1e-6 / f64::from(at)).collect();
    let got: Vec<f64> = values.iter().map(|y| DType::Bf16.rounded(*y)).collect();
    let right = Expected { values, terms: Vec::new() };
    let found = errors(&task, &task.outputs[0], &sizes, &right, &got);
    assert!(found.passed() && found.bias_t == 0.0, "{found:?}");
}
