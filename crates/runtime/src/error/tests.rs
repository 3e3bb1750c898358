use super::*;
use eleven_store::AppendError;
use std::sync::Arc;

#[test]
fn what_ends_a_point_with_its_journal_is_told_by_its_last_line() {
    let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
    let why = failure(&Stop::Failed(Arc::new(AppendError::NotWritten(full)))).expect("it failed");
    let told = RuntimeError::Stopped(why).to_string();
    assert!(told.contains("nothing was written") && told.contains("free or repair the disk"), "{told}");
    assert!(failure(&Stop::Panicked).is_some());
    assert_eq!(failure(&Stop::Closed), None);
}

#[test]
fn a_damaged_journal_is_told_with_how_its_point_returns() {
    let missing = OpenError::Missing { segment: "00000000000000000007.seg".into(), expected: 3, found: 7 };
    let told = unopened(&missing).to_string();
    assert!(told.contains("`eleven runtime key replace`") && told.contains("did not run since"), "{told}");
    let other = unopened(&OpenError::Version { segment: "00000000000000000007.seg".into(), found: 9 }).to_string();
    assert!(!other.contains("key replace"), "a journal of another version is whole: {other}");
    let stray = unopened(&OpenError::Stray { name: "journal (copy).seg".into() }).to_string();
    assert!(
        !stray.contains("key replace") && stray.contains("out of the folder"),
        "and one beside a stray file: {stray}"
    );
}

#[test]
fn no_start_helps_where_the_journal_is_not_the_stream_of_its_key_and_elsewhere_one_may() {
    let lost = RuntimeError::JournalLost { expected: 4, held: 0 };
    assert!(lost.stays() && RuntimeError::Stream(OutboxError::Foreign { number: 3 }).stays());
    let disk = || "no space left".to_owned();
    let unread = RuntimeError::Stream(OutboxError::Journal(disk()));
    for error in [unread, RuntimeError::Journal(disk()), RuntimeError::Stopped(disk())] {
        assert!(!error.stays(), "{error}");
    }
}
