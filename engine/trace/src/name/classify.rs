//! From a kernel's name to its category and lane.
//!
//! One classifier for all tables. It judges by the event's kind and by whole words of the kernel's own name; template
//! arguments, parameters and wrappers do not count (a data type in them is no quantisation).

use super::base::{Base, base};
use super::category::{Category, EventKind, Lane};
use super::functor::functor;
use super::rules::{COMMUNICATION, COMMUNICATION_WEAK, FUNCTOR, GEMM, GENERATED, NAME, NAMESPACE, Rule};
use super::words::Words;

/// The category of an activity. `cpu_op` is the op that launched it, if known; it only confirms that a `broadcast`,
/// `dispatch` or `combine` is communication.
pub fn classify(kind: EventKind, name: &str, cpu_op: Option<&str>) -> Category {
    if matches!(kind, EventKind::Memcpy | EventKind::Memset) {
        return Category::Memory;
    }
    let base = base(name);
    let words = Words::new(&base.name);
    if let Some(category) = generated(&words) {
        return category;
    }
    if grouped(&base) {
        return Category::Moe;
    }
    let namespaces = Words::new(&base.namespaces.join("::"));
    if words.any(COMMUNICATION_WEAK) && transfers(&words, &namespaces, cpu_op) {
        return Category::Communication;
    }
    match first(NAME, &words) {
        Some(Category::Elementwise) => functor(&base)
            .and_then(|inner| first(FUNCTOR, &Words::new(&inner.name)))
            .unwrap_or(Category::Elementwise),
        Some(category) => category,
        None if stores_cache(&words) => Category::Memory,
        None => first(NAMESPACE, &namespaces).unwrap_or(Category::Other),
    }
}

/// Whether the kernel is a matrix product. It separates the products of [`Category::Moe`] from routing, alignment and
/// summation.
pub fn multiplies(name: &str) -> bool {
    let base = base(name);
    let words = Words::new(&base.name);
    let helper =
        words.any(&["router", "routing", "gate", "gating", "align", "sum", "topk", "sort", "finalize"]);
    grouped(&base) || words.any(GEMM) || (words.any(&["fused_moe", "fused_experts"]) && !helper)
}

/// The lane of a kernel whose category is known: the one map of [`Category::lane`], with the name asked only where the
/// category leaves it open.
pub fn lane(category: Category, name: &str) -> Lane {
    category.lane(category == Category::Moe && multiplies(name))
}

/// The first row that hits.
fn first(rules: &[Rule], words: &Words) -> Option<Category> {
    rules.iter().find(|rule| words.any(rule.words) && !words.any(rule.unless)).map(|rule| rule.category)
}

/// Kernels that Inductor wrote: pointwise (`poi`), reduction (`red`), persistent reduction (`per`). Templates (`tem`)
/// are real products and take the common way.
fn generated(words: &Words) -> Option<Category> {
    let [compiler, form, ..] = words.as_slice() else { return None };
    if compiler != "triton" {
        return None;
    }
    let fallback = match form.as_str() {
        "poi" => Category::Elementwise,
        "red" | "per" => Category::ReduceTopk,
        _ => return None,
    };
    // A normalisation that was traced as plain arithmetic.
    let norm = fallback == Category::ReduceTopk && words.hits("rsqrt") && words.any(&["mean", "var_mean"]);
    let found = if norm { Some(Category::Norm) } else { first(GENERATED, words) };
    Some(found.unwrap_or(fallback))
}

/// A grouped product of CUTLASS: one kernel for the products of all experts. Only its template argument says so.
fn grouped(base: &Base) -> bool {
    base.arguments.contains("GroupProblemShape") && Words::new(&base.name).any(GEMM)
}

/// Whether something besides the weak word speaks of a transfer between GPUs.
fn transfers(words: &Words, namespaces: &Words, cpu_op: Option<&str>) -> bool {
    let op = cpu_op.map(Words::new).unwrap_or_default();
    words.any(COMMUNICATION)
        || namespaces.any(COMMUNICATION)
        || op.any(COMMUNICATION)
        || op.any(&["c10d", "ncclx"])
}

/// `store_..._cache`, whatever stands between.
fn stores_cache(words: &Words) -> bool {
    words.hits("store") && words.any(&["cache", "kvcache"])
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
