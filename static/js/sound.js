// Two short notes, made by the browser itself. Nothing is fetched, nothing sounds unasked.

const NOTES = [
  [880, 0],
  [1318.5, 0.09],
];
const LENGTH_SECONDS = 0.16;
const VOLUME = 0.06;
let context = null;

export function chime() {
  context ??= new AudioContext();
  // Browsers let a page sound only after somebody has touched it.
  context.resume().catch(console.warn);
  for (const [pitch, after] of NOTES) {
    const note = context.createOscillator();
    const volume = context.createGain();
    const begins = context.currentTime + after;
    note.frequency.value = pitch;
    volume.gain.setValueAtTime(VOLUME, begins);
    volume.gain.exponentialRampToValueAtTime(0.0001, begins + LENGTH_SECONDS);
    note.connect(volume).connect(context.destination);
    note.start(begins);
    note.stop(begins + LENGTH_SECONDS);
  }
}
