//! What `assay bench` shows while it runs: one line that is painted over in a terminal, nothing elsewhere.

use crate::context::Cx;
use assay_loadgen::bench::Standing;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The line.
pub struct Screen {
    bar: Option<ProgressBar>,
}

impl Screen {
    /// Ready, with nothing shown yet.
    pub fn new(cx: &Cx) -> Self {
        let bar = cx.console.live.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            // The template is a literal; if it were wrong, indicatif's own style would do.
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self { bar }
    }

    /// Shows where the benchmark stands.
    pub fn show(&mut self, standing: Standing) {
        let Some(bar) = &self.bar else { return };
        let load = standing.load;
        let phase = if load.warmup {
            "warm-up".to_owned()
        } else {
            format!("measuring {}/{}", standing.repeat, standing.repeats)
        };
        let failed = if load.failed > 0 { format!(", {} failed", load.failed) } else { String::new() };
        bar.set_message(format!(
            "{phase}: {} of {} requests, {} in flight{failed}, {} pieces",
            load.completed + load.failed,
            load.total,
            load.active,
            load.pieces
        ));
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
