// The forward process on one clock: the noisy image, the histogram of its pixels, and where on the schedule it is.
import { unpack } from "./buffer.js";
import { mountView } from "./mount.js";
import { GREY_LABEL, paintPixels, toGrey } from "./pixels.js";
import { createSaving } from "./save.js";
import { followScreen, isAlone, roomsFor } from "./screen.js";
import { followTheme } from "./theme.js";
import { createTransport } from "./transport.js";

const SECONDS = 6; // from data to noise at speed 1
const LEAST_SIDE = 192; // of the picture, CSS pixels, while the page leaves as much on its first screen
const LABEL = 12; // CSS pixels: the height of letters for which a chart's margins below hold
const BINS = { from: -4.125, to: 4.125, count: 33 }; // -1, 0 and 1 are in the middle of a bin
const DENSITY_SHOWN = 1; // bars of an image of few greys are higher; they are cut, and say their height

const CURVES = [
  {
    name: "signal",
    title: "Signal left: ᾱ = α² / (α² + σ²)",
    role: "data",
    y: { from: 0, to: 1, ticks: [0, 0.5, 1] },
    value: ({ alpha, sigma }) => alpha ** 2 / (alpha ** 2 + sigma ** 2),
  },
  {
    name: "noise",
    title: "Noise: σ / √(α² + σ²)",
    role: "noise",
    y: { from: 0, to: 1, ticks: [0, 0.5, 1] },
    value: ({ alpha, sigma }) => sigma / Math.hypot(alpha, sigma),
  },
  {
    name: "log-snr",
    title: "log-SNR = 2 log(α / σ)",
    role: "exact",
    y: { from: -10, to: 13, ticks: [-8, 0, 8] },
    value: ({ logSnr }) => logSnr,
  },
];

// A schedule's table holds the rows t, alpha, sigma, log-SNR; between two columns it is linear.
export function momentAt({ data, shape: [, columns] }, position) {
  const left = Math.min(Math.floor(position), columns - 2);
  const share = position - left;
  const [t, alpha, sigma, logSnr] = [0, 1, 2, 3].map((row) => {
    const index = row * columns + left;
    return (1 - share) * data[index] + share * data[index + 1];
  });
  return { t, alpha, sigma, logSnr };
}

// The position at which the table's time is t: momentAt(table, positionOf(table, t)).t === t, inside the table.
export function positionOf({ data, shape: [, columns] }, t) {
  const times = data.subarray(0, columns);
  const right = times.findIndex((time) => time >= t);
  if (right <= 0) return right === 0 ? 0 : columns - 1;
  return right - 1 + (t - times[right - 1]) / (times[right] - times[right - 1]);
}

// Share of the values in each bin over the bin's width: a density.
export function histogram(values) {
  const width = (BINS.to - BINS.from) / BINS.count;
  const density = new Float64Array(BINS.count);
  for (const value of values) {
    const bin = Math.floor((value - BINS.from) / width);
    density[Math.min(Math.max(bin, 0), BINS.count - 1)] += 1 / (values.length * width);
  }
  return density;
}

const written = (value, digits) => value.toFixed(digits).replace("-", "−");

function element(parent, tag, attributes, text = "") {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.textContent = text;
  parent.append(node);
  return node;
}

const polyline = (points) => `M${points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}`;

// Draws empty axes that fill `svg`; returns x and y, from values to pixels, and `time`, back from pixels.
function drawAxes(svg, { x, y, title, xTitle }) {
  const [width, height] = [svg.clientWidth, svg.clientHeight];
  const unit = parseFloat(getComputedStyle(svg).fontSize) / LABEL;
  const box = { left: 28 * unit, right: width - 8 * unit, top: 26 * unit, bottom: height - 34 * unit };
  const scale = {
    x: (value) => box.left + ((value - x.from) / (x.to - x.from)) * (box.right - box.left),
    y: (value) => box.bottom - ((value - y.from) / (y.to - y.from)) * (box.bottom - box.top),
    back: (pixels) => x.from + ((pixels - box.left) / (box.right - box.left)) * (x.to - x.from),
    unit,
    ...box,
  };
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  element(svg, "text", { x: 0, y: 12 * unit, class: "title" }, title);
  element(svg, "text", { x: (box.left + box.right) / 2, y: height - 2 * unit, "text-anchor": "middle" }, xTitle);
  for (const tick of x.ticks) {
    const at = { x: scale.x(tick), y: box.bottom + 15 * unit, "text-anchor": "middle" };
    element(svg, "text", at, String(tick).replace("-", "−"));
  }
  for (const tick of y.ticks) {
    const at = { x: box.left - 5 * unit, y: scale.y(tick) + 4 * unit, "text-anchor": "end" };
    element(svg, "text", at, String(tick).replace("-", "−"));
    element(svg, "path", { class: "grid", d: `M${box.left} ${scale.y(tick)}H${box.right}` });
  }
  element(svg, "path", { class: "axis", d: `M${box.left} ${box.bottom}H${box.right}` });
  return scale;
}

const heightAt = (points, x) => {
  const right = points.findIndex(([there]) => there >= x);
  if (right <= 0) return points.at(right)[1];
  const [[x0, y0], [x1, y1]] = [points[right - 1], points[right]];
  return y0 + ((x - x0) / (x1 - x0)) * (y1 - y0);
};

// Writes the name of each line on it, where it is farthest from the others and from the names before it.
function nameLines(svg, { left, right }, lines) {
  const named = [];
  for (const { name, points, kind } of lines) {
    const label = element(svg, "text", { class: `name ${kind}`, "text-anchor": "middle" }, name);
    const { width, height } = label.getBBox();
    let best = { room: -1 };
    for (const [x, y] of points) {
      if (x - width / 2 < left || x + width / 2 > right) continue;
      const gaps = lines.filter((other) => other.name !== name).map((other) => Math.abs(heightAt(other.points, x) - y));
      for (const other of named) {
        const apart = Math.abs(other.x - x) > (other.width + width) / 2 ? Infinity : Math.abs(other.y - y) - height;
        gaps.push(Math.max(0, apart));
      }
      const room = Math.min(...gaps);
      if (room > best.room) best = { room, x, y, width };
    }
    named.push(best);
    label.setAttribute("x", best.x);
    label.setAttribute("y", best.y + height / 3);
  }
}

function curveMarkup({ name, title }) {
  return `<svg class="noising-chart" data-curve="${name}" role="img" aria-label="${title}"></svg>`;
}

function createNoising({ parentElement, data: bytes }) {
  let { meta, arrays } = unpack(bytes);
  const root = document.createElement("div");
  root.className = "noising themed";
  root.innerHTML = `
    <div class="noising-grid">
      <figure class="noising-picture">
        <canvas role="img" aria-label="The image with the noise of this moment"></canvas>
        <figcaption>x<sub>t</sub> / √(α² + σ²). ${GREY_LABEL}.</figcaption>
      </figure>
      <div class="noising-transport"></div>
      <div class="noising-saving"><div></div></div>
      <dl class="noising-numbers">
        <div><dt>time t</dt><dd data-number="t"></dd></div>
        <div><dt>image left, ᾱ</dt><dd data-number="signal"></dd></div>
        <div><dt>noise, σ</dt><dd data-number="sigma"></dd></div>
        <div><dt>log-SNR</dt><dd data-number="log-snr"></dd></div>
      </dl>
      <svg class="noising-chart noising-histogram" role="img"
        aria-label="Histogram of the pixels beside a unit normal"></svg>
      <div class="noising-curves">
        ${CURVES.map(curveMarkup).join("")}
      </div>
    </div>`;
  parentElement.append(root);
  const find = (selector) => root.querySelector(selector);
  const curves = CURVES.map((curve) => ({ ...curve, svg: find(`[data-curve="${curve.name}"]`) }));
  let bars;

  const table = (name = meta.schedule) => arrays[`schedule ${name}`];
  const columns = () => table().shape[1];

  function drawHistogram() {
    const svg = find(".noising-histogram");
    const x = { from: BINS.from, to: BINS.to, ticks: [-4, -2, 0, 2, 4] };
    const y = { from: 0, to: DENSITY_SHOWN, ticks: [0, 0.5, 1] };
    const scale = drawAxes(svg, { x, y, title: "Density of the pixels (bars), and N(0, 1) (line)", xTitle: "pixel value" });
    bars = { scale, path: element(svg, "path", { class: "bars" }) };
    bars.peak = element(svg, "text", { y: scale.top + 10 * scale.unit });
    const normal = Array.from({ length: 161 }, (_, k) => {
      const value = BINS.from + ((BINS.to - BINS.from) * k) / 160;
      return [scale.x(value), scale.y(Math.exp(-(value ** 2) / 2) / Math.sqrt(2 * Math.PI))];
    });
    element(svg, "path", { class: "normal", d: polyline(normal) });
  }

  function drawCurve(curve) {
    const x = { from: 0, to: 1, ticks: [0, 0.5, 1] };
    const scale = (curve.scale = drawAxes(curve.svg, { x, y: curve.y, title: curve.title, xTitle: "time t" }));
    const others = meta.schedules.filter((name) => name !== meta.schedule);
    const lines = [];
    for (const name of [...others, meta.schedule]) {
      const points = Array.from({ length: table(name).shape[1] }, (_, position) => {
        const moment = momentAt(table(name), position);
        return [scale.x(moment.t), scale.y(curve.value(moment))];
      });
      const kind = name === meta.schedule ? `chosen ${curve.role}` : "other";
      const path = element(curve.svg, "path", { class: kind, d: polyline(points) });
      element(path, "title", {}, name);
      lines.push({ name, points, kind });
    }
    nameLines(curve.svg, scale, lines.reverse());
    curve.line = element(curve.svg, "path", { class: "moment", d: `M0 ${scale.top}V${scale.bottom}` });
    curve.dot = element(curve.svg, "circle", { class: `moment ${curve.role}`, r: 4.5 * curve.scale.unit });
  }

  function showHistogram(values, signal) {
    const { scale, path, peak } = bars;
    const density = histogram(values);
    const width = (BINS.to - BINS.from) / BINS.count;
    let outline = "";
    density.forEach((height, bin) => {
      const left = BINS.from + bin * width;
      const top = scale.y(Math.min(height, DENSITY_SHOWN));
      outline += `M${scale.x(left) + 0.5} ${scale.bottom}V${top}H${scale.x(left + width) - 0.5}V${scale.bottom}Z`;
    });
    path.setAttribute("d", outline);
    path.style.fill = `color-mix(in srgb, var(--data) ${100 * signal}%, var(--noise))`;
    const highest = Math.max(...density);
    peak.textContent = highest > DENSITY_SHOWN ? highest.toFixed(1) : "";
    peak.setAttribute("x", scale.x(BINS.from + (density.indexOf(highest) + 1) * width) + 4);
  }

  // The noisy image, of the size of the clean one.
  function noisy({ alpha, sigma }) {
    const { image, noise } = arrays;
    const size = Math.hypot(alpha, sigma);
    return image.data.map((value, index) => (alpha * value + sigma * noise.data[index]) / size);
  }

  function show(position) {
    const moment = momentAt(table(), position);
    const { t, alpha, sigma, logSnr } = moment;
    const { image } = arrays;
    const size = Math.hypot(alpha, sigma);
    const values = noisy(moment);
    paintPixels(find("canvas"), values.map(toGrey), image.shape[1]);
    const signal = (alpha / size) ** 2;
    showHistogram(values, signal);
    for (const { scale, value, line, dot } of curves) {
      line.setAttribute("transform", `translate(${scale.x(t)} 0)`);
      dot.setAttribute("transform", `translate(${scale.x(t)} ${scale.y(value(moment))})`);
    }
    const numbers = { t: written(t, 3), signal: written(signal, 4), "log-snr": written(logSnr, 2) };
    numbers.sigma = written(sigma, sigma < 10 ? 4 : 2);
    for (const [name, number] of Object.entries(numbers)) {
      find(`[data-number="${name}"]`).textContent = number;
    }
  }

  function draw() {
    drawHistogram();
    curves.forEach(drawCurve);
  }

  function scrub(event, { svg, scale }) {
    if (event.type === "pointerdown") svg.setPointerCapture(event.pointerId);
    if (!svg.hasPointerCapture(event.pointerId)) return;
    transport.pause();
    transport.seek(positionOf(table(), scale.back(event.clientX - svg.getBoundingClientRect().left)));
  }

  for (const curve of curves) {
    curve.svg.addEventListener("pointerdown", (event) => scrub(event, curve));
    curve.svg.addEventListener("pointermove", (event) => scrub(event, curve));
  }

  const unfollow = followTheme(root, meta.palette);
  draw();
  const transport = createTransport(find(".noising-transport"), {
    frames: columns(),
    fps: columns() / SECONDS,
    label: "time from data to noise",
    autoplay: meta.autoplay,
    root,
    onFrame: show,
    format: (position) => `t = ${written(momentAt(table(), position).t, 2)}`,
  });
  if (!transport.playing) transport.seek(0); // still, it opens on the image
  // The picture as large as lets it and the clock be on the screen; alone on it, the curves too.
  function fit() {
    const gap = parseFloat(getComputedStyle(find(".noising-grid")).rowGap);
    const below = ["figcaption", ".noising-transport", ...(isAlone(root) ? [".noising-saving", ".noising-curves"] : [])];
    const heights = below.map((part) => find(part).offsetHeight + gap);
    const sides = roomsFor(root).map((room) => heights.reduce((left, height) => left - height, room));
    const side = sides.find((height) => height >= LEAST_SIDE) ?? sides.at(-1);
    root.style.setProperty("--side", `${Math.floor(Math.max(side, LEAST_SIDE))}px`);
    draw();
    show(transport.position);
  }

  createSaving(find(".noising-saving").firstElementChild, () => {
    const computed = getComputedStyle(root);
    const { image } = arrays;
    const [height, width] = image.shape;
    const momentOf = (position) => momentAt(table(), position * (columns() - 1));
    return {
      name: `noise ${meta.schedule}`,
      style: { background: computed.backgroundColor, text: computed.color, font: computed.fontFamily },
      position: transport.position / (columns() - 1),
      frames: columns(),
      milliseconds: 1000 * SECONDS,
      painters: (side) => [{ scene: { title: meta.schedule }, side, canvas: document.createElement("canvas") }],
      paint({ side, canvas }, context, position) {
        paintPixels(canvas, noisy(momentOf(position)).map(toGrey), width);
        const step = side / Math.max(height, width);
        context.imageSmoothingEnabled = false;
        context.drawImage(canvas, 0, 0, width * step, height * step);
      },
      text(_, position) {
        const { t, logSnr } = momentOf(position);
        return `t = ${written(t, 2)}, log-SNR ${written(logSnr, 1)}`;
      },
    };
  });
  fit();
  const unfollowScreen = followScreen(root, fit);

  return {
    update({ data }) {
      if (data === bytes) return;
      bytes = data;
      ({ meta, arrays } = unpack(bytes));
      draw();
      transport.setFrames(columns());
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
  return mountView(component, createNoising);
}
