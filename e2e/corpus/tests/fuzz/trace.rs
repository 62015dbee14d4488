//! Trace contexts: what is broken is dropped, and no event with it.

use event::Trace;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::spoil::bytes;

/// Where the flags of a `traceparent` begin, and where version 00 ends.
const FLAGS: usize = 53;
const END: usize = 55;
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Anything, or a good one with something wrong.
fn nearly(good: &'static str) -> impl Strategy<Value = Option<String>> {
    let spoilt = vec(bytes(), 0..3).prop_map(move |spoils| {
        let mut text = good.as_bytes().to_vec();
        for spoil in &spoils {
            spoil.spoil(&mut text);
        }
        String::from_utf8_lossy(&text).into_owned()
    });
    prop_oneof![8 => spoilt.prop_map(Some), 1 => any::<String>().prop_map(Some), 1 => Just(None)]
}

proptest! {
    #[test]
    fn a_trace_is_passed_on_as_version_00_or_not_at_all(
        parent in nearly(PARENT), state in nearly("vendor=a,other=b"),
    ) {
        let trace = Trace::parse(parent.as_deref(), state.as_deref());
        let Some(kept) = &trace.traceparent else {
            prop_assert_eq!(trace, Trace::default());
            return Ok(());
        };
        let parent = parent.unwrap_or_default();
        prop_assert_eq!(kept.len(), END);
        prop_assert_eq!(&kept[..2], "00");
        prop_assert_eq!(&kept[2..FLAGS], &parent[2..FLAGS]);
        prop_assert!(parent.len() == END || (&parent[..2] != "00" && &parent[END..=END] == "-"));
        prop_assert!(trace.tracestate.is_none() || trace.tracestate == state);
        prop_assert_eq!(&Trace::parse(Some(kept), trace.tracestate.as_deref()), &trace);
        let id = trace.trace_id().unwrap();
        prop_assert!(id.len() == 32 && id.bytes().any(|digit| digit != b'0'), "{id}");
        prop_assert!(kept.is_ascii() && !kept.contains(char::is_control));
        let flags = u8::from_str_radix(&parent[FLAGS..END], 16).unwrap();
        prop_assert_eq!(trace.is_sampled(), flags & 1 == 1);
    }
}
