//! The log of a service.

use engine::trace::TARGET;
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer,
    fmt::{self, MakeWriter},
    registry::LookupSpan,
};

use crate::config::{Log, LogFormat};

/// The layer that writes log lines. The `aggregate_id` and `trace_id` that a line is about are among its fields, or
/// among those of the request's span around it.
pub(super) fn layer<S, W>(log: &Log, to: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    // The spans for export have many attributes, which would make each line long.
    let filter = match format!("{TARGET}=off").parse() {
        Ok(without_traces) => filter.add_directive(without_traces),
        Err(_) => filter,
    };
    let layer = fmt::layer().with_writer(to);
    match log.format {
        LogFormat::Pretty => layer.with_ansi(false).with_filter(filter).boxed(),
        LogFormat::Json => {
            layer.json().flatten_event(true).with_span_list(false).with_filter(filter).boxed()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use serde_json::Value;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The line of a warning that is logged within a request's span and a span for export.
    fn line(format: LogFormat) -> String {
        let lines = Lines::default();
        let (log, to) = (Log { format, filter: "info".into() }, lines.clone());
        let subscriber = tracing_subscriber::registry().with(layer(&log, move || to.clone()));
        tracing::subscriber::with_default(subscriber, || {
            let request = tracing::info_span!("request", aggregate_id = "o-1", trace_id = "t-1");
            let request = request.entered();
            let exported = tracing::info_span!(target: TARGET, "request", url.path = "/at/length");
            exported.in_scope(|| tracing::warn!(effect = "reserve", "no answer"));
            tracing::debug!("not at this level");
            drop(request);
        });
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_names_its_aggregate_and_trace() {
        let line = line(LogFormat::Pretty);
        for part in
            ["WARN", "no answer", "effect=\"reserve\"", "aggregate_id=\"o-1\"", "trace_id=\"t-1\""]
        {
            assert!(line.contains(part), "{part} is not in {line}");
        }
        assert!(!line.contains("at/length") && line.lines().count() == 1, "{line}");
    }

    #[test]
    fn in_the_format_json_a_line_is_an_object() {
        let line: Value = serde_json::from_str(&line(LogFormat::Json)).unwrap();
        assert_eq!((&line["message"], &line["effect"]), (&"no answer".into(), &"reserve".into()));
        assert_eq!(line["span"]["aggregate_id"], "o-1");
        assert_eq!(line["span"]["trace_id"], "t-1");
        assert_eq!(line.get("spans"), None);
    }
}
