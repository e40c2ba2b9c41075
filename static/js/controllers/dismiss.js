// A message of the server: can be dismissed, goes by itself after a while.

const LIFE_MS = 8000;

export default function dismiss(box) {
  const close = () => box.remove();
  box.querySelector("[data-dismiss]").addEventListener("click", close);
  let timer = setTimeout(close, LIFE_MS);
  box.addEventListener("pointerenter", () => clearTimeout(timer));
  box.addEventListener("pointerleave", () => {
    timer = setTimeout(close, LIFE_MS / 2);
  });
}
