// Saves what a player or a film shows: a picture, a GIF, or a film where the browser records one.
import { choosePalette, createGif } from "./gif.js";

const FILE_NAME = "diffusion-explorer";
const PNG_SIDE = 1000; // of a scene, in pixels
const GIF_SIDE = 400;
const GIF_FRAMES = 60;
const WEBM_SIDE = 640;
const HOLD_MILLISECONDS = 1000; // of the last frame

const SAVERS = { PNG: savePng, GIF: saveGif, WebM: saveWebm };

// Builds the buttons in `host`. film() tells what is shown at the moment of a click:
//   style, position in [0, 1], frames, milliseconds from the first frame to the last,
//   painters(side, ratio) of the scenes, paint(painter, context, position), text(painter, position)
export function createSaving(host, film) {
  const status = document.createElement("output");
  const label = Object.assign(document.createElement("span"), { textContent: "Save" });
  const kinds = Object.keys(SAVERS).filter((kind) => kind !== "WebM" || recordsWebm());
  const buttons = kinds.map((kind) => {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: kind });
    button.setAttribute("aria-label", `Save as ${kind}`);
    button.addEventListener("click", () => save(kind));
    return button;
  });

  async function save(kind) {
    for (const button of buttons) button.disabled = true;
    try {
      const blob = await SAVERS[kind](film(), (share) => (status.textContent = `${kind} ${Math.round(100 * share)} %`));
      download(blob, `${FILE_NAME}.${kind.toLowerCase()}`);
      status.textContent = "";
    } catch (error) {
      status.textContent = `The ${kind} could not be saved: ${error.message}`;
    }
    for (const button of buttons) button.disabled = false;
  }

  host.className = "saving";
  host.setAttribute("role", "group");
  host.setAttribute("aria-label", "Save");
  host.append(status, label, ...buttons);
}

function recordsWebm() {
  return Boolean(globalThis.MediaRecorder?.isTypeSupported("video/webm") && HTMLCanvasElement.prototype.captureStream);
}

function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// A canvas with all scenes side by side, each with its title and time: { canvas, paint(position), pixels() }.
function createSheet(film, side) {
  const canvas = document.createElement("canvas");
  const unit = side / GIF_SIDE;
  const margin = Math.round(16 * unit);
  const painters = film.painters(side, unit);
  canvas.width = 2 * Math.ceil((painters.length * (side + margin) + margin) / 2); // video wants even sides
  canvas.height = 2 * Math.ceil((side + 2 * margin) / 2);
  const context = canvas.getContext("2d", { willReadFrequently: true });

  function paintScene(painter, position) {
    context.beginPath();
    context.rect(0, 0, side, side);
    context.clip();
    film.paint(painter, context, position);
    context.fillStyle = context.strokeStyle = film.style.text;
    context.textBaseline = "top";
    context.font = `600 ${14 * unit}px ${film.style.font}`;
    context.fillText(painter.scene.title, margin / 2, margin / 2, side - margin);
    const room = side - 1.5 * margin - context.measureText(painter.scene.title).width;
    context.font = `400 ${12.5 * unit}px ${film.style.font}`;
    context.textAlign = "right";
    const text = film.text(painter, position);
    const below = context.measureText(text).width > room ? 17 * unit : 0;
    context.fillText(text, side - margin / 2, margin / 2 + below, side - margin);
    context.globalAlpha = 0.25;
    context.lineWidth = 2 * unit; // the inner half of it is seen
    context.strokeRect(0, 0, side, side);
  }

  return {
    canvas,
    paint(position) {
      context.fillStyle = film.style.background;
      context.fillRect(0, 0, canvas.width, canvas.height);
      painters.forEach((painter, index) => {
        context.save();
        context.translate(margin + index * (side + margin), margin);
        paintScene(painter, position);
        context.restore();
      });
    },
    pixels: () => context.getImageData(0, 0, canvas.width, canvas.height).data,
  };
}

function savePng(film) {
  const sheet = createSheet(film, PNG_SIDE);
  sheet.paint(film.position);
  return new Promise((resolve) => sheet.canvas.toBlob(resolve, "image/png"));
}

async function saveGif(film, report) {
  const sheet = createSheet(film, GIF_SIDE);
  const pixels = (position) => (sheet.paint(position), sheet.pixels());
  const count = Math.min(GIF_FRAMES, Math.max(film.frames, 2));
  const gif = createGif(sheet.canvas.width, sheet.canvas.height, choosePalette([0, 0.5, 1].map(pixels)));
  for (let k = 0; k < count; k++) {
    report(k / count);
    await new Promise((resolve) => setTimeout(resolve)); // the page stays alive between frames
    const pause = k < count - 1 ? film.milliseconds / (count - 1) : HOLD_MILLISECONDS;
    gif.addFrame(pixels(k / (count - 1)), Math.max(Math.round(pause / 10), 2));
  }
  return new Blob([gif.finish()], { type: "image/gif" });
}

async function saveWebm(film, report) {
  const sheet = createSheet(film, WEBM_SIDE);
  sheet.paint(0);
  const kind = { mimeType: "video/webm", videoBitsPerSecond: 6e6 };
  const recorder = new MediaRecorder(sheet.canvas.captureStream(30), kind);
  const parts = [];
  recorder.ondataavailable = (event) => parts.push(event.data);
  const stopped = new Promise((resolve) => (recorder.onstop = resolve));
  recorder.start();
  const begun = performance.now();
  for (let passed = 0; passed < film.milliseconds + HOLD_MILLISECONDS; ) {
    const position = Math.min(passed / Math.max(film.milliseconds, 1), 1);
    report(position);
    sheet.paint(position);
    passed = (await new Promise(requestAnimationFrame)) - begun;
  }
  recorder.stop();
  await stopped;
  return new Blob(parts, { type: "video/webm" });
}
