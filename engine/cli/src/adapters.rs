//! Adapters of inference frameworks in words, for `list adapters` and `explain adapter-<name>`.

use crate::fail::Failure;
use crate::format::one_line;
use assay_protocol::Value;
use assay_serving::adapter::{Adapter, Demand};
use serde_json::json;

/// How `explain` calls an adapter, beside its bare name.
const PREFIX: &str = "adapter-";

/// The adapter that a topic of `explain` names.
pub fn named(topic: &str) -> Option<Adapter> {
    Adapter::named(topic.strip_prefix(PREFIX).unwrap_or(topic)).ok()
}

/// What `explain` may be asked for.
pub fn topics() -> impl Iterator<Item = String> {
    Adapter::names().map(|name| format!("{PREFIX}{name}"))
}

/// All of them: a line each with how it was checked.
pub fn list() -> Result<(String, Value), Failure> {
    let all = Adapter::all().map_err(|error| Failure::internal(error.to_string()))?;
    let mut text = String::from("adapters, for `server` with `adapter: {name: ...}`\n");
    let width =
        |text: fn(&Adapter) -> &str| all.iter().map(|one| text(one).chars().count()).max().unwrap_or(0);
    let (names, titles) = (width(|one| &one.name), width(|one| &one.title));
    for adapter in &all {
        let checked: Vec<String> =
            adapter.verified.iter().map(|entry| format!("{} {}", entry.how.word(), entry.version)).collect();
        text.push_str(&format!(
            "  {:<names$}  {:<titles$}  {}\n",
            adapter.name,
            adapter.title,
            checked.join(", ")
        ));
    }
    text.push_str("ran: launched and asked; help: flags against its own parser; source: only read\n");
    let data = all
        .iter()
        .map(|adapter| json!({"name": adapter.name, "title": adapter.title, "verified": verified(adapter)}))
        .collect();
    Ok((text, Value::Array(data)))
}

/// The page as text.
pub fn text(adapter: &Adapter) -> String {
    let mut out = format!("{} (adapter): how Assay launches and judges {}\n", adapter.name, adapter.title);
    let roles = &adapter.launch.roles;
    let model =
        roles.model.as_ref().map_or("<model>".to_owned(), |flag| format!("{} <model>", shown(adapter, flag)));
    let (host, port) = (shown(adapter, &roles.host), shown(adapter, &roles.port));
    let argv = adapter.launch.argv.join(" ");
    out.push_str(&format!("\nlaunch:\n  {argv} {model} {host} 127.0.0.1 {port} <port> [flags]\n"));
    out.push_str("\nready when:\n");
    for demand in &adapter.ready.demands {
        out.push_str(&format!("  {}\n", demand_words(adapter, *demand)));
    }
    out.push_str(&format!("  given up after {} s\n", adapter.ready.give_up_s));
    section(
        &mut out,
        "flags",
        adapter.flags.known.iter().map(|(name, flag)| (name.as_str(), flag.meaning.as_str())),
    );
    let others: usize = adapter.flags.others.values().map(Vec::len).sum();
    out.push_str(&format!("  and {others} more; list: {}\n", adapter.flags.source));
    let required = adapter.flags.required.iter().map(|one| (one.flag.as_str(), one.why.as_str()));
    section(&mut out, "required flags", required);
    section(
        &mut out,
        "refused flags",
        adapter.flags.refused.iter().map(|one| (one.flag.as_str(), one.why.as_str())),
    );
    section(
        &mut out,
        "gone flags",
        adapter.flags.retired.iter().map(|(name, why)| (name.as_str(), why.as_str())),
    );
    let fallbacks = adapter.fallbacks.iter().map(|one| (one.id.as_str(), one.means.as_str()));
    section(&mut out, "fallbacks that fail a server unless `allow_fallbacks` names them", fallbacks);
    let failures = adapter.boot.failures.iter().map(|one| (one.id.as_str(), one.cause.as_str()));
    section(&mut out, "failures of a boot that are known", failures);
    let refused = adapter.api.refused_fields.iter().map(|one| (one.field.as_str(), one.why.as_str()));
    section(&mut out, "fields of requests that do not work", refused);
    out.push_str("\nverified:\n");
    for entry in &adapter.verified {
        out.push_str(&format!("  {} {} on {}: {}\n", entry.how.word(), entry.version, entry.on, entry.note));
    }
    // Those with one value are added by the launch.
    let required = adapter.flags.required.iter().filter(|one| one.value.is_none());
    let required = required.map(|one| format!("{}: ...", one.flag));
    let flags = required.collect::<Vec<_>>().join(", ");
    let example = format!(
        "uses: server\n  with:\n    adapter: {{name: {}, model: /models/tiny, flags: {{{flags}}}}}",
        adapter.name
    );
    out.push_str(&format!("\nexample:\n  {example}\n"));
    out
}

/// The page for machines.
pub fn data(adapter: &Adapter) -> Value {
    let pairs = |entries: Vec<(&str, &str)>| -> Value {
        entries.into_iter().map(|(name, words)| json!({"name": name, "doc": words})).collect()
    };
    let flags = &adapter.flags;
    json!({
        "kind": "adapter", "name": adapter.name, "title": adapter.title, "launch": adapter.launch.argv,
        "ready": {"demands": adapter.ready.demands, "health": adapter.ready.health.path,
            "models": adapter.ready.models.path, "give_up_s": adapter.ready.give_up_s},
        "flags": pairs(flags.known.iter().map(|(name, flag)| (name.as_str(), flag.meaning.as_str())).collect()),
        "other_flags": flags.others.values().flatten().collect::<Vec<_>>(),
        "refused_flags": pairs(flags.refused.iter().map(|one| (one.flag.as_str(), one.why.as_str())).collect()),
        "gone_flags": pairs(flags.retired.iter().map(|(name, why)| (name.as_str(), why.as_str())).collect()),
        "fallbacks": pairs(adapter.fallbacks.iter().map(|one| (one.id.as_str(), one.means.as_str())).collect()),
        "failures": pairs(adapter.boot.failures.iter().map(|one| (one.id.as_str(), one.cause.as_str())).collect()),
        "verified": verified(adapter),
    })
}

fn verified(adapter: &Adapter) -> Value {
    let entries = adapter.verified.iter().map(
        |entry| json!({"version": entry.version, "how": entry.how.word(), "on": entry.on, "note": entry.note}),
    );
    entries.collect()
}

/// A flag as it stands on the command line.
fn shown(adapter: &Adapter, flag: &str) -> String {
    adapter.flags.spelled(flag)
}

fn demand_words(adapter: &Adapter, demand: Demand) -> String {
    match demand {
        Demand::PortOwned => "its own processes listen on the port".to_owned(),
        Demand::Health => {
            let health = &adapter.ready.health;
            format!("`{}` answers with 200 ({})", health.path, health.note)
        }
        Demand::ModelListed => format!("`{}` lists the model", adapter.ready.models.path),
        Demand::Generation => "a streamed generation has the tokens that were asked for".to_owned(),
    }
}

fn section<'a>(out: &mut String, title: &str, entries: impl Iterator<Item = (&'a str, &'a str)>) {
    let entries: Vec<(&str, &str)> = entries.collect();
    if entries.is_empty() {
        return;
    }
    let width = entries.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    out.push_str(&format!("\n{title}:\n"));
    for (name, words) in entries {
        out.push_str(&format!("  {name:<width$}  {}\n", one_line(words, 200)));
    }
}
