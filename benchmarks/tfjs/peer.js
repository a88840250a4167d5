// The TensorFlow.js recipe of Diffusion Explorer: flow matching with an MLP of 3 x 64 ELU on (x, y, t),
// Adam 0.01, batches of 200, velocity target x1 - x0, midpoint sampling; WASM backend.
//
//   node peer.js POINTS.f32 SEED
//
// Reads requests from standard input, one JSON object a line, and answers each with one:
// {"train": seconds} -> {"steps", "seconds"};  {"sample": n, "steps": k} -> {"samples": base64 float32}.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import * as tf from "@tensorflow/tfjs";
import "@tensorflow/tfjs-backend-wasm";

const BATCH = 200;

const [path, seed] = process.argv.slice(2);
let state = Number(seed);
Math.random = () => {
  // TensorFlow.js seeds all its draws from Math.random, which cannot be seeded: mulberry32 can.
  state = (state + 0x6d2b79f5) | 0;
  let bits = Math.imul(state ^ (state >>> 15), 1 | state);
  bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
  return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
};

await tf.setBackend("wasm");
await tf.ready();
const file = readFileSync(path);
const points = new Float32Array(file.buffer, file.byteOffset, file.length / 4);
const data = tf.tensor2d(points, [points.length / 2, 2]);
const hidden = (options) => tf.layers.dense({ units: 64, activation: "elu", ...options });
const model = tf.sequential({
  layers: [hidden({ inputShape: [3] }), hidden(), hidden(), tf.layers.dense({ units: 2 })],
});
const optimizer = tf.train.adam(0.01);
const velocity = (x, t) => model.predict(tf.concat([x, t], 1));

let order = [];
function nextBatch() {
  if (order.length < BATCH) order = Array.from(tf.util.createShuffledIndices(data.shape[0]));
  return tf.gather(data, tf.tensor1d(order.splice(-BATCH), "int32"));
}

function step() {
  tf.tidy(() => {
    const x1 = nextBatch();
    const x0 = tf.randomNormal([BATCH, 2]);
    const t = tf.randomUniform([BATCH, 1]);
    const x = x0.mul(tf.sub(1, t)).add(x1.mul(t));
    optimizer.minimize(() => tf.losses.meanSquaredError(x1.sub(x0), velocity(x, t)));
  });
}

function train(seconds) {
  const start = performance.now();
  let steps = 0;
  while (performance.now() - start < 1000 * seconds) {
    step();
    steps += 1;
  }
  return { steps, seconds: (performance.now() - start) / 1000 };
}

function sample(n, steps) {
  const samples = tf.tidy(() => {
    let x = tf.randomNormal([n, 2]);
    for (let k = 0; k < steps; k++) {
      const at = (fraction) => tf.fill([n, 1], (k + fraction) / steps);
      x = tf.tidy(() => {
        const middle = x.add(velocity(x, at(0)).mul(0.5 / steps));
        return x.add(velocity(middle, at(0.5)).mul(1 / steps));
      });
    }
    return x.dataSync();
  });
  return { samples: Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength).toString("base64") };
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  const reply = "train" in request ? train(request.train) : sample(request.sample, request.steps);
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
