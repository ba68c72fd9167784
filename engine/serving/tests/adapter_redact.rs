//! Secrets leave command lines and lines of logs.

use assay_serving::adapter::{Adapter, redact, redact_text};

#[test]
fn secrets_leave_command_lines() {
    let argv: Vec<String> = [
        "env",
        "HF_TOKEN=abc",
        "vllm",
        "serve",
        "m",
        "--api-key",
        "one",
        "two",
        "--port",
        "8000",
        "--hf-token=three",
        "--max-num-batched-tokens",
        "8192",
        "--tokenizer",
        "tok",
        "--seed",
        "1",
        "hf_abcdefghijklmnopqrstuvwxyz",
        "http://user:pass@proxy:1/x",
        "--served-model-name",
        "keys",
    ]
    .map(str::to_owned)
    .to_vec();
    assert_eq!(
        redact(&argv).join(" "),
        "env HF_TOKEN=*** vllm serve m --api-key *** *** --port 8000 --hf-token=*** --max-num-batched-tokens 8192 \
         --tokenizer tok --seed 1 *** http://***@proxy:1/x --served-model-name keys"
    );
}

#[test]
fn secrets_leave_lines_of_logs() {
    for (line, clean) in [
        (
            "ServerArgs(model_path='m', api_key='sesame, open', port=1)",
            "ServerArgs(model_path='m', api_key='***', port=1)",
        ),
        ("api_key=None, hf_token=None", "api_key=None, hf_token=None"),
        (r#"{"admin_api_key": "sesame", "max_tokens": 5}"#, r#"{"admin_api_key": "***", "max_tokens": 5}"#),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("python -m x --api-key sesame --port 1", "python -m x --api-key *** --port 1"),
        ("token: 5 of 7, key = a", "token: 5 of 7, key = a"),
        ("sk-aaaaaaaaaaaaaaaaaaaa and hf_bbbbbbbbbbbbbbbbbbbb", "*** and ***"),
        ("https://u:p@h/x?a=1 é", "https://***@h/x?a=1 é"),
        ("password: 'é", "password: '***"),
        (" hf_abcdefghijklmnopqrst://api_key://)a:b@h", " ***://***@h"),
        ("nothing to hide: https://h/x é ://", "nothing to hide: https://h/x é ://"),
    ] {
        assert_eq!(redact_text(line), clean);
    }
    let failure = Adapter::named("sglang")
        .expect("a built-in adapter")
        .classify_boot_failure("ValueError: CUDA out of memory api_key='sesame'\n")
        .expect("a failure");
    assert!(!failure.line.contains("sesame"), "{}", failure.line);
}

proptest::proptest! {
    #[test]
    fn a_clean_line_stays_as_it_is(text in "(api_key|token|Bearer|--hf-token| hf_abcdefghijklmnopqrst|://|a:b@h|x|é|[ =:'\",/;)-]){0,14}") {
        let clean = redact_text(&text).into_owned();
        proptest::prop_assert_eq!(redact_text(&clean), clean.as_str());
        proptest::prop_assert!(!clean.contains("hf_abcdefghijklmnopqrst"), "{}", clean);
    }

    #[test]
    fn a_token_is_hidden_wherever_it_stands(before in "[ =:'\",;/]{0,4}", after in "[ '\",;/)]{0,4}") {
        let line = format!("x{before} hf_abcdefghijklmnopqrst{after}");
        proptest::prop_assert!(!redact_text(&line).contains("abcdefghij"));
    }
}
