// The loader: imports only the controllers that the page names in data-controller, once each, and
// connects them to their elements. New elements (htmx) are connected as they arrive.

const connected = new WeakMap();

async function connect(element, name) {
  const names = connected.get(element) ?? new Set();
  if (names.has(name)) return;
  names.add(name);
  connected.set(element, names);
  const module = await import(`controllers/${name}`);
  module.default(element);
}

function scan(root) {
  const elements = [...root.querySelectorAll("[data-controller]")];
  if (root instanceof Element && root.matches("[data-controller]")) elements.unshift(root);
  for (const element of elements) {
    for (const name of element.dataset.controller.split(" ")) connect(element, name);
  }
}

scan(document);
document.addEventListener("htmx:load", (event) => scan(event.detail.elt));
