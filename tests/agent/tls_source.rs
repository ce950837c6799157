use crate::certificates::*;
use crate::harness::*;
use beartrap::agent::Outcome;
use beartrap::agent::config::{Source, SourceKind, TlsServer};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned, version};

type Sender = StreamOwned<ClientConnection, TcpStream>;

fn tls_source(max_connections: usize, tls: TlsServer) -> Source {
    let mut source = tcp_source(max_connections);
    let SourceKind::Tcp(tcp) = &mut source.kind else { unreachable!() };
    tcp.tls = Some(tls);
    source
}

/// Shakes hands with the agent, and waits for its ticket if there is to be one: only then is our certificate accepted.
fn shake(config: &Arc<ClientConfig>, socket: TcpStream) -> std::io::Result<Sender> {
    socket.set_read_timeout(Some(PATIENCE))?;
    let name = ServerName::try_from(NAME).unwrap();
    let mut tls = StreamOwned::new(ClientConnection::new(config.clone(), name).unwrap(), socket);
    let is_13 = |tls: &Sender| tls.conn.protocol_version() == Some(version::TLS13.version);
    while tls.conn.is_handshaking() || is_13(&tls) && tls.conn.tls13_tickets_received() == 0 {
        if tls.conn.complete_io(&mut tls.sock)?.0 == 0 && !tls.conn.is_handshaking() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(tls)
}

/// Sends all, says that this was all, and waits for the agent to close.
fn send(mut tls: Sender, bytes: &[u8]) {
    tls.write_all(bytes).unwrap();
    tls.conn.send_close_notify();
    tls.flush().unwrap();
    assert_eq!(tls.read_to_end(&mut Vec::new()).expect("the agent says that this is the end"), 0);
}

#[test]
fn many_blocks_pass_and_are_redacted() {
    const LINES: usize = 50_000;
    for versions in [&version::TLS12, &version::TLS13] {
        let (authority, files, collector) = (Authority::new(), Files::new(), Collector::new());
        let client = client_config_of(&[versions], &authority, None);
        let source = tls_source(10, files.server(&authority.sign(), None));
        let agent = Running::start(config(vec![source], vec![tcp_sink(collector.address, 0)]));
        let collected = collector.collect();
        let text = lines("a", 0..LINES) + "authorization: Bearer 3f9c7be1d24a48d3a1f5c2\n";
        send(shake(&client, agent.connect()).unwrap(), text.as_bytes());
        let (outcome, log) = agent.stop();
        assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
        let collected = collected.join().unwrap();
        assert!(collected.starts_with(lines("a", 0..LINES).as_bytes()));
        assert!(String::from_utf8(collected).unwrap().contains("authorization: Bearer redacted-token-"));
        assert_eq!(log.number("source ended", "bytes"), text.len() as u64);
        assert_eq!(log.number("source ended", "lost_streams"), 0);
        assert!(!log.text().contains("index.html") && !log.text().contains("3f9c7be1"), "the log holds data");
    }
}

#[test]
fn a_source_feeds_a_sink_both_under_tls_with_certificates_on_both_sides() {
    let (authority, near, far, collector) = (Authority::new(), Files::new(), Files::new(), Collector::new());
    let source = tls_source(10, far.server(&authority.sign(), Some(&authority)));
    let end = Running::start(config(vec![source], vec![tcp_sink(collector.address, 0)]));
    let mut sink = tcp_sink(end.address, 1 << 20);
    let beartrap::agent::config::SinkKind::Tcp(tcp) = &mut sink.kind else { unreachable!() };
    tcp.tls = Some(near.client(&authority, Some(&authority.sign_with("beartrap.example", |_| {}))));
    let start = Running::start(config(vec![tcp_source(10)], vec![sink]));
    let collected = collector.collect();
    start.send(lines("a", 0..50_000).as_bytes());
    let (outcome, log) = start.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert_eq!(log.number("sink ended", "delivered_bytes"), lines("a", 0..50_000).len() as u64);
    let (outcome, log) = end.stop();
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert_eq!(log.number("source ended", "lost_streams"), 0, "the sink says that it closes");
    assert!(collected.join().unwrap() == lines("a", 0..50_000).as_bytes());
}

#[test]
fn clients_need_a_certificate_of_the_authority() {
    let (authority, files, collector) = (Authority::new(), Files::new(), Collector::new());
    let source = tls_source(10, files.server(&authority.sign(), Some(&authority)));
    let agent = Running::start(config(vec![source], vec![tcp_sink(collector.address, 0)]));
    let mut output = collector.accept();
    let expired = authority.sign_with(NAME, |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    let early = authority.sign_with(NAME, |params| params.not_before = rcgen::date_time_ymd(2999, 1, 1));
    for versions in [&version::TLS12, &version::TLS13] {
        for wrong in [None, Some(&self_signed()), Some(&Authority::new().sign()), Some(&expired), Some(&early)] {
            let client = client_config_of(&[versions], &authority, wrong);
            let refused = shake(&client, agent.connect()).and_then(|mut tls| {
                // Nothing that it sends may arrive.
                tls.write_all(b"from nobody\n")?;
                tls.flush()
            });
            assert!(refused.is_err());
        }
        let client = client_config_of(&[versions], &authority, Some(&authority.sign()));
        send(shake(&client, agent.connect()).unwrap(), b"from a friend\n");
        expect(&mut output, b"from a friend\n");
    }
    let (_, log) = agent.stop();
    assert_eq!(log.number("source ended", "failed_handshakes"), 10);
    assert_eq!(log.number("source ended", "streams"), 2);
}

#[test]
fn what_is_no_tls_or_an_old_version_gets_nowhere() {
    let (authority, files, collector) = (Authority::new(), Files::new(), Collector::new());
    let source = tls_source(10, files.server(&authority.sign(), None));
    let agent = Running::start(config(vec![source], vec![tcp_sink(collector.address, 0)]));
    let mut output = collector.accept();
    // A ClientHello of TLS 1.1: random, no session, TLS_RSA_WITH_AES_128_CBC_SHA, no compression, no extensions.
    let mut old = vec![22, 3, 1, 0, 45, 1, 0, 0, 41, 3, 2];
    old.extend([7; 32]);
    old.extend([0, 0, 2, 0, 0x2f, 1, 0]);
    let plain = lines("a", 0..1000).into_bytes();
    for hello in [&old[..], &plain, b"GET / HTTP/1.1\r\n\r\n"] {
        let mut socket = agent.connect();
        // The agent may have closed before all is written.
        let _ = socket.write_all(hello);
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        // Nothing, or a fatal alert.
        assert!(answer.is_empty() || answer[0] == 21 && answer[5] == 2, "{answer:?}");
    }
    until("they are counted", || agent.log().text().contains("handshakes failed").then_some(()));
    let client = client_config(&authority, None);
    send(shake(&client, agent.connect()).unwrap(), b"line\n");
    expect(&mut output, b"line\n");
    let (_, log) = agent.stop();
    assert_eq!(read_all(output), b"");
    assert_eq!(log.number("source ended", "failed_handshakes"), 3);
    assert!(!log.text().contains("index.html") && !log.text().contains("GET"), "the log holds data");
    assert_eq!(log.text().matches("\"WARN\"").count(), 1, "a line for each");
}

#[test]
fn a_stream_without_its_end_is_finished_and_counted() {
    let (authority, files, collector) = (Authority::new(), Files::new(), Collector::new());
    let source = tls_source(10, files.server(&authority.sign(), None));
    let agent = Running::start(config(vec![source], vec![tcp_sink(collector.address, 0)]));
    let mut output = collector.accept();
    let client = client_config(&authority, None);
    for resets in [false, true] {
        let mut tls = shake(&client, agent.connect()).unwrap();
        tls.write_all(b"whole\nBearer 3f9c7be1d24a48d3a1f5c2").unwrap();
        tls.flush().unwrap();
        expect(&mut output, b"whole\n");
        if resets {
            reset(tls.sock)
        } else {
            drop(tls.sock)
        }
        expect(&mut output, b"Bearer redacted-token-");
        let mut rest = Vec::new();
        while !rest.ends_with(b"\n") {
            let mut byte = [0];
            output.read_exact(&mut byte).unwrap();
            rest.push(byte[0]);
        }
    }
    let (_, log) = agent.stop();
    assert_eq!(log.number("source ended", "lost_streams"), 2);
    assert_eq!(log.number("source ended", "findings"), 2);
}

#[test]
fn a_handshake_has_a_time_limit() {
    let (authority, files, collector) = (Authority::new(), Files::new(), Collector::new());
    let mut source = tls_source(10, files.server(&authority.sign(), None));
    let SourceKind::Tcp(tcp) = &mut source.kind else { unreachable!() };
    tcp.handshake_timeout = Duration::from_millis(200);
    let agent = Running::start(config(vec![source], vec![tcp_sink(collector.address, 0)]));
    for start in [&b""[..], b"\x16\x03\x01"] {
        let mut socket = agent.connect();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(start).unwrap();
        let began = Instant::now();
        let _ = socket.read_to_end(&mut Vec::new());
        assert!(began.elapsed() < Duration::from_secs(20), "it was not sent away");
    }
    let (_, log) = agent.stop();
    assert_eq!(log.number("source ended", "failed_handshakes"), 2);
    assert!(log.text().contains("it took too long"));
}

#[test]
fn hundreds_of_handshakes_that_never_end_hinder_nobody() {
    let (authority, files, collector) = (Authority::new(), Files::new(), Collector::new());
    let source = tls_source(50, files.server(&authority.sign(), None));
    let agent = Running::start(config(vec![source], vec![tcp_sink(collector.address, 0)]));
    let mut output = collector.accept();
    let client = client_config(&authority, None);
    let mut early = shake(&client, agent.connect()).unwrap();
    let half_open: Vec<_> = (0..400)
        .map(|_| {
            let mut socket = agent.connect();
            socket.write_all(b"\x16\x03\x01\x02\x00\x01\x00").unwrap();
            socket
        })
        .collect();
    let began = Instant::now();
    send(shake(&client, agent.connect()).unwrap(), b"late\n");
    expect(&mut output, b"late\n");
    // The limit of a handshake is 10 s, and eight times as many are under way as there is room for.
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    early.write_all(b"early\n").unwrap();
    early.flush().unwrap();
    expect(&mut output, b"early\n");
    drop((half_open, early));
    let (_, log) = agent.stop();
    assert_eq!(log.number("source ended", "failed_handshakes"), 400);
    assert_eq!(log.number("source ended", "streams"), 2);
}

#[test]
fn a_command_changes_the_certificate_that_is_shown() {
    let (authority, files, collector) = (Authority::new(), Files::new(), Collector::new());
    let (old, new) = (authority.sign(), authority.sign());
    let source = tls_source(10, files.server(&old, None));
    let agent = Running::start(config(vec![source], vec![tcp_sink(collector.address, 0)]));
    let client = client_config(&authority, None);
    let shown = || -> CertificateDer<'static> {
        let tls = shake(&client, agent.connect()).unwrap();
        tls.conn.peer_certificates().unwrap()[0].clone().into_owned()
    };
    assert_eq!(shown(), old.der);
    let mut held = shake(&client, agent.connect()).unwrap();
    std::fs::remove_file(files.path("tls.key")).unwrap();
    agent.controller.reopen();
    until("the missing key is reported", || agent.log().text().contains("there is no such file").then_some(()));
    assert_eq!(shown(), old.der);
    files.put(&new);
    agent.controller.reopen();
    until("the new one is in force", || agent.log().text().contains("new certificates are in force").then_some(()));
    assert_eq!(shown(), new.der);
    // Connections that are there stay.
    let mut output = collector.accept();
    held.write_all(b"line\n").unwrap();
    held.flush().unwrap();
    expect(&mut output, b"line\n");
    drop(held);
    agent.stop();
}

#[test]
fn files_that_do_not_fit_stop_the_start() {
    let (authority, files) = (Authority::new(), Files::new());
    let tls = files.server(&authority.sign(), None);
    write_private(&files.path("tls.key"), &authority.sign().key.serialize_pem());
    let config = config(vec![tls_source(10, tls)], vec![file_sink(&files.path("out.log"))]);
    assert_eq!(config.file_problems().len(), 1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let failure = runtime.block_on(beartrap::agent::Agent::bind(config, redaction())).expect_err("it does not fit");
    assert!(failure.to_string().contains("it does not belong to the first certificate in `tls.crt_file`"), "{failure}");
}
