-- Times are milliseconds since 1970. A digest is 16 bytes, a key id 4. Nothing in here can be turned back into a credential.

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- The last batches, so that one that is handed over again counts once.
CREATE TABLE batches (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT;

-- Whose counts are in here: number 0 is this ledger itself, the others were merged into it.
CREATE TABLE ledgers (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    instance TEXT NOT NULL,
    -- When it was called so, by the newest row that said it.
    named_at INTEGER NOT NULL,
    -- What it lost, as far as it was told; each number only grows.
    skipped INTEGER NOT NULL DEFAULT 0,
    pruned INTEGER NOT NULL DEFAULT 0,
    forgotten INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE exposures (
    number INTEGER PRIMARY KEY,
    digest BLOB NOT NULL,
    key_id BLOB NOT NULL,
    kind TEXT NOT NULL,
    complete INTEGER NOT NULL,
    -- Sums over the ledgers.
    occurrences INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    -- By our own clock, for retention: a record's time can be made up.
    observed_at INTEGER NOT NULL,
    -- Grows with every change, and is no other row's, so that changed rows can be sent.
    changed INTEGER NOT NULL,
    -- Whether its issuer is one of those that may alert: others never evict it.
    trusted INTEGER NOT NULL,
    issuer TEXT,
    not_before INTEGER,
    -- Null if it does not say; the largest integer if it never expires.
    expires_at INTEGER,
    revoked_at INTEGER,
    claims TEXT,
    -- Keyed digests of claims, 16 bytes each.
    subject BLOB,
    token_id BLOB,
    -- When somebody was told of it.
    alerted_at INTEGER,
    UNIQUE (digest, key_id, kind)
) STRICT;
CREATE INDEX exposures_by_last ON exposures (last_at);
CREATE INDEX exposures_by_first ON exposures (first_at);
CREATE INDEX exposures_by_expiry ON exposures (coalesce(expires_at, 9223372036854775807));
CREATE INDEX exposures_by_changed ON exposures (changed);
CREATE INDEX exposures_by_observed ON exposures (trusted, observed_at);
CREATE INDEX exposures_to_alert ON exposures (changed) WHERE trusted AND alerted_at IS NULL;
CREATE INDEX exposures_by_subject ON exposures (subject) WHERE subject IS NOT NULL;
CREATE INDEX exposures_by_token_id ON exposures (token_id) WHERE token_id IS NOT NULL;

-- By ledger: what it saw first and last, and when it heard of it last by its own clock.
CREATE TABLE spans (
    exposure INTEGER NOT NULL,
    ledger INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    first_location TEXT NOT NULL,
    last_at INTEGER NOT NULL,
    last_location TEXT NOT NULL,
    observed_at INTEGER NOT NULL,
    PRIMARY KEY (exposure, ledger)
) STRICT, WITHOUT ROWID;

-- By ledger, source and carrier: how often. Each count only grows, so that the larger of two is the newer.
CREATE TABLE counts (
    exposure INTEGER NOT NULL,
    ledger INTEGER NOT NULL,
    source TEXT NOT NULL,
    carrier TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (exposure, ledger, source, carrier)
) STRICT, WITHOUT ROWID;

-- What somebody said of a credential, whether it has been seen or not. What was said last holds; null takes it back.
CREATE TABLE marks (digest BLOB PRIMARY KEY, revoked_at INTEGER, marked_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
