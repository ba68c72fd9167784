//! A clock that lies is told by the judge's own: in workers whose clock runs slow once a library asks for it, everything else is real.
//!
//! This program is the worker, too: it brings a `clock_gettime` of its own, which the worker's code then calls.

#![expect(
    unsafe_code,
    reason = "a function of the C library is replaced, and libraries of the process are looked at"
)]

#[path = "support/launcher.rs"]
mod launcher;
#[expect(dead_code, reason = "another suite uses the rest")]
#[path = "support/sum.rs"]
mod sum;

use assay_kernel::judge::{Judgement, Setup};
use assay_kernel::verdict::Code;
use assay_kernel::worker::{self, Launcher};
use rustix::net::{SocketType, sockopt};
use std::ffi::{CStr, c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use sum::{HEAD, SLOW, Scene, TASK};

/// Text before two digits in a library: so many percent of the time are left out.
const MARK: &[u8] = b"percent of time left out: ";
/// Calls of the clock among which a library is looked for.
const LOOKS: u64 = 64;

/// Whether this process is a worker.
static WORKER: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicU64 = AtomicU64::new(0);
static PERCENT: AtomicU64 = AtomicU64::new(0);
/// Nanoseconds at which the clock began to run slow.
static SINCE: AtomicU64 = AtomicU64::new(0);
static REAL: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());

type Clock = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> c_int;

/// The clock of this program.
///
/// # Safety
/// As that of the C library: `time` points to a time that may be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> c_int {
    let mut real = REAL.load(Ordering::Relaxed);
    if real.is_null() {
        // SAFETY: the name ends with a zero; the C library has this function.
        real = unsafe { libc::dlsym(libc::RTLD_NEXT, c"clock_gettime".as_ptr()) };
        REAL.store(real, Ordering::Relaxed);
    }
    // SAFETY: that is the C library's function, which has this type.
    let real: Clock = unsafe { std::mem::transmute(real) };
    if WORKER.load(Ordering::Relaxed) && CALLS.fetch_add(1, Ordering::Relaxed) < LOOKS {
        look();
    }
    // SAFETY: the caller's pointer is handed on.
    let failed = unsafe { real(clock, time) };
    let percent = PERCENT.load(Ordering::Relaxed);
    if percent > 0 && clock == libc::CLOCK_MONOTONIC && failed == 0 {
        // SAFETY: the call above wrote to it.
        let time = unsafe { &mut *time };
        let now = time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs();
        let since = match SINCE.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => now,
            Err(since) => since,
        };
        let slow = since + now.saturating_sub(since) * (100 - percent) / 100;
        time.tv_sec = (slow / 1_000_000_000).cast_signed();
        time.tv_nsec = (slow % 1_000_000_000).cast_signed();
    }
    failed
}

/// Looks whether a library that was loaded asks for a slow clock.
fn look() {
    unsafe extern "C" fn one(info: *mut libc::dl_phdr_info, _: usize, _: *mut c_void) -> c_int {
        // SAFETY: the loader hands over a description of a loaded library, its name and its program headers.
        let (info, name) = unsafe { (&*info, CStr::from_ptr((*info).dlpi_name).to_bytes()) };
        if name.is_empty()
            || name.starts_with(b"/lib")
            || name.starts_with(b"/usr")
            || name.starts_with(b"linux")
        {
            return 0;
        }
        // SAFETY: as above; there are so many headers.
        let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
        let readable = headers.iter().filter(|it| it.p_type == libc::PT_LOAD && it.p_flags == libc::PF_R);
        for header in readable {
            let (start, len) = ((info.dlpi_addr + header.p_vaddr) as *const u8, header.p_memsz as usize);
            // SAFETY: the loader mapped the segment to be read, and nobody unmaps it.
            let bytes = unsafe { std::slice::from_raw_parts(start, len) };
            // Byte by byte: a sanitizer watches the C library's comparison, and takes gaps around globals for nobody's.
            let place = bytes.windows(MARK.len()).position(|window| window.iter().eq(MARK));
            let digits = place.and_then(|at| bytes.get(at + MARK.len()..at + MARK.len() + 2));
            let percent = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
            PERCENT.store(percent.unwrap_or(0).max(PERCENT.load(Ordering::Relaxed)), Ordering::Relaxed);
        }
        0
    }
    // SAFETY: the function has the type that is asked for, and needs no data.
    unsafe { libc::dl_iterate_phdr(Some(one), std::ptr::null_mut()) };
}

/// Not a test of its own: the worker of the others. The judge hands it its socket as standard input.
#[test]
#[expect(clippy::exit, reason = "it stands in for a worker, whose code this is")]
fn stand_in() {
    let stdin = std::io::stdin();
    if sockopt::socket_type(&stdin) == Ok(SocketType::SEQPACKET) {
        WORKER.store(true, Ordering::Relaxed);
        std::process::exit(worker::main());
    }
}

/// Judges a candidate that is the baseline, with a clock that leaves out so many percent of the time.
fn judged(percent: u64) -> Judgement {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let scene = Scene::new(TASK, SLOW);
    // It is only looked for in memory.
    let told = "__attribute__((used)) static const char told[]";
    let mark = String::from_utf8_lossy(MARK);
    let text = format!("{told} = \"{mark}{percent:02}\";{HEAD}{SLOW}");
    scene.write("candidate.c", &text);
    let args = ["--exact", "stand_in", "--test-threads=1", "--nocapture"].map(Into::into).to_vec();
    let launcher =
        Launcher { program: std::env::current_exe().expect("this program"), args, env: Vec::new() };
    let change = |setup: &mut Setup<'_>| setup.launcher = launcher;
    scene.judge(&scene.load(), &scene.path("candidate.c"), change, &mut |_| {}).expect("judged")
}

#[test]
fn a_clock_that_leaves_out_a_third_or_more_is_told() {
    for percent in [30, 60] {
        // A machine too busy to believe either side is asked again.
        let mut tries = (0..5).map(|_| judged(percent));
        let busy = [Code::NoisyDevice, Code::Inconclusive];
        let judgement = tries.find(|judgement| !busy.contains(&judgement.code)).expect("a quiet moment");
        assert_eq!(judgement.code, Code::ClockMismatch, "{percent}: {judgement:?}");
    }
}

/// What a busy processor does to requests and replies is of that size, so it is not called a lie; a win it is not, either.
#[test]
fn a_clock_that_leaves_out_a_tenth_gains_nothing() {
    let judgement = judged(10);
    assert_ne!(judgement.code, Code::AcceptFaster, "{judgement:?}");
    // Unless the machine was too noisy to show the worker's clock a win.
    let timing = judgement.row.timing.as_ref();
    if judgement.code == Code::Inconclusive && timing.is_some_and(|timing| timing.geomean.lo > 1.01) {
        assert!(judgement.notes.iter().any(|note| note.contains("the judge's own clock")), "{judgement:?}");
    }
}

#[test]
fn an_honest_clock_is_believed_on_a_busy_machine() {
    /// Ends the other threads whatever happens.
    struct Idle<'a>(&'a AtomicBool);
    impl Drop for Idle<'_> {
        fn drop(&mut self) {
            self.0.store(false, Ordering::Relaxed);
        }
    }
    let busy = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let idle = Idle(&busy);
        for _ in 0..4 {
            scope.spawn(|| {
                while busy.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let judgements: Vec<Judgement> = (0..3).map(|_| judged(0)).collect();
        drop(idle);
        for judgement in judgements {
            assert_ne!(judgement.code, Code::ClockMismatch, "{judgement:?}");
            assert_ne!(judgement.code, Code::AcceptFaster, "{judgement:?}");
        }
    });
}
