use super::super::reader::tests::{header, record};
use super::super::{Faults, FaultyDisk};
use super::*;

fn begin(disk: &FaultyDisk) -> Writer {
    Writer::begin(Box::new(FileStore::new(disk.clone(), 0, 0)), header()).expect("begun")
}

fn append(writer: &mut Writer, evidence: &str) -> Result<(), JournalError> {
    let group = writer.encode(&mut [record(evidence)]);
    writer.append(&group)
}

fn whole_records(bytes: &[u8]) -> u64 {
    super::super::audit(bytes, None).expect("not damaged").records
}

#[test]
fn a_failed_sync_is_final() {
    let disk = FaultyDisk::default();
    let mut writer = begin(&disk);
    append(&mut writer, "kept").expect("appended");
    disk.set_faults(Faults { failing_syncs: vec![disk.syncs() + 1], ..Faults::default() });
    append(&mut writer, "not known").expect_err("the sync failed");
    let refused = append(&mut writer, "never").expect_err("nothing after a failure");
    assert!(matches!(refused, JournalError::Store(StoreError::Dead)), "{refused}");
    assert!(matches!(writer.ensure_room(1), Err(NoRoom::Broken(StoreError::Dead))));
    assert_eq!(whole_records(&disk.after_power_failure()), 1);
}

#[test]
fn a_short_write_is_final_and_leaves_a_torn_group() {
    for kept in [0, 1, 100] {
        let disk = FaultyDisk::new(Faults { failing_writes: vec![(2, kept)], ..Faults::default() });
        let mut writer = begin(&disk);
        append(&mut writer, "torn").expect_err("the write failed");
        append(&mut writer, "never").expect_err("nothing after a failure");
        assert_eq!(whole_records(&disk.seen()), 0);
    }
}

#[test]
fn one_group_is_one_sync_and_all_of_it_survives_the_power_failure_behind_it() {
    let disk = FaultyDisk::default();
    let mut writer = begin(&disk);
    for round in 0..5000 {
        let before = disk.syncs();
        let group = writer.encode(&mut [record("a"), record("b")]);
        writer.append(&group).expect("appended");
        assert_eq!(disk.syncs(), before + 1);
        if round % 1000 == 0 {
            assert_eq!(whole_records(&disk.after_power_failure()), 2 * (round + 1));
        }
    }
}

#[test]
fn what_was_reserved_can_be_written_on_a_full_disk() {
    let disk = FaultyDisk::default();
    let mut writer = begin(&disk);
    writer.ensure_room(20_000_000).expect("room");
    disk.set_faults(Faults { capacity: Some(0), ..Faults::default() });
    let text = "x".repeat(1000);
    for _ in 0..15_000 {
        append(&mut writer, &text).expect("reserved");
    }
    writer.ensure_room(20_000_000).expect_err("the disk is full");
    append(&mut writer, "still").expect("asking in vain did no harm");
    assert_eq!(whole_records(&disk.after_power_failure()), 15_001);
}

#[test]
fn a_disk_too_full_to_fill_ahead_still_takes_lines_while_they_fit() {
    let disk = FaultyDisk::new(Faults { capacity: Some(20_000), ..Faults::default() });
    let mut writer = begin(&disk);
    append(&mut writer, "a").expect("fits");
    assert!(matches!(writer.ensure_room(40_000), Err(NoRoom::Full { .. })));
    writer.ensure_room(5_000).expect("that much there is");
    append(&mut writer, "b").expect("fits");
    assert_eq!(whole_records(&disk.after_power_failure()), 2);
}

/// Reads all of it, and goes on behind that.
fn go_on(disk: &FaultyDisk) -> Result<Writer, JournalError> {
    let opened = Opened::new(disk.seen(), Box::new(disk.clone()));
    let mut reader = super::super::Reader::new(&opened.bytes).expect("a header").1;
    while reader.next_group(&mut Vec::new()).expect("not damaged") {}
    let position = reader.position();
    opened.go_on(position).map(|(writer, _)| writer)
}

#[test]
fn room_that_an_earlier_process_wrote_ahead_is_synced_and_not_written_again() {
    let disk = FaultyDisk::default();
    let mut writer = begin(&disk);
    writer.ensure_room(20_000_000).expect("room");
    append(&mut writer, "a").expect("appended");
    drop(writer);

    let again = FaultyDisk::holding(disk.after_power_failure());
    let mut writer = go_on(&again).expect("taken up");
    assert_eq!(again.syncs(), 1, "whether the other process had synced it is not known");
    again.set_faults(Faults { failing_writes: vec![(1, 0)], ..Faults::default() });
    writer.ensure_room(15_000_000).expect("it is there");
    append(&mut writer, "b").expect_err("this is the first write");

    let broken = FaultyDisk::holding(disk.after_power_failure());
    broken.set_faults(Faults { failing_syncs: vec![1], ..Faults::default() });
    assert!(go_on(&broken).is_err(), "what cannot be synced is not built upon");
}

#[test]
fn a_writer_with_a_stale_number_is_refused() {
    let disk = FaultyDisk::default();
    let mut store = FileStore::new(disk, 3, 0);
    assert!(matches!(store.append(2, b"x"), Err(StoreError::OutOfOrder { given: 2, expected: 3 })));
}

#[test]
fn a_journal_is_private_and_never_overwritten() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal.jsonl");
    Writer::create(&path, header()).expect("created").close().expect("closed");
    assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    assert!(Writer::create(&path, header()).is_err());
}
