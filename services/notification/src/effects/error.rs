use std::{fmt, io};

use lettre::transport::smtp::{Error, extension::Extension};

use super::reply::Reply;

/// What the server was asked last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// To greet.
    Greeting,
    /// What it can do.
    Ehlo,
    /// To encrypt.
    StartTls,
    /// To let us in.
    Auth,
    /// To take a mail from the sender.
    Mail,
    /// To take it for the recipient.
    Rcpt,
    /// Whether it goes on to the text.
    Data,
    /// To take the text, that of DATA or BDAT.
    Text,
}

impl Stage {
    /// Whether the server did what it was asked, or asks for what comes next where something does
    /// (RFC 5321 §4.3.2, RFC 4954 §4).
    pub(super) fn is_done(self, reply: &Reply) -> bool {
        match (self, reply.code()) {
            (Self::Data, code) => (300..400).contains(&code),
            (Self::Auth, 334) => true,
            (_, code) => (200..300).contains(&code),
        }
    }
}

impl fmt::Display for Stage {
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

/// Why a mail was not handed over, for somebody who knows to which server.
#[derive(Debug)]
pub(super) enum SessionError {
    /// There is no connection.
    Connect(io::Error),
    /// It cannot be encrypted.
    Tls(io::Error),
    /// The connection broke.
    Broken { stage: Stage, error: io::Error },
    /// The server does not take what was asked for.
    Refused { stage: Stage, reply: Reply },
    /// It lacks what the recipient's address needs.
    RecipientNeeds(Extension),
    /// It lacks what our own address needs.
    SenderNeeds(Extension),
    /// It offers no way to log in that is known here.
    NoLogin,
    /// A challenge of it makes no sense.
    Challenge(Error),
    /// It does not encrypt, and has to.
    NoStartTls,
    /// Something came in clear after the encryption had been agreed upon (CVE-2011-0411).
    Injected,
    /// Its reply is none.
    Unreadable { stage: Stage },
    /// Its reply does not end.
    Endless { stage: Stage },
}

/// Why a mail was not handed over.
#[derive(Debug, thiserror::Error)]
#[error("{}", .why.told(.server))]
pub(super) struct MailError {
    /// What the server is called.
    pub(super) server: String,
    pub(super) why: SessionError,
}

impl SessionError {
    /// What happened, with the server's name.
    fn told(&self, server: &str) -> String {
        match self {
            Self::Connect(error) => format!("cannot connect to {server}: {}", plain(error)),
            Self::Tls(error) => format!("cannot speak TLS with {server}: {}", plain(error)),
            Self::Broken { stage, error } => {
                format!("the connection to {server} broke at {stage}: {}", plain(error))
            }
            Self::Refused { stage, reply } => format!("{server} answers {stage} with {reply}"),
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
            Self::Unreadable { stage } => format!("{server} answers {stage} with no SMTP reply"),
            Self::Endless { stage } => format!("{server} does not end its answer to {stage}"),
        }
    }

    /// Whether the server refuses this mail for good, and not us.
    pub(super) fn refuses_the_mail(&self) -> bool {
        match self {
            Self::Refused {
                stage: Stage::Mail | Stage::Rcpt | Stage::Data | Stage::Text,
                reply,
            } => reply.refuses_for_good(),
            Self::RecipientNeeds(_) => true,
            _ => false,
        }
    }

    /// Whether the connection is of no more use, or the server closes it (421, RFC 5321 §3.8).
    pub(super) fn is_lost(&self) -> bool {
        match self {
            Self::Refused { reply, .. } => reply.code() == 421,
            Self::Broken { .. } | Self::Unreadable { .. } | Self::Endless { .. } => true,
            _ => false,
        }
    }
}

/// The error as a part of a sentence: without its number, and without a capital.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().into_iter().flat_map(char::to_lowercase).chain(chars).collect()
}
