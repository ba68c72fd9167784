//! What is allowed: tolerances, rejections, timing, costs.

use super::{Folder, TASK, check};

#[test]
fn tolerances_rejections_and_limits_are_checked() {
    check(&[
        ("{accum: {n: C, unit: fp32}}", "{c_out: -1}", "task.yaml:17:13: -1 is no allowance; 0.5 is usual"),
        (
            "{accum: {n: C, unit: fp32}}",
            "{c_out: 80}",
            "task.yaml:17:13: `y` may be wrong by 32 % of its value; allow fewer roundings, or a finer type of the output",
        ),
        (
            "{accum: {n: C, unit: fp32}}",
            "{rel_l2_vs_baseline: 0.5}",
            "task.yaml:17:13: 0.5 is no ratio from 1 to 100; 1.25 lets chance pass and a second rounding not",
        ),
        ("{accum: {n: C, unit: fp32}}", "{max_bias_t: 0}", "task.yaml:17:13: 0 is no bias; 0.2 is usual"),
        (
            "unit: fp32",
            "unit: int32",
            "task.yaml:17:27: sums of whole numbers have no roundoff; name a float type",
        ),
        (
            "- dtype: {x: fp32}",
            "- dtype: {x: bf16}",
            "task.yaml:21:11: nothing is wrong with `x` there; give what the task does not allow",
        ),
        (
            "- dtype: {x: fp32}",
            "- {}",
            "task.yaml:21:3: 0 things are wrong in this call; make one thing wrong with one tensor, so that a refusal has one reason",
        ),
        (
            "- dtype: {x: fp32}",
            "- {dtype: {x: fp32}, rank: {w: 2}}",
            "task.yaml:21:3: 2 things are wrong in this call; make one thing wrong with one tensor, so that a refusal has one reason",
        ),
        ("rank: {x: 1}", "rank: {z: 1}", "task.yaml:22:10: `z` is no tensor of the task"),
        ("rank: {x: 1}", "rank: {x: 9}", "task.yaml:22:10: `x` cannot be made wrong so; name another fault"),
        (
            "inner_stride: {x: 2}",
            "inner_stride: {x: 1}",
            "task.yaml:23:18: nothing is wrong with `x` there; give what the task does not allow",
        ),
        (
            "path: baseline,",
            "path: /etc,",
            "task.yaml:24:12: the baseline must lie beside the task; give a relative path",
        ),
    ]);
    let added = |text: &str| {
        let folder = Folder::new();
        folder.write("task.yaml", &format!("{TASK}{text}\n"));
        folder.error()
    };
    for (text, message) in [
        ("timing: {processes: 2}", "task.yaml:26:10: 2 is too little to decide on; give at least 3"),
        ("timing: {extend: 0}", "task.yaml:26:10: 0 is too little to decide on; give at least 1"),
        ("timing: {min_effect: 1.5}", "task.yaml:26:10: 1.5 is no share; give a number between 0 and 1"),
        ("limits: {call_ms: 0}", "task.yaml:26:10: 0 lets nothing run; give at least 1"),
        ("hidden: {odd: [0]}", "task.yaml:26:10: 0 is no size; sizes start at 1"),
        ("hidden: {random: 5000}", "task.yaml:26:10: 5000 shapes take too long; draw up to 1000"),
        ("hidden: {max_elements: 0}", "task.yaml:26:10: no shape has 0 elements; give at least 1"),
    ] {
        assert_eq!(added(text), message);
    }
}
