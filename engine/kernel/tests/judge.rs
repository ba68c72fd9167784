//! The judge as its callers see it: what it is given, what it tells, what it refuses to judge, and that seeds fix everything but times.

#[path = "support/launcher.rs"]
mod launcher;
#[path = "support/sum.rs"]
mod sum;

use assay_kernel::judge::{JudgeError, Judgement, Progress, SeedSource};
use assay_kernel::ledger::{Current, Ledger, Standing, traces};
use assay_kernel::task::Loaded;
use assay_kernel::verdict::{Class, Code, Gate};
use assay_stats::Side;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::process::Command;
use sum::{FAST, HEAD, SLOW, Scene, TASK, WRONG};

fn judged(
    scene: &Scene,
    loaded: &Loaded,
    candidate: &Path,
    seed: SeedSource,
) -> Result<Judgement, JudgeError> {
    scene.judge(loaded, candidate, |setup| setup.seed = seed, &mut |_| {})
}

/// Judgements of a machine that is too busy to decide: other tests run beside each.
const TRIES: usize = 5;

/// The first judgement that decides, or the last.
fn settled(scene: &Scene, loaded: &Loaded, candidate: &Path) -> Judgement {
    let mut all = (0..TRIES).map(|_| judged(scene, loaded, candidate, SeedSource::System).expect("judged"));
    let mut last = all.next().expect("a judgement");
    while last.class == Class::Inconclusive
        && let Some(next) = all.next()
    {
        last = next;
    }
    last
}

#[test]
fn an_acceptance_tells_everything_and_fits_the_ledger() {
    // Extended, because other tests run beside this one.
    let scene = Scene::new(&TASK.replace("extend: 1", "extend: 4"), SLOW);
    let (loaded, candidate) = (scene.load(), scene.source("fast.c", FAST));
    let once = || {
        let (mut committed, mut gates, mut samples) = (None, Vec::new(), 0);
        let mut tell = |told| match told {
            Progress::Committed { commitment } => {
                assert!(gates.is_empty(), "before anything is built");
                committed = Some(commitment);
            }
            Progress::GateEnded { side: Side::Candidate, record } => gates.push(record.gate),
            Progress::Samples { done, of, .. } => {
                assert!(done <= of);
                samples += 1;
            }
            _ => {}
        };
        let judgement = scene.judge(&loaded, &candidate, |_| {}, &mut tell).expect("judged");
        (judgement, committed, gates, samples)
    };
    // A machine that is too busy to decide is asked again.
    let mut told = once();
    for _ in 1..TRIES {
        if told.0.class == Class::Inconclusive {
            told = once();
        }
    }
    let (judgement, committed, gates, samples) = told;
    assert_eq!((judgement.class, judgement.code), (Class::Accept, Code::AcceptFaster), "{judgement:?}");
    assert_eq!(gates, judgement.gates.iter().map(|record| record.gate).collect::<Vec<_>>());
    assert_eq!((gates.first(), gates.last()), (Some(&Gate::Locks), Some(&Gate::LocksAgain)));
    assert!(gates.is_sorted() && gates.len() == 18 && samples >= 12, "{gates:?} {samples}");
    let row = &judgement.row;
    assert_eq!(committed.as_ref(), Some(&row.seeds.commitment));
    let secret: Vec<u8> = (0..64)
        .step_by(2)
        .map(|at| u8::from_str_radix(&row.seeds.secret[at..at + 2], 16).expect("hexadecimal"))
        .collect();
    let digest: String = Sha256::digest(&secret).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, row.seeds.commitment, "what is revealed is what was fixed");
    let timing = row.timing.as_ref().expect("timed");
    assert!(timing.geomean.lo > 1.01 && timing.processes >= 3 && row.aa.is_some() && row.err.is_some());

    let ledger = Ledger::new(scene.path("kernel-ledger.jsonl"));
    ledger.append(row).expect("added");
    let read = ledger.read().expect("read");
    let kept: Vec<_> = read.judgements().collect();
    assert_eq!((kept.len(), kept[0].0, &read.broken), (1, 1, &None));
    // Numbers come back to the last place but one; the chain holds their text.
    assert_eq!((kept[0].1.code, &kept[0].1.seeds, &kept[0].1.ts), (row.code, &row.seeds, &row.ts));
    let mut current = Current {
        task_id: "sum".to_owned(),
        task_sha: loaded.digest.clone(),
        baseline_sha: row.baseline_sha.clone(),
    };
    assert_eq!(row.standing(&current), Standing::Valid);
    current.baseline_sha = "another".to_owned();
    assert_eq!(row.standing(&current), Standing::StaleBaseline);
    let traces = traces(row, &loaded).expect("the same task");
    let line = traces[0].line();
    assert!(traces.len() == 1 && line.contains("\"PASSED\"") && line.contains("speedup_factor"), "{line}");
}

#[test]
fn seeds_fix_everything_but_times() {
    let scene = Scene::new(TASK, FAST);
    // Wrong at sizes that nobody lists, so that the shape found depends on the seeds.
    let body = "for (int64_t i = 0; i < n; i++) y[i] = a[i] + b[i] + (n != 4096 && n > 40 ? 0.25f : 0.0f); return 0; }";
    let (loaded, candidate) = (scene.load(), scene.source("narrow.c", body));
    let judged = |seed: u8| {
        let mut judgement =
            judged(&scene, &loaded, &candidate, SeedSource::Replay([seed; 32])).expect("judged");
        judgement.gates.iter_mut().for_each(|gate| gate.ms = 0.0);
        judgement.row.ts.clear();
        judgement
    };
    let (one, again, other) = (judged(1), judged(1), judged(2));
    assert_eq!(one.code, Code::WrongHiddenShape, "{one:?}");
    assert_eq!(one, again);
    assert_eq!(other.code, Code::WrongHiddenShape);
    assert_ne!(one.findings, other.findings, "other shapes");
}

/// Loading runs no program, so a judgement asks it first: a kernel of zeros would pass a task whose right answer is zero.
#[test]
fn an_oracle_program_that_asks_for_nothing_is_a_fault_of_the_task() {
    let zeros = "import json, struct, sys\nraw = open(sys.argv[1], 'rb').read()\n\
                 head = json.loads(raw[8:8 + struct.unpack_from('<Q', raw)[0]])\nshape = head['a']['shape']\n\
                 body = bytes(8 * shape[0])\n\
                 out = json.dumps({'y': {'dtype': 'F64', 'shape': shape, 'data_offsets': [0, len(body)]}}).encode()\n\
                 open(sys.argv[2], 'wb').write(struct.pack('<Q', len(out)) + out + body)\n";
    let line = TASK.lines().find(|line| line.starts_with("oracle:")).expect("an oracle");
    let scene = Scene::new(&TASK.replace(line, "oracle: {command: [python3, oracle.py]}"), FAST);
    std::fs::write(scene.path("oracle.py"), zeros).expect("written");
    let candidate =
        scene.source("zeros.c", "for (int64_t i = 0; i < n; i++) y[i] = 0; (void)a, (void)b; return 0; }");
    let error =
        judged(&scene, &scene.load(), &candidate, SeedSource::System).expect_err("it asks for nothing");
    assert!(matches!(error, JudgeError::Lint(_)), "{error}");
    assert_eq!(
        error.to_string(),
        "the task asks for nothing: `y` is almost zero everywhere: at most 0.00e0 at the largest scale"
    );
}

/// A candidate is its source with everything beside it that is built with it.
#[test]
fn a_header_that_changes_makes_another_candidate() {
    let scene = Scene::new(TASK, FAST);
    let loaded = scene.load();
    let source = scene.source("with.c", "#include PART\nreturn 1; }");
    let text = std::fs::read_to_string(&source).expect("a source");
    std::fs::write(&source, format!("#include \"a.h\"\n#define PART \"b.h\"\n{text}")).expect("written");
    let sha = |one: &str, other: &str| {
        std::fs::write(scene.path("a.h"), one).expect("written");
        std::fs::write(scene.path("b.h"), other).expect("written");
        let judgement = judged(&scene, &loaded, &source, SeedSource::System).expect("judged");
        assert_ne!(judgement.code, Code::BuildFailed, "{judgement:?}");
        judgement.row.candidate_sha
    };
    let first = sha("/* 1 */\n", "/* 1 */\n");
    assert_eq!(first, sha("/* 1 */\n", "/* 1 */\n"));
    let named = sha("/* 2 */\n", "/* 1 */\n");
    // Only the compiler knows what a macro names.
    let by_macro = sha("/* 1 */\n", "/* 2 */\n");
    assert!(first != named && first != by_macro && named != by_macro);
    let alone = scene.source("alone.c", "return 1; }");
    let judgement = judged(&scene, &loaded, &alone, SeedSource::System).expect("judged");
    let bytes = Sha256::digest(std::fs::read(&alone).expect("read"));
    let sum: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(judgement.row.candidate_sha, sum, "a file alone has the digest of its bytes");
}

#[test]
fn a_library_is_judged_as_it_is() {
    let scene = Scene::new(TASK, FAST);
    let (loaded, source, library) = (scene.load(), scene.source("wrong.c", WRONG), scene.path("wrong.so"));
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    let built = Command::new("cc")
        .args(["-O2", "-shared", "-fPIC", "-I"])
        .args([&include, Path::new("-o"), &library, &source])
        .status()
        .expect("cc");
    assert!(built.success());
    let judgement = judged(&scene, &loaded, &library, SeedSource::System).expect("judged");
    assert_eq!((judgement.code, judgement.gate), (Code::WrongValue, Gate::Values), "{judgement:?}");
    let build = judgement.gates.iter().find(|record| record.gate == Gate::Build).expect("a record");
    assert!(build.passed && build.skipped.is_some());
    assert_eq!(judgement.row.candidate_sha, judgement.row.library_sha);
    let broken = scene.path("broken.so");
    std::fs::write(&broken, "no library").expect("written");
    let judgement = judged(&scene, &loaded, &broken, SeedSource::System).expect("judged");
    assert_eq!(judgement.code, Code::LoadFailed, "{judgement:?}");
    let broken = scene.source("broken.c", "return none; }");
    let judgement = judged(&scene, &loaded, &broken, SeedSource::System).expect("judged");
    assert_eq!((judgement.code, judgement.gate), (Code::BuildFailed, Gate::Build), "{judgement:?}");
}

/// The library of C++ is loaded, and a check that fails ends the call as a crash.
#[test]
fn checks_that_compilers_put_in_pass_and_end_the_call_where_they_fail() {
    let scene = Scene::new(TASK, SLOW);
    let loaded = scene.load();
    let source = |check: &str| {
        let head = HEAD
            .replace("a = assay", "a = (const float *)assay")
            .replace(" *b = assay", " *b = (const float *)assay");
        let head = head.replace("float *y = assay", "float *y = (float *)assay");
        let body = "std::vector<float> sums(a, a + n); for (int64_t i = 0; i < n; i++) sums.at(i) += b[i];";
        let name = format!("check{}.cpp", check.len());
        let includes = "#include <cassert>\n#include <memory>\n#include <new>\n#include <vector>\n";
        let end = "for (int64_t i = 0; i < n; i++) y[i] = sums[i]; return 0; }";
        scene.write(&name, &format!("{includes}{head}{body} {check} {end}"));
        scene.path(name)
    };
    // Objects with destructors, an exception that is caught, and memory that is shared: nothing that a sandbox stops.
    let objects = "static std::vector<float> kept; thread_local std::vector<float> own; kept.assign(n, 1); own.assign(n, 1);
        try { sums.at(n) = 1; } catch (const std::bad_alloc &) { return 6; } catch (...) { kept[0] = 2; }
        auto shared = std::make_shared<std::vector<float>>(n); if (kept[0] != 2 || shared->size() + own[0] != n + 1) return 7;";
    for honest in ["assert(n > 0);", objects] {
        let sound = judged(&scene, &loaded, &source(honest), SeedSource::System).expect("judged");
        assert_ne!(sound.class, Class::Reject, "{sound:?}");
    }
    for failing in ["assert(n < 4);", "y[0] = sums.at(n + 1);"] {
        let judgement = judged(&scene, &loaded, &source(failing), SeedSource::System).expect("judged");
        assert_eq!(judgement.code, Code::Crashed, "{failing}: {judgement:?}");
    }
}

#[test]
fn what_cannot_be_judged_is_an_error_and_no_verdict() {
    let scene = Scene::new(TASK, WRONG);
    let (loaded, candidate) = (scene.load(), scene.source("fast.c", FAST));
    let error = judged(&scene, &loaded, &candidate, SeedSource::System).expect_err("the baseline is wrong");
    let JudgeError::Baseline { finding, .. } = &error else { panic!("{error}") };
    assert_eq!((finding.code, finding.gate), (Code::WrongValue, Gate::Values));
    assert!(error.to_string().contains("mend the task"), "{error}");

    let scene = Scene::new(TASK, FAST);
    let loaded = scene.load();
    let text = scene.path("kernel.txt");
    std::fs::write(&text, "text").expect("written");
    let error = judged(&scene, &loaded, &text, SeedSource::System).expect_err("no kernel");
    assert!(matches!(error, JudgeError::Candidate { .. }), "{error}");
    let error = judged(&scene, &loaded, &scene.path("none.c"), SeedSource::System).expect_err("no file");
    assert!(matches!(error, JudgeError::File { .. }), "{error}");
}

/// Code that runs at load comes from the task's flags: the baseline has it, too.
#[test]
fn what_the_flags_of_a_task_do_is_no_fault_of_the_candidate() {
    let task = TASK.replace("-std=c11", "-std=c11\", \"-ffast-math");
    assert_ne!(task, TASK);
    let scene = Scene::new(&task, FAST);
    let (loaded, candidate) = (scene.load(), scene.source("other.c", SLOW));
    let error = judged(&scene, &loaded, &candidate, SeedSource::System).expect_err("the flags are wrong");
    let JudgeError::Baseline { finding, .. } = &error else { panic!("{error}") };
    assert_eq!((finding.code, finding.gate), (Code::ForbiddenConstructor, Gate::Static));
}

#[test]
fn what_is_far_slower_is_told_at_the_first_look() {
    let task = TASK.replace("processes: 3", "processes: 6");
    assert_ne!(task, TASK);
    let scene = Scene::new(&task, FAST);
    let (loaded, candidate) = (scene.load(), scene.source("slow.c", SLOW));
    let judgement = settled(&scene, &loaded, &candidate);
    let timing = judgement.row.timing.as_ref().expect("timed");
    // A busy machine may need all samples, and even then not know.
    let told = (judgement.code == Code::RejectSlower, timing.processes);
    assert!(
        told == (true, 3) || judgement.code != Code::AcceptFaster && timing.processes >= 6,
        "{judgement:?}"
    );
    assert!(timing.geomean.hi < 0.8 || told.1 != 3, "{judgement:?}");
}

#[test]
fn faster_than_the_machine_is_no_gain() {
    // As if every call moved a thousand times what it does.
    let task = format!("{TASK}roofline: {{bytes: \"12000*N\"}}\n");
    let scene = Scene::new(&task, SLOW);
    let (loaded, candidate) = (scene.load(), scene.source("fast.c", FAST));
    let judgement = judged(&scene, &loaded, &candidate, SeedSource::System).expect("judged");
    assert_eq!(
        (judgement.code, judgement.gate),
        (Code::PhysicsViolation, Gate::Plausibility),
        "{judgement:?}"
    );
    assert!(judgement.row.roofline.expect("measured").fraction > 1.05);
    // What it does move is within the machine's reach.
    let task = TASK.to_owned() + "roofline: {bytes: \"12*N\", flops: \"N\"}\n";
    let scene = Scene::new(&task, SLOW);
    let (loaded, candidate) = (scene.load(), scene.source("fast.c", FAST));
    let judgement = settled(&scene, &loaded, &candidate);
    let fraction = judgement.row.roofline.expect("measured").fraction;
    assert!(judgement.code == Code::AcceptFaster && fraction > 0.001 && fraction <= 1.05, "{judgement:?}");
}

#[test]
fn bits_of_the_baseline_are_asked_for_where_the_task_says_so() {
    let task = TASK
        .replace("y: {dtype: fp32, shape: [N]}", "y: {dtype: fp32, shape: [N], mode: bitwise_vs_baseline}");
    let scene = Scene::new(&task, SLOW);
    let loaded = scene.load();
    let same = judged(&scene, &loaded, &scene.source("same.c", FAST), SeedSource::System).expect("judged");
    assert_eq!(same.code, Code::AcceptFaster, "{same:?}");
    // Half a unit in the last place more: within every tolerance, and other bits.
    let near = "for (int64_t i = 0; i < n; i++) y[i] = (a[i] + b[i]) * 1.0000001f; return 0; }";
    let near = judged(&scene, &loaded, &scene.source("near.c", near), SeedSource::System).expect("judged");
    assert_eq!((near.code, near.gate), (Code::WrongValue, Gate::Values), "{near:?}");
}

#[test]
fn a_kernel_that_is_wrong_only_near_the_end_of_its_range_is_refused() {
    // The largest measured size is 4,096, and tensors may have 5,000 elements.
    let scene = Scene::new(TASK, SLOW);
    let body = "for (int64_t i = 0; i < n; i++) y[i] = (n > 4990 ? 2 : 1) * (a[i] + b[i]); return 0; }";
    let candidate = scene.source("far.c", body);
    let judgement = judged(&scene, &scene.load(), &candidate, SeedSource::System).expect("judged");
    assert_eq!(judgement.code, Code::WrongHiddenShape, "{}", judgement.message);
    assert!(judgement.message.contains("and not"), "the worst element is told: {}", judgement.message);
}

/// Nothing is as like itself as this task asks for: only an effect far larger than the noise is believed.
#[test]
fn noise_decides_unless_the_effect_is_far_larger() {
    let scene = Scene::new(&TASK.replace("max_aa: 0.2", "max_aa: 0.000001"), SLOW);
    let (loaded, fast) = (scene.load(), scene.source("fast.c", FAST));
    let judgement = judged(&scene, &loaded, &fast, SeedSource::System).expect("judged");
    assert_eq!(judgement.code, Code::AcceptFaster, "{judgement:?}");
    assert!(judgement.notes.iter().any(|note| note.contains("the verdict stands")), "{:?}", judgement.notes);
    let same = scene.source("same.c", SLOW);
    let judgement = judged(&scene, &loaded, &same, SeedSource::System).expect("judged");
    assert_eq!((judgement.code, judgement.gate), (Code::NoisyDevice, Gate::Timing), "{judgement:?}");
    assert!(judgement.row.aa.is_some() && judgement.row.timing.is_none(), "{judgement:?}");
}
