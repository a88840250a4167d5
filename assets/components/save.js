// Saves what a player or a film shows: a picture, a GIF, or a film where the browser records one.
import { choosePalette, createGif } from "./gif.js";

const PNG_SIDE = 1000; // of a scene, in pixels
const GIF_SIDE = 400;
const GIF_FRAMES = 60;
const WEBM_SIDE = 640;
const HOLD_MILLISECONDS = 2000; // of the last frame
const LONGEST_NAME = 80;

const SLIDE = { width: 1920, height: 1080 };

const SAVERS = { PNG: savePng, Slide: saveSlide, GIF: saveGif, WebM: saveWebm };
const LABELS = { Slide: `Save as Slide, ${SLIDE.width} x ${SLIDE.height}` };
const ENDINGS = { Slide: "slide.png" };

// A file's name that says what it shows: slug("Smiley: Heun, 20 steps") === "smiley-heun-20-steps".
export function slug(text) {
  const plain = text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  return plain.match(/[\p{L}\p{N}]+/gu)?.reduce((name, word) => {
    return name.length + word.length < LONGEST_NAME ? `${name}-${word}` : name;
  }) ?? "diffusion";
}

// Builds the buttons in `host`. film() tells what is shown at the moment of a click:
//   name of it all, style, position in [0, 1], frames, milliseconds from the first frame to the last,
//   painters(side, ratio) of the scenes, paint(painter, context, position), text(painter, position),
//   columns (of the scenes in a picture of them all, by default as many as there are scenes)
// Returns { offer(titles), choose(index or null) }: the scenes that can be saved alone, and the one that is meant.
export function createSaving(host, film) {
  const status = document.createElement("output");
  const label = Object.assign(document.createElement("span"), { textContent: "Save" });
  const what = Object.assign(document.createElement("select"), { ariaLabel: "What to save", hidden: true });
  const kinds = Object.keys(SAVERS).filter((kind) => kind !== "WebM" || recordsWebm());
  const buttons = kinds.map((kind) => {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: kind });
    button.setAttribute("aria-label", LABELS[kind] ?? `Save as ${kind}`);
    button.addEventListener("click", () => save(kind));
    return button;
  });

  // What film() tells, of the chosen scene alone where one is chosen.
  function chosenFilm() {
    const whole = film();
    if (what.value === "") return whole;
    const painters = (side, ratio) => [whole.painters(side, ratio)[what.value]];
    return { ...whole, painters, columns: 1, name: `${what.selectedOptions[0].text} ${whole.name}` };
  }

  async function save(kind) {
    for (const button of buttons) button.disabled = true;
    try {
      const shown = chosenFilm();
      const blob = await SAVERS[kind](shown, (share) => (status.textContent = `${kind} ${Math.round(100 * share)} %`));
      download(blob, `${slug(shown.name)}.${ENDINGS[kind] ?? kind.toLowerCase()}`);
      status.textContent = "";
    } catch (error) {
      status.textContent = `The ${kind} could not be saved: ${error.message}`;
    }
    for (const button of buttons) button.disabled = false;
  }

  host.className = "saving";
  host.setAttribute("role", "group");
  host.setAttribute("aria-label", "Save");
  host.append(status, label, what, ...buttons);

  return {
    offer(titles) {
      const before = what.value;
      what.replaceChildren(new Option("everything", ""), ...titles.map((title, index) => new Option(title, index)));
      what.value = before < titles.length ? before : "";
      what.hidden = titles.length < 2;
    },
    choose: (index) => (what.value = index ?? ""),
  };
}

function recordsWebm() {
  return Boolean(globalThis.MediaRecorder?.isTypeSupported("video/webm") && HTMLCanvasElement.prototype.captureStream);
}

function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// A canvas with all scenes, each under its title and time: { canvas, paint(position), pixels() }.
function createSheet(film, side) {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const unit = side / GIF_SIDE;
  const margin = Math.round(16 * unit);
  const painters = film.painters(side, unit);
  const columns = Math.min(film.columns ?? painters.length, painters.length);
  const line = Math.round(22 * unit);

  function setFont(weight, size) {
    context.font = `${weight} ${size * unit}px ${film.style.font}`;
  }

  function fitsOneLine(painter) {
    setFont(600, 16);
    const title = context.measureText(painter.scene.title).width;
    setFont(400, 14.5);
    const widest = Math.max(...[0, 0.5, 1].map((at) => context.measureText(film.text(painter, at)).width));
    return title + margin + widest <= side;
  }

  const head = (painters.every(fitsOneLine) ? 1 : 2) * line;
  canvas.width = 2 * Math.ceil((columns * (side + margin) + margin) / 2); // video wants even sides
  const rows = Math.ceil(painters.length / columns);
  canvas.height = 2 * Math.ceil((rows * (head + side + margin) + margin) / 2);

  function paintScene(painter, position) {
    context.fillStyle = context.strokeStyle = film.style.text;
    context.textBaseline = "top";
    setFont(600, 16);
    context.fillText(painter.scene.title, 0, 0, side);
    setFont(400, 14.5);
    context.textAlign = head > line ? "left" : "right";
    context.fillText(film.text(painter, position), head > line ? 0 : side, head - line + unit, side);
    context.translate(0, head);
    context.beginPath();
    context.rect(0, 0, side, side);
    context.clip();
    film.paint(painter, context, position);
    context.strokeStyle = film.style.text;
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
        const [row, column] = [Math.floor(index / columns), index % columns];
        context.save();
        context.translate(margin + column * (side + margin), margin + row * (head + side + margin));
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

// The picture in the middle of a slide, as large as it fits.
function saveSlide(film) {
  const { width, height } = SLIDE;
  const { canvas } = createSheet(film, GIF_SIDE);
  const share = Math.min(width / canvas.width, height / canvas.height);
  const sheet = createSheet(film, Math.floor(GIF_SIDE * share));
  sheet.paint(film.position);
  const slide = Object.assign(document.createElement("canvas"), { width, height });
  const context = slide.getContext("2d");
  context.fillStyle = film.style.background;
  context.fillRect(0, 0, width, height);
  context.drawImage(sheet.canvas, (width - sheet.canvas.width) >> 1, (height - sheet.canvas.height) >> 1);
  return new Promise((resolve) => slide.toBlob(resolve, "image/png"));
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
