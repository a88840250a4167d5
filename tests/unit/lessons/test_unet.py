import copy
import threading

import numpy as np
import pytest
import torch

from explorer.denoiser import Denoiser
from explorer.lessons.unet import cut, fingerprint, guesses, observe, time_embedding
from explorer.networks.unet import make_image_denoiser
from explorer.samplers import sample

LEVELS = np.array([4.0, 0.0, -4.0])
IMAGE = np.linspace(-1, 1, 64, dtype=np.float32).reshape(1, 8, 8)


@pytest.fixture(scope="module")
def denoiser() -> Denoiser:
    made = make_image_denoiser((1, 8, 8), classes=3, widths=(8, 16), attention=True)
    return made.requires_grad_(False)


def test_it_shows_what_the_denoiser_sees_and_says(denoiser: Denoiser) -> None:
    moments = observe(denoiser, IMAGE, LEVELS, seed=3, label=1)
    np.testing.assert_allclose(denoiser.schedule.log_snr(torch.from_numpy(moments.t)), LEVELS, atol=1e-6)
    alpha = np.sqrt(1 / (1 + np.exp(-LEVELS)))[:, None, None, None]
    noise = (moments.x - alpha * IMAGE) / np.sqrt(1 - alpha**2)
    np.testing.assert_allclose(noise, noise[:1].repeat(3, 0), atol=2e-5)  # one noise at all levels
    t = torch.from_numpy(moments.t)
    with torch.no_grad():  # the cosine schedule keeps the variance, so x is x_t itself
        guess = denoiser.predict(torch.from_numpy(moments.x), t, torch.tensor([1, 1, 1])).x0.numpy()
    np.testing.assert_allclose(moments.x0, guess, atol=1e-4)
    np.testing.assert_allclose(moments.error, np.sqrt(((guess - IMAGE) ** 2).mean((1, 2, 3))), atol=1e-4)
    assert moments.maps["decoder 1"].shape == (3, 8, 4, 4)
    assert moments.maps["embedding"].shape == (3, 32)


@pytest.mark.parametrize("part", ["skip 1", "skip 2", "attention"])
def test_a_cut_changes_what_comes_after_it_alone(denoiser: Denoiser, part: str) -> None:
    whole = observe(denoiser, IMAGE, LEVELS, 0)
    less = observe(denoiser, IMAGE, LEVELS, 0, scales={part: 0.0})
    np.testing.assert_array_equal(whole.x, less.x)
    np.testing.assert_array_equal(whole.maps["encoder 2"], less.maps["encoder 2"])
    assert (whole.maps["decoder 1"] != less.maps["decoder 1"]).any()
    assert (whole.error != less.error).any()


@pytest.mark.parametrize("label", [None, 2])
def test_one_batch_gives_the_guesses_of_each_cut_alone(denoiser: Denoiser, label: int | None) -> None:
    cuts = [{"skip 1": 0.0}, {"skip 2": 0.5}, {"attention": 0.0, "skip 1": 0.25}, {}]
    together, errors = guesses(denoiser, IMAGE, LEVELS, 5, label, cuts)
    assert together.shape == (4, 3, 1, 8, 8)
    for scales, x0, error in zip(cuts, together, errors, strict=True):
        alone = observe(denoiser, IMAGE, LEVELS, 5, label, scales)
        np.testing.assert_allclose(x0, alone.x0, atol=1e-4)
        np.testing.assert_allclose(error, alone.error, atol=1e-4)


def test_attention_shows_what_it_adds(denoiser: Denoiser) -> None:
    whole, half, none = (observe(denoiser, IMAGE, LEVELS, 0, scales={"attention": s}) for s in (1.0, 0.5, 0.0))
    np.testing.assert_allclose(half.maps["attention"], whole.maps["attention"] / 2, atol=1e-5)
    assert not none.maps["attention"].any()
    assert whole.maps["attention"].any()


def test_a_cut_denoiser_samples_with_the_weights_of_the_whole(denoiser: Denoiser) -> None:
    condition = torch.tensor([0, 1])
    whole = sample(denoiser, 2, "ddim", 3, condition=condition).samples
    assert torch.equal(sample(cut(denoiser, {"skip 1": 1.0}), 2, "ddim", 3, condition=condition).samples, whole)
    less = cut(denoiser, {"skip 1": 0.0})
    assert not torch.allclose(sample(less, 2, "ddim", 3, condition=condition).samples, whole)
    assert {id(weights) for weights in less.parameters()} == {id(weights) for weights in denoiser.parameters()}
    numbers = torch.tensor([0, 1], dtype=torch.uint8)
    assert torch.equal(sample(cut(denoiser, {}), 2, "ddim", 3, condition=numbers).samples, whole)
    with pytest.raises(ValueError, match="the condition must be 2 class numbers"):
        sample(less, 2, "ddim", 3, condition=[0, 99])


def test_one_visitor_s_cut_is_nobody_else_s(denoiser: Denoiser) -> None:
    cases = [{}, {"skip 1": 0.0}, {"attention": 0.0}]
    expected = [observe(denoiser, IMAGE, LEVELS, 0, scales=scales).x0 for scales in cases]
    wrong: list[str] = []

    def repeat(index: int) -> None:
        for _ in range(20):
            if not np.allclose(observe(denoiser, IMAGE, LEVELS, 0, scales=cases[index]).x0, expected[index], atol=1e-5):
                wrong.append(f"case {index}")

    threads = [threading.Thread(target=repeat, args=(index,)) for index in range(len(cases))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_time_embedding_is_what_the_blocks_get(denoiser: Denoiser) -> None:
    features, embedding = time_embedding(denoiser, LEVELS)
    assert features.shape == (3, 33)
    told = observe(denoiser, IMAGE, LEVELS, 0, label=2).maps["embedding"]
    vector = denoiser.network.label.vectors[2].numpy()
    np.testing.assert_allclose(embedding + vector, told, atol=1e-5)


def test_a_fingerprint_is_that_of_the_weights(denoiser: Denoiser) -> None:
    same = copy.deepcopy(denoiser)
    assert fingerprint(same) == fingerprint(denoiser)
    with torch.no_grad():
        next(same.network.parameters()).flatten()[0] += 1e-3
    assert fingerprint(same) != fingerprint(denoiser)
    assert fingerprint(make_image_denoiser((1, 8, 8), seed=1)) != fingerprint(make_image_denoiser((1, 8, 8)))
