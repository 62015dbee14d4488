//! Fuzzes trace contexts: a broken one is dropped, but not its event.

use event::Trace;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::damage::bytes;

/// The position of the flags in a `traceparent`.
const FLAGS: usize = 53;
/// The length of a `traceparent` of version 00.
const END: usize = 55;
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A random text, a damaged valid one, or none.
fn nearly_valid(valid: &'static str) -> impl Strategy<Value = Option<String>> {
    let damaged = vec(bytes(), 0..3).prop_map(move |damages| {
        let mut text = valid.as_bytes().to_vec();
        for damage in &damages {
            damage.apply(&mut text);
        }
        String::from_utf8_lossy(&text).into_owned()
    });
    prop_oneof![8 => damaged.prop_map(Some), 1 => any::<String>().prop_map(Some), 1 => Just(None)]
}

proptest! {
    #[test]
    fn a_trace_is_passed_on_as_version_00_or_not_at_all(
        parent in nearly_valid(PARENT), state in nearly_valid("vendor=a,other=b"),
    ) {
        let trace = Trace::parse(parent.as_deref(), state.as_deref());
        let Some(passed_on) = &trace.traceparent else {
            prop_assert_eq!(trace, Trace::default());
            return Ok(());
        };
        let parent = parent.unwrap_or_default();
        prop_assert_eq!(passed_on.len(), END);
        prop_assert_eq!(&passed_on[..2], "00");
        prop_assert_eq!(&passed_on[2..FLAGS], &parent[2..FLAGS]);
        prop_assert!(parent.len() == END || (&parent[..2] != "00" && &parent[END..=END] == "-"));
        prop_assert!(trace.tracestate.is_none() || trace.tracestate == state);
        prop_assert_eq!(&Trace::parse(Some(passed_on), trace.tracestate.as_deref()), &trace);
        let id = trace.trace_id().unwrap();
        prop_assert!(id.len() == 32 && id.bytes().any(|digit| digit != b'0'), "{id}");
        prop_assert!(passed_on.is_ascii() && !passed_on.contains(char::is_control));
        let flags = u8::from_str_radix(&parent[FLAGS..END], 16).unwrap();
        prop_assert_eq!(trace.is_sampled(), flags & 1 == 1);
    }
}
