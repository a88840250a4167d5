"""How good are 2D samples after how much training, beside the peers?

Distance is sliced 2-Wasserstein between 4,000 samples and 4,000 fresh points, 300 projections; the
floor is the same between two fresh sets. Only training counts as time: sampling stops the clock.
"""

import statistics
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

import explorer as ex
from benchmarks.peers import PEERS, Peer, ours
from benchmarks.tables import table

TRAINING_POINTS, SAMPLES = 20_000, 4_000
REPORTED = (0.5, 1.0, 3.0, 10.0)
LADDER = (0.5, 1.0, 1.7, 3.0, 5.5, 10.0, 18.0, 33.0, 60.0)
TARGET_AT = 1.0


@dataclass(frozen=True)
class Reading:
    """Quality after `seconds` of training, `steps` of them taken."""

    seconds: float
    steps: int
    distance: float


def fresh(distribution: str, seed: int) -> torch.Tensor:
    return ex.toy2d(distribution, SAMPLES, seed=10_000 + seed)


def floor(distribution: str, seeds: int) -> float:
    """Median distance between two fresh sets."""
    pairs = [(fresh(distribution, seed), fresh(distribution, 5_000 + seed)) for seed in range(seeds)]
    return statistics.median(ex.sliced_wasserstein(a, b) for a, b in pairs)


def distance(peer: Peer, distribution: str, seed: int) -> float:
    samples = torch.from_numpy(np.array(peer.sample(SAMPLES)))
    return ex.sliced_wasserstein(samples, fresh(distribution, seed))


def our_readings(distribution: str, seed: int, times: tuple[float, ...]) -> list[Reading]:
    """One run for each time, since a run ends where its learning rate does."""
    peer = ours(ex.toy2d(distribution, TRAINING_POINTS, seed=seed).numpy(), seed)
    readings = []
    for seconds in times:
        steps, spent = peer.train(seconds)
        readings.append(Reading(spent, steps, distance(peer, distribution, seed)))
    return readings


def peer_readings(peer: Peer, distribution: str, seed: int, times: tuple[float, ...]) -> Iterator[Reading]:
    """One run, read at each of the times."""
    spent, steps = 0.0, 0
    for goal in times:
        more_steps, more_seconds = peer.train(max(goal - spent, 0))
        spent, steps = spent + more_seconds, steps + more_steps
        yield Reading(spent, steps, distance(peer, distribution, seed))


def compare(distribution: str, seeds: int, cap: float) -> str:
    """Ours and every peer that is installed on one distribution; the first seed is followed up to `cap` s."""
    least = floor(distribution, seeds)
    times = tuple(time for time in REPORTED if time <= cap)
    mine = [our_readings(distribution, seed, times) for seed in range(seeds)]
    target = statistics.median(run[times.index(TARGET_AT)].distance for run in mine)
    rows = [_row("this project", mine, f"{TARGET_AT:g}", 1.0)]
    for name, make in PEERS.items():
        print(f"  {distribution}: {name}", file=sys.stderr)
        try:
            runs, reached = _follow(make, distribution, seeds, times, cap, target)
        except (ImportError, FileNotFoundError) as error:
            rows.append([name, f"left out: {error}", *[""] * (len(times) + 2)])
            continue
        text = f"{reached:.2g}" if reached else f"> {cap:g}"
        rows.append(_row(name, runs, text, reached / TARGET_AT if reached else None))
    header = ["", "steps/s", *(f"distance after {time:g} s" for time in times)]
    header += ["seconds to our 1 s quality", "times ours"]
    title = f"{distribution}: floor {least:.3g}, our 1 s quality {target:.3g} ({target / least:.2g} x floor)"
    return table(title, header, rows)


def _follow(
    make: Callable[[np.ndarray, int], Peer],
    distribution: str,
    seeds: int,
    times: tuple[float, ...],
    cap: float,
    target: float,
) -> tuple[list[list[Reading]], float | None]:
    """Readings at `times` of each seed, and when the first seed reached `target` (None: not within `cap`)."""
    runs, reached = [], None
    for seed in range(seeds):
        peer = make(ex.toy2d(distribution, TRAINING_POINTS, seed=seed).numpy(), seed)
        try:
            ladder = tuple(time for time in LADDER if time <= cap) if seed == 0 else times
            run: list[Reading] = []
            readings = peer_readings(peer, distribution, seed, ladder)
            for goal, reading in zip(ladder, readings, strict=False):
                if seed == 0 and reached is None and reading.distance <= target:
                    reached = reading.seconds
                if goal in times:
                    run.append(reading)
                if reached and len(run) == len(times):
                    break
            runs.append(run)
        finally:
            peer.close()
    return runs, reached


def _row(name: str, runs: list[list[Reading]], seconds: str, ratio: float | None) -> list[object]:
    longest = [run[-1] for run in runs]
    speed = statistics.median(reading.steps / reading.seconds for reading in longest)
    medians = [statistics.median(reading.distance for reading in column) for column in zip(*runs, strict=True)]
    return [name, f"{speed:,.0f}", *medians, seconds, f"{ratio:.2g}" if ratio else ""]


def every_distribution(seeds: int, seconds: float = 3.0) -> str:
    """Ours after `seconds` on every built-in distribution: the budget is 1.5 times the floor."""
    rows = []
    for distribution in ex.toy2d_names():
        print(f"  {distribution}", file=sys.stderr)
        least = floor(distribution, seeds)
        reached = statistics.median(our_readings(distribution, seed, (seconds,))[0].distance for seed in range(seeds))
        rows.append([distribution, reached, least, f"{reached / least:.2f}"])
    header = ["", "distance", "floor", "times the floor"]
    return table(f"Every built-in distribution, {seconds:g} s of training", header, rows)


def run(arguments: Namespace) -> Iterator[str]:
    """The tables, one at a time; `quick` is one distribution, one seed and 3 s a peer."""
    warm_up()
    for distribution in ("swiss_roll",) if arguments.quick else ("swiss_roll", "moons", "checkerboard"):
        yield compare(distribution, 1 if arguments.quick else arguments.seeds, 3.0 if arguments.quick else LADDER[-1])
    if not arguments.quick:
        yield every_distribution(arguments.seeds)


def warm_up() -> None:
    """First steps load code and start threads; everyone gets them for nothing."""
    for make in (ours, *PEERS.values()):
        try:
            peer = make(ex.toy2d("moons", 1000, seed=0).numpy(), 0)
        except (ImportError, FileNotFoundError):
            continue
        peer.train(0.1)
        peer.sample(100)
        peer.close()
