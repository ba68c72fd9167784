//! Rows of a kernel table against the registry.
//!
//! A *direct* token found means that the fused kernel runs already. A *split* match means that separate kernels run which
//! the fusion would join: every group must be met by a row of its own, because one kernel that meets two groups is
//! already one kernel.

use super::format::Status;
use super::registry::{Fusion, Registry};
use super::select::select;
use super::token::{Searched, Token};
use crate::fuse::format::Field;
use crate::name::{Category, Framework};
use std::collections::BTreeSet;

/// One row of the kernel table of a stage.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// Kernel name, raw or canonical.
    pub kernel: &'a str,
    /// Python location.
    pub location: Option<&'a str>,
    /// CPU op.
    pub cpu_op: Option<&'a str>,
    /// Summed time, ns.
    pub time_ns: u64,
    /// Category by [`crate::name::classify`].
    pub category: Category,
}

/// What is known about the run. What is unknown is never guessed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// Unknown: the entries of every framework are tried, each framework by itself, and marked.
    pub framework: Option<Framework>,
    /// Model name or path.
    pub model: Option<&'a str>,
    /// Degree of tensor parallelism.
    pub tp: Option<u32>,
}

/// How sure a match is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Separate kernels below the entry's likely share.
    Candidate,
    /// The fused kernel was found, or the separate ones take at least the likely share.
    Confirmed,
}

/// Where a token was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceField {
    /// In the kernel's name.
    Kernel,
    /// In the CPU op.
    Op,
    /// In the Python location.
    Path,
    /// By the row's category.
    Category,
}

impl From<Field> for EvidenceField {
    fn from(field: Field) -> Self {
        match field {
            Field::Kernel => Self::Kernel,
            Field::Op => Self::Op,
            Field::Path => Self::Path,
        }
    }
}

/// Why a row counts.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Evidence {
    /// Index into the rows.
    pub row: usize,
    /// The token of the registry.
    pub token: String,
    /// Where it was found.
    pub field: EvidenceField,
    /// The text that it met.
    pub text: String,
    /// Whether it is a token of the fused kernel.
    pub direct: bool,
}

/// One fusion found in a stage.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Match {
    /// The entry's id.
    pub entry: String,
    /// The entry's name.
    pub name: String,
    /// The entry's framework.
    pub framework: Framework,
    /// Whether the run is known to use that framework.
    pub framework_known: bool,
    /// Where the fusion stands.
    pub status: Status,
    /// How sure the match is.
    pub confidence: Confidence,
    /// True: the fused kernel runs already. False: an opportunity.
    pub fused_present: bool,
    /// Time of all matched rows, ns.
    pub related_ns: u64,
    /// Time of the separate kernels among them, ns; beside a fused kernel, what is still not fused.
    pub unfused_ns: u64,
    /// `related_ns` in percent of the stage.
    pub share: f64,
    /// Why.
    pub evidence: Vec<Evidence>,
    /// Python locations of the matched rows, most time first, without repetition.
    pub locations: Vec<String>,
    /// Where the fused path lives.
    pub paths: Vec<String>,
    /// Which kernels become one, and why that saves time.
    pub rationale: String,
    /// What the entry rests on.
    pub source: String,
}

/// Why an entry could not be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It is for certain models, and the model is unknown.
    NeedsModel,
    /// It needs tensor parallelism, whose degree is unknown.
    NeedsTp,
    /// Both.
    NeedsModelAndTp,
}

/// An entry that was left out because the context lacks what it asks for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Skipped {
    /// The entry's id.
    pub entry: String,
    /// What is missing.
    pub reason: Reason,
    /// Whether the rows would match if the missing facts fitted: worth asking for.
    pub would_match: bool,
}

/// The answer for one stage.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
pub struct Outcome {
    /// Found, strongest claim first.
    pub matches: Vec<Match>,
    /// Not judged, in the order of the registry.
    pub skipped: Vec<Skipped>,
}

/// A match with what the selection needs.
pub(super) struct Claim<'r> {
    pub fusion: &'r Fusion,
    pub rows: BTreeSet<usize>,
    direct_rows: BTreeSet<usize>,
    evidence: Vec<Evidence>,
    pub related_ns: u64,
}

/// Matches the rows of one stage. `stage_total_ns` is the sum of kernel time in the stage, the whole that shares are of.
pub fn match_rows(
    registry: &Registry,
    context: &Context<'_>,
    rows: &[Row<'_>],
    stage_total_ns: u64,
) -> Outcome {
    let searched: Vec<Searched<'_>> = rows.iter().map(Searched::new).collect();
    let mut claims = Vec::new();
    let mut skipped = Vec::new();
    for fusion in &registry.fusions {
        if context.framework.is_some_and(|framework| framework != fusion.framework) {
            continue;
        }
        let gate = gate(fusion, context);
        if matches!(gate, Gate::Closed) {
            continue;
        }
        let claim = claim(fusion, rows, &searched, stage_total_ns);
        match gate {
            Gate::Unknown(reason) => {
                skipped.push(Skipped {
                    entry: fusion.entry.id.clone(),
                    reason,
                    would_match: claim.is_some(),
                });
            }
            _ => claims.extend(claim),
        }
    }
    let matches =
        select(claims).into_iter().map(|claim| claim.into_match(rows, context, stage_total_ns)).collect();
    Outcome { matches, skipped }
}

enum Gate {
    Open,
    Closed,
    Unknown(Reason),
}

/// Whether the filters of an entry let the run through. A filter that is known to fail closes it even when the other fact
/// is missing.
fn gate(fusion: &Fusion, context: &Context<'_>) -> Gate {
    let entry = &fusion.entry;
    let by_model = !entry.models.is_empty() || !entry.not_models.is_empty();
    let model = context.model.map(str::to_lowercase);
    if let Some(model) = &model {
        let names = |list: &[String]| list.iter().any(|part| model.contains(&part.to_lowercase()));
        if (!entry.models.is_empty() && !names(&entry.models)) || names(&entry.not_models) {
            return Gate::Closed;
        }
    }
    if entry.min_tp.zip(context.tp).is_some_and(|(least, tp)| tp < least) {
        return Gate::Closed;
    }
    match (by_model && model.is_none(), entry.min_tp.is_some() && context.tp.is_none()) {
        (false, false) => Gate::Open,
        (true, false) => Gate::Unknown(Reason::NeedsModel),
        (false, true) => Gate::Unknown(Reason::NeedsTp),
        (true, true) => Gate::Unknown(Reason::NeedsModelAndTp),
    }
}

/// What an entry finds in the rows; nothing when there is neither the fused kernel nor enough of the separate ones.
fn claim<'r>(
    fusion: &'r Fusion,
    rows: &[Row<'_>],
    searched: &[Searched<'_>],
    total_ns: u64,
) -> Option<Claim<'r>> {
    let mut evidence = hits(&fusion.direct, fusion, searched, true);
    let direct_rows: BTreeSet<usize> = evidence.iter().map(|hit| hit.row).collect();
    // The fused kernel's own name often contains the words of its parts; it is not one of the separate kernels.
    let groups: Vec<Vec<Evidence>> = fusion
        .split
        .iter()
        .map(|group| {
            let mut found = hits(group, fusion, searched, false);
            found.retain(|hit| !direct_rows.contains(&hit.row));
            found
        })
        .collect();
    let members: Vec<BTreeSet<usize>> =
        groups.iter().map(|group| group.iter().map(|hit| hit.row).collect()).collect();
    let split_rows: BTreeSet<usize> = members.iter().flatten().copied().collect();
    let split_ns: u64 = split_rows.iter().map(|&row| rows[row].time_ns).sum();
    let split = !members.is_empty()
        && each_has_its_own(&members)
        && percent(split_ns, total_ns) >= fusion.entry.min_share;
    if direct_rows.is_empty() && !split {
        return None;
    }
    let mut related = direct_rows.clone();
    if split {
        related.extend(split_rows);
        for hit in groups.into_iter().flatten() {
            if !evidence.iter().any(|known| known.row == hit.row && known.token == hit.token) {
                evidence.push(hit);
            }
        }
    }
    let related_ns = related.iter().map(|&row| rows[row].time_ns).sum();
    Some(Claim { fusion, rows: related, direct_rows, evidence, related_ns })
}

/// The first token of the list that holds, per row.
fn hits(tokens: &[Token], fusion: &Fusion, searched: &[Searched<'_>], direct: bool) -> Vec<Evidence> {
    let find = |(row, searched): (usize, &Searched<'_>)| {
        tokens.iter().find_map(|token| {
            let (field, text) = token.find(searched, &fusion.entry.fields)?;
            Some(Evidence { row, token: token.as_str().to_owned(), field, text, direct })
        })
    };
    searched.iter().enumerate().filter_map(find).collect()
}

/// Whether every group can be given a row that no other group uses (augmenting paths; groups are four at most).
fn each_has_its_own(groups: &[BTreeSet<usize>]) -> bool {
    let mut owner = std::collections::HashMap::new();
    (0..groups.len()).all(|group| assign(group, groups, &mut owner, &mut BTreeSet::new()))
}

fn assign(
    group: usize,
    groups: &[BTreeSet<usize>],
    owner: &mut std::collections::HashMap<usize, usize>,
    tried: &mut BTreeSet<usize>,
) -> bool {
    for &row in &groups[group] {
        if !tried.insert(row) {
            continue;
        }
        let free = match owner.get(&row).copied() {
            None => true,
            Some(other) => assign(other, groups, owner, tried),
        };
        if free {
            owner.insert(row, group);
            return true;
        }
    }
    false
}

/// Percent of the whole; 0 of nothing.
fn percent(part_ns: u64, total_ns: u64) -> f64 {
    if total_ns == 0 { 0.0 } else { part_ns as f64 * 100.0 / total_ns as f64 }
}

impl Claim<'_> {
    fn into_match(self, rows: &[Row<'_>], context: &Context<'_>, total_ns: u64) -> Match {
        let entry = &self.fusion.entry;
        let share = percent(self.related_ns, total_ns);
        let fused_present = !self.direct_rows.is_empty();
        let confirmed = fused_present || share >= entry.likely_share;
        let mut order: Vec<usize> = self.rows.iter().copied().collect();
        order.sort_by_key(|&row| std::cmp::Reverse(rows[row].time_ns));
        let mut locations: Vec<String> = Vec::new();
        for location in order.into_iter().filter_map(|row| rows[row].location) {
            if !locations.iter().any(|known| known == location) {
                locations.push(location.to_owned());
            }
        }
        let unfused = self.rows.difference(&self.direct_rows).map(|&row| rows[row].time_ns).sum();
        Match {
            entry: entry.id.clone(),
            name: entry.name.clone(),
            framework: self.fusion.framework,
            framework_known: context.framework.is_some(),
            status: entry.status,
            confidence: if confirmed { Confidence::Confirmed } else { Confidence::Candidate },
            fused_present,
            related_ns: self.related_ns,
            unfused_ns: unfused,
            share,
            evidence: self.evidence,
            locations,
            paths: entry.paths.clone(),
            rationale: entry.rationale.clone(),
            source: entry.source.clone(),
        }
    }
}
