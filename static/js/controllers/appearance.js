// Theme and colours change at once; the cookie is the same one the form would set.

const YEAR_SECONDS = 400 * 24 * 3600;

export default function appearance(form) {
  form.addEventListener("submit", (event) => {
    const { name, value } = event.submitter ?? {};
    if (name !== "theme" && name !== "palette") return;
    event.preventDefault();
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `sum1_${name}=${value}; path=/; max-age=${YEAR_SECONDS}; samesite=lax${secure}`;
    document.documentElement.dataset[name] = value;
    for (const button of form.querySelectorAll(`button[name=${name}]`)) {
      button.setAttribute("aria-pressed", String(button.value === value));
    }
    document.dispatchEvent(new CustomEvent("appearance"));
  });
}
