// Short results at the edge of the page, read out politely. They never take the focus.

const LIFE_MS = 6000;
const KEPT = 4;

export function toast(message, { kind = "good", href = "", label = "" } = {}) {
  const list = document.getElementById("toasts");
  const template = document.getElementById(`toast-${kind}`);
  const box = template.content.firstElementChild.cloneNode(true);
  const words = box.querySelector("p");
  words.textContent = message;
  if (href) {
    const link = document.createElement("a");
    link.className = "link";
    link.href = href;
    link.textContent = label;
    words.append(" ", link);
  }
  const close = () => box.remove();
  box.querySelector("[data-dismiss]").addEventListener("click", close);
  let timer = setTimeout(close, LIFE_MS);
  box.addEventListener("pointerenter", () => clearTimeout(timer));
  box.addEventListener("pointerleave", () => {
    timer = setTimeout(close, LIFE_MS / 2);
  });
  list.append(box);
  while (list.children.length > KEPT) list.firstElementChild.remove();
}
