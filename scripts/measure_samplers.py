"""Measure samplers against steps on the shipped image models and write the tables that the Sampling showdown shows.

    python scripts/measure_samplers.py                            # both models, minutes each
    python scripts/measure_samplers.py mnist-28 --samples 500     # one of them, faster and less exact

One thread, so that the seconds are those of a page.
"""

import argparse
import time

import torch

import explorer as ex
from explorer.lessons.sampling_showdown.quality import Quality, QualityTable, quality, write_table
from explorer.lessons.sampling_showdown.walks import Method, Start
from explorer.zoo import load_classifier

MODELS = ["digits-8", "mnist-28"]
SAMPLERS = ["ddpm", "ddim", "dpmpp_2m", "heun", "euler_maruyama"]
STEPS = [1, 2, 3, 5, 10, 20, 50, 100]
LONG = [Method("ddpm", 300), Method("ddpm", 1000)]
GUIDANCE_SCALE = 1.0  # as on the rest of the page, and harder than with guidance


def measure(name: str, samples: int, long: bool) -> list[Quality]:
    """All points of a model, told as they come."""
    methods = [Method(sampler, steps) for sampler in SAMPLERS for steps in STEPS] + (LONG if long else [])
    start = Start(samples, 0, tuple(range(10)), GUIDANCE_SCALE)
    points = []
    for share, point in quality(ex.load_pretrained(name), load_classifier(name), methods, start):
        if point is not None:
            points.append(point)
            print(
                f"{name} {share:4.0%}  {point.sampler:>14} {point.steps:4} steps  accuracy {point.accuracy:.3f}  "
                f"Frechet {point.frechet:8.3f}  {point.seconds:6.1f} s",
                flush=True,
            )
    return points


parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("models", nargs="*", default=MODELS, metavar="model")
parser.add_argument("--samples", type=int, default=1000)
parser.add_argument("--no-long", action="store_true", help="leave out DDPM with 300 and 1,000 steps")
options = parser.parse_args()
torch.set_num_threads(1)
for name in options.models:
    began = time.perf_counter()
    points = measure(name, options.samples, not options.no_long)
    command = f"python scripts/measure_samplers.py {name} --samples {options.samples}"
    write_table(name, QualityTable(command + " --no-long" * options.no_long, options.samples, GUIDANCE_SCALE, points))
    print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
