// A filter applies as soon as it is chosen; the address carries it.

export default function filters(form) {
  form.querySelector("[data-apply]").hidden = true;
  form.addEventListener("change", () => {
    for (const field of [...form.elements]) if (field.name && !field.value) field.disabled = true;
    form.submit();
  });
}
