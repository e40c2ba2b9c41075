// Countries come as codes; the browser knows their names, in the language of the page.

export default function countries(select) {
  const names = new Intl.DisplayNames([document.documentElement.lang], { type: "region" });
  const [choose, ...options] = select.options;
  for (const option of options) option.textContent = names.of(option.value);
  options.sort((a, b) => a.textContent.localeCompare(b.textContent));
  const chosen = select.value;
  select.replaceChildren(choose, ...options);
  select.value = chosen;
}
