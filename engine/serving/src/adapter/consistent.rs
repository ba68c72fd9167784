//! Whether an adapter contradicts itself. Mistakes in a file have to show when it is read, not when a server fails.

use super::{AbsentLimit, Adapter, EnvUse, FlagKind};
use std::collections::BTreeSet;

/// Lines that say nothing: a pattern of a failure that matches one of them would blame the innocent.
const SAYS_NOTHING: [&str; 4] = ["error", "ERROR", "Error:", "[error] an error occurred"];

/// Every contradiction, with the place of it.
pub(crate) fn problems(adapter: &Adapter) -> Vec<String> {
    let mut problems = Vec::new();
    names(adapter, &mut problems);
    references(adapter, &mut problems);
    signatures(adapter, &mut problems);
    service(adapter, &mut problems);
    problems
}

fn names(adapter: &Adapter, problems: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for name in adapter.flags.all_names() {
        if name.contains('-') || name.is_empty() {
            problems.push(format!("`flags`: write `{name}` with underscores"));
        }
        if !seen.insert(name) {
            problems.push(format!("`flags`: `{name}` is listed twice"));
        }
    }
    let slug =
        |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-';
    if adapter.name.is_empty() || !adapter.name.chars().all(slug) {
        problems.push(format!("`name`: `{}` has other characters than `a-z`, `0-9` and `-`", adapter.name));
    }
    if adapter.launch.argv.is_empty() || adapter.launch.alternatives.iter().any(Vec::is_empty) {
        problems.push("`launch`: a program is empty".to_owned());
    }
}

fn references(adapter: &Adapter, problems: &mut Vec<String>) {
    let roles = &adapter.launch.roles;
    let optional = [
        ("model", &roles.model),
        ("served_name", &roles.served_name),
        ("tokenizer", &roles.tokenizer),
        ("tensor_parallel", &roles.tensor_parallel),
        ("pipeline_parallel", &roles.pipeline_parallel),
        ("data_parallel", &roles.data_parallel),
        ("expert_parallel", &roles.expert_parallel),
        ("memory_fraction", &roles.memory_fraction),
        ("max_running", &roles.max_running),
    ];
    let mut used: Vec<(String, &str)> =
        vec![("launch.roles.host".to_owned(), &roles.host), ("launch.roles.port".to_owned(), &roles.port)];
    used.extend(
        optional.iter().filter_map(|(role, flag)| Some((format!("launch.roles.{role}"), flag.as_deref()?))),
    );
    used.extend(adapter.sequence_limit.flag.as_deref().map(|flag| ("sequence_limit.flag".to_owned(), flag)));
    used.extend(adapter.attention.flags.iter().map(|flag| ("attention.flags".to_owned(), flag.as_str())));
    used.extend(
        adapter.flags.required.iter().map(|entry| ("flags.required".to_owned(), entry.flag.as_str())),
    );
    used.extend(adapter.flags.refused.iter().map(|entry| ("flags.refused".to_owned(), entry.flag.as_str())));
    let parallel = &adapter.launch.parallel;
    let beside = parallel.copies_inside.iter().chain(&parallel.beyond_host);
    used.extend(beside.map(|flag| ("launch.parallel".to_owned(), flag.as_str())));
    let states = &adapter.states;
    let said = [&states.precision, &states.quantization, &states.revision];
    used.extend(said.into_iter().filter_map(|said| Some(("states".to_owned(), said.flag.as_deref()?))));
    let metrics = adapter.metrics.iter().filter_map(|entry| entry.needs_flag.as_deref());
    used.extend(metrics.map(|flag| ("metrics.needs_flag".to_owned(), flag)));
    let arm = adapter.profile.as_ref().and_then(|profile| profile.arm.as_ref());
    let arm = arm.into_iter().flat_map(|arm| arm.flags.keys());
    used.extend(arm.map(|flag| ("profile.arm.flags".to_owned(), flag.as_str())));
    for (place, flag) in used {
        if adapter.flags.main_name(flag).is_none() {
            problems.push(format!("`{place}`: `flags` does not list `{flag}`"));
        }
    }
    for name in adapter.flags.retired.keys().filter(|name| adapter.flags.main_name(name).is_some()) {
        problems.push(format!("`flags.retired`: `{name}` is also listed as a flag"));
    }
    for variable in &adapter.launch.environment {
        if (variable.usage == EnvUse::Set) != variable.value.is_some() {
            problems.push(format!(
                "`launch.environment`: `{}` has a value if and only if it is set",
                variable.name
            ));
        }
    }
    for entry in &adapter.flags.required {
        let value = entry.value.as_ref();
        if value.is_some_and(|value| adapter.argument(&entry.flag, value).is_ok_and(|argv| argv.is_empty())) {
            problems.push(format!(
                "`flags.required`: the value of `{}` puts nothing on the command line",
                entry.flag
            ));
        }
    }
}

fn signatures(adapter: &Adapter, problems: &mut Vec<String>) {
    let ids = adapter.boot.failures.iter().map(|signature| &signature.id);
    let ids = ids.chain(adapter.fallbacks.iter().map(|signature| &signature.id));
    let mut seen = BTreeSet::new();
    for id in ids.filter(|id| !seen.insert(*id)) {
        problems.push(format!("signature `{id}` is there twice"));
    }
    for signature in &adapter.boot.failures {
        if SAYS_NOTHING.iter().any(|line| signature.line.is_match(line)) {
            problems.push(format!(
                "`boot.failures`: `{}` matches a line that only says that there is an error",
                signature.id
            ));
        }
    }
    if adapter.boot.failures.is_empty() {
        problems.push("`boot.failures` is empty".to_owned());
    }
}

fn service(adapter: &Adapter, problems: &mut Vec<String>) {
    let least = adapter.ready.models.lists.least_demands();
    for demand in least.iter().filter(|demand| !adapter.ready.demands.contains(demand)) {
        problems.push(format!("`ready.demands` lacks {demand:?}: a server is not ready without it"));
    }
    let limit = &adapter.sequence_limit;
    if (limit.absent == AbsentLimit::Default) != limit.default.is_some() {
        problems.push("`sequence_limit.default` is there if and only if `absent` is `default`".to_owned());
    }
    if limit.absent == AbsentLimit::Refused && limit.flag.is_none() {
        problems.push("`sequence_limit`: without a flag nothing can be refused".to_owned());
    }
    let kinds = [
        limit.flag.as_deref().and_then(|flag| adapter.flags.kind(flag)),
        adapter.flags.kind(&adapter.launch.roles.port),
    ];
    if kinds.iter().flatten().any(|kind| !matches!(kind, FlagKind::Int | FlagKind::Text)) {
        problems.push("the flags of port and sequence limit take a number".to_owned());
    }
    let api = &adapter.api;
    if api.completions.is_none() && api.chat.is_none() && api.generate.is_none() {
        problems.push("`api` has no endpoint".to_owned());
    }
    if adapter.help.is_empty() || adapter.help.iter().any(|command| command.argv.is_empty()) {
        problems.push("`help` has no command".to_owned());
    }
    if adapter.verified.is_empty() {
        problems.push("`verified` is empty".to_owned());
    }
    for check in adapter.verified.iter().filter(|check| !is_day(&check.on)) {
        problems.push(format!("`verified`: `{}` is no day; write `YYYY-MM-DD`", check.on));
    }
}

fn is_day(text: &str) -> bool {
    let digits =
        |part: &str, count: usize| part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = text.split('-').collect();
    matches!(parts[..], [year, month, day] if digits(year, 4) && digits(month, 2) && digits(day, 2))
}
