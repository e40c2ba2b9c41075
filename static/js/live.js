/* The browser's one connection to live data.
 *
 *   import { connect, subscribe, call, onState, onSignedOut } from "live";
 *
 *   connect();                                  // once per page; subscribe() and call() do it too
 *   const off = subscribe("market.BTC-USDT.book", {
 *     snapshot(data, seq) {},                   // the whole state: replace what is shown
 *     delta(data, seq) {},                      // a change of it, always in order, never twice
 *     stale() {},                               // what is shown may be old, until the next of the above
 *     error(error) {},                          // refused: error.code ("forbidden", "unknown_topic")
 *   });
 *   await call("order.cancel", { id: "42" });   // resolves with the result; rejects with LiveError
 *   onState((state) => {});                     // "connecting" | "live" | "stale" | "offline" | "idle"
 *   onSignedOut(() => {});                      // the server ended the session
 *
 * Every handler is optional. It owns reconnecting (with back-off and jitter), resuming by sequence
 * number, noticing a gap and noticing silence. It refuses to guess the outcome of a call that was
 * under way when the connection broke: that call rejects with the code "connection_lost".
 */

const BACK_OFF_FIRST_MS = 500;
const BACK_OFF_MAX_MS = 30_000;
const BACK_OFF_LIMITED_MS = 5_000;
const CALL_TIMEOUT_MS = 10_000;
const PONG_TIMEOUT_MS = 5_000;
const CLOSE_SIGNED_OUT = 4401;
const CLOSE_IDLE = 4408;
const CLOSE_LIMITED = 4429;

export class LiveError extends Error {
  constructor(code, message, data = {}) {
    super(message);
    this.name = "LiveError";
    this.code = code;
    this.data = data;
  }
}

const topics = new Map(); // topic -> {handlers, seq, resuming}
const calls = new Map(); // id -> {resolve, reject, timer}
const stateListeners = new Set();
const signedOutListeners = new Set();

let socket = null;
let greeted = false;
let state = "offline";
let failures = 0;
let retryTimer = 0;
let heartbeatTimer = 0;
let heartbeatMs = 15_000;
let heardAt = 0;
let lastCallId = 0;

/** Open the connection if there is none. */
export function connect() {
  if (socket || retryTimer) return;
  open();
}

/** Follow a topic; the function returned ends it. */
export function subscribe(topic, handlers) {
  let entry = topics.get(topic);
  if (!entry) {
    entry = { handlers: new Set(), seq: null, resuming: true };
    topics.set(topic, entry);
  }
  entry.handlers.add(handlers);
  // A second reader of a topic needs the whole state too, so it is asked for again.
  entry.seq = null;
  requestTopic(topic, entry);
  connect();
  return () => {
    if (!entry.handlers.delete(handlers) || entry.handlers.size) return;
    topics.delete(topic);
    send({ op: "unsubscribe", topic });
  };
}

/** Call a method over the connection. */
export function call(method, params = {}) {
  connect();
  if (!greeted) {
    return Promise.reject(new LiveError("not_connected", "There is no connection at the moment."));
  }
  return new Promise((resolve, reject) => {
    const id = ++lastCallId;
    const timer = setTimeout(() => {
      calls.delete(id);
      reject(new LiveError("timeout", "No answer came in time. Check before trying again."));
    }, CALL_TIMEOUT_MS);
    calls.set(id, { resolve, reject, timer });
    send({ op: "call", id, method, params });
  });
}

/** Hear of the connection's state, now and whenever it changes. */
export function onState(listener) {
  stateListeners.add(listener);
  listener(state);
  return () => stateListeners.delete(listener);
}

/** Hear that the server ended this session. */
export function onSignedOut(listener) {
  signedOutListeners.add(listener);
  return () => signedOutListeners.delete(listener);
}

function setState(next) {
  if (next === state) return;
  state = next;
  for (const listener of stateListeners) listener(state);
}

function open() {
  clearTimeout(retryTimer);
  retryTimer = 0;
  setState("connecting");
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const opened = new WebSocket(`${scheme}//${location.host}/ws`);
  socket = opened;
  opened.onmessage = (event) => {
    if (opened === socket) receive(event.data);
  };
  opened.onclose = (event) => {
    if (opened === socket) lose(event.code);
  };
}

function send(message) {
  if (greeted && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function requestTopic(topic, entry) {
  entry.resuming = true;
  const message = { op: "subscribe", topic };
  if (entry.seq !== null) message.since = entry.seq;
  send(message);
}

function receive(text) {
  heardAt = performance.now();
  // A socket may live through an "offline" that the browser took back: what it brings is fresh.
  if (greeted && state !== "live") setState("live");
  const message = JSON.parse(text);
  if (message.type) receiveTopic(message);
  else if (message.op === "hello") greet(message);
  else if (message.op === "result") settle(message.id, (waiting) => waiting.resolve(message.result));
  else if (message.op === "error") receiveError(message);
}

function greet(message) {
  greeted = true;
  failures = 0;
  heartbeatMs = message.heartbeat_seconds * 1000;
  heartbeatTimer = setInterval(beat, heartbeatMs);
  setState("live");
  for (const [topic, entry] of topics) requestTopic(topic, entry);
}

function receiveTopic(message) {
  const entry = topics.get(message.topic);
  if (!entry) return;
  if (message.type === "snapshot") {
    entry.seq = message.seq;
    entry.resuming = false;
    tell(entry, "snapshot", message.data, message.seq);
  } else if (message.type === "delta") {
    if (entry.seq === null || message.seq <= entry.seq) return;
    if (message.prev > entry.seq) {
      // A message is missing. Ask once; the server sends what is missing, or the whole state.
      if (!entry.resuming) requestTopic(message.topic, entry);
      return;
    }
    entry.seq = message.seq;
    entry.resuming = false;
    tell(entry, "delta", message.data, message.seq);
  } else if (message.type === "stale") {
    tell(entry, "stale");
  }
}

function receiveError(message) {
  const error = new LiveError(message.code, message.message, message);
  if (message.id !== undefined && calls.has(message.id)) {
    settle(message.id, (waiting) => waiting.reject(error));
  } else if (topics.has(message.topic)) {
    tell(topics.get(message.topic), "error", error);
  }
}

function settle(id, finish) {
  const waiting = calls.get(id);
  if (!waiting) return;
  calls.delete(id);
  clearTimeout(waiting.timer);
  finish(waiting);
}

function tell(entry, name, ...values) {
  for (const handlers of [...entry.handlers]) handlers[name]?.(...values);
}

/* The server pings on a level that scripts cannot see, so silence is measured with pings of our own. */
function beat() {
  if (performance.now() - heardAt < heartbeatMs) return;
  send({ op: "ping" });
  const asked = socket;
  const askedAt = performance.now();
  setTimeout(() => {
    if (asked !== socket || heardAt >= askedAt) return;
    setState("stale");
    for (const entry of topics.values()) tell(entry, "stale");
    // A peer that is gone never answers the closing handshake, so do not wait for it.
    asked.onclose = null;
    asked.close();
    lose(1006);
  }, PONG_TIMEOUT_MS);
}

function lose(code) {
  const wasGreeted = greeted;
  socket = null;
  greeted = false;
  clearInterval(heartbeatTimer);
  for (const id of [...calls.keys()]) {
    settle(id, (waiting) =>
      waiting.reject(new LiveError("connection_lost", "The connection broke. Check what happened.")),
    );
  }
  if (wasGreeted) for (const entry of topics.values()) tell(entry, "stale");
  if (code === CLOSE_IDLE && !topics.size) {
    // The server closes what asks for nothing; this page needs no connection until it does.
    setState("idle");
    return;
  }
  setState(navigator.onLine === false ? "offline" : "connecting");
  if (code === CLOSE_SIGNED_OUT) for (const listener of signedOutListeners) listener();
  const ceiling = Math.min(BACK_OFF_MAX_MS, BACK_OFF_FIRST_MS * 2 ** failures++);
  const floor = code === CLOSE_LIMITED ? BACK_OFF_LIMITED_MS : 0;
  // Jitter, so that thousands of browsers do not come back in the same instant.
  retryTimer = setTimeout(open, floor + ceiling * (0.5 + Math.random() / 2));
}

function reconnectNow() {
  if (!retryTimer) return;
  failures = 0;
  open();
}

window.addEventListener("online", reconnectNow);
window.addEventListener("offline", () => setState("offline"));
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") reconnectNow();
});
