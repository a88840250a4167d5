// A U-Net drawn from its own parts: encoder on the left going down, decoder on the right going up, skip connections
// across. Every part shows its first feature maps at the moment of the clock; the selected one shows all of them.
import { unpack } from "./buffer.js";
import { mountView } from "./mount.js";
import { paintPixels } from "./pixels.js";
import { followScreen, isAlone, roomsFor } from "./screen.js";
import { followTheme } from "./theme.js";
import { createTransport } from "./transport.js";

const FPS = 4;
const DRAWN_FOR = 490; // CSS pixels: the width at which the sizes below hold
const LARGEST = 1.3; // times the sizes below, on a screen of 800 CSS pixels' height; more on a higher one
const LABEL = 12; // height of the letters of a name
const SIDE = 86; // of an image, and the height of a map of its resolution
const WIDEST = 112; // of the part with the most channels
const CELL = 24; // about the side of a thumbnail
const CLEAR = 3.4; // and at least this for a value of the map
const GAP = 24; // between rows
const HEAD = 34; // above the images, for what they are
const INDENT = 14; // of each level
const NARROW = 420;
const PAINTED = 48; // canvas pixels that a map is about wide
const BETWEEN = 5; // canvas pixels between maps

// From dark over the model's hue to white; the same in both themes, as with photographs.
const STOPS = [
  [0, [12, 10, 18]],
  [0.3, [96, 34, 14]],
  [0.62, [222, 103, 16]],
  [0.85, [255, 188, 120]],
  [1, [255, 246, 232]],
];
const HUES = Uint32Array.from({ length: 256 }, (_, byte) => {
  const share = byte / 255;
  const right = Math.max(1, STOPS.findIndex(([at]) => at >= share));
  const [[from, low], [to, high]] = [STOPS[right - 1], STOPS[right]];
  const mixed = low.map((value, index) => value + ((share - from) / (to - from)) * (high[index] - value));
  return (0xff000000 | (mixed[2] << 16) | (mixed[1] << 8) | mixed[0]) >>> 0;
});

const capital = (text) => text[0].toUpperCase() + text.slice(1);
const shapeText = (shape) => shape.join(" × ");
const whole = (number) => number.toLocaleString("en");
const percent = (share) => (share > 0 && share < 0.001 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`);
const written = (value, digits) => value.toFixed(digits).replace("-", "−");

// A number in about three characters: 0.28, 4.1, 37.
export function short(value) {
  const size = Math.abs(value);
  return written(value, size < 0.995 ? 2 : size < 9.95 ? 1 : 0);
}

// Places the parts, for a stage of `width` CSS pixels and at most `largest` times the sizes above; `beside`: there are
// two images between noise and guess. Names keep their size where the parts are smaller, and grow with larger ones.
// Returns { boxes: { name: { x, y, width, height, columns, rows } }, height, label: height of the letters }.
export function layout(parts, [imageHeight, imageWidth], width, beside, largest) {
  const scale = Math.min(Math.max(width / DRAWN_FOR, 0.72), largest);
  const text = Math.max(scale, 1);
  const most = Math.max(...parts.filter(({ output }) => output.length === 3).map(({ output }) => output[0]));
  const side = SIDE * scale;
  const ratio = imageWidth / imageHeight;
  const sizeOf = ({ output: [channels, rowsOfMap, columnsOfMap] }) => {
    const height = side * Math.sqrt(rowsOfMap / imageHeight);
    const wide = WIDEST * scale * Math.sqrt(channels / most);
    const rows = channels < 4 ? 1 : Math.max(1, Math.round(height / Math.max(CELL * scale, CLEAR * rowsOfMap)));
    const cell = (height / rows) * (columnsOfMap / rowsOfMap);
    const columns = Math.max(1, Math.min(Math.round(wide / cell), Math.ceil(channels / rows)));
    return { width: columns * cell, height, rows, columns };
  };
  const byName = Object.fromEntries(parts.map((part) => [part.name, part]));
  const levels = Math.max(...parts.map(({ level }) => level ?? 0));
  const pairs = [["x", "x0"], ["stem", "head"]];
  for (let level = 1; level <= levels; level++) {
    pairs.push([`encoder ${level}`, `decoder ${level}`]);
    if (level < levels) pairs.push([`down ${level}`, `up ${level}`]);
  }
  const indent = width < NARROW ? INDENT / 3 : Math.min(INDENT, (2 * INDENT) / Math.max(levels - 1, 1)) * scale;
  const boxes = {};
  let y = HEAD * text;
  pairs.forEach((pair, row) => {
    const sizes = pair.map((name) => (byName[name] ? sizeOf(byName[name]) : { width: side * ratio, height: side }));
    const tallest = Math.max(...sizes.map(({ height }) => height));
    const middle = (WIDEST * scale) / 2 + indent * Math.max(0, Math.floor((row - 1) / 2));
    pair.forEach((name, index) => {
      const size = sizes[index];
      const x = (index === 0 ? middle : width - middle) - size.width / 2;
      boxes[name] = { ...size, x, y: y + (tallest - size.height) / 2 };
    });
    y += tallest + GAP * scale;
  });
  for (const name of ["middle", "attention", "cross-attention"]) {
    if (!byName[name]) continue;
    const size = sizeOf(byName[name]);
    boxes[name] = { ...size, x: (width - size.width) / 2, y };
    y += size.height + 18 * text + GAP * scale;
  }
  const picture = { width: side * ratio, height: side, y: HEAD * text };
  boxes.image = { ...picture, x: (width - side * ratio) / 2 - (beside ? side * ratio * 0.54 : 0) };
  boxes.whole = { ...picture, x: boxes.image.x + side * ratio * 1.08 };
  const bar = { width: Math.min(140 * scale, width * 0.3), height: 28 * scale, rows: 1, columns: 1 };
  boxes.embedding = { ...bar, x: (width - bar.width) / 2, y: HEAD * text + side + 10 * text };
  return { boxes, height: y - GAP * scale, label: LABEL * text };
}

// Paints maps (bytes, one after the other) in a grid with gaps.
function paintMaps(canvas, bytes, count, height, width, columns) {
  const rows = Math.ceil(count / columns);
  const zoom = Math.max(1, Math.round(PAINTED / width)); // canvas pixels for a value
  const [stepX, stepY] = [width * zoom + BETWEEN, height * zoom + BETWEEN];
  const size = { width: columns * stepX - BETWEEN, height: rows * stepY - BETWEEN };
  if (canvas.width !== size.width || canvas.height !== size.height) Object.assign(canvas, size);
  const picture = new ImageData(size.width, size.height);
  const pixels = new Uint32Array(picture.data.buffer);
  for (let map = 0; map < count; map++) {
    const corner = Math.floor(map / columns) * stepY * size.width + (map % columns) * stepX;
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const hue = HUES[bytes[(map * height + row) * width + column]];
        const start = corner + row * zoom * size.width + column * zoom;
        for (let line = 0; line < zoom; line++) {
          pixels.fill(hue, start + line * size.width, start + line * size.width + zoom);
        }
      }
    }
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

const SVG = "http://www.w3.org/2000/svg";

function drawPath(svg, d, className, ends = "") {
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", d);
  path.setAttribute("class", className);
  path.dataset.ends = ends;
  if (className !== "hit") path.setAttribute("marker-end", `url(#diagram-${className === "told" ? "dot" : "arrow"})`);
  svg.append(path);
  return path;
}

const IMAGES = [
  { name: "x", title: "noisy", role: "noise" },
  { name: "image", title: "clean", role: "data" },
  { name: "whole", title: "uncut", role: "exact" },
  { name: "x0", title: "guess", role: "model" },
];

function imageMarkup({ name, title, role }) {
  return `
    <figure class="diagram-image" data-image="${name}">
      <figcaption style="--role: var(--${role})"><b>${title}</b><span></span></figcaption>
      <div class="diagram-picture"><canvas role="img" aria-label="Image: ${title}"></canvas></div>
    </figure>`;
}

const MARKUP = `
  <div class="diagram-clock"></div>
  <div class="diagram-view">
  <div class="diagram-stage">
    <svg aria-hidden="true">
      <marker id="diagram-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8"
        markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">
        <path d="M0 0.5L7.5 4L0 7.5z"/>
      </marker>
      <marker id="diagram-dot" viewBox="0 0 8 8" refX="4" refY="4" markerWidth="8" markerHeight="8"
        markerUnits="userSpaceOnUse">
        <circle cx="4" cy="4" r="3"/>
      </marker>
    </svg>
    ${IMAGES.map(imageMarkup).join("")}
  </div>
  <section class="diagram-panel" aria-label="The part in hand">
    <div class="diagram-about" aria-live="polite">
      <h2></h2>
      <p class="diagram-does"></p>
      <dl>
        <div><dt>In</dt><dd data-fact="input"></dd></div>
        <div><dt>Out</dt><dd data-fact="output"></dd></div>
        <div><dt>Parameters</dt><dd data-fact="parameters"></dd></div>
        <div><dt>Multiply-adds</dt><dd data-fact="compute"></dd></div>
        <div><dt>Sees</dt><dd data-fact="field"></dd></div>
      </dl>
    </div>
    <div class="diagram-maps">
      <header><h3></h3><button type="button" class="diagram-cut"></button></header>
      <div class="diagram-grid"></div>
      <p class="diagram-scale"></p>
    </div>
  </section>
  </div>`;

function createDiagram(component) {
  let { data: bytes } = component;
  let { meta, arrays } = unpack(bytes);
  const root = document.createElement("div");
  root.className = "diagram themed";
  root.innerHTML = MARKUP;
  component.parentElement.append(root);
  const find = (selector) => root.querySelector(selector);
  const stage = find(".diagram-stage");
  const svg = find("svg");
  let parts; // name -> what meta says of it, the skip connections included
  let buttons; // name -> the button on the stage
  let boxes;
  const field = document.createElement("div"); // on the noisy image: what the part in hand sees of it
  field.className = "diagram-field";
  find('[data-image="x"] .diagram-picture').append(field);
  let selected = "encoder 1";
  const attended = { pointer: null, focus: null }; // the part that either is on
  let shown = null; // the moment on the canvases

  function build() {
    for (const button of Object.values(buttons ?? {})) button.remove();
    parts = {};
    for (const part of meta.parts) {
      parts[part.name] = part;
      if (part.kind !== "encoder") continue;
      const skip = { name: `skip ${part.level}`, kind: "skip", level: part.level, does: meta.skip };
      const unchanged = { input: part.output, output: part.output, parameters: 0, multiplyAdds: 0, field: part.field };
      parts[skip.name] = { ...skip, ...unchanged };
    }
    if (!parts[selected]) selected = "encoder 1";
    for (const by of Object.keys(attended)) if (!parts[attended[by]]) attended[by] = null;
    buttons = {};
    for (const [name, part] of Object.entries(parts)) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = `diagram-part ${part.kind}`;
      button.dataset.part = name;
      button.innerHTML = `<canvas></canvas><span class="diagram-name"><b></b><small></small></span>`;
      button.addEventListener("click", () => select(name));
      attendTo(button, name);
      button.addEventListener("focus", () => attend("focus", name));
      button.addEventListener("blur", () => attend("focus", null));
      stage.append(button);
      buttons[name] = button;
    }
    place();
  }

  const mapsOf = (name) => (parts[name].kind === "skip" ? `encoder ${parts[name].level}` : name);
  const recorded = (name) => arrays[`maps ${mapsOf(name)}`];
  const scaleOf = (name) => meta.scales[name] ?? 1;
  const passing = (scale) => (scale ? `× ${scale}` : "cut");

  function label() {
    for (const [name, button] of Object.entries(buttons)) {
      const part = parts[name];
      const scale = scaleOf(name);
      button.querySelector("b").textContent = part.kind === "skip" && scale < 1 ? passing(scale) : name;
      button.querySelector("small").textContent =
        part.kind === "skip" ? "" : scale < 1 ? passing(scale) : shapeText(part.output);
      const said = [capital(name), shapeText(part.output), ...(scale < 1 ? [`times ${scale}`] : [])];
      button.setAttribute("aria-label", said.join(", "));
      button.setAttribute("aria-pressed", name === selected);
      button.classList.toggle("cut", scale === 0);
      button.classList.toggle("blind", !recorded(name));
    }
    for (const path of svg.querySelectorAll(".across")) {
      path.style.setProperty("--passes", scaleOf(path.dataset.part));
      path.classList.toggle("cut", scaleOf(path.dataset.part) === 0);
    }
  }

  // As large as the width lets it be; alone on the screen, as its height does.
  function layOut(width) {
    const drawn = (largest) => layout(meta.parts, imageShape(), width, Boolean(arrays.whole), largest);
    if (!isAlone(root)) return drawn(LARGEST * Math.max(document.documentElement.clientHeight / 800, 1));
    const above = stage.getBoundingClientRect().top - find(".diagram-clock").getBoundingClientRect().top;
    let largest = 3;
    while (drawn(largest).height > roomsFor(root)[0] - above && largest > 0.5) largest -= 0.05;
    return drawn(largest);
  }

  function place() {
    const width = stage.clientWidth;
    if (!width) return;
    const placed = layOut(width);
    boxes = placed.boxes;
    stage.style.height = `${placed.height}px`;
    stage.style.fontSize = `${placed.label}px`;
    svg.setAttribute("viewBox", `0 0 ${width} ${placed.height}`);
    for (const path of svg.querySelectorAll(":scope > path")) path.remove();
    if (parts[attended.pointer]?.kind === "skip") attended.pointer = null; // a line that is removed is never left
    drawEmbedding(width);
    drawWays();
    drawSkips(width, placed.label / LABEL);
    for (const [name, button] of Object.entries(buttons)) {
      const { x, y, width: wide, height } = boxes[name];
      button.classList.toggle("right", x + wide / 2 > width / 2 + 1);
      button.classList.toggle("centre", Math.abs(x + wide / 2 - width / 2) <= 1);
      Object.assign(button.style, { left: `${x}px`, top: `${y}px`, width: `${wide}px`, height: `${height}px` });
    }
    for (const figure of stage.querySelectorAll(".diagram-image")) {
      const { x, y, width: wide, height } = boxes[figure.dataset.image];
      Object.assign(figure.style, { left: `${x}px`, top: `${y}px`, width: `${wide}px` });
      figure.lastElementChild.style.height = `${height}px`;
    }
    label();
    shown = null;
  }

  const centreX = ({ x, width }) => x + width / 2;
  const bottom = ({ y, height }) => y + height;

  function drawWays() {
    const reads = meta.parts.filter(({ inputs, kind }) => inputs.length && !kind.endsWith("attention"));
    for (const { name, inputs } of reads) drawWay(inputs[0] === "image" ? "x" : inputs[0], name);
    drawWay("head", "x0");
    for (const name of ["attention", "cross-attention"]) {
      if (!boxes[name]) continue;
      const down = `M${centreX(boxes.middle)} ${bottom(boxes.middle)}V${boxes[name].y - 1}`;
      drawPath(svg, down, "way both", `middle|${name}`);
    }
  }

  // From one part to the next along the U: straight down or up, or around the corner at the middle.
  function drawWay(from, to) {
    const [a, b] = [boxes[from], boxes[to]];
    const [x, there] = [centreX(a), centreX(b)];
    const [start, end] = b.y > a.y ? [bottom(a), b.y - 2] : [a.y, bottom(b) + 2];
    const half = (start + end) / 2;
    let d = `M${x} ${start}C${x} ${half} ${there} ${half} ${there} ${end}`;
    if (to === "middle") d = `M${x} ${bottom(a)}Q${x} ${b.y + b.height / 2} ${b.x - 2} ${b.y + b.height / 2}`;
    if (from === "middle") d = `M${a.x + a.width} ${a.y + a.height / 2}Q${there} ${a.y + a.height / 2} ${there} ${end}`;
    drawPath(svg, d, "way", `${from}|${to}`);
  }

  function drawSkips(width, text) {
    for (const part of meta.parts.filter(({ kind }) => kind === "encoder")) {
      const [from, to] = [boxes[part.name], boxes[`decoder ${part.level}`]];
      const y = from.y + from.height / 2;
      const name = `skip ${part.level}`;
      const d = `M${from.x + from.width} ${y}H${to.x - 3}`;
      drawPath(svg, d, "way across", `${part.name}|decoder ${part.level}`).dataset.part = name;
      const hit = drawPath(svg, d, "hit");
      hit.addEventListener("click", () => select(name));
      attendTo(hit, name);
      const size = width < NARROW ? { width: 42, height: 20 } : { width: 58 * text, height: 24 * text };
      boxes[name] = { ...size, x: (width - size.width) / 2, y: y - size.height / 2 };
    }
  }

  function drawEmbedding(width) {
    const takers = meta.parts.filter(({ modulated, name }) => modulated && name !== "middle");
    const trunk = width / 2;
    drawPath(svg, `M${trunk} ${bottom(boxes.embedding)}V${boxes.middle.y}`, "told", "embedding|middle");
    for (const { name } of takers) {
      const box = boxes[name];
      const left = centreX(box) < trunk;
      const x = left ? box.x + box.width - 8 : box.x + 8;
      drawPath(svg, `M${trunk} ${box.y - 9}H${x}V${box.y}`, "told", `embedding|${name}`);
    }
  }

  const imageShape = () => arrays.x.shape.slice(1, 3); // height, width

  function attend(by, name) {
    attended[by] = name;
    describe();
  }

  function attendTo(element, name) {
    element.addEventListener("pointerenter", () => attend("pointer", name));
    element.addEventListener("pointerleave", () => attend("pointer", null));
  }

  function select(name) {
    selected = name;
    label();
    buildGrid();
    describe();
    shown = null;
    transport.refresh();
  }

  const cut = find(".diagram-cut");
  cut.addEventListener("click", () => component.setTriggerValue("cut", selected));

  // What the panel says: of the part under the pointer, else of that in focus, else of the selected one.
  function describe() {
    const name = attended.pointer ?? attended.focus ?? selected;
    const part = parts[name];
    const total = (key) => meta.parts.reduce((sum, other) => sum + other[key], 0);
    find(".diagram-about h2").textContent = capital(name);
    const now = { 1: "", 0: " Now it is cut: the decoder gets zeros." }[scaleOf(name)];
    const passes = part.kind === "skip" ? (now ?? ` Now the decoder gets them times ${scaleOf(name)}.`) : "";
    find(".diagram-does").textContent = part.does + passes;
    const facts = {
      input: part.kind === "embedding" ? "noise level" : shapeText(part.input),
      output: shapeText(part.output),
    };
    for (const [fact, text] of Object.entries(facts)) find(`[data-fact="${fact}"]`).textContent = text;
    for (const [fact, key] of [["parameters", "parameters"], ["compute", "multiplyAdds"]]) {
      const share = part[key] / total(key);
      const cell = find(`[data-fact="${fact}"]`);
      cell.innerHTML = `<span></span><i style="--share:${share}"></i><em></em>`;
      cell.firstChild.textContent = whole(part[key]);
      cell.lastChild.textContent = percent(share);
    }
    cut.hidden = !meta.cuttable.includes(selected);
    cut.textContent = scaleOf(selected) ? "Cut it" : "Join it again";
    showField(part.field);
    root.dataset.about = name;
    for (const [other, button] of Object.entries(buttons)) button.classList.toggle("about", other === name);
    for (const path of svg.querySelectorAll("[data-ends]")) {
      const touches = path.dataset.ends.split("|").includes(name) || path.dataset.part === name;
      path.classList.toggle("lit", touches);
    }
  }

  function showField(seen) {
    const [height, width] = imageShape();
    field.hidden = !seen;
    const cell = find('[data-fact="field"]');
    if (!seen) return (cell.textContent = "no pixel");
    const [top, end, left, right] = seen;
    const all = end - top === height && right - left === width;
    cell.textContent = all
      ? `the whole image, ${width} × ${height} pixels`
      : `${right - left} × ${end - top} of the image's ${width} × ${height} pixels`;
    const share = (value, of) => `${(100 * value) / of}%`;
    Object.assign(field.style, {
      left: share(left, width),
      top: share(top, height),
      width: share(right - left, width),
      height: share(end - top, height),
    });
  }

  function buildGrid() {
    const grid = find(".diagram-grid");
    grid.className = "diagram-grid";
    const maps = recorded(selected);
    const [, count, height, width] = maps?.shape ?? [0, 0, 1, 1];
    const vector = parts[selected].kind === "embedding";
    grid.classList.toggle("single", count === 1 && !vector);
    grid.style.setProperty("--columns", Math.ceil(Math.sqrt(1.25 * count)));
    const channels = parts[selected].output[0];
    const counted = count < channels ? `the first ${count} of ${channels} maps` : `${count} map${count > 1 ? "s" : ""}`;
    const title = vector ? `${width} numbers` : `${counted} of ${height} × ${width}`;
    find(".diagram-maps h3").textContent = `${capital(selected)}: ${title}`;
    if (vector) {
      grid.innerHTML = `<div class="diagram-vector"><canvas></canvas><i></i></div>`;
      const [moments] = maps.shape;
      const turned = maps.data.map((_, index) => maps.data[(index % moments) * width + Math.floor(index / moments)]);
      paintMaps(grid.querySelector("canvas"), turned, 1, width, moments, 1);
      const [low, high] = arrays["range embedding"].data;
      find(".diagram-scale").textContent =
        "One row for each number, one column for each noise level, from image (left) to noise; the line is now. " +
        `From ${short(low)} (dark) to ${short(high)} (light).`;
      return;
    }
    grid.replaceChildren(
      ...Array.from({ length: count }, () => {
        const figure = document.createElement("figure");
        figure.innerHTML = "<canvas></canvas><figcaption></figcaption>";
        return figure;
      }),
    );
    find(".diagram-scale").textContent =
      "Each map from its own least value (dark) to its greatest (light); the numbers say which.";
  }

  const frameOf = ({ data, shape }, frame) => {
    const size = shape.slice(1).reduce((product, length) => product * length, 1);
    return data.subarray(frame * size, (frame + 1) * size);
  };

  function showMaps(frame) {
    const maps = recorded(selected);
    if (!maps) return;
    const [moments, , height, width] = maps.shape;
    const line = find(".diagram-vector i");
    if (line) return line.style.setProperty("left", `${(100 * (frame + 0.5)) / moments}%`);
    const values = frameOf(maps, frame);
    const bounds = frameOf(arrays[`range ${mapsOf(selected)}`], frame);
    const size = height * width;
    [...find(".diagram-grid").children].forEach((figure, index) => {
      paintMaps(figure.firstChild, values.subarray(index * size, (index + 1) * size), 1, height, width, 1);
      figure.lastChild.textContent = `${short(bounds[2 * index])} … ${short(bounds[2 * index + 1])}`;
    });
  }

  function showThumbnails(frame) {
    for (const [name, button] of Object.entries(buttons)) {
      const maps = parts[name].kind !== "skip" && recorded(name);
      if (!maps) continue;
      const canvas = button.querySelector("canvas");
      const values = frameOf(maps, frame);
      if (parts[name].kind === "embedding") {
        paintMaps(canvas, values, 1, 2, maps.shape[3] / 2, 1);
      } else {
        const { rows, columns } = boxes[name];
        paintMaps(canvas, values, Math.min(rows * columns, maps.shape[1]), maps.shape[2], maps.shape[3], columns);
      }
    }
  }

  function show(position) {
    const frame = Math.round(position);
    if (frame === shown || !boxes) return;
    shown = frame;
    for (const { name } of IMAGES) {
      const figure = find(`[data-image="${name}"]`);
      const images = arrays[name];
      figure.hidden = !images;
      if (!images) continue;
      const bytes = images.shape.length < arrays.x.shape.length ? images.data : frameOf(images, frame);
      paintPixels(figure.querySelector("canvas"), bytes, imageShape()[1], arrays.x.shape[3]);
    }
    showThumbnails(frame);
    showMaps(frame);
    const numbers = { x: `log-SNR ${written(meta.moments[frame].logSnr, 1)}`, image: meta.source };
    for (const name of ["x0", "whole"]) {
      if (arrays[name]) numbers[name] = `error ${written(arrays[`error ${name}`].data[frame], 3)}`;
    }
    for (const [name, text] of Object.entries(numbers)) find(`[data-image="${name}"] span`).textContent = text;
    root.dataset.frame = frame;
  }

  build();
  const unfollow = followTheme(root, meta.palette);
  const transport = createTransport(find(".diagram-clock"), {
    frames: meta.moments.length,
    fps: FPS,
    label: "noise level",
    autoplay: meta.autoplay,
    root,
    onFrame: show,
    format: (position) => `t = ${written(meta.moments[Math.round(position)].t, 2)}`,
  });
  if (!transport.playing) transport.seek(meta.start);
  buildGrid();
  describe();
  const unfollowScreen = followScreen(root, () => {
    place();
    describe();
    transport.refresh();
  });

  return {
    update(latest) {
      component = latest;
      if (component.data === bytes) return;
      bytes = component.data;
      const before = JSON.stringify(meta.parts);
      ({ meta, arrays } = unpack(bytes));
      if (JSON.stringify(meta.parts) === before) place();
      else build();
      buildGrid();
      describe();
      shown = null;
      transport.setFrames(meta.moments.length);
    },
    destroy() {
      unfollowScreen();
      unfollow();
      transport.destroy();
      root.remove();
    },
  };
}

export default function (component) {
  return mountView(component, createDiagram);
}
