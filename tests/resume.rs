//! `resume`: what is kept, what runs again and why; changed manifests, files and baselines.

mod support;

use std::time::Duration;
use support::{Scene, eventually, finish, kill};

/// Steps started since the last engine began.
fn started_last(scene: &Scene) -> Vec<String> {
    let records = scene.journal();
    let last = records
        .iter()
        .rposition(|record| record["type"] == "engine_started")
        .expect("a record as documented");
    let of = records[last..].iter().filter(|record| record["type"] == "step_started");
    of.map(|record| record["data"]["step"].as_str().expect("a record as documented").to_owned()).collect()
}

fn reason_of(scene: &Scene, step: &str) -> String {
    let again = scene.events("invalidated").into_iter().rfind(|data| data["step"] == step);
    again.map(|data| data["reason"].as_str().expect("a record as documented").to_owned()).unwrap_or_default()
}

const CHAIN: &str = "\
steps:
  a: {uses: command, with: {argv: [echo, A]}}
  b: {uses: command, needs: [a], with: {shell: 'test -e FLAG'}}
  c: {uses: command, needs: [b], with: {argv: [echo, C]}}
  side: {uses: command, with: {argv: [echo, S]}}
gates:
  g: {assert: \"steps.side.status == 'passed'\"}
finally:
  f: {uses: command, with: {argv: ['true']}}
";

fn chain(scene: &Scene) -> (String, std::path::PathBuf) {
    let flag = scene.dir().join("flag");
    (scene.workflow("chain", &CHAIN.replace("FLAG", &flag.display().to_string())), flag)
}

#[test]
fn what_failed_runs_again_and_what_depends_on_it() {
    let scene = Scene::new();
    let (file, flag) = chain(&scene);
    scene.assay(&["run", &file]).expect(21);
    assert_eq!(scene.statuses()["c"], "blocked");
    scene.assay(&["resume", "latest"]).expect(21);
    assert_eq!(started_last(&scene), ["b", "f"]);
    std::fs::write(&flag, "").unwrap();
    scene.assay(&["resume", "latest"]).expect(0);
    assert_eq!(started_last(&scene), ["b", "c", "f"]);
    assert_eq!(scene.outcomes()["g"], "passed");
    let before = scene.journal().len();
    for _ in 0..2 {
        scene.assay(&["resume", "latest"]).expect(0);
    }
    assert_eq!(scene.journal().len(), before, "a finished run stays as it is");
}

#[test]
fn a_step_can_be_asked_for_again_with_its_dependents_and_says_why() {
    let scene = Scene::new();
    let (file, flag) = chain(&scene);
    std::fs::write(flag, "").unwrap();
    scene.assay(&["run", &file]).expect(0);
    scene.assay(&["resume", "latest", "--from", "b"]).expect(0);
    assert_eq!(started_last(&scene), ["b", "c", "f"]);
    assert!(reason_of(&scene, "b").contains("--from"));
    let done = scene.assay(&["resume", "latest", "--from", "bb"]);
    assert!(matches!(done.code, 2 | 3) && done.stderr.contains("`b`"), "{done:?}");
}

#[test]
fn a_changed_manifest_runs_what_changed_and_what_depends_on_it() {
    let scene = Scene::new();
    let (file, flag) = chain(&scene);
    std::fs::write(&flag, "").unwrap();
    scene.assay(&["run", &file]).expect(0);
    let text = std::fs::read_to_string(scene.dir().join(&file)).unwrap();
    scene.write(&file, text.replace("[echo, A]", "[echo, AA]"));
    let plan = scene.assay(&["plan", "latest"]);
    assert!(plan.stdout.contains('a'), "{plan:?}");
    scene.assay(&["resume", "latest"]).expect(0);
    let mut again = started_last(&scene);
    again.retain(|step| step != "f");
    assert_eq!(again, ["a", "b", "c"], "`side` is the same");
    assert!(reason_of(&scene, "a").contains("changed"), "{}", reason_of(&scene, "a"));
    // A comment changes the digest, and no step.
    scene.write(&file, format!("{}# a comment\n", text.replace("[echo, A]", "[echo, AA]")));
    scene.assay(&["resume", "latest"]).expect(0);
    assert_eq!(started_last(&scene), Vec::<String>::new());
}

#[test]
fn only_failed_leaves_changed_steps_alone() {
    let scene = Scene::new();
    let (file, flag) = chain(&scene);
    scene.assay(&["run", &file]).expect(21);
    let text = std::fs::read_to_string(scene.dir().join(&file)).unwrap();
    scene.write(&file, text.replace("[echo, S]", "[echo, SS]"));
    std::fs::write(flag, "").unwrap();
    scene.assay(&["resume", "latest", "--only-failed"]).expect(0);
    assert_eq!(started_last(&scene), ["b", "c", "f"]);
}

#[test]
fn a_changed_file_runs_its_reader_and_its_producer_again() {
    let scene = Scene::new();
    scene.write("in.txt", "1");
    let file = scene.workflow(
        "files",
        "steps:\n  make: {uses: command, reads: [in.txt], with: {shell: 'cp {{ skill.dir | q }}/in.txt {{ run.scratch | q }}/out'}, files: {out: '{{ run.scratch }}/out'}}\n  \
         use: {uses: command, reads: ['{{ steps.make.files.out.path }}'], with: {argv: [cat, '{{ steps.make.files.out.path }}']}}\n  \
         other: {uses: command, with: {argv: ['true']}}\n",
    );
    scene.assay(&["run", &file]).expect(0);
    scene.write("in.txt", "2");
    scene.assay(&["resume", "latest"]).expect(0);
    assert_eq!(started_last(&scene), ["make", "use"]);
    assert!(reason_of(&scene, "make").contains("in.txt"));
    assert_eq!(scene.printed("use"), "2");
    let out = scene.finished("make")["outputs"]["files"]["out"]["path"].as_str().unwrap().to_owned();
    std::fs::write(out, "other").unwrap();
    scene.assay(&["resume", "latest"]).expect(0);
    assert_eq!(started_last(&scene), ["make", "use"]);
}

#[test]
fn a_baseline_that_would_change_is_refused_as_tampered() {
    let scene = Scene::new();
    scene.write("ref.txt", "1");
    let body = "steps:\n  base: {uses: baseline, with: {files: [ref.txt], values: {tol: 1}}}\n  after: {uses: command, needs: [base], with: {shell: 'test -e {{ skill.dir | q }}/flag'}}\ngates:\n  g: {assert: steps.base.values.tol < 9, needs: [after]}\n";
    let file = scene.workflow("base", body);
    scene.assay(&["run", &file]).expect(21);
    assert_eq!(scene.assay(&["resume", "latest", "--from", "base"]).code, 24, "a baseline is frozen once");
    scene.workflow("base", &body.replace("tol: 1", "tol: 2"));
    for more in [None, None, Some("--only-failed")] {
        let args: Vec<&str> = ["resume", "latest"].into_iter().chain(more).collect();
        let code = scene.assay(&args).code;
        assert!(code == 24 || (more.is_some() && code == 21), "{more:?}: {code}");
    }
    scene.workflow("base", body);
    scene.write("flag", "");
    scene.assay(&["resume", "latest"]).expect(0);
    assert_eq!(started_last(&scene), ["after"], "the refusals did not unfreeze it");
    assert_eq!(scene.finished("base")["outputs"]["values"]["tol"], 1);
    scene.write("ref.txt", "2");
    scene.assay(&["resume", "latest"]).expect(24);
    scene.assay(&["resume", "latest"]).expect(24);
    scene.write("ref.txt", "1");
    scene.assay(&["resume", "latest"]).expect(0);
    assert!(!started_last(&scene).contains(&"base".to_owned()));
}

const PROBE: &str = "/usr/bin/env, python3, -m, http.server, '{{ self.port }}', --bind, 127.0.0.1";

#[test]
fn a_server_starts_again_and_only_what_is_bound_to_it_runs_again() {
    let scene = Scene::new();
    let flag = scene.dir().join("flag");
    let file = scene.workflow(
        "bound",
        &format!(
            "steps:\n  srv: {{uses: server, timeout: 1m, with: {{argv: [{PROBE}], ready: {{tcp: true}}}}}}\n  \
             free: {{uses: http, with: {{url: '{{{{ steps.srv.url }}}}/'}}}}\n  \
             bound: {{uses: http, bind: epoch, with: {{url: '{{{{ steps.srv.url }}}}/'}}}}\n  \
             last: {{uses: command, needs: [free, bound, srv], with: {{argv: [test, -e, '{}']}}}}\n",
            flag.display()
        ),
    );
    scene.assay(&["run", &file]).expect(21);
    std::fs::write(flag, "").unwrap();
    scene.assay(&["resume", "latest"]).expect(0);
    let mut again = started_last(&scene);
    again.sort();
    assert_eq!(again, ["bound", "last", "srv"]);
    assert!(reason_of(&scene, "bound").contains("srv"));
    scene.assay(&["resume", "latest"]).expect(0);
    assert_eq!(started_last(&scene).len(), 3, "nothing is left that needs it");
}

#[test]
fn an_interrupted_run_goes_on_where_it_was() {
    let scene = Scene::new();
    let flag = scene.dir().join("flag");
    let file = scene.workflow(
        "long",
        &format!(
            "steps:\n  a: {{uses: command, with: {{argv: ['true']}}}}\n  \
             b: {{uses: command, needs: [a], with: {{argv: [sh, -c, 'test -e {0} || exec sleep 60']}}}}\n  c: {{uses: command, needs: [b], with: {{argv: ['true']}}}}\nfinally:\n  f: {{uses: command, with: {{argv: ['true']}}}}\n",
            flag.display()
        ),
    );
    let run = scene.start(&["run", &file]);
    let under_way =
        || scene.has_run() && scene.events("step_started").iter().any(|start| start["step"] == "b");
    assert!(eventually(Duration::from_secs(10), under_way));
    kill(run.id(), "INT");
    finish(run).expect(130);
    scene.assay(&["status"]).expect(130);
    std::fs::write(flag, "").unwrap();
    scene.assay(&["resume", "latest"]).expect(0);
    let again = started_last(&scene);
    assert!(again.starts_with(&["b".to_owned(), "c".to_owned()]), "{again:?}");
    assert_eq!(scene.statuses()["f"], "passed");
}

#[test]
fn a_failed_instance_is_tried_again_and_its_siblings_are_kept() {
    let scene = Scene::new();
    let flag = scene.dir().join("flag");
    let file = scene.workflow(
        "some",
        &format!(
            "steps:\n  a: {{uses: command, foreach: {{v: [x, y]}}, with: {{argv: [sh, -c, 'test {{{{ each.v }}}} = x || test -e {}']}}}}\n",
            flag.display()
        ),
    );
    scene.assay(&["run", &file]).expect(21);
    std::fs::write(flag, "").unwrap();
    scene.assay(&["resume", "latest"]).expect(0);
    assert_eq!(started_last(&scene), ["a[y]"]);
}
