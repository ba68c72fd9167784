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
    safety { missing_timeout }
    ignores { ignore_without_reason, unknown_ignore, unused_ignore, useless_ignore }
}

/// The rule with this id.
pub fn find(id: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.id == id)
}

/// Whether a comment can silence a rule: not what `run` refuses, and not what is wrong with such comments.
fn can_be_ignored(id: &str) -> bool {
    find(id).is_some_and(|rule| !matches!(rule.check, Check::FrontEnd | Check::Ignores(_)))
}
