"""Mounts the player on the exact walk to eight points: `?scenes=2&steps=40&n=500&layers=points,mesh`.

`uneven=1` gives the second scene twice the steps.
"""

from itertools import pairwise

import numpy as np
import streamlit as st

from explorer.ui.player import Scene, player

EXTENT = 3.2


def velocity(x: np.ndarray, t: float) -> np.ndarray:
    """dx / d(1 - t) of rectified flow from noise to eight points; x: (..., 2)."""
    noise = max(t, 0.02)
    angles = np.arange(8) * np.pi / 4
    data = 2 * np.stack([np.cos(angles), np.sin(angles)], -1)
    distances = ((x[..., None, :] - (1 - noise) * data) ** 2).sum(-1)
    weights = np.exp(-(distances - distances.min(-1, keepdims=True)) / (2 * noise**2))
    x0 = (weights / weights.sum(-1, keepdims=True)) @ data
    return (x0 - x) / noise


def view(x: np.ndarray, t: float) -> np.ndarray:
    return x / np.hypot(1 - t, t)


@st.cache_data(show_spinner=False)
def scene(title: str, n: int, steps: int, seed: int, starts: tuple[tuple[float, float], ...]) -> Scene:
    times = np.linspace(1, 0, steps + 1)
    points = np.random.default_rng(seed).standard_normal((n, 2))
    line = np.linspace(-2, 2, 11)
    mesh = np.stack(np.meshgrid(line, line), -1)
    line = np.linspace(-EXTENT, EXTENT, 17)
    grid = np.stack(np.meshgrid(line, line), -1)
    walk, guesses, carried, field, started = [points], [], [mesh], [], [np.reshape(starts, (-1, 2))]
    for now, after in pairwise(times):
        guesses.append(walk[-1] + now * velocity(walk[-1], now))
        for path in (walk, carried, started):
            path.append(path[-1] + (now - after) * velocity(path[-1], now))
    for now in times:
        field.append(velocity(grid * np.hypot(1 - now, now), now))
    shown = [np.stack([view(x, t) for x, t in zip(path, times, strict=True)]) for path in (walk, carried, started)]
    return Scene(
        title=title,
        x=shown[0],
        t=times,
        x0=np.stack(guesses),
        role="exact" if title == "Exact" else "model",
        source=points,
        target=walk[-1] + 0.05 * points,
        mesh=shown[1],
        field=np.stack(field),
        started=shown[2] if starts else None,
        caption=f"Rectified flow, Euler, {steps} steps",
    )


parameters = st.query_params
scenes, steps, n, uneven = (
    int(parameters.get(name, default)) for name, default in {"scenes": 1, "steps": 40, "n": 500, "uneven": 0}.items()
)
layers = [layer for layer in parameters.get("layers", "points").split(",") if layer]
state = st.session_state
state.setdefault("starts", [])
state.setdefault("seed", 0)
if st.button("New data"):
    state.seed += 1

clicked = player(
    [
        scene(title, n, steps * (1 + uneven * index), state.seed, tuple(state.starts))
        for index, title in enumerate(("Learned", "Exact")[:scenes])
    ],
    key="player",
    extent=EXTENT,
    layers=layers,
    name="eight_points",
    on_start=lambda start: state.starts.append(start[1:]),
)
st.text(f"Runs with seed {state.seed}")
st.text(f"Clicked {clicked}")
