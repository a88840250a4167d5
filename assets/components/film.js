// Image trajectories: every strip shows one frame of its n images, all strips on one clock.
import { unpack } from "./buffer.js";
import { mountView } from "./mount.js";
import { COLOUR_LABEL, GREY_LABEL, paintPixels } from "./pixels.js";
import { createSaving } from "./save.js";
import { followScreen, isAlone, roomsFor, topOf } from "./screen.js";
import { followTheme } from "./theme.js";
import { createTransport } from "./transport.js";

const LEAST_WIDTH = 160; // of a strip, CSS pixels, where the film is as wide
const MARGIN = 8; // below the bar

// One strip: a square grid of images, any of which can be enlarged over the grid. Its bytes are (frames, n, h, w), or
// (frames, n, h, w, 3) with colours.
function createStrip({ title, role, captions }, { data, shape: [frames, count, height, width, channels = 1] }, enlarge) {
  const section = document.createElement("section");
  section.className = "film-strip";
  section.style.setProperty("--columns", Math.ceil(Math.sqrt(count)));
  section.style.setProperty("--ratio", width / height);
  section.innerHTML = `
    <p class="film-title"></p>
    <p class="film-caption"></p>
    <div class="film-images">
      <button type="button" class="film-large" aria-label="Back to all images" tabindex="-1" hidden><canvas></canvas></button>
    </div>`;
  const find = (selector) => section.querySelector(selector);
  find(".film-title").textContent = title;
  find(".film-title").style.setProperty("--role", `var(--${role})`);
  find(".film-caption").hidden = !captions;
  const large = find(".film-large");
  large.addEventListener("click", () => enlarge(null, section));
  const small = Array.from({ length: count }, (_, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.tabIndex = -1; // but for one of the film
    button.ariaLabel = `${title}: image ${index + 1} of ${count}; enlarge`;
    button.append(document.createElement("canvas"));
    button.addEventListener("click", () => enlarge(index, section));
    find(".film-images").append(button);
    return button;
  });
  const bytes = (frame, index) => {
    const size = height * width * channels;
    const start = (Math.min(frame, frames - 1) * count + index) * size;
    return data.subarray(start, start + size);
  };
  const paint = (canvas, frame, index) => paintPixels(canvas, bytes(frame, index), width, channels);
  let chosen = null;
  return {
    section,
    small,
    large,
    grid: find(".film-images"),
    columns: Math.ceil(Math.sqrt(count)),
    frames,
    count,
    scene: { title },
    caption: (frame) => captions?.[Math.min(frame, captions.length - 1)] ?? "",
    shape: { width, height },
    coloured: channels === 3,
    paint,
    images: () => (chosen === null ? [...small.keys()] : [chosen]),

    show(frame) {
      const shown = Math.min(frame, frames - 1);
      small.forEach((button, index) => paint(button.firstChild, shown, index));
      if (chosen !== null) paint(large.firstChild, shown, chosen);
      if (captions) find(".film-caption").textContent = this.caption(shown);
    },

    // index: number, or null for the whole grid; the strip that was clicked keeps the focus.
    enlarge(index, focus) {
      const before = chosen;
      chosen = index;
      large.hidden = index === null;
      for (const button of small) button.inert = index !== null;
      if (focus) (index === null ? small[before] : large)?.focus();
    },
  };
}

// What a strip shows at a frame, as a square of `side` pixels.
function paintStrip({ shape, paint, images }, context, frame, side) {
  const shown = images();
  const columns = Math.ceil(Math.sqrt(shown.length));
  const rows = Math.ceil(shown.length / columns);
  const step = side / Math.max(columns * shape.width, rows * shape.height);
  const left = (side - columns * step * shape.width) / 2;
  const canvas = document.createElement("canvas");
  context.imageSmoothingEnabled = false;
  shown.forEach((index, place) => {
    paint(canvas, frame, index);
    const [x, y] = [left + (place % columns) * step * shape.width, Math.floor(place / columns) * step * shape.height];
    const gap = shown.length > 1 ? side / 200 : 0;
    context.drawImage(canvas, x + gap / 2, y + gap / 2, step * shape.width - gap, step * shape.height - gap);
  });
}

function createFilm({ parentElement, data: bytes }) {
  const root = document.createElement("div");
  root.className = "film themed";
  root.innerHTML = `
    <div class="film-strips"></div>
    <div class="film-transport"></div>
    <div class="film-foot">
      <p class="film-scale"></p>
      <div></div>
    </div>`;
  parentElement.append(root);
  const find = (selector) => root.querySelector(selector);
  let strips = [];
  let chosen = null;
  let shown = null; // the frame on the canvases
  let meta;

  function read() {
    const content = unpack(bytes);
    meta = content.meta;
    strips = meta.strips.map((strip, index) => createStrip(strip, content.arrays[`strip ${index}`], enlarge));
    find(".film-strips").replaceChildren(...strips.map(({ section }) => section));
    const label = strips.some(({ coloured }) => coloured) ? COLOUR_LABEL : GREY_LABEL;
    find(".film-scale").textContent = `${label}. Select an image to enlarge it.`;
    strips[0].small[0].tabIndex = strips[0].large.tabIndex = 0;
    shown = null;
    if (chosen >= Math.min(...strips.map(({ count }) => count))) chosen = null;
    for (const strip of strips) strip.enlarge(chosen, false);
  }

  // As many strips beside each other as are largest so, in whole rows, with the bar on the screen.
  function fit() {
    const box = find(".film-strips");
    const { top, bottom } = box.getBoundingClientRect();
    const { columnGap, rowGap } = getComputedStyle(box);
    const below = find(isAlone(root) ? ".film-foot" : ".film-transport").getBoundingClientRect().bottom - bottom;
    const [{ section, grid, shape, count, columns }] = strips;
    const head = grid.getBoundingClientRect().top - section.getBoundingClientRect().top;
    const ratio = (columns * shape.width) / (Math.ceil(count / columns) * shape.height);

    // The width of a strip where `beside` stand beside each other in a height of `room`.
    function widthOf(beside, room) {
      const wide = (box.clientWidth - (beside - 1) * parseFloat(columnGap)) / beside;
      if (wide < LEAST_WIDTH && beside > 1) return 0;
      const rows = strips.length / beside;
      const high = (room - (top - topOf(root)) - below - MARGIN - (rows - 1) * parseFloat(rowGap)) / rows - head;
      return Math.min(wide, ratio * high);
    }

    const besides = Array.from({ length: meta.columns }, (_, index) => meta.columns - index);
    const largest = roomsFor(root).map((room) => {
      const layouts = besides.filter((beside) => strips.length % beside === 0);
      return layouts
        .map((beside) => ({ beside, width: widthOf(beside, room) }))
        .reduce((best, one) => (one.width > best.width ? one : best));
    });
    const { width, beside } = largest.find((one) => one.width >= LEAST_WIDTH) ?? largest.at(-1);
    box.style.setProperty("--beside", beside);
    box.style.setProperty("--most", `${Math.max(width, LEAST_WIDTH)}px`);
  }

  // The images are one stop of the Tab key: arrows move among them, sideways from strip to strip.
  function move(event) {
    const strip = strips.find(({ small }) => small.includes(event.target));
    const row = strip?.columns;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -row, ArrowDown: row }[event.key];
    if (!strip || !step) return;
    event.preventDefault();
    event.stopPropagation();
    const images = Math.abs(step) === 1 ? strips.flatMap(({ small }) => small) : strip.small;
    images[images.indexOf(event.target) + step]?.focus();
  }

  function keepStop({ target }) {
    const images = strips.flatMap(({ small }) => small);
    if (!images.includes(target)) return;
    for (const image of images) image.tabIndex = image === target ? 0 : -1;
  }

  const length = () => Math.max(...strips.map(({ frames }) => frames));

  function enlarge(index, section) {
    chosen = index;
    for (const strip of strips) strip.enlarge(index, strip.section === section);
    savings.choose(index === null ? null : strips.findIndex((strip) => strip.section === section));
    shown = null;
    transport.refresh();
  }

  function show(position) {
    const frame = Math.round(position);
    if (frame === shown) return;
    shown = frame;
    for (const strip of strips) strip.show(frame);
    root.dataset.frame = frame;
  }

  read();
  const unfollow = followTheme(root, meta.palette);
  const transport = createTransport(find(".film-transport"), {
    frames: length(),
    fps: meta.fps,
    label: meta.label,
    autoplay: meta.autoplay,
    root,
    onFrame: show,
    format: (position) => `frame ${Math.round(position)} / ${length() - 1}`,
  });
  const savings = createSaving(find(".film-foot").lastElementChild, () => {
    const computed = getComputedStyle(root);
    const frameAt = (position) => Math.round(position * (length() - 1));
    return {
      name: chosen === null ? meta.label : `image ${chosen + 1} ${meta.label}`,
      columns: meta.columns,
      style: { background: computed.backgroundColor, text: computed.color, font: computed.fontFamily },
      position: shown / Math.max(length() - 1, 1),
      frames: length(),
      milliseconds: (1000 * (length() - 1)) / meta.fps,
      painters: (side) => strips.map((strip) => ({ ...strip, side })),
      paint: (painter, context, position) => paintStrip(painter, context, frameAt(position), painter.side),
      text: (painter, position) => painter.caption(frameAt(position)),
    };
  });
  savings.offer(strips.map(({ scene }) => scene.title));
  fit();
  const unfollowScreen = followScreen(root, fit);
  find(".film-strips").addEventListener("keydown", move);
  find(".film-strips").addEventListener("focusin", keepStop);
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || chosen === null) return;
    event.stopPropagation();
    enlarge(null, event.composedPath().find((node) => node.className === "film-strip"));
  });

  return {
    update({ data }) {
      if (data === bytes) return;
      bytes = data;
      read();
      transport.setFps(meta.fps);
      transport.setFrames(length());
      savings.offer(strips.map(({ scene }) => scene.title));
      fit();
    },
    destroy() {
      unfollow();
      unfollowScreen();
      transport.destroy();
      root.remove();
    },
  };
}

export default function (component) {
  return mountView(component, createFilm);
}
