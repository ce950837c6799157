// The cards, and findings by source and carrier.

const HEAT_SOURCES_MAX = 12;

const tally = remembered((rows, now) => {
  const sums = { occurrences: 0, unexpired: 0, fresh: 0, never: 0, latest: NaN, severities: new Array(SEVERITY.length + 1).fill(0) };
  for (const row of rows.byKey.values()) {
    sums.occurrences += row.data.occurrences;
    if (row.status === 'unexpired') sums.unexpired += 1;
    if (neverExpires(row)) sums.never += 1;
    if (row.first > now - 86400000) sums.fresh += 1;
    if (!(row.first <= sums.latest)) sums.latest = row.first;
    sums.severities[row.severity] += 1;
  }
  return sums;
});

function renderCards(state) {
  const { status, rows, now } = state;
  // A report of some rows counts those.
  const ledger = (state.isPart ? null : status.ledger) ?? {};
  const { occurrences, unexpired, fresh, never, latest, severities } = tally(`${rows.changes} ${Math.floor(now / 60000)}`, rows, now);
  const loaded = rows.size > 0;
  const cards = [
    { id: 'seen', name: 'Tokens seen', value: number(ledger.exposures ?? rows.size), more: loaded ? plural(ledger.occurrences ?? occurrences, 'occurrence') : '' },
    {
      id: 'unexpired', name: 'Not yet expired', value: number(ledger.unexpired ?? unexpired), hot: (ledger.unexpired ?? unexpired) > 0,
      more: loaded ? `${number(never)} of them never expire` : '',
    },
    { id: 'new', name: 'New in 24 h', value: number(ledger.new_24h ?? fresh), more: loaded ? `last ${ago(latest, now)}` : '' },
    {
      id: 'severe', name: 'Critical or high', value: number(severities[0] + severities[1]),
      more: `${number(severities[0])} critical, ${number(severities[1])} high`,
    },
  ];
  if (Number.isFinite(status.bytes_in_per_sec)) {
    cards.push({
      id: 'rate', name: 'Bytes a second', value: `${bytes(status.bytes_in_per_sec)}/s`,
      more: Number.isFinite(status.bytes_in) ? `${bytes(status.bytes_in)} in ${duration(status.uptime_secs ?? 0)}` : '',
    });
  }
  const list = byId('cards');
  cards.forEach((card, at) => {
    let item = list.children[at];
    if (!item) {
      item = el('li', {}, el('div', { class: 'name' }), el('div', { class: 'value' }), el('div', { class: 'more' }));
      list.append(item);
    }
    item.className = card.hot ? 'hot' : '';
    item.dataset.card = card.id;
    [card.name, card.value, card.more].forEach((text, part) => say(item.children[part], text));
  });
  while (list.children.length > cards.length) list.lastElementChild.remove();
}

function renderHeat(state, setFilter) {
  const counts = state.status.ledger?.sources_by_carrier;
  const place = byId('heat');
  const as = JSON.stringify(counts ?? null);
  if (place.dataset.shows === as) return;
  place.dataset.shows = as;
  const sources = Object.entries(counts ?? {}).map(([name, carriers]) => {
    const sum = Object.values(carriers).reduce((all, count) => all + count, 0);
    return { name, carriers, sum };
  }).sort((a, b) => b.sum - a.sum || (a.name < b.name ? -1 : 1));
  if (sources.length === 0) {
    say(byId('heat-says'), counts ? 'Nothing was found yet.' : 'There is no account by source and carrier.');
    place.replaceChildren();
    return;
  }
  const shown = sources.slice(0, HEAT_SOURCES_MAX);
  const rest = sources.slice(HEAT_SOURCES_MAX);
  const total = Object.create(null);
  for (const { carriers } of sources) for (const [name, count] of Object.entries(carriers)) total[name] = (total[name] ?? 0) + count;
  if (rest.length > 0) {
    const carriers = Object.create(null);
    for (const source of rest) for (const [name, count] of Object.entries(source.carriers)) carriers[name] = (carriers[name] ?? 0) + count;
    shown.push({ name: null, carriers, sum: rest.reduce((all, source) => all + source.sum, 0) });
  }
  const columns = Object.keys(total).sort((a, b) => total[b] - total[a] || (a < b ? -1 : 1));
  say(byId('heat-says'), `Occurrences of all credentials in ${plural(sources.length, 'source')}, not filtered. `
    + 'Each shade stands for about four times the one before.');
  const most = Math.max(...shown.filter((source) => source.name !== null).flatMap((source) => Object.values(source.carriers)));
  // By logarithm: one source that logs each request would leave all others white.
  const heat = (count) => (count === 0 ? 'none' : `h${Math.max(1, 5 - Math.floor(Math.log(most / Math.min(count, most)) / Math.log(4)))}`);
  const line = (source) => {
    const name = source.name === null
      ? plural(rest.length, 'other source')
      : el('button', { type: 'button', class: 'plain', title: seen(source.name), onclick: () => setFilter('source', source.name) }, el('bdi', {}, seen(source.name)));
    const cells = columns.map((carrier) => {
      const count = source.carriers[carrier] ?? 0;
      return el('td', { class: heat(count) }, count === 0 ? '·' : number(count));
    });
    return el('tr', {}, el('th', { scope: 'row' }, name), ...cells, el('td', { class: 'sum' }, number(source.sum)));
  };
  place.replaceChildren(el('table', { class: 'heat' },
    el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'Source'), ...columns.map((name) => el('th', { scope: 'col' }, seen(name))), el('th', { scope: 'col' }, 'all'))),
    el('tbody', {}, ...shown.map(line))));
}

const POLICIES_MAX = 10;

const byPolicy = remembered((rows) => {
  const policies = new Map();
  for (const row of rows.byKey.values()) {
    for (const { id, severity } of row.data.policies) {
      const rank = SEVERITY.indexOf(severity);
      const policy = policies.get(id) ?? { id, severity, rank, count: 0 };
      policy.count += 1;
      if (rank >= 0 && rank < policy.rank) Object.assign(policy, { severity, rank });
      policies.set(id, policy);
    }
  }
  return [...policies.values()].sort((a, b) => a.rank - b.rank || b.count - a.count || (a.id < b.id ? -1 : 1));
});

/** How many rows each policy finds fault with; one presses it to see them. */
function renderPolicies(state, setFilter) {
  const all = byPolicy(state.rows.changes, state.rows);
  const shown = all.slice(0, POLICIES_MAX);
  const as = JSON.stringify([shown, all.length, state.rows.size]);
  const place = byId('policies');
  if (place.dataset.shows === as) return;
  place.dataset.shows = as;
  const rest = all.length - shown.length;
  say(byId('policies-say'), all.length === 0 ? 'No policy finds fault with any credential.'
    : `Credentials by policy, the worst first${rest > 0 ? `; ${number(rest)} more are among the filters` : ''}.`);
  const kept = place.contains(document.activeElement) ? document.activeElement.dataset.policy : null;
  place.replaceChildren(...shown.map((policy) => {
    const share = el('i', {});
    share.style.width = `${(policy.count / state.rows.size) * 100}%`;
    return el('li', {}, el('button', { type: 'button', class: 'plain', dataset: { policy: policy.id }, onclick: () => setFilter('policy', policy.id) },
      el('span', { class: 'name' }, chip(policy.severity, SEVERITY), el('code', {}, seen(policy.id))), el('span', {}, number(policy.count)),
      el('span', { class: `share ${known(SEVERITY, policy.severity)}` }, share)));
  }));
  if (kept !== null) [...place.querySelectorAll('button')].find((button) => button.dataset.policy === kept)?.focus({ preventScroll: true });
}
