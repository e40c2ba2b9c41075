// Rows of a table whose markup comes from the server: a <template> is cloned and its data-field
// cells are filled. The markup exists once, for the first render and for live updates.

/** Write the values into the cells named by data-field; untouched cells stay as they are. */
export function fill(row, values) {
  for (const cell of row.querySelectorAll("[data-field]")) {
    const value = values[cell.dataset.field];
    if (value === undefined) continue;
    const text = value === null ? "" : String(value);
    if (cell.textContent !== text) cell.textContent = text;
  }
}

/** Bring the table body in line with the list, keeping rows that stay; newest stay on top. */
export function sync(body, template, items, describe) {
  const wanted = new Set(items.map((item) => item.id));
  const rows = new Map();
  for (const row of [...body.children]) {
    if (wanted.has(row.dataset.id)) rows.set(row.dataset.id, row);
    else row.remove();
  }
  let place = body.firstElementChild;
  for (const item of items) {
    let row = rows.get(item.id);
    if (!row) {
      row = template.content.firstElementChild.cloneNode(true);
      row.dataset.id = item.id;
    }
    describe(row, item);
    if (row === place) place = place.nextElementSibling;
    else body.insertBefore(row, place);
  }
}
