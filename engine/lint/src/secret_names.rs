//! Names of variables that hold secrets, told by their words.

/// Words before `TOKEN` with which it is a piece of text, not a secret: `EOS_TOKEN`, `TIME_PER_TOKEN`.
const TEXT_TOKENS: &[&str] = &[
    "EOS", "BOS", "PAD", "UNK", "SEP", "CLS", "MASK", "STOP", "START", "END", "MAX", "MIN", "NUM", "PER",
    "NEW", "FIRST", "LAST", "NEXT", "SPECIAL", "IMAGE", "VIDEO", "AUDIO", "OUTPUT", "INPUT", "PROMPT",
    "TOTAL", "THINK", "DRAFT", "BY",
];

/// Words before `KEY` with which it opens something: others (`SORT_KEY`, `CACHE_KEY`) name it.
const SECRET_KEYS: &[&str] = &[
    "API",
    "ACCESS",
    "SECRET",
    "PRIVATE",
    "AUTH",
    "SIGNING",
    "ENCRYPTION",
    "DEPLOY",
    "ACCOUNT",
    "MASTER",
    "SSH",
    "WANDB",
    "OPENAI",
    "ANTHROPIC",
    "AWS",
    "AZURE",
    "GCP",
    "GITHUB",
    "HF",
    "NGC",
    "GEMINI",
];

/// Whether a variable of this name holds a secret: it ends in a word such as `TOKEN`, `API_KEY` or `PASSWORD`.
pub(crate) fn looks_secret(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let (before, last) = upper.rsplit_once('_').unwrap_or(("", &upper));
    let previous = before.rsplit('_').next().unwrap_or_default();
    match last {
        "SECRET" | "PASSWORD" | "PASSWD" | "PASSPHRASE" | "APIKEY" => true,
        // Google's variable of that name holds a path.
        "CREDENTIAL" | "CREDENTIALS" => previous != "APPLICATION",
        "TOKEN" => !TEXT_TOKENS.contains(&previous),
        "KEY" => SECRET_KEYS.contains(&previous),
        _ => false,
    }
}

/// Values that stand where a program wants some key and none is needed, as `EMPTY` for a local server.
const DUMMIES: &[&str] = &[
    "empty",
    "dummy",
    "none",
    "null",
    "fake",
    "test",
    "local",
    "unused",
    "placeholder",
    "example",
    "not-needed",
    "no-key",
];

/// Whether a text could be a secret: the engine takes none under 8 characters.
pub(crate) fn could_be_secret(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    value.len() >= 8
        && !value.contains([' ', '/', '$', '<', '{'])
        && !DUMMIES.iter().any(|dummy| lower.contains(dummy))
        && !lower.contains("xxx")
        && lower.parse::<f64>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_secrets_from_text() {
        for name in
            ["HF_TOKEN", "token", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "DB_PASSWORD", "GH_CREDENTIALS"]
        {
            assert!(looks_secret(name), "{name}");
        }
        for name in [
            "MAX_TOKENS",
            "TOKENIZERS_PARALLELISM",
            "EOS_TOKEN",
            "SORT_KEY",
            "KEY",
            "SSH_KEY_PATH",
            "PATH",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "KEYBOARD",
            "SECRETARY",
            "",
        ] {
            assert!(!looks_secret(name), "{name}");
        }
    }

    #[test]
    fn dummies_are_no_secrets() {
        for value in
            ["EMPTY", "dummy-key-for-local", "/run/token", "{{ inputs.x }}", "123456789012", "hf_xxxxxxxxxx"]
        {
            assert!(!could_be_secret(value), "{value}");
        }
        assert!(could_be_secret("hunter2hunter2"));
    }
}
