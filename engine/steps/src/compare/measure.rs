//! Measuring the pairs of `compare`: programs in turn, or samples as given.

use crate::command::run_to_zero;
use crate::compare::{CompareConfig, SideConfig};
use crate::config::command_line;
use crate::parse::{ParseConfig, read_source};
use assay_protocol::Value;
use assay_run::{CommandLine, Outcome, StepCtx};
use assay_stats::{Pair, Side, pair_order};

/// Both sides, of the same sort.
#[derive(Debug, Clone)]
pub(crate) enum Sides {
    /// Run in turn by the engine.
    Programs {
        /// What is compared against.
        baseline: CommandLine,
        /// What is judged.
        candidate: CommandLine,
    },
    /// Measured elsewhere.
    Samples {
        /// What is compared against.
        baseline: Vec<f64>,
        /// What is judged.
        candidate: Vec<f64>,
    },
}

impl Sides {
    /// Checks both sides, the metric and `parse` together.
    ///
    /// # Errors
    /// What contradicts, with a way out.
    pub(crate) fn of(config: &CompareConfig) -> Result<Self, String> {
        let metric = config.metric.value.as_str();
        let of_result = metric.strip_prefix("result.").is_some_and(|field| !field.is_empty());
        if metric != "wall_time" && !of_result {
            return Err(format!("`metric.value` is `{metric}`; write `wall_time` or `result.<field>`"));
        }
        match (&config.baseline.samples, &config.candidate.samples) {
            (Some(baseline), Some(candidate)) => {
                if config.parse.is_some() || config.warmup.is_some() || config.seed.is_some() {
                    return Err(
                        "`parse`, `warmup` and `seed` are for programs; leave them out with `samples`"
                            .to_owned(),
                    );
                }
                samples(&config.baseline, baseline, "baseline").and_then(|baseline| {
                    let candidate = samples(&config.candidate, candidate, "candidate")?;
                    match (baseline.len(), candidate.len()) {
                        (a, b) if a != b => Err(format!(
                            "the baseline has {a} samples and the candidate {b}; they are paired by index"
                        )),
                        _ => Ok(Self::Samples { baseline, candidate }),
                    }
                })
            }
            (None, None) => {
                if of_result && config.parse.is_none() {
                    return Err(format!(
                        "`metric.value` is `{metric}`, so `parse` must say how the result is read"
                    ));
                }
                config.parse.as_ref().map(ParseConfig::parser).transpose()?;
                Ok(Self::Programs {
                    baseline: program(&config.baseline, "baseline")?,
                    candidate: program(&config.candidate, "candidate")?,
                })
            }
            _ => {
                Err("one side has `samples` and the other a program; both must be of the same sort"
                    .to_owned())
            }
        }
    }

    /// Both command lines, one after the other, for the record.
    pub(crate) fn commands(&self) -> Vec<String> {
        match self {
            Self::Samples { .. } => Vec::new(),
            Self::Programs { baseline, candidate } => {
                let named = |name: &str, command: &CommandLine| {
                    let mut words = vec![format!("{name}:")];
                    words.extend(command.argv.iter().cloned());
                    words
                };
                [named("baseline", baseline), named("candidate", candidate)].concat()
            }
        }
    }
}

fn program(side: &SideConfig, name: &str) -> Result<CommandLine, String> {
    command_line(side.argv.as_ref(), side.shell.as_deref()).map_err(|error| format!("`{name}`: {error}"))
}

fn samples(side: &SideConfig, value: &Value, name: &str) -> Result<Vec<f64>, String> {
    if side.argv.is_some() || side.shell.is_some() {
        return Err(format!("`{name}` has both `samples` and a program; keep one"));
    }
    let list =
        value.as_array().ok_or_else(|| format!("the samples of `{name}` are no list of numbers: {value}"))?;
    let number = |(index, value): (usize, &Value)| {
        let number = value.as_f64().filter(|number| number.is_finite() && *number > 0.0);
        number.ok_or_else(|| {
            format!("sample {index} of `{name}` is {value}, but a ratio needs finite numbers above zero")
        })
    };
    list.iter().enumerate().map(number).collect()
}

/// What was measured so far.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    /// Pairs in the order of measuring.
    pub pairs: Vec<Pair>,
    /// Decides the order within pairs; absent for samples.
    pub seed: Option<u64>,
}

impl Measured {
    /// Nothing yet for programs, everything for samples.
    pub(crate) fn start(sides: &Sides, seed: u64) -> Self {
        match sides {
            Sides::Programs { .. } => Self { pairs: Vec::new(), seed: Some(seed) },
            Sides::Samples { baseline, candidate } => {
                let pair = |(baseline, candidate): (&f64, &f64)| Pair {
                    baseline: *baseline,
                    candidate: *candidate,
                    first: None,
                };
                Self { pairs: baseline.iter().zip(candidate).map(pair).collect(), seed: None }
            }
        }
    }
}

/// Measures until there are `size` pairs. The order of all pairs up to `max` is fixed by the seed.
///
/// # Errors
/// A program that did not exit with 0, or whose result does not fit.
pub(crate) async fn measure(
    cx: &StepCtx,
    config: &CompareConfig,
    sides: &Sides,
    measured: &mut Measured,
    size: usize,
    max: usize,
) -> Result<(), Outcome> {
    let (Sides::Programs { baseline, candidate }, Some(seed)) = (sides, measured.seed) else { return Ok(()) };
    let bench = Bench { cx, config, baseline, candidate };
    if measured.pairs.is_empty() {
        for _ in 0..config.warmup.unwrap_or(1) {
            bench.one(Side::Baseline).await?;
            bench.one(Side::Candidate).await?;
        }
    }
    let order = pair_order(seed, max);
    while measured.pairs.len() < size {
        let Some(&first) = order.get(measured.pairs.len()) else { break };
        let one = bench.one(first).await?;
        let other = bench.one(first.other()).await?;
        let (baseline, candidate) = if first == Side::Baseline { (one, other) } else { (other, one) };
        measured.pairs.push(Pair { baseline, candidate, first: Some(first) });
    }
    Ok(())
}

struct Bench<'a> {
    cx: &'a StepCtx,
    config: &'a CompareConfig,
    baseline: &'a CommandLine,
    candidate: &'a CommandLine,
}

impl Bench<'_> {
    /// One run of one side: its metric. Wall time is in milliseconds.
    async fn one(&self, side: Side) -> Result<f64, Outcome> {
        let command = match side {
            Side::Baseline => self.baseline,
            Side::Candidate => self.candidate,
        };
        let parse = self.config.parse.as_ref();
        let offset = parse.map_or(0, |parse| parse.from.offset(self.cx));
        let took = run_to_zero(self.cx, command, &format!("the {side}")).await?;
        let wall_ms = took.as_secs_f64() * 1e3;
        let Some(parse) = parse else { return Ok(wall_ms) };
        let named = |fault: String| Outcome::failed(format!("the {side}: {fault}"));
        let bytes = read_source(self.cx, &parse.from, offset).map_err(named)?;
        let result = parse.parser().and_then(|parser| parser.value(&bytes)).map_err(named)?;
        match self.config.metric.value.strip_prefix("result.") {
            Some(field) => field_of(&result, field).map_err(named),
            None => Ok(wall_ms),
        }
    }
}

/// A number inside the result: `a.b` goes down.
fn field_of(result: &Value, field: &str) -> Result<f64, String> {
    let mut value = result;
    for part in field.split('.') {
        value =
            value.get(part).ok_or_else(|| format!("the result has no `{field}`: there is no `{part}`"))?;
    }
    let number = value.as_f64().filter(|number| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| format!("`result.{field}` is {value}, but a ratio needs finite numbers above zero"))
}

#[cfg(test)]
mod tests {
    use super::{Measured, Sides, field_of};
    use crate::config::read;
    use serde_json::json;

    #[test]
    fn sides_of_different_sorts_and_odd_metrics_are_refused() {
        let metric = json!({"value": "wall_time", "better": "lower"});
        let of = json!({"value": "result.t", "better": "lower"});
        for (bad, word) in [
            (
                json!({"baseline": {"argv": ["a"]}, "candidate": {"samples": [1]}, "metric": metric}),
                "same sort",
            ),
            (json!({"baseline": {"argv": ["a"]}, "candidate": {}, "metric": metric}), "`candidate`: neither"),
            (
                json!({"baseline": {"argv": ["a"]}, "candidate": {"argv": ["a"]}, "metric": of}),
                "`parse` must",
            ),
            (
                json!({"baseline": {"argv": ["a"]}, "candidate": {"argv": ["a"]}, "metric": {"value": "cpu", "better": "lower"}}),
                "wall_time",
            ),
            (
                json!({"baseline": {"samples": [1, 2]}, "candidate": {"samples": [1]}, "metric": of}),
                "paired by index",
            ),
            (
                json!({"baseline": {"samples": [1, 0]}, "candidate": {"samples": [1, 1]}, "metric": of}),
                "sample 1 of `baseline`",
            ),
            (json!({"baseline": {"samples": "x"}, "candidate": {"samples": [1]}, "metric": of}), "no list"),
            (
                json!({"baseline": {"samples": [1]}, "candidate": {"samples": [1]}, "metric": of, "warmup": 2}),
                "leave them out",
            ),
        ] {
            let error = Sides::of(&read(&bad).unwrap()).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn samples_become_pairs_by_index() {
        let config = json!({"baseline": {"samples": [1, 2]}, "candidate": {"samples": [3, 4]}, "metric": {"value": "result.t", "better": "higher"}});
        let measured = Measured::start(&Sides::of(&read(&config).unwrap()).unwrap(), 1);
        assert_eq!(
            (measured.pairs[1].baseline, measured.pairs[1].candidate, measured.seed),
            (2.0, 4.0, None)
        );
    }

    #[test]
    fn fields_are_found_by_dots() {
        assert_eq!(field_of(&json!({"a": {"b": 2}}), "a.b").unwrap(), 2.0);
        assert!(field_of(&json!({"a": {}}), "a.b").unwrap_err().contains("no `b`"));
        assert!(field_of(&json!({"a": -1}), "a").unwrap_err().contains("above zero"));
        assert!(field_of(&json!({"a": "3"}), "a").unwrap_err().contains("\"3\""));
    }
}
