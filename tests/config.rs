//! The loader: what it accepts, what it says, and what it keeps to itself.

use beartrap::agent::Limits;
use beartrap::agent::config::{Config, ServerName, SinkKind, SourceKind, WhenFull, keys};
use beartrap::codec::{Codec, Framing};
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::time::Duration;

const REFERENCE: &str = include_str!("../config/reference.toml");
const DOCS: &str = include_str!("../docs/configuration.md");

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("beartrap.toml"), Path::new("/srv/app"))
        .map_err(|diagnostics| diagnostics.to_string())
}

fn parse_valid(text: &str) -> Config {
    parse(text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// `config` with standard output as its sink.
fn with_stdout(source: &str) -> String {
    format!("data_dir = \"data\"\n{source}\n[sinks.out]\ntype = \"stdout\"\ninputs = [\"in\"]\n")
}

#[derive(serde::Deserialize)]
struct Cases {
    case: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    name: String,
    config: String,
    errors: String,
}

fn invalid_cases() -> Vec<Case> {
    toml::from_str::<Cases>(include_str!("config/invalid.toml")).expect("the table of cases").case
}

#[test]
fn every_problem_is_reported_at_its_place() {
    for case in invalid_cases() {
        let errors = parse(&case.config).expect_err(&case.name);
        let trimmed: Vec<&str> = errors.lines().map(str::trim_end).collect();
        assert_eq!(trimmed.join("\n"), case.errors.trim_end(), "case: {}", case.name);
    }
}

#[test]
fn no_message_holds_a_secret() {
    for case in invalid_cases() {
        let diagnostics =
            Config::parse(&case.config, Path::new("beartrap.toml"), Path::new("/srv/app")).expect_err(&case.name);
        for text in [diagnostics.render(false), diagnostics.render(true), format!("{diagnostics:?}")] {
            assert!(!text.to_lowercase().contains("hunter2"), "case: {}\n{text}", case.name);
        }
    }
}

#[test]
fn color_is_an_option() {
    let diagnostics = Config::parse("", Path::new("beartrap.toml"), Path::new("/srv/app")).expect_err("no sources");
    assert_eq!(diagnostics.len(), 2);
    assert!(diagnostics.render(true).contains('\x1b'));
    assert!(!diagnostics.render(false).contains('\x1b'));
}

#[test]
fn a_file_that_is_no_configuration_gives_a_short_answer() {
    let text: String = (0..5000).map(|line| format!("ERROR request {line} failed\n")).collect();
    let errors = parse(&text).expect_err("a log");
    assert!(errors.contains("error: "), "{errors}");
    assert!(errors.lines().count() < 1000, "{}", errors.lines().count());
    assert!(!errors.contains("request"), "{errors}");
}

#[test]
fn the_files_in_config_are_valid() {
    let mut count = 0;
    for entry in std::fs::read_dir("config").expect("the folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        Config::load(&path).unwrap_or_else(|errors| panic!("{errors}"));
        count += 1;
    }
    assert_eq!(count, 5);
}

#[test]
fn files_follows_globs_of_the_working_directory() {
    let config = parse_valid(include_str!("../config/files.toml"));
    assert_eq!(config.data_dir, Some(PathBuf::from("/srv/app/beartrap-data")));
    let SourceKind::File(source) = &config.sources[0].kind else { panic!("no file source") };
    assert_eq!(source.include[0].as_str(), "/srv/app/logs/*.log");
    let SinkKind::File(sink) = &config.sinks[0].kind else { panic!("no file sink") };
    assert_eq!(sink.path, PathBuf::from("/srv/app/clean/clean.log"));
}

#[test]
fn sidecar_listens_and_sends_on_the_loopback_interface() {
    let config = parse_valid(include_str!("../config/sidecar.toml"));
    let SourceKind::Tcp(source) = &config.sources[0].kind else { panic!("no tcp source") };
    assert_eq!(source.address.to_string(), "127.0.0.1:5170");
    let SinkKind::Tcp(sink) = &config.sinks[0].kind else { panic!("no tcp sink") };
    assert_eq!(sink.address, "127.0.0.1:5171");
    assert!(Limits::of(&config).total_bytes() <= 128 << 20, "it says so, and docs/operations.md too");
}

#[test]
fn kubernetes_follows_pods() {
    let config = parse_valid(include_str!("../config/kubernetes.toml"));
    let SourceKind::File(source) = &config.sources[0].kind else { panic!("no file source") };
    let follows = |path: &str| {
        source.include.iter().any(|glob| glob.matches(path)) && !source.exclude.iter().any(|glob| glob.matches(path))
    };
    assert!(follows("/var/log/pods/shop_web-7d4b_0f3c/web/0.log"));
    assert!(!follows("/var/log/pods/logging_beartrap-x2x_0f3c/beartrap/0.log"));
    assert_eq!(config.sources[0].codec, Codec::Cri);
    assert!(Limits::of(&config).total_bytes() <= 320 << 20, "it says so");
}

#[test]
fn pipe_goes_from_stdin_to_stdout() {
    let config = parse_valid(include_str!("../config/pipe.toml"));
    assert!(matches!(config.sources[0].kind, SourceKind::Stdin));
    assert!(matches!(config.sinks[0].kind, SinkKind::Stdout));
    assert_eq!(config.data_dir, None);
}

/// What a configuration says beyond names, so that defaults and written defaults can be compared.
fn settings(config: &Config) -> Vec<String> {
    let sources = config.sources.iter().map(|source| format!("{source:?}"));
    let sinks = config.sinks.iter().map(|sink| format!("{sink:?}"));
    sources.chain(sinks).chain([format!("{:?} {:?}", config.ledger, config.api)]).collect()
}

#[test]
fn the_reference_shows_the_defaults() {
    let reference = parse_valid(REFERENCE);
    let bare = parse_valid(
        r#"
        data_dir = "/var/lib/beartrap"
        [sources.stdin]
        type = "stdin"
        [sources.files]
        type = "file"
        include = ["/var/log/app/*.log", "/var/log/app/*/current"]
        exclude = ["/var/log/app/debug-*.log"]
        [sources.network]
        type = "tcp"
        address = "127.0.0.1:5170"
        permit_origin = ["127.0.0.0/8", "::1/128"]
        framing.method = "character_delimited"
        framing.character_delimited.delimiter = "\u0000"
        tls = { enabled = true, crt_file = "/etc/beartrap/tls/tls.crt", key_file = "/etc/beartrap/tls/tls.key", ca_file = "/etc/beartrap/tls/ca.crt" }
        [sources.datagrams]
        type = "udp"
        address = "127.0.0.1:5514"
        permit_origin = ["127.0.0.0/8"]
        [sources.local]
        type = "unix"
        path = "/run/beartrap/log.sock"
        expected_issuers = ["https://login.example/"]
        expected_audiences = ["https://api.example/"]
        [sinks.stdout]
        type = "stdout"
        inputs = ["stdin"]
        [sinks.file]
        type = "file"
        inputs = ["files", "network", "datagrams", "local"]
        path = "/var/log/app-clean/clean.log"
        [sinks.collector]
        type = "tcp"
        inputs = ["network"]
        address = "collector.example:6514"
        framing.method = "character_delimited"
        framing.character_delimited.delimiter = "\u0000"
        tls = { enabled = true, crt_file = "/etc/beartrap/tls/tls.crt", key_file = "/etc/beartrap/tls/tls.key", ca_file = "/etc/beartrap/tls/ca.crt" }
        [sinks.rows]
        type = "tcp"
        address = "collector.example:6515"
        tls.enabled = true
        [ledger]
        instance = "web-1"
        issuers = ["https://login.example/"]
        emit_to = "rows"
        [ledger.alert]
        url = "https://soc.example/hooks/beartrap"
        secret_file = "/etc/beartrap/alert-secret"
        ca_file = "/etc/beartrap/tls/ca.crt"
        min_severity = "high"
        [api]
        health_address = "0.0.0.0:9615"
        token_file = "/etc/beartrap/api-token"
        allowed_hosts = ["logs.example"]
        "#,
    );
    assert_eq!(settings(&reference), settings(&bare));
    assert_eq!(reference.shutdown_grace, bare.shutdown_grace);
    assert_eq!(reference.redact.options.weak_fingerprints, bare.redact.options.weak_fingerprints);
}

#[test]
fn every_setting_arrives() {
    let config = parse_valid(
        r#"
        data_dir = "./data"
        shutdown_grace_secs = 2.5
        [redact]
        key_file = "key"
        extra_fields = ["session"]
        allow_fingerprints = ["5D41402ABC4B2A76B9719D911017C592"]
        weak_fingerprints = true
        replacement = "hidden:{}"
        [sources.a]
        type = "file"
        include = ["/x/*.log", "./y-*"]
        exclude = ["/x/z.log"]
        read_from = "end"
        framing.method = "octet_counting"
        decoding = { codec = "json" }
        max_record_bytes = 0x1000
        glob_interval_secs = 2
        poll_interval_secs = 0.5
        rotate_wait_secs = 0
        checkpoint_interval_secs = 3
        max_open_files = 7
        ignore_older_secs = 86_400
        expected_issuers = ["i"]
        expected_audiences = ["a", "b"]
        follow_symlinks = true
        [sources.b]
        type = "tcp"
        address = "[::1]:9"
        permit_origin = ["10.0.0.0/8", "::1/128"]
        max_connections = 3
        max_connections_per_peer = 2
        idle_timeout_secs = 7
        record_timeout_secs = 0.5
        handshake_timeout_secs = 4
        tls.enabled = true
        tls.crt_file = "b.crt"
        tls.key_file = "/b.key"
        framing = { method = "character_delimited", character_delimited = { delimiter = "|" } }
        [sources.e]
        type = "unix"
        path = "run/e.sock"
        socket_file_mode = 0o660
        max_connections = 4
        idle_timeout_secs = 8
        record_timeout_secs = 9
        [sources.f]
        type = "udp"
        address = "[::]:514"
        permit_origin = ["::1/128"]
        receive_buffer_bytes = 8192
        framing.method = "bytes"
        decoding.codec = "json"
        [sinks.c]
        type = "tcp"
        inputs = ["b", "a", "e", "f"]
        address = "[2001:db8::1]:6514"
        framing.method = "length_delimited"
        when_full = "drop_newest"
        buffer_bytes = 65_536
        resend_bytes = 0
        reconnect_max_secs = 5
        connect_timeout_secs = 1
        ack_timeout_secs = 7
        tls = { enabled = true, ca_file = "ca.crt" }
        [sinks.d]
        type = "file"
        inputs = ["a"]
        encoding.codec = "json"
        path = "out.log"
        sync_interval_secs = 0
        [ledger]
        path = "l.db"
        instance = "pod-7"
        retention_secs = 0
        max_entries = 1000
        issuers = ["i"]
        max_lifetime_secs = 60
        max_sources = 1
        emit_to = "g"
        emit_interval_secs = 0.5
        alert.url = "http://localhost:81/x"
        alert.secret_file = "secret"
        alert.max_per_minute = 60
        alert.max_batch = 2
        alert.timeout_secs = 3
        alert.max_attempts = 4
        alert.retry_max_secs = 5
        [sinks.g]
        type = "stdout"
        [api]
        address = "0.0.0.0:80"
        health_address = "[::]:81"
        token_file = "token"
        allowed_hosts = ["Logs.example"]
        ready_requires_delivery = true
        max_connections = 9
        request_timeout_secs = 2.5
        "#,
    );
    assert_eq!(config.data_dir, Some(PathBuf::from("/srv/app/data")));
    assert_eq!(config.shutdown_grace, Duration::from_millis(2500));
    assert_eq!(config.redact.key_file, Some(PathBuf::from("/srv/app/key")));
    let options = &config.redact.options;
    assert_eq!(options.extra_fields, ["session"]);
    assert_eq!(options.allow_fingerprints, ["5d41402abc4b2a76b9719d911017c592"]);
    assert!(options.weak_fingerprints);
    assert_eq!(options.replacement.as_deref(), Some("hidden:{}"));

    let [a, b, e, f] = config.sources.as_slice() else { panic!("four sources") };
    assert_eq!((a.name.as_str(), a.framing, a.codec), ("a", Framing::OctetCounting, Codec::Json));
    assert_eq!(a.max_record_bytes, 4096);
    let SourceKind::File(file) = &a.kind else { panic!("a file source") };
    let include: Vec<&str> = file.include.iter().map(glob::Pattern::as_str).collect();
    assert_eq!(include, ["/x/*.log", "/srv/app/y-*"]);
    assert_eq!(file.exclude[0].as_str(), "/x/z.log");
    assert!(file.read_from_end);
    let durations = [file.glob_interval, file.poll_interval, file.rotate_wait, file.checkpoint_interval];
    assert_eq!(durations.map(|duration| duration.as_millis()), [2000, 500, 0, 3000]);
    assert_eq!(file.max_open_files, 7);
    assert_eq!((file.ignore_older, file.follow_symlinks), (Some(Duration::from_secs(86_400)), true));
    assert_eq!((b.name.as_str(), b.framing, b.codec), ("b", Framing::CharacterDelimited(b'|'), Codec::Text));
    let SourceKind::Tcp(tcp) = &b.kind else { panic!("a tcp source") };
    assert_eq!((tcp.address.to_string().as_str(), tcp.max_connections_per_peer), ("[::1]:9", 2));
    assert_eq!(tcp.limits.max_connections, 3);
    assert_eq!([tcp.limits.idle_timeout, tcp.limits.record_timeout].map(|limit| limit.as_millis()), [7000, 500]);
    let permits = |address: &str| tcp.permit_origin.permit(address.parse().expect("an address"));
    assert_eq!(["10.1.2.3", "11.1.2.3", "::1", "::2"].map(permits), [true, false, true, false]);
    assert_eq!(tcp.handshake_timeout.as_secs(), 4);
    let tls = tcp.tls.as_ref().expect("TLS");
    let identity = [&tls.identity.crt_file, &tls.identity.key_file];
    assert_eq!(identity, [Path::new("/srv/app/b.crt"), Path::new("/b.key")]);
    assert_eq!(tls.ca_file, None);

    let SourceKind::Unix(unix) = &e.kind else { panic!("a unix source") };
    assert_eq!((unix.path.as_path(), unix.socket_file_mode), (Path::new("/srv/app/run/e.sock"), 0o660));
    assert_eq!(unix.limits.max_connections, 4);
    assert_eq!([unix.limits.idle_timeout, unix.limits.record_timeout].map(|limit| limit.as_secs()), [8, 9]);
    let SourceKind::Udp(udp) = &f.kind else { panic!("a udp source") };
    assert_eq!((udp.address.to_string().as_str(), udp.receive_buffer_bytes), ("[::]:514", 8192));
    assert!(!udp.permit_origin.permit("127.0.0.1".parse().expect("an address")));
    assert_eq!((f.framing, f.codec), (Framing::Bytes, Codec::Json));

    let [c, d, g] = config.sinks.as_slice() else { panic!("three sinks") };
    assert_eq!((g.name.as_str(), g.inputs.len()), ("g", 0));
    assert_eq!(c.inputs, ["b", "a", "e", "f"]);
    assert_eq!((c.framing, c.when_full, c.buffer_bytes), (Framing::LengthDelimited, WhenFull::DropNewest, 65_536));
    let SinkKind::Tcp(tcp) = &c.kind else { panic!("a tcp sink") };
    assert_eq!((tcp.address.as_str(), tcp.resend_bytes), ("[2001:db8::1]:6514", 0));
    let durations = [tcp.reconnect_max, tcp.connect_timeout, tcp.ack_timeout];
    assert_eq!(durations.map(|duration| duration.as_secs()), [5, 1, 7]);
    let tls = tcp.tls.as_ref().expect("TLS");
    assert_eq!(tls.ca_file.as_deref(), Some(Path::new("/srv/app/ca.crt")));
    assert!(tls.identity.is_none());
    assert_eq!(format!("{:?}", tls.server_name), format!("{:?}", ServerName::new("2001:db8::1").unwrap()));
    assert_eq!((d.framing, d.when_full, d.buffer_bytes), (Framing::NewlineDelimited, WhenFull::Block, 4 << 20));
    let SinkKind::File(file) = &d.kind else { panic!("a file sink") };
    assert_eq!((file.path.as_path(), file.sync_interval), (Path::new("/srv/app/out.log"), Duration::ZERO));

    let ledger = config.ledger.expect("a ledger");
    assert_eq!((ledger.path.as_path(), ledger.instance.as_deref()), (Path::new("/srv/app/l.db"), Some("pod-7")));
    assert_eq!((ledger.limits.retention, ledger.limits.max_entries), (None, 1000));
    assert_eq!((ledger.policy.max_lifetime_secs, ledger.policy.max_sources), (60, 1));
    assert_eq!(ledger.limits.issuers, ["i"]);
    let emit = ledger.emit.expect("a sink for its rows");
    assert_eq!((emit.sink.as_str(), emit.interval.as_millis()), ("g", 500));
    let alert = ledger.alert.expect("alerts");
    assert_eq!((alert.url.place(), alert.url.is_tls()), ("localhost:81", false));
    assert_eq!((alert.secret_file.as_path(), alert.ca_file), (Path::new("/srv/app/secret"), None));
    assert_eq!((alert.max_per_minute, alert.max_batch, alert.max_attempts), (60, 2, 4));
    assert_eq!((alert.timeout.as_secs(), alert.retry_max.as_secs(), alert.min_severity), (3, 5, None));
    assert_eq!(ledger.policy.contexts["a"].expected_audiences, ["a", "b"]);
    assert!(config.redact.options.claims);
    let api = config.api.expect("an API");
    assert_eq!(
        (api.address.to_string().as_str(), api.health_address.map(|address| address.port())),
        ("0.0.0.0:80", Some(81))
    );
    assert_eq!(api.token_file.as_deref(), Some(Path::new("/srv/app/token")));
    assert_eq!((api.allowed_hosts, api.ready_requires_delivery), (vec!["logs.example".to_owned()], true));
    assert_eq!((api.max_connections, api.request_timeout), (9, Duration::from_millis(2500)));
}

#[test]
fn tls_that_is_off_is_off() {
    let sink = "[sinks.out]\ntype = \"tcp\"\ninputs = [\"in\"]\naddress = \"a_b:1\"\ntls.enabled = false\n";
    let config = parse_valid(&format!("[sources.in]\ntype = \"stdin\"\n{sink}"));
    let SinkKind::Tcp(tcp) = &config.sinks[0].kind else { panic!("a tcp sink") };
    assert!(tcp.tls.is_none());
}

#[test]
fn sources_and_sinks_keep_the_order_of_the_file() {
    let config = parse_valid(
        "[sinks.z]\ntype = \"stdout\"\ninputs = [\"y\", \"b\", \"a\"]\n\
         [sources.y]\ntype = \"stdin\"\n\
         [sources.b]\ntype = \"tcp\"\naddress = \"127.0.0.1:0\"\n\
         [sources.a]\ntype = \"tcp\"\naddress = \"127.0.0.1:0\"\n",
    );
    let names: Vec<&str> = config.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, ["y", "b", "a"]);
}

#[test]
fn a_working_directory_with_glob_characters_is_taken_literally() {
    let text = with_stdout("[sources.in]\ntype = \"file\"\ninclude = [\"*.log\"]");
    let config = Config::parse(&text, Path::new("beartrap.toml"), Path::new("/a[b]*")).expect("valid");
    let SourceKind::File(file) = &config.sources[0].kind else { panic!("a file source") };
    assert!(file.include[0].matches("/a[b]*/x.log"));
    assert!(!file.include[0].matches("/ab/x.log"));
}

fn load_error(path: &Path) -> String {
    Config::load(path).expect_err("not valid").to_string()
}

#[test]
fn unreadable_files_are_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let missing = dir.path().join("missing.toml");
    let message = load_error(&missing);
    assert!(message.starts_with("error: can't read the configuration: No such file or directory"), "{message}");
    assert!(message.contains(&*missing.to_string_lossy()), "{message}");
    assert!(load_error(dir.path()).starts_with("error: can't read the configuration: Is a directory"));

    let bad = dir.path().join("bad.toml");
    std::fs::write(&bad, b"# one\n# two \xff hunter2\n").expect("written");
    assert!(load_error(&bad).starts_with("error: the configuration is not UTF-8: invalid byte in line 2\n"));

    std::fs::write(&bad, vec![b'\n'; (1 << 20) + 1]).expect("written");
    assert!(load_error(&bad).starts_with("error: the configuration is larger than 1 MiB\n"));
}

#[test]
fn load_and_parse_agree() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("beartrap.toml");
    std::fs::write(&path, REFERENCE).expect("written");
    assert_eq!(settings(&Config::load(&path).expect("valid")), settings(&parse_valid(REFERENCE)));
}

/// A value in the reference, found by its dotted name.
fn lookup<'t>(table: &'t toml::Table, name: &str) -> Option<&'t toml::Value> {
    match name.split_once('.') {
        None => table.get(name),
        Some((first, rest)) => lookup(table.get(first)?.as_table()?, rest),
    }
}

#[test]
fn the_reference_holds_every_key() {
    let reference: toml::Table = REFERENCE.parse().expect("TOML");
    for key in keys() {
        let value = match key.section {
            "" => lookup(&reference, &key.name),
            "ledger.alert" => lookup(reference["ledger"]["alert"].as_table().unwrap(), &key.name),
            section @ ("redact" | "ledger" | "api") => lookup(reference[section].as_table().unwrap(), &key.name),
            section => reference[section].as_table().unwrap().values().find_map(|named| {
                let table = named.as_table()?;
                let fits = key.kind.is_empty() || table["type"].as_str() == Some(key.kind);
                fits.then(|| lookup(table, &key.name)).flatten()
            }),
        };
        let value = value.unwrap_or_else(|| panic!("{key:?} is not in config/reference.toml"));
        if let Some([default, ..]) = &key.number {
            let written = value.as_integer().map(|n| n as f64).or(value.as_float());
            assert_eq!(written, default.parse().ok(), "{key:?}");
        }
    }
}

#[test]
fn the_documentation_holds_every_key() {
    for key in keys() {
        let heading = match (key.section, key.kind) {
            ("", _) => "## Top level".to_owned(),
            (section @ ("redact" | "ledger" | "ledger.alert" | "api"), _) => format!("## `[{section}]`"),
            (section, "") => format!("## `[{section}.NAME]`"),
            (section, kind) => format!("### `type = \"{kind}\"` of a {}", section.trim_end_matches('s')),
        };
        let section = DOCS.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no heading {heading}")).1;
        let section = section.split("\n## ").next().unwrap_or_default();
        let row = section.lines().find(|line| line.starts_with(&format!("| `{}` |", key.name)));
        let row = row.unwrap_or_else(|| panic!("no row for `{}` under {heading}", key.name));
        if let Some([default, min, max]) = &key.number {
            assert!(row.contains(&format!("| {default} |")), "default of {key:?}: {row}");
            assert!(row.contains(&format!("| {min} to {max} |")), "range of {key:?}: {row}");
        }
    }
}

/// Cuts, doubles and foreign characters at some places of the reference.
fn mutated() -> impl Strategy<Value = String> {
    let edit =
        (0..REFERENCE.len(), 0..30usize, prop_oneof![Just(String::new()), "[\\PC\n\t\r\"'\\[\\]{}=#.,\\\\]{1,6}"]);
    proptest::collection::vec(edit, 1..6).prop_map(|edits| {
        let mut text = REFERENCE.to_owned();
        for (at, len, insert) in edits {
            let start = text.floor_char_boundary(at);
            let end = text.floor_char_boundary(start + len);
            text.replace_range(start..end, &insert);
        }
        text
    })
}

/// Secrets in the place of values, and then syntax that comes apart around them.
fn broken_around_secrets() -> impl Strategy<Value = String> {
    let edit = (
        0..REFERENCE.len(),
        0..3usize,
        prop_oneof![Just(""), Just("\""), Just("\n"), Just("["), Just("="), Just("#"), Just("'"), Just("\"\"\"")],
    );
    proptest::collection::vec(edit, 1..4).prop_map(|edits| {
        let mut text = REFERENCE.replace("/var/log/app", "hunter2/é hunter2").replace("5d41402a", "hunter2!");
        for (at, len, insert) in edits {
            let start = text.floor_char_boundary(at);
            let end = text.floor_char_boundary(start + len);
            text.replace_range(start..end, insert);
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn mutations_never_panic(text in mutated()) {
        if let Err(diagnostics) = Config::parse(&text, Path::new("beartrap.toml"), Path::new("/srv/app")) {
            prop_assert!(diagnostics.len() >= 1);
            diagnostics.render(true);
        }
    }

    #[test]
    fn broken_syntax_gives_no_secret_away(text in broken_around_secrets()) {
        if let Err(errors) = parse(&text) {
            prop_assert!(!errors.contains("hunter2"), "{errors}");
        }
    }

    #[test]
    fn any_text_is_answered(text in "\\PC{0,200}") {
        prop_assert!(parse(&text).is_err());
    }
}
