'use strict';
// What all parts use: elements, and values as text. All text comes in by nodes of text, never as markup.

const byId = (id) => document.getElementById(id);

/** An element with properties and children; a child that is no element becomes text. */
function el(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null) continue;
    if (name === 'class') element.className = value;
    else if (name === 'dataset') Object.assign(element.dataset, value);
    else if (name in element && name !== 'role') element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Rewrites an element's text only if it is another one, so that a selection in it stays. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Characters that are not seen, or that turn the direction of what is around them: text from logs is shown with their codes.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff]|[\u{e0000}-\u{e0fff}]|[\ud800-\udfff]/gu;
const seen = (text) => String(text).replace(UNSEEN, (found) => `\\u{${found.codePointAt(0).toString(16)}}`);

/** An issuer where there is little room: nearly all begin the same. */
const brief = (issuer) => issuer.replace(/^https:\/\//, '');

const NUMBER = new Intl.NumberFormat('en-US');
const number = (value) => (Number.isFinite(value) ? NUMBER.format(value) : '–');

function bytes(value) {
  if (!Number.isFinite(value)) return '–';
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit > 0 && value < 99.5 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

const plural = (count, one, many) => `${number(count)} ${count === 1 ? one : many ?? `${one}s`}`;

/** A time as milliseconds; NaN if there is none. */
const millis = (text) => (text ? Date.parse(text) : NaN);

function time(ms) {
  if (!Number.isFinite(ms)) return '–';
  const text = new Date(ms).toISOString();
  return `${text.slice(0, text.indexOf('T'))} ${text.slice(text.indexOf('T') + 1, -5)}`;
}

function duration(seconds) {
  const size = Math.abs(seconds);
  const units = [[31557600, 'y'], [86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
  for (const [at, [length, name]] of units.entries()) {
    if (size < length && length > 1) continue;
    const whole = Math.floor(size / length);
    const next = units[at + 1];
    const rest = next ? Math.floor((size - whole * length) / next[0]) : 0;
    return `${whole} ${name}${rest > 0 && whole < 10 ? ` ${rest} ${next[1]}` : ''}`;
  }
  return '0 s';
}

function ago(ms, now) {
  if (!Number.isFinite(ms)) return '';
  const seconds = (now - ms) / 1000;
  if (Math.abs(seconds) < 1) return 'now';
  return seconds < 0 ? `in ${duration(seconds)}` : `${duration(seconds)} ago`;
}

const STATUS = ['unexpired', 'not_yet', 'unknown', 'expired', 'revoked'];
const STATUS_WORDS = { unexpired: 'unexpired', not_yet: 'not yet', unknown: 'unknown', expired: 'expired', revoked: 'revoked' };
const SEVERITY = ['critical', 'high', 'medium', 'low'];
const known = (list, value) => (list.includes(value) ? value : 'unknown');

/** A status or a severity; only names that the style knows become classes. */
function chip(value, list) {
  const name = known(list, value);
  return el('span', { class: `chip ${name}` }, STATUS_WORDS[value] ?? seen(value));
}

/** At most once in a while, once more behind the last call, and never for more than a fifth of the time. */
function throttle(every, run) {
  let timer = null;
  let next = 0;
  return () => {
    if (timer !== null) return;
    timer = setTimeout(() => {
      timer = null;
      const began = performance.now();
      run();
      const ended = performance.now();
      next = ended + Math.max(every, 4 * (ended - began));
    }, Math.max(0, next - performance.now()));
  };
}

/** Computes anew only if the key is another one than last time: with many rows a look at each takes a while. */
function remembered(compute) {
  let key = null;
  let value = null;
  return (newKey, ...given) => {
    if (newKey !== key) {
      value = compute(...given);
      key = newKey;
    }
    return value;
  };
}
