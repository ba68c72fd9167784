//! Comparisons with the commands of their two sides, wherever those were measured.

use crate::commands::Command;
use crate::context::Cx;
use crate::flow::{is_kind, step_id};
use crate::settings::{Setting, Settings};
use assay_diagnostics::Span;
use assay_manifest::{Config, ConfigKind, Step, TextAt};
use std::collections::HashMap;

/// One side of a comparison.
pub(crate) struct Side<'c, 'a> {
    /// What is run for it, in order; those inside `$( )` left out.
    pub commands: Vec<&'c Command<'a>>,
    /// The step whose samples it takes, if it is measured elsewhere.
    pub step: Option<&'a Step>,
    /// The configuration of the side.
    pub config: &'a Config,
    /// The comparison and the side's name.
    place: (&'a str, &'static str),
}

impl Side<'_, '_> {
    /// Where its name stands.
    pub fn name_span(&self, cx: &Cx<'_>) -> Span {
        cx.key_span(&["steps", self.place.0, "with", self.place.1])
    }

    /// Variables of the step that measures it.
    pub fn env(&self) -> &[(String, TextAt)] {
        self.step.map_or(&[], |step| &step.env)
    }

    /// All settings of all its commands, and the words that are none.
    pub fn settings(&self) -> (Vec<Setting>, Vec<&str>) {
        let mut all = (Vec::new(), Vec::new());
        for (at, command) in self.commands.iter().enumerate() {
            let settings = Settings::of(command);
            all.1.push(if at == 0 { "" } else { ";" });
            all.1.extend(settings.plain.iter().map(|word| word.text.as_str()));
            all.0.extend(settings.list);
        }
        let variables = self.env().iter().map(|(name, text)| Setting {
            name: name.clone(),
            value: text.template.source().to_owned(),
            span: text.span,
            open: !text.template.is_literal(),
            variable: true,
        });
        all.0.extend(variables);
        all
    }
}

/// A comparison.
pub(crate) struct Pair<'c, 'a> {
    /// The step.
    pub step: &'a Step,
    /// What is compared against.
    pub baseline: Side<'c, 'a>,
    /// What is judged.
    pub candidate: Side<'c, 'a>,
}

/// Every comparison of the manifest of which both sides are there.
pub(crate) fn pairs<'c, 'a>(cx: &'c Cx<'a>) -> Vec<Pair<'c, 'a>> {
    let Some(manifest) = cx.manifest else { return Vec::new() };
    let compares: Vec<&Step> = manifest.steps.iter().filter(|step| is_kind(step, "compare")).collect();
    if compares.is_empty() {
        return Vec::new();
    }
    let mut by_step: HashMap<&str, Vec<&Command<'a>>> = HashMap::new();
    for command in cx.commands().iter().filter(|command| !command.nested) {
        if let Some(step) = command.owner.step() {
            by_step.entry(step.id.value.as_str()).or_default().push(command);
        }
    }
    let steps: HashMap<&str, &Step> =
        manifest.steps.iter().map(|step| (step.id.value.as_str(), step)).collect();
    let side = |step: &'a Step, name: &'static str| {
        let config = step.with.get(name)?;
        let own = by_step.get(step.id.value.as_str()).into_iter().flatten().copied();
        let mut side = Side {
            commands: own.filter(|command| command.path.first() == Some(&name)).collect(),
            step: None,
            config,
            place: (&step.id.value, name),
        };
        if let Some(ConfigKind::Expression(expr, _)) = config.get("samples").map(|samples| &samples.kind) {
            side.step = expr.refs().iter().find_map(step_id).and_then(|id| steps.get(id).copied());
            let id = side.step.map(|step| step.id.value.as_str());
            let measured = id.and_then(|id| by_step.get(id)).into_iter().flatten().copied();
            side.commands = measured.filter(|command| command.path.len() == 1).collect();
        }
        Some(side)
    };
    let both = |step: &'a Step| {
        Some(Pair { step, baseline: side(step, "baseline")?, candidate: side(step, "candidate")? })
    };
    compares.into_iter().filter_map(both).collect()
}

/// What differs in the settings of two sides.
pub(crate) enum Difference<'s> {
    /// Both have it, with other values.
    Changed(&'s Setting, &'s Setting),
    /// Only the first has it.
    Lost(&'s Setting),
    /// Only the second has it.
    Added(&'s Setting),
}

impl<'s> Difference<'s> {
    /// The setting on the second side, or on the first where the second lacks it.
    pub fn shown(&self) -> &'s Setting {
        match self {
            Self::Changed(_, after) | Self::Added(after) => after,
            Self::Lost(before) => before,
        }
    }
}

/// Compares settings by name; the same name several times in order.
pub(crate) fn differences<'s>(before: &'s [Setting], after: &'s [Setting]) -> Vec<Difference<'s>> {
    let mut known: HashMap<&str, std::collections::VecDeque<&Setting>> = HashMap::new();
    for setting in before {
        known.entry(&setting.name).or_default().push_back(setting);
    }
    let mut out = Vec::new();
    for setting in after {
        match known.get_mut(setting.name.as_str()).and_then(std::collections::VecDeque::pop_front) {
            None => out.push(Difference::Added(setting)),
            Some(same) if same.value == setting.value => {}
            Some(other) => out.push(Difference::Changed(other, setting)),
        }
    }
    let mut lost: Vec<&Setting> = known.into_values().flatten().collect();
    lost.sort_by_key(|setting| setting.span.start);
    out.extend(lost.into_iter().map(Difference::Lost));
    out
}
