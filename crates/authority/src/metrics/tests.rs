use super::*;

#[test]
fn the_histogram_is_cumulative_and_ends_in_the_count() {
    let metrics = Metrics::default();
    metrics.decided(None, Duration::from_micros(150));
    metrics.decided(Some(Some(Reason::PolicyDenied)), Duration::from_micros(90));
    metrics.decided(Some(None), Duration::from_secs(3));
    let mut text = MetricsText::default();
    metrics.write(&mut text);
    text.gauge("eleven_x", "x.", -1);
    let text = text.as_str();
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
