use crate::certificates::*;
use crate::harness::*;
use beartrap::agent::Outcome;
use beartrap::agent::config::{Sink, SinkKind, TlsClient};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned, version};

/// What no byte of may be seen on the wire.
const PLAINTEXT: &[u8] = b"index.html";

fn tls_sink(collector: &Collector, resend_bytes: usize, tls: TlsClient) -> Sink {
    let mut sink = tcp_sink(collector.address, resend_bytes);
    let SinkKind::Tcp(tcp) = &mut sink.kind else { unreachable!() };
    tcp.tls = Some(tls);
    sink
}

/// A socket that keeps a copy of what came in.
#[derive(Debug)]
struct Recorded {
    socket: TcpStream,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Recorded {
    fn new(socket: TcpStream) -> Self {
        Self { socket, seen: Arc::default() }
    }
}

impl Read for Recorded {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let len = self.socket.read(buffer)?;
        self.seen.lock().unwrap().extend_from_slice(&buffer[..len]);
        Ok(len)
    }
}

impl Write for Recorded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.socket.flush()
    }
}

fn contains_plaintext(seen: &[u8]) -> bool {
    seen.windows(PLAINTEXT.len()).any(|window| window == PLAINTEXT)
}

/// Shakes hands with the sink.
fn shake(config: &Arc<ServerConfig>, socket: TcpStream) -> std::io::Result<StreamOwned<ServerConnection, Recorded>> {
    let mut tls = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), Recorded::new(socket));
    while tls.conn.is_handshaking() {
        if tls.conn.complete_io(&mut tls.sock)? == (0, 0) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    // The ticket, which goes with the end of the handshake.
    tls.flush()?;
    Ok(tls)
}

fn read_to_end(mut tls: StreamOwned<ServerConnection, Recorded>) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Without close_notify this is an error.
    tls.read_to_end(&mut bytes).expect("the stream ends as it should");
    assert!(!contains_plaintext(&tls.sock.seen.lock().unwrap()));
    bytes
}

#[test]
fn many_blocks_arrive_and_are_acknowledged_to_the_last_byte() {
    const LINES: usize = 100_000;
    for versions in [&version::TLS12, &version::TLS13] {
        let (authority, files, collector) = (Authority::new(), Files::new(), Collector::new());
        let server = server_config_of(&[versions], &authority.sign(), None);
        let sink = tls_sink(&collector, 0, files.client(&authority, None));
        let agent = Running::start(config(vec![tcp_source(10)], vec![sink]));
        let collected = std::thread::spawn(move || read_to_end(shake(&server, collector.accept()).unwrap()));
        agent.send(lines("a", 0..LINES).as_bytes());
        let (outcome, log) = agent.stop();
        assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
        assert!(collected.join().unwrap() == lines("a", 0..LINES).as_bytes());
        assert_eq!(log.number("sink ended", "delivered_bytes"), lines("a", 0..LINES).len() as u64);
        assert_eq!(log.number("sink ended", "resent_bytes"), 0);
    }
}

#[test]
fn lines_that_trickle_are_acknowledged_one_by_one() {
    let (authority, files, collector) = (Authority::new(), Files::new(), Collector::new());
    let server = server_config(&authority.sign(), None);
    let sink = tls_sink(&collector, 0, files.client(&authority, None));
    let agent = Running::start(config(vec![tcp_source(10)], vec![sink]));
    let mut output = shake(&server, collector.accept()).unwrap();
    let mut sender = agent.connect();
    for number in 0..50 {
        let line = lines("a", number..number + 1);
        sender.write_all(line.as_bytes()).unwrap();
        let mut read = vec![0; line.len()];
        output.read_exact(&mut read).unwrap();
        assert_eq!(read, line.as_bytes());
    }
    drop(sender);
    let rest = std::thread::spawn(move || read_to_end(output));
    let (outcome, _) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert_eq!(rest.join().unwrap(), b"");
}

/// The count of acknowledged bytes is one of ciphertext, which is longer: taken for the sink's own bytes it would
/// acknowledge what the peer's kernel has not got.
#[test]
fn nothing_is_acknowledged_that_the_peers_kernel_has_not_got() {
    let (authority, files, collector) = (Authority::new(), Files::new(), Collector::new());
    let server = server_config(&authority.sign(), None);
    // Connections inherit it from the listener.
    rustix::net::sockopt::set_socket_recv_buffer_size(collector.listener(), 4096).unwrap();
    let sink = tls_sink(&collector, 0, files.client(&authority, None));
    let mut config = config(vec![tcp_source(10)], vec![sink]);
    config.shutdown_grace = Duration::from_millis(500);
    let agent = Running::start(config);
    let mut output = shake(&server, collector.accept()).unwrap();
    let mut sender = agent.connect();
    sender.set_nodelay(true).unwrap();
    for number in 0..400 {
        sender.write_all(lines("a", number..number + 1).as_bytes()).unwrap();
        // A block for each.
        std::thread::sleep(Duration::from_millis(1));
    }
    let received = || rustix::io::ioctl_fionread(&output.sock.socket).unwrap() as usize;
    let mut before = 0;
    let received = until("the peer's kernel is full", || {
        std::thread::sleep(Duration::from_millis(200));
        let now = received();
        (std::mem::replace(&mut before, now) == now && now > 0).then_some(now)
    });
    let (outcome, log) = agent.stop();
    assert!(matches!(outcome, Outcome::Undelivered { .. }), "{outcome:?}");

    // What the kernel had got, decrypted.
    let mut ciphertext = vec![0; received];
    output.sock.read_exact(&mut ciphertext).unwrap();
    let mut plaintext = Vec::new();
    let mut rest = &ciphertext[..];
    while !rest.is_empty() {
        output.conn.read_tls(&mut rest).unwrap();
        let state = output.conn.process_new_packets().unwrap();
        let start = plaintext.len();
        plaintext.resize(start + state.plaintext_bytes_to_read(), 0);
        output.conn.reader().read_exact(&mut plaintext[start..]).unwrap();
    }
    let delivered = log.number("sink ended", "delivered_bytes") as usize;
    assert!(plaintext.len() < lines("a", 0..400).len(), "the peer's kernel took all: the test does not bite");
    assert!(delivered > 0 && delivered <= plaintext.len(), "{delivered} of {}", plaintext.len());
}

#[test]
fn a_connection_that_breaks_twenty_times_loses_nothing() {
    const LINES: usize = 100_000;
    let (authority, files, collector) = (Authority::new(), Files::new(), Collector::new());
    let server = server_config(&authority.sign(), None);
    let mut sink = tls_sink(&collector, 16 << 20, files.client(&authority, None));
    let SinkKind::Tcp(tcp) = &mut sink.kind else { unreachable!() };
    tcp.reconnect_max = Duration::from_millis(100);
    let agent = Running::start(config(vec![tcp_source(10)], vec![sink]));
    let mut sender = agent.connect();
    let sending = std::thread::spawn(move || sender.write_all(lines("a", 0..LINES).as_bytes()).unwrap());
    let mut streams = Vec::new();
    for death in 0..20 {
        let mut output = shake(&server, collector.accept()).unwrap();
        let mut read = vec![0; 10_000 * death + 1];
        output.read_exact(&mut read).unwrap();
        // With unread data, that resets.
        drop(output);
        streams.push(read);
    }
    let last = std::thread::spawn(move || read_to_end(shake(&server, collector.accept()).unwrap()));
    sending.join().unwrap();
    let (outcome, log) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    streams.push(last.join().unwrap());
    let counts = tally(streams.iter().map(|stream| &stream[..]));
    for line in lines("a", 0..LINES).split_inclusive('\n') {
        assert!(counts.contains_key(line.as_bytes()), "lost: {line}");
    }
    assert!(log.number("sink ended", "resent_bytes") > 0);
    assert_eq!(log.number("sink ended", "delivered_bytes"), lines("a", 0..LINES).len() as u64);
}

#[test]
fn a_peer_that_wants_a_certificate_gets_it() {
    let (authority, files, collector) = (Authority::new(), Files::new(), Collector::new());
    let client = authority.sign_with("beartrap.example", |_| {});
    let server = server_config(&authority.sign(), Some(&authority));
    let sink = tls_sink(&collector, 0, files.client(&authority, Some(&client)));
    let agent = Running::start(config(vec![tcp_source(10)], vec![sink]));
    agent.send(lines("a", 0..10).as_bytes());
    let output = shake(&server, collector.accept()).unwrap();
    assert_eq!(output.conn.peer_certificates().unwrap(), [client.der]);
    let collected = std::thread::spawn(move || read_to_end(output));
    let (outcome, _) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert_eq!(collected.join().unwrap(), lines("a", 0..10).as_bytes());
}

/// In TLS 1.3 the sink is through with the handshake before the peer has seen its certificate.
#[test]
fn a_peer_that_refuses_the_certificate_is_not_taken_for_a_receiver() {
    let (authority, files, collector) = (Authority::new(), Files::new(), Collector::new());
    let accepting = server_config(&authority.sign(), None);
    for certificate in [None, Some(Authority::new().sign())] {
        let refusing = server_config_of(&[&version::TLS13], &authority.sign(), Some(&authority));
        let sink = tls_sink(&collector, 0, files.client(&authority, certificate.as_ref()));
        let agent = Running::start(config(vec![tcp_source(10)], vec![sink]));
        agent.send(lines("a", 0..10).as_bytes());
        for _ in 0..3 {
            shake(&refusing, collector.accept()).expect_err("it refuses");
        }
        until("the reason is logged", || agent.log().text().contains("received fatal alert").then_some(()));
        let output = shake(&accepting, collector.accept()).unwrap();
        let collected = std::thread::spawn(move || read_to_end(output));
        let (outcome, _) = agent.stop();
        assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
        assert_eq!(collected.join().unwrap(), lines("a", 0..10).as_bytes());
    }
}

#[test]
fn a_peer_without_tickets_is_believed_after_a_while() {
    let (authority, files, collector) = (Authority::new(), Files::new(), Collector::new());
    let mut server = Arc::into_inner(server_config(&authority.sign(), None)).unwrap();
    server.send_tls13_tickets = 0;
    let server = Arc::new(server);
    let mut sink = tls_sink(&collector, 0, files.client(&authority, None));
    let SinkKind::Tcp(tcp) = &mut sink.kind else { unreachable!() };
    // The while does not count.
    tcp.connect_timeout = Duration::from_millis(500);
    let agent = Running::start(config(vec![tcp_source(10)], vec![sink]));
    agent.send(lines("a", 0..10).as_bytes());
    let output = shake(&server, collector.accept()).unwrap();
    let collected = std::thread::spawn(move || read_to_end(output));
    let (outcome, _) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert_eq!(collected.join().unwrap(), lines("a", 0..10).as_bytes());
}

/// Lets the sink meet a peer three times, and then one that is as it should be, which must get everything. Gives the
/// log, and all bytes that the first ones saw.
fn meet(
    tls: impl FnOnce(&Authority, &Files) -> TlsClient,
    mut peer: impl FnMut(&Authority, Recorded),
) -> (Log, Vec<u8>) {
    let (authority, files, collector) = (Authority::new(), Files::new(), Collector::new());
    let mut sink = tls_sink(&collector, 1 << 20, tls(&authority, &files));
    let SinkKind::Tcp(tcp) = &mut sink.kind else { unreachable!() };
    tcp.connect_timeout = Duration::from_millis(700);
    let agent = Running::start(config(vec![tcp_source(10)], vec![sink]));
    agent.send(lines("a", 0..1000).as_bytes());
    let mut seen = Vec::new();
    for _ in 0..3 {
        let recorded = Recorded::new(collector.accept());
        let bytes = recorded.seen.clone();
        peer(&authority, recorded);
        seen.append(&mut bytes.lock().unwrap());
    }
    until("the failure is logged", || agent.log().text().contains("can't connect").then_some(()));
    let server = server_config(&authority.sign(), None);
    let collected = std::thread::spawn(move || {
        loop {
            if let Ok(tls) = shake(&server, collector.accept()) {
                return read_to_end(tls);
            }
        }
    });
    let (outcome, log) = agent.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert_eq!(collected.join().unwrap(), lines("a", 0..1000).as_bytes());
    assert_eq!(log.number("sink ended", "resent_bytes"), 0, "something was sent");
    (log, seen)
}

fn trusting(authority: &Authority, files: &Files) -> TlsClient {
    files.client(authority, None)
}

#[test]
fn certificates_that_are_not_right_are_refused_and_nothing_is_sent() {
    let other = Authority::new();
    type Make<'a> = Box<dyn Fn(&Authority) -> Signed + 'a>;
    let cases: [(&str, Make<'_>); 5] = [
        (
            "certificate expired",
            Box::new(|authority| {
                authority.sign_with(NAME, |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1))
            }),
        ),
        (
            "certificate not valid yet",
            Box::new(|authority| {
                authority.sign_with(NAME, |params| params.not_before = rcgen::date_time_ymd(2999, 1, 1))
            }),
        ),
        ("certificate not valid for name", Box::new(|authority| authority.sign_with("other.example", |_| {}))),
        ("UnknownIssuer", Box::new(|_| other.sign())),
        ("UnknownIssuer", Box::new(|_| self_signed())),
    ];
    for (reason, make) in cases {
        let (log, seen) = meet(trusting, |authority, mut recorded| {
            let mut tls = ServerConnection::new(server_config(&make(authority), None)).unwrap();
            let refused = loop {
                match tls.complete_io(&mut recorded) {
                    Ok(_) if tls.is_handshaking() => {}
                    Ok(_) => panic!("{reason}: it shook hands"),
                    Err(error) => break error,
                }
            };
            assert!(refused.to_string().contains("alert"), "{reason}: {refused}");
        });
        assert!(log.text().contains(reason), "{reason}: {}", log.text());
        assert!(!seen.is_empty() && !contains_plaintext(&seen), "{reason}");
    }
}

#[test]
fn a_peer_of_an_old_version_is_refused_and_nothing_is_sent() {
    // A ServerHello of TLS 1.1: handshake, 3.2; random, no session, TLS_RSA_WITH_AES_128_CBC_SHA, no compression.
    let mut hello = vec![22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 0x2f, 0]);
    let (log, seen) = meet(trusting, |_, mut recorded| {
        let mut client_hello = [0; 5];
        recorded.read_exact(&mut client_hello).unwrap();
        recorded.write_all(&hello).unwrap();
        let mut rest = Vec::new();
        let _ = recorded.read_to_end(&mut rest);
    });
    assert!(log.text().contains("peer is incompatible"), "{}", log.text());
    assert!(!seen.is_empty() && !contains_plaintext(&seen));
}

#[test]
fn a_peer_that_speaks_no_tls_gets_nothing() {
    for banner in [&b"220 collector.example ready\r\n"[..], b"", b"\x15\x03\x01\x00\x02\x02\x46"] {
        let (_, seen) = meet(trusting, |_, mut recorded| {
            recorded.write_all(banner).unwrap();
            let mut rest = Vec::new();
            // To the sink's own end of it, for which it has a time limit.
            let _ = recorded.read_to_end(&mut rest);
        });
        assert!(!seen.is_empty() && !contains_plaintext(&seen), "{banner:?}");
    }
}

#[test]
fn a_command_reads_certificates_again_and_broken_ones_change_nothing() {
    let (authority, files, collector) = (Authority::new(), Files::new(), Collector::new());
    let (old, new) = (authority.sign_with("old.example", |_| {}), authority.sign_with("new.example", |_| {}));
    let server = server_config(&authority.sign(), Some(&authority));
    let sink = tls_sink(&collector, 0, files.client(&authority, Some(&old)));
    let agent = Running::start(config(vec![tcp_source(10)], vec![sink]));
    let shown = || {
        let output = shake(&server, collector.accept()).unwrap();
        output.conn.peer_certificates().unwrap()[0].clone().into_owned()
    };
    assert_eq!(shown(), old.der);
    write_private(&files.path("tls.key"), &new.key.serialize_pem());
    agent.controller.reopen();
    until("the broken pair is reported", || {
        agent.log().text().contains("does not belong to the first certificate").then_some(())
    });
    assert_eq!(shown(), old.der);
    files.put(&new);
    agent.controller.reopen();
    until("the new one is in force", || agent.log().text().contains("new certificates are in force").then_some(()));
    // A connection with the old one may be under way.
    until("it is shown", || (shown() == new.der).then_some(()));
    let text = agent.log().text();
    assert!(!text.contains("BEGIN") && !text.contains(new.pem.lines().nth(1).unwrap()), "the log holds a file");
    agent.stop();
}
