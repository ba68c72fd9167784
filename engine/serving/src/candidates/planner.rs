//! From base flags and a search space to the candidates of one framework.

use super::cover::{Cover, ValuePair};
use super::coverage::Coverage;
use super::identity::{candidate_id, canonical};
use super::outcome::{Candidate, Excluded, ExcludedKind, Origin, SearchPlan, changes};
use super::pairs;
use super::rules::{Refusal, Rule};
use super::space::{Axis, Flags, Row, Space};
use super::strategy::{MOST_CANDIDATES, PlanError, SearchSettings, Strategy, product_needs};
use std::collections::{HashSet, VecDeque};

/// How often one refused candidate is altered before it is given up.
const REPAIRS: usize = 1_000;
/// How often candidates are altered in one plan, so that rules that refuse nearly everything end.
const REPAIRS_IN_ALL: usize = 20_000;
/// Refusals that are kept; more are counted.
const MOST_EXCLUDED: usize = 1_000;

/// Chooses the candidates of one framework. The same input always gives the same plan.
///
/// # Errors
/// [`PlanError`] for a budget of nothing, or a product beyond the budget.
pub fn plan(
    framework: &str,
    base: &Flags,
    space: &Space,
    settings: &SearchSettings,
    rules: &[&dyn Rule],
) -> Result<SearchPlan, PlanError> {
    let budget = settings.budget();
    if budget == 0 {
        return Err(PlanError::NoBudget);
    }
    let needed = product_needs(space, base);
    if settings.strategy == Strategy::Product && needed > budget as u64 {
        return Err(PlanError::TooManyCombinations { needed, budget: budget as u64 });
    }
    let mut planner = Planner::new(framework, base, space, rules, budget);
    if planner.baseline() {
        planner.run(settings.strategy);
    }
    if settings.max_candidates.is_none() && planner.full() {
        planner
            .notes
            .push(format!("no budget was given, so the search ends at {MOST_CANDIDATES} candidates"));
    }
    for repeated in &space.repeated {
        planner.notes.push(format!("`{repeated}` is listed twice and counts once"));
    }
    let coverage =
        Coverage::of(space, space.candidates_for_all_values(base), &planner.candidates, &planner.excluded);
    Ok(SearchPlan {
        framework: framework.to_owned(),
        strategy: settings.strategy,
        candidates: planner.candidates,
        excluded: planner.excluded,
        excluded_more: planner.excluded_more,
        coverage,
        notes: planner.notes,
    })
}

struct Planner<'a> {
    framework: &'a str,
    base: &'a Flags,
    /// Without the values that a rule refuses whatever the other flags hold.
    space: Space,
    rules: &'a [&'a dyn Rule],
    budget: usize,
    cover: Cover,
    /// Commands that were taken or refused.
    seen: HashSet<String>,
    candidates: Vec<Candidate>,
    excluded: Vec<Excluded>,
    excluded_more: usize,
    repairs_left: usize,
    notes: Vec<String>,
}

impl<'a> Planner<'a> {
    fn new(
        framework: &'a str,
        base: &'a Flags,
        space: &Space,
        rules: &'a [&'a dyn Rule],
        budget: usize,
    ) -> Self {
        let mut planner = Self {
            framework,
            base,
            space: Space::default(),
            rules,
            budget,
            cover: Cover::new(&Space::default()),
            seen: HashSet::new(),
            candidates: Vec::new(),
            excluded: Vec::new(),
            excluded_more: 0,
            repairs_left: REPAIRS_IN_ALL,
            notes: Vec::new(),
        };
        planner.space = planner.without_useless_values(space);
        planner.cover = Cover::new(&planner.space);
        planner
    }

    fn run(&mut self, strategy: Strategy) {
        match strategy {
            Strategy::Ofat => {
                if self.one_at_a_time() {
                    self.pairs();
                }
            }
            Strategy::OfatOnly => {
                self.one_at_a_time();
            }
            Strategy::Pairwise => self.pairs(),
            Strategy::Product => self.product(),
        }
        if self.repairs_left == 0 {
            self.notes.push(
                "the rules refuse so much that not every refused candidate was replaced by one near it"
                    .to_owned(),
            );
        }
    }

    fn refusal(&self, flags: &Flags) -> Option<Refusal> {
        self.rules.iter().find_map(|rule| rule.refuse(flags))
    }

    fn full(&self) -> bool {
        self.candidates.len() >= self.budget
    }

    /// Leaves out values that a rule refuses for themselves.
    fn without_useless_values(&mut self, space: &Space) -> Space {
        let mut useful = Space::default();
        for axis in &space.axes {
            let mut values = Vec::with_capacity(axis.values.len());
            for value in &axis.values {
                let mut flags = self.base.clone();
                flags.insert(axis.flag.clone(), value.clone());
                match self.refusal(&flags) {
                    Some(refusal) if refusal.flags == [axis.flag.clone()] => {
                        let only = Flags::from([(axis.flag.clone(), value.clone())]);
                        self.exclude(ExcludedKind::Value, only, refusal);
                    }
                    _ => values.push(value.clone()),
                }
            }
            if values.is_empty() {
                self.notes.push(format!("`{}` is not varied: every value of it is refused", axis.flag));
            } else {
                useful.axes.push(Axis { flag: axis.flag.clone(), values });
            }
        }
        useful
    }

    /// Takes the base flags as the first candidate. `false` if no candidate at all can pass.
    fn baseline(&mut self) -> bool {
        let Some(refusal) = self.refusal(self.base) else {
            self.take(self.base.clone(), Origin::Baseline);
            return true;
        };
        let varies = |flag: &String| self.space.axes.iter().any(|axis| axis.flag == *flag);
        let hopeless = !refusal.flags.is_empty() && !refusal.flags.iter().any(varies);
        let text = if hopeless {
            "the base flags are refused, and with them every candidate"
        } else {
            "the base flags alone are refused, so there is no baseline"
        };
        self.notes.push(format!("{text}: {}", refusal.reason));
        self.exclude(ExcludedKind::Baseline, Flags::new(), refusal);
        !hopeless
    }

    /// `false` if no combination of listed values passes.
    fn one_at_a_time(&mut self) -> bool {
        if self.full() {
            return true;
        }
        let firsts = vec![0; self.space.axes.len()];
        let anchor = match self.try_row(firsts, &[], Origin::FirstValues) {
            Ok(anchor) => anchor,
            Err(Some(refusal)) => {
                self.notes.push(format!("no combination of the listed values passes: {}", refusal.reason));
                return false;
            }
            Err(None) => return true,
        };
        let longest = self.space.axes.iter().map(|axis| axis.values.len()).max().unwrap_or(0);
        for value in 0..longest {
            for axis in 0..self.space.axes.len() {
                if self.full() {
                    return true;
                }
                if value < self.space.axes[axis].values.len() {
                    self.one_change(&anchor, axis, value);
                }
            }
        }
        true
    }

    fn one_change(&mut self, anchor: &Row, axis: usize, value: usize) {
        let number = self.cover.number(axis, value);
        if self.cover.is_reached(number) {
            return;
        }
        let mut row = anchor.clone();
        row[axis] = value;
        let listed = &self.space.axes[axis];
        let (flag, value) = (listed.flag.clone(), listed.values[value].clone());
        let origin = Origin::OneChange { flag: flag.clone(), value: value.clone() };
        if let Err(Some(refusal)) = self.try_row(row, &[axis], origin) {
            self.exclude(ExcludedKind::Value, Flags::from([(flag, value)]), refusal);
            self.cover.bar_value(number);
        }
    }

    fn pairs(&mut self) {
        while !self.full() {
            let Some((row, pair)) = pairs::next_row(&self.space, &mut self.cover) else { return };
            let axes = [pair.0, pair.1].map(|number| self.cover.place(number).0);
            match self.try_row(row, &axes, Origin::Pairs { new_pairs: 0 }) {
                Ok(_) => {}
                Err(Some(refusal)) => self.bar_pair(pair, refusal),
                Err(None) if self.repairs_left == 0 => return,
                // Nothing was proven, but it is not tried again.
                Err(None) => self.cover.bar_pair(pair),
            }
        }
    }

    fn product(&mut self) {
        let mut row = vec![0; self.space.axes.len()];
        loop {
            let flags = self.space.flags(self.base, &row);
            match self.refusal(&flags) {
                Some(refusal) => self.exclude_candidate(&flags, refusal),
                None => self.take(flags, Origin::Product),
            }
            // The last flag varies fastest.
            let Some(axis) =
                (0..row.len()).rev().find(|axis| row[*axis] + 1 < self.space.axes[*axis].values.len())
            else {
                return;
            };
            row[axis] += 1;
            row[axis + 1..].fill(0);
        }
    }

    /// Takes a row, or one near it that keeps the values of the `fixed` axes. Gives the row that was taken or that is taken
    /// already; the refusal if no such row passes; `Err(None)` if that could not be found out.
    fn try_row(&mut self, row: Row, fixed: &[usize], origin: Origin) -> Result<Row, Option<Refusal>> {
        let flags = self.space.flags(self.base, &row);
        let Some(refusal) = self.refusal(&flags) else {
            self.take(flags, origin);
            return Ok(row);
        };
        self.exclude_candidate(&flags, refusal.clone());
        match self.repair(row, refusal.clone(), fixed) {
            Repair::Found(row) => {
                self.take(self.space.flags(self.base, &row), origin);
                Ok(row)
            }
            Repair::Impossible => Err(Some(refusal)),
            Repair::GivenUp => Err(None),
        }
    }

    /// Changes as few values as possible until no rule refuses the row, beginning with those that the rule blames.
    fn repair(&mut self, row: Row, refusal: Refusal, fixed: &[usize]) -> Repair {
        let mut known = HashSet::from([row.clone()]);
        let mut queue = VecDeque::from([(row, refusal)]);
        let mut checks = 0;
        while let Some((row, refusal)) = queue.pop_front() {
            for axis in (0..row.len()).filter(|axis| !fixed.contains(axis)) {
                let listed = &self.space.axes[axis];
                if !refusal.flags.is_empty() && !refusal.flags.contains(&listed.flag) {
                    continue;
                }
                for value in 0..listed.values.len() {
                    let mut near = row.clone();
                    near[axis] = value;
                    if !known.insert(near.clone()) {
                        continue;
                    }
                    if checks == REPAIRS || self.repairs_left == 0 {
                        return Repair::GivenUp;
                    }
                    checks += 1;
                    self.repairs_left -= 1;
                    match self.refusal(&self.space.flags(self.base, &near)) {
                        None => return Repair::Found(near),
                        Some(refusal) => queue.push_back((near, refusal)),
                    }
                }
            }
        }
        Repair::Impossible
    }

    /// Adds a candidate, unless its command is one already.
    fn take(&mut self, flags: Flags, mut origin: Origin) {
        let gained = self.cover.reach(&self.space.held(&flags));
        if let Origin::Pairs { new_pairs } = &mut origin {
            *new_pairs = gained;
        }
        if self.full() || !self.seen.insert(canonical(&flags).to_string()) {
            return;
        }
        let changes = changes(self.base, &flags);
        let id = candidate_id(self.framework, &flags);
        self.candidates.push(Candidate { id, origin, flags, changes });
    }

    fn exclude_candidate(&mut self, flags: &Flags, refusal: Refusal) {
        if self.seen.insert(canonical(flags).to_string()) {
            let set = changes(self.base, flags).into_iter().map(|change| (change.flag, change.to)).collect();
            self.exclude(ExcludedKind::Candidate, set, refusal);
        }
    }

    fn bar_pair(&mut self, pair: ValuePair, refusal: Refusal) {
        self.cover.bar_pair(pair);
        let of = |number: usize| {
            let (axis, value) = self.cover.place(number);
            let axis = &self.space.axes[axis];
            (axis.flag.clone(), axis.values[value].clone())
        };
        self.exclude(ExcludedKind::Pair, Flags::from([of(pair.0), of(pair.1)]), refusal);
    }

    fn exclude(&mut self, what: ExcludedKind, flags: Flags, refusal: Refusal) {
        if self.excluded.len() < MOST_EXCLUDED {
            self.excluded.push(Excluded { what, flags, refusal });
        } else {
            self.excluded_more += 1;
        }
    }
}

enum Repair {
    Found(Row),
    /// Every row that keeps the fixed values was refused.
    Impossible,
    /// The limit on tries was reached.
    GivenUp,
}
