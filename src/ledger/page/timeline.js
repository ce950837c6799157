// One bar a credential, from first to last seen, with a tick where it expires; above it, all of them by when they came.

const BUCKETS = 60;

let drawnHistogram = null;

function renderHistogram(found, now) {
  if (found === drawnHistogram) return;
  drawnHistogram = found;
  const place = byId('histogram');
  const firsts = found.map((row) => row.first).filter(Number.isFinite);
  place.hidden = firsts.length === 0;
  if (firsts.length === 0) {
    for (const id of ['histogram-says', 'histogram-from', 'histogram-to']) say(byId(id), '');
    return;
  }
  const sorted = Float64Array.from(firsts).sort();
  // A forged time must not squeeze all others into one bar.
  const outer = sorted.length >= 200 ? Math.floor(sorted.length / 200) : 0;
  const from = sorted[outer];
  const to = Math.max(sorted[sorted.length - 1 - outer], from + 1000);
  const buckets = Array.from({ length: BUCKETS }, () => ({}));
  let most = 0;
  for (const row of found) {
    if (!Number.isFinite(row.first)) continue;
    const at = Math.min(BUCKETS - 1, Math.max(0, Math.floor(((row.first - from) / (to - from)) * BUCKETS)));
    const name = known(STATUS, row.status);
    buckets[at][name] = (buckets[at][name] ?? 0) + 1;
    buckets[at].sum = (buckets[at].sum ?? 0) + 1;
    most = Math.max(most, buckets[at].sum);
  }
  const outside = outer > 0 ? ` What is earlier or later (${number(outer)} each) is in the first and the last column.` : '';
  say(byId('histogram-says'), `When the ${plural(found.length, 'matching credential')} were first seen: `
    + `at most ${number(most)} in ${duration((to - from) / BUCKETS / 1000)}.${outside}`);
  say(byId('histogram-from'), time(from));
  say(byId('histogram-to'), time(to));
  place.setAttribute('aria-label', `${byId('histogram-says').textContent} From ${time(from)} to ${time(to)}.`);
  place.replaceChildren(...buckets.map((bucket) => {
    const column = el('div', {});
    for (const status of STATUS) {
      if (!bucket[status]) continue;
      const part = el('i', { class: `fill ${status}` });
      part.style.height = `${Math.max(2, (bucket[status] / most) * 100)}%`;
      column.append(part);
    }
    return column;
  }));
}

/** From when to when the bars go: what was seen, and as much again for what expires later. */
function span(shown, now, rangeSecs) {
  if (rangeSecs > 0) return { from: now - rangeSecs * 1000, to: now + rangeSecs * 250 };
  const from = Math.min(...shown.map((row) => row.first).filter(Number.isFinite));
  const seenTo = Math.max(...shown.map((row) => row.last).filter(Number.isFinite));
  const reach = seenTo + Math.max(seenTo - from, 60000);
  const ends = shown.map((row) => row.expires).filter((end) => end > seenTo && end <= reach);
  const to = Math.max(seenTo, ...ends);
  return { from, to: to > from ? to : from + 60000 };
}

function renderTimeline(shown, start, all, now, rangeSecs, open) {
  const list = byId('bars');
  const timed = shown.filter((row) => Number.isFinite(row.first) && Number.isFinite(row.last));
  byId('axis').parentElement.hidden = timed.length === 0;
  if (timed.length === 0) {
    list.replaceChildren();
    say(byId('timeline-says'), 'There is nothing to draw.');
    byId('legend').replaceChildren();
    return;
  }
  const { from, to } = span(timed, now, rangeSecs);
  const percent = (ms) => Math.min(100, Math.max(0, ((ms - from) / (to - from)) * 100));
  say(byId('timeline-says'), `One bar for each of the ${number(timed.length)} of ${plural(all, 'credential')} on this page of the table `
    + `(${number(start + 1)}–${number(start + shown.length)}), from first to last seen.`);
  byId('legend').replaceChildren(
    ...STATUS.filter((status) => timed.some((row) => row.status === status)).map((status) => el('li', {}, el('i', { class: `fill ${status}` }), STATUS_WORDS[status])),
    el('li', {}, el('i', { class: 'tick' }), 'expires'), el('li', {}, '› expires later'), el('li', {}, '∞ never expires'));
  const kept = list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const scrolled = list.scrollTop;
  list.replaceChildren(...timed.map((row, at) => el('li', {}, bar(row, percent, to, now, open, at === 0))));
  list.scrollTop = scrolled;
  if (kept !== null) [...list.querySelectorAll('button')].find((button) => button.dataset.key === kept)?.focus({ preventScroll: true });
  renderAxis(from, to);
}

function bar(row, percent, to, now, open, isFirst) {
  const track = el('span', { class: 'track' });
  const seenBar = el('i', { class: `fill ${known(STATUS, row.status)}` });
  seenBar.style.left = `min(${percent(row.first)}%, calc(100% - 4px))`;
  seenBar.style.width = `${Math.max(0, percent(row.last) - percent(row.first))}%`;
  let end = 'when it expires is not known';
  if (Number.isFinite(row.expires)) {
    end = `${row.expires <= now ? 'expired' : 'expires'} ${time(row.expires)}`;
    if (row.expires > to) track.append(el('u', {}, '›'));
    else {
      const tick = el('b', {});
      tick.style.left = `${percent(row.expires)}%`;
      track.append(tick);
    }
    if (row.expires > row.last) {
      const until = el('s', {});
      until.style.left = `${percent(row.last)}%`;
      until.style.width = `${percent(row.expires) - percent(row.last)}%`;
      track.append(until);
    }
  } else if (neverExpires(row)) {
    end = 'never expires';
    track.append(el('u', {}, '∞'));
  }
  track.append(seenBar);
  const issuer = row.issuer ? ` ${seen(row.issuer)}` : '';
  const words = `${row.data.fingerprint.slice(0, 8)}${issuer}, ${STATUS_WORDS[row.status] ?? seen(row.status)}, `
    + `seen ${time(row.first)} to ${time(row.last)}, ${end}`;
  return el('button', {
    type: 'button', class: 'plain', title: words, 'aria-label': words, tabIndex: isFirst ? 0 : -1, dataset: { key: row.key },
    onclick: () => open(row),
  }, el('bdi', { class: 'label' }, `${seen(row.data.fingerprint.slice(0, 8))} ${seen(brief(row.issuer))}`), track);
}

function renderAxis(from, to) {
  const steps = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000, 7776000, 31536000, 315360000, 3153600000];
  // As many as do not touch each other.
  const width = byId('axis').clientWidth || 600;
  const step = (steps.find((secs) => (to - from) / 1000 / secs <= width / 110) ?? steps.at(-1)) * 1000;
  const marks = [];
  for (let at = Math.ceil(from / step) * step; at <= to && marks.length < 50; at += step) {
    const left = ((at - from) / (to - from)) * 100;
    const text = time(at);
    const label = el('span', { class: left < 8 ? 'from' : left > 92 ? 'to' : '' }, step >= 86400000 ? text.slice(0, -9) : step < 60000 ? text.slice(-8) : text.slice(-14, -3));
    label.style.left = `${left}%`;
    marks.push(label);
  }
  if (marks.length === 0) marks.push(el('span', { class: 'from' }, time(from)));
  byId('axis').replaceChildren(...marks);
}
