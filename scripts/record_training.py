"""Records a run of each preset of the Training lab, real and in full: `python -m scripts.record_training [PRESET ...]`.

Writes assets/trainings/PRESET.json, which the lab shows until a person trains. Run it on a quiet machine: the
seconds that it took are part of the record.
"""

import sys
import time
from dataclasses import asdict

import torch

from explorer.jobs.events import Event, JobError
from explorer.lessons.training_lab import train_images
from explorer.lessons.trainings.plan import PRESETS
from explorer.lessons.trainings.record import RECORDED, Training, to_json

REDISTRIBUTED = {"digits-8"}  # data whose images the app may carry


def record(name: str) -> None:
    """Train one preset as a worker would, on one thread, and write what it sent."""
    preset = PRESETS[name]
    training = Training(name, preset.label, preset.plan)
    latest: dict[str, Event] = {}
    started = time.monotonic()
    try:
        for event in train_images({"plan": asdict(preset.plan)}, {}, lambda: False):
            latest[event.kind] = event
    except JobError as error:
        print(f"{name}: {error}")
    training.take(latest)
    if preset.plan.dataset not in REDISTRIBUTED:
        training.real = None
    content = to_json(training)
    RECORDED.mkdir(exist_ok=True)
    (RECORDED / f"{name}.json").write_text(content + "\n")
    print(f"{name}: {time.monotonic() - started:.1f} s, {len(content):,} bytes, {training.progress}, {training.result}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for chosen in sys.argv[1:] or PRESETS:
        record(chosen)
