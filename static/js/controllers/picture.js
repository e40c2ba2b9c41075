// A photo is made small enough before it is sent: phones take pictures larger than anybody reads.

// How much of the longest side, and which quality: the first of them that is small enough is sent.
const STEPS = [
  [1, 0.88],
  [1, 0.7],
  [0.75, 0.7],
  [0.5, 0.6],
];

export default function picture(form) {
  const input = form.elements.file;
  const state = form.querySelector("[data-state]");
  const bytesMax = Number(form.dataset.bytesMax);
  const sideMax = Number(form.dataset.sideMax);

  input.addEventListener("change", async () => {
    const file = input.files[0];
    if (!file) return;
    state.textContent = "Preparing …";
    const small = await shrunk(file, sideMax, bytesMax).catch(() => null);
    if (small) {
      const files = new DataTransfer();
      files.items.add(small);
      input.files = files.files;
    }
    const isTooLarge = input.files[0].size > bytesMax;
    state.textContent = isTooLarge ? "This file is too large: 1.9 MB at most." : "Sending …";
    if (!isTooLarge) form.requestSubmit();
  });
}

/** The picture as a JPEG of at most so many pixels on its longer side, and so many bytes. */
async function shrunk(file, sideMax, bytesMax) {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  let blob = null;
  for (const [part, quality] of STEPS) {
    blob = await drawn(bitmap, sideMax * part, quality);
    if (blob.size <= bytesMax) break;
  }
  bitmap.close();
  return new File([blob], "picture.jpg", { type: "image/jpeg" });
}

function drawn(bitmap, side, quality) {
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(bitmap.width * scale);
  canvas.height = Math.round(bitmap.height * scale);
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
}
