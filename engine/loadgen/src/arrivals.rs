//! When each request is meant to start.
//!
//! A schedule is absolute: every offset counts from the load's start, so a client that is late once is not late for ever. It
//! must not read a clock, and the same description, count and seed always give the same offsets.

use crate::LoadError;
use crate::dataset::draw;
use crate::dataset::read::{self, Lines};
use rand::rngs::Xoshiro256PlusPlus;
use rand_distr::{Distribution as _, Gamma};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// No schedule is longer, in seconds: 365 days.
const LONGEST_S: f64 = 31_536_000.0;

/// The highest rate, in requests per second: one every nanosecond, the unit of offsets.
const HIGHEST_RATE: f64 = 1e9;

/// When requests are meant to start: a process in time, independent of answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Arrivals {
    /// All at once (elsewhere: a request rate of infinity).
    Burst {},
    /// Even gaps.
    Constant {
        /// Requests per second.
        #[schemars(extend("exclusiveMinimum" = 0))]
        rate: f64,
    },
    /// Exponential gaps: independent users.
    Poisson {
        /// Requests per second, on average.
        #[schemars(extend("exclusiveMinimum" = 0))]
        rate: f64,
    },
    /// Gaps from a gamma distribution.
    Gamma {
        /// Requests per second, on average.
        #[schemars(extend("exclusiveMinimum" = 0))]
        rate: f64,
        /// Shape of the distribution, in vLLM's sense: the gaps' variance is their squared mean divided by it. 1 is
        /// `poisson`, less comes in bursts, more is more even.
        #[schemars(extend("exclusiveMinimum" = 0))]
        burstiness: f64,
    },
    /// A rate that changes, and then stays.
    Ramp {
        /// Requests per second at the start; above 0 where the shape is `exponential`.
        #[schemars(range(min = 0))]
        from: f64,
        /// Requests per second from the end of the ramp on.
        #[schemars(extend("exclusiveMinimum" = 0))]
        to: f64,
        /// Length of the ramp in seconds.
        #[schemars(extend("exclusiveMinimum" = 0))]
        over_s: f64,
        /// How the rate goes from `from` to `to`.
        #[serde(default)]
        shape: Shape,
        /// Spread of the gaps as in `gamma`; without it requests come evenly.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("exclusiveMinimum" = 0))]
        burstiness: Option<f64>,
    },
    /// Recorded times; exactly one of `path` and `offsets_s`. The first of them becomes 0, and where there are more than
    /// requests, the first ones are used.
    Trace {
        /// A text file with one time in seconds per line, in ascending order.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("format" = "path"))]
        path: Option<PathBuf>,
        /// Times in seconds, in ascending order.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        offsets_s: Option<Vec<f64>>,
    },
}

/// How a rate changes over a ramp.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// By the same amount each second.
    #[default]
    Linear,
    /// By the same factor each second.
    Exponential,
}

impl Arrivals {
    /// When each of `n` requests is meant to start, in nanoseconds since the load's start: never descending, the first at 0.
    ///
    /// A schedule of `n` requests has `n` gaps, the last one behind the last request. Random gaps are scaled so that they sum
    /// up to exactly `n / rate` seconds, as vLLM's `get_request` does: else the offered rate of a short run would differ by
    /// several percent from seed to seed. (vLLM starts with a gap and ends with a request; here it is the other way round.)
    pub fn offsets_ns(&self, n: u32, seed: u64) -> Result<Vec<u64>, LoadError> {
        self.check()?;
        let even = || (0..n).map(f64::from).collect::<Vec<_>>();
        let seconds: Vec<f64> = match self {
            Self::Burst {} => vec![0.0; n as usize],
            Self::Constant { rate } => even().into_iter().map(|at| at / rate).collect(),
            Self::Poisson { rate } => random(n, 1.0, seed)?.into_iter().map(|at| at / rate).collect(),
            Self::Gamma { rate, burstiness } => {
                random(n, *burstiness, seed)?.into_iter().map(|at| at / rate).collect()
            }
            Self::Ramp { from, to, over_s, shape, burstiness } => {
                let ramp = Ramp { from: *from, to: *to, over_s: *over_s, shape: *shape };
                let unit = burstiness.map_or_else(|| Ok(even()), |burstiness| random(n, burstiness, seed))?;
                unit.into_iter().map(|at| ramp.when(at)).collect()
            }
            Self::Trace { path, offsets_s } => recorded(path.as_deref(), offsets_s.as_deref(), n)?,
        };
        if seconds.last().is_some_and(|last| *last > LONGEST_S) {
            return Err(LoadError::Config(format!(
                "the arrivals of {n} requests take longer than 365 days; raise the rate or send fewer"
            )));
        }
        // Where two formulas of a ramp meet, rounding may turn two neighbours around.
        let mut last = 0;
        Ok(seconds
            .into_iter()
            .map(|at| {
                last = last.max((at * 1e9).round() as u64);
                last
            })
            .collect())
    }

    /// Whether the values make sense, as far as that can be told without reading a file.
    pub fn check(&self) -> Result<(), LoadError> {
        match self {
            Self::Burst {} => Ok(()),
            Self::Constant { rate } | Self::Poisson { rate } => positive("rate", *rate, HIGHEST_RATE),
            Self::Gamma { rate, burstiness } => {
                positive("rate", *rate, HIGHEST_RATE)?;
                positive("burstiness", *burstiness, 1e6)
            }
            Self::Ramp { from, to, over_s, shape, burstiness } => {
                positive("to", *to, HIGHEST_RATE)?;
                positive("over_s", *over_s, LONGEST_S)?;
                if *from != 0.0 || *shape == Shape::Exponential {
                    positive("from", *from, HIGHEST_RATE)?;
                }
                burstiness.map_or(Ok(()), |burstiness| positive("burstiness", burstiness, 1e6))
            }
            Self::Trace { path, offsets_s } if path.is_some() == offsets_s.is_some() => Err(
                LoadError::Config("a trace of arrivals needs exactly one of `path` and `offsets_s`".into()),
            ),
            Self::Trace { .. } => Ok(()),
        }
    }
}

fn positive(name: &str, value: f64, most: f64) -> Result<(), LoadError> {
    if value > 0.0 && value <= most {
        return Ok(());
    }
    Err(LoadError::Config(format!("`{name}` is {value}; it must be above 0 and at most {most}")))
}

/// Random arrivals at a rate of 1: `n` gaps whose sum is `n`.
fn random(n: u32, burstiness: f64, seed: u64) -> Result<Vec<f64>, LoadError> {
    let gamma = Gamma::new(burstiness, 1.0 / burstiness)
        .map_err(|error| LoadError::Config(format!("`burstiness` {burstiness}: {error}")))?;
    let mut rng: Xoshiro256PlusPlus = draw::stream(seed, "arrivals", 0);
    let mut sum = 0.0;
    let mut starts = Vec::with_capacity(n as usize);
    for _ in 0..n {
        starts.push(sum);
        sum += gamma.sample(&mut rng);
    }
    // Gaps so bursty that all of them are too small for a float are a burst.
    let scale = if sum > 0.0 { f64::from(n) / sum } else { 0.0 };
    Ok(starts.into_iter().map(|at| at * scale).collect())
}

/// A changing rate.
struct Ramp {
    from: f64,
    to: f64,
    over_s: f64,
    shape: Shape,
}

impl Ramp {
    /// When the expected number of requests reaches `count`: the inverse of the rate's integral. Random arrivals at a rate of 1
    /// become arrivals of this rate by it (Çinlar, "Introduction to Stochastic Processes", 1975, chapter 4, section 7).
    fn when(&self, count: f64) -> f64 {
        let Self { from, to, over_s, shape } = *self;
        let factor = (to / from).ln();
        let exponential = shape == Shape::Exponential && factor != 0.0;
        let within = if exponential { (to - from) / factor * over_s } else { (from + to) / 2.0 * over_s };
        if count <= 0.0 {
            0.0
        } else if count >= within {
            over_s + (count - within) / to
        } else if exponential {
            over_s / factor * (count * factor / (from * over_s)).ln_1p()
        } else {
            // The root of `from t + (to - from) t^2 / (2 over_s) = count` in the form that loses no digits for small slopes.
            let slope = (to - from) / over_s;
            2.0 * count / (from + (from * from + 2.0 * slope * count).max(0.0).sqrt())
        }
    }
}

/// The first `n` recorded times, from the first one on.
fn recorded(path: Option<&Path>, offsets: Option<&[f64]>, n: u32) -> Result<Vec<f64>, LoadError> {
    let times = match (path, offsets) {
        (Some(path), _) => read_times(path, n)?,
        (None, offsets) => offsets.unwrap_or_default().iter().copied().take(n as usize).collect(),
    };
    if times.len() < n as usize {
        return Err(LoadError::Config(format!(
            "the trace has {} arrivals, the workload {n} requests; record more or send fewer",
            times.len()
        )));
    }
    for (index, time) in times.iter().enumerate() {
        let before = if index == 0 { 0.0 } else { times[index - 1] };
        if !time.is_finite() || *time < before {
            return Err(LoadError::Config(format!(
                "arrival {} of the trace is {time} after {before}; times are seconds, 0 or more, in ascending order",
                index + 1
            )));
        }
    }
    let first = times.first().copied().unwrap_or(0.0);
    Ok(times.into_iter().map(|time| time - first).collect())
}

/// The first `n` lines of a file as numbers.
fn read_times(path: &Path, n: u32) -> Result<Vec<f64>, LoadError> {
    let mut times = Vec::new();
    let mut lines = Lines::open(path)?;
    while times.len() < n as usize {
        let Some((line, text)) = lines.next()? else { break };
        let time = text.trim().parse().map_err(|_| {
            let shown: String = text.trim().chars().take(40).collect();
            let problem = format!("`{shown}` is not a number; each line is one time in seconds");
            read::wrong(path, format!("line {line}"), problem)
        })?;
        times.push(time);
    }
    Ok(times)
}
