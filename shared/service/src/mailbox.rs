//! One spelling for each mailbox, so that a limit for each customer cannot be evaded by spelling an address anew.

use unicode_normalization::UnicodeNormalization;

/// The canonical spelling of a mailbox, for counting what its owner does: without a display name, in lower case,
/// without quotes and escapes (RFC 5321 §4.1.2), in Unicode's composed form (RFC 6532 §3.1), and with its domain as in
/// [`mail_domain`]. Mail itself goes to the address as it was given.
#[must_use]
pub fn mailbox(address: &str) -> String {
    if is_canonical(address) {
        return address.to_owned();
    }
    let address = address.trim();
    let bracketed = address.strip_suffix('>').and_then(|text| text.rsplit_once('<'));
    let address = bracketed.map_or(address, |(_, address)| address);
    match address.rsplit_once('@') {
        Some((local, domain)) => format!("{}@{}", folded(&unquoted(local)), mail_domain(domain)),
        None => folded(address),
    }
}

/// The canonical spelling of a mail domain: its ASCII form as in DNS (RFC 5891), without the dot of the root. A text
/// that is no DNS name is only put into lower case.
#[must_use]
pub fn mail_domain(domain: &str) -> String {
    let ascii = idna::domain_to_ascii(domain).unwrap_or_else(|_| folded(domain));
    ascii.trim_end_matches('.').to_owned()
}

/// Whether the address certainly is in its canonical spelling already, as most are: then nothing need be computed.
fn is_canonical(address: &str) -> bool {
    let is_plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"@._+".contains(&c);
    address.bytes().all(is_plain) && !address.ends_with('.')
}

fn folded(text: &str) -> String {
    text.to_lowercase().nfc().collect()
}

/// A local part without quotes and escapes: with and without them it names the same mailbox.
fn unquoted(local: &str) -> String {
    let mut plain = String::with_capacity(local.len());
    let mut chars = local.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {}
            '\\' => plain.extend(chars.next()),
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_has_one_spelling() {
        for spelling in [
            "v@bücher.example",
            " V@Bücher.Example ",
            "v@xn--bcher-kva.example",
            "v@XN--BCHER-KVA.EXAMPLE",
            "v@bu\u{308}cher.example",
            "v@bücher.example.",
            "v@bücher。example。",
            "\"v\"@bücher.example",
            "\"\\v\"@bücher.example",
            "<v@bücher.example>",
            "V<v@bücher.example>",
        ] {
            assert_eq!(mailbox(spelling), "v@xn--bcher-kva.example", "{spelling}");
        }
        assert_eq!(mailbox("U\u{308}@x.example"), "ü@x.example");
        assert_eq!(mailbox("\"a\".B@x.example"), "a.b@x.example");
    }

    #[test]
    fn a_canonical_address_is_left_as_it_is() {
        for plain in ["v@x.example", "v+1@x.example", "a.b_c@x1.example", "@x", "v@", "v"] {
            assert!(is_canonical(plain), "{plain}");
            let domain = plain.rsplit_once('@').map_or("", |(_, domain)| domain);
            assert_eq!(mail_domain(domain), domain);
            assert_eq!(folded(&unquoted(plain)), plain);
        }
        for other in ["V@x.example", "v@x.example.", "v@xn--bcher-kva.example", "\"v\"@x", "ü@x"] {
            assert!(!is_canonical(other), "{other}");
        }
    }

    #[test]
    fn mailboxes_that_differ_stay_apart() {
        let mailboxes = [
            "v@x.example",
            "w@x.example",
            "v+1@x.example",
            "v@y.example",
            "v@x.example.org",
            "v@ß.example",
            "v@ss.example",
        ];
        for (nth, mailbox) in mailboxes.iter().enumerate() {
            assert!(
                mailboxes[..nth].iter().all(|other| self::mailbox(other) != self::mailbox(mailbox))
            );
        }
    }

    #[test]
    fn a_text_that_is_no_address_is_only_put_into_lower_case() {
        for (text, lower) in [("Ada", "ada"), ("v@XN--A", "v@xn--a"), ("V@", "v@"), ("", "")] {
            assert_eq!(mailbox(text), lower);
        }
    }
}
