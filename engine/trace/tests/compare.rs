//! Traces against each other: the difference of two, and ranks of one job.

use assay_trace::generate::{Recipe, Straggler, Truth, write};
use assay_trace::stage::Stage;
use assay_trace::view::diff::{self, Judgement, Per, Presence};
use assay_trace::view::ranks::{self, Rank};
use assay_trace::{Analysis, Options, Trace, read};
use std::path::Path;

fn make(recipe: &Recipe) -> (Trace, Truth) {
    let mut text = Vec::new();
    let truth = write(recipe, &mut text).expect("a recipe that can be made");
    (read::read_json(Path::new("generated.json"), &text[..]).expect("a trace"), truth)
}

fn small(seed: u64) -> Recipe {
    Recipe { prefill: 3, decode: 8, layers: 4, noise: 2, seed, ..Recipe::default() }
}

#[test]
fn the_same_work_again_is_within_noise_however_many_steps_it_has() {
    let (base, _) = make(&small(21));
    let (new, _) = make(&Recipe { decode: 16, prefill: 6, ..small(22) });
    let (base, new) = (Analysis::new(&base, Options::default()), Analysis::new(&new, Options::default()));
    let found = diff::build("base".into(), &base, &new);
    assert_eq!(found.stages.len(), 2);
    for stage in &found.stages {
        assert_eq!(stage.per, Per::Step);
        assert!(stage.time.delta_percent.is_some_and(|percent| percent.abs() < 2.0), "{stage:?}");
        assert!(stage.kernels.iter().all(|kernel| kernel.presence == Presence::Both));
    }
    assert_eq!(found.concerns, Vec::<String>::new());
}

#[test]
fn one_layer_more_is_slower_by_its_time_and_says_so_by_category() {
    let (base, base_truth) = make(&small(31));
    let (new, new_truth) = make(&Recipe { layers: 5, ..small(31) });
    let (base, new) = (Analysis::new(&base, Options::default()), Analysis::new(&new, Options::default()));
    let found = diff::build("base".into(), &base, &new);
    let decode = found.stages.iter().find(|stage| stage.stage == Stage::Decode).expect("decode");
    let per_step = |truth: &Truth| {
        let of_stage =
            truth.kernels.iter().filter(|kernel| kernel.stage == assay_trace::generate::Stage::Decode);
        of_stage.map(|kernel| kernel.total_ns as f64).sum::<f64>() / 8.0
    };
    assert!((decode.time.base_ns - per_step(&base_truth)).abs() < 1e-6);
    assert!((decode.time.delta_ns - (per_step(&new_truth) - per_step(&base_truth))).abs() < 1e-6);
    assert_eq!(decode.time.judgement, Judgement::Slower);
    let (low, high) = decode.time.interval_ns.expect("an interval");
    assert!(low > 0.0 && low < decode.time.delta_ns && decode.time.delta_ns < high);
    let parts: f64 = decode.categories.iter().map(|row| row.time.delta_ns).sum();
    assert!((parts - decode.time.delta_ns).abs() < 1e-3, "categories sum to the whole");
    let back = diff::build("new".into(), &new, &base);
    let decode = back.stages.iter().find(|stage| stage.stage == Stage::Decode).expect("decode");
    assert_eq!(decode.time.judgement, Judgement::Faster);
}

#[test]
fn other_batches_and_too_few_steps_are_said() {
    let (base, _) = make(&Recipe { decode: 2, prefill: 0, ..small(41) });
    let (new, _) = make(&Recipe { decode: 2, prefill: 1, batch: 64, ..small(41) });
    let (base, new) = (Analysis::new(&base, Options::default()), Analysis::new(&new, Options::default()));
    let found = diff::build("base".into(), &base, &new);
    assert!(found.concerns.iter().any(|concern| concern.contains("requests")), "{:?}", found.concerns);
    assert!(
        found.concerns.iter().any(|concern| concern.contains("base has no work")),
        "{:?}",
        found.concerns
    );
    let decode = found.stages.iter().find(|stage| stage.stage == Stage::Decode).expect("decode");
    assert_eq!(decode.time.judgement, Judgement::NoiseUnknown);
}

#[test]
fn the_late_rank_is_found_by_its_arrival_and_clocks_do_not_matter() {
    let recipe =
        Recipe { world: 4, straggler: Some(Straggler { rank: 2, extra_us_per_layer: 60 }), ..small(51) };
    let mut traces: Vec<(Trace, Truth)> =
        (0..4).map(|rank| make(&Recipe { rank, ..recipe.clone() })).collect();
    // A clock of its own for one rank.
    for start in &mut traces[3].0.gpu.start {
        *start += 7_000_000;
    }
    let analyses: Vec<Analysis<'_>> =
        traces.iter().map(|(trace, _)| Analysis::new(trace, Options::default())).collect();
    let rank = |(rank, analysis)| Rank { rank, source: format!("rank {rank}"), analysis, device: None };
    let ranks: Vec<Rank<'_, '_>> = (0u32..).zip(&analyses).map(rank).collect();
    let found = ranks::build(&ranks);
    assert_eq!(found.withheld, None);
    let straggler = found.straggler.expect("a straggler");
    assert_eq!(straggler.rank, 2);
    assert!(straggler.caused_share > 50.0 && straggler.mean_wait_ns > 30_000.0, "{straggler:?}");
    assert!((found.ranks[3].clock_offset_ns - 7_000_000).abs() < 1000, "{:?}", found.ranks[3]);
    // Durations accuse the others: they wait.
    assert!(found.ranks[0].communication_ns > found.ranks[2].communication_ns);
    assert!(found.ranks[0].waited_ns > found.ranks[2].waited_ns);
    let truth = &traces[0].1.collectives;
    let matched: u64 = found.collectives.iter().map(|row| row.matched).sum();
    assert_eq!(matched as usize, truth.len());
    let widest = truth.iter().map(|collective| collective.spread_ns as i64).max().expect("collectives");
    assert_eq!(found.collectives.iter().map(|row| row.spread_max_ns).max(), Some(widest));
    assert_eq!(found.steps.len(), 11);
    assert!(found.steps.iter().all(|step| step.slowest == 2), "{:?}", found.steps);
}

#[test]
fn equal_ranks_have_no_straggler_and_one_rank_is_no_comparison() {
    let traces: Vec<(Trace, Truth)> =
        (0..2).map(|rank| make(&Recipe { rank, world: 2, ..small(61) })).collect();
    let analyses: Vec<Analysis<'_>> =
        traces.iter().map(|(trace, _)| Analysis::new(trace, Options::default())).collect();
    let rank = |(rank, analysis)| Rank { rank, source: String::new(), analysis, device: None };
    let ranks: Vec<Rank<'_, '_>> = (0u32..).zip(&analyses).map(rank).collect();
    assert_eq!(ranks::build(&ranks).straggler, None);
    let alone = ranks::build(&ranks[..1]);
    assert!(alone.withheld.is_some() && alone.straggler.is_none() && alone.steps.is_empty());
}
