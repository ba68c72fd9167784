//! Functions against answers that were worked out by hand or by another way of computing.

use super::{BUILTIN, Expected, Oracle, OracleError, names};
use crate::case::{Case, Kind, make};
use crate::generate;
use crate::task::Task;
use serde_json::{Value, json};

/// A task with these parts; every tensor is fp64.
fn task(builtin: &str, with: Value, axes: Value, inputs: Value, outputs: Value, scalars: Value) -> Task {
    let tensors = |shapes: Value| -> Value {
        let shapes = shapes.as_object().expect("tensors").clone();
        shapes.into_iter().map(|(name, shape)| (name, json!({"dtype": "fp64", "shape": shape}))).collect()
    };
    let sizes: Value = axes
        .as_object()
        .expect("axes")
        .keys()
        .map(|axis| (axis.clone(), json!({"range": [1, 4096]})))
        .collect();
    serde_json::from_value(json!({
        "apiVersion": "assay/v1", "kind": "KernelTask", "name": "t", "description": "d", "abi": {"symbol": "f"},
        "axes": sizes, "inputs": tensors(inputs), "outputs": tensors(outputs), "scalars": scalars,
        "oracle": {"builtin": builtin, "with": with}, "workloads": {"shapes": [axes]}, "baseline": {"path": "b.c"},
    }))
    .expect("a task")
}

fn made(task: &Task) -> Result<Box<dyn Oracle>, OracleError> {
    let name = task.oracle.builtin.as_deref().expect("a function");
    BUILTIN.iter().find(|(known, _)| *known == name).expect("a known function").1(task)
}

fn case(task: &Task) -> Case {
    make(task, Kind::Measured, &task.workloads.shapes[0], 0).expect("a case")
}

fn answer(task: &Task, inputs: &[Vec<f64>]) -> Vec<Expected> {
    made(task).expect("an oracle").expect(&case(task), inputs).expect("an answer")
}

fn close(found: &[f64], right: &[f64]) {
    assert_eq!(found.len(), right.len());
    for (at, (found, right)) in found.iter().zip(right).enumerate() {
        assert!((found - right).abs() <= 1e-12 * right.abs().max(1.0), "element {at}: {found}, not {right}");
    }
}

fn error(task: &Task) -> String {
    made(task).map(|_| ()).expect_err("an error").to_string()
}

#[test]
fn rmsnorm_divides_by_the_root_of_the_mean_square() {
    let shapes = json!({"x": ["R", "C"], "w": ["C"]});
    let task = task(
        "rmsnorm",
        json!({}),
        json!({"R": 2, "C": 2}),
        shapes,
        json!({"y": ["R", "C"]}),
        json!({"eps": {"value": 0.5}}),
    );
    // Mean squares 12.5 and 0.5; with eps 13 and 1.
    let found = answer(&task, &[vec![3.0, 4.0, 1.0, 0.0], vec![1.0, 2.0]]);
    close(&found[0].values, &[3.0 / 13f64.sqrt(), 8.0 / 13f64.sqrt(), 1.0, 0.0]);
    close(
        &found[0].terms[..2],
        &[0.5 * 12.5 / 13.0 * 3.0 / 13f64.sqrt(), 0.5 * 12.5 / 13.0 * 8.0 / 13f64.sqrt()],
    );
}

#[test]
fn an_error_of_the_sum_moves_an_element_by_its_terms() {
    let shapes = json!({"x": ["R", "C"], "w": ["C"]});
    let task = task(
        "rmsnorm",
        json!({}),
        json!({"R": 1, "C": 3}),
        shapes,
        json!({"y": ["R", "C"]}),
        json!({"eps": {"value": 2.0}}),
    );
    let (x, small) = ([1.0, -2.0, 0.5], 1e-6);
    let found = answer(&task, &[x.to_vec(), vec![1.0; 3]]);
    let sum: f64 = x.iter().map(|x| x * x).sum();
    for (at, x) in x.iter().enumerate() {
        let y = |sum: f64| x / (sum / 3.0 + 2.0).sqrt();
        let moved = (y(sum * (1.0 + small)) - y(sum)).abs();
        assert!((moved - small * found[0].terms[at]).abs() < 1e-3 * moved, "{at}");
    }
}

#[test]
fn rotation_keeps_lengths_and_depends_on_distance() {
    let inputs = json!({"q": ["T", "H", "D"], "k": ["T", 1, "D"], "q_weight": ["D"], "k_weight": ["D"], "cos_sin": ["T", "D"]});
    let outputs = json!({"qo": ["T", "H", "D"], "ko": ["T", 1, "D"]});
    let axes = json!({"T": 6, "H": 2, "D": 4});
    for interleaved in [false, true] {
        let with = json!({"interleaved": interleaved});
        let task = task(
            "qk_norm_rope",
            with,
            axes.clone(),
            inputs.clone(),
            outputs.clone(),
            json!({"eps": {"value": 0.0}}),
        );
        let case = case(&task);
        // The same vectors at every token.
        let (q, k) = ([0.3, -1.2, 2.0, 0.7], [1.5, 0.1, -0.4, 0.9]);
        let turns = (0..6).flat_map(|at| {
            let (a, b) = (f64::from(at), f64::from(at) * 0.01);
            [a.cos(), b.cos(), a.sin(), b.sin()]
        });
        let data = [q.repeat(12), k.repeat(6), vec![1.0; 4], vec![1.0; 4], turns.collect()];
        let found = made(&task).expect("an oracle").expect(&case, &data).expect("an answer");
        let length: f64 = found[0].values[8..12].iter().map(|value| value * value).sum();
        assert!((length - 4.0).abs() < 1e-12, "normed to a mean square of 1: {length}");
        let dot = |i: usize, j: usize| -> f64 {
            (0..4).map(|d| found[0].values[i * 8 + d] * found[1].values[j * 4 + d]).sum()
        };
        assert!((dot(3, 1) - dot(5, 3)).abs() < 1e-12 && (dot(3, 1) - dot(3, 2)).abs() > 1e-3);
        // Token 0 is not turned.
        let norm = (q.iter().map(|x| x * x).sum::<f64>() / 4.0).sqrt();
        close(&found[0].values[..4], &q.map(|x| x / norm));
        assert!(found[0].terms.iter().zip(&found[0].values).all(|(term, y)| 2.0 * term >= y.abs() - 1e-12));
    }
}

#[test]
fn positions_choose_the_turn() {
    let mut inputs =
        json!({"q": ["T", 1, "D"], "k": ["T", 1, "D"], "a": ["D"], "b": ["D"], "cs": ["P", "D"]});
    inputs["positions"] = json!(["T"]);
    let outputs = json!({"qo": ["T", 1, "D"], "ko": ["T", 1, "D"]});
    let axes = json!({"T": 2, "D": 2, "P": 3});
    let task = task("qk_norm_rope", json!({}), axes, inputs, outputs, json!({"eps": {"value": 0.0}}));
    let table = vec![1.0, 0.0, 0.0, 1.0, -1.0, 0.0];
    let mut data = [vec![1.0; 4], vec![1.0; 4], vec![1.0; 2], vec![2.0; 2], table, vec![2.0, 1.0]];
    let found = answer(&task, &data);
    close(&found[0].values, &[-1.0, -1.0, -1.0, 1.0]);
    close(&found[1].values, &[-2.0, -2.0, -2.0, 2.0]);
    data[5][0] = 3.0;
    let error = made(&task).expect("an oracle").expect(&case(&task), &data).expect_err("outside").to_string();
    assert_eq!(error, "`qk_norm_rope` at T=2 D=2 P=3: position 3 has no row in `cos_sin`, which has 3");
}

#[test]
fn scale_and_shift_are_spread() {
    let inputs = json!({"x": ["B", "S", "C"], "scale": ["B", "C"], "shift": ["C"]});
    let outputs = json!({"y": ["B", "S", "C"]});
    let task = task("scale_shift", json!({}), json!({"B": 2, "S": 3, "C": 2}), inputs, outputs, json!({}));
    let x: Vec<f64> = (0..12).map(f64::from).collect();
    let found = answer(&task, &[x, vec![0.0, 1.0, 2.0, -1.0], vec![0.5, -0.5]]);
    let right = [0.5, 1.5, 2.5, 5.5, 4.5, 9.5, 18.5, -0.5, 24.5, -0.5, 30.5, -0.5];
    close(&found[0].values, &right);
    assert_eq!(found[0].terms[11], 11.0 * 2.0 + 0.5, "what cancels counts");
}

#[test]
fn groups_are_normed_and_gated() {
    let inputs = json!({"x": ["N", "C", "L"], "w": ["C"], "b": ["C"]});
    let axes = json!({"N": 2, "C": 4, "L": 3});
    let task = task(
        "group_norm_silu",
        json!({"groups": 2}),
        axes,
        inputs,
        json!({"y": ["N", "C", "L"]}),
        json!({"eps": {"value": 1e-5}}),
    );
    let data: Vec<Vec<f64>> = (0..3).map(|at| generate::values(&task, &case(&task), at, 4, 1.0)).collect();
    let found = answer(&task, &data);
    // Group 1 of sample 1: channels 2 and 3.
    let group = &data[0][18..24];
    let mean = group.iter().sum::<f64>() / 6.0;
    // The mean of the squares less the square of the mean: another formula than the oracle's.
    let variance = group.iter().map(|x| x * x).sum::<f64>() / 6.0 - mean * mean;
    let right: Vec<f64> = group
        .iter()
        .enumerate()
        .map(|(at, x)| {
            let v = (x - mean) / (variance + 1e-5).sqrt() * data[1][2 + at / 3] + data[2][2 + at / 3];
            v * 0.5 * (1.0 + (0.5 * v).tanh())
        })
        .collect();
    close(&found[0].values[18..], &right);
    assert!(found[0].terms.iter().zip(&found[0].values).all(|(term, y)| *term >= y.abs() * 0.5));
}

#[test]
fn a_large_negative_value_is_gated_to_zero() {
    let inputs = json!({"x": ["N", "C"], "w": ["C"], "b": ["C"]});
    let task = task(
        "group_norm_silu",
        json!({"groups": 1}),
        json!({"N": 1, "C": 2}),
        inputs,
        json!({"y": ["N", "C"]}),
        json!({"eps": {"value": 0.0}}),
    );
    let found = answer(&task, &[vec![1.0, -1.0], vec![2000.0, 2000.0], vec![0.0, 0.0]]);
    close(&found[0].values, &[2000.0, 0.0]);
}

#[test]
fn copies_and_sums() {
    let of = |builtin: &str, inputs: Value| {
        task(builtin, json!({}), json!({"N": 3}), inputs, json!({"y": ["N"]}), json!({}))
    };
    let found = answer(&of("copy", json!({"x": ["N"]})), &[vec![1.0, f64::NAN, -3.0]]);
    assert!(found[0].values[1].is_nan() && found[0].values[2] == -3.0 && found[0].terms.is_empty());
    let found =
        answer(&of("add", json!({"a": ["N"], "b": ["N"]})), &[vec![1.0, 2.0, -3.0], vec![0.5, -2.0, 1.0]]);
    assert_eq!((&found[0].values[..], &found[0].terms[..]), (&[1.5, 0.0, -2.0][..], &[1.5, 4.0, 4.0][..]));
}

#[test]
fn inputs_are_found_by_name_or_order_and_never_twice() {
    let (axes, outputs, eps) =
        (json!({"R": 1, "C": 2}), json!({"y": ["R", "C"]}), json!({"e": {"value": 0.0}}));
    let of = |with: Value, inputs: Value| {
        task("rmsnorm", with, axes.clone(), inputs, outputs.clone(), eps.clone())
    };
    let right = [3.0 / 12.5f64.sqrt(), 8.0 / 12.5f64.sqrt()];
    let (x, w) = (vec![3.0, 4.0], vec![1.0, 2.0]);
    close(
        &answer(&of(json!({}), json!({"h": ["R", "C"], "g": ["C"]})), &[x.clone(), w.clone()])[0].values,
        &right,
    );
    let swapped = json!({"g": ["C"], "h": ["R", "C"]});
    close(&answer(&of(json!({"x": "h", "w": "g", "eps": "e"}), swapped.clone()), &[w, x])[0].values, &right);
    for (with, message) in [
        (json!({"x": "h"}), "`rmsnorm` wants an input `w`; name it, or say which it is in `with`"),
        (json!({"x": "nope"}), "`rmsnorm` is told that `x` is `nope`, which is no input"),
        (json!({"x": "h", "w": "g", "eps": "z"}), "`rmsnorm` is told that `eps` is `z`, which is no scalar"),
        (json!({"x": 3}), "`rmsnorm` wants a name for `x`, not 3"),
        (json!({"x": "h", "w": "g", "esp": "e"}), "`rmsnorm` knows no setting `esp`; did you mean `eps`?"),
    ] {
        assert_eq!(error(&of(with, swapped.clone())), message);
    }
    let norm = |with: Value| {
        let inputs = json!({"x": ["N", "C"], "w": ["C"], "b": ["C"]});
        task(
            "group_norm_silu",
            with,
            json!({"N": 1, "C": 4}),
            inputs,
            json!({"y": ["N", "C"]}),
            json!({"eps": {"value": 0.0}}),
        )
    };
    assert_eq!(error(&norm(json!({}))), "`group_norm_silu` wants `with: {groups: <number>}`");
    let uneven = norm(json!({"groups": 3}));
    let data = vec![vec![1.0; 4]; 3];
    let found =
        made(&uneven).expect("an oracle").expect(&case(&uneven), &data).expect_err("uneven").to_string();
    assert_eq!(found, "`group_norm_silu` at N=1 C=4: 4 channels are not 3 equal groups");
}

#[test]
fn shapes_that_do_not_fit_are_told() {
    let inputs = json!({"x": ["R", "C"], "w": ["R"]});
    let task = task(
        "rmsnorm",
        json!({}),
        json!({"R": 2, "C": 3}),
        inputs,
        json!({"y": ["R", "C"]}),
        json!({"eps": {"value": 0.0}}),
    );
    let found = made(&task).expect("an oracle").expect(&case(&task), &[vec![1.0; 6], vec![1.0; 2]]);
    assert_eq!(found.expect_err("a shape").to_string(), "`rmsnorm` at R=2 C=3: `w` is [2], not [3]");
    assert_eq!(names().count(), 6);
}
