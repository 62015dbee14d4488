use lettre::transport::smtp::response::Response;

/// How much of a reply an error message quotes, in characters.
const LONGEST: usize = 400;
/// Codes that refuse this service's login, or ask for another one (RFC 4954 §6).
const OUR_LOGIN: [u16; 4] = [530, 534, 535, 538];

/// A server's reply. Only its code decides what to do, not the text that follows (RFC 5321 §4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    code: u16,
    raw: String,
}

impl Reply {
    /// Parses these lines; `None` if they are not a reply.
    pub(super) fn parse(lines: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(lines);
        let code = text.get(..3).filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()))?;
        let raw = text.lines().map(|line| regular(line, code)).collect::<Option<_>>()?;
        let code = code.parse().ok().filter(|code| (200..600).contains(code))?;
        Some(Self { code, raw })
    }

    /// The reply as lettre's type.
    pub(super) fn response(&self) -> Option<Response> {
        self.raw.parse().ok()
    }

    pub(super) fn code(&self) -> u16 {
        self.code
    }

    /// The text of each line.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.raw.lines().map(|line| line.get(4..).unwrap_or_default())
    }

    /// Whether the server refuses for good, and for a reason that lies in the mail: not in this service's login,
    /// its rate, or the DNS records of its domain.
    pub(super) fn refuses_for_good(&self) -> bool {
        let about_us = OUR_LOGIN.contains(&self.code) || self.status().is_some_and(is_about_us);
        self.code >= 500 && !about_us
    }

    /// The subject and detail of its enhanced status code (RFC 3463).
    fn status(&self) -> Option<(u16, u16)> {
        let mut numbers = self.lines().next()?.split_whitespace().next()?.split('.');
        let (class, subject, detail) = (numbers.next()?, numbers.next()?, numbers.next()?);
        let coded = matches!(class, "2" | "4" | "5") && numbers.next().is_none();
        Some((subject.parse().ok()?, detail.parse().ok()?)).filter(|_| coded)
    }
}

/// The line with a space after its code, also if the server put another character there, such as a tab. `None` if
/// the line does not begin with this code.
fn regular(line: &str, code: &str) -> Option<String> {
    let mut rest = line.strip_prefix(code)?.chars();
    let mark = match rest.next() {
        Some('-') => '-',
        Some(other) if other.is_alphanumeric() => return None,
        _ => ' ',
    };
    Some(format!("{code}{mark}{}\r\n", rest.as_str()))
}

/// Whether an enhanced status code is about this service, not about the mail. From IANA's list: congestion and
/// daily quotas (X.4.5), the login (X.7.8 to X.7.14), DKIM, SPF and other checks of the sender's domain (X.7.20 to
/// X.7.27, X.7.29), and too much mail from this sender (X.7.28).
fn is_about_us(status: (u16, u16)) -> bool {
    matches!(status, (4, 5) | (7, 8..=14 | 20..=29))
}

/// In one line of bounded length, for error messages.
impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.lines().collect::<Vec<_>>().join(" ");
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let text: String = text.chars().map(plain).take(LONGEST).collect();
        write!(f, "{} {text}", self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str) -> Reply {
        Reply::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text:?} is a reply"))
    }

    #[test]
    fn all_lines_of_a_reply_have_the_same_code() {
        let greeted = reply("250-here\r\n250-SIZE 10\r\n250 HELP\r\n");
        assert_eq!(greeted.lines().collect::<Vec<_>>(), ["here", "SIZE 10", "HELP"]);
        assert_eq!(greeted.to_string(), "250 here SIZE 10 HELP");
        assert!(greeted.response().is_some());
        // For a code that the RFC does not define, the first digit decides.
        assert!(reply("571 not authorized\r\n").refuses_for_good());
        assert_eq!(reply("250\r\n").to_string(), "250 ");
        for wrong in [
            "",
            "25",
            "what?\r\n",
            "+50 x\r\n",
            "150 x\r\n",
            "600 x\r\n",
            "250x\r\n",
            "250-a\r\n550 b\r\n",
            "250-a\r\nb\r\n",
        ] {
            assert_eq!(Reply::parse(wrong.as_bytes()), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_reply_is_shown_in_one_line_of_bounded_length() {
        let long = format!("550-a\u{7}b\r\n550 {}\r\n", "é".repeat(10_000));
        let shown = reply(&long).to_string();
        assert!(shown.starts_with("550 a b éé"), "{shown}");
        assert_eq!(shown.chars().count(), "550 ".len() + LONGEST);
    }

    #[test]
    fn every_permanent_refusal_counts_except_those_about_this_service() {
        for permanent in [
            "500 5.5.2 line too long",
            "501 5.1.3 bad address",
            "503 5.5.1 not now",
            "504 5.5.2 <ada@localhost>: need fully-qualified address",
            "521 5.3.2 no mail here",
            "550 no such user",
            "550 5.1.1 no such user",
            "550 5.7.1 blocked",
            "551 5.1.6 moved",
            "552 5.2.2 full",
            "553 5.1.3 no address",
            "554 5.7.1 relay access denied",
            "555 5.5.4 unknown parameter",
            "556 5.1.10 null MX",
            "550 5.7.17 has changed its owner",
            "550 5.7.8.1 no code",
            "550 mail.7.8 no code",
            "550\t5.1.1 no such user",
            "550: no such user",
            "550",
        ] {
            assert!(reply(permanent).refuses_for_good(), "{permanent}");
        }
        for other in [
            "421 4.3.2 closing",
            "450 4.2.1 busy",
            "451 4.3.0 later",
            "452 4.3.1 full",
            "454 4.7.0 no login now",
            "455 4.5.4 not now",
            "530 5.7.0 log in",
            "530 5.5.1 log in",
            "534 5.7.9 too weak",
            "535 5.7.8 wrong password",
            "538 5.7.11 encrypt",
            "550 5.4.5 daily sending quota exceeded",
            "550 5.7.28 flood",
            "550\t5.7.28\tflood",
            "550 5.7.26 no DMARC",
            "550 5.7.23 SPF",
            "550 5.7.25 no reverse DNS",
            "554 5.7.14 log in with a browser first",
            "250 5.1.1 fine",
            "354 go on",
        ] {
            assert!(!reply(other).refuses_for_good(), "{other}");
        }
    }
}
