// The Geometry lab's default network and training (explorer/networks/mlp.py, explorer/training.py) in TensorFlow.js:
// flow schedule, velocity, batches of 512, Adam with warm-up and cosine decay, averaged weights.

const BATCH = 512;
const WARM = 3;
const T_MIN = 1 / (1 + Math.exp(4.5));

// Takes `steps` steps on `points`, [[x, y], ...], after a few that compile; returns the kernels that one step runs.
async function train(backend, points, steps) {
  tf.wasm.setWasmPaths("node_modules/@tensorflow/tfjs-backend-wasm/dist/");
  await tf.setBackend(backend);
  const data = tf.tensor2d(points);
  const dense = (inputs, outputs) =>
    [[inputs, outputs], [outputs]].map((shape) => tf.variable(tf.randomUniform(shape, -(inputs ** -0.5), inputs ** -0.5)));
  const layers = [dense(82, 64), dense(64, 64), dense(64, 64), dense(64, 2)];
  const gate = [dense(17, 16), dense(16, 2)];
  const weights = [...layers, ...gate].flat();
  const averaged = weights.map((weight) => tf.variable(weight.clone(), false));
  const place = tf.randomNormal([2, 32], 0, 2);
  const noiseLevel = tf.randomNormal([1, 8], 0, 0.3);
  const optimizer = tf.train.adam(2e-2, 0.9, 0.99, 1e-8);

  const linear = (x, [kernel, bias]) => x.matMul(kernel).add(bias);
  const features = (x, frequencies) => {
    const angle = x.matMul(frequencies);
    return tf.concat([angle.cos(), angle.sin()], 1);
  };
  const network = (x, logSnr) => {
    const level = features(logSnr, noiseLevel);
    const opened = linear(linear(tf.concat([level, logSnr.div(4)], 1), gate[0]).tanh(), gate[1]);
    const [through, gain] = tf.split(opened, 2, 1);
    let hidden = tf.concat([x, features(x, place), level], 1);
    for (const layer of layers.slice(0, 3)) {
      const z = linear(hidden, layer);
      hidden = z.mul(z.sigmoid());
    }
    return through.mul(x).add(gain.add(1).mul(linear(hidden, layers[3])));
  };
  const step = (k) => {
    const t = tf.range(0, BATCH).add(tf.randomUniform([BATCH])).mul((1 - 2 * T_MIN) / BATCH).add(T_MIN).reshape([-1, 1]);
    const alpha = tf.sub(1, t);
    const size = alpha.square().add(t.square()).sqrt();
    const x0 = tf.gather(data, tf.randomUniform([BATCH], 0, points.length, "int32"));
    const epsilon = tf.randomNormal([BATCH, 2]);
    const x = alpha.mul(x0).add(t.mul(epsilon)).div(size);
    const target = epsilon.sub(x0).mul(Math.SQRT1_2);
    optimizer.learningRate = (2e-2 * Math.min(1, (k + 1) / 20) * (1 + Math.cos((Math.PI * k) / steps))) / 2;
    const error = () => network(x, alpha.div(t).log().mul(2)).sub(target);
    optimizer.minimize(() => size.square().mul(2).mul(error().square()).mean());
    const share = 1 - Math.min(0.99, (k + 1) / (k + 10));
    weights.forEach((weight, i) => averaged[i].assign(averaged[i].mul(1 - share).add(weight.mul(share))));
  };
  for (let k = 0; k < WARM + steps; k++) {
    tf.tidy(() => step(Math.max(0, k - WARM)));
    if (k % 5 === 0) await averaged[0].data(); // a page must stay alive
  }
  await averaged[0].data();
  return (await tf.profile(() => step(steps - 1))).kernels.length;
}
