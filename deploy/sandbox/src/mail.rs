//! Reads what the ledger stores of a mail: its id, order, recipients and subject.

use mail_parser::{Address, MessageParser};
use uuid::Uuid;

use crate::ledger::Mail;
use crate::reference;

/// The header that names the order.
const ORDER_HEADER: &str = "X-Quintet-Order";

/// Reads a message. If its headers name no recipients, those of the envelope are used.
pub fn read(message: &[u8], recipients: &[String]) -> Mail {
    let parsed = MessageParser::new().parse(message);
    let parsed = parsed.as_ref();
    let order_id = parsed
        .and_then(|mail| mail.header(ORDER_HEADER))
        .and_then(|value| value.as_text())
        .map(str::trim)
        .unwrap_or_default();
    let to = parsed.and_then(|mail| mail.to()).map(addressees);
    Mail {
        message_id: parsed
            .and_then(|mail| mail.message_id())
            // Without an id, mails with the same text count as the same mail.
            .map_or_else(|| reference("", &String::from_utf8_lossy(message)), str::to_owned),
        order_id: Uuid::parse_str(order_id)
            .map_or_else(|_| order_id.to_owned(), |id| id.to_string()),
        to: to.filter(|to| !to.is_empty()).unwrap_or_else(|| recipients.join(", ")),
        subject: parsed.and_then(|mail| mail.subject()).unwrap_or_default().to_owned(),
    }
}

fn addressees(to: &Address) -> String {
    let addresses: Vec<&str> = to.iter().filter_map(|to| to.address()).collect();
    addresses.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> Vec<String> {
        vec!["someone@example.com".to_owned()]
    }

    #[test]
    fn headers_are_decoded() {
        let mail = read(
            b"Message-ID: <a.b@quintet>\r\nX-Quintet-Order: 0190D9F0-0000-7000-8000-000000000001\r\n\
              To: =?utf-8?q?J=C3=B6rg?= <joerg@example.com>,\r\n other@example.com\r\n\
              Subject: =?utf-8?b?R3LDvMOfZQ==?= an\r\n alle\r\n\r\nHallo\r\n",
            &envelope(),
        );
        let expected = Mail {
            message_id: "a.b@quintet".to_owned(),
            order_id: "0190d9f0-0000-7000-8000-000000000001".to_owned(),
            to: "joerg@example.com, other@example.com".to_owned(),
            subject: "Grüße an alle".to_owned(),
        };
        assert_eq!(mail, expected);
    }

    #[test]
    fn a_mail_without_headers_is_stored_too() {
        let mail = read(b"\r\nHallo\r\n", &envelope());
        assert_eq!(mail.to, "someone@example.com");
        assert_eq!(mail.message_id, read(b"\r\nHallo\r\n", &envelope()).message_id);
        assert_ne!(mail.message_id, read(b"\r\nHullo\r\n", &envelope()).message_id);
    }
}
