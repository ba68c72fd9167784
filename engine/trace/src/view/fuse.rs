//! Table 3: which known fusions run, and which could.

use super::kernels::KernelTable;
use crate::fuse::{Confidence, Context, Match, Reason, Registry, Row, Status, match_rows};
use crate::stage::Stage;
use crate::store::Ns;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Share of the stage in percent that a kernel needs before it is shown as evidence.
const EVIDENCE_SHARE: f64 = 1.0;
/// Evidence kernels and places that a row names.
const EVIDENCE: usize = 3;
/// Places that a row names.
const PLACES: usize = 4;

/// The fuse-pattern table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FuseTable {
    /// Stages with work.
    pub sections: Vec<FuseSection>,
    /// Patterns that could not be tried for want of the model or of the degree of tensor parallelism, although their
    /// kernels run.
    pub untried: Vec<Untried>,
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FuseSection {
    /// The stage.
    pub stage: Stage,
    /// Patterns, most important first.
    pub rows: Vec<FuseRow>,
}

/// One pattern.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FuseRow {
    /// Stable id of the registry's entry.
    pub id: String,
    /// What is fused.
    pub pattern: String,
    /// Whose fusion it is.
    pub framework: String,
    /// Whether that is the framework of this trace; without a known framework every registry is tried.
    pub framework_known: bool,
    /// Whether the fusion is merged there, comes from another project, or is under way.
    pub status: String,
    /// Whether the fused kernel runs already. If not, its parts run apart.
    pub already_fused: bool,
    /// Whether the evidence is strong: the fused kernel itself, or parts with a large share.
    pub confirmed: bool,
    /// Time of the kernels that match, in ns.
    pub related_ns: Ns,
    /// Time of matching kernels that are not the fused one, in ns: what a fusion could touch.
    pub unfused_ns: Ns,
    /// Share of the stage's kernel time, in percent.
    pub share: f64,
    /// Kernels with at least 1 % of the stage that matched, and by what.
    pub evidence: Vec<FuseEvidence>,
    /// Places in Python sources that launch them.
    pub locations: Vec<String>,
    /// Where the fused path lives in the framework's sources.
    pub fused_paths: Vec<String>,
    /// Why it saves time.
    pub rationale: String,
    /// Where the entry comes from.
    pub source: String,
}

/// Why a pattern is listed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FuseEvidence {
    /// The kernel.
    pub kernel: String,
    /// Its share of the stage, in percent.
    pub share: f64,
    /// The token of the entry.
    pub token: String,
    /// The text that it was found in: the kernel's name, its op, or its place.
    pub matched: String,
}

/// A pattern that needs to know more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Untried {
    /// Id of the registry's entry.
    pub id: String,
    /// What is missing.
    pub needs: String,
}

/// Tries every pattern on every stage. `kernels` is the complete table.
pub fn build(kernels: &KernelTable, registry: &Registry, context: &Context<'_>) -> FuseTable {
    let mut table = FuseTable { sections: Vec::new(), untried: Vec::new() };
    for section in &kernels.sections {
        let rows: Vec<Row<'_>> = section.rows.iter().map(row).collect();
        let outcome = match_rows(registry, context, &rows, section.total_ns.unsigned_abs());
        let found = outcome.matches.into_iter().map(|found| fuse_row(found, section)).collect();
        table.sections.push(FuseSection { stage: section.stage, rows: found });
        for skipped in outcome.skipped.into_iter().filter(|skipped| skipped.would_match) {
            let needs = match skipped.reason {
                Reason::NeedsModel => "the model",
                Reason::NeedsTp => "the degree of tensor parallelism",
                Reason::NeedsModelAndTp => "the model and the degree of tensor parallelism",
            };
            let untried = Untried { id: skipped.entry, needs: needs.into() };
            if !table.untried.contains(&untried) {
                table.untried.push(untried);
            }
        }
    }
    table
}

fn row(row: &super::kernels::Row) -> Row<'_> {
    Row {
        kernel: &row.kernel,
        location: row.sites.first().map(|site| site.site.as_str()),
        cpu_op: row.cpu_op.as_deref(),
        time_ns: row.time_ns.unsigned_abs(),
        category: row.category,
    }
}

fn fuse_row(found: Match, section: &super::kernels::Section) -> FuseRow {
    let mut evidence: Vec<FuseEvidence> = Vec::new();
    for piece in &found.evidence {
        let row = &section.rows[piece.row];
        if row.share >= EVIDENCE_SHARE && !evidence.iter().any(|known| known.kernel == row.kernel) {
            let matched = piece.text.clone();
            evidence.push(FuseEvidence {
                kernel: row.kernel.clone(),
                share: row.share,
                token: piece.token.clone(),
                matched,
            });
        }
    }
    evidence.sort_by(|a, b| b.share.total_cmp(&a.share));
    evidence.truncate(EVIDENCE);
    let status = match found.status {
        Status::Mainline => "mainline",
        Status::Upstream => "upstream",
        Status::InFlight => "in flight",
    };
    FuseRow {
        id: found.entry,
        pattern: found.name,
        framework: found.framework.as_str().to_owned(),
        framework_known: found.framework_known,
        status: status.into(),
        already_fused: found.fused_present,
        confirmed: found.confidence == Confidence::Confirmed,
        related_ns: found.related_ns as Ns,
        unfused_ns: found.unfused_ns as Ns,
        share: found.share,
        evidence,
        locations: found.locations.into_iter().take(PLACES).collect(),
        fused_paths: found.paths,
        rationale: found.rationale,
        source: found.source,
    }
}
