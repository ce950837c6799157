// Where rows come from: the API, page by page, or the blocks of a report.

const ROWS_A_REQUEST = 1000;
const REFRESH_MS = 5000;
const PAUSE_MAX_MS = 60000;
// Changes are asked for by when a row was last seen. What that misses (marks, late records, what was pruned) a whole load finds.
const WHOLE_EVERY_MS = 300000;
const WHOLE_AT_MOST_EVERY_MS = 30000;
const OVERLAP_MS = 120000;

class Locked extends Error {}

class Api {
  constructor(state, news) {
    this.state = state;
    this.news = news;
    this.token = stored('token');
    this.wholeAt = -Infinity;
    this.wholeTook = 0;
    this.askedAt = NaN;
    this.failures = 0;
    this.timer = null;
    this.isPaused = false;
  }

  async get(path) {
    const headers = { Accept: 'application/json' };
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    const answer = await fetch(path, { headers, cache: 'no-store', credentials: 'omit', redirect: 'error', signal: AbortSignal.timeout(30000) });
    if (answer.status === 401) throw new Locked();
    if (!answer.ok) {
      const why = await answer.json().then((problem) => problem.error, () => null);
      throw new Error(why ?? `it answers ${answer.status} to ${path.split('?')[0]}`);
    }
    return answer.json();
  }

  unlock(token) {
    this.token = token;
    store('token', token);
    this.tick();
  }

  async tick() {
    clearTimeout(this.timer);
    // Nobody looks: the next tick is when somebody does.
    if (this.isBusy || document.hidden) return;
    this.isBusy = true;
    let wait = REFRESH_MS;
    try {
      await this.refresh();
      this.failures = 0;
      this.news.works();
    } catch (error) {
      if (error instanceof Locked) {
        const wasWrong = this.token !== null;
        this.token = null;
        store('token', null);
        this.news.locked(wasWrong);
        wait = null;
      } else {
        this.failures += 1;
        wait = Math.min(PAUSE_MAX_MS, REFRESH_MS * 2 ** (this.failures - 1));
        this.news.fails(error, wait);
      }
    } finally {
      this.isBusy = false;
      if (wait !== null && !this.isPaused) this.timer = setTimeout(() => this.tick(), wait);
    }
  }

  pause(isPaused) {
    this.isPaused = isPaused;
    if (isPaused) clearTimeout(this.timer);
    else this.tick();
  }

  async refresh() {
    const { state } = this;
    const status = await this.get('api/v1/status');
    const began = Date.now();
    state.status = status;
    state.now = began;
    if (status.ledger === null) {
      state.isLoading = false;
      this.news.rows();
      return;
    }
    const total = status.ledger?.exposures;
    const age = performance.now() - this.wholeAt;
    if (age > WHOLE_EVERY_MS) {
      await this.loadAll(total);
    } else {
      // The number is younger than the rows: who has more of them has some that are gone.
      const areGone = state.rows.size > total;
      await this.loadChanges();
      // Who has fewer even now lacks some that came with an old time.
      const isWrong = areGone || (state.rows.size < total && !state.isCut);
      if (isWrong && age > Math.max(WHOLE_AT_MOST_EVERY_MS, 20 * this.wholeTook)) await this.loadAll(total);
    }
    this.askedAt = began;
    state.rows.ageAll(state.now);
    this.news.rows();
  }

  async loadAll(total) {
    const { state } = this;
    const began = performance.now();
    const isFirst = state.rows.size === 0;
    const rows = isFirst ? state.rows : new Rows();
    state.isLoading = isFirst;
    state.isCut = !(await this.pages('', rows, (loaded) => isFirst && this.news.progress(loaded, total)));
    if (!isFirst) state.rows.replace(rows);
    state.isLoading = false;
    this.wholeAt = performance.now();
    this.wholeTook = this.wholeAt - began;
  }

  async loadChanges() {
    let latest = -Infinity;
    for (const row of this.state.rows.byKey.values()) if (row.last > latest) latest = row.last;
    // A record's own clock may be ahead of all others: ours bounds it.
    const since = Math.min(latest, this.askedAt) - OVERLAP_MS;
    const from = Number.isFinite(since) ? `&since=${encodeURIComponent(new Date(since).toISOString())}` : '';
    if (!(await this.pages(from, this.state.rows, () => {}))) this.state.isCut = true;
  }

  /** Reads page after page; false if not all rows fit. */
  async pages(query, rows, progress) {
    let cursor = null;
    do {
      const on = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const page = await this.get(`api/v1/exposures?limit=${ROWS_A_REQUEST}&sort=last_seen${query}${on}`);
      if (!rows.take(page.exposures, this.state.now)) return false;
      progress(rows.size);
      cursor = page.next ?? null;
    } while (cursor !== null);
    return true;
  }
}

/** Reads a report's blocks, one a turn so that the page answers meanwhile. */
async function readReport(state, news) {
  const head = JSON.parse(document.querySelector('script.report').textContent);
  const end = document.querySelector('script.report-end');
  state.now = millis(head.generated_at);
  state.report = head;
  state.status = { version: head.version, ledger: head.summary };
  state.isLoading = true;
  const blocks = [...document.querySelectorAll('script.report-rows')];
  const total = JSON.parse(end.textContent);
  for (const block of blocks) {
    const { policies, exposures } = JSON.parse(block.textContent);
    block.remove();
    for (const row of exposures) row.policies = row.policy_places.map((at) => policies[at]);
    state.rows.take(exposures, state.now);
    news.progress(state.rows.size, total.rows);
    await new Promise((done) => { setTimeout(done); });
  }
  state.isLoading = false;
  state.leftOut = total.left_out;
  state.isPart = state.rows.size + state.leftOut < head.summary.exposures;
  news.rows();
}

// A browser may forbid to keep anything, and does so by throwing.
function stored(name, kept = () => sessionStorage) {
  try {
    return kept().getItem(`beartrap-${name}`);
  } catch {
    return null;
  }
}

function store(name, value, kept = () => sessionStorage) {
  try {
    if (value === null) kept().removeItem(`beartrap-${name}`);
    else kept().setItem(`beartrap-${name}`, value);
  } catch {
    // It holds until the page is closed.
  }
}
