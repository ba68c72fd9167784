//! What imports that are refused are there for, in words: a name of a linker says little to whoever wrote `static std::mutex`.

/// How names begin, and what they stand for. The first that fits counts.
const BEGINNINGS: &[(&str, &str)] = &[
    ("__cxa_throw", "an exception that it throws"),
    ("__cxa_allocate_exception", "an exception that it throws"),
    ("__cxa_free_exception", "an exception that it throws"),
    ("__cxa_", "the run-time library of C++"),
    ("_ZTI", "the type of an exception"),
    ("_ZNSt13runtime_error", "an exception that it throws"),
    ("_ZNSt11logic_error", "an exception that it throws"),
    ("_ZNSt9exception", "an exception that it throws"),
    ("_ZNSt9bad_alloc", "an exception that it throws"),
    ("pthread_", "threads and locks"),
    ("__pthread_", "threads and locks"),
    ("_ZNSt6thread", "threads and locks"),
    ("_ZNSt18condition_variable", "threads and locks"),
    ("sem_", "threads and locks"),
    ("GOMP_", "threads of OpenMP"),
    ("omp_", "threads of OpenMP"),
    ("_ZNSt6chrono", "a clock"),
    ("clock", "a clock"),
    ("gettimeofday", "a clock"),
    ("_ZNSt13random_device", "random numbers"),
    ("_ZNSt7__cxx1112basic_string", "a `std::string`"),
    ("_ZNSs", "a `std::string`"),
    ("_ZSt18_Rb_tree", "a `std::map` or `std::set`"),
    ("_ZSt29_Rb_tree", "a `std::map` or `std::set`"),
    ("_ZNKSt8__detail20_Prime", "a `std::unordered_map` or `std::unordered_set`"),
    ("_ZNSo", "output"),
    ("_ZSt4cout", "output"),
    ("_ZSt4cerr", "output"),
    ("_ZSt16__ostream_insert", "output"),
    ("_ZNSt8ios_base", "output"),
    ("feset", "the mode of floating point"),
    ("feenable", "the mode of floating point"),
    ("fedisable", "the mode of floating point"),
    ("feholdexcept", "the mode of floating point"),
    ("feupdateenv", "the mode of floating point"),
];

/// Whole names, by what they stand for.
const NAMES: &[(&str, &[&str])] = &[
    (
        "output",
        &[
            "printf",
            "__printf_chk",
            "fprintf",
            "__fprintf_chk",
            "puts",
            "putchar",
            "fputs",
            "fwrite",
            "stderr",
            "stdout",
        ],
    ),
    ("files", &["fopen", "fopen64", "open", "open64", "openat", "read", "write", "close", "mmap", "mmap64"]),
    ("a clock", &["time", "times"]),
    ("random numbers", &["rand", "srand", "random", "rand_r", "drand48", "getrandom"]),
    ("the environment", &["getenv", "secure_getenv", "environ", "__environ"]),
    ("an end of the process", &["exit", "_exit", "abort", "quick_exit", "_ZSt9terminatev"]),
    ("other libraries", &["dlopen", "dlmopen", "dlsym", "dlvsym", "dladdr", "dlclose"]),
    ("other processes", &["fork", "vfork", "execve", "system", "popen", "kill", "getpid"]),
];

/// What an import is there for; `None` where its name must do.
pub(super) fn of(name: &str) -> Option<&'static str> {
    let whole = NAMES.iter().find(|(_, names)| names.contains(&name)).map(|(what, _)| *what);
    let begins = || BEGINNINGS.iter().find(|(start, _)| name.starts_with(*start)).map(|(_, what)| *what);
    whole.or_else(begins)
}
