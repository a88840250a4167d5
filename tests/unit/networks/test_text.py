import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from explorer.denoiser import Denoiser
from explorer.hardware.memory import estimate_memory
from explorer.networks.blocks import build
from explorer.networks.structure import structure
from explorer.networks.text import PADDING, PLURAL, START, UNKNOWN, TextEncoder, Vocabulary
from explorer.networks.unet import UNet, make_image_denoiser
from explorer.samplers import sample
from explorer.training import TrainConfig, train

WORDS = ["cat", "dog", "glass", "red", "green", "above", "a", PLURAL]
TEXT = {"words": WORDS, "width": 16, "length": 8}
X = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
LOG_SNR = torch.tensor([-1.0, 1.0])


def encoder() -> TextEncoder:
    return build(lambda: TextEncoder(**TEXT), seed=0)


def small() -> UNet:
    return build(lambda: UNet(3, (8, 16, 24), attention=True, text=TEXT, looks=(2, 3)), seed=0)


def denoiser() -> Denoiser:
    return make_image_denoiser((3, 16, 16), widths=(8, 16), attention=True, text=TEXT, looks=(2,))


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("A red CAT!", ["a", "red", "cat"]),
        ("cats", ["cat", PLURAL]),
        ("glasses", ["glass", PLURAL]),
        ("glass", ["glass"]),
        ("two zebras", ["two", "zebras"]),
        ("cat's", ["cat", PLURAL]),
        ("red-green", ["red", "green"]),
        ("<b>red</b>", ["b", "red", "b"]),
        ("кот 3 cats", ["кот", "3", "cat", PLURAL]),
        ("", []),
    ],
)
def test_a_text_is_read_in_pieces(text: str, pieces: list[str]) -> None:
    assert Vocabulary(WORDS).pieces(text) == pieces


@given(st.text(max_size=200), st.integers(2, 20))
def test_any_text_becomes_numbers_of_the_vocabulary(text: str, length: int) -> None:
    vocabulary = Vocabulary(WORDS)
    numbers = vocabulary.numbers(text, length)
    assert len(numbers) == length
    assert numbers[0] == START
    assert all(0 <= number < len(vocabulary) for number in numbers)
    words = len(vocabulary.pieces(text))
    assert numbers.count(PADDING) == max(0, length - 1 - words)


def test_words_have_their_numbers_and_others_are_unknown() -> None:
    assert Vocabulary(WORDS).numbers("dogs zebra cat", 6) == [START, 4, 10, UNKNOWN, 3, PADDING]


def test_what_fills_up_changes_nothing() -> None:
    network = encoder()
    alone, together = network(network.read(["red cat"], 1)), network(network.read(["red cat", "a red cat above"], 2))
    assert alone.vectors.shape == (1, 3, 16)
    assert together.vectors.shape == (2, 5, 16)
    torch.testing.assert_close(together.vectors[0, :3], alone.vectors[0])
    torch.testing.assert_close(together.pooled[0], alone.pooled[0])
    torch.testing.assert_close(alone.pooled[0], alone.vectors[0].mean(0))


def test_the_order_of_words_matters() -> None:
    network = encoder()
    first, second = network(network.read(["red cat above green dog", "green cat above red dog"], 2)).pooled
    assert not torch.allclose(first, second)


@pytest.mark.parametrize("wrong", [3, ["a cat"], ["a cat", 3], [], torch.zeros(2, 8), torch.zeros(2, 8).long(), None])
def test_what_is_no_text_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="the condition must be 2 texts, or one for all"):
        encoder().read(wrong, 2)


def test_a_text_for_all_and_its_numbers_are_read_alike() -> None:
    network = encoder()
    numbers = network.read("a cat", 2)
    assert torch.equal(numbers, network.read(["a cat", "A cat."], 2))
    again = network.read(numbers, 2)
    assert torch.equal(again, numbers)
    assert again is not numbers


def test_no_condition_is_the_empty_text() -> None:
    network = small()
    torch.testing.assert_close(network(X, LOG_SNR), network(X, LOG_SNR, network.read_condition("", 2)))
    assert not torch.allclose(network(X, LOG_SNR), network(X, LOG_SNR, network.read_condition("cat", 2)))


def test_every_place_looks_at_words_and_never_at_padding() -> None:
    network, seen = small(), {}

    def look(name: str, weights: Tensor) -> Tensor:
        seen[name] = weights
        return weights

    condition = network.read_condition(["cat", "red cat above"], 2)
    told = network(X, LOG_SNR, condition, look=look)
    torch.testing.assert_close(told, network(X, LOG_SNR, condition))
    places = {"encoder 2": 16, "encoder 3": 4, "middle": 4, "decoder 3": 4, "decoder 2": 16}
    assert {name: tuple(weights.shape) for name, weights in seen.items()} == {
        name: (2, 4, count, 4) for name, count in places.items()
    }
    for weights in seen.values():
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))
        assert weights[0, ..., 2:].eq(0).all()


def test_what_the_places_look_at_can_be_replaced() -> None:
    network = small()
    cat, dog = (network.read_condition(text, 2) for text in ("a cat", "a dog"))
    kept: dict[str, Tensor] = {}

    def keep(name: str, weights: Tensor) -> Tensor:
        return kept.setdefault(name, weights)

    network(X, LOG_SNR, cat, look=keep)
    swapped = network(X, LOG_SNR, dog, look=keep)
    assert not torch.allclose(swapped, network(X, LOG_SNR, dog))
    assert not torch.allclose(swapped, network(X, LOG_SNR, cat))


def test_a_text_that_has_been_read_is_taken_and_so_is_what_lies_between_two() -> None:
    model = denoiser()
    encoder = model.network.text
    cat, dog = (encoder(encoder.read(text, 2)) for text in ("a cat", "a red dog above a cat"))
    for text, told in (("a cat", cat), ("a red dog above a cat", dog)):
        torch.testing.assert_close(model.predict(X, 0.5, told).x0, model.predict(X, 0.5, text).x0)
    torch.testing.assert_close(model.predict(X, 0.5, cat.to(dog, torch.ones(2))).x0, model.predict(X, 0.5, dog).x0)
    between = model.predict(X, 0.5, cat.to(dog, torch.full((2,), 0.5))).x0
    assert not torch.allclose(between, model.predict(X, 0.5, cat).x0)
    guided, plain = model.predict_each(X, 0.5, [dog, None])
    torch.testing.assert_close(guided.x0, model.predict(X, 0.5, dog).x0)
    torch.testing.assert_close(plain.x0, model.predict(X, 0.5).x0)
    with pytest.raises(ValueError, match="not 2 that another encoder has read"):
        model.predict(X[:1], 0.5, cat)


def test_it_is_guided_with_a_negative_text_in_one_call() -> None:
    model = denoiser()
    run = sample(model, 3, "ddim", 4, condition="red cat", negative_condition="green", guidance_scale=3.0)
    assert run.samples.shape == (3, 3, 16, 16)
    assert run.evaluations == 8
    one, other = model.predict_each(X, 0.5, ["red cat", None])
    torch.testing.assert_close(one.x0, model.predict(X, 0.5, "red cat").x0)
    torch.testing.assert_close(other.x0, model.predict(X, 0.5).x0)


def test_it_learns_to_draw_what_it_is_told() -> None:
    model = make_image_denoiser((1, 8, 8), widths=(8, 16), text=TEXT, looks=(2,))
    images = torch.stack([torch.full((1, 8, 8), value) for value in (-0.8, 0.8)]).repeat(32, 1, 1, 1)
    texts = ["a cat", "a red dog"] * 32
    config = TrainConfig(steps=200, batch_size=16, learning_rate=1e-2)
    for _ in train(model, (images, texts), config):
        pass
    noise = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    cat, dog = (model.predict(noise, 0.9, text).x0.mean() for text in ("a cat", "a red dog"))
    assert cat < -0.4
    assert dog > 0.4


def test_its_parts_and_its_memory_are_counted() -> None:
    network = small()
    parts = structure(network, (3, 16, 16))
    assert sum(part.parameters for part in parts) == sum(weights.numel() for weights in network.parameters())
    model = denoiser()
    assert estimate_memory(model, batch_size=4).weights == 4 * sum(
        tensor.numel() for tensor in (*model.parameters(), *model.buffers())
    )
