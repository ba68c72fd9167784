//! What the library calls of others.

use super::{Context, Image, finding, listed_as, meaning};
use crate::verdict::{Code, Finding};
use serde_json::json;

/// Memory: scratch space is honest, and compilers turn loops into these calls. None of them talks to the system in a way that
/// the sandbox does not see. The checked forms come from `-D_FORTIFY_SOURCE`.
const MEMORY: &[&str] = &[
    "malloc",
    "calloc",
    "realloc",
    "free",
    "aligned_alloc",
    "posix_memalign",
    "memalign",
    "memcpy",
    "memmove",
    "memset",
    "memcmp",
    "memchr",
    "bcmp",
    "strlen",
    "strcmp",
    "rawmemchr",
    "qsort",
    "bsearch",
    "__memcpy_chk",
    "__memmove_chk",
    "__memset_chk",
    "_Znwm",
    "_Znam",
    "_ZdlPv",
    "_ZdlPvm",
    "_ZdaPv",
    "_ZdaPvm",
    "_ZnwmSt11align_val_t",
    "_ZnamSt11align_val_t",
    "_ZdlPvSt11align_val_t",
    "_ZdlPvmSt11align_val_t",
    "_ZdaPvSt11align_val_t",
    "_ZdaPvmSt11align_val_t",
    "_ZnwmRKSt9nothrow_t",
    "_ZnamRKSt9nothrow_t",
    "_ZdlPvRKSt9nothrow_t",
    "_ZdaPvRKSt9nothrow_t",
    "_ZnwmSt11align_val_tRKSt9nothrow_t",
    "_ZnamSt11align_val_tRKSt9nothrow_t",
    "_ZdlPvSt11align_val_tRKSt9nothrow_t",
    "_ZdaPvSt11align_val_tRKSt9nothrow_t",
    "_ZSt7nothrow",
];

/// What compilers put in by themselves: start-up stubs, stack protection, thread-local storage, once-only initialisation, unwinding,
/// tables of types (`_ZTV...`: data). Destructors of objects that live as long as the process or its thread are only noted: a worker ends
/// without them, and unloads nothing. A handler of exceptions only runs within the call.
const COMPILER: &[&str] = &[
    "__gmon_start__",
    "_ITM_deregisterTMCloneTable",
    "_ITM_registerTMCloneTable",
    "__cxa_finalize",
    "__stack_chk_fail",
    "__tls_get_addr",
    "__cxa_guard_acquire",
    "__cxa_guard_release",
    "__cxa_guard_abort",
    "__cxa_pure_virtual",
    "__cxa_atexit",
    "__cxa_thread_atexit",
    "__cxa_begin_catch",
    "__cxa_end_catch",
    "__cxa_rethrow",
    "_ZTISt9bad_alloc",
    "_ZTISt9exception",
    "__libc_single_threaded",
    "__gxx_personality_v0",
    "_Unwind_Resume",
    "_ZTVN10__cxxabiv117__class_type_infoE",
    "_ZTVN10__cxxabiv120__si_class_type_infoE",
    "_ZTVN10__cxxabiv121__vmi_class_type_infoE",
];

/// Where checks of the compiler and of the standard library end when they fail. None of them returns: they end the call, and the judge
/// says that it crashed.
const FAILED_CHECKS: &[&str] = &[
    "__assert_fail",
    "__cxa_throw_bad_array_new_length",
    "_ZSt17__throw_bad_allocv",
    "_ZSt28__throw_bad_array_new_lengthv",
    "_ZSt19__throw_logic_errorPKc",
    "_ZSt20__throw_length_errorPKc",
    "_ZSt20__throw_out_of_rangePKc",
    "_ZSt24__throw_out_of_range_fmtPKcz",
    "_ZSt25__throw_bad_function_callv",
];

/// Mathematics: functions of their arguments. Left out is whatever sets the mode of floating point (`fesetround`, ...).
const MATHEMATICS: &[&str] = &[
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cbrt",
    "ceil",
    "copysign",
    "cos",
    "cosh",
    "erf",
    "erfc",
    "exp",
    "exp10",
    "exp2",
    "expm1",
    "fabs",
    "fdim",
    "floor",
    "fma",
    "fmax",
    "fmin",
    "fmod",
    "frexp",
    "hypot",
    "ilogb",
    "ldexp",
    "lgamma",
    "llrint",
    "llround",
    "log",
    "log10",
    "log1p",
    "log2",
    "logb",
    "lrint",
    "lround",
    "modf",
    "nan",
    "nearbyint",
    "nextafter",
    "nexttoward",
    "pow",
    "remainder",
    "remquo",
    "rint",
    "round",
    "roundeven",
    "scalbln",
    "scalbn",
    "sin",
    "sincos",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "tgamma",
    "trunc",
    "__isnan",
    "__isinf",
    "__finite",
    "__signbit",
    "__fpclassify",
    "abs",
    "labs",
    // Complex numbers.
    "cabs",
    "cacos",
    "cacosh",
    "carg",
    "casin",
    "casinh",
    "catan",
    "catanh",
    "ccos",
    "ccosh",
    "cexp",
    "cimag",
    "clog",
    "clog10",
    "conj",
    "cpow",
    "cproj",
    "creal",
    "csin",
    "csinh",
    "csqrt",
    "ctan",
    "ctanh",
];

/// What every kernel may import, as groups: what a group is for, and its names.
pub const ALWAYS: &[(&str, &[&str])] = &[
    ("memory", MEMORY),
    ("put in by compilers", COMPILER),
    ("where failed checks of `assert` and of C++'s library end", FAILED_CHECKS),
    (
        "mathematics, also with `f` or `l` at the end, and as vectors (`_ZGV...`) of a library that `allow.needed` names",
        MATHEMATICS,
    ),
];

/// Whether every kernel may import a name.
pub(super) fn always(name: &str) -> bool {
    [MEMORY, COMPILER, FAILED_CHECKS].iter().any(|group| group.contains(&name)) || is_mathematics(name)
}

fn is_mathematics(name: &str) -> bool {
    // Vectors of libmvec: `_ZGVbN4v_sinf`; whether the library may be needed is another question.
    let name = match name.strip_prefix("_ZGV") {
        Some(vector) => vector.split_once('_').map_or(name, |(_, scalar)| scalar),
        None => name,
    };
    let short = name.strip_suffix(['f', 'l']);
    MATHEMATICS.contains(&name) || short.is_some_and(|short| MATHEMATICS.contains(&short))
}

pub(super) fn check(image: &Image<'_>, context: &Context<'_>, findings: &mut Vec<Finding>) {
    let imported = image.symbols.iter().filter(|symbol| !symbol.defined && !symbol.name.is_empty());
    let allowed = |name: &String| always(name) || context.allow.imports.contains(name);
    let mut names: Vec<String> =
        imported.map(|symbol| symbol.name.clone()).filter(|name| !allowed(name)).collect();
    names.sort_unstable();
    names.dedup();
    if !names.is_empty() {
        let told = |name: &String| match meaning::of(name) {
            Some(what) => format!("`{name}` ({what})"),
            None => format!("`{name}`"),
        };
        findings.push(finding(
            Code::ForbiddenImport,
            format!(
                "it imports {}; beside memory and mathematics only `allow.imports` of the task may be",
                listed_as(&names, told)
            ),
            json!({ "imports": names }),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::always;

    #[test]
    fn mathematics_is_allowed_in_every_width_and_its_modes_are_not() {
        for name in [
            "expf",
            "exp",
            "expl",
            "_ZGVbN4v_expf",
            "fmaf",
            "__isnanf",
            "cexpf",
            "cabs",
            "memcpy",
            "_ZGVdN4vv_pow",
        ] {
            assert!(always(name), "{name}");
        }
        for name in
            ["fesetround", "feenableexcept", "printf", "abort", "_ZGVbN4v_system", "clock_gettime", "ff"]
        {
            assert!(!always(name), "{name}");
        }
    }
}
