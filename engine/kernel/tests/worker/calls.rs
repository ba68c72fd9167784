//! What libraries compute in a worker.

use super::*;

#[test]
fn a_right_call_is_right_at_both_edges_and_in_place() {
    let bench = bench();
    let mut worker = bench.start(RIGHT);
    for elements in [0, 1, 1000, 1024, 5000] {
        for edge in [Edge::Start, Edge::End] {
            let arena = filled(elements, 3, edge, false);
            worker.map(&arena).unwrap();
            for set in [2, 0, 1] {
                let called = worker.call(set).unwrap();
                assert_eq!(
                    (called.rc, called.mode_before, called.mode_after),
                    (0, Mode::DEFAULT, Mode::DEFAULT)
                );
                assert!(called.ns <= called.host_ns);
                is_right(arena.bytes(set, 1), elements, set);
            }
            assert_eq!(arena.margins_intact(), None);
        }
    }
    let arena = filled(1000, 1, Edge::End, true);
    worker.map(&arena).unwrap();
    let inputs = arena.bytes(0, 0).to_vec();
    assert_eq!(inputs, arena.bytes(0, 1), "one memory");
    worker.call(0).unwrap();
    assert_ne!(inputs, arena.bytes(0, 0));
    assert_eq!(worker.call(9).unwrap_err().to_string(), "the worker: no such set");
}

#[test]
fn a_tvm_ffi_function_is_called_with_outputs_last() {
    let mut bench = bench();
    bench.abi.form = Form::TvmFfi;
    let mut worker = bench.start(
        "typedef struct { int32_t type, pad; union { int64_t i; double f; void *p; } v; } Any;
         int __tvm_ffi_kv_entry(void *self, const Any *args, int32_t n_args, Any *result) {
           if (n_args != 3 || args[0].type != 7 || args[1].type != 3 || args[2].type != 7 || result->type != 0) return -1;
           DLTensor *in = args[0].v.p, *out = args[2].v.p; const double *scalars = &args[1].v.f;
           RIGHT return 0; }",
    );
    let arena = filled(100, 1, Edge::End, false);
    worker.map(&arena).unwrap();
    assert_eq!(worker.call(0).unwrap().rc, 0);
    is_right(arena.bytes(0, 1), 100, 0);
}

#[test]
fn blocks_take_sets_in_order_a_snapshot_and_the_first_failure() {
    let bench = bench();
    // Each call leaves its number in the first output element.
    let mut worker =
        bench.start("static int calls; KERNEL { Y[0] = ++calls; return calls == 40 ? -12 : 0; }");
    let mut arena = filled(10, 8, Edge::Start, false);
    worker.map(&arena).unwrap();
    let block = Block { sets: vec![5, 3, 3, 7], snapshot: Some((1, 1)), flush: false };
    let done = worker.block(&block).unwrap();
    assert_eq!((done.failed, done.mode_after), (None, Mode::DEFAULT));
    assert!(done.ns + done.copy_ns <= done.host_ns);
    let first = |bytes: &[u8]| DType::Fp32.read(&bytes[..4]);
    assert_eq!([5, 3, 7].map(|set| first(arena.bytes(set, 1))), [1.0, 3.0, 4.0]);
    assert_eq!(first(arena.snapshot()), 2.0, "as it was after the second call");
    arena.bytes_mut(0, 1).fill(0);
    let done = worker.block(&Block { sets: vec![0; 1000], ..Block::default() }).unwrap();
    assert_eq!(done.failed, Some((35, -12)));
    assert_eq!(first(arena.bytes(0, 1)), 40.0, "nothing is called after it");
}

#[test]
fn memory_is_limited_and_may_be_asked_for() {
    let bench = bench();
    let mut worker = bench.start(
        "KERNEL { size_t bytes = (size_t)scalars[0] << 26; char *p = malloc(bytes); if (!p) return -12; memset(p, 1, bytes); free(p);
           return malloc(3ull << 30) ? 1 : 0; }",
    );
    let mut case = case(10);
    // 192 MiB of 256.
    for (factor, rc) in [(3.0, 0), (5.0, -12)] {
        case.scalars = vec![factor];
        worker.map(&Arena::new(&case, 1, Edge::End, 1, false).unwrap()).unwrap();
        assert_eq!(worker.call(0).unwrap().rc, rc);
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn changed_modes_of_floating_point_are_told_and_put_back() {
    let bench = bench();
    let mut worker = bench.start(
        "#include <fenv.h>
         #include <immintrin.h>
         static int calls; KERNEL { RIGHT calls++;
           if (calls == 2) _mm_setcsr(_mm_getcsr() | 0x8040);
           if (calls == 4) fesetround(FE_TOWARDZERO);
           if (calls == 8) __asm__ volatile(`fldz; fldz; fldz; fldz; fldz; fldz; fldz; fldz`);
           if (calls == 10) __asm__ volatile(`fldz`);
           if (calls == 6) { unsigned short word = 0x27f; __asm__ volatile(`fldcw %0` : : `m`(word)); }
           return 0; }"
            .replace('`', "\"")
            .as_str(),
    );
    let arena = filled(10, 1, Edge::End, false);
    worker.map(&arena).unwrap();
    let modes: Vec<_> = (0..11).map(|_| worker.call(0).unwrap()).collect();
    assert!(modes.iter().all(|called| called.mode_before == Mode::DEFAULT));
    let deltas = modes.iter().map(|called| {
        (called.mode_after.vector ^ Mode::DEFAULT.vector, called.mode_after.x87 ^ Mode::DEFAULT.x87)
    });
    let (none, left) = ((0, 0), (0, Mode::LEFT));
    assert_eq!(
        deltas.collect::<Vec<_>>(),
        [none, (0x8040, 0), none, (0x6000, 0xc00), none, (0, 0x100), none, left, none, left, none]
    );
    let mut worker = bench.start(
        "#include <fenv.h>\nstatic int calls; KERNEL { if (++calls == 3) fesetround(FE_UPWARD); return 0; }",
    );
    worker.map(&arena).unwrap();
    let done = worker.block(&Block { sets: vec![0; 9], ..Block::default() }).unwrap();
    assert_eq!(done.mode_after.vector ^ Mode::DEFAULT.vector, 0x4000);
}

#[test]
fn a_thousand_calls_in_a_row() {
    let bench = bench();
    let mut worker = bench.start(RIGHT);
    let mut arena = filled(100, 4, Edge::End, false);
    worker.map(&arena).unwrap();
    for call in 0..1000 {
        arena.bytes_mut(call % 4, 1).fill(0xa5);
        assert_eq!(worker.call(call % 4).unwrap().rc, 0);
        is_right(arena.bytes(call % 4, 1), 100, call % 4);
    }
}
