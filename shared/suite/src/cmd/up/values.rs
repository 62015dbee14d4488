//! Parses the values of the options of `up`.

use crate::component::Member;

/// Parses the number of processes of a service.
///
/// # Errors
/// If there are no ports for so many.
pub(super) fn replicas(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=Member::MOST).contains(count));
    count.ok_or_else(|| format!("give 1 to {}", Member::MOST))
}

/// Parses `HOST:PORT[,HOST:PORT…]`.
///
/// # Errors
/// What to write instead.
pub fn brokers(text: &str) -> Result<String, String> {
    let is_broker = |broker: &str| {
        broker.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
        })
    };
    if text.split(',').all(is_broker) {
        Ok(text.to_owned())
    } else {
        Err("give HOST:PORT, several separated by commas".to_owned())
    }
}

/// The longest namespace. PostgreSQL silently cuts the name of a database to 63 bytes, so that two could become one.
const NAMESPACE_BYTES: usize = 32;

/// Parses a namespace, the prefix of the names of topics, groups and databases.
///
/// # Errors
/// Which characters it may contain.
pub fn namespace(text: &str) -> Result<String, String> {
    let begins_well = text.is_empty() || text.starts_with(|first: char| first.is_ascii_lowercase());
    let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    if begins_well && text.len() <= NAMESPACE_BYTES && text.bytes().all(fits) {
        Ok(text.to_owned())
    } else {
        Err(format!("use at most {NAMESPACE_BYTES} of a-z, 0-9, `-` and `_`, a letter first"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_broker_needs_a_port() {
        brokers("localhost:9092").unwrap();
        brokers("a:1,[::1]:2").unwrap();
        for bad in ["", "localhost", "a:1,b", ":9092", "a:0", "a:70000"] {
            assert!(brokers(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn replicas_are_at_least_one_and_at_most_as_many_as_have_ports() {
        assert_eq!(replicas("3"), Ok(3));
        for bad in ["0", "10", "-1", "many", ""] {
            assert!(replicas(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_namespace_contains_only_characters_of_names() {
        namespace("t1-").unwrap();
        for bad in ["T", "1", "a\"b", "a b", &"x".repeat(33)] {
            assert!(namespace(bad).is_err(), "{bad}");
        }
    }
}
