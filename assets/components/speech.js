// Speech as it comes out of noise: two spectrograms on one clock, what is said under them, and the sound of each step.
import { unpack } from "./buffer.js";
import { mountView } from "./mount.js";
import { followScreen, isAlone, roomsFor, topOf } from "./screen.js";
import { followTheme } from "./theme.js";
import { createTransport } from "./transport.js";

const MARGIN = 8; // below the bar
const LEAST = 70; // height of a spectrogram, CSS pixels
const MOST = 260;
const PITCH = { from: 60, to: 420 }; // Hz
const HERTZ = [500, 1000, 2000, 4000];

const ICON = { listen: "M8 5.5v13a.6.6 0 0 0 .92.5l10.2-6.5a.6.6 0 0 0 0-1L8.92 5a.6.6 0 0 0-.92.5z", stop: "M6 6h12v12H6z" };

const svg = (name) => `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${ICON[name]}"/></svg>`;

// [red, green, blue] of a CSS colour.
function rgb(colour) {
  const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  return context.getImageData(0, 0, 1, 1).data;
}

// 256 colours from the ground through a strip's own to that of the text.
function ramp(ground, role, text) {
  return Uint32Array.from({ length: 256 }, (_, value) => {
    const share = value / 255;
    const [from, to, part] = share < 0.6 ? [ground, role, share / 0.6] : [role, text, (share - 0.6) / 0.55];
    const [red, green, blue] = [0, 1, 2].map((k) => Math.round(from[k] + (to[k] - from[k]) * part));
    return 0xff000000 | (blue << 16) | (green << 8) | red;
  });
}

// One spectrogram; its values are bytes, (frames, bands, places), the lowest band first.
function createStrip({ title, role, captions }, listen) {
  const section = document.createElement("section");
  section.className = "speech-strip";
  section.innerHTML = `
    <div class="speech-head">
      <p class="speech-title"></p><p class="speech-caption"></p>
      <button type="button"></button>
    </div>
    <div class="speech-picture"><canvas role="img"></canvas><i hidden></i><svg class="speech-hertz" aria-hidden="true"></svg></div>`;
  const find = (selector) => section.querySelector(selector);
  find(".speech-title").textContent = title;
  find(".speech-title").style.setProperty("--role", `var(--${role})`);
  find("button").addEventListener("click", listen);
  return {
    section,
    role,
    canvas: find("canvas"),
    button: find("button"),
    playhead: find("i"),
    hertz: find("svg.speech-hertz"),
    caption(frame) {
      find(".speech-caption").textContent = captions[frame];
      find("canvas").setAttribute("aria-label", `Spectrogram of ${title}, ${captions[frame]}`);
    },
  };
}

function createSpeech({ parentElement, data: bytes }) {
  const root = document.createElement("div");
  root.className = "speech themed";
  root.innerHTML = `
    <div class="speech-strips"></div>
    <div class="speech-words" aria-hidden="true"></div>
    <div class="speech-phones" aria-hidden="true"></div>
    <svg class="speech-pitch" role="img"></svg>
    <div class="speech-transport"></div>
    <p class="speech-foot"></p>`;
  parentElement.append(root);
  const find = (selector) => root.querySelector(selector);
  let meta;
  let arrays;
  let strips = [];
  let shown = null;
  let audio = null; // made at the first click: browsers want one
  let playing = null; // { source, strip, started }
  let started = false;

  function read() {
    stop();
    ({ meta, arrays } = unpack(bytes));
    strips = meta.strips.map((strip, index) => createStrip(strip, () => listen(index)));
    find(".speech-strips").replaceChildren(...strips.map(({ section }) => section));
    place(find(".speech-words"), meta.words);
    place(find(".speech-phones"), meta.phones);
    find(".speech-foot").textContent = meta.foot;
    showButtons();
    shown = null;
  }

  // Labels over the time that each takes.
  function place(row, labels) {
    row.replaceChildren(
      ...labels.map(([text, start, end]) => {
        const label = Object.assign(document.createElement("span"), { textContent: text, title: text });
        label.style.left = `${(100 * start) / meta.seconds}%`;
        label.style.width = `${(100 * (end - start)) / meta.seconds}%`;
        return label;
      }),
    );
  }

  function showButtons() {
    strips.forEach((strip, index) => {
      const on = playing?.strip === index;
      strip.button.innerHTML = `${svg(on ? "stop" : "listen")}<span>${on ? "Stop" : "Listen"}</span>`;
      strip.button.ariaLabel = on ? "Stop the sound" : `Listen to ${meta.strips[index].title} at this step`;
      strip.button.dataset.on = on;
      strip.playhead.hidden = !on;
    });
  }

  function stop() {
    if (!playing) return;
    playing.source.onended = null;
    playing.source.stop();
    playing = null;
    showButtons();
  }

  function listen(index) {
    const again = playing?.strip !== index;
    stop();
    if (!again) return;
    transport.pause();
    audio ??= new AudioContext();
    audio.resume();
    const { data, shape } = arrays[`sound ${index}`];
    const [, samples] = shape;
    const sound = audio.createBuffer(1, samples, meta.rate);
    const values = sound.getChannelData(0);
    const first = shown * samples;
    for (let k = 0; k < samples; k++) values[k] = data[first + k] / 32768;
    const source = audio.createBufferSource();
    source.buffer = sound;
    source.connect(audio.destination);
    source.onended = () => source === playing?.source && stop();
    playing = { source, strip: index, started: audio.currentTime };
    root.dataset.sounding = index;
    source.start();
    showButtons();
    requestAnimationFrame(follow);
  }

  function follow() {
    if (!playing) return;
    const share = (audio.currentTime - playing.started) / meta.seconds;
    strips[playing.strip].playhead.style.left = `${100 * Math.min(share, 1)}%`;
    requestAnimationFrame(follow);
  }

  function paint(strip, index, frame) {
    const { data, shape } = arrays[`strip ${index}`];
    const [, bands, places] = shape;
    const { canvas } = strip;
    if (canvas.width !== places || canvas.height !== bands) Object.assign(canvas, { width: places, height: bands });
    const image = new ImageData(places, bands);
    const pixels = new Uint32Array(image.data.buffer);
    const start = frame * bands * places;
    for (let row = 0; row < bands; row++) {
      const from = start + (bands - 1 - row) * places;
      for (let k = 0; k < places; k++) pixels[row * places + k] = strip.colours[data[from + k]];
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  function paintPitch(frame) {
    const { data, shape } = arrays.pitch;
    const places = shape[1];
    const picture = find(".speech-pitch");
    picture.setAttribute("viewBox", `0 0 ${places} 100`);
    picture.setAttribute("preserveAspectRatio", "none");
    const high = (hertz) => 100 - (100 * Math.log(hertz / PITCH.from)) / Math.log(PITCH.to / PITCH.from);
    let path = "";
    let drawing = false;
    for (let k = 0; k < places; k++) {
      const hertz = data[frame * places + k];
      path += hertz ? `${drawing ? "L" : "M"}${k + 0.5} ${high(hertz).toFixed(1)}` : "";
      drawing = hertz > 0;
    }
    picture.innerHTML = `<path d="${path}" vector-effect="non-scaling-stroke"/>`;
    picture.setAttribute("aria-label", meta.pitch[frame]);
  }

  function colour() {
    const style = getComputedStyle(root);
    const [ground, text] = [rgb(style.backgroundColor), rgb(style.color)];
    for (const strip of strips) strip.colours = ramp(ground, rgb(style.getPropertyValue(`--${strip.role}`)), text);
    shown = null;
  }

  // The lines of the frequencies that are named, on the scale of the bands.
  function drawHertz() {
    const mel = (hertz) => 2595 * Math.log10(1 + hertz / 700);
    const [low, high] = [mel(meta.hertz[0]), mel(meta.hertz[1])];
    for (const { hertz } of strips) {
      hertz.innerHTML = HERTZ.filter((value) => value <= meta.hertz[1])
        .map((value) => {
          const y = 100 - (100 * (mel(value) - low)) / (high - low);
          return `<text x="2" y="${Math.max(y, 9)}%" dy="${y < 9 ? "0.9em" : "0.3em"}">${value < 1000 ? `${value} Hz` : `${value / 1000} kHz`}</text>`;
        })
        .join("");
    }
  }

  function fit() {
    const rest = find(".speech-strips").getBoundingClientRect();
    const canvases = strips.reduce((sum, { canvas }) => sum + canvas.getBoundingClientRect().height, 0);
    const below = find(isAlone(root) ? ".speech-foot" : ".speech-transport").getBoundingClientRect().bottom - rest.top - canvases;
    const [room, screen] = [roomsFor(root)[0], roomsFor(root).at(-1)];
    const heights = [room, screen].map((space) => (space - (rest.top - topOf(root)) - below - MARGIN) / strips.length);
    const height = heights.find((one) => one >= LEAST) ?? LEAST;
    root.style.setProperty("--height", `${Math.min(height, isAlone(root) ? Infinity : MOST)}px`);
  }

  function show(position) {
    const frame = Math.round(position);
    if (frame === shown) return;
    if (playing) stop();
    shown = frame;
    strips.forEach((strip, index) => {
      paint(strip, index, frame);
      strip.caption(frame);
    });
    paintPitch(frame);
    root.dataset.frame = frame;
  }

  const length = () => arrays["strip 0"].shape[0];

  function take() {
    read();
    colour();
    drawHertz();
  }

  read();
  const unfollow = followTheme(root, meta.palette, () => {
    colour();
    if (started) transport.refresh();
  });
  const transport = createTransport(find(".speech-transport"), {
    frames: length(),
    fps: meta.fps,
    label: meta.label,
    autoplay: meta.autoplay,
    root,
    onFrame: show,
    format: (position) => `step ${Math.round(position)} / ${length() - 1}`,
  });
  started = true;
  drawHertz();
  fit();
  const unfollowScreen = followScreen(root, fit);
  root.addEventListener("keydown", (event) => {
    if (event.key !== "l" || event.ctrlKey || event.metaKey || event.altKey) return;
    event.stopPropagation();
    listen(strips.length - 1);
  });

  return {
    update({ data }) {
      if (data === bytes) return;
      bytes = data;
      take();
      transport.setFps(meta.fps);
      transport.setFrames(length());
      fit();
    },
    destroy() {
      stop();
      audio?.close();
      unfollow();
      unfollowScreen();
      transport.destroy();
      root.remove();
    },
  };
}

export default function (component) {
  return mountView(component, createSpeech);
}
