use super::*;
use crate::proof::ProofError;
use crate::world::{Home, IDENTITY, Producers, RUNTIME, single};
use crate::{Ledger, state::Shared};
use eleven_api::audit::Append;
use eleven_core::artifact::Use;
use eleven_core::encoding::Value;
use eleven_core::reason::Reason;
use eleven_core::time::Time;

/// A ledger with ten denials a second apart, a finished operation, one that only began, and a revocation.
async fn filled(home: &Home) -> (Ledger, Vec<String>) {
    let ledger = home.open().expect("open");
    let mut producers = Producers::new();
    ledger.must_append(&producers.set_up()).await;
    for n in 0..10 {
        home.clock.advance(1000);
        let mut append = Append::default();
        append.record(&producers.denial(&format!("number {n}")));
        ledger.must_append(&append).await;
    }
    let mut ops = Vec::new();
    let mut append = Append::default();
    let mut whole = producers.issue(single(1), &[], &mut append);
    producers.begin(&mut whole, 1, &mut append);
    producers.finish(&mut whole, &mut append);
    let mut begun = producers.issue(single(2), &[], &mut append);
    producers.begin(&mut begun, 1, &mut append);
    append.record(&producers.revoke(&begun.artifact));
    ops.extend([whole.op.clone(), begun.op.clone()]);
    home.clock.advance(1000);
    ledger.must_append(&append).await;
    (ledger, ops)
}

fn index(ledger: &Ledger) -> &Search {
    let search = &*ledger.inner.search;
    let shared = &ledger.inner.shared;
    search.follow(&shared.source(), shared.size(), false, || false).expect("indexed");
    search
}

fn ask(shared: &Shared, search: &Search, ask: &Ask) -> Value {
    answer(search, shared, ask).expect("an answer")
}

fn members(answer: &Value, name: &str) -> Vec<String> {
    let results = answer.get("results").and_then(Value::as_array).expect("results");
    results.iter().map(|row| row.get(name).and_then(Value::as_str).unwrap_or("-").to_owned()).collect()
}

#[tokio::test]
async fn a_ledger_that_ends_does_not_wait_until_a_new_index_knows_everything() {
    let home = Home::new();
    let (ledger, _) = filled(&home).await;
    let (shared, search) = (&*ledger.inner.shared, &*ledger.inner.search);
    let looks = std::cell::Cell::new(0u64);
    let ends = |after: u64| {
        looks.set(looks.get() + 1);
        looks.get() > after
    };
    let (source, size) = (shared.source(), shared.size());
    search.follow_by(4, &source, size, false, || ends(2)).expect("indexed");
    assert_eq!(search.indexed(), 8, "it was told to end before the third");
    search.follow_by(4, &source, 12, false, || true).expect("indexed");
    assert_eq!(search.indexed(), 12, "what one batch takes is taken");
    search.follow_by(4, &source, size, false, || false).expect("indexed");
    assert!(search.indexed() == size && size > 20, "the next process goes on from there");
}

#[tokio::test]
async fn lineages_are_found_by_what_they_name_and_by_all_of_it_at_once() {
    let home = Home::new();
    let (ledger, ops) = filled(&home).await;
    let (shared, search) = (&*ledger.inner.shared, index(&ledger));
    let by = |change: fn(&mut Ask)| {
        let mut asked = Ask::default();
        change(&mut asked);
        ask(shared, search, &asked)
    };
    let denied = by(|ask| ask.reason = Some(Reason::PolicyDenied));
    assert_eq!(members(&denied, "event"), ["execution.denied"; 10]);
    assert_eq!(members(&by(|ask| ask.reason = Some(Reason::PolicyNone)), "op"), [""; 0]);
    assert_eq!(members(&by(|ask| ask.identity = Some(IDENTITY.to_owned())), "op").len(), 12);
    let issued = by(|ask| {
        ask.identity = Some(IDENTITY.to_owned());
        ask.operation = Some("model.invoke".to_owned());
        ask.runtime = Some(RUNTIME.to_owned());
    });
    assert_eq!(members(&issued, "op"), [ops[1].clone(), ops[0].clone()]);
    assert_eq!(members(&issued, "last_event"), ["execution.started", "evidence.committed"]);
    let none = by(|ask| {
        ask.operation = Some("model.invoke".to_owned());
        ask.reason = Some(Reason::PolicyDenied);
    });
    assert_eq!(members(&none, "op"), [""; 0]);
    let artifact = Ask { artifact: Some(format!("auth_{}", ops[1])), ..Ask::default() };
    assert_eq!(members(&ask(shared, search, &artifact), "event"), ["authorization.issued"]);
    let op = Ask { op: Some(ops[0].clone()), ..Ask::default() };
    assert_eq!(members(&ask(shared, search, &op), "op"), [ops[0].as_str()]);
    let other = Ask { op: Some(ops[0].clone()), reason: Some(Reason::PolicyDenied), ..Ask::default() };
    assert_eq!(members(&ask(shared, search, &other), "op"), [""; 0]);
    let revoked = by(|ask| ask.event = Some("authorization.revoked".to_owned()));
    assert_eq!(members(&revoked, "event"), ["authorization.revoked"]);
    // The ledger may have sealed since, by itself.
    let number = |name: &str| revoked.get(name).and_then(Value::as_int).expect("a number");
    assert!(number("indexed") > 20 && number("indexed") <= number("size"), "{revoked}");
}

#[tokio::test]
async fn time_and_pages_bound_what_is_found() {
    let home = Home::new();
    let (ledger, _) = filled(&home).await;
    let (shared, search) = (&*ledger.inner.shared, index(&ledger));
    let start = crate::world::start();
    let denied = |from: Option<i64>, until: Option<i64>, before, count| {
        let at = |seconds: i64| start.plus_seconds(seconds);
        let reason = Some(Reason::PolicyDenied);
        ask(shared, search, &Ask { reason, from: from.map(at), until: until.map(at), before, count, ..Ask::default() })
    };
    let times = |answer: &Value| -> Vec<i64> {
        let times = members(answer, "at");
        times.iter().map(|at| Time::parse_millis(at).expect("a time").since(start) / 1000).collect()
    };
    assert_eq!(times(&denied(Some(3), Some(6), None, None)), [5, 4, 3]);
    assert_eq!(times(&denied(None, Some(1), None, None)), [0; 0]);
    assert_eq!(times(&denied(Some(10), None, None, None)), [10]);
    let (mut before, mut all) = (None, Vec::new());
    loop {
        let page = denied(None, None, before, Some(4));
        all.extend(times(&page));
        before = page.get("next").and_then(Value::as_int).map(|next| next as u64);
        if before.is_none() {
            break;
        }
    }
    assert_eq!(all, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    let any = ask(shared, search, &Ask { from: Some(start.plus_seconds(11)), ..Ask::default() });
    assert_eq!(members(&any, "event"), ["authorization.revoked", "authorization.issued", "authorization.issued"]);
}

#[tokio::test]
async fn a_numbered_use_is_found_as_a_lineage_of_its_own() {
    let home = Home::new();
    let ledger = home.open().expect("open");
    let mut producers = Producers::new();
    let mut append = producers.set_up();
    let usage = Use::Bounded { nonce: single(1).nonce().to_owned(), max: 3 };
    let mut operation = producers.issue(usage, &[], &mut append);
    let base = operation.op.clone();
    for k in 1..=2 {
        producers.begin(&mut operation, k, &mut append);
        producers.finish(&mut operation, &mut append);
    }
    ledger.must_append(&append).await;
    let (shared, search) = (&*ledger.inner.shared, index(&ledger));
    let uses = [2, 1].map(|k| format!("{base}.{k}"));
    let artifact = Some(operation.artifact.id.clone());
    let all = ask(shared, search, &Ask { artifact, ..Ask::default() });
    assert_eq!(members(&all, "op"), [uses[0].as_str(), uses[1].as_str(), base.as_str()]);
    assert_eq!(members(&all, "event"), ["authorization.consumed", "authorization.consumed", "authorization.issued"]);
    assert_eq!(members(&all, "last_event"), ["evidence.committed", "evidence.committed", "authorization.issued"]);
    for op in uses.iter().chain([&base]) {
        for count in [None, Some(1)] {
            let found = ask(shared, search, &Ask { op: Some(op.clone()), count, ..Ask::default() });
            assert_eq!(members(&found, "op"), [op.as_str()]);
            assert_eq!(found.get("next"), None, "there is one of each");
        }
    }
}

#[tokio::test]
async fn an_answer_has_so_many_lineages_and_no_more() {
    let home = Home::new();
    let ledger = home.open().expect("open");
    let mut producers = Producers::new();
    let mut append = producers.set_up();
    (0..510).for_each(|n| append.record(&producers.denial(&format!("number {n}"))));
    ledger.must_append(&append).await;
    let (shared, search) = (&*ledger.inner.shared, index(&ledger));
    let reason = Some(Reason::PolicyDenied);
    for (count, shown) in [(None, 50), (Some(7), 7), (Some(500), 500), (Some(501), 500), (Some(u64::MAX), 500)] {
        let page = ask(shared, search, &Ask { reason, count, ..Ask::default() });
        assert_eq!(members(&page, "op").len(), shown, "{count:?}");
        assert!(page.get("next").is_some(), "{count:?}: there are more");
    }
}

#[tokio::test]
async fn what_is_frequent_and_never_comes_together_costs_so_much_and_says_where_to_go_on() {
    let home = Home::new();
    let ledger = home.open().expect("open");
    let mut producers = Producers::new();
    let mut append = producers.set_up();
    let mut ops = Vec::new();
    for n in 0..6 {
        append.record(&producers.denial(&format!("number {n}")));
        ops.push(producers.issue(single(n), &[], &mut append).op);
    }
    ledger.must_append(&append).await;
    ops.reverse();
    let (shared, search) = (&*ledger.inner.shared, index(&ledger));
    // Page after page, each of which looks up no more rows than that.
    let pages = |asked: &Ask, steps: usize| {
        let (mut asked, mut found, mut pages) = (asked.clone(), Vec::new(), 0);
        loop {
            let page = super::ask::answer_within(search, shared, &asked, steps).expect("an answer");
            let next = page.get("next").and_then(Value::as_int).map(|next| next as u64);
            assert!(next.is_none_or(|next| asked.before.is_none_or(|before| next < before)), "it goes on: {page}");
            found.extend(members(&page, "op"));
            pages += 1;
            asked.before = next;
            if next.is_none() {
                return (found, pages);
            }
        }
    };
    let apart = Ask {
        operation: Some("model.invoke".to_owned()),
        reason: Some(Reason::PolicyDenied),
        identity: Some(IDENTITY.to_owned()),
        ..Ask::default()
    };
    assert_eq!(pages(&apart, usize::MAX), (Vec::new(), 1));
    let (found, many) = pages(&apart, 4);
    assert!(found.is_empty() && many > 1, "{found:?} in {many} pages");

    let together = Ask { reason: None, count: Some(1), ..apart };
    let denied = Ask { reason: Some(Reason::PolicyDenied), identity: Some(IDENTITY.to_owned()), ..Ask::default() };
    for asked in [&together, &denied, &Ask::default()] {
        let (all, _) = pages(asked, usize::MAX);
        for steps in 4..12 {
            assert_eq!(pages(asked, steps).0, all, "{asked:?} by {steps}");
        }
    }
    assert_eq!(pages(&together, usize::MAX).0, ops);
}

#[tokio::test]
async fn the_index_outlives_the_process_and_is_made_again_where_it_is_not_the_ledgers() {
    let home = Home::new();
    let (ledger, _) = filled(&home).await;
    let size = ledger.inner.shared.size();
    index(&ledger).keep().expect("kept");
    drop(ledger);
    let ledger = home.open().expect("open again");
    assert_eq!(ledger.inner.search.indexed(), size);
    drop(ledger);

    let made = reindex(home.path(), &mut |_| ()).expect("made again");
    assert!(made.entries >= size && made.rows > 50, "{made:?}");
    let ledger = home.open().expect("open again");
    assert_eq!(ledger.inner.search.indexed(), made.entries);
    drop(ledger);

    // Another ledger's index, and one that is no database.
    let other = Home::new();
    let ledger = other.open().expect("open");
    let mut producers = Producers::new();
    let mut append = producers.set_up();
    // Where the first has its denials: whoever took this one's index for its own would find few of them.
    for n in 0..12 {
        producers.issue(single(n), &[], &mut append);
    }
    ledger.must_append(&append).await;
    let others = index(&ledger).indexed();
    assert!(others < made.entries, "it knows no more than there is: {others} of {}", made.entries);
    index(&ledger).keep().expect("kept");
    drop(ledger);
    std::fs::copy(other.path().join(FILE), home.path().join(FILE)).expect("copied");
    let ledger = home.open().expect("open again");
    // Both begin with the same genesis and set-up, so what tells them apart is a later entry.
    let search = index(&ledger);
    assert_eq!(search.indexed(), ledger.inner.shared.size());
    let denied = Ask { reason: Some(Reason::PolicyDenied), ..Ask::default() };
    assert_eq!(members(&ask(&ledger.inner.shared, search, &denied), "op").len(), 10);
    search.keep().expect("kept");
    drop(ledger);

    // One whose rows are of another form.
    let database = Database::open(home.path().join(FILE)).expect("opened");
    let change = database.begin_write().expect("begun");
    change.open_table(MARKS).expect("its marks").insert("form", FORM + 1).expect("written");
    change.commit().expect("kept");
    drop(database);
    let ledger = home.open().expect("open again");
    assert_eq!(ledger.inner.search.indexed(), 0, "it begins anew");
    drop(ledger);
    std::fs::write(home.path().join(FILE), b"no database at all").expect("written");
    let ledger = home.open().expect("open again");
    assert_eq!(members(&ask(&ledger.inner.shared, index(&ledger), &denied), "op").len(), 10);
}

#[tokio::test]
async fn an_index_that_can_not_be_opened_is_left_as_it_is_and_opened_later() {
    let home = Home::new();
    let (ledger, _) = filled(&home).await;
    index(&ledger).keep().expect("kept");
    let (shared, search) = (&ledger.inner.shared, &ledger.inner.search);
    let known = search.indexed();
    search.end(&other("the disk"));
    let any = Ask { reason: Some(Reason::PolicyDenied), ..Ask::default() };
    assert!(matches!(answer(search, shared, &any), Err(ProofError::NotYet(_))), "ask again");

    // Somebody else has it open.
    let holder = Database::open(home.path().join(FILE)).expect("opened");
    assert!(matches!(search.begin(&shared.source()), Err(SearchError::Failed(_))));
    assert!(matches!(search.keep(), Err(SearchError::Closed)), "nothing is kept in what is not open");
    drop(holder);
    search.begin(&shared.source()).expect("opened");
    assert_eq!(search.indexed(), known, "it was not made again");

    // The disk gives nothing to open.
    search.end(&other("the disk"));
    std::fs::remove_file(home.path().join(FILE)).expect("removed");
    std::fs::create_dir(home.path().join(FILE)).expect("made");
    assert!(matches!(search.begin(&shared.source()), Err(SearchError::Failed(_))));
    std::fs::remove_dir(home.path().join(FILE)).expect("removed");
    search.begin(&shared.source()).expect("begun anew");
    let denied = Ask { reason: Some(Reason::PolicyDenied), ..Ask::default() };
    assert_eq!(members(&ask(shared, index(&ledger), &denied), "op").len(), 10);

    // What is found spoiled while it is followed is made again, not opened again.
    search.end(&SearchError::Spoiled("a page".to_owned()));
    assert!(!home.path().join(FILE).exists());
    search.begin(&shared.source()).expect("begun anew");
    assert_eq!(search.indexed(), 0);
}

#[test]
fn a_row_names_its_entry_and_rows_of_a_value_are_in_order() {
    let term = rows::Term::new(rows::By::Identity, "svc:a");
    assert_eq!(Row::seq_of(term.row(7).bytes()), 7);
    assert_eq!(Row::seq_of(term.row(u64::MAX).bytes()), u64::MAX);
    assert!(term.row(255) < term.row(256) && term.row(1) < term.row(1 << 40));
    assert_ne!(term, rows::Term::new(rows::By::Runtime, "svc:a"));
    assert_eq!((rows::first_of("X"), rows::first_of(&format!("{}.3", "0".repeat(32)))), (1, 2));
}

/// Where what serves it is dropped, as with the runtime that it runs on, nobody says that it ends.
#[tokio::test]
async fn it_is_followed_no_further_where_nobody_is_left_to_end_that() {
    let home = Home::new();
    let (ledger, _) = filled(&home).await;
    let (end, ended) = tokio::sync::watch::channel(false);
    drop(end);
    let followed = crate::serve::follow_search(std::sync::Arc::clone(&ledger.inner), ended);
    tokio::time::timeout(std::time::Duration::from_secs(20), followed).await.expect("it ends");
    assert!(ledger.inner.search.indexed() > 0, "what was there is taken");
    ledger.close().await;
}
