//! A worker's last words: which signal, which address, reading or writing.
//!
//! The handler runs on a stack of its own, because the other one may be what overflowed; it allocates nothing and takes no lock.

#![expect(unsafe_code, reason = "signal handlers")]

use super::message::{Kind, Message};
use std::ffi::c_void;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

/// Bytes of the handler's stack: a message and a frame that holds all vector registers (AVX-512: 2.5 KiB).
const STACK: usize = 64 * 1024;

/// Signals by which the processor reports what code did.
const SIGNALS: [i32; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];

/// Code with which a process ends that has told its signal. The judge looks at the message, not at this.
const CODE: i32 = 70;

static SOCKET: AtomicI32 = AtomicI32::new(-1);
static NONCE: AtomicU64 = AtomicU64::new(0);

/// The request that is being answered: a fault answers it too.
pub(super) fn answering(nonce: u64) {
    NONCE.store(nonce, Ordering::Relaxed);
}

/// From now on each of the signals is told over the socket and ends the process.
pub(super) fn install(socket: RawFd) -> io::Result<()> {
    SOCKET.store(socket, Ordering::Relaxed);
    // SAFETY: a new private mapping; it is never given back, so the stack outlives every signal.
    let stack = unsafe {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        libc::mmap(ptr::null_mut(), STACK, access, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)
    };
    if stack == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let stack = libc::stack_t { ss_sp: stack, ss_flags: 0, ss_size: STACK };
    // SAFETY: the stack is mapped and as long as it says; the old one is not asked for.
    if unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    for signal in SIGNALS {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: all-zero is a valid `sigaction`; its fields are set before the call, which copies it.
        let done = unsafe {
            let action = action.assume_init_mut();
            action.sa_sigaction = handle as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigfillset(&raw mut action.sa_mask);
            libc::sigaction(signal, action, ptr::null_mut())
        };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

extern "C" fn handle(signal: i32, info: *mut libc::siginfo_t, context: *mut c_void) {
    // `SI_KERNEL`: the processor gave no address (a non-canonical one, or an unaligned vector).
    const NO_ADDRESS: i32 = 0x80;
    // SAFETY: the kernel passes valid pointers to a handler that asked for them.
    let (address, known) = unsafe {
        let known = (*info).si_code != NO_ADDRESS && matches!(signal, libc::SIGSEGV | libc::SIGBUS);
        ((*info).si_addr() as u64, known)
    };
    let words = [
        u64::from(signal.unsigned_abs()),
        address,
        u64::from(known),
        u64::from(was_write(context)),
        u64::from(memory_is_out()),
    ];
    let bytes = Message::new(NONCE.load(Ordering::Relaxed), Kind::Fault, &words).encode();
    // SAFETY: both calls may be made in a handler; the buffer lives on this stack.
    unsafe {
        libc::send(SOCKET.load(Ordering::Relaxed), bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL);
        libc::_exit(CODE)
    }
}

/// Whether the access was a write.
#[cfg(target_arch = "x86_64")]
fn was_write(context: *mut c_void) -> bool {
    // Bit 1 of a page fault's error code (Intel SDM volume 3, 4.7); vector 14 is the page fault.
    const WRITE: i64 = 2;
    const PAGE_FAULT: i64 = 14;
    // SAFETY: the kernel passes a valid `ucontext_t`.
    let registers = unsafe { (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    registers[libc::REG_TRAPNO as usize] == PAGE_FAULT && registers[libc::REG_ERR as usize] & WRITE != 0
}

#[cfg(not(target_arch = "x86_64"))]
fn was_write(_: *mut c_void) -> bool {
    false
}

/// Whether not even a little memory is left: then a null pointer is what a careless allocation gave.
fn memory_is_out() -> bool {
    const LITTLE: usize = 1 << 20;
    // SAFETY: a new private mapping that nobody uses; the process ends right after.
    let memory = unsafe {
        libc::mmap(ptr::null_mut(), LITTLE, libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)
    };
    memory == libc::MAP_FAILED
}
