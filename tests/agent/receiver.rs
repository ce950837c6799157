//! A receiver of alerts: an HTTP server that answers as it is told, and remembers what it was sent.

use crate::certificates::{Signed, server_config};
use crate::harness::{PATIENCE, until};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// This status, with these header lines.
    Status(u16, String),
    /// The connection is closed when the request is read.
    Drop,
    /// The connection stays open, and nothing is answered.
    Hang,
    /// A header line a while, without an end.
    Drip,
    /// 200, and a body without an end.
    Endless,
}

impl Answer {
    pub fn status(status: u16) -> Self {
        Self::Status(status, String::new())
    }
}

#[derive(Clone, Debug)]
pub struct Request {
    pub at: Instant,
    pub line: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    pub fn fingerprints(&self) -> Vec<String> {
        let body = self.json();
        let rows = body["exposures"].as_array().expect("rows").iter();
        rows.map(|row| row["fingerprint"].as_str().expect("a digest").to_owned()).collect()
    }

    pub fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    /// Whether one of its signatures is that of this secret, by the words of the standard.
    pub fn is_signed_with(&self, secret: &[u8]) -> bool {
        let mut signed = format!("{}.{}.", self.id(), self.headers["webhook-timestamp"]).into_bytes();
        signed.extend(&self.body);
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret).expect("a key");
        mac.update(&signed);
        let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        self.headers["webhook-signature"].split(' ').any(|signature| signature == expected)
    }
}

#[derive(Default)]
struct Shared {
    requests: Mutex<Vec<Request>>,
    answers: Mutex<VecDeque<Answer>>,
    otherwise: Mutex<Option<Answer>>,
    connections: Mutex<usize>,
}

/// It lives as long as the test.
pub struct Receiver {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl Receiver {
    /// Over TLS with this certificate, or without.
    pub fn new(signed: Option<&Signed>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::<Shared>::default();
        let (tls, serving) = (signed.map(|signed| server_config(signed, None)), shared.clone());
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let (tls, shared) = (tls.clone(), serving.clone());
                *shared.connections.lock().unwrap() += 1;
                std::thread::spawn(move || serve(socket, tls, &shared));
            }
        });
        Self { address, shared }
    }

    /// How the next requests are answered; those after them with 200, or as the last call of `always` says.
    pub fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.shared.answers.lock().unwrap().extend(answers);
    }

    pub fn always(&self, answer: Answer) {
        *self.shared.otherwise.lock().unwrap() = Some(answer);
    }

    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        *self.shared.connections.lock().unwrap()
    }

    /// Waits until so many requests have come.
    pub fn until_asked(&self, count: usize) -> Vec<Request> {
        until("the receiver is asked", || (self.requests().len() >= count).then(|| self.requests()))
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

fn serve(socket: TcpStream, tls: Option<Arc<ServerConfig>>, shared: &Shared) {
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let stream: Box<dyn Stream> = match tls {
        Some(tls) => Box::new(StreamOwned::new(ServerConnection::new(tls).expect("valid"), socket)),
        None => Box::new(socket),
    };
    let mut reader = BufReader::new(stream);
    let Some(request) = read(&mut reader) else { return };
    let next = shared.answers.lock().unwrap().pop_front();
    let answer = next.or_else(|| shared.otherwise.lock().unwrap().clone()).unwrap_or(Answer::status(200));
    shared.requests.lock().unwrap().push(request);
    // The other side may have gone.
    let _ = write(reader.get_mut(), &answer);
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|len| *len > 0)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let at = Instant::now();
    let mut lines = lines.into_iter();
    let line = lines.next()?;
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned())))
        .collect();
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some(Request { at, line, headers, body })
}

fn write(stream: &mut dyn Stream, answer: &Answer) -> std::io::Result<()> {
    match answer {
        Answer::Status(status, headers) => {
            write!(stream, "HTTP/1.1 {status} x\r\ncontent-length: 0\r\n{headers}\r\n")?;
            stream.flush()
        }
        Answer::Drop => Ok(()),
        Answer::Hang => {
            std::thread::sleep(PATIENCE);
            Ok(())
        }
        Answer::Drip => {
            write!(stream, "HTTP/1.1 200 x\r\n")?;
            loop {
                write!(stream, "x: y\r\n")?;
                stream.flush()?;
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Answer::Endless => {
            write!(stream, "HTTP/1.1 200 x\r\n\r\n")?;
            loop {
                stream.write_all(&[b'x'; 4096])?;
            }
        }
    }
}
