//! Kills parts of the house at a boundary of the journal, for the crash tests. Exists only with the cargo feature `fault`;
//! must not do anything unless `ASSAY_FAULT` is set.
//!
//! `ASSAY_FAULT=<seq>:<phase>:<who>`: when the writer stands at `phase` (`before-write`, `mid-write`, `after-write`,
//! `after-sync`) of record `seq`, every process of `who` (`engine`, `supervisor`, `front`, joined by `+`) gets SIGKILL, and
//! the writer goes no further, so that nothing passes the boundary while the rest of the house comes down.

use assay_process::{EngineSide, Signal, signal_process};
use assay_protocol::ProcessIdentity;
use assay_store::fault::{Boundary, Phase};

/// The variable that says where to strike, and whom.
pub const VARIABLE: &str = "ASSAY_FAULT";

/// Installs the fault that `spec` describes.
///
/// # Errors
/// What is wrong with `spec`: a test that means another boundary than it says must not pass.
pub fn install(spec: &str, side: &EngineSide) -> Result<(), String> {
    let (fatal, victims) = parse(spec, side).ok_or_else(|| {
        format!(
            "`{VARIABLE}={spec}` is not `<seq>:<phase>:<who>`; phases are `before-write`, `mid-write`, `after-write` and \
             `after-sync`, and `who` is `engine`, `supervisor`, `front` or several joined by `+`"
        )
    })?;
    let hook = move |boundary: Boundary| {
        if boundary == fatal {
            for victim in &victims {
                signal_process(victim, Signal::KILL);
            }
            loop {
                std::thread::park();
            }
        }
    };
    assay_store::fault::install(Box::new(hook));
    Ok(())
}

fn parse(spec: &str, side: &EngineSide) -> Option<(Boundary, Vec<ProcessIdentity>)> {
    let mut parts = spec.split(':');
    let seq = parts.next()?.parse().ok()?;
    let phase = match parts.next()? {
        "before-write" => Phase::BeforeWrite,
        "mid-write" => Phase::MidWrite,
        "after-write" => Phase::AfterWrite,
        "after-sync" => Phase::AfterSync,
        _ => return None,
    };
    let mut victims = Vec::new();
    for who in parts.next()?.split('+') {
        victims.push(match who {
            "engine" => side.engine.clone(),
            "supervisor" => side.supervisor.clone(),
            "front" => side.front.clone(),
            _ => return None,
        });
    }
    // This process last: it could not kill the others afterwards.
    victims.sort_by_key(|victim| victim.pid == side.engine.pid);
    parts.next().is_none().then_some((Boundary { seq, phase }, victims))
}
