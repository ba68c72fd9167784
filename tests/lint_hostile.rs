//! `assay lint` on what nobody means well: it ends soon, says what it did not look at, and stays small.

mod support;

use serde_json::Value;
use support::Scene;

const HEAD: &str = "apiVersion: assay/v1\nkind: Skill\nname: example\nversion: 1.0.0\ndescription: Prints a word. Use it to try lint.\nverified: {against: \"coreutils 9.1\", date: 2026-01-31, stale_after: 3650d}\n";
const STEPS: &str = "steps:\n  hello:\n    uses: command\n    with: {argv: [echo, hello]}\n    timeout: 1m\n";

/// What is found in a text.
fn found(text: &str) -> Vec<Value> {
    let scene = Scene::new();
    scene.write("x.yaml", text);
    let answer = scene.assay(&["lint", "x.yaml", "--json", "--today", "2026-02-01"]).json();
    answer["diagnostics"].as_array().expect("diagnostics").clone()
}

fn codes(found: &[Value]) -> Vec<&str> {
    found.iter().map(|one| one["code"].as_str().expect("a code")).collect()
}

/// Nothing an author could send hangs the linter, makes it panic or eats memory.
#[test]
fn hostile_input_ends_soon() {
    let deep = "[".repeat(500_000);
    let wide = format!("a: [{}]\n", "1, ".repeat(300_000));
    let keys: String = (0..60_000).map(|number| format!("k{number}: {number}\n")).collect();
    let braces = format!(
        "{}steps:\n  a:\n    uses: command\n    with: {{shell: '{}'}}\n",
        HEAD,
        "{{ a ".repeat(100_000)
    );
    let shell = format!(
        "{HEAD}steps:\n  a:\n    uses: command\n    timeout: 1m\n    with: {{shell: \"{}\"}}\n",
        "$(".repeat(200_000)
    );
    let steps: String = (0..9_000)
        .map(|number| {
            format!("  s{number}: {{uses: command, with: {{argv: [pkill, -f, x]}}, needs: [s0]}}\n")
        })
        .collect();
    let bombs = format!(
        "{}\n",
        (0..30)
            .map(|n| format!("a{n}: &a{n} [{}]\n", format!("*a{}, ", n - 1).repeat(9)))
            .collect::<String>()
    );
    let comments = "# assay: ignore[missing-timeout] x\n".repeat(30_000);
    let hashes = format!("a: {}\n", "#".repeat(1_000_000));
    let null = "\0".repeat(1_000_000);
    for (name, body) in [
        ("deep", deep),
        ("wide", wide),
        ("keys", keys),
        ("braces", braces),
        ("shell", shell),
        ("steps", format!("{HEAD}steps:\n{steps}")),
        ("bombs", bombs),
        ("comments", comments),
        ("hashes", hashes),
        ("null", null),
    ] {
        let scene = Scene::new();
        scene.write("x.yaml", &body);
        // Far more than it needs; what hangs is killed.
        let output = scene.shell("timeout -k 1 60 assay lint x.yaml --json");
        assert!(matches!(output.code, 0 | 10), "{name}: {}: {}", output.code, output.stderr);
        assert!(!output.stderr.contains("panicked"), "{name}: {}", output.stderr);
    }
}

#[test]
fn thousands_of_one_kind_are_counted_not_shown() {
    let keys: String = (0..5_000).map(|number| format!("k{number}: {number}\n")).collect();
    let found = found(&(HEAD.to_owned() + STEPS + &keys));
    let unknown: Vec<_> = found.iter().filter(|one| one["code"] == "unknown-field").collect();
    assert_eq!(unknown.len(), 201);
    assert_eq!(unknown[200]["message"], "4800 more of these are not shown");
    assert_eq!(unknown[200]["severity"], "error");
}

/// What took minutes when every name was compared with every other, or every element with all before it.
#[test]
fn work_grows_with_the_text() {
    let many = |piece: &dyn Fn(usize) -> String| (0..5_000).map(piece).collect::<String>();
    let unknown = many(&|n| {
        format!(
            "  step_{n}: {{uses: command, with: {{argv: ['{{{{ steps.stp_{n}.stdout }}}}']}}, needs: [stpe_{n}]}}\n"
        )
    });
    let list = (0..100_000).map(|n| format!("{n}, ")).collect::<String>();
    let templates = "{{ run.scratch }} ".repeat(40_000);
    let env = (0..20_000).map(|n| format!("V{n}, ")).collect::<String>();
    let reads = (0..20_000).map(|n| format!("'{{{{ env.V{n} }}}}', ")).collect::<String>();
    // 40 ms to build each of these, optimized.
    let patterns = many(&|n| {
        format!(
            "  s{n}: {{uses: command, with: {{argv: [x], parse: {{as: regex, fields: {{t: '(\\w{{60}})'}}}}}}}}\n"
        )
    });
    for (name, body) in [
        ("patterns", format!("steps:\n{patterns}")),
        ("unknown names", format!("steps:\n{unknown}")),
        ("loop", format!("steps:\n  a: {{uses: command, with: {{argv: [x]}}, foreach: {{x: [{list}0]}}}}\n")),
        ("templates", format!("steps:\n  a: {{uses: command, with: {{shell: '{templates}'}}}}\n")),
        ("env", format!("pass_env: [{env}Z]\nsteps:\n  a: {{uses: command, with: {{argv: [{reads}x]}}}}\n")),
    ] {
        let scene = Scene::new();
        scene.write("x.yaml", format!("{HEAD}{body}"));
        scene.write("assay-lint.yaml", "max_values: 1000000\n");
        // Unoptimized on a busy machine it takes some seconds; in the square of the size it took minutes.
        let output = scene.shell("timeout -k 1 60 assay lint x.yaml --json");
        assert!(matches!(output.code, 0 | 10), "{name}: {}", output.code);
    }
}

#[test]
fn what_is_too_large_is_said_with_the_way_out() {
    let steps = |count: usize| {
        let step = |n| format!("  s{n}: {{uses: command, with: {{argv: [echo, a]}}, timeout: 1m}}\n");
        HEAD.to_owned() + "steps:\n" + &(0..count).map(step).collect::<String>()
    };
    assert_eq!(codes(&found(&steps(1_500))), [""; 0]);
    let text = steps(4_000);
    let over = found(&text);
    assert_eq!(codes(&over), ["yaml-too-many-nodes"]);
    assert!(over[0].to_string().contains("`max_values` in `assay-lint.yaml`"), "{over:?}");
    let scene = Scene::new();
    scene.write("x.yaml", &text);
    scene.write("assay-lint.yaml", "max_values: 100000\n");
    scene.assay(&["lint", "x.yaml", "--today", "2026-02-01"]).expect(0);
    let long = format!(
        "{HEAD}{STEPS}gates:\n  g: {{assert: \"1 in [{}1] and steps.hello.exit == 0\"}}\n",
        "1, ".repeat(60_000)
    );
    let long = found(&long);
    assert_eq!(codes(&long), ["yaml-too-many-nodes"]);
    assert_eq!(long[0]["message"], "too much in templates and expressions");
    // A run reads what the language allows.
    scene.assay(&["plan", "x.yaml"]).expect(0);
}

#[test]
fn what_no_program_can_take_is_an_error() {
    let shell = |length: usize| {
        let text = format!("echo {}", "x".repeat(length - 5));
        format!("{HEAD}steps:\n  a: {{uses: command, timeout: 1m, with: {{shell: {text}}}}}\n")
    };
    assert_eq!(codes(&found(&shell(131_071))), [""; 0]);
    assert_eq!(codes(&found(&shell(131_072))), ["argument-too-long"]);
    let many = format!(
        "{HEAD}steps:\n  a: {{uses: command, timeout: 1m, with: {{shell: \"{}\"}}}}\n",
        "a;".repeat(30_000)
    );
    assert_eq!(codes(&found(&many)), ["argument-too-long"]);
    let argv = shell(131_080).replace("shell: echo ", "argv: [echo, y").replace("}}\n", "]}}\n");
    assert_eq!(codes(&found(&argv)), ["argument-too-long"]);
}
