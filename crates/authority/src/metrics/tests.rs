use super::*;

#[test]
fn the_histogram_is_cumulative_and_ends_in_the_count() {
    let metrics = Metrics::default();
    metrics.decided(None, Duration::from_micros(150));
    metrics.decided(Some(Some(Reason::PolicyDenied)), Duration::from_micros(90));
    metrics.decided(Some(None), Duration::from_secs(3));
    let text = metrics.text(&[Sample { name: "eleven_x", kind: "gauge", help: "x.", value: -1 }]);
    for line in [
        "eleven_authority_decisions_total{outcome=\"allow\"} 1",
        "eleven_authority_decisions_total{outcome=\"policy.denied\"} 1",
        "eleven_authority_decision_seconds_bucket{le=\"0.000100\"} 1",
        "eleven_authority_decision_seconds_bucket{le=\"0.000200\"} 2",
        "eleven_authority_decision_seconds_bucket{le=\"2.000000\"} 2",
        "eleven_authority_decision_seconds_bucket{le=\"+Inf\"} 3",
        "eleven_authority_decision_seconds_sum 3.000240",
        "eleven_x -1",
    ] {
        assert!(text.lines().any(|other| other == line), "{line} in\n{text}");
    }
}
