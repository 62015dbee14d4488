//! The trace context of an event (W3C Trace Context).

use std::{collections::BTreeSet, fmt::Write, ops::Range};

/// The W3C trace context that travels with an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// `00-<trace id>-<span id>-<flags>`: always 55 characters.
    pub traceparent: Option<String>,
    /// Data of tracing systems, as `vendor=data,…`.
    pub tracestate: Option<String>,
}

/// The longest `tracestate` that the specification requires to pass on, in characters.
const MAX_TRACESTATE: usize = 512;
/// The most members that a `tracestate` may have (W3C Trace Context §3.3.1.1).
const MAX_MEMBERS: usize = 32;
/// The length of a `traceparent` of version 00. In a higher version a dash and more may follow.
const TRACEPARENT: usize = 55;
/// The flags that version 00 knows: `sampled`, and `random` of Level 2.
const KNOWN_FLAGS: u8 = 0b11;
/// The known flags as a `traceparent` writes them.
const KNOWN: [&str; 4] = ["00", "01", "02", "03"];

impl Trace {
    /// A new trace. There is none if an id is all zero, which means "invalid".
    #[must_use]
    pub fn root(trace_id: [u8; 16], span_id: [u8; 8], sampled: bool) -> Self {
        let flags = u8::from(sampled);
        let traceparent = format!("00-{}-{}-{flags:02x}", hex(&trace_id), hex(&span_id));
        Self::parse(Some(&traceparent), None)
    }

    /// The trace of a request or record. Malformed parts are dropped, because a broken trace must not stop an
    /// event. A `traceparent` of a higher version continues as version 00 (W3C Trace Context §3.2.4), so that a
    /// caller can neither make it longer nor set flags that are unknown here.
    #[must_use]
    pub fn parse(traceparent: Option<&str>, tracestate: Option<&str>) -> Self {
        let Some(parent) = traceparent.and_then(Parent::parse) else { return Self::default() };
        Self {
            traceparent: Some(parent.in_version_00()),
            tracestate: tracestate.filter(|text| is_tracestate(text)).map(str::to_owned),
        }
    }

    /// The trace of a database row. Earlier versions of the program may have stored texts of any length.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "the columns of a row come as owned texts")]
    pub fn stored(traceparent: Option<String>, tracestate: Option<String>) -> Self {
        Self::parse(traceparent.as_deref(), tracestate.as_deref())
    }

    /// The 32 hexadecimal digits of the trace's id.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        Some(self.parent()?.trace_id())
    }

    /// Whether the spans of the trace are collected. The system that began the trace has decided that.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.parent().is_some_and(|parent| parent.flags() & 1 == 1)
    }

    fn parent(&self) -> Option<Parent<'_>> {
        self.traceparent.as_deref().and_then(Parent::parse)
    }
}

/// The part of a `traceparent` that version 00 knows: 55 characters, each field in its place.
struct Parent<'a>(&'a str);

impl<'a> Parent<'a> {
    const VERSION: Range<usize> = 0..2;
    const TRACE_ID: Range<usize> = 3..35;
    const SPAN_ID: Range<usize> = 36..52;
    const FLAGS: Range<usize> = 53..55;

    fn parse(text: &'a str) -> Option<Self> {
        let (known, more) = text.split_at_checked(TRACEPARENT)?;
        let bytes = known.as_bytes();
        let version = &bytes[Self::VERSION];
        let dashes = [Self::VERSION.end, Self::TRACE_ID.end, Self::SPAN_ID.end];
        let is_apart = dashes.iter().all(|at| bytes[*at] == b'-');
        let is_known = is_hex(version)
            && version != b"ff"
            && is_id(&bytes[Self::TRACE_ID])
            && is_id(&bytes[Self::SPAN_ID])
            && is_hex(&bytes[Self::FLAGS]);
        let ends = more.is_empty() || (version != b"00" && more.starts_with('-'));
        (is_apart && is_known && ends).then_some(Self(known))
    }

    fn trace_id(&self) -> &'a str {
        &self.0[Self::TRACE_ID]
    }

    /// The flags that version 00 knows.
    fn flags(&self) -> u8 {
        u8::from_str_radix(&self.0[Self::FLAGS], 16).unwrap_or(0) & KNOWN_FLAGS
    }

    fn in_version_00(&self) -> String {
        let ids = &self.0[Self::VERSION.end..Self::FLAGS.start];
        ["00", ids, KNOWN[usize::from(self.flags())]].concat()
    }
}

fn is_hex(text: &[u8]) -> bool {
    text.iter().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_id(text: &[u8]) -> bool {
    is_hex(text) && text.iter().any(|c| *c != b'0')
}

fn is_tracestate(text: &str) -> bool {
    (1..=MAX_TRACESTATE).contains(&text.len())
        && text.contains('=')
        && text.bytes().all(|c| matches!(c, b' '..=b'~'))
        && text.split(',').count() <= MAX_MEMBERS
        && has_each_key_once(text)
}

/// Whether no two members have the same key. A member may be empty.
fn has_each_key_once(tracestate: &str) -> bool {
    let members = tracestate.split(',').map(str::trim).filter(|member| !member.is_empty());
    let mut keys = BTreeSet::new();
    members
        .into_iter()
        .all(|member| member.split_once('=').is_some_and(|(key, _)| keys.insert(key)))
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
    fn a_root_has_the_given_ids() {
        let trace = Trace::root([0xab; 16], [0x01; 8], false);
        let expected = format!("00-{}-{}-00", "ab".repeat(16), "01".repeat(8));
        assert_eq!(trace.traceparent, Some(expected));
        assert_eq!(trace.trace_id(), Some("ab".repeat(16).as_str()));
        assert_eq!(Trace::root([0; 16], [1; 8], true), Trace::default());
        assert!(Trace::root([1; 16], [1; 8], true).traceparent.unwrap().ends_with("-01"));
    }

    #[test]
    fn the_last_bit_of_the_flags_says_whether_the_trace_is_sampled() {
        for (flags, sampled) in [("00", false), ("01", true), ("02", false), ("ff", true)] {
            let parent = format!("{}{flags}", &PARENT[..53]);
            assert_eq!(Trace::parse(Some(&parent), None).is_sampled(), sampled, "{flags}");
        }
        assert!(!Trace::default().is_sampled());
    }

    fn members(many: usize) -> String {
        (0..many).map(|nth| format!("k{nth}=1")).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn a_well_formed_trace_is_unchanged() {
        let most = members(MAX_MEMBERS);
        for state in ["vendor=a,other=b", "a=1, ,b=1=2,", &most] {
            let trace = Trace::parse(Some(PARENT), Some(state));
            assert_eq!(trace.traceparent.as_deref(), Some(PARENT));
            assert_eq!(trace.tracestate.as_deref(), Some(state));
        }
        let trace = Trace::parse(Some(PARENT), None);
        assert_eq!(trace.trace_id(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
    }

    #[test]
    fn a_higher_version_continues_as_version_00() {
        let later = PARENT.replacen("00", "01", 1);
        let long = format!("{later}-{}", "x".repeat(70_000));
        for parent in [&later, &format!("{later}-"), &format!("{later}-more-ä"), &long] {
            let trace = Trace::parse(Some(parent), Some("a=b"));
            assert_eq!(trace.traceparent.as_deref(), Some(PARENT));
            assert_eq!(trace.tracestate.as_deref(), Some("a=b"));
        }
        for wrong in [format!("{later}more"), format!("{later}ä"), later[..54].to_owned() + "ä"] {
            assert_eq!(Trace::parse(Some(&wrong), None), Trace::default(), "{wrong}");
        }
    }

    #[test]
    fn unknown_flags_are_not_passed_on() {
        for (flags, known) in [("ff", "03"), ("fe", "02"), ("04", "00"), ("03", "03")] {
            for version in ["00", "cc"] {
                let parent = format!("{version}{}{flags}", &PARENT[2..53]);
                let expected = format!("{}{known}", &PARENT[..53]);
                assert_eq!(Trace::parse(Some(&parent), None).traceparent, Some(expected));
            }
        }
    }

    #[test]
    fn a_long_stored_trace_is_shortened_when_it_is_read() {
        let long = PARENT.replacen("00", "01", 1) + "-" + &"x".repeat(70_000);
        let trace = Trace::stored(Some(long), Some("a=".to_owned() + &"x".repeat(70_000)));
        assert_eq!(trace, Trace::parse(Some(PARENT), None));
    }

    #[test]
    fn malformed_parts_are_dropped() {
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
        for wrong in [
            "",
            "a",
            "a=\u{e4}",
            &format!("a={}", "b".repeat(511)),
            &members(MAX_MEMBERS + 1),
            "a=1,a=2",
            "a=1,b=1, a=1",
            "a=1,b",
        ] {
            assert_eq!(Trace::parse(Some(PARENT), Some(wrong)).tracestate, None);
        }
        assert_eq!(Trace::parse(None, Some("a=b")), Trace::default());
    }
}
