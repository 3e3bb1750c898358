use super::super::super::stretch::Seen;
use super::super::super::tests::executed;
use super::*;
use eleven_core::hash::Sha3;

/// What a call comes to that a log of 10 May 2026 up to the 20th has: of no lineage, with these moments in its line.
fn judged(moments: &[Time], theirs: bool) -> (bool, usize) {
    let day = |text: &str| crate::cli::moment(text).expect("a day");
    let (facts, _) = executed(day("2026-05-10"), day("2026-05-20"));
    let call = Call { at: moments.first().copied(), theirs, moments: moments.to_vec(), ..Call::default() };
    let mut tally = Tally::default();
    let taken = tally.take(&facts, &ran(&facts), &call, "access.log:1");
    (taken.is_ok(), tally.outside)
}

#[test]
fn a_call_is_out_of_the_range_by_all_that_its_line_tells() {
    let at = |text: &str| Time::parse_seconds(text).expect("a time");
    let [before, within, after] = ["2020-01-01T00:00:00Z", "2026-05-12T17:04:11Z", "2026-05-20T00:00:00Z"].map(at);
    assert_eq!(judged(&[before], false), (true, 1));
    assert_eq!(judged(&[after, before], false), (true, 1));
    // Whoever went past the gateway wrote a moment of another year into a header that the log has.
    assert_eq!(judged(&[within, before], false), (false, 0));
    assert_eq!(judged(&[before, within], false), (false, 0));
    assert_eq!(judged(&[before], true), (false, 0), "the log's own moment is not known");
    assert_eq!(judged(&[], false), (false, 0));
}

#[test]
fn a_call_whose_records_came_after_the_range_is_undecided() {
    const OP: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let day = |text: &str| crate::cli::moment(text).expect("a day");
    let to = day("2026-05-20");
    let issued_or_not = |issued: bool, at: Time, asked: bool, denied: bool, told: bool| {
        let (mut facts, _) = executed(day("2026-05-10"), to);
        facts.stretch.operations.insert(OP.to_owned(), Seen { asked, denied, issued, ..Seen::default() });
        let call = Call { at: Some(at), moments: vec![at], op: Some(OP.to_owned()), ..Call::default() };
        let mut tally = Tally { told, ..Tally::default() };
        let taken = tally.take(&facts, &ran(&facts), &call, "access.log:1");
        (taken.is_ok(), tally.at_the_edge.len())
    };
    let judged = |at, asked, denied, told| issued_or_not(true, at, asked, denied, told);
    let edge = to.plus_millis(-1);
    // Issued in the range, it may have run before its end.
    assert_eq!(judged(edge, false, false, true), (true, 1), "another identity's: no proof file tells");
    assert_eq!(judged(edge, true, false, false), (true, 1), "the head is too early to tell");
    assert_eq!(judged(edge, true, false, true), (false, 0), "nobody used it");
    assert_eq!(judged(edge, false, true, false), (false, 0), "it was refused");
    assert_eq!(judged(to.plus_millis(-LATE - 1), false, false, false), (false, 0), "its records would be here");
    let begins = day("2026-05-10");
    assert_eq!(judged(begins, false, false, false), (false, 0), "it was not issued before the range");
    // Only its evidence, which may come at any time, lies in the range.
    assert_eq!(issued_or_not(false, begins, false, false, false), (true, 1), "it may have run before it");
}

#[test]
fn a_moment_of_the_callers_is_not_held_against_the_lineage_that_is_named() {
    let day = |text: &str| crate::cli::moment(text).expect("a day");
    let (facts, _) = executed(day("2026-05-10"), day("2026-05-20"));
    let op = facts.lineages.first().expect("a lineage").op.clone();
    let judged = |theirs: bool| {
        let at = day("2020-01-01");
        let call = Call { at: Some(at), theirs, moments: vec![at], op: Some(op.clone()), ..Call::default() };
        let mut tally = Tally::default();
        let taken = tally.take(&facts, &ran(&facts), &call, "access.log:1");
        (taken.is_ok(), tally.matched.len())
    };
    assert_eq!(judged(false), (false, 0), "it did not run then");
    assert_eq!(judged(true), (true, 1));
}

#[test]
fn a_line_without_a_time_of_its_own_says_where_that_belongs() {
    let at = Time::parse_seconds("2026-05-12T17:04:11Z").expect("a time");
    let (facts, _) = executed(at, at.plus_millis(1000));
    let why = |at: Option<Time>, theirs: bool| {
        let call = Call { at, theirs, moments: at.into_iter().collect(), ..Call::default() };
        Tally::default().take(&facts, &ran(&facts), &call, "access.log:1").expect_err("it is no lineage's")
    };
    assert_eq!(why(Some(at), true), "its only time may be the caller's: put the log's time before the request");
    assert_eq!(why(None, false), "it names neither a lineage of the range nor a time");
}

#[test]
fn a_call_that_names_an_opening_of_a_disclosure_went_past_the_gateway() {
    const OP: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let at = Time::parse_seconds("2026-05-12T17:04:11Z").expect("a time");
    let judged = |operation: &str| {
        let (mut facts, _) = executed(at, at.plus_millis(1000));
        let seen =
            Seen { operation: Some(operation.to_owned()), started: Some(at), ended: Some(at), ..Seen::default() };
        facts.stretch.operations.insert(OP.to_owned(), seen);
        let call = Call { at: Some(at), moments: vec![at], op: Some(OP.to_owned()), ..Call::default() };
        Tally::default().take(&facts, &ran(&facts), &call, "access.log:1").err()
    };
    assert_eq!(judged("model.invoke"), None);
    for own in ["disclosure.open", "disclosure.erase"] {
        let why = format!("lineage {OP} is of what a point keeps itself, and called no upstream");
        assert_eq!(judged(own), Some(why));
    }
}

#[test]
fn what_the_matched_calls_ran_is_told_for_only_its_url_says_whether_a_gateway_called() {
    const OP: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let at = Time::parse_seconds("2026-05-12T17:04:11Z").expect("a time");
    let image = Sha3::of(&[b"an image"]);
    let (mut facts, _) = executed(at, at.plus_millis(1000));
    let seen = |workload| Seen { started: Some(at), ended: Some(at), workload, ..Seen::default() };
    facts.stretch.operations.insert(OP.to_owned(), seen(Some(image)));
    facts.stretch.operations.insert(OP.to_ascii_lowercase(), seen(None));
    let mut tally = Tally::default();
    assert_eq!(ran_by(&tally.workloads), None);
    for op in [OP.to_owned(), OP.to_ascii_lowercase()] {
        let call = Call { at: Some(at), moments: vec![at], op: Some(op), ..Call::default() };
        tally.take(&facts, &ran(&facts), &call, "access.log:1").expect("it ran then");
    }
    let told = ran_by(&tally.workloads).expect("one is known");
    assert!(tally.matched.len() == 2 && told.starts_with(&format!("the matched calls ran {image} in 1; ")), "{told}");
}
