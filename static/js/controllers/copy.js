// A button that copies what the element named by data-copy says, and says that it has.

export default function copy(button) {
  if (!navigator.clipboard) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const { textContent } = document.getElementById(button.dataset.copy);
    await navigator.clipboard.writeText(textContent.trim());
    button.textContent = "Copied";
  });
}
