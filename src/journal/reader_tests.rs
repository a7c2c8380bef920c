use std::fs;

use super::*;
use crate::engine::Event;
use crate::journal::record::{Clock, Wall, write_line};
use crate::journal::{FaultyDisk, FileStore, Writer, audit};
use crate::model::{RunId, Time};

pub(in crate::journal) fn header() -> Header {
    Header {
        format: 1,
        journal: JOURNAL,
        tool: "0.1.0".to_owned(),
        engine: 1,
        run: RunId("r1".to_owned()),
        document: "d".to_owned(),
        parts: std::collections::BTreeMap::new(),
        vars: std::collections::BTreeMap::new(),
        base: "/srv".to_owned(),
        user: "ops".to_owned(),
        env: std::collections::BTreeMap::new(),
        scripts: std::collections::BTreeMap::new(),
        beforehand: crate::journal::Beforehand::default(),
        seed: 42,
        wall: Wall::from_millis(0),
        clock: Clock { boot: "b".to_owned(), ms: 0 },
    }
}

pub(in crate::journal) fn record(evidence: &str) -> Record {
    Record {
        n: FactId(0),
        group: 0,
        more: 0,
        at: Time::ZERO,
        wall: Wall::from_millis(0),
        event: Event::RunBegan,
        evidence: Some(evidence.to_owned()),
        outputs: std::collections::BTreeMap::new(),
        baseline: std::collections::BTreeMap::new(),
        spent: std::collections::BTreeMap::new(),
        after: std::collections::BTreeMap::new(),
        sent: None,
        who: None,
        clock: None,
        extend: Vec::new(),
        decided: Vec::new(),
    }
}

/// A journal with groups of these sizes, closed.
pub(in crate::journal) fn journal(groups: &[usize]) -> Vec<u8> {
    let disk = FaultyDisk::default();
    let mut writer = Writer::begin(Box::new(FileStore::new(disk.clone(), 0, 0)), header()).expect("begun");
    for size in groups {
        let mut records: Vec<_> = (0..*size).map(|n| record(&format!("{n} of {size}"))).collect();
        writer.append(&writer.encode(&mut records)).expect("appended");
    }
    writer.close().expect("closed");
    disk.seen()
}

/// The records in whole groups, and how it ends.
fn read(bytes: &[u8]) -> Result<(usize, Ending), ReadError> {
    let (_, mut reader) = Reader::new(bytes)?;
    let (mut group, mut count) = (Vec::new(), 0);
    while reader.next_group(&mut group)? {
        count += group.len();
    }
    Ok((count, reader.position().ending))
}

/// Where the lines of a journal begin, and its length.
pub(in crate::journal) fn starts(bytes: &[u8]) -> Vec<usize> {
    let ends = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(ends).collect()
}

#[test]
fn what_was_written_is_read_back_with_or_without_the_fill_behind_it() {
    let mut bytes = journal(&[1, 3, 2]);
    assert_eq!(read(&bytes), Ok((6, Ending::Whole)));
    bytes.extend_from_slice(&[b'\n'; 5000]);
    assert_eq!(read(&bytes), Ok((6, Ending::Whole)));
}

/// Written by hand from what `record` specifies, not by this tool; it may never change.
#[test]
fn a_journal_of_version_1_is_read_for_ever_and_written_the_same() {
    let kept = include_bytes!("../../tests/journals/1.jsonl");
    let (header, mut reader) = Reader::new(kept).expect("a header");
    let disk = FaultyDisk::default();
    let mut writer = Writer::begin(Box::new(FileStore::new(disk.clone(), 0, 0)), header).expect("begun");
    let mut group = Vec::new();
    while reader.next_group(&mut group).expect("not damaged") {
        writer.append(&writer.encode(&mut group)).expect("appended");
    }
    assert_eq!((reader.position().ending, reader.position().last), (Ending::Whole, FactId(16)));
    writer.close().expect("closed");
    assert_eq!(String::from_utf8_lossy(&disk.seen()), String::from_utf8_lossy(kept));
}

#[test]
fn a_last_group_torn_at_any_byte_is_cut_and_nothing_else() {
    let bytes = journal(&[1, 2, 3]);
    let last = starts(&bytes)[4];
    for length in last + 1..bytes.len() {
        for fill in [0, 700] {
            let mut torn = bytes[..length].to_vec();
            torn.resize(length + fill, b'\n');
            let (count, ending) = read(&torn).unwrap_or_else(|e| panic!("cut at {length}: {e}"));
            // With newlines behind it, a group that lacks only its last newline is whole.
            let whole = length == bytes.len() - 1 && fill > 0;
            assert_eq!(count, if whole { 6 } else { 3 }, "cut at {length}");
            assert_eq!(ending == Ending::Whole, whole, "cut at {length}");
        }
    }
    assert_eq!(read(&bytes[..last]), Ok((3, Ending::Whole)));
}

#[test]
fn a_torn_group_with_a_whole_later_record_is_cut() {
    let bytes = journal(&[1, 3]);
    let lines = starts(&bytes);
    for filler in [b'\n', 0] {
        let mut torn = bytes.clone();
        // The middle of the group never reached the disk; its last record did.
        torn[lines[3]..lines[4] - 1].fill(filler);
        let (count, ending) = read(&torn).expect("torn, not damaged");
        assert_eq!(count, 1);
        assert!(matches!(ending, Ending::Torn(Torn { line: 3, .. })), "{ending:?}");
    }
}

#[test]
fn a_bit_flipped_in_an_old_group_is_refused() {
    let bytes = journal(&[1, 2, 1]);
    let lines = starts(&bytes);
    for at in 0..lines[4] {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        let line = lines.iter().filter(|start| **start <= at).count() as u64;
        match read(&flipped) {
            Err(ReadError::Damaged { line: said, .. }) => assert_eq!(said, line, "at {at}"),
            other => panic!("a bit flipped at {at} gave {other:?}"),
        }
    }
}

#[test]
fn a_record_taken_out_or_put_twice_is_refused() {
    let bytes = journal(&[1, 1, 1, 1]);
    let lines = starts(&bytes);
    let without = [&bytes[..lines[2]], &bytes[lines[3]..]].concat();
    let twice = [&bytes[..lines[3]], &bytes[lines[2]..]].concat();
    assert!(matches!(read(&without), Err(ReadError::Damaged { line: 3, .. })));
    assert!(matches!(read(&twice), Err(ReadError::Damaged { line: 4, .. })));
}

#[test]
fn a_file_without_a_whole_header_is_a_run_that_never_began() {
    let bytes = journal(&[]);
    for length in 0..bytes.len() {
        assert_eq!(read(&bytes[..length]), Err(ReadError::NoHeader), "cut at {length}");
    }
}

#[test]
fn a_torn_end_is_kept_aside_and_the_run_goes_on_behind_the_last_whole_group() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal.jsonl");
    let bytes = journal(&[2, 2]);
    let end = starts(&bytes)[3];
    for round in 1..=2 {
        let torn = [&bytes[..bytes.len() - 10], b"\n\n\n".as_slice()].concat();
        fs::write(&path, &torn).expect("written");
        let opened = Writer::open(&path).expect("opened");
        let mut reader = Reader::new(&opened.bytes).expect("a header").1;
        while reader.next_group(&mut Vec::new()).expect("not damaged") {}
        let position = reader.position();
        let (mut writer, cut) = opened.go_on(position).expect("cut");
        let aside = cut.and_then(|t| t.aside).expect("kept aside");
        assert_eq!(aside, folder.path().join(format!("journal.torn-{round}")));
        assert_eq!(fs::read(&aside).expect("read"), &torn[end..torn.len() - 3]);
        writer.append(&writer.encode(&mut [record("again")])).expect("appended");
        writer.close().expect("closed");
        assert_eq!(read(&fs::read(&path).expect("read")), Ok((3, Ending::Whole)));
    }
}

#[test]
fn an_audit_proves_a_file_up_to_the_head_that_was_printed() {
    let bytes = journal(&[1, 2, 3]);
    let lines = starts(&bytes);
    let early = audit(&bytes[..lines[4]], None).expect("whole").head;
    let proved = audit(&bytes, Some(early)).expect("whole");
    assert_eq!((proved.records, proved.groups, proved.proved), (6, 3, Some(FactId(3))));
    assert_eq!(audit(&bytes, Some(proved.head)).expect("whole").proved, Some(FactId(6)));
    assert!(audit(&bytes[..lines[4]], Some(proved.head)).is_err(), "a file cut short does not have that head");
}

#[test]
fn an_audit_proves_lines_whatever_they_say_as_long_as_they_stand_where_they_should() {
    let mut bytes = journal(&[1]);
    let head = audit(&bytes, None).expect("whole").head;
    write_line(&serde_json::json!({"n": 2, "group": 2, "event": "of_another_tool"}), head, &mut bytes);
    assert!(matches!(read(&bytes), Err(ReadError::Strange { line: 3, .. })), "nobody can take that up");
    let proved = audit(&bytes, None).expect("whole");
    assert_eq!((proved.records, proved.groups), (2, 2));

    write_line(&serde_json::json!({"n": 4, "group": 3}), proved.head, &mut bytes);
    let refused = audit(&bytes, None).expect_err("there is no record 3").to_string();
    assert_eq!(refused, "understand line 4 of the journal: record 4 stands where 3 belongs");
}

#[test]
fn the_ten_lines_of_python_prove_a_file() {
    let script: String = include_str!("record.rs")
        .lines()
        .skip_while(|l| *l != "//! ```python")
        .skip(1)
        .take_while(|l| *l != "//! ```")
        .map(|l| l.strip_prefix("//! ").unwrap_or("").to_owned() + "\n")
        .collect();
    assert!(script.lines().count() <= 11, "{script}");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal.jsonl");
    let prove = |bytes: &[u8]| {
        fs::write(&path, bytes).expect("written");
        std::process::Command::new("python3").arg("-c").arg(&script).arg(&path).output().ok()
    };
    let mut bytes = journal(&[1, 2]);
    bytes.extend_from_slice(b"\n\n\n");
    let Some(output) = prove(&bytes) else { return eprintln!("no python3 here: not tested") };
    let head = audit(&bytes, None).expect("whole").head;
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), head.as_str(), "{output:?}");
    let length = bytes.len();
    bytes[length / 2] ^= 1;
    assert!(!prove(&bytes).expect("it ran before").status.success());
}
