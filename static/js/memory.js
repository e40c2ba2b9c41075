// What a page remembers in this browser. Where storage is off, it lasts until the page is left.

const fallback = new Map();

export function remembered(name) {
  try {
    return localStorage.getItem(`sum1.${name}`);
  } catch {
    return fallback.get(name) ?? null;
  }
}

export function remember(name, value) {
  fallback.set(name, value);
  try {
    localStorage.setItem(`sum1.${name}`, value);
  } catch {
    document.documentElement.dataset.storage = "off";
  }
}
