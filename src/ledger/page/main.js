// Binds data, view and keys.

const state = {
  rows: new Rows(),
  status: {},
  now: Date.now(),
  wanted: { search: '', filters: { status: null, severity: null, kind: null, policy: null, source: null, issuer: null }, order: 'last', descending: true },
  found: [],
  page: 0,
  pageSize: 25,
  opened: null,
  isLoading: true,
  isCut: false,
  isPart: false,
  leftOut: 0,
  report: null,
};

const shownRows = () => state.found.slice(state.page * state.pageSize, (state.page + 1) * state.pageSize);

/** Selects and sorts anew, as a reader's choice asks for it. */
function choose(keepPage = false) {
  state.found = select(state.rows, state.wanted);
  state.pending = null;
  const pages = Math.max(1, Math.ceil(state.found.length / state.pageSize));
  state.page = keepPage ? Math.min(state.page, pages - 1) : 0;
  keepAddress();
  render();
}

/** Whether the rows may move: not under the reader's pointer, keys or eyes. */
function mayMove() {
  const table = byId('rows');
  return state.isLoading || (state.page === 0 && !byId('details').open && !table.matches(':hover')
    && !table.contains(document.activeElement) && !byId('bars').contains(document.activeElement) && !byId('bars').matches(':hover'));
}

/** Takes news in without moving what the reader looks at: rows change in place, new ones wait behind a button. */
function refreshView() {
  // Mostly nothing has changed but the time and the counters.
  if (state.drawn === `${state.rows.changes} ${state.isLoading} ${state.isCut}`) {
    renderCards(state);
    renderHeat(state, setFilter);
    renderAccount();
    return;
  }
  state.drawn = `${state.rows.changes} ${state.isLoading} ${state.isCut}`;
  const found = select(state.rows, state.wanted);
  const isSame = found.length === state.found.length && found.every((row, at) => row.key === state.found[at].key);
  if (isSame || mayMove()) {
    state.found = found;
    state.pending = null;
    state.page = Math.min(state.page, Math.max(0, Math.ceil(found.length / state.pageSize) - 1));
  } else {
    // What is gone stays until the reader asks: it was there.
    state.found = state.found.map((row) => state.rows.byKey.get(row.key) ?? row);
    const before = new Set(state.found.map((row) => row.key));
    const came = found.filter((row) => !before.has(row.key)).length;
    state.pending = came > 0 ? `${number(came)} new: show` : 'Order changed: sort again';
  }
  render();
}

function render() {
  const { now } = state;
  renderCards(state);
  renderHeat(state, setFilter);
  renderPolicies(state, setFilter);
  renderChoices(state);
  renderColumns(state.wanted, sortBy);
  const shown = shownRows();
  renderBody(shown, now, open, state.isLoading, state.rows.size);
  renderPager(state.page, state.pageSize, state.found.length);
  renderHistogram(state.found, now);
  renderTimeline(shown, state.page * state.pageSize, state.found.length, now, Number(byId('range').value), open);
  const all = state.rows.size;
  say(byId('count'), state.found.length === all ? plural(all, 'credential') : `${number(state.found.length)} of ${plural(all, 'credential')}`);
  byId('fresh').hidden = !state.pending;
  say(byId('fresh'), state.pending ?? '');
  byId('clear').disabled = state.wanted.search === '' && Object.values(state.wanted.filters).every((value) => value === null);
  byId('search').classList.toggle('set', state.wanted.search !== '');
  renderAccount();
  if (state.opened !== null && byId('details').open) {
    const row = state.rows.byKey.get(state.opened.key) ?? state.opened;
    if (row !== state.opened) openRow(row);
  }
}

function renderAccount() {
  const { status, report } = state;
  const ledger = status.ledger ?? {};
  const about = [status.instance, status.version && `version ${status.version}`, Number.isFinite(status.uptime_secs) && `up ${duration(status.uptime_secs)}`];
  if (report) about.push(`report of ${time(state.now)} UTC`);
  say(byId('origin'), about.filter(Boolean).map(seen).join(' · '));
  const account = [];
  if (ledger.skipped > 0) account.push(`${plural(ledger.skipped, 'sighting')} could not be noted: counts are too low by them.`);
  if (ledger.pruned > 0) account.push(`${plural(ledger.pruned, 'row')} made room for others.`);
  if (ledger.forgotten > 0) account.push(`${plural(ledger.forgotten, 'row')} were deleted by hand.`);
  if (report?.manifest) account.push(`Manifest: ${seen(JSON.stringify(report.manifest))}`);
  say(byId('account'), account.join(' '));
  const left = [];
  if (state.isCut) left.push(`The ${number(state.rows.size)} credentials that were seen last are shown, of ${number(ledger.exposures)}: a browser should hold no more. beartrap exposures list has all.`);
  if (state.isPart) left.push(`This report has ${number(state.rows.size)} of the ${number(ledger.exposures)} credentials of its ledger, as it was asked for. Findings by source and carrier are those of the whole ledger.`);
  if (state.leftOut > 0) left.push(`${plural(state.leftOut, 'credential')} did not fit into this report. beartrap exposures export has all.`);
  byId('left-out').hidden = left.length === 0;
  say(byId('left-out'), left.join(' '));
}

function setFilter(name, value) {
  state.wanted.filters[name] = value;
  document.activeElement?.blur?.();
  choose();
  byId(`filter-${name}`).focus();
}

function sortBy(name, descending) {
  const { wanted } = state;
  wanted.descending = descending ?? (wanted.order === name ? !wanted.descending : ORDERS[name].latest === true);
  wanted.order = name;
  choose();
}

function turnTo(page) {
  const pages = Math.max(1, Math.ceil(state.found.length / state.pageSize));
  state.page = Math.min(pages - 1, Math.max(0, page));
  render();
}

function open(row) {
  state.returnTo = document.activeElement;
  openRow(row);
}

function openRow(row) {
  state.opened = row;
  renderDetails(row, state.now, (by, isQuestion) => {
    const at = state.found.findIndex((other) => other.key === row.key);
    const next = at < 0 ? undefined : state.found[at + by];
    if (next && !isQuestion) {
      state.page = Math.floor((at + by) / state.pageSize);
      openRow(next);
      render();
    }
    return next !== undefined;
  });
}

function focusRow(key) {
  const line = [...byId('body').children].find((other) => other.dataset.key === key);
  const button = line?.querySelector('button.open');
  if (!button) return false;
  byId('body').querySelectorAll('button.open').forEach((other) => { other.tabIndex = other === button ? 0 : -1; });
  button.focus();
  return true;
}

/** What is chosen goes behind the # of the address, which no server sees: a link to it shows the same. */
function keepAddress() {
  const address = new URLSearchParams();
  if (state.wanted.search) address.set('search', state.wanted.search);
  for (const [name, value] of Object.entries(state.wanted.filters)) if (value !== null) address.set(name, value);
  if (state.wanted.order !== 'last' || !state.wanted.descending) address.set('sort', `${state.wanted.order} ${state.wanted.descending ? 'down' : 'up'}`);
  const hash = String(address);
  if (location.hash.slice(1) !== hash) history.replaceState(null, '', hash ? `#${hash}` : location.pathname + location.search);
}

function readAddress() {
  const address = new URLSearchParams(location.hash.slice(1));
  state.wanted.search = address.get('search') ?? '';
  byId('search').value = state.wanted.search;
  for (const name of Object.keys(FILTERS)) state.wanted.filters[name] = address.get(name);
  const [order, direction] = (address.get('sort') ?? 'last down').split(' ');
  if (Object.hasOwn(ORDERS, order)) Object.assign(state.wanted, { order, descending: direction === 'down' });
}

function bindControls() {
  const search = throttle(120, () => {
    state.wanted.search = byId('search').value.trim();
    choose();
  });
  byId('search').addEventListener('input', search);
  for (const name of Object.keys(FILTERS)) {
    const list = byId(`filter-${name}`);
    list.append(el('option', { value: '' }, 'all'));
    list.addEventListener('change', () => {
      state.wanted.filters[name] = list.value === '' ? null : list.value.slice(1);
      list.classList.toggle('set', list.value !== '');
      choose();
    });
  }
  byId('clear').addEventListener('click', () => {
    for (const name of Object.keys(FILTERS)) state.wanted.filters[name] = null;
    state.wanted.search = byId('search').value = '';
    choose();
    byId('search').focus();
  });
  byId('page-size').addEventListener('change', (event) => {
    const at = state.page * state.pageSize;
    state.pageSize = Number(event.target.value);
    turnTo(Math.floor(at / state.pageSize));
  });
  byId('first-page').addEventListener('click', () => turnTo(0));
  byId('previous-page').addEventListener('click', () => turnTo(state.page - 1));
  byId('next-page').addEventListener('click', () => turnTo(state.page + 1));
  byId('last-page').addEventListener('click', () => turnTo(Infinity));
  byId('fresh').addEventListener('click', () => choose());
  byId('range').addEventListener('change', () => render());
  addEventListener('resize', throttle(200, () => render()));
  addEventListener('hashchange', () => {
    readAddress();
    choose();
  });
  byId('details').addEventListener('close', () => {
    const key = state.opened?.key;
    state.opened = null;
    const from = state.returnTo;
    if (from?.isConnected && from.dataset?.key === key) from.focus();
    else if (!focusRow(key)) byId('rows').focus();
  });
  // A click beside the drawer closes it.
  byId('details').addEventListener('click', (event) => {
    if (event.target === byId('details') && event.clientX < byId('details').getBoundingClientRect().left) byId('details').close();
  });
}

function bindKeys() {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const dialog = byId('details');
    if (dialog.open) {
      const step = { ArrowLeft: 'row-previous', ArrowRight: 'row-next' }[event.key];
      if (step) byId(step).click();
      return;
    }
    if (event.target.matches('input, select, textarea')) {
      if (event.key === 'Escape' && event.target === byId('search')) event.target.blur();
      return;
    }
    const body = byId('body');
    if (event.key === '/') {
      event.preventDefault();
      byId('search').focus();
    } else if (body.contains(event.target)) {
      const buttons = [...body.querySelectorAll('button.open')];
      if (event.key === 'PageDown' || event.key === 'PageUp') {
        event.preventDefault();
        turnTo(state.page + (event.key === 'PageDown' ? 1 : -1));
        body.querySelector('button.open')?.focus();
      } else walk(event, buttons);
    } else if (byId('bars').contains(event.target)) {
      walk(event, [...byId('bars').querySelectorAll('button')]);
    }
  });
}

function bindTheme() {
  const local = () => localStorage;
  const themes = ['auto', 'light', 'dark'];
  const show = (theme) => {
    if (theme === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    byId('theme').textContent = `Theme: ${theme}`;
  };
  let theme = themes.includes(stored('theme', local)) ? stored('theme', local) : 'auto';
  show(theme);
  byId('theme').addEventListener('click', () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    store('theme', theme === 'auto' ? null : theme, local);
    show(theme);
  });
}

const renderSoon = throttle(700, refreshView);

const news = {
  progress(loaded, total) {
    byId('loading').hidden = false;
    if (total > 0) Object.assign(byId('progress'), { max: total, value: Math.min(loaded, total) });
    say(byId('loaded'), total > 0 ? `${number(loaded)} of ${number(total)} rows` : `${number(loaded)} rows`);
    renderSoon();
  },
  rows() {
    byId('loading').hidden = true;
    document.documentElement.dataset.loaded = String(state.rows.size);
    refreshView();
  },
  works() {
    byId('unlock').hidden = true;
    const { ledger } = state.status;
    const problem = ledger === null ? 'This agent keeps no ledger: its configuration has no [ledger].' : ledger?.error;
    byId('notice').hidden = !problem;
    say(byId('notice'), problem ? seen(problem) : '');
    say(byId('freshness'), `as of ${time(state.now).slice(-8)} UTC`);
  },
  fails(error, wait) {
    byId('loading').hidden = true;
    byId('notice').hidden = false;
    say(byId('notice'), `The agent does not answer (${seen(error.message)}). What is shown may be old. The next attempt is in ${duration(wait / 1000)}.`);
  },
  locked(wasWrong) {
    byId('loading').hidden = true;
    byId('notice').hidden = !wasWrong;
    if (wasWrong) say(byId('notice'), 'The agent refuses this token.');
    byId('unlock').hidden = false;
    byId('token').focus();
  },
};

function start() {
  byId('boot').hidden = true;
  bindTheme();
  bindControls();
  bindKeys();
  readAddress();
  if (document.querySelector('script.report')) {
    readReport(state, news);
    return;
  }
  const api = new Api(state, news);
  byId('unlock').addEventListener('submit', (event) => {
    event.preventDefault();
    api.unlock(byId('token').value);
    byId('token').value = '';
  });
  byId('pause').hidden = false;
  byId('pause').addEventListener('click', () => {
    api.pause(!api.isPaused);
    byId('pause').setAttribute('aria-pressed', String(api.isPaused));
    byId('pause').textContent = api.isPaused ? 'Go on' : 'Pause';
  });
  document.addEventListener('visibilitychange', () => { if (!api.isPaused) api.tick(); });
  api.tick();
}

start();
