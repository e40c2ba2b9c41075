// The candles of one interval: read page by page, kept current from the minutes that the socket
// sends. Prices stay the strings they came as; only averages, which are drawn, become numbers.

import * as decimal from "decimal";

export const SECONDS = {
  "1m": 60,
  "5m": 300,
  "15m": 900,
  "30m": 1800,
  "1h": 3600,
  "4h": 14_400,
  "1d": 86_400,
  "1w": 604_800,
};

// A Monday, so that weeks begin where the server lets them begin.
const ORIGIN = Date.UTC(2001, 0, 1) / 1000;

function bucketOf(seconds, interval) {
  const width = SECONDS[interval];
  return ORIGIN + Math.floor((seconds - ORIGIN) / width) * width;
}

const higher = (a, b) => (decimal.parse(a) >= decimal.parse(b) ? a : b);
const lower = (a, b) => (decimal.parse(a) <= decimal.parse(b) ? a : b);

function failure(response, problem) {
  const error = new Error(problem?.detail ?? `Status ${response.status}`);
  error.code = problem?.code ?? `status_${response.status}`;
  return error;
}

export class CandleSeries {
  constructor(symbol) {
    this.symbol = symbol;
    this.interval = "";
    this.list = [];
    this.minutes = new Map();
    this.changed = new Set();
    this.complete = false;
    this.turn = 0;
  }

  async read(interval, limit, end) {
    const query = new URLSearchParams({ interval, limit });
    if (end) query.set("end", new Date(end * 1000).toISOString());
    const response = await fetch(`/api/v1/markets/${this.symbol}/candles?${query}`, {
      headers: { Accept: "application/json" },
    });
    if (!response.ok) throw failure(response, await response.json().catch(() => null));
    const { items } = await response.json();
    return items.map((candle) => ({ ...candle, time: Date.parse(candle.at) / 1000 }));
  }

  async load(interval, limit) {
    this.turn += 1;
    const turn = this.turn;
    const list = await this.read(interval, limit);
    // Another interval was chosen meanwhile; its candles are the ones wanted.
    if (turn !== this.turn) return;
    Object.assign(this, { interval, list, complete: false, minutes: new Map() });
    this.changed.clear();
    this.noteMinutes(await this.read("1m", 3));
  }

  /** Minutes that are part of what was read already: only what comes on top of them counts. */
  noteMinutes(candles) {
    for (const candle of candles) this.minutes.set(candle.time, candle.volume);
  }

  /** Put older candles in front; false where there are no more. */
  async older(limit) {
    const first = this.list[0];
    if (!first) return false;
    const turn = this.turn;
    const found = await this.read(this.interval, limit, first.time);
    if (turn !== this.turn) return false;
    const fresh = found.filter((candle) => candle.time < first.time);
    if (!fresh.length) this.complete = true;
    this.list = [...fresh, ...this.list];
    return fresh.length > 0;
  }

  /** One minute as the socket tells it, new or changed. */
  take(minute) {
    if (!this.interval) return;
    const seconds = Date.parse(minute.at) / 1000;
    const time = bucketOf(seconds, this.interval);
    const last = this.list.at(-1);
    if (last && time < last.time) return;
    const known = decimal.parse(this.minutes.get(seconds) ?? "0");
    const added = decimal.parse(minute.volume) - known;
    this.minutes.set(seconds, minute.volume);
    if (this.minutes.size > 10) this.minutes.delete(this.minutes.keys().next().value);
    if (!last || time > last.time) {
      this.list.push({ ...minute, time });
    } else {
      last.high = higher(last.high, minute.high);
      last.low = lower(last.low, minute.low);
      last.close = minute.close;
      last.volume = decimal.text(decimal.parse(last.volume) + decimal.most(added, decimal.ZERO));
    }
    this.changed.add(this.list.at(-1));
  }

  takeChanged() {
    const changed = [...this.changed].sort((a, b) => a.time - b.time);
    this.changed.clear();
    return changed;
  }

  last() {
    return this.list.at(-1);
  }

  at(time) {
    if (time === undefined) return undefined;
    return this.list.find((candle) => candle.time === time);
  }

  /** Change from open to close in percent, as text with two decimals. */
  changeOf(candle) {
    const open = decimal.parse(candle.open);
    const close = decimal.parse(candle.close);
    if (!open) return "0.00";
    const basis = ((close - open) * 10_000n) / open;
    return decimal.text((basis * decimal.ONE) / 100n, 2);
  }

  average(count) {
    const points = [];
    let sum = 0;
    this.list.forEach((candle, index) => {
      sum += Number(candle.close);
      if (index >= count) sum -= Number(this.list[index - count].close);
      if (index >= count - 1) points.push({ time: candle.time, value: sum / count });
    });
    return points;
  }

  averageAtEnd(count) {
    if (this.list.length < count) return null;
    const tail = this.list.slice(-count);
    const sum = tail.reduce((total, candle) => total + Number(candle.close), 0);
    return { time: tail.at(-1).time, value: sum / count };
  }
}
