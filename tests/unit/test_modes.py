"""What the process keeps is the same whatever modes its first caller was in; so is what is measured on shapes."""

import math
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import explorer as ex
from explorer.hardware import timing
from explorer.lessons.geometry_lab.runs import Source
from explorer.lessons.sampling_showdown.quality import TABLES

ROOT = Path(ex.__file__).parents[1]


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def default_device(device: str) -> Iterator[None]:
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


MODES: dict[str, Callable[[], Any]] = {
    "inference": torch.inference_mode,
    "no gradients": torch.no_grad,
    "autocast": partial(torch.autocast, "cpu", torch.bfloat16),
    "float64": partial(default_dtype, torch.float64),
    "meta": partial(default_device, "meta"),
}
each_mode = pytest.mark.parametrize("mode", MODES.values(), ids=MODES.keys())

KEPT: dict[str, tuple[Any, ...]] = {
    "explorer.audio.spectrogram.mel_filters": (),
    "explorer.audio.watermark._bands": (),
    "explorer.files.checksums": (),
    "explorer.zoo._shipped_names": (),
    "explorer.audio.watermark._key": (),
    "explorer.data.digits.digits": (),
    "explorer.data.digits.distances_between_scans": (),
    "explorer.data.emoji.emoji": (),
    "explorer.data.mnist.shipped_mnist": ("held-out",),
    "explorer.data.speech.pronunciation._dictionary": (),
    "explorer.data.speech.pronunciation.look_up": ("noise",),
    "explorer.hardware.catalogue.catalogue": (),
    "explorer.hardware.diffusers_models.configs": (),
    "explorer.hardware.gpus._names": (),
    "explorer.hardware.speed.reached": (),
    "explorer.hardware.systems.encoders": (),
    "explorer.hardware.systems.systems": (),
    "explorer.hardware.traces._table": (),
    "explorer.hardware.timing.measure_rates": (True, False),
    "explorer.hardware.timing.seconds_per_operation": (True, False),
    "explorer.hardware.timing.seconds_per_weight": (),
    "explorer.lessons.paper.drawable": (),
    "explorer.lessons.conclusion_ethics.figures.figures": ("memory",),
    "explorer.lessons.conclusion_ethics.memory.training_images": (20,),
    "explorer.lessons.conclusion_ethics.provenance.rings": (),
    "explorer.lessons.geometry_lab.runs.perfect_range": (Source("moons"), 300),
    "explorer.lessons.geometry_lab.runs.perfect_sets": (Source("moons"),),
    "explorer.lessons.geometry_lab.runs.points_of": (Source("moons"),),
    "explorer.lessons.guided_generation.fits._of_concepts": (),
    "explorer.lessons.guided_generation.fits._of_sheet": (),
    "explorer.lessons.guided_generation.fits.concept_map": (),
    "explorer.lessons.guided_generation.models.concepts": (),
    "explorer.lessons.guided_generation.recall.artists_apart": (),
    "explorer.lessons.sampling_showdown.quality._table": (TABLES / "digits-8.json", 0),
    "explorer.lessons.voice_cloning.voices.about": (),
    "explorer.lessons.voice_cloning.voices.built_in": (),
    "explorer.lessons.voice_cloning.voices.model": (),
    "explorer.lessons.voice_cloning.voices.reference_of": ("af_bella",),
    "explorer.lessons.voice_cloning.voices.watermark": (),
    "explorer.zoo._looker": ("classifier", "digits-8"),
    "explorer.zoo.load_pretrained": ("digits-8",),
}
MEASURED = {"measure_rates", "seconds_per_operation", "seconds_per_weight"}  # anew, and never the same twice


def modules() -> Iterator[Any]:
    for path in sorted((ROOT / "explorer").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if not module.startswith(("explorer.ui", "explorer.jobs.worker", "explorer.__main__")):
            yield import_module(module)


def test_all_that_is_kept_is_known_here() -> None:
    found = {
        f"{value.__module__}.{value.__name__}"
        for module in modules()
        for value in vars(module).values()
        if hasattr(value, "cache_clear") and value.__module__.startswith("explorer")
    }
    assert found == set(KEPT)


def tensors_in(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, torch.nn.Module):
        return [*value.parameters(), *value.buffers()]
    if isinstance(value, tuple | list):
        return [tensor for part in value for tensor in tensors_in(part)]
    if is_dataclass(value):
        return [tensor for field in fields(value) for tensor in tensors_in(getattr(value, field.name))]
    return []


@pytest.fixture
def forgotten() -> Iterator[None]:
    """What is kept is dropped before and after a test."""

    def forget() -> None:
        timing._counted.clear()
        for name in KEPT:
            module, _, function = name.rpartition(".")
            getattr(import_module(module), function).cache_clear()

    forget()
    yield
    forget()


@each_mode
@pytest.mark.parametrize("name", KEPT, ids=[name.rpartition(".")[2] for name in KEPT])
def test_what_is_kept_does_not_depend_on_who_came_first(name: str, mode: Callable[[], Any], forgotten: None) -> None:
    module, _, function = name.rpartition(".")
    keep = getattr(import_module(module), function)
    expected = keep(*KEPT[name])
    keep.cache_clear()
    with mode():
        found = keep(*KEPT[name])
    assert keep(*KEPT[name]) is found or isinstance(found, float)
    if function in MEASURED:
        seconds = [found] if isinstance(found, float) else [found.tiny, found.multiplied, found.moved]
        assert all(0 <= second < math.inf for second in seconds)
        return
    if not tensors_in(found):
        assert pickle.dumps(found) == pickle.dumps(expected)
    for tensor, wanted in zip(tensors_in(found), tensors_in(expected), strict=True):
        assert (tensor.dtype, tensor.device, tensor.is_inference()) == (wanted.dtype, wanted.device, False)
        assert (tensor.requires_grad, tensor.stride()) == (wanted.requires_grad, wanted.stride())
        assert torch.equal(tensor, wanted)


@each_mode
def test_a_model_that_was_first_loaded_in_another_mode_takes_a_gradient(
    mode: Callable[[], Any], forgotten: None
) -> None:
    with mode():
        denoiser = ex.load_pretrained("digits-8")
    x = torch.zeros(2, 1, 8, 8, requires_grad=True)
    denoiser.predict(x, 0.5).x0.square().sum().backward()
    assert x.grad is not None
    assert bool(x.grad.isfinite().all())
    trained = ex.load(ROOT / "assets" / "weights" / "digits-8.safetensors")
    next(ex.train(trained, x.detach(), ex.TrainConfig(steps=1, batch_size=2)))


@each_mode
def test_files_are_read_and_written_alike_in_every_mode(mode: Callable[[], Any], tmp_path: Path) -> None:
    denoiser = ex.make_denoiser_2d(1, width=4, depth=1)
    ex.save(denoiser, tmp_path / "before")
    with mode():
        ex.save(denoiser, tmp_path / "within")
        loaded = ex.load(tmp_path / "before")
    assert (tmp_path / "within").read_bytes() == (tmp_path / "before").read_bytes()
    for tensor, wanted in zip(loaded.parameters(), denoiser.parameters(), strict=True):
        assert (tensor.dtype, tensor.is_inference(), tensor.requires_grad) == (torch.float32, False, True)
        assert torch.equal(tensor, wanted)


@each_mode
def test_memory_and_work_are_counted_alike_in_every_mode(mode: Callable[[], Any], forgotten: None) -> None:
    denoiser = ex.make_image_denoiser((1, 8, 8), classes=10, widths=(8, 16), attention=True)
    options = [{"precision": "mixed", "attention": "math"}, {"mode": "inference"}]
    expected = [ex.estimate_memory(denoiser, batch_size=3, **option) for option in options]
    work = timing.count_work(denoiser, 3)
    timing._counted.clear()
    with mode():
        assert [ex.estimate_memory(denoiser, batch_size=3, **option) for option in options] == expected
        assert timing.count_work(denoiser, 3) == work
        assert timing.seconds_per_step(denoiser, 3) > 0
        assert timing.seconds_per_call(denoiser, 1) > 0


def test_time_is_estimated_for_any_kind_of_weights() -> None:
    for dtype in (torch.float64, torch.bfloat16):
        denoiser = ex.make_denoiser_2d(0).to(dtype)
        assert timing.count_work(denoiser, 3) == timing.count_work(ex.make_denoiser_2d(0), 3)


def test_a_mode_of_the_caller_is_there_again_afterwards() -> None:
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16), torch.device("meta"):
        timing.seconds_per_weight.cache_clear()
        timing.seconds_per_weight()
        assert torch.is_inference_mode_enabled()
        assert torch.is_autocast_enabled("cpu")
        assert torch.zeros(1).is_meta
    assert np.isfinite(timing.seconds_per_weight())
