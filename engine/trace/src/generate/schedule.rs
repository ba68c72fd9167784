//! Which passes there are, in which order, and how the server marks them.

use super::recipe::{Annotations, Recipe};
use super::truth::Stage;

/// The passes in order, numbered: the kinds are spread evenly over the trace, prefill first.
pub(super) fn order(recipe: &Recipe) -> impl Iterator<Item = (u32, Stage)> + use<> {
    let kinds = [Stage::Prefill, Stage::Mixed, Stage::Decode];
    let quota = [recipe.prefill, recipe.mixed, recipe.decode].map(u64::from);
    let total: u64 = quota.iter().sum();
    let mut done = [0u64; 3];
    (0..total).map(move |step| {
        // The kind whose next pass is due first on an even spread; prefill before decode where several are.
        let due = |kind: &usize| (u128::from(done[*kind]) << 32) / u128::from(quota[*kind]);
        let open = (0..3).filter(|&kind| done[kind] < quota[kind]);
        let next = open.min_by_key(due).unwrap_or_default();
        done[next] += 1;
        (step as u32, kinds[next])
    })
}

/// The names of the marks around a pass, outermost first.
pub(super) fn marks(recipe: &Recipe, stage: Stage) -> Vec<String> {
    let batch = u64::from(recipe.batch);
    let tokens = u64::from(recipe.tokens);
    let prompts = (tokens / 4096).max(1);
    let (context, prompt_tokens, generation) = match stage {
        Stage::Prefill | Stage::Unknown => (prompts, tokens, 0),
        Stage::Mixed => (prompts, tokens, batch),
        Stage::Decode => (0, 0, batch),
    };
    let total = prompt_tokens + generation;
    let step = match stage {
        Stage::Decode => format!("step[DECODE bs={generation}]"),
        Stage::Mixed => format!("step[MIXED bs={} toks={total}]", context + generation),
        Stage::Prefill | Stage::Unknown => format!("step[EXTEND bs={context} toks={total}]"),
    };
    match recipe.annotations {
        Annotations::None => Vec::new(),
        Annotations::Sglang => vec![step],
        Annotations::Vllm => {
            vec![format!("execute_context_{context}({prompt_tokens})_generation_{generation}({generation})")]
        }
        Annotations::SglangExecute => {
            let square = prompt_tokens * prompt_tokens / context.max(1);
            let cached = generation * 1024;
            let prompt = format!("sq{prompt_tokens}sk{prompt_tokens}sqsq{square}sqsk{square}");
            let decode = format!("sq{generation}sk{cached}sqsq{generation}sqsk{cached}");
            vec![
                step,
                format!("execute_{total}_context_{context}({prompt})_generation_{generation}({decode})"),
            ]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_spread_over_the_trace_and_none_is_lost() {
        let recipe = Recipe { prefill: 2, decode: 6, mixed: 1, ..Recipe::default() };
        let stages: Vec<Stage> = order(&recipe).map(|(_, stage)| stage).collect();
        let count = |kind| stages.iter().filter(|&&stage| stage == kind).count();
        assert_eq!((count(Stage::Prefill), count(Stage::Mixed), count(Stage::Decode)), (2, 1, 6));
        assert!(stages[0] == Stage::Prefill && stages[4..].contains(&Stage::Prefill), "{stages:?}");
        assert_eq!(order(&Recipe { prefill: 0, decode: 0, mixed: 0, ..recipe }).count(), 0);
    }

    #[test]
    fn marks_follow_the_grammar_of_each_server() {
        let recipe = |annotations| Recipe { annotations, ..Recipe::default() };
        assert_eq!(marks(&recipe(Annotations::Sglang), Stage::Decode), ["step[DECODE bs=32]"]);
        assert_eq!(marks(&recipe(Annotations::Sglang), Stage::Prefill), ["step[EXTEND bs=4 toks=16384]"]);
        let mixed = marks(&recipe(Annotations::Vllm), Stage::Mixed);
        assert_eq!(mixed, ["execute_context_4(16384)_generation_32(32)"]);
        let both = marks(&recipe(Annotations::SglangExecute), Stage::Decode);
        assert_eq!(
            both[1],
            "execute_32_context_0(sq0sk0sqsq0sqsk0)_generation_32(sq32sk32768sqsq32sqsk32768)"
        );
        assert!(marks(&recipe(Annotations::None), Stage::Decode).is_empty());
    }
}
