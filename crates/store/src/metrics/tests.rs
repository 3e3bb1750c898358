use super::*;

#[test]
fn buckets_follow_each_other_without_gap_or_overlap() {
    let mut before = None;
    for bucket in 0..BUCKETS - 1 {
        let largest = largest_in(bucket);
        assert_eq!(bucket_of(largest), bucket);
        assert_eq!(bucket_of(largest + 1), bucket + 1);
        assert!(before < Some(largest));
        before = Some(largest);
    }
    assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
}

#[test]
fn quantiles_are_close_from_above_and_the_maximum_is_exact() {
    let histogram = Histogram::default();
    assert_eq!(histogram.summary(), Summary::default());
    for value in 1..=10_000 {
        histogram.record(value);
    }
    let summary = histogram.summary();
    assert_eq!((summary.count, summary.max), (10_000, 10_000));
    assert!((summary.mean - 5000.5).abs() < 0.01);
    for (found, wanted) in [(summary.p50, 5000), (summary.p90, 9000), (summary.p99, 9900)] {
        assert!(found >= wanted && found <= wanted + wanted / 16, "{found} for {wanted}");
    }
}

#[test]
fn one_value_is_every_quantile() {
    let histogram = Histogram::default();
    histogram.record(135);
    let summary = histogram.summary();
    assert_eq!((summary.p50, summary.p99, summary.max), (135, 135, 135));
}

#[test]
fn a_value_beyond_all_buckets_is_still_the_maximum() {
    let histogram = Histogram::default();
    histogram.record(u64::MAX);
    assert_eq!(histogram.summary().p50, u64::MAX);
}
