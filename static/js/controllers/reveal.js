// Shows and hides what is typed into a password field.

export default function reveal(box) {
  const input = box.querySelector("input");
  const button = box.querySelector("[data-reveal]");
  const picture = button.querySelector("use");
  button.hidden = false;
  button.addEventListener("click", () => {
    const shown = input.type === "password";
    input.type = shown ? "text" : "password";
    button.setAttribute("aria-pressed", String(shown));
    button.setAttribute("aria-label", shown ? "Hide the password" : "Show the password");
    const href = picture.getAttribute("href").split("#")[0];
    picture.setAttribute("href", `${href}#${shown ? "eye-off" : "eye"}`);
    input.focus();
  });
}
