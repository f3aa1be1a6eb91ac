//! Mail by SMTP: one server, one sender, and whether a message that failed may have been sent all the same.
//!
//! Knows what a message looks like on the wire and nothing of why it is sent. Invariants: a password is sent over TLS only,
//! every step has a time limit, and no error carries an address or the server's words, which may.

use std::fmt;
use std::time::Duration;

use lettre::address::Envelope;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox as Address, MultiPart};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use percent_encoding::percent_decode_str;
use tokio::time::timeout;
use url::{Host, Url};

/// An address, with a name if there is one.
#[derive(Clone, PartialEq, Eq)]
pub struct Mailbox(Address);

impl Mailbox {
    /// `app@example.com` or `App <app@example.com>`.
    pub fn parse(text: &str) -> Option<Self> {
        text.trim().parse().ok().map(Self)
    }

    /// The mailbox of a person, whose name may hold anything.
    pub fn of(name: &str, address: &str) -> Option<Self> {
        let name: String = name.chars().filter(|character| !character.is_control()).take(200).collect();
        Some(Self(Address::new(Some(name).filter(|name| !name.trim().is_empty()), address.trim().parse().ok()?)))
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mailbox(…)")
    }
}

/// How the conversation is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    /// From the first byte (`smtps://`).
    Immediate,
    /// The server must offer it (`smtp://…?tls=required`).
    Required,
    /// If the server offers it.
    Offered,
}

/// The server that takes our mail.
#[derive(Clone)]
pub struct Relay {
    host: String,
    port: u16,
    tls: Tls,
    credentials: Option<Credentials>,
}

/// What is wrong with the server's address. Never contains it, because it holds a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    #[error("must be smtp://user:password@host:587 or smtps://user:password@host:465")]
    Form,
    #[error("has an option other than tls=required and tls=opportunistic")]
    Option,
    #[error("must encrypt before it sends a password: smtps://, or smtp:// with ?tls=required")]
    Plain,
}

impl Relay {
    pub fn parse(text: &str) -> Result<Self, RelayError> {
        let url = Url::parse(text.trim()).map_err(|_| RelayError::Form)?;
        let (mut tls, port) = match url.scheme() {
            "smtps" => (Tls::Immediate, 465),
            "smtp" => (Tls::Offered, 587),
            _ => return Err(RelayError::Form),
        };
        for (key, value) in url.query_pairs() {
            match (key.as_ref(), value.as_ref()) {
                ("tls", "required") if tls != Tls::Immediate => tls = Tls::Required,
                ("tls", "required" | "opportunistic") => {}
                _ => return Err(RelayError::Option),
            }
        }
        let host = match url.host() {
            Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            _ => return Err(RelayError::Form),
        };
        if !matches!(url.path(), "" | "/") {
            return Err(RelayError::Form);
        }
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(String::from).ok();
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (user, password) => {
                let user = decoded(user).ok_or(RelayError::Form)?;
                let password = decoded(password.unwrap_or_default()).ok_or(RelayError::Form)?;
                Some(Credentials::new(user, password))
            }
        };
        if credentials.is_some() && tls == Tls::Offered {
            return Err(RelayError::Plain);
        }
        Ok(Self { host, port: url.port().unwrap_or(port), tls, credentials })
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("tls", &self.tls).finish_non_exhaustive()
    }
}

/// A message.
#[derive(Clone, Debug)]
pub struct Message {
    pub to: Vec<Mailbox>,
    pub subject: String,
    pub text: String,
    pub html: String,
    /// The same message has the same id, so that a receiver can tell a repetition.
    pub id: String,
}

/// Why a message was not taken, in words that may be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The mail server is away or asks to come back later. Nothing was sent.
    #[error("the mail server is away ({0})")]
    Away(String),
    /// It will not take this message, now or later.
    #[error("the mail server refused the message ({0})")]
    Refused(String),
    /// The message was handed over and no answer came: it may be on its way.
    #[error("the mail server did not say whether it took the message")]
    Unsure,
}

/// Sends as one sender through one server. Opens a connection for each message, so there is none that could be stale.
#[derive(Clone, Debug)]
pub struct Mailer {
    relay: Relay,
    from: Mailbox,
    /// Our own domain: how we greet, and where our message ids live.
    domain: String,
    timeout: Duration,
}

impl Mailer {
    pub fn new(relay: Relay, from: Mailbox, timeout: Duration) -> Self {
        let domain = from.0.email.domain().to_owned();
        Self { relay, from, domain, timeout }
    }

    /// Everything up to the message itself: whoever fails here has sent nothing.
    ///
    /// # Errors
    /// The server is away, or refuses the recipient.
    pub async fn open(&self, message: &Message) -> Result<Ready<'_>, Error> {
        let (envelope, bytes) = self.letter(message)?;
        let mut connection = self.connect().await?;
        let announced = self.step(announce(&mut connection, &envelope)).await;
        if let Err(error) = announced {
            self.hang_up(connection).await;
            return Err(error);
        }
        Ok(Ready { mailer: self, connection, bytes })
    }

    /// Whether the server can be reached, speaks TLS as we need it, and knows us.
    ///
    /// # Errors
    /// What `send` would meet.
    pub async fn check(&self) -> Result<(), Error> {
        let connection = self.connect().await?;
        self.hang_up(connection).await;
        Ok(())
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let Relay { host, port, tls, credentials } = &self.relay;
        let hello = ClientId::Domain(self.domain.clone());
        let parameters =
            || TlsParameters::new(host.clone()).map_err(|_| Error::Away("no certificates to trust".to_owned()));
        let immediate = if *tls == Tls::Immediate { Some(parameters()?) } else { None };
        let address = (host.as_str(), *port);
        let opened = AsyncSmtpConnection::connect_tokio1(address, Some(self.timeout), &hello, immediate, None);
        let mut connection = self.step(opened).await?;
        let offers = connection.can_starttls();
        if *tls == Tls::Required && !offers {
            self.hang_up(connection).await;
            return Err(Error::Away("it offers no encryption".to_owned()));
        }
        if *tls != Tls::Immediate && offers {
            self.step(connection.starttls(parameters()?, &hello)).await?;
        }
        if let Some(credentials) = credentials {
            // A wrong password is mended here, not by the person who waits for the mail: the same message is tried again.
            let known = self.step(connection.auth(DEFAULT_MECHANISMS, credentials)).await;
            known.map_err(|_| Error::Away("it does not accept our password".to_owned()))?;
        }
        Ok(connection)
    }

    fn letter(&self, message: &Message) -> Result<(Envelope, Vec<u8>), Error> {
        let unwritable = |_| Error::Refused("it cannot be written".to_owned());
        let mut letter = lettre::Message::builder().from(self.from.0.clone());
        for mailbox in &message.to {
            letter = letter.to(mailbox.0.clone());
        }
        let letter = letter
            .subject(message.subject.clone())
            .message_id(Some(format!("<{}@{}>", message.id, self.domain)))
            // Nobody's holiday notice answers it (RFC 3834).
            .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
            .multipart(MultiPart::alternative_plain_html(message.text.clone(), message.html.clone()))
            .map_err(unwritable)?;
        Ok((letter.envelope().clone(), letter.formatted()))
    }

    async fn step<T>(&self, step: impl Future<Output = Result<T, SmtpError>>) -> Result<T, Error> {
        match timeout(self.timeout, step).await {
            Ok(done) => done.map_err(|error| failure(&error)),
            Err(_) => Err(Error::Away("no answer in time".to_owned())),
        }
    }

    /// A farewell, which nobody waits for long.
    async fn hang_up(&self, mut connection: AsyncSmtpConnection) {
        let _ = timeout(Duration::from_secs(1), connection.quit()).await;
    }
}

/// A server that waits for the message.
pub struct Ready<'a> {
    mailer: &'a Mailer,
    connection: AsyncSmtpConnection,
    bytes: Vec<u8>,
}

impl fmt::Debug for Ready<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ready(…)")
    }
}

impl Ready<'_> {
    /// Hands the message over. Once it returns `Ok`, the server has taken it.
    ///
    /// # Errors
    /// Only `Unsure` leaves open whether it was sent.
    pub async fn send(mut self) -> Result<(), Error> {
        let mailer = self.mailer;
        mailer.step(self.connection.command(Data)).await?;
        let sent = timeout(mailer.timeout, self.connection.message(&self.bytes)).await;
        match sent {
            Ok(Ok(_)) => {
                mailer.hang_up(self.connection).await;
                Ok(())
            }
            Ok(Err(error)) if error.status().is_some() => Err(failure(&error)),
            Ok(Err(_)) | Err(_) => Err(Error::Unsure),
        }
    }
}

/// Who writes to whom.
async fn announce(connection: &mut AsyncSmtpConnection, envelope: &Envelope) -> Result<(), SmtpError> {
    connection.command(Mail::new(envelope.from().cloned(), Vec::new())).await?;
    for address in envelope.to() {
        connection.command(Rcpt::new(address.clone(), Vec::new())).await?;
    }
    Ok(())
}

/// By the server's code; its words may hold an address.
fn failure(error: &SmtpError) -> Error {
    match error.status() {
        Some(code) if error.is_permanent() => Error::Refused(code.to_string()),
        Some(code) => Error::Away(code.to_string()),
        None if error.is_tls() => Error::Away("encryption failed".to_owned()),
        None if error.is_timeout() => Error::Away("no answer in time".to_owned()),
        None => Error::Away("no connection".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d7_01_a_password_is_sent_over_tls_only_and_never_printed() {
        for (text, expected) in [
            ("smtp://localhost:2525", Ok(())),
            ("smtps://user:p%40ss@mail.example.com", Ok(())),
            ("smtp://user:pass@mail.example.com?tls=required", Ok(())),
            ("smtp://user:pass@mail.example.com", Err(RelayError::Plain)),
            ("smtp://user:pass@mail.example.com?tls=opportunistic", Err(RelayError::Plain)),
            ("smtp://mail.example.com?timeout=5", Err(RelayError::Option)),
            ("http://mail.example.com", Err(RelayError::Form)),
            ("mail.example.com", Err(RelayError::Form)),
            ("smtp://mail.example.com/path", Err(RelayError::Form)),
        ] {
            assert_eq!(Relay::parse(text).map(|_| ()), expected, "{text}");
        }
        let shown = format!("{:?}", Relay::parse("smtps://keeper:neverPrinted@mail.example.com"));
        assert!(!shown.contains("neverPrinted") && !shown.contains("keeper"), "{shown}");
    }

    #[test]
    fn a_name_that_holds_line_ends_makes_no_header_of_its_own() {
        let mailbox = Mailbox::of("Eve\r\nBcc: all@example.com", "eve@example.com").unwrap();
        assert!(!mailbox.0.to_string().contains(['\r', '\n']));
        assert!(Mailbox::of("Eve", "eve@example.com\r\nRCPT TO:<all@example.com>").is_none());
        assert!(Mailbox::parse("App <app@example.com>").is_some() && Mailbox::parse("!nonsense!").is_none());
    }
}
