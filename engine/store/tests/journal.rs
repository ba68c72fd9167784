//! The journal: round trips, torn tails, damage, rewriting, and the checks of a live writer.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod common;

use assay_protocol::Event;
use assay_store::{HeadCheck, JournalError, JournalWriter, StoreError};
use common::{BOOT, Bench, note};
use std::fs;
use std::sync::{Arc, Mutex};

#[test]
fn records_come_back_in_order_with_the_chain() {
    let bench = Bench::filled(600, true);
    let mut seen = Vec::new();
    let journal = assay_store::for_each_record(&bench.run, &bench.head, |record| {
        seen.push((record.seq, record.ts, record.event.clone()));
    })
    .unwrap();
    assert_eq!(seen.len(), 600);
    for (index, (seq, ts, event)) in seen.iter().enumerate() {
        let number = index as u64 + 1;
        assert_eq!((*seq, *ts, event), (number, number as f64, &note(number)));
    }
    assert_eq!((journal.records, journal.last_ts, journal.dropped_bytes), (600, 600.0, 0));
    assert_eq!(journal.head, HeadCheck::Matches);
    assert_eq!(journal.state.notes.len(), 600);
    assert_eq!(journal.length, fs::metadata(bench.journal_path()).unwrap().len());
    let text = fs::read_to_string(bench.journal_path()).unwrap();
    let first = text.lines().next().unwrap();
    let zeros = "0".repeat(32);
    let head =
        format!("{{\"v\":1,\"seq\":1,\"ts\":1.000000,\"prev\":\"{zeros}\",\"type\":\"note\",\"data\":{{");
    assert!(first.starts_with(&head), "{first}");
    let second: serde_json::Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
    let hash = assay_store::blake3_hex(format!("{first}\n").as_bytes());
    assert_eq!(second["prev"], hash[..32]);
}

#[test]
fn every_record_is_reported_durable_once_and_in_order() {
    let bench = Bench::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&told);
    let path = bench.journal_path();
    let on_durable = Box::new(move |seq| {
        let lines = fs::read(&path).unwrap().iter().filter(|byte| **byte == b'\n').count() as u64;
        sink.lock().unwrap().push((seq, lines));
    });
    let writer =
        JournalWriter::create(&bench.run, &bench.head, on_durable, Box::new(|error| panic!("{error}")))
            .unwrap();
    for number in 1..=1000 {
        assert_eq!(writer.append(0.0, note(number)), number);
    }
    writer.hurry(1000);
    writer.flush().unwrap();
    assert_eq!(writer.durable(), 1000);
    drop(writer);
    let told = told.lock().unwrap();
    assert_eq!(told.last().unwrap().0, 1000);
    assert!(told.iter().all(|(seq, lines)| seq == lines), "{told:?}");
    assert!(told.windows(2).all(|pair| pair[0].0 < pair[1].0));
}

#[test]
fn a_clock_set_back_does_not_make_time_run_backwards() {
    let bench = Bench::new();
    let (writer, _) = bench.writer();
    for ts in [10.0, 5.0, f64::NAN, 11.0] {
        writer.append(ts, note(1));
    }
    writer.close().unwrap();
    let mut times = Vec::new();
    assay_store::for_each_record(&bench.run, &bench.head, |record| times.push(record.ts)).unwrap();
    assert_eq!(times, [10.0, 10.0, 10.0, 11.0]);
}

#[test]
fn cut_at_every_byte_of_the_last_record() {
    for grouped in [false, true] {
        let bench = Bench::filled(5, grouped);
        let whole = fs::read(bench.journal_path()).unwrap();
        let head = fs::read(bench.head.path()).unwrap();
        let start = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
        for cut in start..whole.len() {
            fs::write(bench.journal_path(), &whole[..cut]).unwrap();
            fs::write(bench.head.path(), &head).unwrap();
            let journal = bench.read().unwrap();
            assert_eq!((journal.records, journal.dropped_bytes), (4, (cut - start) as u64), "cut at {cut}");
            assert_eq!(journal.state.notes.len(), 4);
            let writer = bench.resume(&journal);
            assert_eq!(writer.append(9.0, note(55)), 5);
            writer.close().unwrap();
            let again = bench.read().unwrap();
            assert_eq!((again.records, again.dropped_bytes, again.head), (5, 0, HeadCheck::Matches));
            assert_eq!(Event::Note(again.state.notes[4].clone()), note(55));
        }
    }
}

#[test]
fn a_flipped_byte_is_never_accepted() {
    for grouped in [false, true] {
        let bench = Bench::filled(4, grouped);
        let whole = fs::read(bench.journal_path()).unwrap();
        let mut refused = 0;
        for position in 0..whole.len() {
            for flip in [0x01, 0x02, 0x20, 0x80, whole[position], whole[position] ^ b'\n'] {
                let mut changed = whole.clone();
                changed[position] ^= flip;
                if changed == whole {
                    continue;
                }
                fs::write(bench.journal_path(), &changed).unwrap();
                match bench.read() {
                    Err(_) => refused += 1,
                    Ok(journal) => {
                        assert!(journal.dropped_bytes > 0, "byte {position} ^ {flip:#x} was accepted");
                        assert_eq!(journal.records, 3, "byte {position} ^ {flip:#x} dropped too much");
                    }
                }
            }
        }
        assert!(refused > whole.len() * 3, "{refused} of {}", whole.len());
    }
}

#[test]
fn without_a_stored_head_the_chain_still_guards_all_but_the_last_record() {
    let bench = Bench::filled(3, false);
    bench.head.remove().unwrap();
    let whole = fs::read(bench.journal_path()).unwrap();
    assert_eq!(bench.read().unwrap().head, HeadCheck::Missing);
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
    for position in 0..last {
        let mut changed = whole.clone();
        changed[position] ^= 1;
        fs::write(bench.journal_path(), &changed).unwrap();
        assert!(bench.read().is_err(), "byte {position} was accepted");
    }
}

#[test]
fn damage_in_the_middle_is_refused_with_its_place() {
    let bench = Bench::filled(5, false);
    let text = fs::read_to_string(bench.journal_path()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let broken = text.replace(lines[2], "{\"v\":1,");
    fs::write(bench.journal_path(), broken).unwrap();
    let Err(JournalError::Corrupt { line, offset, what }) = bench.read() else { panic!("accepted") };
    assert_eq!((line, offset as usize), (3, lines[0].len() + lines[1].len() + 2));
    assert!(what.contains("not a record"), "{what}");
    let removed = format!("{}\n{}\n{}\n", lines[0], lines[2], lines[3]);
    fs::write(bench.journal_path(), removed).unwrap();
    assert!(matches!(bench.read(), Err(JournalError::Corrupt { line: 2, .. })));
}

#[test]
fn newer_records_are_refused_as_newer() {
    let bench = Bench::filled(2, false);
    let text = fs::read_to_string(bench.journal_path()).unwrap();
    fs::write(bench.journal_path(), format!("{text}{{\"v\":2,\"other\":true}}\n")).unwrap();
    assert!(matches!(bench.read(), Err(JournalError::Newer { line: 3, .. })));
    bench.head.remove().unwrap();
    fs::write(bench.journal_path(), text.replacen("\"type\":\"note\"", "\"type\":\"song\"", 1)).unwrap();
    assert!(matches!(bench.read(), Err(JournalError::Newer { line: 1, .. })));
}

#[test]
fn a_zeroed_tail_is_dropped() {
    let bench = Bench::filled(3, true);
    let whole = fs::read(bench.journal_path()).unwrap();
    let mut zeroed = whole.clone();
    zeroed.extend_from_slice(&[0; 5000]);
    fs::write(bench.journal_path(), &zeroed).unwrap();
    let journal = bench.read().unwrap();
    assert_eq!((journal.records, journal.dropped_bytes), (3, 5000));
    let start = whole.len() - 40;
    zeroed[start..].fill(0);
    fs::write(bench.journal_path(), &zeroed).unwrap();
    assert_eq!(bench.read().unwrap().records, 2);
}

#[test]
fn a_journal_rewritten_with_a_valid_chain_is_tampered() {
    let bench = Bench::filled(5, false);
    let other = Bench::new();
    let (writer, _) = other.writer();
    for number in 1..=5 {
        writer.append(number as f64, note(number + u64::from(number == 2)));
    }
    writer.close().unwrap();
    fs::copy(other.journal_path(), bench.journal_path()).unwrap();
    assert!(matches!(bench.read(), Err(JournalError::Tampered { .. })));
    bench.head.remove().unwrap();
    assert_eq!(bench.read().unwrap().head, HeadCheck::Missing);
}

#[test]
fn losing_more_than_the_last_group_is_tampered() {
    let bench = Bench::filled(5, false);
    let whole = fs::read(bench.journal_path()).unwrap();
    let ends: Vec<usize> = (0..whole.len()).filter(|index| whole[*index] == b'\n').collect();
    fs::write(bench.journal_path(), &whole[..=ends[2]]).unwrap();
    assert!(matches!(bench.read(), Err(JournalError::Tampered { .. })));
    fs::write(bench.journal_path(), "").unwrap();
    assert!(matches!(bench.read(), Err(JournalError::Tampered { .. })));
}

#[test]
fn a_head_behind_is_accepted_only_after_a_reboot() {
    let bench = Bench::new();
    let (writer, _) = bench.writer();
    writer.append(1.0, note(1));
    writer.flush().unwrap();
    let old = fs::read(bench.head.path()).unwrap();
    for number in 2..=4 {
        writer.append(1.0, note(number));
        writer.flush().unwrap();
    }
    drop(writer);
    fs::write(bench.head.path(), old).unwrap();
    assert!(matches!(bench.read(), Err(JournalError::Tampered { .. })));
    let state = bench.root.path().join("state");
    let rebooted = assay_store::Head::at(&state, bench.run.id(), &BOOT.replace('0', "f"));
    let journal = assay_store::read(&bench.run, &rebooted).unwrap();
    assert_eq!((journal.records, journal.head), (4, HeadCheck::Behind { vouched: 1 }));

    let closed = Bench::filled(3, false);
    let mut text = fs::read_to_string(closed.journal_path()).unwrap();
    let hash = assay_store::blake3_hex(format!("{}\n", text.lines().last().unwrap()).as_bytes());
    let forged = text.lines().last().unwrap().replace("\"seq\":3", "\"seq\":4");
    let before = forged.find("\"prev\":\"").unwrap() + 8;
    text.push_str(&format!("{}{}{}\n", &forged[..before], &hash[..32], &forged[before + 32..]));
    fs::write(closed.journal_path(), text).unwrap();
    let state = closed.root.path().join("state");
    let rebooted = assay_store::Head::at(&state, closed.run.id(), "another");
    let read = assay_store::read(&closed.run, &rebooted);
    assert!(matches!(read, Err(JournalError::Tampered { .. })), "{read:?}");
}

#[test]
fn a_missing_journal_says_so_and_an_unreadable_head_is_noted() {
    let bench = Bench::new();
    assert!(matches!(bench.read(), Err(JournalError::Missing { .. })));
    let bench = Bench::filled(2, false);
    fs::write(bench.head.path(), [0; 100]).unwrap();
    assert_eq!(bench.read().unwrap().head, HeadCheck::Unreadable);
    fs::write(bench.journal_path(), "").unwrap();
    assert_eq!(bench.read().unwrap().records, 0);
}

/// Each way of changing a live journal is seen before a gate, and stops the writer.
#[test]
fn a_live_journal_that_changes_is_noticed() {
    let ways: [fn(&Bench); 5] = [
        |bench| {
            use std::io::Write as _;
            let mut file = fs::File::options().append(true).open(bench.journal_path()).unwrap();
            file.write_all(b"{}\n").unwrap();
        },
        |bench| fs::remove_file(bench.journal_path()).unwrap(),
        |bench| {
            let aside = bench.run.path().join("aside");
            fs::copy(bench.journal_path(), &aside).unwrap();
            fs::rename(aside, bench.journal_path()).unwrap();
        },
        |bench| {
            let text = fs::read_to_string(bench.journal_path()).unwrap();
            fs::write(bench.journal_path(), text.replace("step[3]", "step[4]")).unwrap();
        },
        |bench| {
            let other = Bench::filled(2, false);
            fs::copy(other.head.path(), bench.head.path()).unwrap();
        },
    ];
    for (index, change) in ways.iter().enumerate() {
        let bench = Bench::new();
        let (writer, errors) = bench.writer();
        for number in 1..=3 {
            writer.append(1.0, note(number));
        }
        writer.flush().unwrap();
        writer.verify_live().unwrap();
        change(&bench);
        let found = writer.verify_live();
        assert!(matches!(found, Err(StoreError::Tampered { .. })), "way {index}: {found:?}");
        if index < 4 {
            writer.append(2.0, note(4));
            assert!(matches!(writer.flush(), Err(StoreError::Stopped)));
            assert_eq!(writer.append(2.0, note(5)), 5);
            assert!(matches!(writer.close(), Err(StoreError::Stopped)));
            let errors = errors.lock().unwrap();
            assert!(matches!(errors.as_slice(), [StoreError::Tampered { .. }]), "way {index}: {errors:?}");
        }
    }
}

#[test]
fn readers_beside_a_writer_always_see_a_sound_journal() {
    let bench = Bench::new();
    let (writer, errors) = bench.writer();
    let mut seen = 0;
    for round in 0..200 {
        for number in 0..10 {
            writer.append(1.0, note(round * 10 + number));
        }
        if round % 3 == 0 {
            writer.hurry(u64::MAX);
        }
        let durable = writer.durable();
        let journal = bench.read().unwrap();
        assert!(journal.records >= durable.max(seen), "{} < {durable}", journal.records);
        assert_eq!(journal.head, HeadCheck::Matches);
        seen = journal.records;
    }
    writer.close().unwrap();
    assert_eq!(bench.read().unwrap().records, 2000);
    assert!(errors.lock().unwrap().is_empty());
}

#[test]
fn a_planted_journal_is_not_followed() {
    let bench = Bench::filled(2, false);
    let aside = bench.root.path().join("aside");
    fs::rename(bench.journal_path(), &aside).unwrap();
    std::os::unix::fs::symlink(&aside, bench.journal_path()).unwrap();
    assert!(matches!(bench.read(), Err(JournalError::Store(StoreError::Planted { .. }))));
}
