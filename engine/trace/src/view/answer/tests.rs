//! Answers by hand-made views, one row for each rule.

use super::{Answer, Views, build};
use crate::generate::{self, Recipe};
use crate::name::{Category, Lane};
use crate::stage::Stage;
use crate::store::Ns;
use crate::view::account::{self, GpuAccount, IdleCauses, Part};
use crate::view::devices::{self, DeviceTotals};
use crate::view::fuse::{FuseRow, FuseSection, FuseTable};
use crate::view::integrity::{self, Concern, IDLE_CAUSES, Integrity, Withheld};
use crate::view::kernels::{self, KernelTable};
use crate::view::overlap::{self, OverlapTable, Priority, Risk};
use crate::{Analysis, Options, read};
use std::path::Path;

/// All views of one small trace, to be bent in tests.
#[derive(Clone)]
struct Case {
    integrity: Integrity,
    devices: Vec<DeviceTotals>,
    kernels: KernelTable,
    overlap: Option<OverlapTable>,
    fuse: Option<FuseTable>,
    account: Option<GpuAccount>,
}

/// One decode stage of 1 ms: a product with 600 us, a collective with 200 us, alone. Nothing else is built.
fn case() -> Case {
    let mut text = Vec::new();
    let recipe = Recipe { prefill: 0, decode: 2, layers: 2, noise: 0, ..Recipe::default() };
    generate::write(&recipe, &mut text).expect("a trace");
    let trace = read::read_json(Path::new("made.json"), &text[..]).expect("a trace");
    let analysis = Analysis::new(&trace, Options::default());
    let mut kernels = kernels::complete(&analysis);
    let section = &mut kernels.sections[0];
    section.total_ns = 1_000_000;
    section.rows.truncate(2);
    let rows = [("gemm_a", Category::Gemm, 600_000), ("reduce_b", Category::Communication, 200_000)];
    for (row, (name, category, time_ns)) in section.rows.iter_mut().zip(rows) {
        (row.kernel, row.category, row.time_ns) = (name.into(), category, time_ns);
        row.share = time_ns as f64 / 1e4;
    }
    let mut devices = devices::build(&analysis);
    (devices[0].window_ns, devices[0].busy_ns) = (1_200_000, 1_000_000);
    let mut integrity = integrity::build(&analysis);
    integrity.python_frames = 0;
    integrity.builtin_frames = 0;
    integrity.withheld.clear();
    Case { integrity, devices, kernels, overlap: None, fuse: None, account: None }
}

impl Case {
    fn answer(&self) -> Answer {
        build(&Views {
            integrity: &self.integrity,
            devices: &self.devices,
            kernels: &self.kernels,
            overlap: self.overlap.as_ref(),
            fuse: self.fuse.as_ref(),
            account: self.account.as_ref(),
        })
    }

    fn category(mut self, category: Category) -> Self {
        self.kernels.sections[0].rows[0].category = category;
        self
    }

    /// The product with a verdict of this priority, its time alone being `exclusive_ns`.
    fn overlap(mut self, lane: Lane, priority: Priority, exclusive_ns: Ns) -> Self {
        let trace = {
            let mut text = Vec::new();
            let recipe = Recipe { prefill: 0, decode: 2, layers: 2, noise: 0, ..Recipe::default() };
            generate::write(&recipe, &mut text).expect("a trace");
            read::read_json(Path::new("made.json"), &text[..]).expect("a trace")
        };
        let mut table = overlap::build(&Analysis::new(&trace, Options::default()));
        let section = &mut table.sections[0];
        section.rows.truncate(1);
        let row = &mut section.rows[0];
        (row.kernel, row.lane, row.priority) = ("reduce_b".into(), lane, priority);
        (row.exclusive_ns, row.exclusive, row.dependency.risk) = (exclusive_ns, 90.0, Risk::Low);
        self.overlap = Some(table);
        self
    }

    fn fuse(mut self, rows: &[(&str, bool, Ns)]) -> Self {
        let row = |&(pattern, already_fused, unfused_ns): &(&str, bool, Ns)| FuseRow {
            id: pattern.into(),
            pattern: pattern.into(),
            framework: "sglang".into(),
            framework_known: true,
            status: "mainline".into(),
            already_fused,
            confirmed: true,
            related_ns: unfused_ns,
            unfused_ns,
            share: 1.0,
            evidence: Vec::new(),
            locations: Vec::new(),
            fused_paths: vec!["a/b.py".into()],
            rationale: String::new(),
            source: String::new(),
        };
        let rows = rows.iter().map(row).collect();
        let sections = vec![FuseSection { stage: Stage::Decode, rows }];
        self.fuse = Some(FuseTable { sections, untried: Vec::new() });
        self
    }

    /// An account of decode: a window of 2 ms with so much idle time, exposed communication, and time for the host.
    fn account(mut self, idle: Ns, exposed: Ns, host: Ns) -> Self {
        let part = |ns: Ns| Part { ns, share: ns as f64 / 2e4 };
        let parts = account::Parts {
            window_ns: 2_000_000,
            idle: part(idle),
            communication_exposed: part(exposed),
            idle_causes: Some(IdleCauses { host_bound: part(host), ..IdleCauses::default() }),
            ..account::Parts::default()
        };
        let stages = vec![account::StageAccount { stage: Stage::Decode, steps: 2, parts }];
        let device = account::DeviceAccount {
            device: "0".into(),
            total: parts,
            long_waits: None,
            stages,
            between_steps: None,
            windows: Vec::new(),
        };
        self.account = Some(GpuAccount { devices: vec![device], idle_causes_withheld: None });
        self
    }
}

#[test]
fn the_sentence_names_what_dominates_each_stage() {
    let kernel = "`gemm_a` (gemm) takes 60.0 % of the kernel time";
    let mut idle = case();
    idle.devices[0].window_ns = 4_000_000;
    let mut hidden = case();
    hidden.kernels.sections[0].rows.clear();
    hidden.kernels.sections[0].categories.truncate(1);
    let first = &mut hidden.kernels.sections[0].categories[0];
    (first.category, first.share, first.time_ns) = (Category::Gemm, 61.0, 610_000);
    for (case, wanted) in [
        (case(), format!("In decode {kernel}.")),
        (idle, format!("The GPU is idle for 75.0 % of the trace; in decode {kernel}.")),
        (
            case().account(700_000, 0, 0),
            format!("In decode the GPU is idle for 35.0 % of its steps, and {kernel}."),
        ),
        (
            case().account(100, 700_000, 0),
            format!(
                "In decode communication that nothing runs beside takes 35.0 % of its steps, and {kernel}."
            ),
        ),
        (case().account(500_000, 500_000, 0), format!("In decode {kernel}.")),
        (hidden, "In decode no kernel reaches the bar, and gemm takes 61.0 %.".into()),
    ] {
        let answer = case.answer();
        assert_eq!(answer.sentence, wanted);
        assert!(!answer.withheld);
    }
}

#[test]
fn next_is_the_evidence_that_touches_the_most_time() {
    let (comm, small) = (Lane::Communication, Lane::Elementwise);
    let fused =
        &[("done", true, 900_000), ("small", false, 9_000), ("x+y", false, 100_000), ("z", false, 50_000)];
    let mut stacks = case().account(400_000, 0, 400_000);
    stacks.integrity.python_frames = 5;
    let mut graphs = case().account(400_000, 0, 400_000);
    graphs.integrity.withheld.push(Withheld { verdict: "launch-bound".into(), reason: "graphs".into() });
    let mut unlinked = case();
    unlinked.devices[0].window_ns = 4_000_000;
    let unasked = unlinked.clone();
    unlinked
        .integrity
        .withheld
        .push(Withheld { verdict: IDLE_CAUSES.into(), reason: "launches are missing".into() });
    for (case, wanted) in [
        (
            case().overlap(comm, Priority::P1, 150_000),
            "Overlap `reduce_b` with compute that does not need its result: in decode 90 % of its time",
        ),
        (case().overlap(small, Priority::P1, 150_000), "Fuse `reduce_b` into a neighbour, or move it"),
        // A product hides nothing, and what must be checked first is no action yet.
        (
            case().overlap(Lane::Compute, Priority::P1, 150_000),
            "Check the shapes of `gemm_a` in the view `roofline`",
        ),
        (case().overlap(comm, Priority::P2, 150_000), "Check the shapes of `gemm_a`"),
        (
            case().fuse(fused),
            "Try the fusion `x+y` of sglang, which lives in `a/b.py`: in decode its parts take 0.10 ms (10.0 % of the kernel time) one by one.",
        ),
        (case().fuse(&[("done", true, 900_000), ("small", false, 9_000)]), "Check the shapes of `gemm_a`"),
        (
            case().account(400_000, 0, 400_000),
            "Launch earlier or replay graphs: in decode the GPU waits for the host 20.0 % of its steps.",
        ),
        (case().account(400_000, 0, 90_000), "Check the shapes of `gemm_a`"),
        (stacks, "Record again without Python stacks, which slow the host, and then launch earlier"),
        (graphs, "Check the shapes of `gemm_a`"),
        // The largest stake wins, and of equal ones the overlap, then the fusion.
        (case().overlap(comm, Priority::P1, 150_000).fuse(fused), "Overlap"),
        (case().overlap(comm, Priority::P1, 100_000).fuse(fused), "Overlap"),
        (case().overlap(comm, Priority::P1, 90_000).fuse(fused), "Try the fusion `x+y`"),
        (
            case().overlap(comm, Priority::P1, 90_000).fuse(fused).account(400_000, 0, 400_000),
            "Launch earlier",
        ),
        (unlinked, "Record again so that idle time has causes: launches are missing."),
        (unasked, "Ask for the view `account`, which says why the GPU is idle."),
        (case().category(Category::Attention), "Compare the attention backends on the shapes of `gemm_a`."),
        (case().category(Category::HybridLinear), "Compare the linear-attention kernels"),
        (case().category(Category::Moe), "Tune the expert kernels"),
        (case().category(Category::Communication), "Compare the ranks by arrival (`--rank all`)"),
        (case().category(Category::Memory), "Find out who asks for `gemm_a`"),
        (case().category(Category::Norm), "Look for a fusion of `gemm_a` with its neighbours"),
        (case().category(Category::SamplingIo), "Compare the sampling backends"),
        (case().category(Category::Other), "Find out what `gemm_a` is"),
    ] {
        let next = case.answer().next.expect("an action");
        assert!(next.starts_with(wanted), "{next}\ninstead of\n{wanted}");
        assert!(next.ends_with('.') && !next.trim_end_matches('.').contains(". "), "one sentence: {next}");
    }
}

#[test]
fn an_unsound_trace_has_no_answer() {
    let mut unsound = case().fuse(&[("x+y", false, 100_000)]);
    unsound.integrity.concerns.push(Concern {
        id: "lost-events".into(),
        message: "the profiler lost 3 events".into(),
        help: "capture fewer steps".into(),
        fatal: true,
    });
    let answer = unsound.answer();
    assert!(answer.withheld);
    assert_eq!(answer.sentence, "No answer: the profiler lost 3 events.");
    assert_eq!(answer.next.as_deref(), Some("capture fewer steps"));
    let mut empty = case();
    empty.kernels.sections.clear();
    assert_eq!(empty.answer().sentence, "No answer: no kernel ran.");
}
