//! Which path asks for what, and the answers that never change.

use super::api::Dialect;
use super::config::Config;
use super::http::Call;
use super::launch::Launch;
use serde_json::{Value, json};

/// What a request is about.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Route {
    /// Tokens.
    Ask(Dialect),
    /// One token, to see whether the engine lives.
    Probe,
    /// Empties the prefix cache.
    Flush,
    /// The account of the server.
    Truth,
    /// One number of it.
    TruthTokens,
    /// Starts it anew.
    TruthReset,
    /// The account for Prometheus.
    Metrics,
    /// Starts recording.
    StartProfile,
    /// Ends recording.
    StopProfile,
    /// Only the status matters.
    Health,
    /// JSON.
    Json(Value),
    /// There is nothing.
    Missing,
}

impl Route {
    /// Whether it is answered before the server is ready.
    pub fn is_account(&self) -> bool {
        matches!(self, Self::Truth | Self::TruthTokens | Self::TruthReset)
    }
}

/// What a request is about. Paths that nobody knows give an empty object, as load generators ask for many.
pub(super) fn route(call: &Call, config: &Config, created: u64, internal: &dyn Fn() -> Value) -> Route {
    let post = call.method == "POST";
    match call.path.as_str() {
        "/v1/completions" if post => Route::Ask(Dialect::Completion),
        "/v1/chat/completions" if post => Route::Ask(Dialect::Chat),
        "/generate" if post => Route::Ask(Dialect::Generate),
        "/health" | "/ready" => Route::Health,
        "/health_generate" => Route::Probe,
        "/flush_cache" | "/reset_prefix_cache" => Route::Flush,
        "/truth" => Route::Truth,
        "/truth/tokens" => Route::TruthTokens,
        "/truth/reset" if post => Route::TruthReset,
        "/metrics" => Route::Metrics,
        "/start_profile" => Route::StartProfile,
        "/stop_profile" => Route::StopProfile,
        "/v1/models" => Route::Json(models(config, created)),
        "/model_info" | "/get_model_info" => Route::Json(model_info(config)),
        "/server_info" | "/get_server_info" => Route::Json(server_info(config, internal())),
        "/tokenize" => Route::Missing,
        _ => Route::Json(json!({})),
    }
}

fn models(config: &Config, created: u64) -> Value {
    json!({"object": "list", "data": [{
        "id": config.model, "object": "model", "created": created, "owned_by": "assay-sim", "root": config.model,
        "parent": null, "max_model_len": config.max_model_len
    }]})
}

fn model_info(config: &Config) -> Value {
    let tokenizer = config.tokenizer.as_ref().map(|path| path.display().to_string());
    json!({
        "model_path": config.model, "tokenizer_path": tokenizer, "is_generation": true, "weight_version": "default"
    })
}

fn server_info(config: &Config, internal: Value) -> Value {
    let launch = Launch::read(&config.argv);
    let mut info = launch.flags;
    let model = launch.model.unwrap_or_else(|| config.model.clone());
    info.entry("model_path").or_insert_with(|| json!(model));
    info.entry("served_model_name").or_insert_with(|| json!(config.model));
    info.insert("version".to_owned(), json!(concat!("sim-", env!("CARGO_PKG_VERSION"))));
    info.insert("framework".to_owned(), json!(config.framework));
    info.insert("pace".to_owned(), json!(config.pace));
    info.insert("argv".to_owned(), json!(config.argv));
    info.insert("internal_states".to_owned(), json!([internal]));
    Value::Object(info)
}
