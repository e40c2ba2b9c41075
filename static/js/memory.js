// What a page remembers in this browser. Where storage is off, it lasts until the page is left.

const fallback = new Map();
const owner = document.documentElement.dataset.account || "guest";

/** The name of something that belongs to a person: two at one browser keep apart. */
export const ownName = (name) => `${owner}.${name}`;

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

export function forget(name) {
  fallback.delete(name);
  try {
    localStorage.removeItem(`sum1.${name}`);
  } catch {
    document.documentElement.dataset.storage = "off";
  }
}
