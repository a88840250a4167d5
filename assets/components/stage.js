// Paints one scene of the player on a square of canvas.
import { density, massLevels, levelLine } from "./contours.js";

const DENSITY_CELLS = 72;
const MASS_SHARES = [0.15, 0.35, 0.55, 0.75, 0.92]; // of the points, inside each contour
const MOST_PATHS = 150;
const TAU = 2 * Math.PI;

// Every length below is in pixels of the canvas. `scene` holds blocks { data, shape: [frames, ..., 2] } of int16
// coordinates; `reach` is the coordinate (in the same unit) at the edge of the square. A painter is made anew when
// the scene, the size or the theme changes, so that what it remembers (backdrop, trails) never goes stale.
//   size   side of the square
//   ratio  pixels of the canvas per CSS pixel
//   style  { background, text, data, noise, model, exact }: colours
export function createPainter(scene, { size, reach, ratio, style }) {
  const factor = size / (2 * reach);
  const role = style[scene.role];
  const latest = scene.t.reduce((largest, t) => Math.max(largest, t), 1e-9);
  const pathStride = Math.max(1, Math.floor(scene.x.shape[1] / MOST_PATHS));
  const buffers = new Map();
  let trails = null; // { canvas, context, frame }: the paths up to that frame
  let backdrop = null;

  const layer = () => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = size;
    return { canvas, context: canvas.getContext("2d") };
  };

  // Pixel coordinates (x, y alternating) of a block at a fractional frame.
  function place(block, frame) {
    const stride = block.data.length / block.shape[0];
    const first = Math.min(Math.floor(frame), block.shape[0] - 1);
    const second = Math.min(first + 1, block.shape[0] - 1);
    const share = Math.min(frame - first, 1);
    if (!buffers.has(block)) buffers.set(block, new Float32Array(stride));
    const xy = buffers.get(block);
    const { data } = block;
    for (let i = 0; i < stride; i++) {
      const value = data[first * stride + i] * (1 - share) + data[second * stride + i] * share;
      xy[i] = size / 2 + (i % 2 ? -factor : factor) * value;
    }
    return xy;
  }

  // Pixel coordinates of one row of a block at a whole frame.
  function locate(block, frame, index) {
    const offset = (frame * block.shape[1] + index) * 2;
    return [size / 2 + factor * block.data[offset], size / 2 - factor * block.data[offset + 1]];
  }

  function dots(context, xy, radius, colour, alpha) {
    context.fillStyle = colour;
    context.globalAlpha = alpha;
    for (let i = 0; i < xy.length; i += 2) {
      context.beginPath(); // a path of one arc is far cheaper than one path of many
      context.arc(xy[i], xy[i + 1], radius, 0, TAU);
      context.fill();
    }
    context.globalAlpha = 1;
  }

  function disc(context, [x, y], radius, fill, stroke) {
    context.beginPath();
    context.arc(x, y, radius, 0, TAU);
    context.fillStyle = fill;
    context.fill();
    context.lineWidth = 1.5 * ratio;
    context.strokeStyle = stroke;
    context.stroke();
  }

  function paintBackdrop(context) {
    if (!backdrop) {
      backdrop = layer();
      for (const [block, colour, alpha] of [[scene.source, style.noise, 0.16], [scene.target, style.data, 0.22]]) {
        if (block) dots(backdrop.context, place(block, 0), 1.25 * ratio, colour, alpha);
      }
    }
    context.drawImage(backdrop.canvas, 0, 0);
  }

  function paintDensity(context, xy) {
    const grid = density(xy, xy.length / 2, size, DENSITY_CELLS);
    const levels = massLevels(grid, MASS_SHARES);
    const cell = size / DENSITY_CELLS;
    context.strokeStyle = role;
    context.lineWidth = 1.25 * ratio;
    levels.forEach((level, k) => {
      context.globalAlpha = 0.9 - 0.15 * k;
      context.beginPath();
      levelLine(grid, DENSITY_CELLS, level, (x0, y0, x1, y1) => {
        context.moveTo((x0 + 0.5) * cell, (y0 + 0.5) * cell);
        context.lineTo((x1 + 0.5) * cell, (y1 + 0.5) * cell);
      });
      context.stroke();
    });
    context.globalAlpha = 1;
  }

  // Arrows centred on the grid points; a vector of length 1 spans a cell.
  function paintArrows(context, block, frame, colour) {
    const side = block.shape[1];
    const cell = size / (side - 1);
    const vectors = place(block, frame);
    context.strokeStyle = colour;
    context.lineWidth = 1.1 * ratio;
    context.beginPath();
    for (let row = 0; row < side; row++) {
      for (let column = 0; column < side; column++) {
        const i = 2 * (row * side + column);
        const dx = ((vectors[i] - size / 2) / factor) * scene.arrowScale * cell * 0.45;
        const dy = ((vectors[i + 1] - size / 2) / factor) * scene.arrowScale * cell * 0.45;
        const [x, y] = [column * cell + dx, size - row * cell + dy];
        context.moveTo(x - 2 * dx, y - 2 * dy);
        context.lineTo(x, y);
        context.moveTo(x - 0.6 * dx - 0.35 * dy, y - 0.6 * dy + 0.35 * dx);
        context.lineTo(x, y);
        context.lineTo(x - 0.6 * dx + 0.35 * dy, y - 0.6 * dy - 0.35 * dx);
      }
    }
    context.globalAlpha = 0.6;
    context.stroke();
    context.globalAlpha = 1;
  }

  function paintMesh(context, frame) {
    const [, rows, columns] = scene.mesh.shape;
    const xy = place(scene.mesh, frame);
    const line = (count, nodeOf) => {
      for (let k = 0; k < count; k++) {
        const node = 2 * nodeOf(k);
        if (k) context.lineTo(xy[node], xy[node + 1]);
        else context.moveTo(xy[node], xy[node + 1]);
      }
    };
    context.beginPath();
    for (let row = 0; row < rows; row++) line(columns, (column) => row * columns + column);
    for (let column = 0; column < columns; column++) line(rows, (row) => row * columns + column);
    context.strokeStyle = role;
    context.lineWidth = ratio;
    context.globalAlpha = 0.55;
    context.stroke();
    context.globalAlpha = 1;
  }

  // One more step of every path; strokes of one step do not darken one another.
  function strokeTrails(context, frame, xy = null) {
    context.beginPath();
    for (let index = 0; index < scene.x.shape[1]; index += pathStride) {
      context.moveTo(...locate(scene.x, frame, index));
      context.lineTo(...(xy ? [xy[2 * index], xy[2 * index + 1]] : locate(scene.x, frame + 1, index)));
    }
    context.strokeStyle = role;
    context.lineWidth = ratio;
    context.globalAlpha = 0.3;
    context.stroke();
    context.globalAlpha = 1;
  }

  function paintTrails(context, frame, xy) {
    const whole = Math.floor(frame);
    trails ??= { ...layer(), frame: 0 };
    if (trails.frame > whole) {
      trails.context.clearRect(0, 0, size, size);
      trails.frame = 0;
    }
    while (trails.frame < whole) strokeTrails(trails.context, trails.frame++);
    context.drawImage(trails.canvas, 0, 0);
    if (frame > whole) strokeTrails(context, whole, xy);
  }

  // The path of one particle from its start to `frame` (or beyond a whole path when `frame` is the last).
  function tracePath(context, block, frame, index, head) {
    context.beginPath();
    context.moveTo(...locate(block, 0, index));
    for (let k = 1; k <= Math.floor(frame); k++) context.lineTo(...locate(block, k, index));
    if (head) context.lineTo(...head);
  }

  function paintStarted(context, frame) {
    const xy = place(scene.started, frame);
    const count = scene.started.shape[1];
    context.lineJoin = "round";
    for (const [colour, width] of [[style.background, 4.5], [style.text, 2]]) {
      context.strokeStyle = colour;
      context.lineWidth = width * ratio;
      for (let index = 0; index < count; index++) {
        tracePath(context, scene.started, frame, index, [xy[2 * index], xy[2 * index + 1]]);
        context.stroke();
      }
    }
    for (let index = 0; index < count; index++) {
      disc(context, locate(scene.started, 0, index), 3 * ratio, style.background, style.text);
      disc(context, [xy[2 * index], xy[2 * index + 1]], 5 * ratio, role, style.background);
    }
  }

  function paintHovered(context, frame, index, xy) {
    const head = [xy[2 * index], xy[2 * index + 1]];
    tracePath(context, scene.x, scene.x.shape[0] - 1, index);
    context.lineJoin = "round";
    context.strokeStyle = style.text;
    context.lineWidth = 1.5 * ratio;
    context.stroke();
    if (scene.x0) {
      const guesses = place(scene.x0, frame);
      const guess = [guesses[2 * index], guesses[2 * index + 1]];
      context.beginPath();
      context.moveTo(...head);
      context.lineTo(...guess);
      context.setLineDash([4 * ratio, 4 * ratio]);
      context.stroke();
      context.setLineDash([]);
      disc(context, guess, 4 * ratio, style.background, style.text);
    }
    disc(context, head, 5.5 * ratio, role, style.text);
  }

  return {
    scene,
    size,

    // position: fraction of the way, in [0, 1]; layers: Set of names; hovered: index of a point, or null.
    paint(context, position, layers, hovered = null) {
      const frame = position * (scene.x.shape[0] - 1);
      const xy = place(scene.x, frame);
      const noisy = Math.max(0, scene.t[Math.round(frame)] / latest);
      paintBackdrop(context);
      if (layers.has("field") && scene.field) paintArrows(context, scene.field, frame, role);
      if (layers.has("score") && scene.score) paintArrows(context, scene.score, frame, style.text);
      if (layers.has("mesh") && scene.mesh) paintMesh(context, frame);
      if (layers.has("paths")) paintTrails(context, frame, xy);
      if (layers.has("x0") && scene.x0) dots(context, place(scene.x0, frame), 1.5 * ratio, role, 0.4);
      const colour = blend(role, style.noise, noisy);
      if (layers.has("points")) dots(context, xy, 1.9 * ratio, colour, scene.started ? 0.3 : 0.65);
      if (layers.has("density")) paintDensity(context, xy);
      if (scene.started) paintStarted(context, frame);
      if (hovered !== null && hovered < scene.x.shape[1]) paintHovered(context, frame, hovered, xy);
    },

    // Index of the point of the last painted frame nearest to (x, y), or null when none is within `distance`.
    nearest(x, y, distance) {
      const xy = buffers.get(scene.x);
      let best = distance ** 2;
      let index = null;
      for (let i = 0; xy && i < xy.length; i += 2) {
        const square = (xy[i] - x) ** 2 + (xy[i + 1] - y) ** 2;
        if (square < best) [best, index] = [square, i / 2];
      }
      return index;
    },
  };
}

// Mix of two colours #rrggbb; `share` is the second's.
export function blend(first, second, share) {
  const channel = (colour, k) => parseInt(colour.slice(1 + 2 * k, 3 + 2 * k), 16);
  const mixed = [0, 1, 2].map((k) => Math.round(channel(first, k) * (1 - share) + channel(second, k) * share));
  return `rgb(${mixed.join(",")})`;
}
