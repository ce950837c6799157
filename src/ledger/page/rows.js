// The rows that were loaded, and which of them are wanted in which order.

// A browser holds these with ease; the rest is said to be left out.
const ROWS_MAX = 200000;

class Rows {
  constructor() {
    this.byKey = new Map();
    this.shared = new Map();
    this.changes = 0;
  }

  get size() { return this.byKey.size; }

  /** Takes rows in; those that are there already are replaced if they are others. False if one did not fit any more. */
  take(list, now) {
    let fits = true;
    for (const data of list) {
      const row = this.row(data, now);
      const before = this.byKey.get(row.key);
      if (before && isSame(before, row)) continue;
      if (!before && this.byKey.size >= ROWS_MAX) {
        fits = false;
        continue;
      }
      this.byKey.set(row.key, row);
      this.changes += 1;
    }
    return fits;
  }

  /** Puts others in the place of all. */
  replace(other) {
    this.byKey = other.byKey;
    this.shared = other.shared;
    this.changes += other.changes + 1;
  }

  /** A row as it came, and what filters and orders ask for. */
  row(data, now) {
    data.policies = (data.policies ?? []).map((policy) => this.share(policy));
    data.sources ??= {};
    data.carriers ??= {};
    const row = {
      data,
      key: `${data.kind}/${data.key_id}/${data.fingerprint}`,
      first: millis(data.first_seen),
      last: millis(data.last_seen),
      expires: millis(data.expires_at),
      begins: millis(data.claims?.nbf),
      status: data.status,
      issuer: data.claims?.iss ?? '',
      source: Object.keys(data.sources)[0] ?? '',
      text: null,
    };
    row.severity = SEVERITY.indexOf(data.severity);
    if (row.severity < 0) row.severity = SEVERITY.length;
    this.age(row, now);
    return row;
  }

  /** Most rows have the same findings: one of each is kept. */
  share(policy) {
    const key = `${policy.id}\n${policy.severity}\n${policy.reason}`;
    const kept = this.shared.get(key);
    if (kept) return kept;
    if (this.shared.size < 10000) this.shared.set(key, policy);
    return policy;
  }

  /** What a clock alone changes. */
  age(row, now) {
    const before = row.status;
    if (row.status === 'not_yet' && row.begins <= now) row.status = 'unexpired';
    if (row.status === 'unexpired' && row.expires <= now) row.status = 'expired';
    if (row.status !== before) this.changes += 1;
  }

  ageAll(now) {
    for (const row of this.byKey.values()) this.age(row, now);
  }
}

/** Whether a row says what another did, as far as a row can change. */
function isSame(one, other) {
  return one.data.occurrences === other.data.occurrences && one.last === other.last && one.first === other.first
    && one.status === other.status && one.data.revoked_at === other.data.revoked_at && one.severity === other.severity
    && one.data.policies.length === other.data.policies.length && one.data.policies.every((policy, at) => policy === other.data.policies[at]);
}

/** All that a search looks at. */
function searchText(row) {
  if (row.text === null) {
    const { data } = row;
    const claims = data.claims ?? {};
    const places = [data.first_location, data.last_location].flatMap((place) => [place?.file, place?.peer]);
    row.text = [
      data.fingerprint, data.kind, data.key_id, row.issuer, claims.kid, claims.alg, claims.typ, claims.azp, claims.client_id,
      claims.scope, claims.sub_fingerprint, claims.jti_fingerprint, claims.principal, ...(claims.aud ?? []), ...places,
      ...Object.keys(data.sources), ...Object.keys(data.carriers), ...data.policies.map((policy) => policy.id),
    ].filter(Boolean).join('\n').toLowerCase();
  }
  return row.text;
}

const FILTERS = {
  status: (row, value) => row.status === value,
  severity: (row, value) => (value === 'none' ? row.severity === SEVERITY.length : row.severity <= SEVERITY.indexOf(value)),
  kind: (row, value) => row.data.kind === value,
  policy: (row, value) => row.data.policies.some((policy) => policy.id === value),
  source: (row, value) => Object.hasOwn(row.data.sources, value),
  issuer: (row, value) => row.issuer === value,
};

// Ascending; what has no value comes last in both directions.
const ORDERS = {
  severity: { title: 'Severity', key: (row) => (row.severity === SEVERITY.length ? NaN : row.severity), class: 'c-severity' },
  status: { title: 'Status', key: (row) => STATUS.indexOf(row.status), class: 'c-status' },
  fingerprint: { title: 'Fingerprint', key: (row) => row.data.fingerprint, class: 'c-fingerprint' },
  kind: { title: 'Kind', key: (row) => row.data.kind, class: 'c-kind' },
  issuer: { title: 'Issuer', key: (row) => row.issuer || NaN, class: 'c-issuer' },
  source: { title: 'Sources', key: (row) => row.source || NaN, class: 'c-sources' },
  count: { title: 'Seen', key: (row) => row.data.occurrences, class: 'c-count number', latest: true },
  first: { title: 'First seen', key: (row) => row.first, class: 'c-first time', latest: true },
  last: { title: 'Last seen', key: (row) => row.last, class: 'c-last time', latest: true },
  expires: { title: 'Expires', key: (row) => (neverExpires(row) ? Infinity : row.expires), class: 'c-expires time' },
};

const neverExpires = (row) => row.status === 'unexpired' && Number.isNaN(row.expires);

/** The rows that meet the search and all filters, in order. */
function select(rows, wanted) {
  const needles = wanted.search.toLowerCase().split(/\s+/).filter(Boolean);
  const filters = Object.entries(wanted.filters).filter(([, value]) => value !== null);
  const found = [];
  for (const row of rows.byKey.values()) {
    if (!filters.every(([name, value]) => FILTERS[name](row, value))) continue;
    if (needles.length > 0) {
      const text = searchText(row);
      if (!needles.every((needle) => text.includes(needle))) continue;
    }
    found.push(row);
  }
  const { key } = ORDERS[wanted.order];
  const sign = wanted.descending ? -1 : 1;
  const keyed = found.map((row) => ({ row, key: key(row) }));
  keyed.sort((a, b) => {
    const aNone = Number.isNaN(a.key);
    const bNone = Number.isNaN(b.key);
    if (aNone || bNone) return aNone === bNone ? b.row.last - a.row.last : aNone - bNone;
    if (a.key < b.key) return -sign;
    if (a.key > b.key) return sign;
    return b.row.last - a.row.last || (a.row.key < b.row.key ? -1 : 1);
  });
  return keyed.map(({ row }) => row);
}

/** How many rows have each value, the most frequent first, at most `max` of them. */
function facet(rows, values, max) {
  const counts = new Map();
  for (const row of rows.byKey.values()) {
    for (const value of values(row)) if (value) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  const all = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  return { top: all.slice(0, max), rest: Math.max(0, all.length - max) };
}
