//! What can be wrong with an adapter, or with what it is asked to launch.

use std::path::PathBuf;

/// Why there is no adapter or no launch command.
#[derive(Debug, thiserror::Error)]
pub enum AdapterError {
    /// No built-in adapter has this name.
    #[error("no adapter is named `{name}`{}; there are {}", suggestion(near.as_deref()), list(known))]
    UnknownFramework {
        /// The name that was asked for.
        name: String,
        /// The name that is most like it.
        near: Option<String>,
        /// All names.
        known: Vec<String>,
    },
    /// The file cannot be read.
    #[error("cannot read the adapter `{}`: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The text is no adapter.
    #[error("adapter `{origin}`: {problem}")]
    Parse {
        /// File or name.
        origin: String,
        /// What the YAML reader found.
        problem: String,
    },
    /// The adapter contradicts itself.
    #[error("adapter `{origin}`: {}", problems.join("; "))]
    Inconsistent {
        /// File or name.
        origin: String,
        /// Each contradiction, with the place of it.
        problems: Vec<String>,
    },
    /// One flag under two names.
    #[error("`{first}` and `{second}` are the same flag; keep one of them")]
    Duplicate {
        /// The name that came first.
        first: String,
        /// The other.
        second: String,
    },
    /// A flag that may not be given.
    #[error("`{flag}` is refused for {framework}: {why}")]
    Refused {
        /// The flag as it was written.
        flag: String,
        /// The framework's name.
        framework: String,
        /// Why, with a way out.
        why: String,
    },
    /// A flag that must be given has another value, or none where it has no fixed one.
    #[error("{framework} needs `{flag}`{}: {why}", expected.as_deref().map(|value| format!(" to be `{value}`")).unwrap_or_default())]
    Required {
        /// The flag.
        flag: String,
        /// The framework's name.
        framework: String,
        /// The one value that it may have.
        expected: Option<String>,
        /// Why, with a way out.
        why: String,
    },
    /// A flag says something else than what the launch itself sets (port, host, model, name).
    #[error("`{flag}` is `{written}`, but the launch sets it to `{set}`; leave it out of the flags")]
    SetTwice {
        /// The flag as it was written.
        flag: String,
        /// Its value there.
        written: String,
        /// The launch's value.
        set: String,
    },
    /// A value that this flag cannot have.
    #[error("`{flag}`: {problem}")]
    Value {
        /// The flag as it was written.
        flag: String,
        /// What is wrong, with a way out.
        problem: String,
    },
    /// This framework cannot do it.
    #[error("{framework}: {problem}")]
    Unsupported {
        /// The framework's name.
        framework: String,
        /// What cannot be done, with a way out.
        problem: String,
    },
}

fn suggestion(near: Option<&str>) -> String {
    near.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default()
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
