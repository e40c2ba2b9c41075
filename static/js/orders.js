// Placing and cancelling. Over the socket when it is live, else by POST with the session; one
// client_order_id names one intent on both ways, so that trying again never orders twice.

import { call } from "live";

const UNSURE = new Set(["connection_lost", "timeout", "outcome_unknown", "no_answer"]);
const UNSENT = new Set(["not_connected", "unknown_method"]);
const ASK_TIMES = 6;
const ASK_GAP_MS = 1500;

/** A refusal in words. `field` names the input it is about, where the refusal names one. */
class OrderError extends Error {
  constructor({ code, message, field = "", data = {} }) {
    super(message);
    this.code = code;
    this.field = field || data.field || "";
  }
}

function csrfToken() {
  return document.querySelector("input[name=csrfmiddlewaretoken]")?.value ?? "";
}

async function request(method, path, body) {
  const headers = { Accept: "application/json", "X-CSRFToken": csrfToken() };
  if (body) {
    headers["Content-Type"] = "application/json";
    if (body.client_order_id) headers["Idempotency-Key"] = body.client_order_id;
  }
  let response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body ? JSON.stringify(body) : undefined,
      credentials: "same-origin",
    });
  } catch {
    throw new OrderError({ code: "no_answer", message: "The exchange did not answer." });
  }
  const answer = response.status === 204 ? {} : await response.json().catch(() => null);
  if (response.ok && answer) return answer;
  throw new OrderError({
    code: answer?.code ?? "no_answer",
    message: answer?.detail ?? `The exchange answered with an error (${response.status}).`,
    field: answer?.field ?? "",
  });
}

const rest = (method, path, body) => request(method, `/api/v1${path}`, body);

/** The order that carries this client id, or null. */
async function find(clientOrderId) {
  const page = await rest("GET", `/orders?client_order_id=${encodeURIComponent(clientOrderId)}`);
  return page.items[0] ?? null;
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** After an answer got lost: ask by the client id until the order's life or death is certain. */
async function settle(clientOrderId) {
  for (let turn = 0; turn < ASK_TIMES; turn += 1) {
    await pause(ASK_GAP_MS);
    const order = await find(clientOrderId).catch(() => null);
    if (order) return order;
  }
  throw new OrderError({
    code: "outcome_unknown",
    message:
      "No answer came, and the order does not show up. Look at your open orders before you " +
      "try again.",
  });
}

async function bySocketThenPost(method, params, post) {
  try {
    return await call(method, params);
  } catch (error) {
    if (!UNSENT.has(error.code) && !UNSURE.has(error.code)) throw new OrderError(error);
    return post();
  }
}

/** Places one order; the same params may be sent again without ordering twice. */
export async function place(params) {
  try {
    return await bySocketThenPost("order.place", params, () => rest("POST", "/orders", params));
  } catch (error) {
    if (!UNSURE.has(error.code)) throw error;
    return settle(params.client_order_id);
  }
}

/** Places two orders of which one fills; gives both, the limit first. */
export async function placePair(params) {
  try {
    const send = () => rest("POST", "/orders/pair", params);
    return (await bySocketThenPost("order.pair", params, send)).orders;
  } catch (error) {
    if (!UNSURE.has(error.code)) throw error;
    const first = await settle(params.client_order_id);
    return [first, await settle(`${params.client_order_id}-stop`)];
  }
}

/** Changes an open order: {quantity, price, stop_price}, what is left out stays as it is. */
export async function amend(id, changes) {
  const patch = () => rest("PATCH", `/orders/${id}`, changes);
  try {
    return await bySocketThenPost("order.amend", { id, ...changes }, patch);
  } catch (error) {
    // The same change again is harmless, but whether it came through is for the order to say.
    if (!UNSURE.has(error.code)) throw error;
    return readOrder(id);
  }
}

export function readOrder(id) {
  return rest("GET", `/orders/${id}`);
}

export function cancel(id) {
  return bySocketThenPost("order.cancel", { id }, () => rest("DELETE", `/orders/${id}`));
}

export function cancelAll(market) {
  return rest("DELETE", market ? `/orders?market=${encodeURIComponent(market)}` : "/orders");
}

export function newIntent() {
  if (crypto.randomUUID) return crypto.randomUUID();
  // Only secure pages have randomUUID; this one may be served by a plain address at home.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
