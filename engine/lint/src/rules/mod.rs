//! The rules: one file each, one line each below.

use crate::rule::{Check, Rule};

macro_rules! rules {
    ($($family:ident { $($file:ident),* $(,)? })*) => {
        $(mod $family { $(pub(super) mod $file;)* })*

        /// Every rule, by family.
        pub static ALL: &[&Rule] = &[$($(&$family::$file::RULE),*),*];
    };
}

rules! {
    language {
        cycle,
        unused_input,
    }
    safety {
        background_process,
        broad_kill,
        destructive_command,
        gpu_collision,
        gpu_overcommit,
        gpu_state_change,
        gpu_without_lease,
        hard_coded_port,
        missing_timeout,
        path_leaves_skill,
        pipe_hides_failure,
        pipe_to_shell,
        port_collision,
        privileged_command,
        public_bind,
        secret_in_command,
        secret_in_text,
        server_without_stop,
        shared_temporary_file,
        swallowed_failure,
        unmasked_secret,
        weak_readiness,
        writes_outside_run,
    }
    evidence {
        cached_measurement,
        delivery_without_schema,
        gate_compares_different_conditions,
        gate_without_effect,
        gate_without_evidence,
        gpu_without_idle_check,
        math_mode_switched,
        measurement_without_quiet_check,
        no_correctness_gate,
        output_without_unit,
        retried_measurement,
        self_reported_verdict,
        smoke_in_ranking,
        threshold_without_unit,
        too_few_repeats,
        unchecked_result,
        unknown_sla_key,
        unpinned_baseline,
        workload_narrowed,
    }
    freshness {
        missing_verified,
        stale_verified,
        unpinned_install,
        verified_in_future,
        verified_without_expiry,
    }
    ecosystem {
        description_content,
        description_length,
        name_differs_from_folder,
        skill_md_description,
        skill_md_front_matter,
        skill_md_inputs,
        skill_md_length,
        skill_md_name,
        skill_md_references,
    }
    ignores {
        ignore_without_reason,
        unknown_ignore,
        unused_ignore,
        useless_ignore,
    }
}

/// The rule with this id.
pub fn find(id: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.id == id)
}

/// Whether a comment can silence a rule: not what `run` refuses, and not what is wrong with such comments.
fn can_be_ignored(id: &str) -> bool {
    find(id).is_some_and(|rule| !matches!(rule.check, Check::FrontEnd | Check::Ignores(_)))
}
