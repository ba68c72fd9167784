//! Reports of a run with every kind of ending.

mod fixture;

use assay_protocol::{RunState, Status};
use assay_report::{both, dag, html, markdown};
use fixture::{Builder, plan, state, with_input};
use std::time::Instant;

/// Leaves the page in the target folder, for a look at it in a browser.
fn keep(name: &str, text: &str) {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(folder.join(name), text).expect("the target folder is writable");
}

/// Checks that every element is closed, in order, and returns how many there were.
fn well_formed(page: &str) -> usize {
    let void = ["meta", "br", "wbr", "!doctype"];
    let mut open: Vec<&str> = Vec::new();
    let mut count = 0;
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        let end = at + rest[at..].find('>').expect("an unclosed tag");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap_or_default();
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "wrong nesting");
        } else if !tag.ends_with('/') && !void.contains(&name) {
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "not a tag: {name:?}");
            open.push(name);
            count += 1;
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    count
}

#[test]
fn markdown_of_the_fixture() {
    insta::assert_snapshot!(with_input(&state(), &plan(), markdown));
}

#[test]
fn dot_and_mermaid_of_the_fixture() {
    insta::assert_snapshot!("dot", dag::dot(&plan()));
    insta::assert_snapshot!("mermaid", dag::mermaid(&plan()));
}

#[test]
fn html_is_well_formed_escaped_and_self_contained() {
    let page = with_input(&state(), &plan(), html);
    keep("report.html", &page);
    assert!(well_formed(&page) > 500);
    assert!(!page.contains("<engineering") && page.contains("&lt;engineering sample&gt;"));
    assert!(page.contains("error: &lt;refused&gt; &amp; &quot;gone&quot; | `exit 7`"));
    assert!(!page.contains("<script") && !page.contains("<link") && !page.contains("url(http"));
    // The only addresses are the SVG namespace and what the run itself recorded.
    for (at, _) in page.match_indices("http://") {
        let here = &page[at..];
        assert!(here.starts_with("http://www.w3.org/2000/svg") || here.starts_with("http://127.0.0.1:8123"));
    }
}

#[test]
fn html_says_verdict_first_and_what_it_rests_on() {
    let page = with_input(&state(), &plan(), html);
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("no {text:?}"));
    assert!(place("exit 26 · incorrect") < place("What this rests on"));
    assert!(place("What this rests on") < place("id=\"failures\""));
    assert!(place("id=\"failures\"") < place("id=\"dag\""));
    for text in [
        "steps.unseen.result.max_error &lt;= 1.0e-5",
        "right for the measured shape only",
        "build ×2",
        "flaky</span>",
        "href=\"./steps/003-flaky/2/stderr.log\"",
        "reused from run <code>a1b2c3</code>",
        "null: <code>steps.summary</code> was blocked",
        "ratio 1.84, 95 % interval 1.812 to 1.871",
        "ratio 0.91", // read from `result.json`
        "is decided only after <code>correct</code>",
        "<code>all_faster</code> compares measurements and is decided only after <code>judge/correct</code>",
        "idle 1 h 07 min",
        "Dropped 17 B of a torn last record",
    ] {
        assert!(page.to_lowercase().contains(&text.to_lowercase()), "the page does not say {text:?}");
    }
}

#[test]
fn a_run_that_has_not_ended_says_so() {
    let mut run = Builder { state: RunState::default() };
    run.start(1.0, "build", "command", 1, &["make"]);
    let (md, page) = with_input(&run.state, &plan(), both);
    assert!(md.contains("Not ended") && md.contains("1 step under way"), "{md}");
    assert!(page.contains("Not ended"));
    well_formed(&page);
    let empty = with_input(&RunState::default(), &plan(), html);
    well_formed(&empty);
}

#[test]
fn pictures_stand_alone() {
    let picture = dag::svg(&plan(), Some(&state()));
    keep("dag.svg", &picture);
    assert!(well_formed(&picture) > 30);
    assert!(picture.starts_with("<svg xmlns=") && picture.contains("prefers-color-scheme"));
    well_formed(&dag::svg(&plan(), None));
}

#[test]
fn a_small_run_that_passed_is_a_small_page() {
    let mut run = Builder { state: RunState::default() };
    fixture::begin(&mut run);
    run.start(0.2, "oracle", "command", 1, &["cc", "-O2", "oracle.c"]).end(
        0.9,
        "oracle",
        Status::Passed,
        |_| {},
    );
    fixture::pass(&mut run);
    let mut plan = plan();
    plan.nodes.retain(|node| node.id == "oracle");
    plan.nodes[0].needs.clear();
    let page = with_input(&run.state, &plan, html);
    keep("small.html", &page);
    well_formed(&page);
    assert!(
        page.contains("exit 0 · ok") && !page.contains("Next to act") && !page.contains("id=\"failures\"")
    );
}

fn wide(count: usize) -> (RunState, assay_protocol::PlanDoc) {
    let mut run = Builder { state: RunState::default() };
    let mut plan = plan();
    let like = plan.nodes[4].clone();
    plan.nodes.clear();
    for index in 0..count {
        let id = format!("s{index}");
        let at = index as f64 * 0.01;
        let status = if index % 100 == 7 { Status::Failed } else { Status::Passed };
        run.start(at, &id, "command", 1, &["true", "with", "arguments"]).end(at + 0.02, &id, status, |_| {});
        plan.nodes.push(assay_protocol::PlanNode { id, needs: Vec::new(), ..like.clone() });
    }
    (run.state, plan)
}

#[test]
fn ten_thousand_steps_are_summed_up() {
    let (state, plan) = wide(10_000);
    let began = Instant::now();
    let (md, page) = with_input(&state, &plan, both);
    let took = began.elapsed();
    keep("wide.html", &page);
    well_formed(&page);
    assert!(page.len() < 2_000_000 && md.len() < 200_000, "{} {}", page.len(), md.len());
    assert!(page.contains("10,000 nodes are too many to draw one by one"));
    assert!(page.contains("500 of 10,000 rows are shown"));
    assert!(page.contains("9,800 shorter steps left out"));
    assert!(page.contains("80 more failed"));
    // Far above what it takes, so that it fails only for something quadratic.
    assert!(took.as_secs_f64() < 5.0, "{took:?}");
}

#[test]
fn three_hundred_nodes_are_drawn() {
    let (state, plan) = wide(300);
    let page = with_input(&state, &plan, html);
    keep("three-hundred.html", &page);
    assert!(page.contains(">s299</text>"));
}
