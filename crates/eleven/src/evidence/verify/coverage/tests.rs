use super::super::super::tests::executed;
use super::*;

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
