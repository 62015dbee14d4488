//! Durations in the forms that people write and read.

use jiff::SignedDuration;
use std::time::Duration;

/// Parses a duration such as `500ms`, `30s` or `5m`.
///
/// # Errors
/// What to write instead.
pub fn parse(text: &str) -> Result<Duration, String> {
    let duration = text.parse::<SignedDuration>().ok();
    duration
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| "write it as 500ms, 30s or 5m".to_owned())
}

/// The duration in one or two units, such as `83 ms`, `1.5 s` and `3 min 20 s`.
#[must_use]
pub fn text(duration: SignedDuration) -> String {
    let sign = if duration.is_negative() { "-" } else { "" };
    let duration = duration.unsigned_abs();
    let (millis, seconds) = (duration.as_millis(), duration.as_secs());
    let text = match seconds {
        0 => format!("{millis} ms"),
        // It is rounded down, so that 59.99 s is not shown as 60 s.
        1..10 => decimals(millis / 10, 100, 2),
        10..60 => decimals(millis / 100, 10, 1),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    };
    format!("{sign}{text}")
}

/// As [`text`], with its sign in any case.
#[must_use]
pub fn since(duration: SignedDuration) -> String {
    let text = text(duration);
    if duration.is_negative() { text } else { format!("+{text}") }
}

/// The duration in one unit, such as `12s`, `3m`, `5h` and `40d`.
#[must_use]
pub fn age(duration: SignedDuration) -> String {
    match duration.as_secs().max(0) {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m", seconds / 60),
        seconds @ 3600..86_400 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

fn decimals(units: u128, scale: u128, digits: usize) -> String {
    let text = format!("{}.{:0digits$}", units / scale, units % scale);
    format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_parsed_and_other_texts_refused() {
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse("5m"), Ok(Duration::from_mins(5)));
        assert_eq!(parse("0s"), Ok(Duration::ZERO));
        for bad in ["", "30", "-1s", "soon", "5 parsecs"] {
            assert_eq!(parse(bad).unwrap_err(), "write it as 500ms, 30s or 5m", "{bad}");
        }
    }

    #[test]
    fn a_text_has_at_most_two_units() {
        let of = |millis| text(SignedDuration::from_millis(millis));
        assert_eq!(of(0), "0 ms");
        assert_eq!(of(999), "999 ms");
        assert_eq!(of(1_000), "1 s");
        assert_eq!(of(1_234), "1.23 s");
        assert_eq!(of(59_999), "59.9 s");
        assert_eq!(of(200_000), "3 min 20 s");
        assert_eq!(of(7_500_000), "2 h 5 min");
        assert_eq!(of(100_000_000), "1 d 3 h");
        assert_eq!(of(-1_500), "-1.5 s");
        assert_eq!(since(SignedDuration::from_millis(5)), "+5 ms");
        assert_eq!(since(SignedDuration::from_millis(-5)), "-5 ms");
    }

    #[test]
    fn an_age_has_one_unit() {
        let of = |seconds| age(SignedDuration::from_secs(seconds));
        assert_eq!(
            [-1, 59, 60, 3_599, 7_200, 86_400].map(of),
            ["0s", "59s", "1m", "59m", "2h", "1d"]
        );
    }
}
