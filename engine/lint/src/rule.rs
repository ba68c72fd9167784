//! What a rule is.

use crate::context::Cx;
use crate::few::Few;
use crate::ignores::Ignore;
use crate::skill_md::SkillMd;
use assay_diagnostics::{Confidence, Diagnostic, Severity, Span};
use assay_manifest::Manifest;
use assay_plan::ManifestPlan;
use assay_yaml::Node;

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// The language itself: what cannot run, or does not mean what it seems to.
    Language,
    /// What would harm the host, the run or its secrets.
    Safety,
    /// What would make a verdict worth nothing.
    Evidence,
    /// What was true once.
    Freshness,
    /// What others expect of a skill.
    Ecosystem,
    /// The comments that silence rules.
    Ignores,
}

impl Family {
    /// In the order in which they are listed.
    pub const ALL: [Self; 6] =
        [Self::Language, Self::Safety, Self::Evidence, Self::Freshness, Self::Ecosystem, Self::Ignores];

    /// The word shown to users.
    pub fn word(self) -> &'static str {
        match self {
            Self::Language => "language",
            Self::Safety => "safety",
            Self::Evidence => "evidence",
            Self::Freshness => "freshness",
            Self::Ecosystem => "ecosystem",
            Self::Ignores => "ignores",
        }
    }
}

/// Whether a rule can mend what it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fixes {
    /// No.
    None,
    /// Sometimes or always, and the meaning stays what the author wrote.
    Safe,
    /// Sometimes or always, but an author should look at it.
    Unsafe,
}

impl Fixes {
    /// The word shown to users.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Safe => "safe",
            Self::Unsafe => "unsafe",
        }
    }
}

/// Looks at the comments that silence other rules; the function tells which rules are off.
pub type CheckIgnores = fn(&[Ignore], &dyn Fn(&str) -> bool, &mut Found<'_>);

/// What a rule looks at. A rule sees only what could be read: there is no manifest without a tree, and no plan without
/// a manifest; but both may hold errors, which others report.
#[derive(Clone, Copy)]
pub enum Check {
    /// Reading the text, the manifest or the plan finds it: `run` refuses such a manifest with the same words. It can
    /// neither be silenced nor ignored.
    FrontEnd,
    /// The text as it stands, comments included.
    Text(fn(&Cx<'_>, &mut Found<'_>)),
    /// The tree.
    Tree(fn(&Cx<'_>, &Node, &mut Found<'_>)),
    /// The manifest.
    Manifest(fn(&Cx<'_>, &Manifest, &mut Found<'_>)),
    /// The plan: the manifest with its edges and callees.
    Plan(fn(&Cx<'_>, &ManifestPlan, &mut Found<'_>)),
    /// A `SKILL.md`, alone or beside a manifest.
    SkillMd(fn(&Cx<'_>, &SkillMd, &mut Found<'_>)),
    /// The comments that silence other rules, after they were applied.
    Ignores(CheckIgnores),
}

/// A rule: what it finds, why, and how it looks. The documentation page is made of this and nothing else.
pub struct Rule {
    /// Stable kebab-case id.
    pub id: &'static str,
    /// What it is about.
    pub family: Family,
    /// How much a finding matters, unless the configuration says otherwise.
    pub severity: Severity,
    /// How sure a finding is, unless the finding says otherwise.
    pub confidence: Confidence,
    /// What it finds: one sentence with a period.
    pub finds: &'static str,
    /// Why it matters and how it is decided: markdown, one or a few paragraphs. Thresholds with their source.
    pub why: &'static str,
    /// A piece of a manifest in which it finds something; what is missing around it is added (see `whole_example`).
    pub bad: &'static str,
    /// The same piece as it should be: no rule finds an error there, and this one nothing.
    pub good: &'static str,
    /// Whether it can mend what it finds.
    pub fixes: Fixes,
    /// How it looks.
    pub check: Check,
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rule").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Where a rule puts what it finds.
pub struct Found<'a> {
    rule: &'static Rule,
    severity: Severity,
    list: &'a mut Few,
}

impl<'a> Found<'a> {
    pub(crate) fn new(rule: &'static Rule, severity: Severity, list: &'a mut Few) -> Self {
        Self { rule, severity, list }
    }

    /// A finding of this rule at its place. `message` is one lowercase sentence without a period, `label` what is said
    /// under the caret. Give it a way out (`help` or `fix`) and hand it to [`Self::push`].
    #[must_use]
    pub fn at(&self, span: Span, message: impl Into<String>, label: impl Into<String>) -> Diagnostic {
        let mut finding = Diagnostic::error(self.rule.id, message).at(span, label);
        finding.severity = self.severity;
        finding.confidence = self.rule.confidence;
        finding
    }

    /// A finding that matters less than others of its rule. What the configuration says stays.
    #[must_use]
    pub fn at_most(&self, severity: Severity, mut finding: Diagnostic) -> Diagnostic {
        if self.severity == self.rule.severity {
            // `Severity` puts errors first.
            finding.severity = finding.severity.max(severity);
        }
        finding
    }

    /// Keeps a finding.
    pub fn push(&mut self, finding: Diagnostic) {
        debug_assert!(
            !finding.help.is_empty() || finding.fix.is_some(),
            "`{}` gives no way out",
            self.rule.id
        );
        self.list.push(finding);
    }
}
