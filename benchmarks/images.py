"""How fast do image models train and sample, and how good are they after how long, beside diffusers?

The Frechet distance is that of 1,000 samples, 50 steps of DDIM without guidance, to held-out images, in the
features of the shipped classifier.
"""

import statistics
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

import explorer as ex
from benchmarks.peers.diffusers_unet import BATCH, DiffusersUNet, like, pipeline_loop
from benchmarks.tables import table
from benchmarks.throughput import best_of
from explorer.data.images import is_available, load_dataset
from explorer.dataset import ImageDataset
from explorer.hardware.timing import seconds_per_step
from explorer.lessons.training_lab import train_images
from explorer.lessons.trainings.plan import PRESETS
from explorer.metrics import frechet_to
from explorer.zoo import load_classifier, model_card

SAMPLES, SAMPLED_AT_ONCE, DDIM_STEPS = 1000, 250, 50
WIDTHS = {"digits-8": (24, 48), "mnist-28": (16, 32, 64)}
Sampler = Callable[[Tensor], Tensor]


def judged(name: str, sample: Sampler) -> tuple[float, float]:
    """Frechet distance to held-out images, and the share of samples of the class asked for."""
    classifier = load_classifier(name)
    labels = torch.arange(SAMPLES) % 10
    samples = torch.cat([sample(part) for part in labels.split(SAMPLED_AT_ONCE)]).clamp(-1, 1)
    distance = frechet_to(classifier.features(samples), classifier.reference_mean, classifier.reference_covariance)
    return distance, float((classifier.classify(samples) == labels).float().mean())


def denoiser_of(data: ImageDataset) -> ex.Denoiser:
    return ex.make_image_denoiser(data.shape, classes=10, seed=0, widths=WIDTHS[data.name])


def sampler_of(denoiser: ex.Denoiser) -> Sampler:
    def sample(labels: Tensor) -> Tensor:
        with torch.no_grad():
            return ex.sample(denoiser, len(labels), "ddim", DDIM_STEPS, condition=labels, keep="last").samples

    return sample


def training(name: str, seconds: tuple[float, ...]) -> str:
    """Images a second and quality after the same wall clock, same data and about as many parameters."""
    learned, _ = load_dataset(name).split()
    parameters = sum(parameter.numel() for parameter in denoiser_of(learned).parameters())
    assert learned.labels is not None
    rows: list[list[object]] = []
    for limit in seconds:
        denoiser = denoiser_of(learned)
        config = ex.TrainConfig(
            max_seconds=limit, batch_size=64, learning_rate=5e-3, ema_decay=0.998, log_snr=(0.0, 2.0)
        )
        *_, event = ex.train(denoiser, learned, config)
        speed = config.batch_size * event.step / event.seconds
        distance, accuracy = judged(name, sampler_of(denoiser))
        rows.append([f"this project, {limit:g} s", parameters, f"{speed:,.0f}", distance, f"{accuracy:.0%}"])

        peer = DiffusersUNet(learned.images, learned.labels, seed=0, parameters=parameters, seconds=limit)
        peer_parameters = sum(parameter.numel() for parameter in peer.network.parameters())
        steps, spent = peer.train(limit)
        peer_speed = BATCH * steps / spent
        theirs, accuracy = judged(name, partial(peer.sample, steps=DDIM_STEPS))
        rows.append([f"diffusers, {limit:g} s", peer_parameters, f"{peer_speed:,.0f}", theirs, f"{accuracy:.0%}"])
        rows.append([f"ratio, {limit:g} s", "", f"{speed / peer_speed:.1f}", distance / theirs, ""])
    real = model_card(f"classifier-{name}")["metrics"]["frechet_real"][str(SAMPLES)]
    header = ["", "parameters", "images/s", f"Frechet distance (real: {real:.2g})", "of the class asked for"]
    return table(f"Training on {name}", header, rows)


def preset() -> str:
    """The lecture's preset as its worker runs it, samples and validation included."""
    plan, start = PRESETS["digits"].plan, time.perf_counter()
    events = {event.kind: event.data for event in train_images({"plan": asdict(plan)}, {}, lambda: False)}
    seconds, images = time.perf_counter() - start, events["progress"]["step"] * plan.batch_size
    row = [f"{images:,}", seconds, f"{images / seconds:,.0f}", 180_000 / images * seconds]
    header = ["images", "seconds", "images/s", "seconds for 180,000", "of the class asked for"]
    title = (
        f"{plan.epochs} epochs of the digits in the Training lab, measuring included (budget 60 s for 180,000 images)"
    )
    return table(title, header, [[*row, f"{events['result']['accuracy']:.1%}"]])


def estimates(steps: int) -> str:
    """What the Training lab says that a step will take, before it starts, and what it then takes."""
    plans = {
        "Digits, 100 epochs": PRESETS["digits"].plan,
        "Four minutes, MNIST": PRESETS["mnist"].plan,
        "width 32, depth 2, attention": replace(PRESETS["mnist"].plan, width=32, depth=2, attention=True),
        "batches of 512, width 8": replace(PRESETS["mnist"].plan, width=8, batch_size=512),
    }
    rows: list[list[object]] = []
    for name, plan in plans.items():
        shape = (1, 8, 8) if plan.dataset == "digits-8" else (1, 28, 28)
        denoiser = plan.denoiser(shape, classes=10)
        expected = seconds_per_step(denoiser, plan.batch_size)
        data = torch.zeros(plan.batch_size, *shape), torch.arange(plan.batch_size) % 10
        run = ex.train(denoiser, data, ex.TrainConfig(steps=steps, batch_size=plan.batch_size, learning_rate=1e-4))
        found = statistics.median(after.seconds - before.seconds for before, after in pairwise(run))
        rows.append([name, f"{1000 * expected:.1f}", f"{1000 * found:.1f}", f"{expected / found:.2f}"])
    header = ["", "estimated, ms", "median of the steps, ms", "ratio"]
    return table("A training step, estimated before it starts (goal: within 25 %)", header, rows)


def sampling(repeats: int) -> str:
    """16 digits of 28 x 28 in 20 steps of DDIM: our loop and the pipeline's, each with either network."""
    from diffusers import DDIMScheduler

    denoiser = ex.load_pretrained("mnist-28")
    labels = torch.arange(16) % 10
    start = torch.randn(16, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    scheduler = DDIMScheduler()
    parameters = sum(parameter.numel() for parameter in denoiser.parameters())
    theirs = like(28, parameters).requires_grad_(False).eval()
    seconds = {
        "this project": best_of(lambda: ex.sample(denoiser, 16, "ddim", 20, condition=labels, keep="last"), repeats),
        "our network, diffusers' pipeline loop": best_of(
            lambda: pipeline_loop(Adapter(denoiser, scheduler), scheduler, start, labels, 20), repeats
        ),
        "diffusers' network of this size and loop": best_of(
            lambda: pipeline_loop(theirs, scheduler, start, labels, 20), repeats
        ),
    }
    ours = seconds["this project"]
    rows = [[name, f"{1000 * value:.0f}", f"{value / ours:.2f}"] for name, value in seconds.items()]
    title = f"16 digits, 28 x 28, 20 steps of DDIM, {torch.get_num_threads()} thread(s) (budget 150 ms)"
    return table(title, ["", "milliseconds", "ratio"], rows)


class Adapter(torch.nn.Module):
    """Our denoiser as diffusers' schedulers call a network: timestep in, epsilon out."""

    def __init__(self, denoiser: ex.Denoiser, scheduler: object):
        super().__init__()
        schedule = ex.schedule_from_betas(scheduler.betas)  # type: ignore[attr-defined]
        self.denoiser = ex.Denoiser(denoiser.network, schedule, denoiser.prediction, denoiser.shape)

    def forward(self, x: Tensor, timestep: Tensor, labels: Tensor) -> "Adapter":
        self.sample = self.denoiser.predict(x, (int(timestep) + 1) / 1000, labels).epsilon
        return self


def run(arguments: Namespace) -> Iterator[str]:
    """Sampling, the preset, and training beside diffusers; MNIST where it is on this machine."""
    try:
        yield estimates(20 if arguments.quick else 100)
        yield sampling(3 if arguments.quick else 10)
        for name in ["digits-8"] + ["mnist-28"] * is_available("mnist-28"):
            yield training(name, (5.0,) if arguments.quick else (60.0, 240.0))
    except ImportError as error:
        yield f"Beside diffusers: left out, {error}\n"
    if not arguments.quick:
        yield preset()
