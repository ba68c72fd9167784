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
        ambiguous_scalar,
        api_version,
        argument_too_long,
        bad_call,
        bad_date,
        bad_default,
        bad_delivery,
        bad_exit_code,
        bad_id,
        bad_input,
        bad_name,
        bad_quantity,
        bad_regex,
        bad_schema,
        bad_signal,
        bad_variable,
        bad_version,
        condition_always_true,
        condition_never_true,
        cycle,
        duplicate_delivery,
        duplicate_id,
        duplicate_key,
        duplicate_value,
        empty_description,
        empty_expect,
        empty_foreach,
        empty_want,
        exclude_outside_branch,
        expect_and_status,
        expression_in_braces,
        expression_syntax,
        float_version,
        foreach_list,
        format_needs_text,
        gate_demand,
        missing_field,
        missing_input,
        no_result,
        no_steps,
        no_verdict,
        non_finite_number,
        not_in_scope,
        number_like_text,
        number_too_large,
        out_of_range,
        output_source,
        recursive_call,
        redundant_needs,
        retry_without_effect,
        secret_in_scope,
        steps_without_id,
        template_not_allowed,
        template_syntax,
        too_few_items,
        too_many_edges,
        two_sources,
        type_mismatch,
        unequal_lists,
        unknown_field,
        unknown_reference,
        unknown_result_field,
        unknown_skill,
        unknown_type,
        unknown_word,
        unquoted_shell_value,
        unreadable_file,
        unused_input,
        unused_result,
        unused_secret,
        want_undecided,
        wrong_field,
        wrong_type,
        yaml_alias_limit,
        yaml_empty,
        yaml_key_not_text,
        yaml_merge_key,
        yaml_multiple_documents,
        yaml_not_utf8,
        yaml_syntax,
        yaml_tag,
        yaml_too_deep,
        yaml_too_large,
        yaml_too_many_nodes,
        yaml_too_many_problems,
    }
    safety {
        background_process,
        broad_kill,
        destructive_command,
        gpu_collision,
        gpu_overcommit,
        gpu_shortfall,
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
        unreachable_search_value,
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
