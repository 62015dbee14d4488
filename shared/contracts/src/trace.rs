//! Which trace an event belongs to.

use std::fmt::Write;

/// The W3C trace context that travels with an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// `00-<trace id>-<span id>-<flags>`.
    pub traceparent: Option<String>,
    /// What the vendors of tracing systems add.
    pub tracestate: Option<String>,
}

/// The longest `tracestate` that the specification asks to pass on, in characters.
const MAX_TRACESTATE: usize = 512;

impl Trace {
    /// A trace that begins here; none at all if an id is all zero, which means "invalid".
    #[must_use]
    pub fn root(trace_id: [u8; 16], span_id: [u8; 8], sampled: bool) -> Self {
        let flags = u8::from(sampled);
        let traceparent = format!("00-{}-{}-{flags:02x}", hex(&trace_id), hex(&span_id));
        Self::parse(Some(&traceparent), None)
    }

    /// What came in, without what is malformed: a broken trace must not stop an event.
    #[must_use]
    pub fn parse(traceparent: Option<&str>, tracestate: Option<&str>) -> Self {
        let Some(traceparent) = traceparent.filter(|text| trace_id(text).is_some()) else {
            return Self::default();
        };
        Self {
            traceparent: Some(traceparent.to_owned()),
            tracestate: tracestate.filter(|text| is_tracestate(text)).map(str::to_owned),
        }
    }

    /// The 32 hexadecimal digits of the trace's id.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        self.traceparent.as_deref().and_then(trace_id)
    }

    /// Whether its spans are collected, as whoever began it decided.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        const FLAGS: usize = "00-".len() + 32 + "-".len() + 16 + "-".len();
        let flags = self.traceparent.as_deref().and_then(|text| text.get(FLAGS..FLAGS + 2));
        flags
            .and_then(|flags| u8::from_str_radix(flags, 16).ok())
            .is_some_and(|flags| flags & 1 == 1)
    }
}

fn trace_id(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.split('-');
    let (version, trace, span, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let well_formed = is_hex(version, 2)
        && version != "ff"
        && is_id(trace, 32)
        && is_id(span, 16)
        && is_hex(flags, 2)
        // Versions to come may add parts; this one has four.
        && (version != "00" || parts.next().is_none());
    well_formed.then_some(trace)
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_id(text: &str, digits: usize) -> bool {
    is_hex(text, digits) && text.bytes().any(|c| c != b'0')
}

fn is_tracestate(text: &str) -> bool {
    (1..=MAX_TRACESTATE).contains(&text.len())
        && text.contains('=')
        && text.bytes().all(|c| matches!(c, b' '..=b'~'))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_root_has_the_ids_that_it_was_given() {
        let trace = Trace::root([0xab; 16], [0x01; 8], false);
        let expected = format!("00-{}-{}-00", "ab".repeat(16), "01".repeat(8));
        assert_eq!(trace.traceparent, Some(expected));
        assert_eq!(trace.trace_id(), Some("ab".repeat(16).as_str()));
        assert_eq!(Trace::root([0; 16], [1; 8], true), Trace::default());
        assert!(Trace::root([1; 16], [1; 8], true).traceparent.unwrap().ends_with("-01"));
    }

    #[test]
    fn the_last_bit_of_the_flags_says_whether_it_is_sampled() {
        for (flags, sampled) in [("00", false), ("01", true), ("02", false), ("ff", true)] {
            let parent = format!("{}{flags}", &PARENT[..53]);
            assert_eq!(Trace::parse(Some(&parent), None).is_sampled(), sampled, "{flags}");
        }
        assert!(!Trace::default().is_sampled());
    }

    #[test]
    fn what_is_well_formed_passes_unchanged() {
        let trace = Trace::parse(Some(PARENT), Some("vendor=a,other=b"));
        assert_eq!(trace.traceparent.as_deref(), Some(PARENT));
        assert_eq!(trace.tracestate.as_deref(), Some("vendor=a,other=b"));
        assert_eq!(trace.trace_id(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        let future = PARENT.replacen("00", "01", 1) + "-more";
        assert!(Trace::parse(Some(&future), None).trace_id().is_some());
    }

    #[test]
    fn what_is_malformed_is_dropped() {
        let zeroes = "0".repeat(32);
        for wrong in [
            "",
            "00",
            "nonsense",
            &PARENT[..54],
            &PARENT.to_uppercase(),
            &PARENT.replacen("00", "ff", 1),
            &format!("{PARENT}-more"),
            &PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", &zeroes),
            &PARENT.replace("00f067aa0ba902b7", &zeroes[..16]),
        ] {
            assert_eq!(Trace::parse(Some(wrong), Some("a=b")), Trace::default());
        }
        for wrong in ["", "a", "a=\u{e4}", &format!("a={}", "b".repeat(511))] {
            assert_eq!(Trace::parse(Some(PARENT), Some(wrong)).tracestate, None);
        }
        assert_eq!(Trace::parse(None, Some("a=b")), Trace::default());
    }
}
