//! Files that are no ledger, can't be written, or are written by several at once.

use super::*;
use crate::ledger::Filter;
use rusqlite::Connection;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn private(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn refused(path: &Path) -> [String; 3] {
    let refused = |opened: Result<Store, crate::ledger::LedgerError>| opened.unwrap_err().to_string();
    [refused(Store::open_read_only(path)), refused(Store::open(path)), refused(Store::create(path, "x"))]
}

#[test]
fn another_database_is_refused_and_stays_as_it_is() {
    let home = Home::new();
    let path = home.path("other");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE t (x); PRAGMA user_version = 1").unwrap();
    drop(other);
    private(&path);
    let before = fs::read(&path).unwrap();
    for error in refused(&path) {
        assert!(error.ends_with("it is an SQLite database, but no ledger"), "{error}");
    }
    assert!(fs::read(&path).unwrap() == before, "its bytes have changed");
    assert_eq!(fs::read_dir(home.folder.path()).unwrap().count(), 1, "no log lies beside it");
}

#[test]
fn a_later_version_is_refused() {
    let home = Home::new();
    home.store("ledger").connection.pragma_update(None, "user_version", 2).unwrap();
    for error in refused(&home.path("ledger")) {
        assert!(error.ends_with("it is of version 2; this program reads version 1"), "{error}");
    }
}

#[test]
fn a_damaged_file_is_an_error_and_no_panic() {
    let home = Home::new();
    let mut store = home.store("ledger");
    store.add(&batch(0, (0..300).map(|number| entry(number, "web", 0, 1)).collect())).unwrap();
    store.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(store);
    let path = home.path("ledger");
    let whole = fs::read(&path).unwrap();
    let (mut opened, mut refused) = (0, 0);
    for page in 0..whole.len() / 4096 {
        let mut damaged = whole.clone();
        damaged[page * 4096..][..if page == 0 { 16 } else { 4096 }].fill(0xa5);
        fs::write(&path, damaged).unwrap();
        match Store::open_read_only(&path).and_then(|store| store.list(&Filter::default(), at(0))) {
            Ok(_) => opened += 1,
            Err(error) => {
                refused += 1;
                let error = error.to_string();
                assert!(error.contains("malformed") || error.contains("not a database"), "{error}");
            }
        }
    }
    assert!(refused > opened, "{refused} {opened}");
    // Cut in the middle.
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(Store::open_read_only(&path).and_then(|store| store.list(&Filter::default(), at(0))).is_err());
}

#[test]
fn only_its_owner_and_group_may_access_it() {
    let home = Home::new();
    let mut store = home.store("ledger");
    store.add(&batch(0, vec![entry(1, "web", 0, 1)])).unwrap();
    for file in fs::read_dir(home.folder.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{}", file.path().display());
    }
    fs::set_permissions(home.path("ledger"), fs::Permissions::from_mode(0o604)).unwrap();
    for error in refused(&home.path("ledger")) {
        assert!(error.contains("others can access it"), "{error}");
    }
    for error in refused(home.folder.path()) {
        assert!(error.ends_with("it is no regular file"), "{error}");
    }
}

#[test]
fn a_reader_sees_what_is_written_meanwhile_and_writes_nothing() {
    let home = Home::new();
    let mut store = home.store("ledger");
    store.add(&batch(0, vec![entry(1, "web", 0, 1)])).unwrap();
    let mut reader = Store::open_read_only(&home.path("ledger")).unwrap();
    store.add(&batch(0, vec![entry(2, "web", 0, 1)])).unwrap();
    assert_eq!(reader.list(&Filter::default(), at(0)).unwrap().exposures.len(), 2);
    let snapshot = reader.snapshot().unwrap();
    assert_eq!(reader.list(&Filter::default(), at(0)).unwrap().exposures.len(), 2);
    store.add(&batch(0, vec![entry(3, "web", 0, 1)])).unwrap();
    assert_eq!(reader.list(&Filter::default(), at(0)).unwrap().exposures.len(), 2);
    drop(snapshot);
    assert_eq!(reader.list(&Filter::default(), at(0)).unwrap().exposures.len(), 3);
    assert!(reader.mark_revoked(&digest(1), at(0), at(0)).is_err());
    assert!(reader.add(&batch(0, vec![entry(4, "web", 0, 1)])).is_err());
}

/// Landlock holds for root too, and for one thread.
#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_can_only_be_read_is_enough_for_questions() {
    use landlock::{
        ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, path_beneath_rules,
    };
    let home = Home::new();
    // Names that mean something in a URI.
    let path = home.path("a ledger?mode=rw#100%25");
    let mut store = Store::create(&path, "x").unwrap();
    store.add(&batch(0, vec![entry(1, "web", 0, 1)])).unwrap();
    let read = |path: &Path| {
        let path = path.to_owned();
        let ask = move || {
            let abi = ABI::V1;
            let ruleset = Ruleset::default().handle_access(AccessFs::from_all(abi)).unwrap().create().unwrap();
            let ruleset = ruleset.add_rules(path_beneath_rules(["/"], AccessFs::from_read(abi))).unwrap();
            assert_ne!(ruleset.restrict_self().unwrap().ruleset, RulesetStatus::NotEnforced);
            Store::open_read_only(&path)
                .and_then(|store| store.list(&Filter::default(), at(0)))
                .map(|page| page.exposures.len())
        };
        std::thread::spawn(ask).join().unwrap()
    };
    // While it is open elsewhere there is a log, with its index.
    assert_eq!(read(&path).unwrap(), 1);
    // A log without its index could only be read with a new one: better no answer than an old one.
    let copy = home.path("copy");
    for end in ["", "-wal"] {
        let with_end = |path: &Path| PathBuf::from(format!("{}{end}", path.display()));
        fs::copy(with_end(&path), with_end(&copy)).unwrap();
    }
    let error = read(&copy).unwrap_err().to_string();
    assert!(error.contains("copy all three"), "{error}");
    assert_eq!(Store::open_read_only(&copy).unwrap().list(&Filter::default(), at(0)).unwrap().exposures.len(), 1);
    drop(store);
    assert_eq!(read(&path).unwrap(), 1);
    assert_eq!(read(&copy).unwrap(), 1);
}

#[test]
fn a_full_disk_is_told_and_nothing_is_lost_when_there_is_space_again() {
    let home = Home::new();
    let mut store = home.store("ledger");
    store.add(&batch(0, vec![entry(1, "web", 0, 1)])).unwrap();
    let pages: i64 = store.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    let limit = |store: &Store, pages: i64| {
        store.connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
    };
    limit(&store, pages);
    let large = batch(1, (0..3000).map(|number| entry(number, "web", 1, 1)).collect());
    for _ in 0..2 {
        let error = store.add(&large).unwrap_err();
        assert!(error.is_passing() && error.to_string().ends_with("database or disk is full"), "{error}");
        assert_eq!(store.summary(at(0)).unwrap().occurrences, 1);
    }
    limit(&store, 1 << 30);
    store.add(&large).unwrap();
    store.add(&large).unwrap();
    assert_eq!(store.summary(at(0)).unwrap().occurrences, 3001);
}

#[test]
fn many_first_users_and_writers_agree() {
    const WRITERS: u32 = 8;
    const BATCHES: u32 = 20;
    let home = Home::new();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let home = &home;
            scope.spawn(move || {
                let mut store = home.store("ledger");
                for number in 0..BATCHES {
                    let own = entry(1000 * writer + number, "web", 0, 1);
                    let batch = batch(0, vec![own, entry(77, "web", i64::from(number), 1)]);
                    // Where a writer waits too long for its turn it tries again, as the recorder does.
                    while let Err(error) = store.add(&batch) {
                        assert!(error.is_passing(), "{error}");
                    }
                }
            });
        }
    });
    let store = Store::open_read_only(&home.path("ledger")).unwrap();
    let rows = store.list(&Filter::default(), at(0)).unwrap().exposures;
    assert_eq!(rows.len() as u32, WRITERS * BATCHES + 1);
    assert_eq!(store.show(&digest(77), at(0)).unwrap()[0].occurrences, u64::from(WRITERS * BATCHES));
    assert_eq!(store.identities().unwrap().len(), 1);
    let whole: String = store.connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(whole, "ok");
}
