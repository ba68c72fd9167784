//! Mappings that stay as they are: the program, the C library, the loader. A call to the system that would change one of them, make it
//! writable, replace it or empty it ends the process, so that foreign code cannot put itself in the place of a function of the worker.
//!
//! A filter of its own, below those of [`super::filter`]: it compares sums of arguments, which their rules do not.

use super::filter::FilterError;
use seccompiler::{BpfProgram, sock_filter};
use std::io;
use std::ops::Range;

/// The classic instructions (linux/filter.h): loads, stores, sums, jumps, the end. `A` is the accumulator, `X` the other register.
mod op {
    pub(super) const LOAD: u16 = 0x20;
    pub(super) const NUMBER: u16 = 0x00;
    pub(super) const LOAD_KEPT: u16 = 0x60;
    pub(super) const X_KEPT: u16 = 0x61;
    pub(super) const KEEP: u16 = 0x02;
    pub(super) const TO_X: u16 = 0x07;
    pub(super) const ADD_X: u16 = 0x0c;
    pub(super) const GO: u16 = 0x05;
    pub(super) const IF_EQUAL: u16 = 0x15;
    pub(super) const IF_MORE: u16 = 0x25;
    pub(super) const IF_NOT_LESS: u16 = 0x35;
    pub(super) const IF_NOT_LESS_X: u16 = 0x3d;
    pub(super) const IF_ANY: u16 = 0x45;
    pub(super) const END: u16 = 0x06;
}

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;

/// Kept words: the first address and the one behind the last, each as its low and its high half.
const FIRST: [u32; 2] = [0, 1];
const BEHIND: [u32; 2] = [2, 3];

/// No address of a process has bits above these; in the highest byte a processor may let a program keep a note of its own.
const HIGHEST: u32 = 0x00ff_ffff;

/// Where the files of this process and the system's own pages are mapped.
pub(super) fn mapped() -> io::Result<Vec<Range<u64>>> {
    Ok(listed(&std::fs::read_to_string("/proc/self/maps")?))
}

/// The ranges of a list like `/proc/self/maps` that lie in a file or are the system's; neighbours as one.
fn listed(maps: &str) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for line in maps.lines() {
        // `first-behind rights offset device inode name`
        let mut words = line.split_ascii_whitespace();
        let (Some(range), Some(name)) = (words.next(), words.nth(4)) else { continue };
        let ends = range.split_once('-').map(|(first, behind)| [first, behind]);
        let Some([Ok(first), Ok(behind)]) = ends.map(|ends| ends.map(|end| u64::from_str_radix(end, 16)))
        else {
            continue;
        };
        if !name.starts_with('/') && !name.starts_with("[v") {
            continue;
        }
        match ranges.last_mut() {
            Some(last) if last.end == first => last.end = behind,
            _ => ranges.push(first..behind),
        }
    }
    ranges
}

/// From now on whatever would change these ranges ends the process.
pub(super) fn keep(ranges: &[Range<u64>]) -> Result<(), FilterError> {
    Ok(seccompiler::apply_filter_all_threads(&program(ranges))?)
}

fn step(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

/// A step that goes on as many steps further.
fn jump(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

fn low(word: u64) -> u32 {
    word as u32
}

fn high(word: u64) -> u32 {
    (word >> 32) as u32
}

/// Where an argument of the call lies (`struct seccomp_data`), low half first on every machine that is served.
fn argument(at: u32) -> [u32; 2] {
    [16 + 8 * at, 20 + 8 * at]
}

fn program(ranges: &[Range<u64>]) -> BpfProgram {
    let [flags, _] = argument(3);
    let call = |number: libc::c_long, to: u8| jump(op::IF_EQUAL, number as u32, to, 0);
    let mut program = vec![
        step(op::LOAD, 0),
        call(libc::SYS_mprotect, 11),
        call(libc::SYS_munmap, 10),
        call(libc::SYS_madvise, 9),
        call(libc::SYS_mremap, 2),
        call(libc::SYS_mmap, 4),
        step(op::END, ALLOW),
        // Memory that grows may move, and nobody but the system says where to.
        step(op::LOAD, flags),
        jump(op::IF_ANY, (libc::MREMAP_FIXED | libc::MREMAP_DONTUNMAP).unsigned_abs(), 0, 4),
        step(op::END, KILL),
        // A new mapping replaces another only at a place that is asked for.
        step(op::LOAD, flags),
        jump(op::IF_ANY, libc::MAP_FIXED.unsigned_abs(), 1, 0),
        step(op::END, ALLOW),
    ];
    program.extend(ends());
    program.extend(ranges.iter().flat_map(touches));
    program.push(step(op::END, ALLOW));
    program
}

/// Keeps the first address and the one behind the last, the sum of two arguments. A sum that wraps around is one that the system refuses.
fn ends() -> [sock_filter; 23] {
    let ([from, from_high], [len, len_high]) = (argument(0), argument(1));
    [
        step(op::LOAD, from_high),
        jump(op::IF_MORE, HIGHEST, 0, 1),
        step(op::END, KILL),
        step(op::KEEP, FIRST[1]),
        step(op::LOAD, from),
        step(op::KEEP, FIRST[0]),
        step(op::LOAD, len),
        step(op::TO_X, 0),
        step(op::LOAD_KEPT, FIRST[0]),
        step(op::ADD_X, 0),
        step(op::KEEP, BEHIND[0]),
        // A sum below what it is a sum of: one is carried.
        step(op::X_KEPT, FIRST[0]),
        jump(op::IF_NOT_LESS_X, 0, 2, 0),
        step(op::NUMBER, 1),
        step(op::GO, 1),
        step(op::NUMBER, 0),
        step(op::TO_X, 0),
        step(op::LOAD_KEPT, FIRST[1]),
        step(op::ADD_X, 0),
        step(op::TO_X, 0),
        step(op::LOAD, len_high),
        step(op::ADD_X, 0),
        step(op::KEEP, BEHIND[1]),
    ]
}

/// Ends the process where the kept range and this one have a byte in common.
fn touches(range: &Range<u64>) -> [sock_filter; 11] {
    [
        step(op::LOAD_KEPT, FIRST[1]),
        jump(op::IF_MORE, high(range.end), 9, 0),
        jump(op::IF_EQUAL, high(range.end), 0, 2),
        step(op::LOAD_KEPT, FIRST[0]),
        jump(op::IF_NOT_LESS, low(range.end), 6, 0),
        step(op::LOAD_KEPT, BEHIND[1]),
        jump(op::IF_MORE, high(range.start), 3, 0),
        jump(op::IF_EQUAL, high(range.start), 0, 3),
        step(op::LOAD_KEPT, BEHIND[0]),
        jump(op::IF_MORE, low(range.start), 0, 1),
        step(op::END, KILL),
    ]
}

#[cfg(test)]
mod tests {
    use super::{ALLOW, KILL, listed, op, program};
    use proptest::prelude::*;
    use seccompiler::sock_filter;
    use std::ops::Range;

    /// What the system does with a filter.
    fn run(program: &[sock_filter], number: libc::c_long, arguments: [u64; 6]) -> u32 {
        let mut data = [0_u32; 16];
        data[0] = number as u32;
        for (at, value) in arguments.iter().enumerate() {
            (data[4 + 2 * at], data[5 + 2 * at]) = (*value as u32, (value >> 32) as u32);
        }
        let (mut a, mut x, mut kept, mut at) = (0_u32, 0_u32, [0_u32; 16], 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            let mut go = |yes: bool| at += usize::from(if yes { jt } else { jf });
            match code {
                op::LOAD => a = data[k as usize / 4],
                op::NUMBER => a = k,
                op::LOAD_KEPT => a = kept[k as usize],
                op::X_KEPT => x = kept[k as usize],
                op::KEEP => kept[k as usize] = a,
                op::TO_X => x = a,
                op::ADD_X => a = a.wrapping_add(x),
                op::GO => at += k as usize,
                op::IF_EQUAL => go(a == k),
                op::IF_MORE => go(a > k),
                op::IF_NOT_LESS => go(a >= k),
                op::IF_NOT_LESS_X => go(a >= x),
                op::IF_ANY => go(a & k != 0),
                op::END => return k,
                other => panic!("no such instruction: {other:#x}"),
            }
        }
    }

    proptest! {
        #[test]
        fn only_what_touches_a_range_ends(
            ranges in prop::collection::vec((any::<u32>(), 1_u64..1 << 34), 0..4), first in any::<u32>(), len in 0_u64..1 << 34, low: u8,
            anywhere: bool,
        ) {
            // Pages, so that neighbours are as likely as what lies far away.
            let place = |page: u32| u64::from(page % 4096) << 32 | u64::from(page >> 12) << 12;
            let ranges: Vec<Range<u64>> = ranges.iter().map(|(page, len)| place(*page)..place(*page) + len).collect();
            let near = ranges.first().map_or(0, |range| range.end.wrapping_sub(u64::from(low)));
            let first = if anywhere { place(first) } else { near };
            let touches = ranges.iter().any(|range| first < range.end && first + len > range.start);
            let program = program(&ranges);
            for call in [libc::SYS_mprotect, libc::SYS_munmap, libc::SYS_madvise, libc::SYS_mremap] {
                let said = run(&program, call, [first, len, 0, 0, 0, 0]);
                prop_assert_eq!(said == KILL, touches, "{:?} {:#x} {:#x}", ranges, first, len);
            }
            let fixed = (libc::MAP_FIXED | libc::MAP_PRIVATE).unsigned_abs().into();
            prop_assert_eq!(run(&program, libc::SYS_mmap, [first, len, 3, fixed, 0, 0]) == KILL, touches);
            prop_assert_eq!(run(&program, libc::SYS_mmap, [first, len, 3, 2, 0, 0]), ALLOW);
            prop_assert_eq!(run(&program, libc::SYS_read, [first, len, 3, fixed, 0, 0]), ALLOW);
            prop_assert_eq!(run(&program, libc::SYS_mremap, [first, len, len, 3, 0, 0]), KILL);
            prop_assert_eq!(run(&program, libc::SYS_mprotect, [first | 1 << 56, len, 3, 0, 0, 0]), KILL);
        }
    }

    #[test]
    fn files_and_the_system_s_own_pages_are_listed() {
        let maps = "1000-2000 r--p 00000000 08:01 7 /bin/worker\n\
                    2000-3000 rw-p 00001000 08:01 7 /bin/worker\n\
                    3000-4000 rw-p 00000000 00:00 0 \n\
                    5000-6000 rw-p 00000000 00:00 0 [heap]\n\
                    7fff00000000-7fff00002000 r-xp 00000000 08:01 8 /lib/libc.so.6 (deleted)\n\
                    7fff10000000-7fff10001000 r-xp 00000000 00:00 0 [vdso]\n\
                    7fff20000000-7fff20001000 rw-p 00000000 00:00 0 [stack]\n";
        assert_eq!(
            listed(maps),
            [0x1000..0x3000, 0x7fff_0000_0000..0x7fff_0000_2000, 0x7fff_1000_0000..0x7fff_1000_1000]
        );
    }
}
