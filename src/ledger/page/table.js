// The table: what it is filtered by, its order, its pages.

// Choices of a filter; what is rarer is found by the search.
const CHOICES_MAX = 200;

const FACETS = {
  status: { values: (row) => [row.status], words: (value) => STATUS_WORDS[value] ?? value, order: STATUS },
  severity: { values: (row) => [SEVERITY[row.severity] ?? 'none'], words: (value) => (['high', 'medium', 'low'].includes(value) ? `${value} or worse` : value), order: [...SEVERITY, 'none'] },
  kind: { values: (row) => [row.data.kind] },
  policy: { values: (row) => new Set(row.data.policies.map((policy) => policy.id)) },
  source: { values: (row) => Object.keys(row.data.sources) },
  issuer: { values: (row) => [row.issuer] },
};

const facets = remembered((rows) => Object.fromEntries(Object.entries(FACETS).map(([name, { values }]) => [name, facet(rows, values, CHOICES_MAX)])));

/** Fills the choices of all filters, and leaves what is chosen. */
function renderChoices(state) {
  for (const [name, kind] of Object.entries(FACETS)) {
    const chosen = state.wanted.filters[name];
    const { top: counted, rest } = facets(state.rows.changes, state.rows)[name];
    const top = counted.map((entry) => [...entry]);
    if (kind.order) top.sort((a, b) => kind.order.indexOf(a[0]) - kind.order.indexOf(b[0]));
    if (name === 'severity') {
      let worse = 0;
      for (const entry of top) if (entry[0] !== 'none') entry[1] = worse += entry[1];
    }
    if (chosen !== null && !top.some(([value]) => value === chosen)) top.push([chosen, 0]);
    const as = JSON.stringify([chosen, rest, top]);
    const list = byId(`filter-${name}`);
    // A list that is open, or about to be, stays as it is.
    if (list.dataset.shows === as || document.activeElement === list) continue;
    list.dataset.shows = as;
    const cut = (text) => (text.length > 60 ? `${text.slice(0, 59)}…` : text);
    list.replaceChildren(el('option', { value: '' }, 'all'),
      ...top.map(([value, count]) => el('option', { value: `=${value}` }, `${cut(seen((kind.words ?? String)(value)))} (${number(count)})`)),
      ...(rest > 0 ? [el('option', { disabled: true }, `${number(rest)} rarer ones: search for them`)] : []));
    list.value = chosen === null ? '' : `=${chosen}`;
    list.classList.toggle('set', chosen !== null);
  }
}

function renderColumns(wanted, sortBy) {
  const place = byId('columns');
  if (place.children.length === 0) {
    for (const [name, order] of Object.entries(ORDERS)) {
      const button = el('button', { type: 'button', class: 'plain', onclick: () => sortBy(name) }, order.title);
      place.append(el('th', { scope: 'col', class: order.class, dataset: { order: name } }, button));
      for (const descending of order.latest ? [true, false] : [false, true]) {
        byId('sort').append(el('option', { value: `${name} ${descending}` }, `${order.title} ${descending ? '▼' : '▲'}`));
      }
    }
    byId('sort').onchange = (event) => {
      const [name, descending] = event.target.value.split(' ');
      sortBy(name, descending === 'true');
    };
  }
  for (const head of place.children) {
    if (head.dataset.order === wanted.order) head.setAttribute('aria-sort', wanted.descending ? 'descending' : 'ascending');
    else head.removeAttribute('aria-sort');
  }
  byId('sort').value = `${wanted.order} ${wanted.descending}`;
}

function cells(row, now) {
  const { data } = row;
  const sources = Object.keys(data.sources);
  const text = (value) => (value ? el('bdi', { title: seen(value) }, seen(value)) : '–');
  return {
    severity: data.severity ? chip(data.severity, SEVERITY) : '–',
    status: chip(row.status, STATUS),
    fingerprint: el('button', { type: 'button', class: 'plain open', title: data.fingerprint, 'aria-haspopup': 'dialog' }, `${seen(data.fingerprint.slice(0, 12))}…`),
    kind: text(data.kind),
    issuer: row.issuer ? el('bdi', { title: seen(row.issuer) }, seen(brief(row.issuer))) : '–',
    source: sources.length > 1 ? el('bdi', { title: seen(sources.slice(0, 20).join(', ')) }, `${seen(sources[0])} +${number(sources.length - 1)}`) : text(sources[0]),
    count: number(data.occurrences),
    first: el('span', { title: ago(row.first, now) }, time(row.first)),
    last: el('span', { title: ago(row.last, now) }, time(row.last)),
    expires: neverExpires(row) ? 'never' : el('span', { title: ago(row.expires, now) }, time(row.expires)),
  };
}

function renderBody(shown, now, open, isLoading, total) {
  const body = byId('body');
  const active = body.contains(document.activeElement) ? document.activeElement.closest('tr')?.dataset.key : null;
  if (shown.length === 0) {
    const why = isLoading ? 'Loading …' : total === 0 ? 'No credential was seen.' : 'No credential matches. Clear the filters to see all.';
    body.replaceChildren(el('tr', {}, el('td', { class: 'nothing', colSpan: Object.keys(ORDERS).length }, why)));
    return;
  }
  body.replaceChildren(...shown.map((row) => {
    const content = cells(row, now);
    const columns = Object.entries(ORDERS).map(([name, order]) => el('td', { class: content[name] === '–' ? `${order.class} empty` : order.class, dataset: { label: order.title } }, content[name]));
    return el('tr', { dataset: { key: row.key }, onclick: () => { if (String(getSelection()) === '') open(row); } }, ...columns);
  }));
  const buttons = [...body.querySelectorAll('button.open')];
  const stop = Math.max(0, shown.findIndex((row) => row.key === active));
  buttons.forEach((button, at) => { button.tabIndex = at === stop ? 0 : -1; });
  if (active !== null && active !== undefined) buttons[stop].focus({ preventScroll: true });
}

function renderPager(page, size, total) {
  const pages = Math.max(1, Math.ceil(total / size));
  say(byId('page-says'), total === 0 ? '' : `${number(page * size + 1)}–${number(Math.min(total, (page + 1) * size))} of ${number(total)}, page ${number(page + 1)} of ${number(pages)}`);
  byId('first-page').disabled = byId('previous-page').disabled = page === 0;
  byId('last-page').disabled = byId('next-page').disabled = page >= pages - 1;
}

/** One stop for the tabulator in a list of buttons; arrows go on from there. Answers whether it was such a key. */
function walk(event, buttons) {
  const at = buttons.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
  if (at < 0 || to === undefined) return false;
  event.preventDefault();
  const next = buttons[Math.min(buttons.length - 1, Math.max(0, to))];
  buttons.forEach((button) => { button.tabIndex = button === next ? 0 : -1; });
  next.focus();
  return true;
}
