//! What only an inference server can be asked: whether it serves the expected model, and whether it generates.

use crate::config::excerpt;
use crate::net::{HttpExpect, Request, send};
use crate::server::adapter::{Served, extra_body};
use assay_loadgen::client::{self, Api, Ask, Load, Target};
use assay_loadgen::{FailureKind, Prompt, Record};
use assay_serving::adapter::{Adapter, Demand, Endpoint, Listed, UsageInStream};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Tokens of the generation that proves readiness.
const TOKENS: u32 = 8;
/// Its prompt: any model can go on from it.
const PROMPT: &str = "One, two, three, four, five,";
/// Longest wait for one answer. SGLang's health generates, and gives up after 20 s.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);
/// Characters of a list that a message shows.
const SHOWN: usize = 200;

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It may still come.
    Yet(String),
    /// Waiting cannot mend it.
    Forever(String),
}

/// Whether everything holds that the adapter demands, in its order. `limit`: time left until readiness is given up.
///
/// # Errors
/// What does not hold.
pub(crate) async fn demands(base: &str, served: &Served, limit: Duration) -> Result<(), Missing> {
    for demand in &served.adapter.ready.demands {
        match demand {
            // Its own processes hold the port, or nobody would be asked.
            Demand::PortOwned => {}
            Demand::Health => health(base, &served.adapter).await?,
            Demand::ModelListed => model_listed(base, served).await?,
            Demand::Generation if served.check_generation => generation(base, served, limit).await?,
            Demand::Generation => {}
        }
    }
    Ok(())
}

async fn health(base: &str, adapter: &Adapter) -> Result<(), Missing> {
    let url = format!("{base}{}", adapter.ready.health.path);
    let answer = send(&Request::get(url.clone(), PROBE_TIMEOUT)).await;
    let answer = answer.map_err(|error| Missing::Yet(error.to_string()))?;
    HttpExpect::default().check(&answer).map_err(|what| Missing::Yet(format!("{url}: {what}")))
}

async fn model_listed(base: &str, served: &Served) -> Result<(), Missing> {
    let models = &served.adapter.ready.models;
    if models.lists == Listed::HubCache {
        return Ok(());
    }
    let url = format!("{base}{}", models.path);
    let answer = send(&Request::get(url.clone(), PROBE_TIMEOUT)).await;
    let answer = answer.map_err(|error| Missing::Yet(error.to_string()))?;
    HttpExpect::default().check(&answer).map_err(|what| Missing::Yet(format!("{url}: {what}")))?;
    let listed = answer.json().map(|json| ids(&json)).unwrap_or_default();
    if listed.is_empty() {
        return Err(Missing::Yet(format!("{url} lists no model")));
    }
    if listed.contains(&served.model_id) {
        return Ok(());
    }
    let listed = listed.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
    Err(Missing::Forever(format!(
        "the server serves {}, not `{}`; give the name that it uses as `served_name`, or another `model`",
        excerpt(&listed, SHOWN),
        served.model_id
    )))
}

/// The path that empties the prefix cache, where that works: some servers have it only in certain modes.
pub(crate) async fn flush(base: &str, adapter: &Adapter) -> Option<String> {
    let flush = adapter.cache_flush.as_ref().filter(|flush| flush.method == "POST")?;
    let request = Request {
        method: flush.method.clone(),
        ..Request::get(format!("{base}{}", flush.path), PROBE_TIMEOUT)
    };
    let answer = send(&request).await.ok()?;
    HttpExpect::default().check(&answer).is_ok().then(|| flush.path.clone())
}

/// The ids of a list of models in OpenAI's form.
fn ids(json: &Value) -> Vec<String> {
    let list = json.get("data").and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|model| model.get("id")?.as_str()).map(str::to_owned).collect()
}

/// Stops the client when whoever waits for it does not wait any more.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One real streamed generation has the tokens that it was asked for.
async fn generation(base: &str, served: &Served, limit: Duration) -> Result<(), Missing> {
    let adapter = &served.adapter;
    let Some((api, endpoint)) = endpoint(adapter) else {
        return Err(Missing::Forever(format!("the adapter of {} names no way to generate", adapter.title)));
    };
    let load = load(base, served, api, endpoint, limit).map_err(Missing::Forever)?;
    let stop = StopOnDrop(Arc::new(AtomicBool::new(false)));
    let flag = Arc::clone(&stop.0);
    let done = tokio::task::spawn_blocking(move || client::run(&load, &flag, &mut |_| {})).await;
    drop(stop);
    let done =
        done.map_err(|error| Missing::Forever(format!("its first generation was not made: {error}")))?;
    let done =
        done.map_err(|error| Missing::Forever(format!("its first generation was not made: {error}")))?;
    match done.records.first() {
        Some(record) => judge(record, adapter, endpoint, api),
        None => Err(Missing::Forever("its first generation was not made".to_owned())),
    }
}

fn endpoint(adapter: &Adapter) -> Option<(Api, &Endpoint)> {
    let api = &adapter.api;
    let ways = [(Api::Completions, &api.completions), (Api::Chat, &api.chat), (Api::Generate, &api.generate)];
    ways.into_iter().find_map(|(way, endpoint)| Some((way, endpoint.as_ref()?)))
}

fn load(base: &str, served: &Served, api: Api, endpoint: &Endpoint, limit: Duration) -> Result<Load, String> {
    let adapter = &served.adapter;
    let mut ask = Ask { model: served.model_id.clone(), ..Ask::new(api) };
    if api != Api::Generate {
        ask.extra_body = adapter.api.exact_length.fields_for(TOKENS);
    }
    ask.extra_body.extend(extra_body(adapter));
    if endpoint.usage == UsageInStream::Never {
        ask.extra_body.insert("stream_options".to_owned(), Value::Null);
    }
    Ok(Load {
        target: Target::parse(base, &[]).map_err(|error| error.to_string())?,
        ask,
        warmup: Vec::new(),
        requests: vec![assay_loadgen::Request::new(Prompt::Text(PROMPT.to_owned()), None, TOKENS)],
        offsets_ns: None,
        concurrency: Some(1),
        flush: None,
        timeout: limit,
        keep_text: false,
    })
}

fn judge(record: &Record, adapter: &Adapter, endpoint: &Endpoint, api: Api) -> Result<(), Missing> {
    let path = api.path();
    if let Some(failure) = &record.failure {
        let what = format!("its first generation by `{path}` failed: {}", failure.message);
        return Err(match failure.kind {
            // The process may be dying: then its end says more.
            FailureKind::Connect | FailureKind::CutOff => Missing::Yet(what),
            _ => Missing::Forever(what),
        });
    }
    let counted = matches!(endpoint.usage, UsageInStream::Always | UsageInStream::OnRequest);
    let exact = adapter.api.exact_length.guaranteed;
    let wrong = |got: String, wanted: String| {
        Err(Missing::Forever(format!(
            "its first generation by `{path}` holds {got}, expected {wanted}: what it counts cannot be measured"
        )))
    };
    match record.completion_tokens() {
        Some(TOKENS) => Ok(()),
        Some(fewer) if !exact && (1..TOKENS).contains(&fewer) => Ok(()),
        Some(other) if exact => wrong(format!("{other} tokens"), TOKENS.to_string()),
        Some(other) => wrong(format!("{other} tokens"), format!("1 to {TOKENS}")),
        None if counted => wrong("no count of tokens".to_owned(), format!("{TOKENS} in `usage`")),
        // Nobody says how many there are; there was one at least, or the client would have called it empty.
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Missing, endpoint, ids, judge};
    use assay_loadgen::{Record, Usage};
    use assay_serving::adapter::Adapter;
    use serde_json::json;

    fn judged(framework: &str, tokens: Option<u32>) -> Result<(), Missing> {
        let adapter = Adapter::named(framework).unwrap();
        let usage = tokens.map(|tokens| Usage { completion_tokens: Some(tokens), ..Usage::default() });
        let record = Record { usage, ..Record::default() };
        let (api, endpoint) = endpoint(&adapter).unwrap();
        judge(&record, &adapter, endpoint, api)
    }

    #[test]
    fn the_count_has_to_be_the_one_that_the_adapter_promises() {
        assert_eq!(judged("vllm", Some(8)), Ok(()));
        for wrong in [Some(7), Some(9), Some(0), None] {
            assert!(matches!(judged("vllm", wrong), Err(Missing::Forever(_))), "{wrong:?}");
        }
        // Its answers may end early, and nobody knows whether it counts.
        assert_eq!((judged("llama-cpp", Some(3)), judged("llama-cpp", None)), (Ok(()), Ok(())));
        assert!(matches!(judged("llama-cpp", Some(9)), Err(Missing::Forever(_))));
        assert!(matches!(judged("transformers", None), Err(Missing::Forever(_))));
    }

    #[test]
    fn models_are_listed_by_id() {
        assert_eq!(ids(&json!({"data": [{"id": "a"}, {"name": "b"}, {"id": "c"}]})), ["a", "c"]);
        assert!(ids(&json!({"data": null})).is_empty() && ids(&json!([])).is_empty());
    }
}
