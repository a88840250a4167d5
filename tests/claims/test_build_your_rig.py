"""What Build your rig claims, computed again."""

import json
import re
import statistics
import tomllib
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

import explorer as ex
from explorer.files import ASSETS
from explorer.hardware import systems
from explorer.lessons.for_teachers.questions import TEST
from tests.claims.reading import found, number, replies, says, words

Open = Callable[..., AppTest]
PAGE = "pages/build_your_rig.py"
GIB = 2**30


@pytest.fixture(scope="module")
def page(open_page: Open) -> str:
    return words(open_page(PAGE))


@pytest.fixture(scope="module")
def answers(open_page: Open) -> str:
    return replies(open_page(PAGE), "rig")


@pytest.fixture(scope="module")
def flux(open_page: Open) -> str:
    return words(open_page(PAGE, rig_system="FLUX.1 dev"))


@pytest.fixture(scope="module")
def cards() -> list[dict[str, object]]:
    return tomllib.loads((ASSETS / "hardware" / "cards.toml").read_text())["card"]


def usable(card: dict) -> float:
    """GiB of a card that one program may have, before the driver's context; 0 where it is not known."""
    if "memory" not in card:
        return 0.0
    size = card["memory"] * (1 if card["memory_unit"] == "GiB" else 1e9 / GIB)
    return card["reported"] / 1024 if "reported" in card else size * card.get("gpu_share", 1) / card.get("devices", 1)


def of_peak(text: str) -> tuple[float, float]:
    return tuple(map(number, found(r"At least ([\d.]+) GiB in \w+; plan for ([\d.]+) GiB", text).groups()))  # type: ignore[return-value]


def test_what_is_left_on_the_card_and_what_to_plan_for(page: str, flux: str, cards: list) -> None:
    (card,) = [card for card in cards if card["name"] == "GeForce RTX 4090"]
    context = number(found(r"less ([\d.]+) GiB that its driver takes \(assumed\)", page)[1])
    for text in (page, flux):
        least, planned = of_peak(text)
        assert planned == pytest.approx(1.1 * least, abs=0.1)
        spare = found(r"GeForce RTX 4090\*\* it (?:fits, ([\d.]+) GiB to spare|is short by ([\d.]+) GiB)", text)
        left = number(spare[1]) if spare[1] else -number(spare[2])
        assert left == pytest.approx(usable(card) - context - least, abs=0.15)


def test_the_cheapest_card_that_holds_it(page: str, flux: str, cards: list) -> None:
    for text in (page, flux):
        least, _ = of_peak(text)
        told = found(r"The cheapest that holds what to plan for, by launch price: \*\*(.+?)\*\* \(([\d,]+) USD", text)
        name, price = told.groups()
        (named,) = [card for card in cards if card["name"] == name]
        assert named["launch_price"] == number(price)
        assert usable(named) - 0.6 >= 1.1 * least - 0.06
        cheaper = [card for card in cards if card.get("launch_price") and card["launch_price"] < number(price)]
        assert cheaper or least < 8
        assert all(usable(card) - 0.6 < 1.1 * least + 0.06 for card in cheaper)


def test_what_would_save_most_of_flux_is_four_bits(page: str, answers: str, flux: str) -> None:
    says(answers, "The denoiser alone has twelve billion weights: read what the page ranks first.")
    ranked = re.findall(
        r"\*\*([\w ]+?)\*\* ([\d.]+) GiB", found(r"What would save most, each alone: (.+?)\.\s", flux)[1]
    )
    assert ranked[0][0] == "weights in 4 bits"
    sizes = [number(size) for _, size in ranked]
    assert sizes == sorted(sizes, reverse=True)
    weights = systems.denoiser_bytes(systems.systems()["flux1-dev"], "bf16") / 2
    assert weights == pytest.approx(12e9, rel=0.02)
    saved = dict(ranked)
    assert number(saved["weights in 8 bits"]) == pytest.approx(weights / GIB, rel=0.05)  # a byte of each weight
    assert number(saved["weights in 4 bits"]) == pytest.approx(1.5 * weights / GIB, rel=0.08)


def test_tiling_saves_nothing_of_one_tile_and_flash_is_on(answers: str, flux: str, open_page: Open) -> None:
    says(
        answers,
        "An image of that size is one tile: nothing is saved.",
        "It is on already. Plain attention would cost more.",
    )
    assert "VAE tiling" not in found(r"What would save most, each alone: (.+?)\.\s", flux)[1]
    tiled = words(open_page(PAGE, rig_system="FLUX.1 dev", rig_tiling="true"))
    assert of_peak(tiled) == of_peak(flux)
    one, plain = (systems.Asked(1024, 1024, attention=attention) for attention in ("flash", "math"))
    system = systems.systems()["flux1-dev"]
    assert systems.denoising(system, plain)[0] > systems.denoising(system, one)[0]


def test_guidance_in_turn_costs_time_and_no_memory(answers: str) -> None:
    says(answers, "without it time halves, and the fullest moment, decoding, stays as it was.")
    system = systems.systems()["wan21-14b"]
    asked = systems.asked_by_default(system)
    guided, free = (systems.Asked(**{**vars(asked), "guided": guided}) for guided in (True, False))
    assert systems.peak(system, guided).total == systems.peak(system, free).total
    assert systems.operations(system, guided) == pytest.approx(2 * systems.operations(system, free))


def test_where_the_weights_and_the_fullest_moment_are(page: str) -> None:
    said = found(
        r"In (\d+) of (\d+) systems at their default size the \*\*text encoders\*\* are at least half of the weights",
        page,
    )
    fullest = found(
        r"At the default settings \*\*decoding\*\* is the fullest moment in (\d+) of the (\d+), not denoising", page
    )
    texts = decoding = 0
    for system in systems.systems().values():
        asked = systems.asked_by_default(system)
        encoders = sum(systems.encoders()[name].bytes("bf16") for name in system.encoders)
        others = systems.denoiser_bytes(system, "bf16") * system.experts + systems.vae_bytes(system)
        texts += encoders >= (encoders + others) / 2
        phases = {phase.name: phase.total for phase in systems.phases(system, asked)}
        decoding += max(phases, key=phases.__getitem__) == "decoding"
    assert (texts, len(systems.systems())) == (number(said[1]), number(said[2]))
    assert (decoding, len(systems.systems())) == (number(fullest[1]), number(fullest[2]))


def test_plain_attention_grows_with_the_square_of_the_places(page: str) -> None:
    says(page, "the table of which place looks at which grows with the square of the number of places.")
    system = systems.systems()["wan21-1.3b"]
    extra = {}
    for frames in (17, 33, 65):
        plain, flash = (
            systems.denoising(system, systems.Asked(480, 832, frames=frames, attention=attention))[0]
            for attention in ("math", "flash")
        )
        extra[(frames - 1) // 4 + 1] = plain - flash
    _, some, many = sorted(extra)
    assert extra[many] / extra[some] == pytest.approx((many / some) ** 2, rel=0.15)


def test_a_picture_takes_its_time_and_energy(open_page: Open) -> None:
    text = words(open_page(PAGE, rig_closer="Time and money"))
    quick, slow = map(number, found(r"\*\*([\d.]+) to ([\d.]+) s\*\* for 50 steps", text).groups())
    fewer, more = map(number, found(r"for 50 steps: ([\d,]+) to ([\d,]+) an hour", text).groups())
    assert fewer == pytest.approx(3600 / slow, rel=0.02)
    assert more == pytest.approx(3600 / quick, rel=0.02)
    watts, least, most = map(
        number, found(r"At (\d+) W, its full power, that is ([\d.]+) to ([\d.]+) Wh", text).groups()
    )
    assert (least, most) == pytest.approx((watts * quick / 3600, watts * slow / 3600), abs=0.02)
    months = number(found(r"At these prices buying is cheaper after (\d+) months", text)[1])
    spared = 60 * 0.5 - 60 * 0.6 * 0.3  # rent of 60 hours, less their electricity at 600 W
    assert months == pytest.approx(2600 / spared, abs=1)


def test_training_in_32_bits_takes_four_times_the_weights(open_page: Open) -> None:
    app = open_page(PAGE, rig_closer="Models of this course")
    text = words(app)
    weights = sum(parameter.numel() for parameter in ex.load_pretrained("emoji").parameters())
    assert number(found(r"([\d,]+) weights\. Counted in the network's own forward pass", text)[1]) == weights
    total = number(found(r"([\d.]+) MiB, computed", text)[1])
    parts = found(r"weights (.+) MiB, gradients (.+) MiB, optimizer (.+) MiB, activations (.+) MiB", charts(app))
    own, gradients, moments, activations = map(number, parts.groups())
    assert own == gradients == pytest.approx(4 * weights / 2**20, abs=0.01)
    assert moments == pytest.approx(8 * weights / 2**20, abs=0.01)
    assert total == pytest.approx(own + gradients + moments + activations, abs=0.03)
    (asked,) = [one for one in TEST if "Adam in 32 bits" in one.text]
    assert asked.choices[0] == "Four times"
    assert (own + gradients + moments) / own == pytest.approx(4, abs=0.01)


def charts(app: AppTest) -> str:
    return " ".join(element.proto.alt for element in app.get("vega_lite_chart"))


def test_a_machine_is_the_sum_of_its_parts(page: str) -> None:
    low, high, watts = map(number, found(r": ([\d,]+) to ([\d,]+) USD, ([\d,]+) W under load", page).groups())
    prices = re.findall(r"- \*\*[\w ]+\*\*: .+?, ([\d,]+) to ([\d,]+) USD\.", page)
    assert len(prices) == 6
    assert (sum(number(one) for one, _ in prices), sum(number(one) for _, one in prices)) == (low, high)
    count, of_card, rest, more, needed, supply = map(
        number,
        found(
            r"Power supply: (\d) x (\d+) W and (\d+) W for the rest, (\d+)% more: ([\d,]+) W, so ([\d,]+) W", page
        ).groups(),
    )
    assert watts == count * of_card + rest
    assert needed == pytest.approx(watts * (1 + more / 100), abs=1)
    assert supply >= needed


def test_the_errors_against_published_peaks(open_page: Open) -> None:
    app = open_page(PAGE, rig_closer="Accuracy")
    text = words(app)
    rows, median, low, high = map(
        number,
        found(
            r"Of \*\*(\d+) comp.*? the median error is \*\*([\d.]+)%\*\*, from (-?[\d.]+)% to \+([\d.]+)%",
            text,
        ).groups(),
    )
    above, beyond = map(
        number, found(r"(\d+) were measured above the estimate, and (\d+) of these above the tenth more", text).groups()
    )
    (spec,) = [one.proto.spec for one in app.get("vega_lite_chart") if "published peaks" in one.proto.alt]
    points = [row for layer in json.loads(spec)["layer"] for row in layer["data"]["values"]]
    pairs = [(row["measured"], row["estimate"]) for row in points if row.get("kind") == "comparable"]
    errors = [estimate / published - 1 for published, estimate in pairs]
    assert len(errors) == rows
    assert 100 * statistics.median(map(abs, errors)) == pytest.approx(median, abs=0.2)
    assert (100 * min(errors), 100 * max(errors)) == pytest.approx((low, high), abs=0.2)
    assert sum(published > estimate for published, estimate in pairs) == above
    assert sum(published > 1.1 * estimate for published, estimate in pairs) == beyond


def test_sdxls_text_encoders_are_what_leaving_saves(page: str) -> None:
    saved = number(found(r"\*\*text encoders off after use\*\* ([\d.]+) GiB", page)[1])
    assert pytest.approx(saved, abs=0.1) == 2 * (123_060_480 + 694_659_840) / GIB  # CLIP-L and OpenCLIP-bigG, 16 bits
