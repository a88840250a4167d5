// Image trajectories: every strip shows one frame of its n images, all strips on one clock.
import { unpack } from "./buffer.js";
import { mountView } from "./mount.js";
import { GREY_LABEL, paintGreys } from "./pixels.js";
import { followTheme } from "./theme.js";
import { createTransport } from "./transport.js";

// One strip: a square grid of images, any of which can be enlarged over the grid. frames: bytes (frames, n, h, w).
function createStrip({ title, role, captions }, { data, shape: [frames, count, height, width] }, enlarge) {
  const section = document.createElement("section");
  section.className = "film-strip";
  section.style.setProperty("--columns", Math.ceil(Math.sqrt(count)));
  section.style.setProperty("--ratio", width / height);
  section.innerHTML = `
    <h4><span class="film-title"></span></h4>
    <p class="film-caption"></p>
    <div class="film-images">
      <button type="button" class="film-large" aria-label="Back to all images" hidden><canvas></canvas></button>
    </div>`;
  const find = (selector) => section.querySelector(selector);
  find(".film-title").textContent = title;
  find("h4").style.setProperty("--role", `var(--${role})`);
  find(".film-caption").hidden = !captions;
  const large = find(".film-large");
  large.addEventListener("click", () => enlarge(null, section));
  const small = Array.from({ length: count }, (_, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.ariaLabel = `${title}: image ${index + 1} of ${count}; enlarge`;
    button.append(document.createElement("canvas"));
    button.addEventListener("click", () => enlarge(index, section));
    find(".film-images").append(button);
    return button;
  });
  const greys = (frame, index) => {
    const start = (frame * count + index) * height * width;
    return data.subarray(start, start + height * width);
  };
  let chosen = null;
  return {
    section,
    frames,
    count,

    show(frame) {
      const shown = Math.min(frame, frames - 1);
      small.forEach((button, index) => paintGreys(button.firstChild, greys(shown, index), width));
      if (chosen !== null) paintGreys(large.firstChild, greys(shown, chosen), width);
      if (captions) find(".film-caption").textContent = captions[Math.min(shown, captions.length - 1)];
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

function createFilm({ parentElement, data: bytes }) {
  const root = document.createElement("div");
  root.className = "film themed";
  root.innerHTML = `
    <div class="film-strips"></div>
    <div class="film-transport"></div>
    <p class="film-scale">${GREY_LABEL}. Select an image to enlarge it.</p>`;
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
    find(".film-strips").style.setProperty("--strips", meta.columns);
    shown = null;
    if (chosen >= Math.min(...strips.map(({ count }) => count))) chosen = null;
    for (const strip of strips) strip.enlarge(chosen, false);
  }

  const length = () => Math.max(...strips.map(({ frames }) => frames));

  function enlarge(index, section) {
    chosen = index;
    for (const strip of strips) strip.enlarge(index, strip.section === section);
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
    },
    destroy() {
      unfollow();
      transport.destroy();
      root.remove();
    },
  };
}

export default function (component) {
  return mountView(component, createFilm);
}
