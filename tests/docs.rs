//! Every command in the documentation is run, in order, as a reader would: one folder per document.

mod support;

use std::path::Path;
use std::process::Command;
use support::Scene;

/// Commands that are this test itself, or that CI runs as a step of its own, with the reason.
const NOT_HERE: &[(&str, &str)] = &[
    ("cargo test --workspace --features fault", "this test is run by it"),
    ("cargo clippy", "a step of .ci/run"),
    ("cargo fmt", "a step of .ci/run"),
    ("rustfmt --check", "a step of .ci/run"),
    ("fuzz/run", "a slow suite of its own"),
    ("ASSAY_CPU_COMPARISON=", "a slow suite of its own"),
    ("python3 tests/bench/lint.py --quick", "a step of .ci/run"),
    ("python3 tests/bench/trace.py --quick", "a step of .ci/run"),
    ("python3 tests/bench/serve.py --quick", "a step of .ci/run"),
    ("python3 tests/bench/kernel.py --quick", "a step of .ci/run"),
    (".ci/run", "runs this test"),
    ("python3 tests/bench/run.py --quick", "a step of .ci/run"),
];

/// How often a judgement is repeated that a busy machine did not decide.
const NOISY_TRIES: usize = 10;

/// Lines of the fenced `sh` blocks with the exit code that their comment promises (`# exit 23`), comments cut off.
fn commands(text: &str) -> Vec<(String, i32)> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            inside = line.trim() == "```sh";
        } else if inside {
            let (command, comment) = line.split_once(" #").unwrap_or((line, ""));
            let promised = comment.split_once("exit ").map_or(Some(0), |(_, code)| code.trim().parse().ok());
            if !command.trim().is_empty() {
                found.push((command.trim().to_owned(), promised.unwrap_or(0)));
            }
        }
    }
    found
}

fn run_all(document: &str) -> usize {
    run_all_in(&Scene::new(), document)
}

fn run_all_in(scene: &Scene, document: &str) -> usize {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join(document)).expect(document);
    let binary = Path::new(env!("CARGO_BIN_EXE_assay"));
    let path = format!(
        "{}:{}",
        binary.parent().expect("a folder").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let mut ran = 0;
    for (command, promised) in commands(&text) {
        if NOT_HERE.iter().any(|(known, _)| command.starts_with(known)) {
            continue;
        }
        let line = command.replace("cargo run --release -- ", "assay ");
        assert!(
            ["assay ", "(assay sim-server ", "kill $(cat sim.pid)", "sed "]
                .iter()
                .any(|known| line.starts_with(known)),
            "`{command}` in {document} is run by no test: add it, or say why not"
        );
        let template = scene.command(&[]);
        let mut shell = Command::new("sh");
        shell.args(["-c", &line]).current_dir(scene.dir()).env_clear();
        for (name, value) in template.get_envs() {
            if let Some(value) = value {
                shell.env(name, value);
            }
        }
        shell.env("PATH", &path);
        let mut output = shell.output().expect("a shell");
        // A judgement on a busy machine decides nothing; a reader would try again, too.
        for _ in 0..NOISY_TRIES {
            let noisy = line.contains("kernel")
                && promised == 0
                && matches!(output.status.code(), Some(23 | 25 | 26));
            if !noisy {
                break;
            }
            output = shell.output().expect("a shell");
        }
        assert!(
            output.status.code() == Some(promised),
            "`{line}` of {document} ended with {:?}\n{}\n{}",
            output.status.code(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        ran += 1;
    }
    ran
}

/// Its reader has a skill already.
#[test]
fn every_command_about_lint_works() {
    let scene = Scene::new();
    scene.assay(&["new", "my-check"]).expect(0);
    assert!(run_all_in(&scene, "docs/lint.md") >= 10);
}

#[test]
fn every_command_about_traces_works() {
    assert!(run_all("docs/trace.md") >= 20);
}

/// Its example is a manifest that is lint-clean and can be rehearsed anywhere.
#[test]
fn every_command_about_serving_works() {
    let scene = Scene::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/serving.md")).expect("the document");
    let block = |begin: &str| {
        let mut blocks =
            text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
        blocks.find(|block| block.starts_with(begin)).expect("an example")
    };
    scene.write("workflows/serve.yaml", block("apiVersion"));
    scene.write("small.yaml", block("schema_version"));
    let tokenizer =
        std::fs::read(root.join("engine/loadgen/tests/data/tokenizer.json")).expect("a tokenizer");
    scene.write("model/tokenizer.json", tokenizer);
    scene.assay(&["lint", "workflows/serve.yaml"]).expect(0);
    assert!(run_all_in(&scene, "docs/serving.md") >= 13);
}

/// Its reader writes the task, the baseline, the candidate, the workflow and the oracle that it shows, each under the name in its first line.
#[test]
fn every_command_about_kernels_works() {
    let scene = Scene::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/kernels.md")).expect("the document");
    let fences = text.split("```").skip(1).step_by(2);
    let mut written = 0;
    for block in
        fences.filter(|block| ["yaml\n", "c\n", "python\n"].iter().any(|kind| block.starts_with(kind)))
    {
        let (_, block) = block.split_once('\n').expect("lines");
        let head = block.lines().next().unwrap_or_default();
        let path = head.trim_start_matches(['#', '/', '*', ' ']).trim_end_matches(['*', '/', ' ']);
        // A block without a name in a comment, or with more than a name, shows something; it is no file.
        if !head.starts_with(['#', '/']) || path.contains(' ') {
            continue;
        }
        scene.write(path, block);
        written += 1;
    }
    assert_eq!(written, 5, "a task, a baseline, a candidate, a workflow, an oracle");
    assert!(run_all_in(&scene, "docs/kernels.md") >= 10);
    // Every code and every gate that there is stands in the document.
    let schema = scene.assay(&["schema", "kernel-ledger"]).expect(0).json();
    for name in ["Code", "Gate"] {
        let words = schema.pointer(&format!("/definitions/{name}/oneOf")).and_then(|words| words.as_array());
        for word in words.expect("words") {
            let word = word["const"].as_str().expect("a word");
            assert!(text.contains(&format!("| `{word}` |")), "`{word}` is not in docs/kernels.md");
        }
    }
}

#[test]
fn the_example_of_a_trace_works() {
    let scene = Scene::new();
    assert_eq!(run_all_in(&scene, "examples/trace-triage/README.md"), 3);
    // A real trace without a GPU: read whole, and nothing is concluded from it.
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/trace-triage/capture.json.gz");
    let answer = scene.assay(&["trace", capture.to_str().expect("UTF-8"), "--json"]).expect(25).json();
    let document = &answer["data"]["documents"][0];
    assert_eq!(document["integrity"]["malformed_events"], 0);
    assert!(document["integrity"]["events"].as_u64() > Some(1000));
    assert!(document["answer"]["sentence"].as_str().expect("a sentence").contains("nothing ran on a GPU"));
}

/// The registry that the document shows is one that Assay reads, and it finds what it is about.
#[test]
fn the_registry_of_the_document_about_traces_is_read() {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/trace.md")).expect("docs");
    let example = text.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
    let scene = Scene::new();
    scene.write("my-fusions.yaml", example.expect("an example"));
    scene.assay(&["trace", "generate", "served.json", "--layers", "2"]).expect(0);
    let trace = scene.read("served.json").replace("act_and_mul_kernel", "fused_rmsnorm_quant_kernel");
    scene.write("served.json", trace);
    scene.assay(&["trace", "served.json"]).expect(0);
    let with = scene.assay(&["trace", "served.json", "--registry", "my-fusions.yaml"]).expect(0);
    assert!(with.stdout.contains("RMSNorm with FP8 quantisation"), "{}", with.stdout);
}

#[test]
fn every_command_of_the_readme_works() {
    assert!(run_all("README.md") >= 8);
}

#[test]
fn every_command_for_contributors_is_known() {
    run_all("AGENTS.md");
}

#[test]
fn the_example_of_the_manual_loads() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/manifest.md"))
        .expect("docs");
    let example =
        text.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let scene = Scene::new();
    scene.write("skills/paired-kernel-check/skill.yaml", example);
    scene.write("skills/paired-kernel-check/oracle.c", "int main(void) { return 0; }\n");
    scene.write("src/baseline.c", "int f(void) { return 1; }\n");
    scene.assay(&["plan", "paired-kernel-check", "-i", "source=src"]).expect(0);
}

#[test]
fn only_the_manual_s_words_for_exit_codes_are_used() {
    let readme =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("README");
    let scene = Scene::new();
    let table = scene.assay(&["explain", "exit-codes"]).expect(0).stdout;
    for code in ["20", "21", "22", "23", "24", "25", "26", "31", "130"] {
        assert!(table.contains(code), "`explain exit-codes` does not know {code}");
        assert!(readme.contains(code), "the README does not name {code}");
    }
}
