//! The workflows under test.

use crate::step::argv;
use std::path::Path;

/// Twenty steps with everything that a run can hold: servers whose helpers run away, `foreach` over a list and over a
/// result, retries, gates, a call, locks, files, a baseline, a delivery and `finally`.
pub const EVERYTHING: &str = r#"
preflight:
  shell: {check: command, with: {argv: [sh, -c, exit 0]}}
steps:
  seed:
    uses: command
    with:
      argv: [STEP, list]
      parse:
        as: json
        from: stdout
        schema: {type: object, required: [items], properties: {items: {type: array, items: {type: string}}}}
    timeout: 30s
  frozen:
    uses: baseline
    with: {files: [frozen.txt], values: {limit: 3}}
  forks:
    uses: server
    with:
      argv: [STEP, serve, "{{ self.port }}", forks]
      ready: {http: {path: /}, interval: 10ms, timeout: 30s}
  sessions:
    needs: [flaky]
    uses: server
    with:
      argv: [STEP, serve, "{{ self.port }}", sessions]
      ready: {tcp: true, interval: 10ms, timeout: 30s}
  request:
    uses: http
    with: {url: "{{ steps.forks.url }}/"}
    timeout: 30s
  both:
    uses: command
    with: {argv: [STEP, ask, "{{ steps.forks.port }}", "{{ steps.sessions.port }}"]}
    timeout: 30s
  fixed:
    foreach: {n: [one, two, three]}
    uses: command
    with: {argv: [STEP, work, "{{ each.n }}"]}
    timeout: 30s
  listed:
    foreach: {n: "{{ steps.seed.result.items }}"}
    uses: command
    with: {argv: [STEP, work, "{{ each.n }}"]}
    timeout: 30s
  flaky:
    uses: command
    with: {argv: [STEP, flaky]}
    retry: {max: 2, backoff: {first: 10ms, factor: 1}}
    timeout: 30s
  flaky_each:
    foreach: {n: [p, q]}
    uses: command
    with: {argv: [STEP, flaky, "{{ each.n }}"]}
    retry: {max: 2, backoff: {first: 10ms, factor: 1}}
    timeout: 30s
  lock_one:
    uses: command
    with: {argv: [STEP, work]}
    resources: {locks: [bench]}
    timeout: 30s
  lock_two:
    uses: command
    with: {argv: [STEP, work]}
    resources: {locks: [bench]}
    timeout: 30s
  escape:
    uses: command
    with: {argv: [STEP, escape]}
    timeout: 30s
  warned:
    uses: command
    with: {argv: [STEP, fail]}
    on_fail: warn
    timeout: 30s
  skipped:
    when: steps.seed.result.items | length > 5
    uses: command
    with: {argv: [STEP, work]}
    timeout: 30s
  made:
    uses: command
    with: {argv: [STEP, write, "{{ run.scratch }}/made.txt"]}
    files: {text: "{{ run.scratch }}/made.txt"}
    timeout: 30s
  reader:
    uses: command
    with: {argv: [STEP, work]}
    reads: ["{{ steps.made.files.text.path }}"]
    timeout: 30s
  judged:
    needs: [sized]
    uses: command
    with: {argv: [STEP, work]}
    timeout: 30s
  inner:
    foreach: {n: [x, y]}
    uses: skill:inner
    with: {n: "{{ each.n }}"}
    timeout: 1m
  late:
    needs: [inner, judged, limited, warned]
    uses: command
    with: {argv: [STEP, work]}
    timeout: 30s
gates:
  sized: {assert: steps.seed.result.items | length == 3}
  limited: {assert: steps.frozen.values.limit <= 3, on_fail: incorrect}
  asked: {assert: steps.both.exit == 0 and steps.request.http_status == 200}
outputs:
  count: {value: steps.seed.result.items | length, type: integer}
deliver:
  results.json: outputs
  made.txt: steps.made.files.text
finally:
  tidy:
    uses: command
    with: {argv: [STEP, ask, "{{ steps.forks.port }}"]}
    timeout: 30s
"#;

/// What [`EVERYTHING`] calls.
pub const INNER: &str = r#"
inputs:
  n: {type: string}
steps:
  first:
    uses: command
    with: {argv: [STEP, work, "{{ inputs.n }}"]}
    timeout: 30s
  second:
    needs: [checked]
    uses: command
    with: {argv: [STEP, flaky, "{{ inputs.n }}"]}
    retry: {max: 1, backoff: {first: 10ms, factor: 1}}
    timeout: 30s
gates:
  checked: {assert: steps.first.exit == 0}
outputs:
  done: {value: steps.second.exit, type: integer}
"#;

/// A question after some work, beside a server.
pub const QUESTION: &str = r#"
steps:
  work:
    foreach: {n: [one, two]}
    uses: command
    with: {argv: [STEP, work, "{{ each.n }}"]}
    timeout: 30s
  ask:
    needs: [work]
    uses: approval
    with: {question: Publish these numbers?}
  publish:
    needs: [ask]
    uses: command
    with: {argv: [STEP, work]}
    timeout: 30s
"#;

/// A gate that does not pass, and what stands behind it.
pub const FAILED_GATE: &str = r#"
steps:
  measure:
    uses: command
    with: {argv: [STEP, work]}
    timeout: 30s
  publish:
    needs: [good]
    uses: command
    with: {argv: [STEP, work]}
    timeout: 30s
gates:
  good: {assert: steps.measure.exit > 0, on_fail: incorrect}
"#;

/// One child fails until it is allowed to pass.
pub const FAILED_CHILD: &str = r#"
steps:
  one:
    foreach: {n: [work, allowed]}
    uses: command
    with: {argv: [STEP, "{{ each.n }}"]}
    timeout: 30s
  after:
    needs: [one]
    uses: command
    with: {argv: [STEP, work]}
    timeout: 30s
"#;

/// A server, somebody who uses it and passes, and somebody who uses it and fails until allowed.
pub const FAILED_READER: &str = r#"
steps:
  server:
    uses: server
    with:
      argv: [STEP, serve, "{{ self.port }}", forks]
      ready: {tcp: true, interval: 10ms, timeout: 30s}
  passes:
    uses: command
    with: {argv: [STEP, ask, "{{ steps.server.port }}"]}
    timeout: 30s
  fails:
    needs: [passes]
    uses: command
    with: {argv: [STEP, allowed]}
    timeout: 30s
  last:
    needs: [fails]
    uses: command
    with: {argv: [STEP, ask, "{{ steps.server.port }}"]}
    timeout: 30s
"#;

/// A server whose only user ends long before the run does.
pub const EARLY_SERVER: &str = r#"
steps:
  server:
    uses: server
    with:
      argv: [STEP, serve, "{{ self.port }}", forks]
      ready: {tcp: true, interval: 10ms, timeout: 30s}
  use:
    uses: command
    with: {argv: [STEP, ask, "{{ steps.server.port }}"]}
    timeout: 30s
  after:
    needs: [use]
    uses: command
    with: {argv: [STEP, work]}
    timeout: 30s
finally:
  tidy:
    uses: command
    with: {argv: [STEP, ask, "{{ steps.server.port }}"]}
    timeout: 30s
"#;

/// A manifest with real programs in it.
pub fn with_steps(text: &str, effects: &Path) -> String {
    text.replace("STEP", &argv(effects))
}
