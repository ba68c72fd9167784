//! Datasets from files.

use crate::tokenizers::bpe;
use assay_loadgen::dataset::{Built, Dataset, Jsonl, Sharegpt, build};
use assay_loadgen::{LoadError, Message, Prompt, Role};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;
use tempfile::NamedTempFile;

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a file");
    file.write_all(text.as_bytes()).expect("written");
    file
}

fn jsonl(path: &Path, num_prompts: Option<u32>) -> Dataset {
    Dataset::Jsonl(Jsonl { path: path.into(), num_prompts })
}

fn rows(text: &str) -> Result<Built, LoadError> {
    build(&jsonl(file(text).path(), None), 1, Some(&bpe().ours), false)
}

fn refused(text: &str) -> String {
    rows(text).expect_err("refused").to_string()
}

#[test]
fn rows_become_requests_in_their_order() {
    let text = "\u{feff}{\"prompt\": \"kami ton\", \"output_len\": 5}\n\
                \n\
                {\"prompt\": [{\"role\": \"system\", \"content\": \"ban\"}, {\"role\": \"user\", \"content\": \"lo re\"}], \
                \"output_len\": 6, \"extra_request_body\": {\"temperature\": 0.5}, \"metadata\": {\"id\": [1, {}]}}\r\n\
                {\"prompt\": \"tón 日本\", \"output_len\": 7}";
    let built = rows(text).expect("built");
    let [first, second, third] = built.requests.as_slice() else { panic!("three requests") };
    assert_eq!((&first.prompt, first.output_len), (&Prompt::Text("kami ton".into()), 5));
    assert_eq!(first.input_len, Some(bpe().ids("kami ton").len() as u32));
    let messages = vec![
        Message { role: Role::System, content: "ban".into() },
        Message { role: Role::User, content: "lo re".into() },
    ];
    assert_eq!(second.prompt, Prompt::Messages(messages));
    assert_eq!(second.input_len, Some((bpe().ids("ban").len() + bpe().ids("lo re").len()) as u32));
    assert_eq!(Value::Object(second.extra_body.clone()), json!({"temperature": 0.5}));
    assert_eq!((&third.prompt, third.output_len), (&Prompt::Text("tón 日本".into()), 7));
    assert_eq!((built.lengths.output.p50, built.lengths.output.max), (6.0, 7));
}

#[test]
fn rows_work_without_a_tokenizer_and_as_ids() {
    let file = file("{\"prompt\": \"kami ton\", \"output_len\": 5}\n");
    let plain = build(&jsonl(file.path(), None), 1, None, false).expect("built");
    assert_eq!((plain.requests[0].input_len, plain.lengths.input), (None, None));
    let ids = build(&jsonl(file.path(), None), 1, Some(&bpe().ours), true).expect("built");
    assert_eq!(ids.requests[0].prompt, Prompt::Ids(bpe().ids("kami ton")));
    assert_ne!(plain.digest, ids.digest);
    let error = build(&jsonl(file.path(), None), 1, None, true).expect_err("no tokenizer");
    assert!(error.to_string().contains("give its `tokenizer.json`"), "{error}");
}

#[test]
fn every_row_is_checked_also_those_that_are_not_asked() {
    let good = "{\"prompt\": \"a\", \"output_len\": 5}\n".repeat(3);
    let file = file(&format!("{good}{{\"prompt\": \"a\"}}\n"));
    let error = build(&jsonl(file.path(), Some(2)), 1, None, false).expect_err("line 4");
    assert!(error.to_string().contains("line 4: missing field `output_len`"), "{error}");
    let two = self::file(&good);
    assert_eq!(build(&jsonl(two.path(), Some(2)), 1, None, false).expect("built").requests.len(), 2);
    let error = build(&jsonl(two.path(), Some(4)), 1, None, false).expect_err("too few");
    assert!(error.to_string().contains("has 3 requests, but `num_prompts` is 4"), "{error}");
}

#[test]
fn a_row_that_cannot_be_asked_is_named_with_a_way_out() {
    let answer = "[{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"assistant\", \"content\": \"b\"}]";
    let cases = [
        (String::new(), "holds no request"),
        ("\n \n".into(), "holds no request"),
        ("[1]".into(), "line 1: "),
        ("{\"prompt\": \"a\", \"output_len\": 5".into(), "line 1: is not JSON (column 31)"),
        ("{\"prompt\": \"a\", \"output_len\": 5} {}".into(), "each line is one whole object"),
        ("{\"prompt\": \"a\", \"output_len\": 0}".into(), "`output_len` is 0"),
        ("{\"prompt\": \"a\", \"output_len\": -1}".into(), "line 1: invalid value"),
        ("{\"prompt\": \"a\", \"output_len\": 5, \"ouput\": 1}".into(), "unknown field `ouput`"),
        ("{\"prompt\": \"\", \"output_len\": 5}".into(), "`prompt` is empty"),
        ("{\"prompt\": 3, \"output_len\": 5}".into(), "must be a text or a list of messages"),
        ("{\"prompt\": [], \"output_len\": 5}".into(), "is an empty list"),
        (
            "{\"prompt\": [{\"role\": \"bot\", \"content\": \"a\"}], \"output_len\": 5}".into(),
            "unknown variant `bot`",
        ),
        ("{\"prompt\": [{\"role\": \"user\"}], \"output_len\": 5}".into(), "missing field `content`"),
        (format!("{{\"prompt\": {answer}, \"output_len\": 5}}"), "put its token count into `output_len`"),
        (
            "{\"prompt\": \"a\", \"output_len\": 5, \"extra_request_body\": {\"stream\": false}}".into(),
            "`extra_request_body` sets `stream`",
        ),
    ];
    for (text, expected) in cases {
        let message = refused(&text);
        assert!(message.contains(expected), "{text}: {message}");
    }
    let chat = "{\"prompt\": [{\"role\": \"user\", \"content\": \"a\"}], \"output_len\": 5}";
    let error = build(&jsonl(file(chat).path(), None), 1, Some(&bpe().ours), true).expect_err("messages");
    assert!(error.to_string().contains("line 1: messages cannot be sent as token ids"), "{error}");
}

fn words(count: usize) -> String {
    let words: Vec<&str> = ["kami", "ton", "ban", "lo"].into_iter().cycle().take(count).collect();
    words.join(" ")
}

fn conversation(turns: &[(&str, String)]) -> Value {
    let turns: Vec<Value> = turns.iter().map(|(from, value)| json!({"from": from, "value": value})).collect();
    json!({"id": "x", "conversations": turns})
}

fn sharegpt(path: &Path, num_prompts: u32) -> Sharegpt {
    Sharegpt {
        path: path.into(),
        num_prompts,
        output_len: None,
        min_len: 4,
        max_input_len: 1024,
        max_total_len: 2048,
    }
}

#[test]
fn conversations_are_pruned_as_the_field_does() {
    let exchange = |question, answer| conversation(&[("human", words(question)), ("gpt", words(answer))]);
    let entries = json!([
        exchange(20, 30),
        exchange(1, 30),
        exchange(20, 1),
        exchange(5000, 10),
        exchange(500, 5000),
        conversation(&[("human", words(20))]),
        conversation(&[]),
        json!({"id": "no turns"}),
        conversation(&[
            ("system", words(9)),
            ("gpt", words(9)),
            ("user", words(40)),
            ("assistant", words(50))
        ]),
    ]);
    let file = file(&entries.to_string());
    let build = |dataset: Sharegpt| build(&Dataset::Sharegpt(dataset), 1, Some(&bpe().ours), false);
    let built = build(sharegpt(file.path(), 2)).expect("two can be used");
    let mut asked: Vec<(String, u32, u32)> = built
        .requests
        .iter()
        .map(|request| match &request.prompt {
            Prompt::Text(text) => (text.clone(), request.input_len.expect("counted"), request.output_len),
            other => panic!("{other:?}"),
        })
        .collect();
    asked.sort_unstable_by_key(|(_, input_len, _)| *input_len);
    let tokens = |count| bpe().ids(&words(count)).len() as u32;
    assert_eq!(asked, [(words(20), tokens(20), tokens(30)), (words(40), tokens(40), tokens(50))]);

    let message = build(sharegpt(file.path(), 3)).expect_err("only two").to_string();
    let expected = "2 of 9 conversations can be used, but `num_prompts` is 3: 3 have no answered question, \
                    2 are too short, 2 too long";
    assert!(message.contains(expected), "{message}");

    let fixed = Sharegpt { output_len: Some(3), ..sharegpt(file.path(), 4) };
    let built = build(fixed).expect("the recorded answer does not matter");
    assert!(built.requests.iter().all(|request| request.output_len == 3));
}

#[test]
fn entries_are_drawn_by_the_seed() {
    let entries: Vec<Value> =
        (10..110).map(|count| conversation(&[("human", words(count)), ("gpt", words(8))])).collect();
    let file = file(&format!("\u{feff} {}\n", Value::Array(entries)));
    let dataset = Dataset::Sharegpt(sharegpt(file.path(), 20));
    let built = |seed| build(&dataset, seed, Some(&bpe().ours), false).expect("built");
    assert_eq!(built(1), built(1));
    assert_ne!(built(1).digest, built(2).digest);
    let ids = build(&dataset, 1, Some(&bpe().ours), true).expect("built");
    assert!(ids.requests.iter().all(|request| matches!(&request.prompt,
        Prompt::Ids(ids) if Some(ids.len() as u32) == request.input_len)));
    let error = build(&dataset, 1, None, false).expect_err("no tokenizer");
    assert!(error.to_string().contains("give its `tokenizer.json`"), "{error}");
}

#[test]
fn text_that_looks_like_brackets_does_not_split_an_entry() {
    let odd = "]},{\"conversations\": [ \\\" \\\\ ".repeat(4) + &words(6) + "\\";
    let entries = json!([conversation(&[("human", odd.clone()), ("gpt", words(9))])]);
    let file = file(&serde_json::to_string_pretty(&entries).expect("JSON"));
    let built =
        build(&Dataset::Sharegpt(sharegpt(file.path(), 1)), 1, Some(&bpe().ours), false).expect("built");
    assert_eq!(built.requests[0].prompt, Prompt::Text(odd));
}

#[test]
fn a_file_that_is_no_array_of_conversations_says_so() {
    let cases = [
        ("", "entry 1: the file ends inside the array"),
        ("[", "entry 1: the file ends inside the array"),
        ("[]", "0 of 0 conversations"),
        ("{\"conversations\": []}", "a file with one object per line is a `jsonl` dataset"),
        ("[3]", "entry 1: is not an object with `conversations`"),
        ("[{}, ]", "entry 2: is not an object"),
        ("[{} {}]", "entry 2: is preceded by text that does not belong there"),
        ("[{}] x", "entry 2: is preceded by text"),
        ("[{\"conversations\": 3}]", "entry 1: invalid type"),
        ("[{\"conversations\": [{\"from\": \"human\"}]}]", "missing field `value`"),
        ("[{\"conversations\": [}]", "the file ends inside the array"),
    ];
    for (text, expected) in cases {
        let file = file(text);
        let dataset = Dataset::Sharegpt(sharegpt(file.path(), 1));
        let message = build(&dataset, 1, Some(&bpe().ours), false).expect_err("refused").to_string();
        assert!(message.contains(expected), "{text}: {message}");
    }
}
