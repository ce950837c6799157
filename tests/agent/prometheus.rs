//! A real Prometheus takes the metrics of a real agent, and its tools take our alerts.

use crate::certificates::write_private;
use crate::harness::until;
use crate::http::{Answer, request};
use crate::process::{Agent, Home};
use crate::receiver::Receiver;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const MISSING: &str = "install it with `apt-get install prometheus` (Debian); its service need not run";
const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/prometheus-rules.yaml");
const DASHBOARD: &str = include_str!("../../config/grafana-dashboard.json");
const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJodHRwczovL2kuZXhhbXBsZS8iLCJleHAiOjQwMDAwMDAwMDB9.eUeApzM_gcYBF0PRFiRmlgpkBUxNoTsVlfWH2sAnqOQ";

/// An agent that has some of everything, and has seen three tokens.
fn agent(home: &Home) -> (Agent, SocketAddr) {
    let dir = home.path("").display().to_string();
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    std::fs::write(
        home.path("config.toml"),
        format!(
            "data_dir = \"{dir}/data\"\n[ledger]\nissuers = [\"https://i.example/\"]\nemit_to = \"rows\"\n\
             emit_interval_secs = 0.1\n[ledger.alert]\nurl = \"http://{}/\"\nsecret_file = \"{dir}/secret\"\n\
             [sinks.rows]\ntype = \"file\"\npath = \"{dir}/rows.log\"\n[api]\naddress = \"127.0.0.1:0\"\n\
             [sources.files]\ntype = \"file\"\ninclude = [\"{dir}/in.log\"]\npoll_interval_secs = 0.05\n\
             [sources.net]\ntype = \"tcp\"\naddress = \"127.0.0.1:0\"\n\
             [sources.datagrams]\ntype = \"udp\"\naddress = \"127.0.0.1:0\"\n\
             [sinks.out]\ntype = \"file\"\npath = \"{dir}/out.log\"\ninputs = [\"files\", \"net\", \"datagrams\"]\n\
             [sinks.collector]\ntype = \"tcp\"\naddress = \"{}\"\ninputs = [\"net\"]\nwhen_full = \"drop_newest\"\n",
            Receiver::new(None).address,
            collector.local_addr().unwrap()
        ),
    )
    .unwrap();
    write_private(&home.path("secret"), "a secret that is long enough\n");
    home.append(&format!(
        "one\nGET /?access_token={JWT} 200\nAuthorization: Bearer {JWT}\n{{\"id_token\":\"{JWT}\"}}\n"
    ));
    let agent = home.agent(&[]);
    let address = until("the API answers", || {
        let log = agent.log();
        let (_, line) = log.split_once("API started")?;
        let (_, address) = line.lines().next()?.split_once("address=")?;
        address.split_whitespace().next()?.trim_matches('"').parse().ok()
    });
    // The key file is read again.
    agent.signal("HUP");
    until("all is counted", || {
        let metrics = get(address, "/metrics");
        let is_complete = metrics.metric("beartrap_exposure_occurrences") == Some(3.0)
            && metrics.metric("beartrap_key_file_good") == Some(1.0)
            && metrics.metric("beartrap_alert_exposures_total") == Some(1.0)
            && metrics.metric("beartrap_emitted_rows_total{sink=\"rows\"}") >= Some(1.0)
            && metrics.metric("beartrap_component_sent_events_total{component_id=\"out\"") == Some(4.0);
        is_complete.then_some(())
    });
    (agent, address)
}

/// As a client that wants no chunks.
fn get(address: SocketAddr, target: &str) -> Answer {
    request(address, &format!("GET {target} HTTP/1.0\r\nHost: {address}\r\n\r\n"))
}

fn promtool(arguments: &[&str], input: &str) -> (bool, String) {
    let mut child = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("promtool can't be started ({error}): {MISSING}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.success(), said)
}

struct Prometheus {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    /// One that scrapes this address, with our alerts.
    fn start(target: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: ['{RULES}']\n\
             scrape_configs: [{{job_name: beartrap, static_configs: [{{targets: ['{target}']}}]}}]\n"
        );
        std::fs::write(&config, text).unwrap();
        // It can't say which port the system chose.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("prometheus can't be started ({error}): {MISSING}"));
        let mut prometheus = Self { child, address, _folder: folder };
        until("Prometheus is ready", || {
            assert!(prometheus.child.try_wait().unwrap().is_none(), "Prometheus has ended");
            TcpStream::connect(address).ok()?;
            (get(address, "/-/ready").status == 200).then_some(())
        });
        prometheus
    }

    /// The values of a query, once there are any.
    fn query(&self, query: &str) -> Vec<Value> {
        until(query, || {
            let answer = get(self.address, &format!("/api/v1/query?query={query}")).json();
            let result = answer["data"]["result"].as_array()?.clone();
            (!result.is_empty()).then_some(result)
        })
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn panels() -> Vec<Value> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    dashboard["panels"].as_array().unwrap().clone()
}

/// Names of metrics in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let is_name = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_';
    let starts = text.match_indices("beartrap_").map(|(at, _)| &text[at..]);
    starts.map(|text| &text[..text.find(|character| !is_name(character)).unwrap_or(text.len())]).collect()
}

#[test]
fn a_real_prometheus_scrapes_an_agent_and_answers_with_its_numbers() {
    let home = Home::new();
    let (agent, address) = agent(&home);
    let prometheus = Prometheus::start(address);
    let sent = prometheus.query("beartrap_component_sent_events_total%7Bcomponent_id=%22out%22%7D");
    assert_eq!((&sent[0]["value"][1], &sent[0]["metric"]["component_type"]), (&"4".into(), &"file".into()));
    let found = prometheus.query("sum(beartrap_findings_total%7Bkind=%22jwt%22%7D)");
    assert_eq!(found[0]["value"][1], "3");
    let exposed = prometheus.query("beartrap_exposures%7Bstatus=%22unexpired%22%7D");
    assert_eq!(exposed[0]["value"][1], "1");
    let up = prometheus.query("up%7Bjob=%22beartrap%22%7D");
    assert_eq!(up[0]["value"][1], "1");
    let rules = until("the alerts are evaluated", || {
        let groups = get(prometheus.address, "/api/v1/rules").json()["data"]["groups"].clone();
        let rules: Vec<Value> = groups
            .as_array()?
            .iter()
            .flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default())
            .collect();
        rules.iter().all(|rule| rule["health"] == "ok").then_some(rules)
    });
    assert!(rules.len() >= 14, "{rules:?}");
    for panel in panels() {
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap().replace("$instance", ".*").replace("$__rate_interval", "1m");
            let encoded: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let answer = get(prometheus.address, &format!("/api/v1/query?query={encoded}"));
            assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        }
    }
    drop(prometheus);
    assert_eq!(agent.stop().0, Some(0));
}

#[test]
fn promtool_has_no_complaints_and_alerts_and_dashboard_name_what_there_is() {
    let home = Home::new();
    let (agent, address) = agent(&home);
    let metrics = get(address, "/metrics").body;
    assert_eq!(promtool(&["check", "metrics"], &metrics), (true, String::new()), "{metrics}");
    let known = names(&metrics);
    let rules = std::fs::read_to_string(RULES).unwrap();
    for (file, text) in [("prometheus-rules.yaml", rules.as_str()), ("grafana-dashboard.json", DASHBOARD)] {
        let named = names(text);
        assert!(named.len() > 8, "{file}: {named:?}");
        let unknown: Vec<_> = named.difference(&known).collect();
        assert!(unknown.is_empty(), "{file} names what no agent has: {unknown:?}");
    }
    let docs = include_str!("../../docs/operations.md");
    let undocumented: Vec<_> = known.into_iter().filter(|name| !docs.contains(&format!("`{name}`"))).collect();
    assert!(undocumented.is_empty(), "docs/operations.md lacks {undocumented:?}");
    let panels = panels();
    assert_eq!(panels.iter().map(|panel| panel["id"].to_string()).collect::<BTreeSet<_>>().len(), panels.len());
    agent.stop();
}

#[test]
fn alerts_fire_when_they_must_and_only_then() {
    let (good, said) = promtool(&["check", "rules", RULES], "");
    assert!(good && said.contains("SUCCESS"), "{said}");
    let folder = tempfile::tempdir().unwrap();
    let tests = folder.path().join("alerts.yaml");
    std::fs::write(&tests, include_str!("alerts.yaml").replace("RULES", RULES)).unwrap();
    let (good, said) = promtool(&["test", "rules", &path(&tests)], "");
    assert!(good, "{said}");
}

#[test]
fn how_many_series_there_are_does_not_depend_on_the_log() {
    let home = Home::new();
    let (agent, address) = agent(&home);
    let before = get(address, "/metrics").body.lines().count();
    let tokens: String =
        (0..500).map(|number| format!("GET /?access_token=7Fh2k9Qd3Xw8Zp1L{number:05} 200\n")).collect();
    home.append(&tokens);
    let findings = r#"beartrap_findings_total{source="files",kind="token",carrier="query"}"#;
    let metrics = until("all are counted", || {
        Some(get(address, "/metrics")).filter(|metrics| metrics.metric(findings) == Some(500.0))
    });
    assert_eq!(metrics.body.lines().count(), before + 1, "one series for a kind and carrier that is new");
    agent.stop();
}

fn path(path: &Path) -> String {
    path.to_str().expect("a path of ours").to_owned()
}
