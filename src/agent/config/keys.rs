//! The vocabulary: every key, with the default and the range of the numbers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// A number of things or bytes.
pub(super) struct Whole {
    pub key: &'static str,
    pub unit: &'static str,
    pub default: usize,
    pub min: usize,
    pub max: usize,
}

/// A duration, whole or decimal.
pub(super) struct Seconds {
    pub key: &'static str,
    pub default: f64,
    pub min: f64,
    pub max: f64,
}

impl Seconds {
    pub fn default(&self) -> Duration {
        Duration::from_secs_f64(self.default)
    }
}

/// A part of one.
pub(super) struct Share {
    pub key: &'static str,
    pub default: f64,
}

pub(super) const VERIFY_SAMPLE: Share = Share { key: "verify_sample", default: 0.01 };

pub(super) const MAX_RECORD_BYTES: Whole =
    Whole { key: "max_record_bytes", unit: "bytes", default: 1 << 20, min: 1 << 10, max: 256 << 20 };
pub(super) const MAX_OPEN_FILES: Whole =
    Whole { key: "max_open_files", unit: "files", default: 128, min: 1, max: 65_536 };
pub(super) const MAX_CONNECTIONS: Whole =
    Whole { key: "max_connections", unit: "connections", default: 1000, min: 1, max: 65_536 };
pub(super) const MAX_CONNECTIONS_PER_PEER: Whole =
    Whole { key: "max_connections_per_peer", unit: "connections", default: 250, min: 1, max: 65_536 };
/// 0o600: a file mode, which is written in octal.
pub(super) const SOCKET_FILE_MODE: Whole =
    Whole { key: "socket_file_mode", unit: "(0o777)", default: 0o600, min: 0, max: 0o777 };
pub(super) const RECEIVE_BUFFER_BYTES: Whole =
    Whole { key: "receive_buffer_bytes", unit: "bytes", default: 1 << 20, min: 4 << 10, max: 256 << 20 };
pub(super) const BUFFER_BYTES: Whole =
    Whole { key: "buffer_bytes", unit: "bytes", default: 4 << 20, min: 64 << 10, max: 1 << 30 };
pub(super) const RESEND_BYTES: Whole =
    Whole { key: "resend_bytes", unit: "bytes", default: 8 << 20, min: 0, max: 1 << 30 };
pub(super) const MAX_ENTRIES: Whole =
    Whole { key: "max_entries", unit: "credentials", default: 100_000, min: 100, max: 100_000_000 };
pub(super) const MAX_LIFETIME: Whole =
    Whole { key: "max_lifetime_secs", unit: "seconds", default: 86_400, min: 1, max: 3_153_600_000 };
pub(super) const MAX_SOURCES: Whole = Whole { key: "max_sources", unit: "sources", default: 3, min: 1, max: 65_536 };

/// It has fewer callers than a source, and they stay shortly.
pub(super) const API_MAX_CONNECTIONS: Whole =
    Whole { key: "max_connections", unit: "connections", default: 64, min: 8, max: 1024 };

pub(super) const MAX_PER_MINUTE: Whole =
    Whole { key: "max_per_minute", unit: "requests", default: 10, min: 1, max: 6000 };
pub(super) const MAX_BATCH: Whole = Whole { key: "max_batch", unit: "exposures", default: 100, min: 1, max: 1000 };
pub(super) const MAX_ATTEMPTS: Whole = Whole { key: "max_attempts", unit: "attempts", default: 10, min: 1, max: 1000 };

pub(super) const SHUTDOWN_GRACE: Seconds = Seconds { key: "shutdown_grace_secs", default: 10.0, min: 0.0, max: 3600.0 };
pub(super) const GLOB_INTERVAL: Seconds = Seconds { key: "glob_interval_secs", default: 1.0, min: 0.1, max: 3600.0 };
pub(super) const POLL_INTERVAL: Seconds = Seconds { key: "poll_interval_secs", default: 0.25, min: 0.01, max: 60.0 };
/// 0 is for none: no file is too old.
pub(super) const IGNORE_OLDER: Seconds =
    Seconds { key: "ignore_older_secs", default: 0.0, min: 0.0, max: 315_360_000.0 };
pub(super) const ROTATE_WAIT: Seconds = Seconds { key: "rotate_wait_secs", default: 5.0, min: 0.0, max: 86_400.0 };
pub(super) const CHECKPOINT_INTERVAL: Seconds =
    Seconds { key: "checkpoint_interval_secs", default: 1.0, min: 0.1, max: 3600.0 };
pub(super) const IDLE_TIMEOUT: Seconds = Seconds { key: "idle_timeout_secs", default: 300.0, min: 0.1, max: 86_400.0 };
pub(super) const RECORD_TIMEOUT: Seconds =
    Seconds { key: "record_timeout_secs", default: 60.0, min: 0.1, max: 86_400.0 };
pub(super) const SYNC_INTERVAL: Seconds = Seconds { key: "sync_interval_secs", default: 0.2, min: 0.0, max: 60.0 };
pub(super) const RECONNECT_MAX: Seconds = Seconds { key: "reconnect_max_secs", default: 30.0, min: 0.1, max: 3600.0 };
pub(super) const CONNECT_TIMEOUT: Seconds =
    Seconds { key: "connect_timeout_secs", default: 10.0, min: 0.1, max: 300.0 };
pub(super) const ACK_TIMEOUT: Seconds = Seconds { key: "ack_timeout_secs", default: 60.0, min: 1.0, max: 3600.0 };
pub(super) const HANDSHAKE_TIMEOUT: Seconds =
    Seconds { key: "handshake_timeout_secs", default: 10.0, min: 0.1, max: 300.0 };
/// 90 days; 0 is for ever.
pub(super) const RETENTION: Seconds =
    Seconds { key: "retention_secs", default: 7_776_000.0, min: 0.0, max: 3_153_600_000.0 };

pub(super) const REQUEST_TIMEOUT: Seconds =
    Seconds { key: "request_timeout_secs", default: 10.0, min: 0.5, max: 300.0 };
/// Standard Webhooks: 15 to 30 s.
pub(super) const ALERT_TIMEOUT: Seconds = Seconds { key: "timeout_secs", default: 15.0, min: 0.1, max: 300.0 };
pub(super) const RETRY_MAX: Seconds = Seconds { key: "retry_max_secs", default: 300.0, min: 0.1, max: 86_400.0 };
pub(super) const EMIT_INTERVAL: Seconds = Seconds { key: "emit_interval_secs", default: 5.0, min: 0.1, max: 3600.0 };

pub(super) const API_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9614);

const WHOLES: &[&Whole] = &[
    &MAX_RECORD_BYTES,
    &MAX_OPEN_FILES,
    &MAX_CONNECTIONS,
    &MAX_CONNECTIONS_PER_PEER,
    &SOCKET_FILE_MODE,
    &RECEIVE_BUFFER_BYTES,
    &BUFFER_BYTES,
    &RESEND_BYTES,
    &MAX_ENTRIES,
    &MAX_LIFETIME,
    &MAX_SOURCES,
    &MAX_PER_MINUTE,
    &MAX_BATCH,
    &MAX_ATTEMPTS,
];
const SECONDS: &[&Seconds] = &[
    &SHUTDOWN_GRACE,
    &GLOB_INTERVAL,
    &POLL_INTERVAL,
    &IGNORE_OLDER,
    &ROTATE_WAIT,
    &CHECKPOINT_INTERVAL,
    &IDLE_TIMEOUT,
    &RECORD_TIMEOUT,
    &SYNC_INTERVAL,
    &RECONNECT_MAX,
    &CONNECT_TIMEOUT,
    &ACK_TIMEOUT,
    &HANDSHAKE_TIMEOUT,
    &RETENTION,
    &REQUEST_TIMEOUT,
    &ALERT_TIMEOUT,
    &RETRY_MAX,
    &EMIT_INTERVAL,
];

pub(super) const ROOT: &[&str] =
    &["data_dir", SHUTDOWN_GRACE.key, "sandbox", "redact", "sources", "sinks", "ledger", "api"];
pub(super) const LEDGER: &[&str] = &[
    "path",
    "instance",
    RETENTION.key,
    MAX_ENTRIES.key,
    "issuers",
    MAX_LIFETIME.key,
    MAX_SOURCES.key,
    "emit_to",
    EMIT_INTERVAL.key,
    "alert",
];
pub(super) const ALERT: &[&str] = &[
    "url",
    "secret_file",
    "ca_file",
    "min_severity",
    MAX_PER_MINUTE.key,
    MAX_BATCH.key,
    ALERT_TIMEOUT.key,
    MAX_ATTEMPTS.key,
    RETRY_MAX.key,
];
pub(super) const REDACT: &[&str] = &[
    "key_file",
    "rule_files",
    "on_unsupported",
    "extra_fields",
    "allow_fingerprints",
    "weak_fingerprints",
    "replacement",
    VERIFY_SAMPLE.key,
];
pub(super) const API: &[&str] = &[
    "address",
    "health_address",
    "token_file",
    "allowed_hosts",
    "ready_requires_delivery",
    API_MAX_CONNECTIONS.key,
    REQUEST_TIMEOUT.key,
];
pub(super) const FRAMING: &[&str] = &["method", "character_delimited"];
pub(super) const CHARACTER_DELIMITED: &[&str] = &["delimiter"];
pub(super) const CODEC: &[&str] = &["codec"];
pub(super) const TLS_SOURCE: &[&str] = &["enabled", "crt_file", "key_file", "ca_file"];
pub(super) const TLS_SINK: &[&str] = &["enabled", "crt_file", "key_file", "ca_file", "server_name"];

/// Which keys a source or sink takes.
pub(super) struct Kinds {
    /// Under any `type`.
    pub any: &'static [&'static str],
    /// Under one `type`.
    pub of: &'static [(&'static str, &'static [&'static str])],
}

pub(super) const SOURCE: Kinds = Kinds {
    any: &["type", "framing", "decoding", MAX_RECORD_BYTES.key, "expected_issuers", "expected_audiences"],
    of: &[
        ("stdin", &[]),
        (
            "file",
            &[
                "include",
                "exclude",
                "read_from",
                IGNORE_OLDER.key,
                "follow_symlinks",
                GLOB_INTERVAL.key,
                POLL_INTERVAL.key,
                ROTATE_WAIT.key,
                CHECKPOINT_INTERVAL.key,
                MAX_OPEN_FILES.key,
            ],
        ),
        (
            "tcp",
            &[
                "address",
                "permit_origin",
                MAX_CONNECTIONS.key,
                MAX_CONNECTIONS_PER_PEER.key,
                IDLE_TIMEOUT.key,
                RECORD_TIMEOUT.key,
                HANDSHAKE_TIMEOUT.key,
                "tls",
            ],
        ),
        ("udp", &["address", "permit_origin", RECEIVE_BUFFER_BYTES.key]),
        ("unix", &["path", SOCKET_FILE_MODE.key, MAX_CONNECTIONS.key, IDLE_TIMEOUT.key, RECORD_TIMEOUT.key]),
    ],
};
pub(super) const SINK: Kinds = Kinds {
    any: &["type", "inputs", "framing", "encoding", "when_full", BUFFER_BYTES.key],
    of: &[
        ("stdout", &[]),
        ("file", &["path", SYNC_INTERVAL.key]),
        ("tcp", &["address", RESEND_BYTES.key, RECONNECT_MAX.key, CONNECT_TIMEOUT.key, ACK_TIMEOUT.key, "tls"]),
    ],
};

/// Keys of Vector that turn checks off. There are none here.
pub(super) const NO_SWITCHES: &[&str] = &["verify_certificate", "verify_hostname"];

/// One key, as the reference documents it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The table it stands in: empty at the top, else `redact`, `sources`, `sinks`, `ledger`, `ledger.alert` or
    /// `api`.
    pub section: &'static str,
    /// The `type` that it belongs to; empty if it belongs to each.
    pub kind: &'static str,
    /// Its dotted name inside the table.
    pub name: String,
    /// Default, smallest and largest value of a number.
    pub number: Option<[String; 3]>,
}

/// Every key that the loader knows.
pub fn keys() -> Vec<Key> {
    let mut keys = Vec::new();
    add(&mut keys, "", "", ROOT);
    add(&mut keys, "redact", "", REDACT);
    add(&mut keys, "ledger", "", LEDGER);
    add(&mut keys, "ledger.alert", "", ALERT);
    add(&mut keys, "api", "", API);
    for (section, kinds) in [("sources", &SOURCE), ("sinks", &SINK)] {
        add(&mut keys, section, "", kinds.any);
        for (kind, names) in kinds.of {
            add(&mut keys, section, kind, names);
        }
    }
    keys
}

fn add(keys: &mut Vec<Key>, section: &'static str, kind: &'static str, names: &[&str]) {
    for name in names {
        let names: &[&str] = match *name {
            "redact" | "sources" | "sinks" | "ledger" | "alert" | "api" => continue,
            "framing" => &["framing.method", "framing.character_delimited.delimiter"],
            "decoding" => &["decoding.codec"],
            "encoding" => &["encoding.codec"],
            "tls" if section == "sources" => &["tls.enabled", "tls.crt_file", "tls.key_file", "tls.ca_file"],
            "tls" => &["tls.enabled", "tls.crt_file", "tls.key_file", "tls.ca_file", "tls.server_name"],
            _ => &[name],
        };
        for name in names {
            let of_api = (section == "api").then_some(&API_MAX_CONNECTIONS).filter(|number| number.key == *name);
            let whole = of_api.or(WHOLES.iter().copied().find(|number| number.key == *name));
            let seconds = SECONDS.iter().find(|number| number.key == *name);
            let share = [&VERIFY_SAMPLE].into_iter().find(|number| number.key == *name);
            let number = whole
                .map(|n| [n.default.to_string(), n.min.to_string(), n.max.to_string()])
                .or(seconds.map(|n| [n.default.to_string(), n.min.to_string(), n.max.to_string()]))
                .or(share.map(|n| [n.default.to_string(), "0".to_owned(), "1".to_owned()]));
            keys.push(Key { section, kind, name: (*name).to_owned(), number });
        }
    }
}

/// Whether a word is one of the keys or sections.
pub(super) fn is_vocabulary(word: &str) -> bool {
    let kinds = [&SOURCE, &SINK];
    let tables = [ROOT, REDACT, LEDGER, ALERT, API, FRAMING, CHARACTER_DELIMITED, CODEC, TLS_SINK, NO_SWITCHES];
    tables.iter().any(|keys| keys.contains(&word))
        || kinds.iter().any(|kinds| kinds.any.contains(&word) || kinds.of.iter().any(|(_, keys)| keys.contains(&word)))
}
