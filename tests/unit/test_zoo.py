"""Shipped weights are what their cards say; a file from outside is a model of this lab or a sentence."""

import io
import json
import pickle
import statistics
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save

import explorer as ex
from explorer import zoo
from explorer.denoiser import PREDICTIONS
from explorer.schedules import schedule_names
from explorer.zoo import from_bytes, load_pretrained, model_card, to_bytes

NAMES = ex.pretrained_names()
MOST_BYTES = 40 * 2**20


def weights(denoiser: ex.Denoiser) -> dict[str, torch.Tensor]:
    return denoiser.network.state_dict()


def safetensors(header: Any, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def described(**changes: Any) -> dict[str, Any]:
    """What a header says of a small model."""
    size = {"width": 4, "depth": 1, "features": 2, "dimensions": 2}
    return {"size": size, "schedule": "flow", "prediction": "velocity"} | changes


def file_of(about: Any, tensors: dict[str, torch.Tensor] | None = None) -> bytes:
    small = weights(ex.make_denoiser_2d(0, width=4, depth=1, features=2))
    return save(small if tensors is None else tensors, metadata={"explorer": json.dumps(about)})


GOOD = file_of(described())


# Shipped models


def test_two_recipes_are_shipped_for_every_distribution() -> None:
    recipes = ("flow-velocity", "cosine-epsilon")
    assert set(NAMES) >= {f"toy2d-{name}-{recipe}" for name, recipe in product(ex.toy2d_names(), recipes)}


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_is_frozen_shared_and_as_its_card_says(name: str) -> None:
    denoiser, card = load_pretrained(name), model_card(name)
    assert load_pretrained(name) is denoiser
    assert not any(parameter.requires_grad for parameter in denoiser.parameters())
    assert all(bool(tensor.isfinite().all()) for tensor in weights(denoiser).values())
    assert card["architecture"] == {
        "network": "MLP",
        **denoiser.network.size,
        "schedule": denoiser.schedule.name,
        "prediction": denoiser.prediction,
    }
    assert card["parameters"] == sum(parameter.numel() for parameter in denoiser.parameters())
    assert name.endswith(f"-{denoiser.schedule.name}-{denoiser.prediction}")
    script, argument = card["command"].removeprefix("python ").split()
    assert (zoo.FOLDER.parents[1] / script).is_file()
    assert argument == name
    assert card["terms"]
    assert name.split("-")[1] in card["data"]
    assert set(card["training"]) == {"steps", "batch_size", "seconds"}
    assert all(value > 0 for value in card["training"].values())
    assert 0 < card["metrics"]["sliced_wasserstein"] <= 1.5 * card["metrics"]["floor"]


@pytest.mark.parametrize("name", ["toy2d-swiss_roll-flow-velocity", "toy2d-checkerboard-cosine-epsilon"])
def test_a_shipped_model_reaches_the_distance_on_its_card(name: str) -> None:
    source = name.split("-")[1]
    reached = []
    for seed in range(3):
        fresh = ex.toy2d(source, 4000, seed=2000 + seed)
        samples = ex.sample(load_pretrained(name), 4000, "heun", steps=30, seed=50 + seed, keep="last").samples
        reached.append(ex.sliced_wasserstein(samples, fresh))
    assert statistics.median(reached) <= 1.5 * model_card(name)["metrics"]["sliced_wasserstein"]


def test_a_shipped_model_cannot_be_trained_by_mistake() -> None:
    with pytest.raises(ValueError, match="copy it"):
        next(ex.train(load_pretrained(NAMES[0]), ex.toy2d("moons", 100), ex.TrainConfig(steps=1)))


def test_the_assets_fit_in_the_repository() -> None:
    assert sum(path.stat().st_size for path in zoo.FOLDER.parent.rglob("*") if path.is_file()) < MOST_BYTES


@pytest.mark.parametrize("name", ["", "toy2d-smiley", "../../secrets", "toy2d-moons-flow-velocity.safetensors"])
def test_an_unknown_model_is_refused_with_what_there_is(name: str) -> None:
    with pytest.raises(ValueError, match="no shipped model is called"):
        load_pretrained(name)


# Files


@given(
    st.sampled_from(schedule_names()),
    st.sampled_from(PREDICTIONS),
    st.integers(1, 40),
    st.integers(1, 4),
    st.integers(1, 20),
    st.text(max_size=20),
)
@settings(max_examples=25)
def test_what_is_saved_comes_back(
    schedule: str, prediction: str, width: int, depth: int, features: int, distribution: str
) -> None:
    size = {"width": width, "depth": depth, "features": features}
    saved = ex.make_denoiser_2d(5, schedule=schedule, prediction=prediction, **size)
    loaded, about = from_bytes(to_bytes(saved, distribution=distribution))
    assert (loaded.schedule.name, loaded.prediction, loaded.shape) == (schedule, prediction, (2,))
    assert about["distribution"] == distribution
    assert about["size"] == saved.network.size
    for name, tensor in weights(saved).items():
        assert torch.equal(weights(loaded)[name], tensor)
    runs = [ex.sample(denoiser, 20, "heun", steps=3).samples for denoiser in (saved, loaded)]
    assert torch.equal(*runs)


def refused(content: bytes) -> str:
    with pytest.raises(ValueError) as caught:
        from_bytes(content)
    assert type(caught.value) is ValueError
    text = str(caught.value)
    assert text[0].isupper()
    assert text.endswith(".")
    return text


@given(st.binary(max_size=400))
@example(b"")
@example(bytes(8))
@example(b"\xff" * 64)
def test_random_bytes_are_refused(content: bytes) -> None:
    refused(content)


@given(st.integers(0, len(GOOD) - 1))
def test_a_file_cut_short_is_refused(length: int) -> None:
    refused(GOOD[:length])


@given(st.data())
@settings(max_examples=200)
def test_a_damaged_file_is_refused_or_still_a_model(data: st.DataObject) -> None:
    """A flip in a weight makes another weight; anywhere else it must not get through."""
    content = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(GOOD) - 1))] = data.draw(st.integers(0, 255))
    try:
        denoiser, _ = from_bytes(bytes(content))
    except ValueError as error:
        assert type(error) is ValueError
    else:
        assert all(bool(tensor.isfinite().all()) for tensor in weights(denoiser).values())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(json_values)
def test_a_header_of_anything_is_refused(header: Any) -> None:
    refused(safetensors(header))
    refused(safetensors({"__metadata__": {"explorer": json.dumps(header)}}))


@given(st.sampled_from(["size", "schedule", "prediction"]), json_values)
@example("size", ["width"])
@example("size", "")
@example("size", {"width": True, "depth": 1, "features": 2, "dimensions": 2})
@example("size", {"width": 4.0, "depth": 1, "features": 2, "dimensions": 2})
@example("size", {"width": 10**30})
@example("size", {"dimensions": 1, "width": 4, "depth": 1, "features": 2})
@example("size", {"self": 1})
@example("schedule", ["flow"])
@example("schedule", "betas")
@example("prediction", {"velocity": 1})
def test_a_header_that_lies_about_the_model_is_refused(field: str, value: Any) -> None:
    if described()[field] != value:
        refused(file_of(described(**{field: value})))


@given(st.integers(0, 2**64 - 1))
@example(2**64 - 1)
@example(2**63)
@example(100_000_001)
def test_a_header_length_that_lies_is_refused(length: int) -> None:
    if length != int.from_bytes(GOOD[:8], "little"):
        refused(length.to_bytes(8, "little") + GOOD[8:])


@given(
    st.sampled_from(["F32", "F16", "BF16", "F64", "I64", "U8", "BOOL", "F8_E4M3", "F4", "C64", "X"]),
    st.lists(st.integers(0, 2**63), max_size=4),
    st.tuples(st.integers(0, 2**63), st.integers(0, 2**63)),
)
@example("F32", [2**62, 4], (0, 16))
@example("F32", [0], (0, 0))
@example("F32", [], (0, 4))
def test_a_header_that_lies_about_its_tensors_is_refused(
    dtype: str, shape: list[int], offsets: tuple[int, int]
) -> None:
    header = {"__metadata__": {"explorer": json.dumps(described())}}
    refused(safetensors(header | {"w": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}, bytes(16)))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("where", ["layers.0.weight", "place.frequencies"])
def test_a_weight_that_is_no_number_is_refused(value: float, where: str) -> None:
    tensors = load(GOOD)
    tensors[where].view(-1)[0] = value
    assert "finite" in refused(file_of(described(), tensors))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int32, torch.complex64])
def test_another_number_format_is_refused(dtype: torch.dtype) -> None:
    assert "32-bit" in refused(file_of(described(), {name: tensor.to(dtype) for name, tensor in load(GOOD).items()}))


def test_weights_of_another_network_are_refused() -> None:
    tensors = load(GOOD)
    for changed in (
        {},
        {name: tensor for name, tensor in tensors.items() if name != "layers.0.bias"},
        tensors | {"extra": torch.zeros(1)},
        tensors | {"layers.0.bias": torch.zeros(5)},
        tensors | {"layers.0.weight": tensors["layers.0.weight"].T.contiguous()},
    ):
        assert "do not fit" in refused(file_of(described(), changed))


def test_a_file_of_another_app_is_refused() -> None:
    refused(save(load(GOOD)))
    refused(save(load(GOOD), metadata={"format": "pt"}))
    array = io.BytesIO()
    np.save(array, np.zeros(4))
    refused(array.getvalue())


def test_a_pickle_is_refused_and_nothing_of_it_runs(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "sprung",)

    checkpoint = io.BytesIO()
    torch.save({"weights": Trap()}, checkpoint)
    for content in (pickle.dumps(Trap()), checkpoint.getvalue(), GOOD[:8] + pickle.dumps(Trap())):
        refused(content)
    assert not (tmp_path / "sprung").exists()
    pickle.loads(pickle.dumps(Trap()))
    assert (tmp_path / "sprung").exists(), "the trap itself must work"


def test_a_file_that_is_too_large_is_refused_unread() -> None:
    assert "20 MB" in refused(bytes(zoo.LARGEST_FILE + 1))


def test_a_deeply_nested_header_is_refused() -> None:
    refused(safetensors(b'{"__metadata__":{"explorer":"' + b"[" * 200_000 + b'"}}'))
    refused(safetensors(b"[" * 200_000))
