// The loader: imports only the controllers that the page names in data-controller, once each, and
// connects them to their elements. New elements (htmx) are connected as they arrive.

const connected = new WeakMap();

async function connect(element, name) {
  const names = connected.get(element) ?? new Set();
  if (names.has(name)) return;
  names.add(name);
  connected.set(element, names);
  const module = await import(`controllers/${name}`);
  await module.default(element);
}

/** Connects what is below; resolves when all of it is. */
function scan(root) {
  const elements = [...root.querySelectorAll("[data-controller]")];
  if (root instanceof Element && root.matches("[data-controller]")) elements.unshift(root);
  return Promise.allSettled(
    elements.flatMap((element) =>
      element.dataset.controller.split(" ").map((name) => connect(element, name)),
    ),
  );
}

// What is behind a tab or further down is fetched when it is first seen.
const watcher = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    watcher.unobserve(target);
    connect(target, target.dataset.whenSeen).catch(reportError);
  }
});
for (const element of document.querySelectorAll("[data-when-seen]")) watcher.observe(element);

scan(document).then((outcomes) => {
  document.documentElement.dataset.ready = "";
  // One behaviour that fails leaves the others alone, but never goes unnoticed.
  for (const { reason } of outcomes) if (reason) reportError(reason);
});
document.addEventListener("htmx:load", (event) => scan(event.detail.elt));
