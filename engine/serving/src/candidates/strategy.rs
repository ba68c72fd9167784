//! How many candidates, by which rule.

use super::space::{Flags, Space, SpaceError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Candidates of a plan without a limit of its own; at minutes per server start this is weeks.
pub(super) const MOST_CANDIDATES: usize = 10_000;

/// By which rule candidates are chosen from a search space.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The baseline, all first values, then one change at a time, flags in turn, for each value that none before it
    /// holds; what budget is left goes to pairs of values.
    #[default]
    Ofat,
    /// One change at a time as above; budget that is left is not used.
    OfatOnly,
    /// The baseline, then as few candidates as a greedy choice needs to try every pair of values of two flags.
    Pairwise,
    /// The baseline and every combination. Only where the budget holds all of them.
    Product,
}

/// How a framework's candidates are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchSettings {
    /// The rule of choice.
    #[serde(default)]
    pub strategy: Strategy,
    /// Most candidates per framework, the baseline included. `null` for no limit.
    #[serde(default = "usual_budget")]
    #[schemars(range(min = 1))]
    pub max_candidates: Option<u32>,
}

#[expect(clippy::unnecessary_wraps, reason = "serde needs the field's own type")]
fn usual_budget() -> Option<u32> {
    Some(8) // what published cookbook configurations use
}

impl Default for SearchSettings {
    fn default() -> Self {
        Self { strategy: Strategy::default(), max_candidates: usual_budget() }
    }
}

impl SearchSettings {
    pub(super) fn budget(&self) -> usize {
        self.max_candidates.map_or(MOST_CANDIDATES, |most| (most as usize).min(MOST_CANDIDATES))
    }
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// The search space cannot be used.
    #[error(transparent)]
    Space(#[from] SpaceError),
    /// A budget of nothing.
    #[error("`max_candidates` is 0; the baseline alone is 1")]
    NoBudget,
    /// `product` with more combinations than the budget.
    #[error(
        "`strategy: product` makes {needed} candidates, more than the budget of {budget}; raise `max_candidates` or take `strategy: ofat`"
    )]
    TooManyCombinations {
        /// Candidates that the product makes, with the baseline.
        needed: u64,
        /// The budget.
        budget: u64,
    },
}

/// The strategy that a tier of a cookbook configuration stands for, with a remark where it is not the tier's own: 1 = one
/// change at a time, 2 = a bounded sweep, 3 = everything, where the budget holds it. `None` for another tier.
pub fn strategy_of_tier(
    tier: u64,
    space: &Space,
    base: &Flags,
    budget: Option<u32>,
) -> Option<(Strategy, Option<String>)> {
    match tier {
        1 => Some((Strategy::OfatOnly, None)),
        2 => Some((Strategy::Ofat, None)),
        3 => {
            let budget =
                SearchSettings { strategy: Strategy::Product, max_candidates: budget }.budget() as u64;
            let needed = product_needs(space, base);
            if needed <= budget {
                return Some((Strategy::Product, None));
            }
            let note = format!(
                "tier 3 asks for all {needed} candidates, but the budget is {budget}: one change at a time, then pairs of values"
            );
            Some((Strategy::Ofat, Some(note)))
        }
        _ => None,
    }
}

/// Candidates of the whole product; the baseline is one more where the product does not hold it.
pub(super) fn product_needs(space: &Space, base: &Flags) -> u64 {
    let base_is_in = space.held(base).iter().all(Option::is_some);
    space.combinations().saturating_add(u64::from(!base_is_in))
}
