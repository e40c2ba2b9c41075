// Drawing the depth of a book on a canvas: two stairs that rise from the middle. Prices and sums
// become floating-point numbers here, to place pixels.

import * as decimal from "decimal";
import { amount, compact } from "format";
import { faded, resolve } from "chart-style";
import { standingAt } from "depth-curve";

const ROOM = { top: 36, right: 56, bottom: 24 };
const TEXT_PIXELS = 11;
const LABEL_PIXELS = 110;
const LINES = 4;

const numberOf = (units) => Number(decimal.text(units));

export function coloursOf(canvas) {
  const up = resolve(canvas, "--up-graph");
  const down = resolve(canvas, "--down-graph");
  return {
    bids: { line: up, area: faded(up, 0.18) },
    asks: { line: down, area: faded(down, 0.18) },
    grid: resolve(canvas, "--line"),
    text: resolve(canvas, "--muted"),
    mine: resolve(canvas, "--accent"),
    cursor: resolve(canvas, "--muted"),
    font: `${TEXT_PIXELS}px ${getComputedStyle(canvas).fontFamily}`,
  };
}

/** Where prices and sums lie on a canvas of this size, when `span` is shown to either side. */
export function placesOf(canvas, curve, span) {
  const width = canvas.clientWidth - ROOM.right;
  const height = canvas.clientHeight - ROOM.top - ROOM.bottom;
  const low = numberOf(curve.middle - span);
  const high = numberOf(curve.middle + span);
  const edges = [curve.middle - span, curve.middle + span];
  const most = Math.max(...edges.map((edge) => numberOf(standingAt(curve, edge).sum)));
  const top = most ? most * 1.08 : 1;
  return {
    width,
    height,
    low,
    high,
    top,
    x: (price) => ((price - low) / (high - low)) * width,
    y: (sum) => ROOM.top + height - (sum / top) * height,
    priceAt: (x) => low + (x / width) * (high - low),
  };
}

/** A round step that parts the height into a few lines: 1, 2 or 5 times a power of ten. */
function stepOf(top) {
  const rough = top / LINES;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].find((each) => each * power >= rough) * power;
}

function grid(context, places, colour, instrument) {
  context.strokeStyle = colour.grid;
  context.fillStyle = colour.text;
  context.lineWidth = 1;
  context.textAlign = "left";
  context.textBaseline = "middle";
  const step = stepOf(places.top);
  for (let sum = 0; sum <= places.top; sum += step) {
    const y = Math.round(places.y(sum)) + 0.5;
    context.beginPath();
    context.moveTo(0, y);
    context.lineTo(places.width, y);
    context.stroke();
    if (sum) context.fillText(compact(sum.toFixed(8)), places.width + 8, y);
  }
  context.textAlign = "center";
  const labels = Math.max(2, Math.floor(places.width / LABEL_PIXELS));
  for (let label = 0; label < labels; label += 1) {
    const x = ((label + 0.5) * places.width) / labels;
    const price = places.priceAt(x).toFixed(instrument.pricePlaces);
    context.fillText(amount(price), x, places.y(0) + ROOM.bottom / 2 + 2);
  }
}

function stair(context, places, points, colour, falling) {
  const floor = places.y(0);
  const edge = falling ? 0 : places.width;
  let y = floor;
  context.beginPath();
  context.moveTo(places.x(numberOf(points[0].price)), floor);
  for (const point of points) {
    const x = places.x(numberOf(point.price));
    context.lineTo(x, y);
    y = places.y(numberOf(point.sum));
    context.lineTo(x, y);
    if (falling ? x < edge : x > edge) break;
  }
  context.lineTo(edge, y);
  context.strokeStyle = colour.line;
  context.lineWidth = 1.5;
  context.stroke();
  context.lineTo(edge, floor);
  context.closePath();
  context.fillStyle = colour.area;
  context.fill();
}

/** One's own orders: a mark on the floor where each stands. */
function marks(context, places, prices, colour) {
  context.fillStyle = colour.mine;
  for (const price of prices) {
    const x = places.x(price);
    if (x < 0 || x > places.width) continue;
    context.beginPath();
    context.moveTo(x - 4, places.y(0));
    context.lineTo(x + 4, places.y(0));
    context.lineTo(x, places.y(0) - 7);
    context.fill();
  }
}

function cursorLine(context, places, cursor, colour) {
  const x = places.x(numberOf(cursor.price));
  const y = places.y(numberOf(cursor.sum));
  context.strokeStyle = colour.cursor;
  context.lineWidth = 1;
  context.setLineDash([3, 3]);
  context.beginPath();
  context.moveTo(x, ROOM.top);
  context.lineTo(x, places.y(0));
  context.moveTo(0, y);
  context.lineTo(places.width, y);
  context.stroke();
  context.setLineDash([]);
  context.fillStyle = colour[cursor.side].line;
  context.beginPath();
  context.arc(x, y, 3.5, 0, 2 * Math.PI);
  context.fill();
}

/** Draw everything; `scene` is {curve, places, colour, instrument, mine, cursor}. */
export function drawDepth(canvas, scene) {
  const { curve, places, colour } = scene;
  const ratio = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth * ratio, canvas.clientHeight * ratio].map(Math.round);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
  context.font = colour.font;
  grid(context, places, colour, scene.instrument);
  context.save();
  context.beginPath();
  context.rect(0, 0, places.width, canvas.clientHeight);
  context.clip();
  stair(context, places, curve.bids, colour.bids, true);
  stair(context, places, curve.asks, colour.asks, false);
  marks(context, places, scene.mine, colour);
  if (scene.cursor) cursorLine(context, places, scene.cursor, colour);
  context.restore();
}
