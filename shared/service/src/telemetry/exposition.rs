//! The two text formats of `/metrics`, and the choice between them.

use std::fmt::Write;

use axum::http::{HeaderMap, header::ACCEPT};

const OPEN_METRICS: &str = "application/openmetrics-text";
const PLAIN: &str = "text/plain";
const ANY_APPLICATION: &str = "application/*";
const ANY_TEXT: &str = "text/*";
const ANYTHING: &str = "*/*";

/// A text format of `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exposition {
    /// `OpenMetrics` 1.0.
    OpenMetrics,
    /// Prometheus' text format 0.0.4, which every tool reads.
    Prometheus,
}

impl Exposition {
    /// The format that an `Accept` header asks for. It is `OpenMetrics` if the client names it and does not prefer plain
    /// text; a range such as `*/*` counts as plain text (RFC 9110 §12.5.1). Otherwise it is Prometheus' format, which
    /// every tool reads.
    pub(super) fn accepted(head: &HeaderMap) -> Self {
        let accepted = head.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let ranges: Vec<(&str, f32)> =
            accepted.flat_map(|value| value.split(',')).map(range).collect();
        let quality = |kind: &str| {
            let found = ranges.iter().filter(|(range, _)| range.eq_ignore_ascii_case(kind));
            found.map(|(_, quality)| *quality).reduce(f32::max)
        };
        // The most specific range that matches a format gives its quality.
        let plain = [PLAIN, ANY_TEXT, ANYTHING].into_iter().find_map(quality).unwrap_or(0.0);
        let open = [OPEN_METRICS, ANY_APPLICATION].into_iter().find_map(quality).unwrap_or(0.0);
        if open > 0.0 && open >= plain { Self::OpenMetrics } else { Self::Prometheus }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// Converts a text in `OpenMetrics` to this format.
    pub(super) fn of(self, open_metrics: String) -> String {
        match self {
            Self::OpenMetrics => open_metrics,
            Self::Prometheus => prometheus(&open_metrics),
        }
    }
}

/// Splits an item of an `Accept` header into the media range and its quality, which is 1 if it is not given.
fn range(text: &str) -> (&str, f32) {
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let quality =
        parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q="))).map(str::parse);
    (kind, quality.and_then(Result::ok).unwrap_or(1.0))
}

/// Converts `OpenMetrics` to Prometheus' text format. There the `HELP` and `TYPE` lines of counters and infos carry the
/// suffix of their samples, an info is a gauge, and units do not exist.
fn prometheus(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut help = None;
    for line in open_metrics.lines() {
        if let Some(described) = line.strip_prefix("# HELP ") {
            help = described.split_once(' ');
        } else if let Some((name, kind)) = described(line) {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                other => ("", other),
            };
            // Writing into a string does not fail.
            if let Some((_, help)) = help.take() {
                let _ = writeln!(text, "# HELP {name}{suffix} {help}");
            }
            let _ = writeln!(text, "# TYPE {name}{suffix} {kind}");
        } else if !line.starts_with('#') {
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

/// The name and type of a `TYPE` line.
fn described(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("# TYPE ")?.split_once(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(accept: &[&'static str]) -> Exposition {
        let mut head = HeaderMap::new();
        for value in accept {
            head.append(ACCEPT, value.parse().unwrap());
        }
        Exposition::accepted(&head)
    }

    #[test]
    fn only_a_client_that_names_open_metrics_gets_it() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.6,\
                          application/openmetrics-text;version=0.0.1;q=0.5,\
                          text/plain;version=0.0.4;q=0.4,*/*;q=0.1";
        for accept in [
            &[prometheus][..],
            &["text/html", "Application/OpenMetrics-Text"],
            &["application/*, text/plain;q=0.5"],
            &["application/openmetrics-text;q=0.5, text/plain;q=0.2, */*;q=0.9"],
            &["application/openmetrics-text;q=0.5, text/*;q=0, */*"],
        ] {
            assert_eq!(accepted(accept), Exposition::OpenMetrics, "{accept:?}");
        }
        for accept in [
            &[][..],
            &["*/*"],
            &["text/html,application/xml;q=0.9"],
            &["application/openmetrics-text;q=0"],
            &["text/plain,application/openmetrics-text;q=0.5"],
            &["application/openmetrics-text;version=1.0.0;q=0.3, */*;q=0.9"],
            &["application/openmetrics-text;q=0.3, text/*;Q=0.9, */*;q=0.1"],
        ] {
            assert_eq!(accepted(accept), Exposition::Prometheus, "{accept:?}");
        }
    }

    #[test]
    fn prometheus_text_has_the_same_samples_under_its_own_names() {
        let open_metrics = "# HELP q_build What runs.\n# TYPE q_build info\n\
            q_build_info{version=\"1\"} 1\n# HELP q_batches Batches.\n# TYPE q_batches counter\n\
            q_batches_total 2\n# HELP q_batch_seconds Time.\n# TYPE q_batch_seconds histogram\n\
            # UNIT q_batch_seconds seconds\nq_batch_seconds_sum 0.5\n# EOF\n";
        let expected = "# HELP q_build_info What runs.\n# TYPE q_build_info gauge\n\
            q_build_info{version=\"1\"} 1\n# HELP q_batches_total Batches.\n\
            # TYPE q_batches_total counter\nq_batches_total 2\n# HELP q_batch_seconds Time.\n\
            # TYPE q_batch_seconds histogram\nq_batch_seconds_sum 0.5\n";
        assert_eq!(Exposition::Prometheus.of(open_metrics.to_owned()), expected);
        assert_eq!(Exposition::OpenMetrics.of(open_metrics.to_owned()), open_metrics);
    }
}
