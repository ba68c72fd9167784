//! Cases and data of a task: which shapes are checked, and that data depend on seed, name and index only.

use assay_kernel::case::{self, Case, Kind, Role};
use assay_kernel::dtype::DType;
use assay_kernel::generate;
use assay_kernel::layout::Layout;
use assay_kernel::task::{self, Dist, Generator, Loaded, Task};
use indexmap::IndexMap;
use proptest::prelude::*;

fn loaded(axes: &str, workloads: &str, rest: &str) -> Loaded {
    let folder = tempfile::tempdir().expect("a folder");
    let scalars = if rest.contains("scalars:") { "" } else { "scalars: {eps: {value: 1.0e-6}}\n" };
    let text = format!(
        "apiVersion: assay/v1\nkind: KernelTask\nname: t\ndescription: d\nabi: {{symbol: f}}\naxes: {axes}\n\
         inputs:\n  x: {{dtype: bf16, shape: [R, C], strides: row_padded_ok, gen: {{scales: [0.05, 1, 30]}}}}\n  \
         w: {{dtype: bf16, shape: [C], gen: {{mean: 1, std: 0.25}}}}\n\
         outputs: {{y: {{dtype: bf16, shape: [R, C], strides: row_padded_ok}}}}\n{scalars}\
         oracle: {{builtin: rmsnorm}}\nworkloads: {{shapes: {workloads}}}\nbaseline: {{path: k.c}}\n{rest}\n"
    );
    std::fs::write(folder.path().join("k.c"), "").expect("a file");
    std::fs::write(folder.path().join("task.yaml"), text).expect("a file");
    task::load(&folder.path().join("task.yaml")).expect("a task")
}

fn norm() -> Loaded {
    let axes = "{R: {range: [1, 4096]}, C: {range: [8, 8192], multiple_of: 1}}";
    loaded(
        axes,
        "[{R: 512, C: 768}, {R: 32, C: 1024}]",
        "reject: [{dtype: {x: fp32}}, {rank: {x: 3}}, {rank: {y: 1}}, {wider: {w: 2}}, {inner_stride: {x: 2}}]",
    )
}

fn sizes(cases: &[Case], kind: Kind) -> Vec<(u64, u64)> {
    cases.iter().filter(|case| case.kind == kind).map(|case| (case.axes["R"], case.axes["C"])).collect()
}

#[test]
fn measured_hidden_random_and_strided_shapes_are_checked() {
    let loaded = norm();
    let cases = case::cases(&loaded, 7).expect("cases");
    assert_eq!(sizes(&cases, Kind::Measured), [(512, 768), (32, 1024)]);
    // 1 and 7 are no sizes of `C`; the other axis is that of the smallest measured shape.
    // Where the tensor would be larger than `max_elements`, the other axis is cut.
    let rows = [(1, 1024), (7, 1024), (33, 1024), (255, 1024), (257, 512), (1000, 256)];
    let columns = [33, 255, 257, 1000].map(|odd| (32, odd));
    // Both ends of each range, with the other axis small.
    let ends = [(1, 8), (4096, 8), (2, 8), (2, 8192)];
    assert_eq!(sizes(&cases, Kind::Hidden), [&rows[..], &columns[..], &ends[..]].concat());
    let random = sizes(&cases, Kind::Random);
    assert_eq!(random.len(), 6, "two beyond what is measured: {random:?}");
    assert!(random[0].0 > 512 && random[1].1 > 1024, "{random:?}");
    assert!(random.iter().all(|(r, c)| (1..=4096).contains(r) && (8..=8192).contains(c) && r * c <= 1 << 18));
    assert_eq!(sizes(&case::cases(&loaded, 7).expect("cases"), Kind::Random), random);
    assert_ne!(sizes(&case::cases(&loaded, 8).expect("cases"), Kind::Random), random);
    let strided: Vec<&Case> = cases.iter().filter(|case| case.kind == Kind::Strided).collect();
    assert_eq!(strided.len(), 3);
    for case in &strided {
        assert!(!case.tensors[0].layout.is_contiguous() && case.shift >= 256);
        assert!(case.tensors[1].layout.is_contiguous(), "a row alone has no gap");
    }
    // Whoever takes the step of one tensor for that of another is found.
    let steps = |case: &Case, at: usize| case.tensors[at].layout.strides[0];
    let same: Vec<bool> = strided.iter().map(|case| steps(case, 0) == steps(case, 2)).collect();
    assert_eq!(same, [true, false, false]);
    // The largest measured shape has more elements than hidden ones may have.
    let large = sizes(&cases, Kind::Large);
    let [(rows, columns)] = large[..] else { panic!("{large:?}") };
    assert!(((1 << 18) + 1..=1 << 20).contains(&(rows * columns)), "{large:?}");
    let order: Vec<Kind> = cases.iter().map(|case| case.kind).collect();
    assert!(order.is_sorted_by_key(|kind| {
        [Kind::Measured, Kind::Hidden, Kind::Random, Kind::Large, Kind::Strided]
            .iter()
            .position(|k| k == kind)
    }));
    assert!(cases.iter().all(|case| case.scalars == [1e-6] && case.tensors.len() == 3));
}

#[test]
fn every_value_of_a_scalar_is_checked_and_the_first_is_measured() {
    let with = |scalars: &str| {
        loaded(
            "{R: {range: [1, 4096]}, C: {range: [8, 8192]}}",
            "[{R: 512, C: 768}, {R: 32, C: 1024}]",
            scalars,
        )
    };
    let three = with("scalars: {eps: {values: [1.0e-6, 1.0e-5, 1.0e-4]}}");
    let cases = case::cases(&three, 7).expect("cases");
    let of = |kind: Kind| cases.iter().filter(move |case| case.kind == kind).map(|case| case.scalars[0]);
    assert!(of(Kind::Measured).all(|eps| eps == 1e-6) && sizes(&cases, Kind::Measured).len() == 2);
    assert_eq!(of(Kind::Scalar).collect::<Vec<_>>(), [1e-5, 1e-4]);
    assert_eq!(sizes(&cases, Kind::Scalar), [(32, 1024); 2], "the smallest measured shape");
    for kind in [Kind::Hidden, Kind::Random, Kind::Strided] {
        let used: Vec<f64> = of(kind).collect();
        assert!(used.contains(&1e-5) && used.contains(&1e-4) && !used.contains(&1e-6), "{kind:?}: {used:?}");
    }
    assert_eq!(generate::scales_at(&three.task, Kind::Hidden), generate::scales(&three.task));
    let faint = generate::scales_at(&three.task, Kind::Scalar);
    let (least, last) = (faint.iter().copied().fold(1.0, f64::min), *faint.last().expect("a scale"));
    assert_eq!((faint.len(), least), (generate::scales(&three.task).len() + 1, last));
    let case = &cases[0];
    let all =
        |scale| generate::values(&three.task, case, 0, 1, scale).iter().map(|v| v.abs()).fold(0.0, f64::max);
    assert!(all(last) > 0.0 && all(last) < 0.01 * all(1.0), "{} {}", all(last), all(1.0));
}

#[test]
fn one_shape_is_beyond_what_the_others_keep_to() {
    let of = |axes: &str, measured: &str, seed: u64| {
        let loaded = loaded(axes, measured, "hidden: {max_elements: 5000}");
        sizes(&case::cases(&loaded, seed).expect("cases"), Kind::Large)
    };
    let wide = "{R: {range: [2, 100000]}, C: {range: [16, 65536], multiple_of: 16}}";
    for seed in 0..50 {
        let [(rows, columns)] = of(wide, "[{R: 32, C: 64}]", seed)[..] else { panic!("one") };
        assert!((5001..=40_000).contains(&(rows * columns)) && columns % 16 == 0, "{rows} {columns}");
        let [(rows, columns)] = of(wide, "[{R: 512, C: 1024}]", seed)[..] else { panic!("one") };
        assert!((100_000..=734_004).contains(&(rows * columns)), "{rows} {columns}");
    }
    assert_eq!(of("{R: {range: [2, 64]}, C: {range: [16, 64]}}", "[{R: 32, C: 64}]", 1), [], "nothing is");
}

#[test]
fn hidden_shapes_keep_to_the_limit_and_to_multiples() {
    let axes = "{R: {range: [2, 100000]}, C: {range: [16, 65536], multiple_of: 16}}";
    let loaded =
        loaded(axes, "[{R: 4096, C: 4096}]", "hidden: {odd: [7, 48, 99999], random: 50, max_elements: 5000}");
    let cases = case::cases(&loaded, 1).expect("cases");
    // 99999 rows of 16 are too many, so that shape is left out.
    // The ends of the ranges come as near as the limit lets them.
    assert_eq!(sizes(&cases, Kind::Hidden), [(7, 512), (48, 64), (64, 48), (2, 16), (312, 16), (2, 2496)]);
    let random = sizes(&cases, Kind::Random);
    assert!(
        random.len() > 40 && random.iter().all(|(r, c)| *r >= 2 && c % 16 == 0 && *c >= 16 && r * c <= 5000),
        "{random:?}"
    );
    let small = random.iter().filter(|(r, _)| *r < 20).count();
    assert!(small > 5, "small sizes are as likely as large ones: {random:?}");
}

#[test]
fn rejected_calls_have_one_fault_each() {
    let loaded = norm();
    let sizes = IndexMap::from([("R".to_owned(), 4), ("C".to_owned(), 8)]);
    let right = case::make(&loaded.task, Kind::Hidden, &sizes, 0).expect("a case");
    let rejected = case::rejected(&loaded.task, &sizes).expect("cases");
    let said: Vec<&str> = rejected.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(
        said,
        [
            "`x` is of type fp32",
            "`x` has 3 dimensions",
            "`y` has 1 dimensions",
            "the last dimension of `w` has 2 more elements",
            "neighbours of `x` are 2 elements apart"
        ]
    );
    for (what, case) in &rejected {
        let changed = case.tensors.iter().zip(&right.tensors).filter(|(one, other)| one != other).count();
        assert_eq!(changed, 1, "{what}");
    }
    assert_eq!(rejected[1].1.tensors[0].layout.shape, [1, 4, 8]);
    assert_eq!(rejected[2].1.tensors[2].layout.shape, [32]);
    assert_eq!(rejected[3].1.tensors[1].layout.shape, [10]);
    assert_eq!(rejected[4].1.tensors[0].layout.strides, [16, 2]);
}

#[test]
fn scales_touch_only_inputs_that_name_them() {
    let loaded = norm();
    let sizes = IndexMap::from([("R".to_owned(), 64), ("C".to_owned(), 64)]);
    let case = case::make(&loaded.task, Kind::Measured, &sizes, 0).expect("a case");
    let values = |tensor, scale| generate::values(&loaded.task, &case, tensor, 5, scale);
    assert_eq!(generate::scales(&loaded.task), [0.05, 1.0, 30.0]);
    let spread =
        |values: &[f64]| (values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64).sqrt();
    for scale in [0.05, 1.0, 30.0] {
        assert!((spread(&values(0, scale)) / scale - 1.0).abs() < 0.05);
        assert_eq!(values(1, scale), values(1, 1.0));
    }
    assert!(values(2, 1.0).is_empty(), "outputs have no data");
    assert_ne!(generate::seed(5, "stale"), generate::seed(5, "values"));
}

/// One scale tells too little: where nobody names any, the first input that holds no integers is looked at with three.
#[test]
fn a_task_without_scales_has_the_usual_ones() {
    let mut task = norm().task;
    task.inputs["x"].generator.scales.clear();
    assert_eq!(generate::scales(&task), [0.05, 1.0, 30.0]);
    let case = &case::cases(&norm(), 7).expect("cases")[0];
    let largest = |tensor: usize, scale: f64| {
        generate::values(&task, case, tensor, 3, scale)
            .into_iter()
            .fold(0.0_f64, |most, value| most.max(value.abs()))
    };
    assert!(largest(0, 30.0) > 500.0 * largest(0, 0.05));
    assert_eq!(largest(1, 30.0), largest(1, 0.05), "the second input");
    task.inputs["w"].generator.scales = vec![2.0];
    assert_eq!(generate::scales(&task), [1.0, 2.0], "what is named counts");
}

/// A task of one tensor.
fn one(dtype: DType, generator: Generator) -> Task {
    let mut task = norm().task;
    task.inputs[0].dtype = dtype;
    task.inputs[0].generator = generator;
    task
}

fn dtype() -> impl Strategy<Value = DType> {
    use DType::{Bf16, Bool, E4m3, E5m2, Fp16, Fp32, Fp64, Int8, Int32, Int64, Uint8};
    prop::sample::select(vec![Fp64, Fp32, Fp16, Bf16, E4m3, E5m2, Int64, Int32, Int8, Uint8, Bool])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn data_do_not_depend_on_the_layout(
        dtype in dtype(), gap in 0_usize..9, r in 1_u64..9, c in 8_u64..40, seed: u64,
        dist in prop::sample::select(vec![Dist::Normal, Dist::Uniform, Dist::Integers]), poison: u8,
    ) {
        let generator = Generator { dist, mean: 0.5, std: 2.0, scales: vec![1.0, 4.0], low: "1".to_owned(), high: "C + 1".to_owned() };
        let task = one(dtype, generator);
        let sizes = IndexMap::from([("R".to_owned(), r), ("C".to_owned(), c)]);
        let plain = case::make(&task, Kind::Measured, &sizes, 0).expect("a case");
        let padded = case::make(&task, Kind::Strided, &sizes, gap).expect("a case");
        let values = generate::values(&task, &plain, 0, seed, 4.0);
        let layout = &padded.tensors[0].layout;
        let mut bytes = vec![poison; layout.span()];
        generate::fill(&task, &padded, 0, seed, 4.0, &mut bytes);
        prop_assert_eq!(&layout.read(&bytes), &values);
        let gaps = bytes.iter().zip(layout.used()).filter(|(_, used)| !used);
        prop_assert!(gaps.into_iter().all(|(byte, _)| *byte == poison), "gaps are left alone");
        prop_assert!(values.iter().all(|value| dtype.rounded(*value) == *value), "rounded to the type");
        if dist == Dist::Integers && dtype != DType::Bool && dtype.unit_roundoff().is_none_or(|u| u < 1.0 / 32.0) {
            prop_assert!(values.iter().all(|value| value.fract() == 0.0 && (1.0..=c as f64).contains(value)));
        }
    }

    #[test]
    fn data_depend_on_seed_and_index_only(seed: u64, r in 1_u64..20, c in 8_u64..20) {
        let task = one(DType::Fp32, Generator::default());
        let values = |seed, r| {
            let sizes = IndexMap::from([("R".to_owned(), r), ("C".to_owned(), c)]);
            let case = case::make(&task, Kind::Measured, &sizes, 0).expect("a case");
            generate::values(&task, &case, 0, seed, 1.0)
        };
        let (short, long) = (values(seed, r), values(seed, r + 3));
        prop_assert_eq!(&short[..], &long[..short.len()], "more rows do not change those before");
        prop_assert_ne!(&short, &values(seed ^ 1, r));
        let mut seen: Vec<u64> = long.iter().map(|value| value.to_bits()).collect();
        seen.sort_unstable();
        seen.dedup();
        prop_assert!(seen.len() + 2 >= long.len(), "values do not repeat");
    }

    #[test]
    fn changes_and_patterns_stay_within_the_type(dtype in dtype(), seed: u64, n in 0_usize..5, width in 1_usize..30) {
        let layout = Layout::contiguous(dtype, &[4, width]);
        let before: Vec<f64> = (0..layout.len()).map(|at| dtype.rounded((at % 2) as f64 + 0.5)).collect();
        let mut values = before.clone();
        let places = generate::change(&layout, n, seed, &mut values);
        prop_assert_eq!(places.len(), n.min(layout.len()));
        let changed: Vec<usize> = (0..values.len()).filter(|at| values[*at] != before[*at]).collect();
        prop_assert!(changed.iter().all(|at| places.contains(at)));
        if before.iter().any(|value| *value != before[0]) || dtype.unit_roundoff().is_some() {
            prop_assert_eq!(changed.len(), places.len());
        }
        let mut values = before.clone();
        generate::dominate(&layout, seed, &mut values);
        prop_assert!(values.iter().all(|value| value.is_finite() && dtype.rounded(*value) == *value));
    }
}

#[test]
fn roles_come_in_the_order_of_the_call() {
    let cases = case::cases(&norm(), 0).expect("cases");
    let roles: Vec<(&str, Role)> =
        cases[0].tensors.iter().map(|tensor| (tensor.name.as_str(), tensor.role)).collect();
    assert_eq!(roles, [("x", Role::Input), ("w", Role::Input), ("y", Role::Output)]);
}
