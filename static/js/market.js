// The market of this page: its rules as exact numbers, and what the socket says of it. One place
// subscribes; the book, the tape, the form and the chart all read the same state.

import * as decimal from "decimal";
import { followTopic } from "topics";

// Of dollars people read cents; an amount of a coin may be all in the decimals behind.
const VALUE_ASSET = "USDT";
const CENT_PLACES = 2;
const COIN_PLACES = 8;

function describe(raw) {
  const amountOf = (name) => (raw[name] ? decimal.parse(raw[name]) : decimal.ZERO);
  return {
    symbol: raw.symbol,
    base: raw.base,
    quote: raw.quote,
    tick: amountOf("tick_size"),
    lot: amountOf("lot_size"),
    minQuantity: amountOf("min_quantity"),
    maxQuantity: amountOf("max_quantity"),
    minNotional: amountOf("min_notional"),
    maxNotional: amountOf("max_notional"),
    makerFee: amountOf("maker_fee"),
    takerFee: amountOf("taker_fee"),
    band: amountOf("price_band"),
    pricePlaces: decimal.places(raw.tick_size),
    quantityPlaces: decimal.places(raw.lot_size),
    quotePlaces: raw.quote === VALUE_ASSET ? CENT_PLACES : COIN_PLACES,
    tickText: raw.tick_size,
    lotText: raw.lot_size,
  };
}

const root = document.querySelector("[data-instrument]");
export const instrument = root ? describe(JSON.parse(root.dataset.instrument)) : null;

/** Whether the market of this page trades the asset. */
export const trades = (asset) => asset === instrument.base || asset === instrument.quote;

/** Turns a subscription into state with listeners; it subscribes when somebody first listens. */
function feed(topic, fold) {
  const listeners = new Set();
  let started = false;
  const store = {
    stale: true,
    ready: false,
    listen(listener) {
      listeners.add(listener);
      if (!started) {
        started = true;
        followTopic(topic, handlers);
      } else if (store.ready) {
        listener("snapshot");
      }
    },
  };
  const tell = (kind, data) => {
    store.stale = kind === "stale";
    if (kind !== "stale") store.ready = true;
    for (const listener of listeners) listener(kind, data);
  };
  const handlers = {
    snapshot(data) {
      fold(store, data, true);
      tell("snapshot", data);
    },
    delta(data) {
      fold(store, data, false);
      tell("delta", data);
    },
    stale() {
      tell("stale");
    },
  };
  return store;
}

function foldSide(side, levels) {
  for (const [price, quantity] of levels) {
    const units = decimal.parse(quantity);
    if (units === decimal.ZERO) side.delete(price);
    else side.set(price, units);
  }
}

function sorted(side, ascending) {
  const levels = [];
  for (const [price, quantity] of side) levels.push([decimal.parse(price), quantity]);
  levels.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
  return ascending ? levels : levels.reverse();
}

const topic = (name) => `market.${instrument.symbol}.${name}`;

/** Levels as [price, quantity] in exact units, best first. */
export const book = instrument
  ? feed(topic("book"), (store, data, whole) => {
      if (whole) store.sides = { bids: new Map(), asks: new Map() };
      foldSide(store.sides.bids, data.bids);
      foldSide(store.sides.asks, data.asks);
      store.bids = sorted(store.sides.bids, false);
      store.asks = sorted(store.sides.asks, true);
    })
  : null;

if (book) Object.assign(book, { bids: [], asks: [] });

const TAPE_KEPT = 60;

/** The latest trades, newest first. */
export const tape = instrument
  ? feed(topic("trades"), (store, data, whole) => {
      const fresh = [...data.trades].reverse();
      store.trades = whole ? fresh : [...fresh, ...store.trades].slice(0, TAPE_KEPT);
    })
  : null;

if (tape) tape.trades = [];

export const ticker = instrument
  ? feed(topic("ticker"), (store, data) => {
      store.now = data;
    })
  : null;

/** The one-minute candles that the socket sent last, oldest first. */
export const minutes = instrument
  ? feed(topic("candles.1m"), (store, data) => {
      store.candles = data.candles;
    })
  : null;
