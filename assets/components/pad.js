// A drawing pad with two papers: points sprayed on a plane, and ink on a small image.
//
// A drawing is a typed array that is never changed in place, so the history of undo and redo is a list of them.
// Positions are { u, v }, fractions of the pad from its top left corner; the brush radius is such a fraction too.
import { mountView } from "./mount.js";
import { paintPixels } from "./pixels.js";
import { followTheme } from "./theme.js";

const MOST_POINTS = 20000;
const MOST_UNDO = 60;
const UNIT = 32767; // points are int16 pairs, UNIT = extent: what is shown is exactly what is sent
const INK_SCALE = 10; // ink is painted at this many pixels a side for each pixel of the image

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

function toBase64(bytes) {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

function fromBase64(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function distanceToSegment(x, y, from, to) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const along = clamp(((x - from.x) * dx + (y - from.y) * dy) / (dx * dx + dy * dy || 1), 0, 1);
  return Math.hypot(x - from.x - along * dx, y - from.y - along * dy);
}

// Int16Array of x, y pairs, y upwards.
export function pointsPaper() {
  const place = ({ u, v }) => ({ x: (2 * u - 1) * UNIT, y: (1 - 2 * v) * UNIT });
  return {
    blank: new Int16Array(0),
    radius: 0.04,
    hint: "Drag here to spray points",
    label: "Drawing pad for points",
    isBlank: (points) => points.length === 0,
    describe: (points) => `${(points.length / 2).toLocaleString("en")} points`,

    // The spray is even along the stroke and in time, and as dense under a wide brush as under a narrow one.
    draw(points, from, to, radius, seconds) {
      const length = Math.hypot(to.u - from.u, to.v - from.v);
      const wanted = Math.floor(radius * (15000 * length + 5000 * seconds) + Math.random());
      const sprayed = [];
      for (let k = Math.min(wanted, MOST_POINTS - points.length / 2); k > 0; k--) {
        const along = Math.random();
        const angle = 2 * Math.PI * Math.random();
        const away = radius * Math.sqrt(Math.random());
        const u = from.u + along * (to.u - from.u) + away * Math.cos(angle);
        const v = from.v + along * (to.v - from.v) + away * Math.sin(angle);
        const { x, y } = place({ u, v });
        if (Math.abs(x) <= UNIT && Math.abs(y) <= UNIT) sprayed.push(x, y);
      }
      const drawn = new Int16Array(points.length + sprayed.length);
      drawn.set(points);
      drawn.set(sprayed, points.length);
      return drawn;
    },

    erase(points, from, to, radius) {
      const [start, end] = [place(from), place(to)];
      const outside = (index) =>
        distanceToSegment(points[index], points[index + 1], start, end) > 2 * radius * UNIT; // the pad is 2 wide
      return points.filter((_, index) => outside(index - (index % 2)));
    },

    encode: (points) => toBase64(new Uint8Array(points.buffer)),
    decode: (text) => new Int16Array(fromBase64(text).buffer),

    paint(canvas, points, style) {
      const context = canvas.getContext("2d");
      const ratio = Math.min(devicePixelRatio, 2);
      const side = Math.round(canvas.clientWidth * ratio);
      if (canvas.width !== side) canvas.width = canvas.height = side;
      context.clearRect(0, 0, side, side);
      context.fillStyle = style.getPropertyValue("--data");
      context.globalAlpha = 0.7;
      const dot = 2.5 * ratio;
      const scale = side / (2 * UNIT);
      for (let index = 0; index < points.length; index += 2) {
        const [x, y] = [(points[index] + UNIT) * scale, (UNIT - points[index + 1]) * scale];
        context.fillRect(x - dot / 2, y - dot / 2, dot, dot);
      }
    },
  };
}

// Uint8Array of ink, 0 black to 255 white, (INK_SCALE * size) ** 2; sent as size x size means.
export function inkPaper(size, backdrop) {
  const side = INK_SCALE * size;
  const place = ({ u, v }) => ({ x: u * side, y: v * side });

  // Combines the soft round brush with every pixel that it can reach: full inside half its radius, then fading.
  function brush(ink, from, to, radius, combine) {
    const [start, end, reach] = [place(from), place(to), radius * side];
    const marked = ink.slice();
    const first = (a, b) => clamp(Math.floor(Math.min(a, b) - reach), 0, side);
    const last = (a, b) => clamp(Math.ceil(Math.max(a, b) + reach), 0, side);
    for (let y = first(start.y, end.y); y < last(start.y, end.y); y++) {
      for (let x = first(start.x, end.x); x < last(start.x, end.x); x++) {
        const inside = 1 - distanceToSegment(x + 0.5, y + 0.5, start, end) / reach;
        const index = y * side + x;
        marked[index] = combine(ink[index], 255 * clamp(2 * inside, 0, 1));
      }
    }
    return marked;
  }

  function shrink(ink) {
    const means = new Float64Array(size * size);
    ink.forEach((value, index) => {
      const [x, y] = [index % side, Math.floor(index / side)];
      means[Math.floor(y / INK_SCALE) * size + Math.floor(x / INK_SCALE)] += value / INK_SCALE ** 2;
    });
    return Uint8Array.from(means, Math.round);
  }

  return {
    blank: new Uint8Array(side * side),
    radius: 0.06,
    hint: backdrop ? "Paint over what shall be drawn anew" : "Draw here",
    label: backdrop ? "Pad to paint over a picture" : "Drawing pad for an image",
    isBlank: (ink) => ink.every((value) => value === 0),
    describe: () => (backdrop ? "" : `What the model sees: ${size} × ${size} pixels`),
    draw: (ink, from, to, radius) => brush(ink, from, to, radius, Math.max),
    erase: (ink, from, to, radius) =>
      brush(ink, from, to, radius, (value, cleared) => Math.min(value, 255 - cleared)),
    encode: (ink) => toBase64(shrink(ink)),
    decode(text) {
      const means = fromBase64(text);
      const enlarged = new Uint8Array(side * side);
      return enlarged.map((_, index) => {
        const [x, y] = [index % side, Math.floor(index / side)];
        return means[Math.floor(y / INK_SCALE) * size + Math.floor(x / INK_SCALE)];
      });
    },
    paint(canvas, ink) {
      paintPixels(canvas, ink, side);
      if (!backdrop) return;
      const context = canvas.getContext("2d"); // ink covers the picture behind
      const image = context.getImageData(0, 0, side, side);
      ink.forEach((value, index) => image.data.set([213, 94, 0, 0.85 * value], 4 * index));
      context.putImageData(image, 0, 0);
      canvas.style.background = `center / 100% url(${backdrop})`;
    },
    preview: backdrop ? undefined : (canvas, ink) => paintPixels(canvas, shrink(ink), size),
  };
}

const PAD_ICONS = {
  undo: "M4 8h9a4 4 0 0 1 0 8H9M4 8l4-4M4 8l4 4",
  redo: "M16 8H7a4 4 0 0 0 0 8h4M16 8l-4-4M16 8l-4 4",
  clear: "M4 6h12M8 6V4h4v2M6 6l1 10h6l1-10",
};

function iconButton(name, title) {
  const icon = `<svg viewBox="0 0 20 20" aria-hidden="true"><path d="${PAD_ICONS[name]}"/></svg>`;
  return `<button type="button" data-do="${name}" title="${title}" aria-label="${title}">${icon}</button>`;
}

function padMarkup(paper) {
  return `
    <div class="pad-paper">
      <canvas tabindex="0" role="application" aria-label="${paper.label}"
        aria-roledescription="drawing pad" aria-describedby="pad-keys"></canvas>
      <p class="pad-hint" aria-hidden="true">${paper.hint}</p>
      <span class="pad-brush" hidden></span>
    </div>
    <figure>
      ${paper.preview ? '<canvas class="pad-preview" role="img" aria-label="What the model sees"></canvas>' : ""}
      <output class="pad-count"></output>
    </figure>
    <div class="pad-tools">
      <span class="pad-choice" role="group" aria-label="Tool">
        <button type="button" data-tool="draw">Brush</button>
        <button type="button" data-tool="erase">Eraser</button>
      </span>
      <label>Size <input type="range" min="0.01" max="0.15" step="0.005" value="${paper.radius}"></label>
      <span class="pad-history">
        ${iconButton("undo", "Undo")}${iconButton("redo", "Redo")}${iconButton("clear", "Clear")}
      </span>
    </div>
    <p id="pad-keys" class="pad-keys">Arrow keys move the brush (with Shift, faster), space draws,
      E changes between brush and eraser, Control+Z undoes.</p>`;
}

function createPad(parent, data) {
  const paper = data.paper === "points" ? pointsPaper() : inkPaper(data.size, data.backdrop);
  const root = document.createElement("div");
  root.className = `pad pad-${data.paper} themed`;
  root.innerHTML = padMarkup(paper);
  parent.append(root);
  const find = (selector) => root.querySelector(selector);
  const [canvas, outline, slider] = [find("canvas"), find(".pad-brush"), find("input")];

  const read = (text) => (text ? paper.decode(text) : paper.blank);
  let shown = data.drawing; // by the page
  let drawing = read(shown);
  let setStateValue;
  let [past, future] = [[], []];
  let [tool, cursor, pen] = ["draw", { u: 0.5, v: 0.5 }, null];
  const radius = () => Number(slider.value);

  function render() {
    const blank = paper.isBlank(drawing);
    paper.paint(canvas, drawing, getComputedStyle(root));
    paper.preview?.(find(".pad-preview"), drawing);
    find(".pad-hint").hidden = !blank || pen !== null;
    find(".pad-count").textContent = paper.describe(drawing);
    find('[data-do="undo"]').disabled = past.length === 0;
    find('[data-do="redo"]').disabled = future.length === 0;
    find('[data-do="clear"]').disabled = blank;
    for (const button of root.querySelectorAll("[data-tool]")) {
      button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
    }
  }

  function moveCursor(position) {
    cursor = { u: clamp(position.u, 0, 1), v: clamp(position.v, 0, 1) };
    outline.hidden = false;
    outline.style.cssText = `left: ${100 * cursor.u}%; top: ${100 * cursor.v}%; width: ${200 * radius()}%`;
  }

  function mark(from, to, seconds) {
    drawing = paper[tool](drawing, from, to, radius(), seconds);
  }

  function penDown(position) {
    if (pen) return;
    pen = { before: drawing, time: performance.now() };
    moveCursor(position);
    mark(cursor, cursor, 0.05);
    requestAnimationFrame(dwell);
  }

  function dwell(now) {
    if (!pen) return;
    const seconds = clamp((now - pen.time) / 1000, 0, 0.1);
    pen.time = now;
    if (data.paper === "points" && tool === "draw") mark(cursor, cursor, seconds);
    render();
    requestAnimationFrame(dwell);
  }

  function penMove(position) {
    const from = cursor;
    moveCursor(position);
    if (pen) mark(from, cursor, 0);
  }

  function penUp() {
    if (!pen) return;
    const { before } = pen;
    pen = null;
    keep(before);
  }

  function send() {
    render();
    setStateValue("drawing", paper.isBlank(drawing) ? "" : paper.encode(drawing));
  }

  function keep(before) {
    past = [...past.slice(1 - MOST_UNDO), before];
    future = [];
    send();
  }

  const actions = {
    undo() {
      if (past.length === 0) return;
      future = [...future, drawing];
      drawing = past.at(-1);
      past = past.slice(0, -1);
      send();
    },
    redo() {
      if (future.length === 0) return;
      past = [...past, drawing];
      drawing = future.at(-1);
      future = future.slice(0, -1);
      send();
    },
    clear() {
      const before = drawing;
      drawing = paper.blank;
      keep(before);
    },
  };

  function choose(name) {
    penUp();
    tool = name;
    moveCursor(cursor);
    render();
  }

  function position(event) {
    const box = canvas.getBoundingClientRect();
    return { u: (event.clientX - box.left) / box.width, v: (event.clientY - box.top) / box.height };
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary || event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    penDown(position(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!event.isPrimary) return;
    const moves = (pen && event.getCoalescedEvents?.()) || []; // not every browser has it, nor without HTTPS
    for (const move of moves.length ? moves : [event]) penMove(position(move));
  });
  canvas.addEventListener("pointerup", (event) => event.isPrimary && penUp());
  canvas.addEventListener("pointercancel", (event) => event.isPrimary && penUp());
  canvas.addEventListener("pointerleave", () => (outline.hidden = true));
  canvas.addEventListener("focus", () => canvas.matches(":focus-visible") && moveCursor(cursor));
  canvas.addEventListener("blur", () => {
    penUp();
    outline.hidden = true;
  });

  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.addEventListener("keydown", (event) => {
    const arrow = arrows[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (arrow) {
      const step = event.shiftKey ? 0.1 : 0.02;
      penMove({ u: cursor.u + step * arrow[0], v: cursor.v + step * arrow[1] });
    } else if (event.key === " ") {
      penDown(cursor);
    } else if (event.key.toLowerCase() === "e") {
      choose(tool === "draw" ? "erase" : "draw");
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  });
  canvas.addEventListener("keyup", (event) => event.key === " " && penUp());
  root.addEventListener("keydown", (event) => {
    const key = event.key.toLowerCase();
    if (!(event.ctrlKey || event.metaKey) || (key !== "z" && key !== "y")) return;
    event.preventDefault();
    actions[key === "y" || event.shiftKey ? "redo" : "undo"]();
  });
  root.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.do) actions[button.dataset.do]();
    if (button?.dataset.tool) choose(button.dataset.tool);
  });

  const unfollow = followTheme(root, data.palette, render);
  const resized = new ResizeObserver(render);
  resized.observe(canvas);

  return {
    update(component) {
      setStateValue = component.setStateValue;
      // Until the person draws, the page may change what the pad shows.
      if (component.data.drawn || component.data.drawing === shown) return;
      shown = component.data.drawing;
      drawing = read(shown);
      render();
    },
    destroy() {
      pen = null;
      resized.disconnect();
      unfollow();
      root.remove();
    },
  };
}

export default function (component) {
  return mountView(component, ({ parentElement, data }) => createPad(parentElement, data));
}
