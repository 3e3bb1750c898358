use super::*;
use crate::world::{Home, Producers};
use eleven_api::audit::Append;

#[tokio::test]
async fn an_answer_ends_where_reading_takes_too_long_and_says_where_to_go_on() {
    let home = Home::new();
    let ledger = home.open().expect("open");
    let mut producers = Producers::new();
    ledger.must_append(&producers.set_up()).await;
    let mut append = Append::default();
    (0..2 * LEAST_ENTRIES).for_each(|_| append.record(&producers.denial("no")));
    ledger.must_append(&append).await;
    let shared = &ledger.inner.shared;
    let (from, size) = (1, shared.size());
    let page = Page { which: Which::All, from, whole: false, most: MAX_ENTRIES };
    let numbers = numbers(shared, &page, size);
    // Read while there is time for so many.
    let read = |most: usize| {
        let mut read = LEAST_ENTRIES - 1;
        let goes_on = || {
            read += 1;
            read < most
        };
        let answer = shown(shared, &numbers, &page, size, goes_on).expect("entries");
        let entries = answer.get("entries").and_then(Value::as_array).map(<[Value]>::len);
        (entries, answer.get("next").and_then(Value::as_uint))
    };
    let part = |most: usize| (Some(most), Some(from + most as u64));
    assert_eq!(read(0), part(LEAST_ENTRIES), "who asks from the last one on that is known hears of more");
    assert_eq!(read(LEAST_ENTRIES + 1), part(LEAST_ENTRIES + 1));
    let all = (Some(numbers.len()), Some(size));
    assert_eq!((read(numbers.len()), read(usize::MAX)), (all, all));
}
