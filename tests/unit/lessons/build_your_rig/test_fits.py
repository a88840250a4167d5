"""What fits where, what it costs, and how it is said."""

from dataclasses import replace

import pytest

from explorer.hardware.catalogue import card
from explorer.hardware.systems import asked_by_default, peak, systems
from explorer.lessons.build_your_rig import fits as rig

SDXL = systems()["sdxl"]
ASKED = asked_by_default(SDXL)
BIG, SMALL = card("H100 SXM5 80GB"), card("GeForce RTX 3070")


def test_a_verdict_says_what_is_left_and_what_is_missing() -> None:
    fits, short = rig.fit(SDXL, ASKED, BIG), rig.fit(SDXL, ASKED, SMALL)
    assert fits.fits
    assert fits.reason.endswith("GiB to spare")
    assert fits.spare == rig.held(BIG) - peak(SDXL, ASKED).total
    assert not short.fits
    assert short.reason.startswith("short by")
    assert short.reason.endswith("in decoding")


def test_what_fits_by_less_than_the_plan_is_said_to_just_fit() -> None:
    for held, safe in ((114, True), (109, False), (100, False)):
        verdict = rig.Verdict("fits", held, 100, "decoding")
        assert verdict.fits and verdict.safe is safe
        assert verdict.reason.startswith("fits" if safe else "just fits")
    assert not rig.Verdict("fits", 99, 100, "decoding").safe


def test_the_first_remedy_that_helps_is_named() -> None:
    assert rig.making(SDXL, ASKED, BIG).how == "fits"
    found = rig.making(SDXL, ASKED, SMALL)
    assert found.fits
    assert found.how == "fits with model offload"
    assert not rig.making(systems()["flux2-dev"], asked_by_default(systems()["flux2-dev"]), SMALL).fits


def test_offload_gains_nothing_where_memory_is_shared() -> None:
    spark = card("DGX Spark (GB10)")
    offloaded = replace(ASKED, offload=True)
    assert rig.fit(SDXL, offloaded, spark) == rig.fit(SDXL, ASKED, spark)
    assert rig.fit(SDXL, offloaded, BIG).spare > rig.fit(SDXL, ASKED, BIG).spare


def test_training_memory_is_what_its_parts_say() -> None:
    parts = rig.training_memory(SDXL, ASKED, "full")
    assert parts["weights"] == parts["gradients"] == pytest.approx(2 * 2_567_463_684, rel=1e-3)
    assert parts["optimizer"] == 2 * parts["gradients"]
    low = rig.training_memory(SDXL, ASKED, "lora")
    assert low["weights"] > parts["weights"]
    assert low["gradients"] < 0.1 * parts["gradients"]
    assert rig.training_memory(SDXL, replace(ASKED, precision="nf4"), "lora")["weights"] < 0.5 * low["weights"]
    assert rig.training_memory(SDXL, ASKED, "full", "sgd")["optimizer"] == 0
    assert rig.training_memory(SDXL, replace(ASKED, batch=3), "full")["activations"] == 3 * parts["activations"]


def test_less_room_is_needed_for_low_rank() -> None:
    lora, full = (rig.fine_tuning(SDXL, ASKED, card("GeForce RTX 4090"), method) for method in ("lora", "full"))
    assert lora.fits
    assert lora.spare > full.spare


@pytest.mark.parametrize("task", ["make", "lora", "full"])
def test_the_cheapest_card_holds_it_and_no_cheaper_one_does(task: str) -> None:
    best = rig.cheapest(SDXL, ASKED, task)
    assert best is not None
    assert best.launch_price is not None
    assert rig.fit(SDXL, ASKED, best, task).safe
    for other in rig.known_cards().values():
        if other.launch_price is not None and other.launch_price < best.launch_price:
            assert not rig.fit(SDXL, ASKED, other, task).safe


def test_time_needs_a_rate_and_a_bandwidth() -> None:
    assert rig.time_on(SDXL, ASKED, card("Radeon RX 9070"), 30) is None
    assert rig.training_time_on(SDXL, ASKED, card("Radeon RX 9070")) is None
    once, more = (rig.time_on(SDXL, ASKED, card("GeForce RTX 4090"), steps) for steps in (10, 20))
    assert once is not None
    assert more is not None
    assert more.slow == pytest.approx(2 * once.slow)
    assert rig.time_on(SDXL, replace(ASKED, precision="fp8"), card("GeForce RTX 3090"), 30) is None


def test_buying_pays_when_the_rent_saved_is_its_price() -> None:
    machine = rig.Owning(price=2000, power=500)
    assert machine.electricity(100, 0.3) == pytest.approx(15)
    months = rig.months_to_buy(machine, 0.5, 100, 0.3)
    assert months == pytest.approx(2000 / 35)
    assert machine.after(0, 100, 0.3) == 2000
    assert machine.after(12, 100, 0.3) == pytest.approx(2180)
    assert months is not None
    assert machine.price + months * 15 == pytest.approx(months * 50)
    assert rig.months_to_buy(machine, 0.1, 100, 0.3) is None
