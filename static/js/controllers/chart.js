// Candles and volume. The library is fetched only here, when a page has a chart. What it draws with
// are floating-point numbers: pixels, not money. Everything that is text comes from the strings.

import { account, follow } from "account";
import { amount, compact, direction, percent } from "format";
import { instrument, minutes } from "market";
import { remember, remembered } from "memory";
import { painter, TEXT_PER_SECOND } from "paint";
import { chartOptions, colours } from "chart-style";
import { CandleSeries, SECONDS } from "candle-series";
import { toast } from "toast";

const PAGE = 500;
const OLDER_WHEN_LEFT = 40;
const AVERAGES = [7, 25, 99];
const LINES_PER_SECOND = 30;
const NEAR = 0.03;
const AVERAGES_KEY = "averages";

export default async function chart(root) {
  const canvas = root.querySelector("[data-canvas]");
  const loading = root.querySelector("[data-loading]");
  const failed = root.querySelector("[data-failed]");
  const legend = root.querySelector("[data-legend]");
  const panel = root.closest("section");
  const averages = panel.querySelector("[data-chart-averages]");
  const averagesOn = () => averages.getAttribute("aria-pressed") === "true";
  const series = new CandleSeries(instrument.symbol);
  let interval = root.dataset.interval;
  let drawn = null;
  let fetching = false;
  let lines = null;
  let draft = null;

  async function build() {
    const library = await import("lightweight-charts");
    const chart = library.createChart(canvas, chartOptions(canvas, instrument));
    const colour = colours(canvas);
    const candles = chart.addSeries(library.CandlestickSeries, {
      ...colour.candles,
      priceFormat: {
        type: "price",
        precision: instrument.pricePlaces,
        minMove: Number(instrument.tickText),
      },
      autoscaleInfoProvider: (original) => withLines(original()),
    });
    const volume = chart.addSeries(library.HistogramSeries, {
      priceScaleId: "volume",
      priceFormat: { type: "volume" },
      lastValueVisible: false,
      priceLineVisible: false,
    });
    chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    chart.priceScale("right").applyOptions({ scaleMargins: { top: 0.08, bottom: 0.22 } });
    drawn = { library, chart, candles, volume, colour, averages: [] };
    // The library tells of no change of its price scale: it moves by news and by the pointer.
    for (const name of ["pointermove", "wheel"]) {
      canvas.addEventListener(name, placeLines, { passive: true });
    }
    chart.subscribeCrosshairMove((move) => showLegend(series.at(move.time) ?? series.last()));
    chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range && range.from < OLDER_WHEN_LEFT) older();
      placeLines();
    });
    new ResizeObserver(() => {
      chart.resize(canvas.clientWidth, canvas.clientHeight);
      placeLines();
    }).observe(canvas);
    document.addEventListener("appearance", recolour);
    matchMedia("(prefers-color-scheme: light)").addEventListener("change", recolour);
  }

  /** The range of prices in sight, widened to lines that are to be moved, if they are not far. */
  function withLines(info) {
    const prices = lines?.prices() ?? [];
    if (!info?.priceRange || !prices.length) return info;
    const { minValue, maxValue } = info.priceRange;
    const near = prices.filter((each) => each > minValue * (1 - NEAR) && each < maxValue * (1 + NEAR));
    info.priceRange.minValue = Math.min(minValue, ...near);
    info.priceRange.maxValue = Math.max(maxValue, ...near);
    return info;
  }

  function recolour() {
    drawn.colour = colours(canvas);
    drawn.chart.applyOptions(chartOptions(canvas, instrument));
    drawn.candles.applyOptions(drawn.colour.candles);
    drawAll();
    drawOrders();
  }

  const bar = (candle) => ({
    time: candle.time,
    open: Number(candle.open),
    high: Number(candle.high),
    low: Number(candle.low),
    close: Number(candle.close),
  });
  const column = (candle) => ({
    time: candle.time,
    value: Number(candle.volume),
    color: Number(candle.close) >= Number(candle.open) ? drawn.colour.volumeUp : drawn.colour.volumeDown,
  });

  function drawAll() {
    drawn.candles.setData(series.list.map(bar));
    drawn.volume.setData(series.list.map(column));
    drawAverages();
  }

  function drawAverages() {
    const wanted = averagesOn();
    if (wanted && !drawn.averages.length) {
      drawn.averages = AVERAGES.map((_, index) =>
        drawn.chart.addSeries(drawn.library.LineSeries, {
          color: drawn.colour.averages[index],
          lineWidth: 1,
          priceLineVisible: false,
          lastValueVisible: false,
          crosshairMarkerVisible: false,
        }),
      );
    }
    drawn.averages.forEach((line, index) =>
      line.setData(wanted ? series.average(AVERAGES[index]) : []),
    );
  }

  const drawLast = painter(() => {
    for (const candle of series.takeChanged()) {
      drawn.candles.update(bar(candle));
      drawn.volume.update(column(candle));
    }
    if (averagesOn()) {
      drawn.averages.forEach((line, index) => {
        const point = series.averageAtEnd(AVERAGES[index]);
        if (point) line.update(point);
      });
    }
    showLegend(series.last());
    placeLines();
  }, TEXT_PER_SECOND);

  function showLegend(candle) {
    if (!candle) return;
    const change = series.changeOf(candle);
    const parts = [
      ["O", amount(candle.open)],
      ["H", amount(candle.high)],
      ["L", amount(candle.low)],
      ["C", amount(candle.close)],
      ["", percent(change)],
      ["Vol", compact(candle.volume)],
    ];
    const nodes = parts.map(([label, value]) => {
      const part = document.createElement("span");
      if (label) {
        const name = document.createElement("span");
        name.className = "muted";
        name.textContent = `${label} `;
        part.append(name);
      }
      const number = document.createElement("span");
      number.className = direction(change);
      number.textContent = value;
      part.append(number);
      return part;
    });
    if (averagesOn()) nodes.push(...AVERAGES.map(averageLabel));
    legend.replaceChildren(...nodes);
  }

  function averageLabel(count, index) {
    const label = document.createElement("span");
    label.className = `average average--${index + 1}`;
    label.textContent = `MA ${count}`;
    return label;
  }

  async function load(fresh = true) {
    loading.hidden = !fresh;
    failed.hidden = true;
    try {
      if (!drawn) await build();
      await series.load(interval, PAGE);
      drawAll();
      drawn.chart.timeScale().applyOptions({ timeVisible: SECONDS[interval] < 86_400 });
      if (fresh) drawn.chart.timeScale().resetTimeScale();
      showLegend(series.last());
      loading.hidden = true;
    } catch (error) {
      loading.hidden = true;
      failed.hidden = false;
      failed.querySelector("[data-code]").textContent = error.code ?? error.name;
    }
  }

  async function older() {
    if (fetching || series.complete) return;
    fetching = true;
    try {
      if (await series.older(PAGE)) drawAll();
    } catch (error) {
      // The chart stands as it is; scrolling to its edge again asks again.
      console.warn("Older candles did not come:", error.code ?? error.name);
    } finally {
      fetching = false;
    }
  }

  const placeLines = painter(() => lines?.place(), LINES_PER_SECOND);

  const ownOrders = () =>
    [...account.orders.values()].filter((each) => each.market === instrument.symbol);

  async function drawOrders() {
    if (!lines && !draft && !ownOrders().length) return;
    const { OrderLines } = await import("order-lines");
    const { paidFor } = await import("order-links");
    lines ??= new OrderLines(root.querySelector("[data-order-lines]"), instrument, scale(), {
      move: (order, changes) => (order.draft ? moveDraft(changes) : moveOrder(order, changes)),
      paid: (order) => paidFor(order, paintOrders),
    });
    lines.draw(draft ? [...ownOrders(), draft] : ownOrders(), drawn.colour);
  }

  function moveDraft(changes) {
    const [[name, price]] = Object.entries(changes);
    document.dispatchEvent(new CustomEvent("draft-moved", { detail: { name, price } }));
  }

  function scale() {
    const { chart, candles } = drawn;
    return {
      toPixels: (price) => candles.priceToCoordinate(price),
      toPrice: (y) => candles.coordinateToPrice(y) ?? 0,
      height: () => canvas.clientHeight - chart.timeScale().height(),
      addLine: (options) => candles.createPriceLine(options),
      removeLine: (line) => candles.removePriceLine(line),
    };
  }

  async function moveOrder(order, changes) {
    try {
      const { changeOrder } = await import("order-change");
      await changeOrder(order, changes);
    } catch (error) {
      toast(error.message, { kind: "bad" });
    }
  }

  panel.addEventListener("click", (event) => {
    const link = event.target.closest("[data-interval]");
    if (!link || link === root || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    interval = link.dataset.interval;
    for (const each of panel.querySelectorAll(".intervals [data-interval]")) {
      if (each === link) each.setAttribute("aria-current", "true");
      else each.removeAttribute("aria-current");
    }
    const address = new URL(location.href);
    if (interval === root.dataset.defaultInterval) address.searchParams.delete("interval");
    else address.searchParams.set("interval", interval);
    history.replaceState(history.state, "", address);
    load();
  });
  failed.querySelector("[data-retry]").addEventListener("click", () => load());

  averages.setAttribute("aria-pressed", String(remembered(AVERAGES_KEY) === "on"));
  averages.addEventListener("click", () => {
    averages.setAttribute("aria-pressed", String(!averagesOn()));
    remember(AVERAGES_KEY, averagesOn() ? "on" : "off");
    if (!drawn) return;
    drawAverages();
    showLegend(series.last());
  });

  const dialog = document.getElementById("candle-table");
  panel.querySelector("[data-chart-table]").addEventListener("click", async (event) => {
    event.preventDefault();
    const response = await fetch(`/trade/${instrument.symbol}/candles?interval=${interval}`, {
      headers: { "HX-Request": "true" },
    });
    if (!response.ok) return;
    dialog.querySelector("[data-body]").innerHTML = await response.text();
    for (const time of dialog.querySelectorAll("time")) {
      time.textContent = new Date(time.dateTime).toLocaleString();
    }
    dialog.showModal();
  });
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());

  const paintOrders = painter(() => drawn && drawOrders(), TEXT_PER_SECOND);
  document.addEventListener("draft", ({ detail }) => {
    if (!detail && !draft) return;
    draft = detail;
    paintOrders();
  });

  await load();
  let missed = false;
  minutes.listen((kind) => {
    if (kind === "stale") missed = true;
    if (kind === "stale" || !drawn) return;
    if (missed) {
      // What came while the connection was down is not in the socket's last two minutes.
      missed = false;
      load(false);
      return;
    }
    for (const candle of minutes.candles) series.take(candle);
    drawLast();
  });
  follow((kind, data) => {
    if (kind === "snapshot" || data.orders?.length) paintOrders();
  });
}
