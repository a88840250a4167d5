// The trajectory player: scenes on one clock, layers, hovering, starting particles, exports.
import { followTheme } from "./theme.js";
import { unpack } from "./buffer.js";
import { createTransport, prefersStillness } from "./transport.js";
import { followScreen, isAlone, roomsFor, topOf } from "./screen.js";
import { createPainter } from "./stage.js";
import { createSaving } from "./save.js";
import { mountView } from "./mount.js";

const MOST_RATIO = 2; // canvas pixels per CSS pixel
const LEAST_SIDE = 256; // of a stage, CSS pixels, while the page leaves as much on its first screen
const LARGE_SIDE = 360; // of a stage below which the layers have room on the first screen, too
const MARGIN = 12; // below what has to be on the screen
const DRAWN_FOR = 440; // CSS pixels: up to this side dots and lines have their own size, then they grow with it
const PICK_DISTANCE = 18; // CSS pixels
const CURSOR_STEP = 0.01; // of the stage; five times that with Shift

export default function (component) {
  return mountView(component, createPlayer);
}

// The scenes of a buffer: every "index.name" array under its scene.
function readScenes({ meta, arrays }) {
  const scenes = meta.scenes.map((scene) => ({ ...scene, arrowScale: meta.arrow_scale }));
  for (const [path, array] of Object.entries(arrays)) {
    const [index, name] = path.split(".");
    scenes[index][name] = name === "t" ? array.data : array;
  }
  return scenes;
}

function element(tag, className, attributes = {}) {
  const made = Object.assign(document.createElement(tag), { className });
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function createPlayer({ parentElement }) {
  const root = element("div", "player themed", { tabindex: "-1" });
  const stageRow = element("div", "player-stages");
  const bar = element("div", "player-transport");
  const chips = element("div", "player-layers", { role: "group", "aria-label": "Layers" });
  const foot = element("div", "player-foot");
  const saving = element("div");
  const hint = element("p", "player-hint", { "aria-live": "polite" });
  foot.append(hint, saving);
  root.append(stageRow, bar, chips, foot);
  parentElement.append(root);

  let component;
  let meta;
  let scenes = [];
  let stages = []; // { head, canvas, context, painter, title, readout, caption }
  let transport;
  let savings;
  let style;
  let layers = new Set();
  let hovered = null;
  let cursor = null; // { index, u, v }: the keyboard's cross-hair, v downwards
  let waiting = null; // the same for a start that Python has not answered yet
  let stopFollowing;
  const drawTimes = [];
  const sizes = new ResizeObserver(() => (layOut(), draw()));
  const unfollowScreen = followScreen(root, fit);

  const frames = () => Math.max(...scenes.map((scene) => scene.t.length));
  const progress = () => (frames() > 1 ? transport.position / (frames() - 1) : 1);
  const stepsOf = (scene) => scene.t.length - 1;
  const sameSteps = () => scenes.every((scene) => stepsOf(scene) === stepsOf(scenes[0]));

  function stageText(scene, position) {
    const frame = position * stepsOf(scene);
    const [first, second] = [scene.t[Math.floor(frame)], scene.t[Math.ceil(frame)]];
    const time = `t = ${(first + (second - first) * (frame % 1)).toFixed(2)}`;
    return sameSteps() ? time : `step ${Math.round(frame)} / ${stepsOf(scene)}, ${time}`;
  }

  function barText(position) {
    const last = frames() - 1;
    if (sameSteps()) return `step ${Math.round(position)} / ${last}`;
    return `${Math.round((100 * position) / Math.max(last, 1))} %`;
  }

  function readStyle() {
    const computed = getComputedStyle(root);
    const roles = meta.palette[root.dataset.theme];
    style = { ...roles, background: computed.backgroundColor, text: computed.color, font: computed.fontFamily };
    layOut();
    transport?.refresh();
  }

  function makePainter(scene, size, ratio) {
    return createPainter(scene, { size, ratio, style, reach: meta.reach });
  }

  // Canvases of the size they have on the screen, and painters for them.
  function layOut() {
    const ratio = Math.min(devicePixelRatio || 1, MOST_RATIO);
    stages.forEach((stage, index) => {
      const size = Math.round(stage.canvas.clientWidth * ratio);
      if (!size) return;
      if (stage.canvas.width !== size) stage.canvas.width = stage.canvas.height = size;
      const strength = Math.max(stage.canvas.clientWidth / DRAWN_FOR, 1);
      stage.painter = makePainter(scenes[index], size, ratio * strength);
    });
  }

  // Stages as large as the screen lets them be, with their titles, the bar and, if there is room, the layers; alone on
  // it, with all else too.
  function fit() {
    const boxes = stages.map(({ canvas }) => canvas.getBoundingClientRect());
    const ends = (isAlone(root) ? [foot] : [chips, bar]).map((end) => end.getBoundingClientRect().bottom);
    const above = boxes[0].top - topOf(root);
    const rows = isAlone(root) && boxes.at(-1).top > boxes[0].bottom ? 2 : 1;
    const between = boxes[rows - 1].top - boxes[0].top - (rows - 1) * boxes[0].height;
    const below = ends.map((end) => Math.max(end - boxes[rows - 1].bottom, 0) + MARGIN);
    const [sides, withLayers] = [below.at(-1), below[0]].map((taken) =>
      roomsFor(root).map((room) => (room - above - between - taken) / rows),
    );
    const small = sides.find((height) => height >= LEAST_SIDE) ?? sides.at(-1);
    const side = withLayers[0] >= LARGE_SIDE ? withLayers[0] : small;
    root.style.setProperty("--side", `${Math.floor(Math.max(side, 0))}px`);
  }

  function draw() {
    const before = performance.now();
    const position = progress();
    stages.forEach(({ canvas, context, painter, readout }, index) => {
      if (!painter) return;
      context.clearRect(0, 0, canvas.width, canvas.height);
      painter.paint(context, position, layers, hovered);
      paintMark(context, canvas.width, index);
      readout.textContent = stageText(scenes[index], position);
    });
    drawTimes.push(performance.now() - before);
    if (drawTimes.length === 60) {
      root.dataset.frameMs = drawTimes.sort((a, b) => a - b)[30].toFixed(2);
      drawTimes.length = 0;
    }
  }

  // The keyboard's cross-hair, and the ring where a particle is about to start.
  function paintMark(context, size, index) {
    context.strokeStyle = style.text;
    context.lineWidth = size / 350;
    context.beginPath();
    if (cursor?.index === index) {
      const [x, y, arm] = [cursor.u * size, cursor.v * size, size / 30];
      context.moveTo(x - arm, y);
      context.lineTo(x + arm, y);
      context.moveTo(x, y - arm);
      context.lineTo(x, y + arm);
    }
    if (waiting?.index === index) {
      const [x, y, radius] = [waiting.u * size, waiting.v * size, size / 80];
      context.moveTo(x + radius, y);
      context.arc(x, y, radius, 0, 2 * Math.PI);
    }
    context.stroke();
  }

  // ---- new data

  function update(next) {
    const content = unpack(next.data);
    const formerly = meta;
    component = next;
    meta = content.meta;
    scenes = readScenes(content);
    waiting = null;
    root.style.setProperty("--scenes", scenes.length);
    root.dataset.scenes = scenes.length;
    if (String(meta.layers) !== String(formerly?.layers)) layers = new Set(meta.layers);
    if (hovered >= scenes[0].x.shape[1]) hovered = null;
    if (stages.length !== scenes.length) buildStages();
    scenes.forEach((scene, index) => {
      const { canvas, title, caption } = stages[index];
      title.textContent = scene.title;
      caption.textContent = scene.caption;
      caption.hidden = !scene.caption;
      canvas.setAttribute("aria-label", describe(scene));
      canvas.classList.toggle("player-startable", meta.startable);
    });
    buildChips();
    showHint();
    if (!formerly) {
      transport = createTransport(bar, {
        frames: frames(),
        fps: meta.fps,
        label: scenes.map((scene) => scene.title).join(" and "),
        autoplay: meta.autoplay,
        onFrame: draw,
        format: barText,
        root,
      });
      fit();
      stopFollowing = followTheme(root, meta.palette, readStyle);
      savings = createSaving(saving, film);
    } else {
      transport.setFps(meta.fps);
      transport.setFrames(frames());
      fit();
      layOut();
    }
    savings.offer(scenes.map((scene) => scene.title));
  }

  function describe(scene) {
    const count = scene.x.shape[1].toLocaleString("en");
    return `${scene.title}: ${count} points move from noise to data in ${stepsOf(scene)} steps. ${scene.caption}`;
  }

  function buildStages() {
    sizes.disconnect();
    stageRow.replaceChildren();
    stages = scenes.map((scene, index) => {
      const figure = element("figure", "player-stage");
      const head = element("div", "player-head");
      const title = element("span", "player-title");
      const readout = element("span", "player-readout");
      const canvas = element("canvas", "player-canvas", { role: "img", tabindex: "0" });
      const caption = element("figcaption", "player-caption");
      head.append(title, readout);
      figure.append(head, canvas, caption);
      stageRow.append(figure);
      listen(canvas, index);
      sizes.observe(canvas);
      return { canvas, context: canvas.getContext("2d"), title, readout, caption, painter: null };
    });
  }

  function buildChips() {
    const hasData = (name) => ["points", "density", "paths"].includes(name) || scenes.some((scene) => scene[name]);
    const names = Object.keys(meta.labels).filter(hasData);
    if (String([...chips.children].map((chip) => chip.value)) !== String(names)) {
      chips.replaceChildren(
        ...names.map((name) => {
          const chip = Object.assign(element("button", "player-chip", { type: "button" }), { value: name });
          chip.textContent = meta.labels[name];
          chip.addEventListener("click", () => {
            if (!layers.delete(name)) layers.add(name);
            showLayers();
            transport.refresh();
          });
          return chip;
        }),
      );
    }
    showLayers();
  }

  function showLayers() {
    for (const chip of chips.children) chip.setAttribute("aria-pressed", layers.has(chip.value));
  }

  function showHint() {
    const start = meta.startable ? "start a particle" : "inspect a point";
    if (cursor) {
      const { x, y } = toView(cursor);
      hint.textContent = `x = ${x.toFixed(2)}, y = ${y.toFixed(2)}. ${meta.startable ? "Enter: start. " : ""}Escape: leave.`;
    } else if (stageRow.querySelector(":focus-visible")) {
      hint.textContent = `Enter shows a cursor to ${start} with.`;
    } else {
      const touch = matchMedia("(pointer: coarse)").matches;
      hint.textContent = `${touch ? "Tap" : meta.startable ? "Click" : "Hover"} to ${start}.`;
    }
  }

  // ---- pointing and starting

  const toView = ({ u, v }) => ({ x: (2 * u - 1) * meta.extent, y: (1 - 2 * v) * meta.extent });

  function locate(event, index) {
    const box = stages[index].canvas.getBoundingClientRect();
    return { index, u: (event.clientX - box.left) / box.width, v: (event.clientY - box.top) / box.height };
  }

  function hover(place) {
    const stage = place && stages[place.index];
    const size = stage?.painter?.size;
    const distance = size && (PICK_DISTANCE * size) / stage.canvas.clientWidth;
    const index = size ? stage.painter.nearest(place.u * size, place.v * size, distance) : null;
    if (index === hovered) return;
    hovered = index;
    root.dataset.hovered = hovered ?? "";
    transport.refresh();
  }

  function start(place) {
    if (!meta.startable) return;
    waiting = place;
    component.setTriggerValue("start", { scene: place.index, ...toView(place) });
    if (prefersStillness()) return transport.refresh();
    transport.seek(0);
    transport.play();
  }

  function moveCursor(place) {
    cursor = place;
    hover(place);
    showHint();
    transport.refresh();
  }

  function listen(canvas, index) {
    canvas.addEventListener("pointermove", (event) => hover(locate(event, index)));
    canvas.addEventListener("pointerdown", (event) => hover(locate(event, index)));
    canvas.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hover(null));
    canvas.addEventListener("click", (event) => start(locate(event, index)));
    canvas.addEventListener("focus", showHint);
    canvas.addEventListener("blur", () => (cursor ? moveCursor(null) : showHint()));
    canvas.addEventListener("keydown", (event) => {
      const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      const within = (value) => Math.min(Math.max(value, 0), 1);
      if (event.key === "Enter") {
        if (cursor) start(cursor);
        else moveCursor({ index, u: 0.5, v: 0.5 });
      } else if (cursor && event.key === "Escape") {
        moveCursor(null);
      } else if (cursor && arrows[event.key]) {
        const [right, down] = arrows[event.key].map((sign) => sign * CURSOR_STEP * (event.shiftKey ? 5 : 1));
        moveCursor({ index, u: within(cursor.u + right), v: within(cursor.v + down) });
      } else {
        return;
      }
      event.preventDefault();
      event.stopPropagation();
    });
  }

  // What an export shows: the scenes as they are now.
  function film() {
    const shown = { scenes, layers: new Set(layers), hovered };
    return {
      name: [meta.name, ...scenes.map((scene) => scene.title)].join(" "),
      style,
      position: progress(),
      frames: frames(),
      milliseconds: (1000 * (frames() - 1)) / meta.fps,
      painters: (side, ratio) => shown.scenes.map((scene) => makePainter(scene, side, ratio)),
      paint: (painter, context, position) => painter.paint(context, position, shown.layers, shown.hovered),
      text: (painter, position) => stageText(painter.scene, position),
    };
  }

  return {
    update,
    destroy() {
      sizes.disconnect();
      unfollowScreen();
      stopFollowing();
      transport.destroy();
      root.remove();
    },
  };
}
