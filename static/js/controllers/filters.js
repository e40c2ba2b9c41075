// A filter applies as soon as it is chosen; the address carries it, with the zone that its days are
// of. A day that is still being typed is not sent: its year has yet to become a likely one.

const FIRST_YEAR = 2000;

function likely(input) {
  return !input.value || Number(input.value.slice(0, 4)) >= FIRST_YEAR;
}

export default function filters(form) {
  const days = [...form.querySelectorAll("input[type=date]")];
  const zone = form.querySelector("[data-zone]");
  form.querySelector("[data-apply]").hidden = true;

  function leaveOutEmpty() {
    if (zone && days.some((day) => day.value)) {
      zone.disabled = false;
      zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
    }
    for (const field of [...form.elements]) if (field.name && !field.value) field.disabled = true;
  }

  form.addEventListener("change", (event) => {
    if (event.target.type === "date" && !(likely(event.target) && form.checkValidity())) return;
    leaveOutEmpty();
    form.submit();
  });
  form.addEventListener("submit", leaveOutEmpty);
  // The back button may bring the page back as it was left.
  addEventListener("pageshow", () => {
    for (const field of [...form.elements]) field.disabled = field === zone;
  });
}
