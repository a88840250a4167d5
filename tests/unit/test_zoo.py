"""Shipped weights are what their cards say; a file from outside is a model of this lab or a sentence."""

import io
import json
import pickle
import statistics
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save
from torch import nn

import explorer as ex
from explorer import zoo
from explorer.data.images import is_available, load_dataset
from explorer.denoiser import PREDICTIONS
from explorer.lessons.sampling_showdown.quality import quality, read_table
from explorer.lessons.sampling_showdown.walks import Method, Start
from explorer.metrics import frechet_to
from explorer.networks.mlp import MLP
from explorer.schedules import Flow, schedule_names
from explorer.zoo import from_bytes, load_pretrained, model_card, to_bytes

NAMES = [name for name in ex.pretrained_names() if name.startswith("toy2d-")]
IMAGES = ["digits-8", "mnist-28"]
MOST_BYTES = 60e6


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


@pytest.mark.parametrize("name", IMAGES)
def test_a_shipped_image_model_is_what_its_card_says(name: str) -> None:
    denoiser, card = load_pretrained(name), model_card(name)
    assert not any(parameter.requires_grad for parameter in denoiser.parameters())
    assert card["architecture"] == {
        "network": "UNet",
        **denoiser.network.size,
        "schedule": denoiser.schedule.name,
        "prediction": denoiser.prediction,
    }
    assert card["parameters"] == sum(parameter.numel() for parameter in denoiser.parameters())
    assert f"scripts/train_zoo.py {name}" in card["command"]
    assert card["terms"].endswith(("CC BY 4.0", "CC BY-SA 3.0"))
    assert card["training"]["seconds"] > 0


@pytest.mark.parametrize("name", IMAGES)
def test_the_quality_that_the_course_promises_is_on_the_card(name: str) -> None:
    metrics, judge = model_card(name)["metrics"], model_card(f"classifier-{name}")["metrics"]
    assert (metrics["samples"], metrics["draws"]) == (2000, 5)
    assert min(metrics["class_accuracy"], metrics["class_accuracy_throughout"]) >= 0.97
    assert metrics["nearest_is_training"] <= 0.6
    assert judge["held_out_accuracy"] >= 0.98
    assert judge["frechet_floor"] == pytest.approx(zoo.load_classifier(name).floor, abs=1e-3)
    assert judge["frechet_floor"] == pytest.approx(statistics.mean(judge["frechet_floors"]), abs=1e-3)
    assert metrics["frechet"] == pytest.approx(statistics.mean(metrics["frechets"]), abs=1e-3)
    assert len(judge["frechet_floors"]) == len(metrics["frechets"]) == metrics["draws"]
    assert metrics["frechet_floor"] == pytest.approx(judge["frechet_floor"], abs=1e-3)


@pytest.mark.parametrize("name", IMAGES)
def test_samples_are_at_most_half_as_far_again_from_real_images_as_real_images_are(name: str) -> None:
    metrics = model_card(name)["metrics"]
    assert metrics["frechet"] <= 1.5 * metrics["frechet_floor"]
    assert metrics["frechet_unguided"] <= 1.5 * metrics["frechet_floor"]


@pytest.mark.xfail(
    strict=True, reason="1.72 times for mnist-28, 2.2 for digits-8: guidance at high noise costs variety"
)
@pytest.mark.parametrize("name", IMAGES)
def test_so_they_are_when_guided_at_every_noise_level(name: str) -> None:
    metrics = model_card(name)["metrics"]
    assert metrics["frechet_throughout"] <= 1.5 * metrics["frechet_floor"]


@pytest.mark.parametrize("name", IMAGES)
def test_guidance_at_every_noise_level_costs_what_guidance_in_the_middle_does_not(name: str) -> None:
    metrics = model_card(name)["metrics"]
    assert 1.25 * metrics["frechet"] < metrics["frechet_throughout"] <= 2.5 * metrics["frechet_floor"]
    assert metrics["class_accuracy_throughout"] > metrics["class_accuracy"] > metrics["class_accuracy_unguided"]


@pytest.mark.parametrize("name", IMAGES)
def test_the_quality_tables_are_those_of_the_shipped_weights(name: str) -> None:
    table = read_table(name)
    assert table
    kept = next(point for point in table.points if (point.sampler, point.steps) == ("ddim", 5))
    start = Start(table.samples, 0, tuple(range(10)), table.guidance_scale)
    *_, (_, again) = quality(load_pretrained(name), zoo.load_classifier(name), [Method("ddim", 5)], start)
    assert again
    assert again.frechet == pytest.approx(kept.frechet, rel=0.02)
    assert again.accuracy == pytest.approx(kept.accuracy, abs=0.005)


@pytest.mark.parametrize("name", IMAGES)
def test_samples_are_of_the_class_asked_for_and_look_real_to_the_judge(name: str) -> None:
    classifier, metrics = zoo.load_classifier(name), model_card(name)["metrics"]
    labels = torch.arange(200) % 10
    walk = ex.sample(load_pretrained(name), 200, "heun", 20, seed=77, condition=labels, guidance_scale=1.5, keep="last")
    assert (classifier(walk.samples).argmax(1) == labels).float().mean() >= metrics["class_accuracy_throughout"] - 0.04
    mean, spread = classifier.reference_mean, classifier.reference_covariance.diag().sqrt()
    gap = (classifier.features(walk.samples).mean(0) - mean) / spread
    assert gap.square().mean().sqrt() < 0.5


def test_a_network_that_predicts_v_walks_on_any_schedule() -> None:
    """It sees the log-SNR and an image of unit variance, which are the same on all."""
    shipped = load_pretrained("digits-8")
    labels = torch.arange(50) % 10
    for schedule in schedule_names():
        denoiser = ex.Denoiser(shipped.network, ex.make_schedule(schedule), shipped.prediction, shipped.shape)
        samples = ex.sample(denoiser, 50, "heun", 20, condition=labels, guidance_scale=1.5, keep="last").samples
        assert (zoo.load_classifier("digits-8")(samples).argmax(1) == labels).float().mean() > 0.85


@pytest.mark.parametrize("name", IMAGES)
def test_the_judge_of_a_data_set_knows_real_images(name: str) -> None:
    if not is_available(name):
        pytest.skip(f"{name} is not on this machine")
    _, held_out = load_dataset(name).split()
    classifier = zoo.load_classifier(name)
    right = (classifier(held_out.images).argmax(1) == held_out.labels).float().mean().item()
    assert right == pytest.approx(model_card(f"classifier-{name}")["metrics"]["held_out_accuracy"], abs=2e-3)
    assert frechet_to(
        classifier.features(held_out.images), classifier.reference_mean, classifier.reference_covariance
    ) == pytest.approx(0, abs=1e-2)


def test_there_is_no_judge_for_everything() -> None:
    for name in ("fashion-28", "../mnist-28", ""):
        with pytest.raises(ValueError, match="no classifier"):
            zoo.load_classifier(name)
    assert not any(name.startswith("classifier") for name in ex.pretrained_names())


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


@pytest.mark.parametrize(
    "size",
    [
        {"classes": 3},
        {"attention": True, "patch": 4},
        {"widths": (8,), "depth": 2},
        {"widths": (8, 8, 16), "context": 5},
        {"attention": True, "text": {"words": ["cat", "red", "##s"], "width": 16, "length": 4}, "looks": [1, 2]},
    ],
)
def test_a_u_net_that_is_saved_comes_back(size: dict[str, Any]) -> None:
    saved = ex.make_image_denoiser((1, 8, 8), seed=3, **{"widths": (8, 16), **size})
    loaded, about = from_bytes(to_bytes(saved, classes=["a", "b"]), "UNet")
    assert (loaded.schedule.name, loaded.prediction, loaded.shape) == ("cosine", "v", (1, 8, 8))
    assert about["classes"] == ["a", "b"]
    x = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(loaded.predict(x, 0.5).x0, saved.predict(x, 0.5).x0, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shape", [1, 8, 9]),
        ("shape", [1, 2, 2]),
        ("shape", [3, 8, 8]),
        ("shape", [1, 80, 80]),
        ("shape", [1, 8]),
        ("shape", 8),
        ("shape", [2]),
        ("network", "MLP"),
        ("network", "Transformer"),
        ("network", ["UNet"]),
        ("size", {"channels": 1, "widths": [8, 12]}),
        ("size", {"channels": 1, "widths": []}),
        ("size", {"channels": 1, "widths": [8] * 9}),
        ("size", {"channels": 1, "widths": "88"}),
        ("size", {"channels": 1, "widths": [512, 512, 512, 512], "depth": 4}),
        ("size", {"channels": 1, "classes": 5, "context": 5}),
        ("size", {"channels": 1, "classes": 5, "text": {"words": ["cat"]}}),
        ("size", {"channels": 1, "text": {}}),
        ("size", {"channels": 1, "text": {"words": []}}),
        ("size", {"channels": 1, "text": {"words": ["cat", "cat"]}}),
        ("size", {"channels": 1, "text": {"words": ["cat", 3]}}),
        ("size", {"channels": 1, "text": {"words": "cat"}}),
        ("size", {"channels": 1, "text": {"words": ["x" * 1000]}}),
        ("size", {"channels": 1, "text": {"words": ["cat"] * 10**6}}),
        ("size", {"channels": 1, "text": {"words": ["cat"], "length": 10**9}}),
        ("size", {"channels": 1, "text": {"words": ["cat"], "width": 6}}),
        ("size", {"channels": 1, "text": {"words": ["cat"], "colour": "red"}}),
        ("size", {"channels": 1, "patch": 0}),
        ("size", {"channels": 1, "widths": [8], "patch": 8}),
        ("size", {"channels": 1, "attention": 1}),
    ],
)
def test_a_header_that_lies_about_a_u_net_is_refused(field: str, value: Any) -> None:
    content = to_bytes(ex.make_image_denoiser((1, 8, 8), widths=(8, 16)))
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    about = json.loads(header["__metadata__"]["explorer"])
    refused(file_of(about | {field: value}, load(content)))


@pytest.mark.parametrize(("width", "side", "fits"), [(32, 64, False), (16, 64, True), (32, 28, True)])
def test_a_u_net_whose_maps_would_fill_the_memory_is_refused(width: int, side: int, fits: bool) -> None:
    denoiser = ex.make_image_denoiser((1, side, side), widths=(width,), patch=1)
    about = {
        "network": "UNet",
        "size": denoiser.network.size,
        "shape": denoiser.shape,
        "schedule": "cosine",
        "prediction": "v",
    }
    content = file_of(about, {name: tensor.contiguous() for name, tensor in weights(denoiser).items()})
    if fits:
        assert from_bytes(content)[0].shape == from_bytes(to_bytes(denoiser))[0].shape == denoiser.shape
    else:
        assert "does not know: its maps must have" in refused(content)
        assert "its maps must have" in unsaved(denoiser)


def test_a_model_of_the_other_kind_is_refused_with_where_it_belongs() -> None:
    with pytest.raises(ValueError, match="Geometry lab"):
        from_bytes(GOOD, "UNet")
    with pytest.raises(ValueError, match="Training lab"):
        from_bytes(to_bytes(ex.make_image_denoiser((1, 8, 8), widths=(8,))), "MLP")


def refused(content: bytes) -> str:
    with pytest.raises(ValueError) as caught:
        from_bytes(content)
    assert type(caught.value) is ValueError
    text = str(caught.value)
    assert text[0].isupper()
    assert text.endswith(".")
    return text


def unsaved(denoiser: ex.Denoiser, **about: Any) -> str:
    """The sentence that a model is not saved with."""
    with pytest.raises(ValueError) as caught:
        to_bytes(denoiser, **about)
    assert type(caught.value) is ValueError
    text = str(caught.value)
    assert text[0].isupper()
    assert text.endswith(".")
    return text


def on_another_schedule(schedule: ex.Schedule) -> ex.Denoiser:
    return ex.Denoiser(ex.make_denoiser_2d(0, width=4, depth=1).network, schedule)


def renamed(schedule: ex.Schedule) -> ex.Schedule:
    schedule.name = "cosine"
    return schedule


def with_t_max(schedule: ex.Schedule, t_max: float) -> ex.Schedule:
    schedule.t_max = t_max
    return schedule


def changed(change: Callable[[Any], object], **size: int) -> ex.Denoiser:
    denoiser = ex.make_denoiser_2d(0, **{"width": 4, "depth": 2, **size})
    change(denoiser.network)
    return denoiser


def image_denoiser(shape: tuple[int, int, int] = (1, 8, 8), **options: Any) -> ex.Denoiser:
    return ex.make_image_denoiser(shape, **{"widths": (8,), **options})


def with_nan(network: Any) -> None:
    network.layers[0].weight.data[0, 0] = torch.nan


UNSAVED: dict[str, tuple[Callable[[], ex.Denoiser], str]] = {
    "a schedule from betas": (lambda: on_another_schedule(ex.schedule_from_betas(torch.full((9,), 0.3))), "linear or"),
    "a schedule under another's name": (
        lambda: on_another_schedule(renamed(ex.schedule_from_betas(torch.full((9,), 0.3)))),
        "its schedule is not the cosine one",
    ),
    "other ends": (lambda: on_another_schedule(with_t_max(ex.make_schedule("flow"), 0.9)), "not the flow one"),
    "half precision": (lambda: changed(lambda network: network.half()), "32-bit"),
    "one double layer": (lambda: changed(lambda network: network.layers[0].double()), "32-bit"),
    "a weight that is no number": (lambda: changed(with_nan), "finite"),
    "no memory": (lambda: changed(lambda network: network.to("meta")), "finite"),
    "101 classes": (lambda: image_denoiser(classes=101), "its classes must be None or a whole number from 1 to 100"),
    "96 pixels": (lambda: image_denoiser((1, 96, 96)), "each a whole number from 1 to 64"),
    "5 channels": (lambda: image_denoiser((5, 8, 8)), "its channels must be a whole number from 1 to 4"),
    "5 levels": (lambda: image_denoiser((1, 32, 32), widths=(8,) * 5), "1 to 4 numbers, each a multiple of 8"),
    "a wide level": (lambda: image_denoiser(widths=(520,)), "each a multiple of 8 up to 512"),
    "a patch of 16": (lambda: image_denoiser((1, 16, 16), patch=16), "its patch must be 1 or 2 or 4 or 7 or 8"),
    "depth 5": (lambda: image_denoiser(depth=5), "its depth must be a whole number from 1 to 4"),
    "a wide context": (lambda: image_denoiser(context=513), "its context must be None or"),
    "little maps": (lambda: image_denoiser((1, 4, 4), widths=(8, 8)), "its maps must have more than 8"),
    "many weights": (lambda: image_denoiser(widths=(512, 512), depth=2), "larger than 20 MB"),
    "a wide layer": (lambda: changed(lambda network: None, width=513), "its width must be a whole number from 1 to"),
    "13 layers": (lambda: changed(lambda network: None, depth=13), "its depth must be a whole number from 1 to 12"),
    "points of 3 numbers": (
        lambda: ex.Denoiser(MLP(width=4, depth=1, dimensions=3), ex.make_schedule("flow"), shape=(3,)),
        "its dimensions must be 2",
    ),
    "the shape of another": (
        lambda: ex.Denoiser(MLP(width=4, depth=1), ex.make_schedule("flow"), shape=(2, 1)),
        "points of 2 numbers",
    ),
    "a schedule without a name": (
        lambda: ex.Denoiser(MLP(width=4, depth=1), type("Mine", (Flow,), {"name": None})()),
        "its schedule must be linear or cosine or flow or edm",
    ),
    "a schedule with a strange name": (
        lambda: ex.Denoiser(MLP(width=4, depth=1), type("Mine", (Flow,), {"name": ["flow"]})()),
        "its schedule must be linear or cosine or flow or edm",
    ),
    "another layer": (
        lambda: changed(lambda network: setattr(network.layers, "0", nn.Linear(5, 7))),
        "do not fit a network of its size",
    ),
    "another activation": (
        lambda: changed(lambda network: setattr(network.layers, "1", nn.ReLU())),
        "its layers are not those of a network of its size",
    ),
    "what recalls": (
        lambda: ex.ideal_denoiser(ex.toy2d("moons", 20), ex.make_schedule("flow")),
        "its network must be MLP or UNet or SpeechUNet or VideoUNet, of this library, not a PosteriorMean",
    ),
    "a network of the same name": (
        lambda: ex.Denoiser(type("MLP", (MLP,), {})(), ex.make_schedule("flow")),
        "must be MLP or UNet or SpeechUNet or VideoUNet, of this library",
    ),
}


@pytest.mark.parametrize("make, sentence", UNSAVED.values(), ids=UNSAVED.keys())
def test_what_could_not_be_read_back_is_not_saved(
    make: Callable[[], ex.Denoiser], sentence: str, tmp_path: Path
) -> None:
    denoiser, path = make(), tmp_path / "model.safetensors"
    said = unsaved(denoiser)
    assert said.startswith("This model cannot be saved: its ")
    assert sentence in said
    path.write_text("before")
    with pytest.raises(ValueError, match="cannot be saved"):
        ex.save(denoiser, path)
    assert path.read_text() == "before"


def test_what_a_file_says_of_its_model_is_json_and_no_other_size() -> None:
    denoiser = ex.make_denoiser_2d(0, width=4, depth=1)
    circle: list[Any] = []
    circle.append(circle)
    for value in (torch.zeros(2), {1, 2}, circle, {"deep": object()}):
        assert "must be JSON" in unsaved(denoiser, note=value)
    assert "says by itself what the shape of its model is" in unsaved(denoiser, shape=[3])


def predictions(denoiser: ex.Denoiser) -> torch.Tensor:
    x = torch.randn(3, *denoiser.shape, generator=torch.Generator().manual_seed(0))
    t = torch.linspace(denoiser.schedule.t_min, denoiser.schedule.t_max, 3, dtype=torch.float64)
    with torch.no_grad():
        return denoiser.predict(x, t).x0


OFTEN = st.integers(1, 40)
MODELS = st.one_of(
    st.builds(
        ex.make_denoiser_2d,
        st.just(0),
        schedule=st.sampled_from(schedule_names()),
        prediction=st.sampled_from(PREDICTIONS),
        width=st.one_of(OFTEN, st.integers(500, 520), OFTEN.map(np.int64)),
        depth=st.integers(1, 14),
        features=st.one_of(OFTEN, st.integers(250, 260)),
    ),
    st.builds(
        lambda channels, side, patch, **options: ex.make_image_denoiser(
            (channels, side * patch, side * patch), patch=patch, **options
        ),
        channels=st.integers(1, 6),
        side=st.integers(1, 12),
        patch=st.integers(1, 9),
        classes=st.one_of(st.none(), st.integers(1, 5), st.integers(98, 103)),
        schedule=st.sampled_from(schedule_names()),
        prediction=st.sampled_from(PREDICTIONS),
        widths=st.lists(st.sampled_from([8, 16, 24]), min_size=1, max_size=5),
        depth=st.integers(1, 5),
        attention=st.booleans(),
    ),
)


@given(MODELS)
@settings(max_examples=60, deadline=None)
def test_every_model_is_saved_and_read_back_or_refused_in_a_sentence(denoiser: ex.Denoiser) -> None:
    try:
        content = to_bytes(denoiser)
    except ValueError:
        unsaved(denoiser)
        return
    loaded, _ = from_bytes(content)
    assert type(loaded.network) is type(denoiser.network)
    assert (loaded.schedule.name, loaded.prediction) == (denoiser.schedule.name, denoiser.prediction)
    assert loaded.shape == denoiser.shape
    for name, tensor in weights(denoiser).items():
        assert torch.equal(weights(loaded)[name], tensor)
    torch.testing.assert_close(predictions(loaded), predictions(denoiser), rtol=1e-5, atol=1e-5, equal_nan=True)


def test_a_model_is_saved_to_a_path_and_loaded_from_it(tmp_path: Path) -> None:
    denoiser = ex.make_denoiser_2d(3, width=8, depth=2)
    for _ in ex.train(denoiser, ex.toy2d("moons", 100), ex.TrainConfig(steps=3, batch_size=20)):
        pass
    for path in (tmp_path / "model.safetensors", str(tmp_path / "other.safetensors")):
        ex.save(denoiser, path, name="Moons")
        loaded = ex.load(path)
        assert torch.equal(predictions(loaded), predictions(denoiser))
        assert all(parameter.requires_grad for parameter in loaded.parameters())
        next(ex.train(loaded, ex.toy2d("moons", 100), ex.TrainConfig(steps=1)))
        assert from_bytes(Path(path).read_bytes())[1]["name"] == "Moons"
    with pytest.raises(FileNotFoundError):
        ex.load(tmp_path / "none.safetensors")
    (tmp_path / "large").write_bytes(bytes(zoo.LARGEST_FILE + 1))
    with pytest.raises(ValueError, match="larger than 20 MB"):
        ex.load(tmp_path / "large")


def test_weights_that_are_tied_are_saved_each() -> None:
    denoiser = changed(lambda network: setattr(network.layers[2], "bias", network.layers[0].bias))
    assert torch.equal(predictions(from_bytes(to_bytes(denoiser))[0]), predictions(denoiser))


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
@example("shape", [2.0])
@example("shape", [True])
def test_a_header_that_lies_about_the_model_is_refused(field: str, value: Any) -> None:
    if described().get(field) != value or field == "shape":
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
@example("F32", [0, 2**62, 4], (16, 16))
@example("F32", [0, 2**40, 2**40], (0, 0))
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


def test_what_draws_from_prompts_is_as_good_as_was_wanted() -> None:
    emoji, scenes = (model_card(name)["metrics"] for name in ("emoji", "scenes"))
    assert model_card("judge-emoji")["metrics"]["top 1"] >= 0.75
    for kind, first, five in (("trained", 0.7, 0.85), ("held out", 0.45, 0.7)):
        assert emoji[kind]["drawn"]["top 1"] >= first
        assert emoji[kind]["drawn"]["top 5"] >= five
        assert emoji[kind]["concepts"] >= 130
    assert min(emoji[kind]["colour"] for kind in ("colours", "colours held out")) >= 0.9
    assert min(scenes["trained"]["drawn"].values()) >= 0.9
    assert min(scenes["held out"]["drawn"].values()) >= 0.75
    where = scenes["looks"]["parts"]["decoder 3"]
    assert min(where[kind] for kind in ("colour", "shape", "colour here", "shape here")) >= 0.95
    assert min(where[f"{kind} times"] for kind in ("colour here", "shape here")) >= 3


@pytest.mark.xfail(strict=True, reason="56 % of the emoji are drawn in the style that the prompt names")
def test_styles_are_right_as_often_as_was_wanted() -> None:
    assert model_card("emoji")["metrics"]["trained"]["drawn"]["style"] >= 0.6


def test_the_card_of_a_drawing_model_is_what_it_does() -> None:
    denoiser, judge = load_pretrained("emoji"), zoo.load_judge("emoji")
    names = ["penguin", "strawberry", "guitar", "heart", "car", "rainbow", "robot", "umbrella"] * 2
    drawn = ex.sample(denoiser, 16, "ddim", 20, 0, names, guidance_scale=4.0, keep="last").samples.clamp(-1, 1)
    assert sum(best == name for (best,), name in zip(judge.name(drawn, "concept"), names, strict=True)) >= 11


def test_weights_may_be_kept_in_half_the_space_where_the_header_says_so() -> None:
    saved = ex.make_image_denoiser((1, 8, 8), widths=(8, 16), classes=3)
    whole, half = to_bytes(saved), to_bytes(saved, half=True, name="small")
    assert len(half) < 0.6 * len(whole)
    loaded, about = from_bytes(half, "UNet")
    assert about["name"] == "small"
    for name, tensor in weights(loaded).items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, weights(saved)[name].half().float())
    with torch.no_grad():
        next(saved.parameters()).view(-1)[0] = 1e6
    with pytest.raises(ValueError, match="too large for 16 bits"):
        to_bytes(saved, half=True)


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


SPEECH = model_card("voice")["metrics"]


def test_speech_is_understood_as_well_as_was_wanted() -> None:
    assert SPEECH["phone errors of sentences, trained voices"] <= 30
    assert SPEECH["digits heard, trained voices"] >= SPEECH["digits heard, real people"] - 5


def test_the_vocoder_loses_at_most_two_points_of_digits() -> None:
    lost = SPEECH["digits heard, real people"] - SPEECH["digits heard, real people through the vocoder"]
    assert lost <= 2


@pytest.mark.xfail(strict=True, reason="85 % of 20 trained voices, by a judge that others made")
def test_trained_voices_are_told_from_each_other() -> None:
    assert SPEECH["trained voices"]["top 1"] >= 90


def test_twenty_voices_were_kept_out_and_cloned_far_above_chance() -> None:
    assert SPEECH["voices kept out"]["speakers"] == 20
    assert SPEECH["voices kept out"]["top 1"] >= 40


@pytest.mark.xfail(strict=True, reason="40 % of the 20 voices that were kept out; chance is 5 %")
def test_voices_that_were_kept_out_are_cloned_as_often_as_was_wanted() -> None:
    assert SPEECH["voices kept out"]["top 1"] >= 50


def test_speech_is_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in zoo.FOLDER.glob("*voice.safetensors")) <= 15e6


def test_the_parts_of_speech_come_back_from_their_files_as_they_were() -> None:
    denoiser = load_pretrained("voice")
    assert from_bytes(to_bytes(denoiser), "SpeechUNet")[0].shape == denoiser.shape == (1, 66, 128)
    with pytest.raises(ValueError, match="a model of speech, for Voice cloning"):
        from_bytes(to_bytes(denoiser), "UNet")
    for read in (zoo.load_vocoder, zoo.load_listener, zoo.load_durations):
        assert read("voice") is read("voice")
        with pytest.raises(ValueError, match="there is no"):
            read("nobody")


@pytest.mark.parametrize("shape", [(1, 66, 100), (1, 65, 128), (2, 66, 128), (1, 66, 0), (66, 128), (1, 66, 8192)])
def test_a_file_of_speech_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    network = load_pretrained("voice").network
    with pytest.raises(ValueError, match="its samples must be of 1 x 66"):
        to_bytes(ex.Denoiser(network, ex.make_schedule("cosine"), "x0", shape))
