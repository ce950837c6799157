//! What a running agent answers, to whom, and that it is true.

use crate::harness::*;
use crate::http::{get, request};
use beartrap::agent::config::{Api, Config, WhenFull};
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

const TOKEN: &str = "n0t-t0-be-guessed-0123456789";

fn start(api: Api, sink: beartrap::agent::config::Sink) -> (Running, SocketAddr) {
    let agent = Running::start(Config { api: Some(api), ..config(vec![tcp_source(10)], vec![sink]) });
    let address = agent.api[0].expect("there is an API");
    (agent, address)
}

fn to_file(folder: &Path) -> beartrap::agent::config::Sink {
    file_sink(&folder.join("clean.log"))
}

fn token_file(folder: &Path, token: &str) -> PathBuf {
    use std::io::Write;
    let path = folder.join("token");
    let mut file = std::fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(&path).unwrap();
    file.write_all(token.as_bytes()).unwrap();
    path
}

fn with_token(address: SocketAddr, target: &str, authorization: &str) -> u16 {
    request(address, &format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n{authorization}\r\n\r\n")).status
}

#[test]
fn status_and_metrics_say_what_has_passed() {
    let folder = tempfile::tempdir().unwrap();
    let (agent, api) = start(api(), to_file(folder.path()));
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.eUeApzM_gcYBF0PRFiRmlgpkBUxNoTsVlfWH2sAnqOQ";
    let text = format!("one\nGET /?access_token={jwt} 200\nAuthorization: Bearer {jwt}\nAuthorization: Bearer {jwt}\n");
    agent.send(text.as_bytes());
    let status =
        until("all is delivered", || Some(get(api, "/api/v1/status").json()).filter(|s| s["records_out"] == 4));
    assert_eq!(status["bytes_in"], text.len());
    assert_eq!(status["bytes_out"], folder.path().join("clean.log").metadata().unwrap().len());
    assert_eq!(
        (&status["records_in"], &status["is_degraded"], &status["ledger"]),
        (&4.into(), &false.into(), &().into())
    );
    assert_eq!((&status["sources"]["app"]["findings"], &status["sources"]["app"]["type"]), (&3.into(), &"tcp".into()));
    assert_eq!(status["sinks"]["file"]["state"], "ready");
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert!(status["instance"].as_str().is_some_and(|name| !name.is_empty()) && status["uptime_secs"].is_u64());
    until("it had a speed", || get(api, "/api/v1/status").json()["bytes_in_per_sec"].as_u64().filter(|&rate| rate > 0));

    let metrics = until("the metrics are fresh", || {
        Some(get(api, "/metrics")).filter(|m| m.metric("beartrap_open_connections") == Some(0.0))
    });
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let source = r#"{component_id="app",component_kind="source",component_type="tcp""#;
    let sink = r#"{component_id="file",component_kind="sink",component_type="file""#;
    for (name, labels, expected) in [
        ("beartrap_component_received_bytes_total", source, text.len() as f64),
        ("beartrap_component_received_events_total", source, 4.0),
        ("beartrap_component_sent_events_total", sink, 4.0),
        ("beartrap_component_discarded_events_total", sink, 0.0),
        ("beartrap_findings_total", r#"{source="app",kind="jwt",carrier="query"}"#, 1.0),
        ("beartrap_findings_total", r#"{source="app",kind="jwt",carrier="authorization"}"#, 2.0),
        ("beartrap_findings_total", r#"{source="app",kind="token",carrier="none"}"#, 0.0),
        ("beartrap_buffer_bytes", sink, 0.0),
        ("beartrap_component_errors_total", &format!("{source},error_type=\"lost_stream\""), 0.0),
    ] {
        assert_eq!(metrics.metric(&format!("{name}{labels}")), Some(expected), "{name}{labels}\n{}", metrics.body);
    }
    let key_id = status["key_id"].as_str().unwrap();
    assert_eq!(metrics.metric(&format!("beartrap_key_info{{key_id=\"{key_id}\"}}")), Some(1.0));
    let clean = std::fs::read_to_string(folder.path().join("clean.log")).unwrap();
    let digest = clean.split("jwt-").nth(1).unwrap();
    assert!(digest.starts_with(key_id) && !metrics.body.contains(&digest[9..30]), "a fingerprint is no label");
    agent.stop();
    assert!(std::net::TcpStream::connect(api).is_err(), "it answers behind the end");
}

#[test]
fn only_reading_is_answered_and_every_answer_is_safe_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let (agent, api) = start(api(), to_file(folder.path()));
    let of = |method: &str, target: &str| request(api, &format!("{method} {target} HTTP/1.1\r\nHost: {api}\r\n\r\n"));
    for (method, target, status) in [
        ("GET", "/livez", 200),
        ("GET", "/readyz", 200),
        ("HEAD", "/api/v1/status", 200),
        ("GET", "/nothing", 404),
        ("GET", "/livez/", 404),
        ("POST", "/api/v1/status", 405),
        ("DELETE", "/livez", 405),
        ("OPTIONS", "/nothing", 405),
        ("TRACE", "/", 405),
    ] {
        let answer = of(method, target);
        assert_eq!(answer.status, status, "{method} {target}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{method} {target}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.header("content-security-policy").is_some_and(|policy| policy.contains("default-src 'none'")));
        assert_eq!((answer.header("server"), answer.header("access-control-allow-origin")), (None, None));
        assert!(answer.body.is_empty() || method != "HEAD", "{answer:?}");
    }
    assert_eq!(of("POST", "/livez").header("allow"), Some("GET, HEAD"));
    let garbage = request(api, "\u{1}\u{2} what\r\n\r\n");
    assert_eq!(garbage.status, 400);
    agent.stop();
}

#[test]
fn a_name_that_is_not_ours_is_not_answered() {
    let folder = tempfile::tempdir().unwrap();
    let api =
        Api { allowed_hosts: vec!["logs.example".into()], health_address: Some(([127, 0, 0, 1], 0).into()), ..api() };
    let (agent, api) = start(api, to_file(folder.path()));
    let status = |address: SocketAddr, target: &str, host: &str| {
        request(address, &format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")).status
    };
    for target in ["/api/v1/status", "/metrics", "/livez", "/nothing"] {
        assert_eq!(status(api, target, "rebound.example:9614"), 421, "{target}");
    }
    for host in ["localhost", "logs.example:80", &api.to_string()] {
        assert_eq!(status(api, "/api/v1/status", host), 200, "{host}");
    }
    assert_eq!(request(api, "GET /api/v1/status HTTP/1.1\r\n\r\n").status, 421);
    assert_eq!(request(api, "GET http://rebound.example/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 421);

    // Probes and Prometheus come by whatever name a pod has.
    let health = agent.api[1].unwrap();
    for target in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(status(health, target, "pod.example"), 200, "{target}");
    }
    assert_eq!(status(health, "/api/v1/status", "localhost"), 404, "exposures are not for everybody");
    agent.stop();
}

#[test]
fn the_token_opens_everything_but_probes_and_can_be_changed() {
    let folder = tempfile::tempdir().unwrap();
    let token_file = token_file(folder.path(), &format!("{TOKEN}\n"));
    let api = Api { token_file: Some(token_file.clone()), health_address: Some(([127, 0, 0, 1], 0).into()), ..api() };
    let (agent, api) = start(api, to_file(folder.path()));
    let health = agent.api[1].unwrap();
    let right = format!("Authorization: Bearer {TOKEN}");
    for target in ["/api/v1/status", "/metrics"] {
        assert_eq!(with_token(api, target, &right), 200, "{target}");
        assert_eq!(with_token(api, target, &right.replace("Bearer", "bearer")), 200, "{target}");
        for wrong in [
            "X: y".to_owned(),
            format!("{right}x"),
            right.replace(TOKEN, &TOKEN[..TOKEN.len() - 1]),
            right.replace("Bearer", "Basic"),
            right.replace("Bearer ", ""),
            right.replace(TOKEN, ""),
            format!("{right}\r\n{right}"),
        ] {
            assert_eq!(with_token(api, target, &wrong), 401, "{target} {wrong}");
        }
        assert_eq!(with_token(api, &format!("{target}?token={TOKEN}"), "X: y"), 401, "no token in a URL");
    }
    let refused = get(api, "/api/v1/status");
    assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"beartrap\""));
    assert_eq!(get(api, "/nothing").status, 401, "what is there is told to nobody");
    assert_eq!([get(api, "/livez").status, get(api, "/readyz").status, get(health, "/metrics").status], [200; 3]);

    let other = "another-token-0123456789";
    std::fs::write(&token_file, other).unwrap();
    agent.controller.reopen();
    let changed = format!("Authorization: Bearer {other}");
    until("the new token is in force", || (with_token(api, "/metrics", &changed) == 200).then_some(()));
    assert_eq!(with_token(api, "/metrics", &right), 401);
    // One that is not good changes nothing.
    std::fs::set_permissions(&token_file, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(&token_file, format!("{TOKEN}\n")).unwrap();
    agent.controller.reopen();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!([with_token(api, "/metrics", &changed), with_token(api, "/metrics", &right)], [200, 401]);
    let (_, log) = agent.stop();
    assert!(!log.text().contains(TOKEN) && !log.text().contains(other));
}

#[test]
fn a_sink_that_does_not_deliver_fails_no_probe_unless_that_was_asked_for() {
    let mut sink = file_sink(Path::new("/dev/full"));
    (sink.when_full, sink.buffer_bytes) = (WhenFull::DropNewest, 100_000);
    let start = |ready_requires_delivery| {
        let mut config = Config {
            api: Some(Api { ready_requires_delivery, ..api() }),
            ..config(vec![tcp_source(10)], vec![sink.clone()])
        };
        config.shutdown_grace = Duration::from_millis(500);
        Running::start(config)
    };
    let (lenient, strict) = (start(false), start(true));
    let strict_api = strict.api[0].unwrap();
    assert_eq!(get(strict_api, "/readyz").status, 200, "nothing to deliver");
    for agent in [&lenient, &strict] {
        agent.send(b"one\n");
    }
    let not_ready = until("it is not ready", || Some(get(strict_api, "/readyz")).filter(|answer| answer.status == 503));
    assert_eq!(not_ready.body, "sink file does not deliver: waiting_for_space\n");
    assert_eq!(get(strict_api, "/livez").status, 200);
    until("the other is as ill", || lenient.health.status().is_degraded().then_some(()));
    let metrics = until("metrics tell it", || {
        let metrics = get(lenient.api[0].unwrap(), "/metrics");
        (metrics.metric("beartrap_component_degraded{component_id=\"file\"") == Some(1.0)).then_some(metrics)
    });
    let sink = r#"{component_id="file",component_kind="sink",component_type="file""#;
    assert!(metrics.metric(&format!("beartrap_oldest_undelivered_age_seconds{sink}")).is_some_and(|age| age >= 5.0));
    assert_eq!(metrics.metric(&format!("beartrap_sink_state{sink},state=\"waiting_for_space\"")), Some(1.0));
    assert_eq!(metrics.metric(&format!("beartrap_component_errors_total{sink},error_type=\"no_space\"")), Some(1.0));
    assert_eq!(get(lenient.api[0].unwrap(), "/readyz").status, 200);
    lenient.controller.stop();
    until("it says that it stops", || {
        (get(lenient.api[0].unwrap(), "/readyz").body == "it is stopping\n").then_some(())
    });
    lenient.end();
    strict.stop();
}
