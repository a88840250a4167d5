"""The TensorFlow.js recipe of Diffusion Explorer, in a Node process (benchmarks/tfjs/peer.js)."""

import base64
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[1] / "tfjs"
STEPS = 30


class TensorFlowJS:
    def __init__(self, points: np.ndarray, seed: int):
        node = shutil.which("node")
        if not node or not (FOLDER / "node_modules").exists():
            raise FileNotFoundError("TensorFlow.js needs Node and `npm ci --prefix benchmarks/tfjs`")
        with tempfile.NamedTemporaryFile(suffix=".f32") as file:
            points.astype("<f4").tofile(file.name)
            self.process = subprocess.Popen(
                [node, FOLDER / "peer.js", file.name, str(seed)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            self._ask({"train": 0})

    def _ask(self, request: dict[str, float]) -> dict:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def train(self, seconds: float) -> tuple[int, float]:
        reply = self._ask({"train": seconds})
        return reply["steps"], reply["seconds"]

    def sample(self, n: int, steps: int | None = None) -> np.ndarray:
        reply = self._ask({"sample": n, "steps": steps or STEPS})
        return np.frombuffer(base64.b64decode(reply["samples"]), "<f4").reshape(n, 2)

    def close(self) -> None:
        self.process.communicate()
