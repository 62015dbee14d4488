use std::{fmt, io};

use lettre::transport::smtp::{Error, extension::Extension};

use super::reply::Reply;

/// A step of the SMTP dialogue: what the server was asked for last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Its greeting.
    Greeting,
    /// Its extensions.
    Ehlo,
    /// To encrypt the connection.
    StartTls,
    /// To accept the login.
    Auth,
    /// To accept the sender.
    Mail,
    /// To accept the recipient.
    Rcpt,
    /// To expect the text.
    Data,
    /// To accept the text, after DATA or BDAT.
    Text,
}

impl Step {
    /// Whether the reply lets the dialogue continue: a 2xx, or the 3xx by which DATA and AUTH ask for more (RFC
    /// 5321 §4.3.2, RFC 4954 §4).
    pub(super) fn is_done(self, reply: &Reply) -> bool {
        match (self, reply.code()) {
            (Self::Data, code) => (300..400).contains(&code),
            (Self::Auth, 334) => true,
            (_, code) => (200..300).contains(&code),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Greeting => "the connection",
            Self::Ehlo => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data | Self::Text => "DATA",
        })
    }
}

/// Why a mail was not sent. [`MailError`] adds the server's name.
#[derive(Debug)]
pub(super) enum SessionError {
    /// The server could not be reached.
    Connect(io::Error),
    /// TLS could not be established.
    Tls(io::Error),
    /// The connection broke.
    Broken { step: Step, error: io::Error },
    /// The server refused a command.
    Refused { step: Step, reply: Reply },
    /// The server lacks an extension that the recipient's address needs.
    RecipientNeeds(Extension),
    /// The server lacks an extension that the sender's address needs.
    SenderNeeds(Extension),
    /// The server offers no login mechanism that this service supports.
    NoLogin,
    /// The server sent a login challenge that makes no sense.
    Challenge(Error),
    /// The server does not offer STARTTLS, which the settings require.
    NoStartTls,
    /// Unencrypted data followed the reply to STARTTLS: an attacker may have injected it (CVE-2011-0411).
    Injected,
    /// The server sent something that is not an SMTP reply.
    Unreadable { step: Step },
    /// The server's reply is longer than allowed.
    Endless { step: Step },
}

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
#[error("{}", .why.describe(.server))]
pub(super) struct MailError {
    /// The server's URL.
    pub(super) server: String,
    pub(super) why: SessionError,
}

impl SessionError {
    /// The error message, with the server's URL.
    fn describe(&self, server: &str) -> String {
        match self {
            Self::Connect(error) => format!("cannot connect to {server}: {}", plain(error)),
            Self::Tls(error) => format!("cannot speak TLS with {server}: {}", plain(error)),
            Self::Broken { step, error } => {
                format!("the connection to {server} broke at {step}: {}", plain(error))
            }
            Self::Refused { step, reply } => format!("{server} answers {step} with {reply}"),
            Self::RecipientNeeds(extension) => {
                format!(
                    "{server} does not announce {extension}, which the recipient's address needs"
                )
            }
            Self::SenderNeeds(extension) => {
                format!("{server} does not announce {extension}, which the address smtp.from needs")
            }
            Self::NoLogin => format!("{server} announces neither AUTH PLAIN nor AUTH LOGIN"),
            Self::Challenge(error) => format!("{server} asks something strange at AUTH: {error}"),
            Self::NoStartTls => format!(
                "{server} does not announce STARTTLS, which smtp.starttls = \"required\" asks for"
            ),
            Self::Injected => format!("{server} sent more than its reply to STARTTLS in clear"),
            Self::Unreadable { step } => format!("{server} answers {step} with no SMTP reply"),
            Self::Endless { step } => format!("{server} does not end its answer to {step}"),
        }
    }

    /// Whether the server refuses this mail for good, and not this service.
    pub(super) fn refuses_the_mail(&self) -> bool {
        match self {
            Self::Refused { step: Step::Mail | Step::Rcpt | Step::Data | Step::Text, reply } => {
                reply.refuses_for_good()
            }
            Self::RecipientNeeds(_) => true,
            _ => false,
        }
    }

    /// Whether the connection is unusable, or the server closes it (421, RFC 5321 §3.8).
    pub(super) fn is_lost(&self) -> bool {
        match self {
            Self::Refused { reply, .. } => reply.code() == 421,
            Self::Broken { .. } | Self::Unreadable { .. } | Self::Endless { .. } => true,
            _ => false,
        }
    }
}

/// The error as part of a sentence: without its error number, and in lower case.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().into_iter().flat_map(char::to_lowercase).chain(chars).collect()
}
