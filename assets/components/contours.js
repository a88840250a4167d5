// Density of points in the plane, and its level lines.

// Kernel density of `count` points in a square of side `size`, on cells x cells nodes (row-major; node k lies at
// (k + 0.5) * size / cells). The bandwidth is half of Scott's rule, which is made for a single bump.
export function density(xy, count, size, cells) {
  const grid = new Float32Array(cells * cells);
  let inside = 0;
  let sums = [0, 0, 0]; // of x, y, and x^2 + y^2, in cells
  for (let i = 0; i < count; i++) {
    const x = (xy[2 * i] / size) * cells - 0.5;
    const y = (xy[2 * i + 1] / size) * cells - 0.5;
    const column = Math.floor(x);
    const row = Math.floor(y);
    if (column < 0 || row < 0 || column >= cells - 1 || row >= cells - 1) continue;
    const [right, down] = [x - column, y - row];
    const node = row * cells + column;
    grid[node] += (1 - right) * (1 - down);
    grid[node + 1] += right * (1 - down);
    grid[node + cells] += (1 - right) * down;
    grid[node + cells + 1] += right * down;
    inside++;
    sums[0] += x;
    sums[1] += y;
    sums[2] += x * x + y * y;
  }
  const [meanX, meanY, square] = sums.map((sum) => sum / Math.max(inside, 1));
  const deviation = Math.sqrt(Math.max(square - meanX ** 2 - meanY ** 2, 0) / 2);
  return blur(grid, cells, Math.max(0.5 * deviation * Math.max(inside, 1) ** (-1 / 6), 0.9));
}

// Gaussian blur, rows then columns; `sigma` in cells.
function blur(grid, cells, sigma) {
  const radius = Math.ceil(3 * sigma);
  const kernel = Float32Array.from({ length: 2 * radius + 1 }, (_, k) => Math.exp(-0.5 * ((k - radius) / sigma) ** 2));
  const total = kernel.reduce((sum, weight) => sum + weight, 0);
  const pass = (source, along, across) => {
    const blurred = new Float32Array(source.length);
    for (let line = 0; line < cells; line++) {
      for (let k = 0; k < cells; k++) {
        const value = source[line * across + k * along] / total;
        if (value === 0) continue;
        const [first, past] = [Math.max(k - radius, 0), Math.min(k + radius + 1, cells)];
        for (let j = first; j < past; j++) blurred[line * across + j * along] += value * kernel[j - k + radius];
      }
    }
    return blurred;
  };
  return pass(pass(grid, 1, cells), cells, 1);
}

// The density above which each share of the mass lies: highest-density regions.
export function massLevels(grid, shares) {
  const sorted = Float32Array.from(grid).sort().reverse();
  const total = sorted.reduce((sum, value) => sum + value, 0);
  let k = 0;
  let mass = 0;
  return shares.map((share) => {
    while (k < sorted.length - 1 && mass + sorted[k] < share * total) mass += sorted[k++];
    return sorted[k];
  });
}

// Marching squares: calls segment(x0, y0, x1, y1), in nodes, for each piece of the line where the grid is `level`.
export function levelLine(grid, cells, level, segment) {
  for (let row = 0; row < cells - 1; row++) {
    for (let column = 0; column < cells - 1; column++) {
      const node = row * cells + column;
      const right = node + 1;
      const below = node + cells;
      const across = below + 1;
      const inside = (grid[node] > level) + (grid[right] > level) + (grid[below] > level) + (grid[across] > level);
      if (inside === 0 || inside === 4) continue; // most cells: nothing is allocated for them
      // corners and edges run clockwise from the top left
      const corners = [grid[node], grid[right], grid[across], grid[below]];
      const above = corners.map((value) => value > level);
      const crossings = [];
      for (let edge = 0; edge < 4; edge++) {
        const [from, to] = [corners[edge], corners[(edge + 1) % 4]];
        if (above[edge] === above[(edge + 1) % 4]) continue;
        const part = (level - from) / (to - from);
        const offset = [[part, 0], [1, part], [1 - part, 1], [0, 1 - part]][edge];
        crossings.push([column + offset[0], row + offset[1]]);
      }
      // on a saddle, the mean of the corners says which crossings belong together
      const centre = (corners[0] + corners[1] + corners[2] + corners[3]) / 4 > level;
      if (crossings.length === 4 && centre !== above[0]) crossings.push(crossings.shift());
      for (let k = 0; k + 1 < crossings.length; k += 2) segment(...crossings[k], ...crossings[k + 1]);
    }
  }
}
