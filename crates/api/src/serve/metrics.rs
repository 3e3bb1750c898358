//! What a corner counts, as Prometheus text (version 0.0.4).

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderValue};
use std::fmt::{Display, Write as _};

/// The quantiles of a summary.
const QUANTILES: [&str; 4] = ["0.5", "0.9", "0.99", "1"];

/// The text of a corner's `/metrics`, one metric after the other.
#[derive(Debug, Default)]
pub struct MetricsText(String);

impl MetricsText {
    /// Begins a metric; its samples follow.
    pub fn begin(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// A sample of the metric that was begun last, under its name with whatever labels it has.
    pub fn sample(&mut self, series: impl Display, value: impl Display) {
        let _ = writeln!(self.0, "{series} {value}");
    }

    /// A counter without labels.
    pub fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.begin(name, "counter", help);
        self.sample(name, value);
    }

    /// A gauge without labels.
    pub fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.begin(name, "gauge", help);
        self.sample(name, value);
    }

    /// A summary: half of the values, nine of ten and ninety-nine of a hundred are at most these, and all at most the last; and
    /// how many values there are.
    pub fn summary(&mut self, name: &str, help: &str, quantiles: [u64; 4], count: u64) {
        self.begin(name, "summary", help);
        for (quantile, value) in QUANTILES.into_iter().zip(quantiles) {
            self.sample(format_args!("{name}{{quantile=\"{quantile}\"}}"), value);
        }
        self.sample(format_args!("{name}_count"), count);
    }

    /// The text so far.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl IntoResponse for MetricsText {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.0));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_metric_is_told_with_its_help_its_kind_and_its_samples() {
        let mut text = MetricsText::default();
        text.counter("a_total", "Of a.", 7u64);
        text.gauge("b", "Of b.", -1i64);
        text.summary("c_us", "Of c.", [1, 2, 3, 4], 9);
        text.begin("d_total", "counter", "Of d.");
        text.sample("d_total{of=\"x\"}", 5u64);
        let expected = "# HELP a_total Of a.\n# TYPE a_total counter\na_total 7\n\
                        # HELP b Of b.\n# TYPE b gauge\nb -1\n\
                        # HELP c_us Of c.\n# TYPE c_us summary\nc_us{quantile=\"0.5\"} 1\nc_us{quantile=\"0.9\"} 2\n\
                        c_us{quantile=\"0.99\"} 3\nc_us{quantile=\"1\"} 4\nc_us_count 9\n\
                        # HELP d_total Of d.\n# TYPE d_total counter\nd_total{of=\"x\"} 5\n";
        assert_eq!(text.as_str(), expected);
        let response = text.into_response();
        assert_eq!(response.headers()[CONTENT_TYPE], "text/plain; version=0.0.4");
    }
}
