"""Few steps: a student learns to jump where its teacher walks, while one watches.

The teacher, a shipped 2D model, walks noise to data in many steps. The student is a copy of it that is trained to land,
in one step, where the teacher's walk from the same noise ends (Luhman and Luhman, Knowledge distillation in iterative
generative models, 2021; on pairs as in Liu, Gong and Liu's reflow, 2023).
"""

import copy
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

import explorer as ex
from explorer.arguments import seeded
from explorer.jobs.events import Event
from explorer.lessons.learning import Arrays, LossCurve
from explorer.modes import learning
from explorer.samplers import first_noise
from explorer.training import load_weights, weights_of

PAIRS = 20_000
TEACHER_STEPS = 20
BATCH, RATE = 1_024, 4e-3
SECONDS = 10.0
MEASURED = 2_000


def teacher_of(shape: str) -> ex.Denoiser:
    """The shipped model of a 2D distribution."""
    return ex.load_pretrained(f"toy2d-{shape}-flow-velocity")


def walked(denoiser: ex.Denoiser, n: int, steps: int, seed: int) -> tuple[Tensor, Tensor]:
    """n starts (n, 2), and where the model walks them in so many steps, (n, 2): by Heun's method, and a single step
    by the model's own guess."""
    noise = first_noise(denoiser, n, seed)
    sampler = "heun" if steps > 1 else "ddim"
    return noise, ex.sample(denoiser, n, sampler, steps, x_init=noise, keep="last").samples


def distil(student: ex.Denoiser, noise: Tensor, ends: Tensor, seconds: float, seed: int) -> Iterator[tuple[int, float]]:
    """Train the student in place so that one step takes `noise` (m, 2) to `ends` (m, 2); yields (step, loss)."""
    optimizer = torch.optim.Adam(student.parameters(), RATE, betas=(0.9, 0.99))
    generator, started, step = seeded(seed), time.monotonic(), 0
    while (progress := (time.monotonic() - started) / seconds) < 1:
        with learning():
            picked = torch.randint(len(noise), (BATCH,), generator=generator)
            jumps = student.predict(noise[picked], student.schedule.t_max).x0
            loss = (jumps - ends[picked]).square().sum(1).mean()
            for group in optimizer.param_groups:
                group["lr"] = RATE * (1 + math.cos(math.pi * progress)) / 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        step += 1
        yield step, loss.item()


def distance(denoiser: ex.Denoiser, shape: str, steps: int, seed: int = 1) -> float:
    """Sliced 2-Wasserstein distance of 2,000 samples in so many steps to fresh points."""
    return ex.sliced_wasserstein(walked(denoiser, MEASURED, steps, seed)[1], ex.toy2d(shape, MEASURED, seed=1_000))


def student_of(shape: str, weights: np.ndarray | None) -> ex.Denoiser:
    """A copy of the teacher that can learn, with these weights where it has some."""
    student = copy.deepcopy(teacher_of(shape)).requires_grad_(True)
    if weights is not None:
        load_weights(student, torch.tensor(weights))
    return student


def distil_2d(params: dict[str, Any], arrays: Arrays, stop: Callable[[], bool]) -> Iterator[Event]:
    """The task: `params` has the shape, the seconds and the seed. Events, of which the newest of each kind counts:
    "progress" with the smoothed loss curve, and "student" with its weights and the distance of its samples."""
    shape = params["shape"]
    student = student_of(shape, None)
    noise, ends = walked(teacher_of(shape), PAIRS, TEACHER_STEPS, params["seed"])
    curve, told, started = LossCurve(), time.monotonic(), time.monotonic()

    def event(step: int) -> Iterator[Event]:
        passed = time.monotonic() - started
        data = {
            "step": step,
            "seconds": passed,
            "share": min(1.0, passed / params["seconds"]),
            "loss": curve.smoothed,
            "remaining": max(0.0, params["seconds"] - passed),
        }
        yield Event("progress", data, {"curve": curve.array()[:, :2]})
        about = {"step": step, "seconds": passed, "distance": distance(student, shape, 1)}
        yield Event("student", about, {"weights": weights_of(student).numpy()})

    step = 0
    for step, loss in distil(student, noise, ends, params["seconds"], params["seed"]):
        curve.add(step, loss)
        if time.monotonic() - told > 0.5:
            told = time.monotonic()
            yield from event(step)
        if stop():
            break
    yield from event(step)
