//! A mail server (RFC 5321, as much of it as one sender needs) that remembers what it took and can be difficult.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone)]
pub struct Smtp {
    pub url: String,
    shelf: Arc<Shelf>,
}

#[derive(Default)]
struct Shelf {
    mails: Mutex<Vec<Mail>>,
    /// What the next recipients are answered with, instead of 250.
    refusals: Mutex<VecDeque<&'static str>>,
    /// Takes messages and never says so.
    is_mute: AtomicBool,
}

#[derive(Clone, Debug, Default)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    /// As it came, with soft line breaks undone.
    pub text: String,
}

impl Smtp {
    pub async fn start() -> Smtp {
        Self::listen(0).await
    }

    /// On a port that nobody listened on until now.
    pub async fn listen(port: u16) -> Smtp {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a port");
        let url = format!("smtp://127.0.0.1:{}", listener.local_addr().expect("an address").port());
        let shelf = Arc::new(Shelf::default());
        let shared = Arc::clone(&shelf);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&shared)));
            }
        });
        Smtp { url, shelf }
    }

    pub fn mails(&self) -> Vec<Mail> {
        self.shelf.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn be_mute(&self, is_mute: bool) {
        self.shelf.is_mute.store(is_mute, Ordering::SeqCst);
    }

    pub fn refuse_next(&self, answer: &'static str) {
        self.shelf.refusals.lock().unwrap_or_else(PoisonError::into_inner).push_back(answer);
    }
}

async fn converse(stream: TcpStream, shelf: Arc<Shelf>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut mail = Mail::default();
    stream.write_all(b"220 test\r\n").await.ok()?;
    loop {
        let line = read_line(&mut stream).await?;
        let (verb, rest) = line.split_at(line.len().min(4));
        let answer = match verb.to_ascii_uppercase().as_str() {
            "EHLO" => "250-test\r\n250 8BITMIME",
            "MAIL" => {
                mail = Mail { from: address(rest), ..Mail::default() };
                "250 ok"
            }
            "RCPT" => {
                let refusal = shelf.refusals.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                if refusal.is_none() {
                    mail.to.push(address(rest));
                }
                refusal.unwrap_or("250 ok")
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await.ok()?;
                mail.text = read_message(&mut stream).await?;
                shelf.mails.lock().unwrap_or_else(PoisonError::into_inner).push(mail.clone());
                if shelf.is_mute.load(Ordering::SeqCst) {
                    std::future::pending::<()>().await;
                }
                "250 taken"
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await.ok()?;
                return None;
            }
            _ => "502 what",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
    }
}

async fn read_line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let length = stream.read_line(&mut line).await.ok()?;
    (length > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Up to the lone dot; quoted-printable is undone as far as our own texts need it.
async fn read_message(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut text = String::new();
    loop {
        let line = read_line(stream).await?;
        if line == "." {
            return Some(text.replace("=3D", "="));
        }
        let part = line.strip_suffix('=');
        text.push_str(part.unwrap_or(&line));
        if part.is_none() {
            text.push('\n');
        }
    }
}

fn address(rest: &str) -> String {
    let inside = rest.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inside.map(|(address, _)| address.to_owned()).unwrap_or_default()
}
