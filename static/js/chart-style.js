// How the chart looks, read from the page's own tokens, so that it follows theme and colours.

/** The value of a token as the browser resolves it for this element: rgb(...) text. */
export function resolve(element, name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  element.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

export const faded = (rgb, share) => rgb.replace("rgb(", "rgba(").replace(")", `, ${share})`);

export function colours(element) {
  const up = resolve(element, "--up-graph");
  const down = resolve(element, "--down-graph");
  return {
    up,
    down,
    volumeUp: faded(up, 0.32),
    volumeDown: faded(down, 0.32),
    averages: [1, 2, 3].map((index) => resolve(element, `--series-${index + 1}`)),
    candles: {
      upColor: up,
      downColor: down,
      wickUpColor: up,
      wickDownColor: down,
      borderVisible: false,
    },
  };
}

const pad = (number) => String(number).padStart(2, "0");

/** The library counts in UTC; people look at their own clock. */
function localTime(seconds) {
  const at = new Date(seconds * 1000);
  const day = at.toLocaleDateString(undefined, { day: "2-digit", month: "short", year: "2-digit" });
  return `${day} ${pad(at.getHours())}:${pad(at.getMinutes())}`;
}

function tickWords(seconds, kind) {
  const at = new Date(seconds * 1000);
  if (kind === 0) return String(at.getFullYear());
  if (kind === 1) return at.toLocaleDateString(undefined, { month: "short" });
  if (kind === 2) return at.toLocaleDateString(undefined, { day: "numeric", month: "short" });
  return `${pad(at.getHours())}:${pad(at.getMinutes())}`;
}

export function chartOptions(element, instrument) {
  const line = resolve(element, "--line");
  const muted = resolve(element, "--muted");
  const raised = resolve(element, "--line-strong");
  return {
    width: element.clientWidth,
    height: element.clientHeight,
    layout: {
      background: { color: resolve(element, "--panel") },
      textColor: muted,
      fontFamily: getComputedStyle(element).fontFamily,
      fontSize: 11,
      // The library's logo brings an inline style, which this site's policy forbids; the credit
      // and its link stand beside the chart instead.
      attributionLogo: false,
    },
    grid: { vertLines: { color: line }, horzLines: { color: line } },
    rightPriceScale: { borderColor: line, minimumWidth: 74 },
    timeScale: {
      borderColor: line,
      timeVisible: true,
      secondsVisible: false,
      rightOffset: 6,
      barSpacing: 8,
      tickMarkFormatter: tickWords,
    },
    crosshair: {
      mode: 0,
      vertLine: { color: muted, labelBackgroundColor: raised },
      horzLine: { color: muted, labelBackgroundColor: raised },
    },
    localization: {
      timeFormatter: localTime,
      priceFormatter: (price) =>
        price.toLocaleString("en", {
          minimumFractionDigits: instrument.pricePlaces,
          maximumFractionDigits: instrument.pricePlaces,
        }),
    },
  };
}
