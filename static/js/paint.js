// When things are drawn: inside requestAnimationFrame, at most so often a second, never while the
// tab is hidden. Whoever has news calls the returned function; the newest state is what is drawn.

const waiting = new Set();

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  for (const run of waiting) run();
});

/** A function that asks for `draw` to run soon, at most `perSecond` times a second. */
export function painter(draw, perSecond) {
  const gap = 1000 / perSecond;
  let last = -Infinity;
  let timer = 0;
  let frame = 0;

  function paint() {
    frame = 0;
    last = performance.now();
    draw();
  }

  function run() {
    waiting.delete(run);
    if (timer || frame) return;
    const wait = last + gap - performance.now();
    if (wait > 0) {
      timer = setTimeout(() => {
        timer = 0;
        schedule();
      }, wait);
      return;
    }
    frame = requestAnimationFrame(paint);
  }

  function schedule() {
    if (document.hidden) waiting.add(run);
    else run();
  }

  return schedule;
}

export const TEXT_PER_SECOND = 4;
export const BOOK_PER_SECOND = 10;
