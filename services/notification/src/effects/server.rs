use std::{io, time::Duration};

use anyhow::{Context, anyhow, bail, ensure};
use axum::http::Uri;
use lettre::transport::smtp::authentication::Credentials;
use tokio::{net::TcpStream, time::timeout};

use super::{error::SessionError, tls::Tls, wire::Wire};
use crate::{SmtpConfig, StartTls};

/// The port of `smtp://` (RFC 5321 §4.5.4.2).
const SMTP_PORT: u16 = 25;
/// The port of `smtps://` (RFC 8314 §7.3).
const SMTPS_PORT: u16 = 465;
/// How long a server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(2);

/// The mail server: its address, encryption and login.
pub(super) struct Server {
    /// Its URL in error messages, such as `smtp://mail:25`.
    pub(super) name: String,
    host: String,
    port: u16,
    pub(super) security: Security,
}

/// How connections are encrypted. There is a login only if they are.
pub(super) enum Security {
    /// They are not encrypted.
    Plain,
    /// They are encrypted from the first byte on.
    Implicit(Tls, Option<Credentials>),
    /// They are encrypted by STARTTLS (RFC 3207).
    StartTls(Tls, Option<Credentials>),
}

impl Server {
    /// The server in these settings.
    pub(super) fn of(config: &SmtpConfig) -> anyhow::Result<Self> {
        let form = "give smtp://HOST:PORT or smtps://HOST:PORT";
        let url: Uri = config.url.parse().map_err(|error| anyhow!("smtp.url: {error}; {form}"))?;
        let authority =
            url.authority().with_context(|| format!("smtp.url names no host; {form}"))?;
        ensure!(
            !authority.as_str().contains('@'),
            "smtp.url names a user; set smtp.user and smtp.password instead"
        );
        let is_tls = match url.scheme_str() {
            Some("smtp") => false,
            Some("smtps") => true,
            _ => bail!("smtp.url = {:?} must be smtp://HOST:PORT or smtps://HOST:PORT", config.url),
        };
        ensure!(
            matches!(url.path(), "" | "/"),
            "smtp.url = {:?} must end with the port",
            config.url
        );
        let scheme = if is_tls { "smtps" } else { "smtp" };
        let port = authority.port_u16().unwrap_or(if is_tls { SMTPS_PORT } else { SMTP_PORT });
        let name = format!("{scheme}://{}:{port}", authority.host());
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let security = security(config, is_tls, &host).with_context(|| name.clone())?;
        Ok(Self { name, host, port, security })
    }

    /// Opens a connection, encrypted if that is implicit. STARTTLS is up to the caller.
    pub(super) async fn connect(&self) -> Result<Wire, SessionError> {
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let timed_out = |_| io::Error::from(io::ErrorKind::TimedOut);
        let connected = timeout(CONNECT, connecting).await.map_err(timed_out).flatten();
        let stream = connected.map_err(SessionError::Connect)?;
        stream.set_nodelay(true).map_err(SessionError::Connect)?;
        let wire = Box::new(stream);
        match &self.security {
            Security::Implicit(tls, _) => tls.over(wire).await.map_err(SessionError::Tls),
            Security::Plain | Security::StartTls(..) => Ok(wire),
        }
    }
}

fn security(config: &SmtpConfig, is_tls: bool, host: &str) -> anyhow::Result<Security> {
    let SmtpConfig { starttls, certificates, user, password, .. } = config;
    let login = match (user.is_empty(), password.is_empty()) {
        (true, true) => None,
        (false, false) => Some(Credentials::new(user.clone(), password.clone())),
        (true, false) => bail!("smtp.password is set, but smtp.user is not"),
        (false, true) => bail!("smtp.user is set, but smtp.password is not"),
    };
    let file = Some(certificates.as_str()).filter(|file| !file.is_empty());
    match (is_tls, starttls) {
        (true, StartTls::Off) => Ok(Security::Implicit(Tls::towards(host, file)?, login)),
        (true, StartTls::Required) => bail!(
            "smtp.starttls = \"required\" is for smtp://; smtps:// is encrypted from the first byte on"
        ),
        (false, StartTls::Required) => Ok(Security::StartTls(Tls::towards(host, file)?, login)),
        // Loopback is no exception: the sandbox asks for no password, and a relay that asks for one supports TLS.
        (false, StartTls::Off) if login.is_some() => bail!(
            "smtp.password would be sent in clear; set smtp.starttls = \"required\" or give an \
             smtps:// URL"
        ),
        (false, StartTls::Off) => {
            ensure!(
                file.is_none(),
                "smtp.certificates is set, but nothing is encrypted; set smtp.starttls = \
                 \"required\" or give an smtps:// URL"
            );
            Ok(Security::Plain)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> SmtpConfig {
        SmtpConfig {
            url: url.to_owned(),
            starttls: StartTls::Off,
            certificates: String::new(),
            user: String::new(),
            password: String::new(),
            from: "a@example.com".to_owned(),
        }
    }

    fn refused(config: &SmtpConfig) -> String {
        match Server::of(config) {
            Ok(server) => panic!("{} is accepted", server.name),
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn a_url_must_have_a_host_and_may_have_a_port() {
        for (url, name) in [
            ("smtp://mail", "smtp://mail:25"),
            ("smtp://mail:8025/", "smtp://mail:8025"),
            ("smtp://[::1]:26", "smtp://[::1]:26"),
        ] {
            assert_eq!(Server::of(&config(url)).unwrap().name, name);
        }
        for wrong in ["mail:25", "http://mail", "smtp://", "smtp://mail/inbox", "smtp:///x", ""] {
            assert!(refused(&config(wrong)).starts_with("smtp.url"), "{wrong}");
        }
        for wrong in ["smtp://", ""] {
            let error = refused(&config(wrong));
            assert!(error.ends_with("give smtp://HOST:PORT or smtps://HOST:PORT"), "{error}");
        }
        let error = refused(&config("smtp://ada:secret@mail"));
        assert!(error.contains("smtp.user") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn a_password_is_never_sent_in_clear() {
        for url in ["smtp://mail", "smtp://127.0.0.1:25", "smtp://localhost", "smtp://[::1]"] {
            let login = ("ada".to_owned(), "secret".to_owned());
            let error = refused(&SmtpConfig { user: login.0, password: login.1, ..config(url) });
            assert!(error.contains("smtp.password would be sent in clear"), "{error}");
            assert!(error.contains("smtp.starttls = \"required\""), "{error}");
            assert!(error.contains(url) && !error.contains(": secret"), "{error}");
        }
    }

    #[test]
    fn an_incomplete_login_and_settings_without_effect_are_refused() {
        let smtp = || config("smtp://mail");
        for (wrong, named) in [
            (SmtpConfig { user: "ada".to_owned(), ..smtp() }, "smtp.password is not"),
            (SmtpConfig { password: "secret".to_owned(), ..smtp() }, "smtp.user is not"),
            (SmtpConfig { certificates: "/ca.pem".to_owned(), ..smtp() }, "smtp.certificates"),
            (SmtpConfig { starttls: StartTls::Required, ..config("smtps://mail") }, "smtps://"),
        ] {
            let error = refused(&wrong);
            assert!(error.contains(named), "{error}");
        }
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn a_build_without_tls_says_so() {
        let required = SmtpConfig { starttls: StartTls::Required, ..config("smtp://mail") };
        for config in [config("smtps://mail"), required] {
            let error = refused(&config);
            assert!(error.contains("--features notification/tls"), "{error}");
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn a_password_may_be_sent_over_tls() {
        let login = |config| {
            let (user, password) = ("ada".to_owned(), "secret".to_owned());
            Server::of(&SmtpConfig { user, password, ..config }).unwrap()
        };
        let implicit = login(config("smtps://mail"));
        assert_eq!(implicit.name, "smtps://mail:465");
        assert!(matches!(implicit.security, Security::Implicit(_, Some(_))));
        let required = login(SmtpConfig { starttls: StartTls::Required, ..config("smtp://mail") });
        assert!(matches!(required.security, Security::StartTls(_, Some(_))));
        let nowhere =
            SmtpConfig { certificates: "/nowhere.pem".to_owned(), ..config("smtps://mail") };
        let error = refused(&nowhere);
        assert!(error.contains("smtp.certificates: /nowhere.pem"), "{error}");
    }
}
