// One row, opened.

const LISTED_MAX = 50;

const CLAIMS = [
  ['iss', 'Issuer (iss)'], ['aud', 'Audience (aud)'], ['azp', 'Authorized party (azp)'], ['client_id', 'Client (client_id)'],
  ['scope', 'Scope (scope)'], ['iat', 'Issued (iat)'], ['nbf', 'Not before (nbf)'], ['exp', 'Expires (exp)'],
  ['alg', 'Algorithm (alg)'], ['kid', 'Key (kid)'], ['typ', 'Type (typ)'], ['key_in_header', 'Brings its own key'],
  ['principal', 'Looks like a'], ['sub_fingerprint', 'Subject, keyed fingerprint'], ['jti_fingerprint', 'Token id (jti), keyed fingerprint'],
];

function definitions(pairs) {
  return el('dl', {}, ...pairs.filter(([, value]) => value !== null && value !== undefined && value !== '')
    .flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, typeof value === 'string' ? el('bdi', {}, seen(value)) : value)]));
}

function place(location) {
  if (!location) return '';
  const parts = [`source ${location.source}`];
  if (location.file) parts.push(location.file);
  if (location.peer) parts.push(`from ${location.peer}`);
  if (Number.isFinite(location.offset)) parts.push(`byte ${number(location.offset)}`);
  return parts.join(', ');
}

const clock = (location) => (location?.time === 'record' ? 'by the record’s own clock' : 'by the clock of the machine that read it');

function counts(title, map) {
  const all = Object.entries(map).sort((a, b) => b[1] - a[1]);
  const rest = all.length - LISTED_MAX;
  return el('div', {}, el('h3', {}, title), el('table', {}, el('tbody', {},
    ...all.slice(0, LISTED_MAX).map(([name, count]) => el('tr', {}, el('td', {}, el('bdi', {}, seen(name))), el('td', {}, number(count)))),
    ...(rest > 0 ? [el('tr', {}, el('td', {}, `${number(rest)} more`), el('td', {}))] : []))));
}

function claimValue(name, value) {
  if (name === 'aud') return value.length > 0 ? value.map(seen).join(', ') : null;
  if (['iat', 'nbf', 'exp'].includes(name)) return value ? time(millis(value)) : null;
  if (name.endsWith('_fingerprint') && value) return el('code', { class: 'whole' }, seen(value));
  return value;
}

function claims(data) {
  if (!data.claims) return [el('p', { class: 'muted' }, 'It is no JWT: it says nothing of itself.')];
  const list = CLAIMS.map(([name, title]) => [title, claimValue(name, data.claims[name])]);
  list.push(['Sender-constrained (cnf)', data.claims.cnf ? 'yes' : 'no']);
  const unread = data.claims.has_payload === false ? ['Its payload could not be read. '] : [];
  return [el('p', { class: 'muted' }, ...unread, 'It says so itself; beartrap verifies no signature.'), definitions(list)];
}

function findings(policies) {
  if (policies.length === 0) return [el('p', { class: 'muted' }, 'No policy finds fault with it.')];
  return policies.map((policy) => el('div', { class: 'finding' },
    el('div', { class: 'chips' }, chip(policy.severity, SEVERITY), el('code', {}, seen(policy.id))),
    el('p', {}, el('bdi', {}, seen(policy.reason))),
    (policy.references ?? []).length > 0 ? el('p', { class: 'muted' }, `Relates to ${policy.references.map(seen).join('; ')}`) : null));
}

function renderDetails(row, now, step) {
  const { data } = row;
  const dialog = byId('details');
  const guessable = /^0+$/.test(data.fingerprint);
  const previous = el('button', { type: 'button', id: 'row-previous', disabled: !step(-1, true), onclick: () => step(-1) }, '← Previous');
  const next = el('button', { type: 'button', id: 'row-next', disabled: !step(1, true), onclick: () => step(1) }, 'Next →');
  const close = el('button', { type: 'button', id: 'close', onclick: () => dialog.close() }, 'Close');
  const window = data.exposure_window_secs;
  const lapse = Number.isFinite(window)
    ? (window < 0 ? `none: it had ended ${duration(window)} before it was first seen` : `${duration(window)} from when it was first seen`)
    : (neverExpires(row) ? 'without end: it never expires' : 'not known');
  const active = dialog.contains(document.activeElement) ? document.activeElement.id : '';
  const scrolled = dialog.dataset.key === row.key ? dialog.scrollTop : 0;
  dialog.dataset.key = row.key;
  dialog.replaceChildren(...[
    el('div', { class: 'head' }, previous, next, close),
    el('h2', { id: 'details-title', class: 'whole' }, seen(data.fingerprint)),
    el('div', { class: 'chips' }, chip(row.status, STATUS), data.severity ? chip(data.severity, SEVERITY) : null,
      el('span', { class: 'muted' }, `${plural(data.occurrences, 'occurrence')}, ${seen(data.kind)}, key ${seen(data.key_id)}${data.complete === false ? ', cut: this is the fingerprint of a part' : ''}`)),
    guessable ? el('p', { class: 'muted' }, 'Zeros stand for all credentials of this kind that could be guessed, so that a fingerprint would help the one who guesses.') : null,
    el('h3', {}, 'What is wrong'), ...findings(data.policies),
    el('h3', {}, 'When and where'),
    definitions([
      ['First seen', `${time(row.first)} (${ago(row.first, now)}), ${clock(data.first_location)}`],
      ['First at', place(data.first_location)],
      ['Last seen', `${time(row.last)} (${ago(row.last, now)}), ${clock(data.last_location)}`],
      ['Last at', place(data.last_location)],
      ['Expires', neverExpires(row) ? 'never, as it says' : Number.isFinite(row.expires) ? `${time(row.expires)} (${ago(row.expires, now)}), as it says` : 'not known'],
      ['Revoked', data.revoked_at ? time(millis(data.revoked_at)) : null],
      ['Exposure window', lapse],
      ['In clean logs', guessable ? null : el('code', { class: 'whole' }, `redacted-${seen(data.kind)}-${seen(data.key_id)}-${seen(data.fingerprint)}`)],
    ]),
    el('h3', {}, 'Claims ', el('span', { class: 'chip not_yet' }, 'unverified')), ...claims(data),
    el('div', { class: 'two' }, counts('By source', data.sources), counts('By carrier', data.carriers)),
  ].filter((child) => child !== null));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = scrolled;
  const wanted = byId(active);
  (wanted && !wanted.disabled && dialog.contains(wanted) ? wanted : close).focus({ preventScroll: true });
}
