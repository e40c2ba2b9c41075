// A photo is made small enough before it is sent: phones take pictures larger than anybody reads.

const QUALITY = 0.88;

export default function picture(form) {
  const input = form.elements.file;
  const state = form.querySelector("[data-state]");
  const { bytesMax, sideMax } = form.dataset;

  input.addEventListener("change", async () => {
    const file = input.files[0];
    if (!file) return;
    state.textContent = "Preparing …";
    const small = await shrunk(file, Number(sideMax)).catch(() => null);
    if (small) {
      const files = new DataTransfer();
      files.items.add(small);
      input.files = files.files;
    }
    const isTooLarge = input.files[0].size > Number(bytesMax);
    state.textContent = isTooLarge ? "This file is too large: 1.9 MB at most." : "";
    if (!isTooLarge) form.requestSubmit();
  });
}

/** The picture as a JPEG whose longer side is at most so many pixels. */
async function shrunk(file, side) {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(bitmap.width * scale);
  canvas.height = Math.round(bitmap.height * scale);
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
  return blob && new File([blob], "picture.jpg", { type: "image/jpeg" });
}
