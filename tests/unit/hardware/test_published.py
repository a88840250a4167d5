"""How near the estimates come to published peaks, and how rows are sorted before anything is estimated."""

import pytest

from explorer.hardware.published import GIB, kind_of, measured, request, rows, summary


def test_rows_are_sorted_by_their_words_alone() -> None:
    row = {
        "model": "SDXL base",
        "resolution": "1024x1024",
        "frames": "",
        "precision": "fp16",
        "batch": "1",
        "switches": "CFG batch 2",
        "unit": "GiB, torch.cuda.max_memory_allocated",
        "note": "",
    }
    assert kind_of(row) == "comparable"
    assert kind_of(row | {"unit": "GiB, torch.cuda.max_memory_reserved"}) == "other"
    assert kind_of(row | {"unit": "GB, about"}) == "bound"
    assert kind_of(row | {"note": "lower bound ('from', 'minimum')"}) == "bound"
    assert kind_of(row | {"switches": "sequential offload"}) == "other"
    assert kind_of(row | {"note": "script fuses and upcasts; not reproduced"}) == "other"
    assert kind_of(row | {"model": "FLUX.1-dev"}) == "rule"
    system, asked = request(row) or pytest.fail("a row that asks for nothing unusual is understood")
    assert (system.key, asked.height, asked.guided, asked.precision) == ("sdxl", 1024, True, "bf16")


def test_every_row_is_of_one_kind_and_the_comparable_ones_have_estimates() -> None:
    found = measured()
    assert len(found) == len(rows())
    told = summary(found)
    assert sum(value for name, value in told.items() if name.startswith("rows")) == len(found)
    assert all(one.estimate for one in found if one.kind == "comparable")
    assert all(0.5 * GIB < one.measured < 100 * GIB for one in found)


def test_comparable_rows_are_estimated_within_what_was_wanted_but_for_one() -> None:
    told = summary(measured())
    assert told["rows comparable"] >= 15
    assert told["median error"] <= 0.05
    far = [one for one in measured() if one.kind == "comparable" and abs(one.error) > 0.15]
    assert [one.model for one in far] == ["PixArt-Sigma"]


@pytest.mark.xfail(
    strict=True,
    reason="PixArt-Sigma in fp8 by quanto: 5.4 GiB published, 7.2 estimated, of which 1.9 are decoding",
)
def test_no_comparable_row_is_further_off_than_was_wanted() -> None:
    told = summary(measured())
    assert max(-told["least error"], told["greatest error"]) <= 0.15


@pytest.mark.xfail(strict=True, reason="FLUX.2 dev in 4 bits with offload: about 20 GB published, 18.7 GiB estimated")
def test_no_bound_is_above_its_estimate() -> None:
    assert summary(measured())["bounds missed"] == 0
