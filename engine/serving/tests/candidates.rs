//! Which candidates a search tries: coverage, order, rules, and the source's rule beside ours.

use assay_serving::candidates::{
    ExcludedKind, Flags, Origin, PlanError, Refusal, Rule, SearchPlan, SearchSettings, Space, SpaceError,
    Strategy, WhyUnreached, plan, strategy_of_tier,
};
use indexmap::IndexMap;
use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
use proptest::strategy::Strategy as Generator;
use serde_json::{Value, json};
use std::collections::HashSet;

fn flags(value: Value) -> Flags {
    serde_json::from_value(value).expect("flags")
}

fn space(value: Value) -> Space {
    let listed: IndexMap<String, Vec<Value>> = serde_json::from_value(value).expect("space");
    Space::new(&listed).expect("a usable space")
}

fn planned(base: &Flags, space: &Space, strategy: Strategy, budget: u32, rules: &[&dyn Rule]) -> SearchPlan {
    let settings = SearchSettings { strategy, max_candidates: Some(budget) };
    plan("sglang", base, space, &settings, rules).expect("a plan")
}

/// A refusal that blames one flag.
fn refusal(flag: &str, reason: impl Into<String>) -> Refusal {
    Refusal { rule: "test".to_owned(), reason: reason.into(), flags: vec![flag.to_owned()] }
}

fn deepseek() -> (Flags, Space) {
    let base = flags(json!({"model_path": "m", "tp_size": 8, "mem_fraction_static": 0.82}));
    let space = space(json!({
        "prefill_attention_backend": ["fa3", "flashinfer"],
        "decode_attention_backend": ["fa3", "flashinfer"],
        "chunked_prefill_size": [4096, 8192],
        "max_running_requests": [32, 48, 64],
        "ep_size": [1, 4, 8],
    }));
    (base, space)
}

#[test]
fn one_change_at_a_time_in_turn_after_baseline_and_first_values() {
    let (base, space) = deepseek();
    let plan = planned(&base, &space, Strategy::OfatOnly, 9, &[]);
    let told: Vec<String> = plan
        .candidates
        .iter()
        .map(|candidate| match &candidate.origin {
            Origin::OneChange { flag, value } => format!("{flag}={value}"),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        told,
        [
            "Baseline",
            "FirstValues",
            "prefill_attention_backend=\"flashinfer\"",
            "decode_attention_backend=\"flashinfer\"",
            "chunked_prefill_size=8192",
            "max_running_requests=48",
            "ep_size=4",
            "max_running_requests=64",
            "ep_size=8",
        ]
    );
    assert_eq!(plan.candidates[0].flags, base);
    assert!(plan.candidates[0].changes.is_empty());
    assert_eq!(plan.candidates[7].flags["ep_size"], json!(1), "one change at a time");
    assert_eq!((plan.coverage.values_reached, plan.coverage.values), (12, 12));
    assert_eq!(plan.coverage.needed_for_all_values, 9);
}

#[test]
fn what_the_budget_does_not_reach_is_said() {
    let (base, space) = deepseek();
    let plan = planned(&base, &space, Strategy::Ofat, 8, &[]);
    assert_eq!(plan.candidates.len(), 8);
    let [missed] = &plan.coverage.unreached[..] else { panic!("{:?}", plan.coverage) };
    assert_eq!((missed.flag.as_str(), &missed.value), ("ep_size", &json!(8)));
    assert_eq!(missed.why, WhyUnreached::Budget);
    assert!(plan.coverage.line().starts_with("11 of 12 values, "), "{}", plan.coverage.line());
    let one = planned(&base, &space, Strategy::Ofat, 1, &[]);
    assert_eq!(one.candidates.len(), 1);
    assert_eq!(one.coverage.unreached.len(), 12);
}

#[test]
fn budget_that_is_left_goes_to_pairs_and_then_stays() {
    let (base, space) = deepseek();
    let plan = planned(&base, &space, Strategy::Ofat, 60, &[]);
    assert_eq!(plan.coverage.pairs_reached, plan.coverage.pairs);
    assert!(plan.candidates.len() < 25, "{}", plan.candidates.len());
    assert!(plan.candidates[9..].iter().all(|c| matches!(c.origin, Origin::Pairs { new_pairs: 1.. })));
    let short = planned(&base, &space, Strategy::Ofat, 12, &[]);
    assert_eq!(
        short.candidates[..],
        plan.candidates[..12],
        "a larger budget goes on where a smaller one ended"
    );
}

#[test]
fn the_product_needs_a_budget_for_all_of_it() {
    let (base, small) = (flags(json!({"a": 1})), space(json!({"a": [1, 2], "b": [null, 5, 6]})));
    let plan = planned(&base, &small, Strategy::Product, 6, &[]);
    assert_eq!(plan.candidates.len(), 6, "the baseline is one of them");
    let settings = SearchSettings { strategy: Strategy::Product, max_candidates: Some(5) };
    let refused = assay_serving::candidates::plan("x", &base, &small, &settings, &[]).unwrap_err();
    assert_eq!(refused, PlanError::TooManyCombinations { needed: 6, budget: 5 });
    let nothing = SearchSettings { strategy: Strategy::Ofat, max_candidates: Some(0) };
    assert_eq!(
        assay_serving::candidates::plan("x", &base, &small, &nothing, &[]).unwrap_err(),
        PlanError::NoBudget
    );
}

#[test]
fn tiers_are_strategies() {
    let (base, space) = deepseek();
    let of = |tier, budget| strategy_of_tier(tier, &space, &base, budget);
    assert_eq!(of(1, Some(8)), Some((Strategy::OfatOnly, None)));
    assert_eq!(of(2, Some(8)), Some((Strategy::Ofat, None)));
    assert_eq!(of(3, Some(73)), Some((Strategy::Product, None)));
    let (strategy, note) = of(3, Some(8)).unwrap();
    assert_eq!(strategy, Strategy::Ofat);
    assert!(note.unwrap().contains("all 73 candidates"));
    assert_eq!(of(4, Some(8)), None);
}

#[test]
fn a_space_that_makes_no_sense_is_refused() {
    let of = |value| Space::new(&serde_json::from_value(value).unwrap());
    assert_eq!(of(json!({"a": []})).unwrap_err(), SpaceError::NoValues { flag: "a".to_owned() });
    let wide: Vec<u32> = (0..1025).collect();
    assert!(matches!(of(json!({ "a": wide })), Err(SpaceError::TooLarge { flags: 1, values: 1025 })));
    let twice = of(json!({"a": [1, 2, 1]})).unwrap();
    let plan = planned(&Flags::new(), &twice, Strategy::Ofat, 8, &[]);
    assert_eq!(plan.candidates.len(), 3);
    assert_eq!(plan.notes, ["`a=1` is listed twice and counts once"]);
}

#[test]
fn a_refused_value_is_kept_with_its_reason_and_the_rest_goes_on() {
    let (base, space) = deepseek();
    let fa3 = |flags: &Flags| {
        let (flag, _) = flags.iter().find(|(_, value)| **value == "fa3")?;
        Some(refusal(flag, "needs a Hopper GPU"))
    };
    let plan = planned(&base, &space, Strategy::Ofat, 60, &[&fa3]);
    let refused: Vec<_> = plan.excluded.iter().map(|e| (e.what, e.flags.clone())).collect();
    assert_eq!(
        refused,
        [
            (ExcludedKind::Value, flags(json!({"prefill_attention_backend": "fa3"}))),
            (ExcludedKind::Value, flags(json!({"decode_attention_backend": "fa3"}))),
        ]
    );
    assert!(plan.excluded[0].refusal.reason.contains("Hopper"));
    assert!(plan.coverage.unreached.iter().all(|u| u.why == WhyUnreached::Excluded));
    assert_eq!(plan.coverage.values_reached, 10);
    assert_eq!(plan.coverage.pairs_reached + plan.coverage.pairs_excluded, plan.coverage.pairs);
    for candidate in &plan.candidates {
        assert!(!candidate.flags.values().any(|value| value == "fa3"));
    }
}

#[test]
fn without_a_baseline_single_changes_may_still_pass_and_a_base_that_is_refused_ends_it() {
    let limit = |absent_is_fine: bool| {
        move |flags: &Flags| match flags.get("max_model_len") {
            None if absent_is_fine => None,
            Some(value) if value.as_u64().is_some_and(|limit| limit >= 9000) => None,
            _ => Some(refusal("max_model_len", "does not hold 9000 tokens")),
        }
    };
    let of = |base: Value, listed: Value, rule: &dyn Rule| {
        planned(&flags(base), &space(listed), Strategy::Ofat, 20, &[rule])
    };
    let some = of(json!({}), json!({"max_model_len": [8192, 9000, "long"]}), &limit(true));
    assert_eq!(some.candidates.len(), 2, "the baseline and 9000");
    assert_eq!(some.excluded.len(), 2);
    let without = of(json!({}), json!({"max_model_len": [9000]}), &limit(false));
    assert_eq!(without.candidates.len(), 1);
    assert!(without.notes[0].contains("there is no baseline"), "{:?}", without.notes);
    let never = of(json!({"max_model_len": 4096}), json!({"block_size": [16, 32]}), &limit(false));
    assert!(never.candidates.is_empty());
    assert_eq!(never.excluded[0].what, ExcludedKind::Baseline);
    assert!(never.notes[0].contains("with them every candidate"), "{:?}", never.notes);
}

#[test]
fn an_unknown_flag_of_the_space_is_left_out_and_said() {
    let known = |flags: &Flags| {
        let flag = "max_num_partial_prefills";
        flags.contains_key(flag).then(|| refusal(flag, format!("`{flag}` is not in the help text")))
    };
    let listed = space(json!({"max_num_partial_prefills": [1], "max_num_seqs": [32, 64]}));
    let plan = planned(&flags(json!({"dtype": "auto"})), &listed, Strategy::Ofat, 8, &[&known]);
    assert_eq!(plan.candidates.len(), 3);
    assert!(plan.candidates.iter().all(|c| !c.flags.contains_key("max_num_partial_prefills")));
    assert!(plan.notes[0].contains("every value of it is refused"));
}

#[test]
fn a_refused_combination_is_replaced_by_the_nearest_that_passes() {
    // `ep_size` must not exceed `tp_size`: no single value is to blame.
    let rule = |flags: &Flags| {
        let of = |name: &str| flags.get(name).and_then(Value::as_u64).unwrap_or(1);
        (of("ep_size") > of("tp_size")).then(|| Refusal {
            rule: "ep".to_owned(),
            reason: "more expert groups than GPUs".to_owned(),
            flags: vec!["tp_size".to_owned(), "ep_size".to_owned()],
        })
    };
    let listed = space(json!({"tp_size": [2, 4, 8], "ep_size": [4, 1, 8], "page_size": [1, 64]}));
    let plan = planned(&Flags::new(), &listed, Strategy::Ofat, 60, &[&rule]);
    assert_eq!(plan.coverage.values_reached, 8, "{:?}", plan.coverage);
    assert!(plan.candidates.iter().all(|c| rule.refuse(&c.flags).is_none()));
    let barred = plan.excluded.iter().filter(|e| e.what == ExcludedKind::Pair).count();
    assert_eq!(barred, 3, "2/4, 2/8 and 4/8: {:?}", plan.excluded);
    assert_eq!(plan.coverage.pairs_excluded, 3);
    assert_eq!(plan.coverage.pairs_reached + 3, plan.coverage.pairs);
}

#[test]
fn rules_that_refuse_everything_end_soon() {
    let never =
        |_: &Flags| Some(Refusal { rule: "never".to_owned(), reason: "no".to_owned(), flags: Vec::new() });
    let wide: IndexMap<String, Vec<Value>> =
        (0..20).map(|flag| (format!("f{flag}"), (0..10).map(Value::from).collect())).collect();
    for strategy in [Strategy::Ofat, Strategy::Pairwise] {
        let plan = planned(&Flags::new(), &Space::new(&wide).unwrap(), strategy, 100, &[&never]);
        assert!(plan.candidates.is_empty());
        assert!(!plan.excluded.is_empty());
        assert!(plan.notes.iter().any(|note| note.contains("refuse")), "{:?}", plan.notes);
    }
}

/// The source's rule: the baseline, then a prefix of the product in which the last flag varies fastest.
fn product_prefix(base: &Flags, listed: &IndexMap<String, Vec<Value>>, budget: usize) -> Vec<Flags> {
    let mut rows = vec![base.clone()];
    let total: usize = listed.values().map(Vec::len).product();
    for index in 0..total {
        let (mut flags, mut rest) = (base.clone(), index);
        for (flag, values) in listed.iter().rev() {
            flags.insert(flag.clone(), values[rest % values.len()].clone());
            rest /= values.len();
        }
        if !rows.contains(&flags) && rows.len() < budget {
            rows.push(flags);
        }
    }
    rows
}

/// 39 configurations shaped like published ones: the first flags matter most and list few values.
fn shipped_like() -> Vec<IndexMap<String, Vec<Value>>> {
    let config = |index: usize| {
        let mut space = json!({
            "prefill_attention_backend": ["fa3", "flashinfer"],
            "decode_attention_backend": ["fa3", "flashinfer"],
            "chunked_prefill_size": [4096, 8192],
            "max_running_requests": [32, 48, 64],
        });
        if index.is_multiple_of(4) {
            space["ep_size"] = json!([1, 4, 8]);
        } else if index.is_multiple_of(3) {
            space["prefill_attention_backend"] = json!(["flashinfer"]);
        }
        serde_json::from_value(space).expect("space")
    };
    (0..39).map(config).collect()
}

#[test]
fn with_the_sources_budget_the_sources_rule_starves_the_first_flags_and_ours_does_not() {
    let base = flags(json!({"tp_size": 8}));
    let (mut listed, mut theirs, mut ours, mut starved) = (0, 0, 0, 0);
    for config in shipped_like() {
        let space = Space::new(&config).unwrap();
        let of = |rows: &[Flags]| {
            let held: HashSet<(String, String)> =
                rows.iter().flatten().map(|(flag, value)| (flag.clone(), value.to_string())).collect();
            let hit = |flag: &String, value: &Value| held.contains(&(flag.clone(), value.to_string()));
            config.iter().map(|(flag, values)| values.iter().filter(|v| hit(flag, v)).count()).sum::<usize>()
        };
        let source = product_prefix(&base, &config, 8);
        let plan = planned(&base, &space, Strategy::Ofat, 8, &[]);
        let rows: Vec<Flags> = plan.candidates.iter().map(|c| c.flags.clone()).collect();
        let second = json!("flashinfer");
        let backends = &config["prefill_attention_backend"];
        starved += usize::from(
            backends.len() == 2 && source.iter().all(|f| f.get("prefill_attention_backend") != Some(&second)),
        );
        listed += space.values();
        theirs += of(&source);
        ours += of(&rows);
        assert_eq!(of(&rows), plan.coverage.values_reached, "the report counts what is there");
    }
    let two = shipped_like().iter().filter(|c| c["prefill_attention_backend"].len() == 2).count();
    assert_eq!(starved, two, "the product prefix never tries the second of two prefill backends");
    // Ten of the configurations need nine candidates for every value, one more than the budget.
    assert_eq!((listed, theirs, ours), (372, 322, 362));
}

fn any_space() -> impl Generator<Value = IndexMap<String, Vec<Value>>> {
    prop::collection::vec(1_usize..5, 1..6).prop_map(|lens| {
        let axis = |(axis, len)| (format!("f{axis}"), (0..len).map(Value::from).collect());
        lens.into_iter().enumerate().map(axis).collect()
    })
}

proptest! {
    #[test]
    fn every_value_is_reached_within_the_sum_of_values(listed in any_space(), in_base in any::<bool>()) {
        let space = Space::new(&listed).unwrap();
        let mut base = flags(json!({"model": "m"}));
        if in_base {
            base.extend(listed.iter().map(|(flag, values)| (flag.clone(), values[0].clone())));
        }
        let bound = 1 + listed.values().map(|values| values.len() - 1).sum::<usize>() + usize::from(!in_base);
        prop_assert_eq!(space.candidates_for_all_values(&base), bound);
        let plan = planned(&base, &space, Strategy::Ofat, u32::try_from(bound).unwrap(), &[]);
        prop_assert_eq!(plan.coverage.values_reached, plan.coverage.values);
        prop_assert_eq!(plan.candidates.len(), bound);
        prop_assert!(plan.coverage.unreached.is_empty());
    }

    #[test]
    fn pairs_are_all_covered_where_the_budget_allows(listed in any_space()) {
        let space = Space::new(&listed).unwrap();
        for strategy in [Strategy::Ofat, Strategy::Pairwise] {
            let plan = planned(&Flags::new(), &space, strategy, 2_000, &[]);
            let mut found = HashSet::new();
            for candidate in &plan.candidates {
                let held: Vec<_> = listed.keys().filter_map(|k| Some((k.clone(), candidate.flags.get(k)?.to_string()))).collect();
                for (at, a) in held.iter().enumerate() {
                    found.extend(held[at + 1..].iter().map(|b| (a.clone(), b.clone())));
                }
            }
            prop_assert_eq!(found.len(), plan.coverage.pairs);
            prop_assert_eq!(plan.coverage.pairs_reached, plan.coverage.pairs);
            prop_assert!(plan.candidates.len() as u64 <= space.combinations() + 1);
        }
    }

    #[test]
    fn plans_are_the_same_every_time_without_duplicates_within_the_budget(
        listed in any_space(),
        budget in 1_u32..40,
        refused in prop::collection::hash_set((0_usize..5, 0_u64..5, 0_usize..5, 0_u64..5), 0..6),
    ) {
        let space = Space::new(&listed).unwrap();
        let rule = |flags: &Flags| {
            let holds = |axis: usize, value: u64| flags.get(&format!("f{axis}")) == Some(&json!(value));
            let hit = refused.iter().find(|(a, v, b, w)| holds(*a, *v) && holds(*b, *w))?;
            Some(Refusal { rule: "r".to_owned(), reason: "r".to_owned(), flags: vec![format!("f{}", hit.0), format!("f{}", hit.2)] })
        };
        for strategy in [Strategy::Ofat, Strategy::OfatOnly, Strategy::Pairwise] {
            let one = planned(&Flags::new(), &space, strategy, budget, &[&rule]);
            prop_assert_eq!(&one, &planned(&Flags::new(), &space, strategy, budget, &[&rule]));
            prop_assert!(one.candidates.len() <= budget as usize);
            let ids: HashSet<&str> = one.candidates.iter().map(|c| c.id.as_str()).collect();
            prop_assert_eq!(ids.len(), one.candidates.len());
            prop_assert!(one.candidates.iter().all(|c| rule.refuse(&c.flags).is_none()));
            prop_assert_eq!(one.coverage.values_reached + one.coverage.unreached.len(), one.coverage.values);
        }
    }
}
