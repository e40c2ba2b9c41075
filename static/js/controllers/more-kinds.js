// The menu of the less usual kinds of orders: it says which one is chosen, and closes on a choice.

export default function moreKinds(menu) {
  const form = menu.closest("form");
  const words = menu.querySelector("[data-more]");
  const label = words.textContent;

  function draw() {
    const chosen = menu.querySelector("[name=type]:checked");
    words.textContent = chosen ? chosen.dataset.name : label;
    menu.toggleAttribute("data-chosen", chosen !== null);
  }

  form.addEventListener("change", (event) => {
    if (event.target.name === "type") draw();
  });
  menu.addEventListener("click", (event) => {
    // By pointer, and after the choice is made; who walks through the choices by arrow keys closes
    // the menu by Escape or by leaving it.
    if (event.target.name === "type" && event.screenX + event.screenY > 0) {
      setTimeout(() => (menu.open = false));
    }
  });
  draw();
}
