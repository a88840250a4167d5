"""Published systems: phases, switches, interpolation, and what cannot be asked."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.hardware import systems as s
from explorer.hardware import traces as t
from explorer.hardware.diffusers_models import configs

EACH = pytest.mark.parametrize("key", s.systems())
FLUX, COG = s.systems()["flux1-dev"], s.systems()["cogvideox-5b"]


@EACH
def test_parts_add_up_to_the_published_numbers(key: str) -> None:
    system = s.systems()[key]
    for component in (f"denoiser.{system.denoiser}", f"vae.{system.vae}"):
        config, counted = configs()[component], t.weights(component)
        values = counted.linear + counted.other + counted.kept
        if config.get("_counted_parameters") is not None:
            assert config["_counted_parameters"] + config["_counted_buffers"] <= values + counted.fixed
            most = 2 if config["_class_name"] == "AutoencoderOobleck" else 1.001  # weight norm keeps their product, too
            assert values <= most * (config["_counted_parameters"] + config["_counted_buffers"]) + 2**22


@EACH
def test_the_default_setting_has_three_phases_and_a_peak(key: str) -> None:
    system = s.systems()[key]
    found = s.phases(system, s.asked_by_default(system))
    assert [phase.name for phase in found] == ["text encoding", "denoising", "decoding"]
    assert s.peak(system, s.asked_by_default(system)).total == max(phase.total for phase in found)
    assert min(min(phase.parts.values()) for phase in found) >= 0
    assert system.guidance in s.GUIDANCE
    assert set(system.encoders) <= set(s.encoders())
    assert s.operations(system, s.asked_by_default(system)) > 1e9


@EACH
@pytest.mark.parametrize(
    "switch",
    [
        {"offload": True},
        {"encoders_off": True},
        {"tiling": True},
        {"precision": "int8"},
        {"precision": "nf4"},
        {"encoder_precision": "nf4"},
        {"experts_swapped": True},
        {"guided": False},
    ],
)
def test_no_switch_costs_memory(key: str, switch: dict[str, object]) -> None:
    system = s.systems()[key]
    asked = s.asked_by_default(system)
    assert s.peak(system, replace(asked, **switch)).total <= s.peak(system, asked).total  # type: ignore[arg-type]


@EACH
def test_more_of_everything_takes_more(key: str) -> None:
    system = s.systems()[key]
    asked = s.asked_by_default(system)
    for change in ({"batch": 2}, {"attention": "math"}, {"precision": "fp32"}, {"encoder_precision": "fp32"}):
        assert s.peak(system, replace(asked, **change)).total >= s.peak(system, asked).total, change
    more = s.phases(system, replace(asked, batch=3))[1].parts["activations"]
    assert more == pytest.approx(3 * s.phases(system, asked)[1].parts["activations"], rel=0.06)


@EACH
def test_what_was_traced_is_computed_and_the_rest_interpolated(key: str) -> None:
    system = s.systems()[key]
    if system.kind != "image":
        return
    for row in t.traces()[f"denoiser.{system.denoiser}"]["running"]:
        side = round(row[0] ** 0.5)
        phase = s.phases(system, s.Asked(side, side, guided=False))[1]
        assert phase.computed
        assert phase.parts["activations"] == row[2]
        assert phase.parts["activations"] + phase.parts["scratch"] == row[3]
    assert not s.phases(system, s.Asked(896, 896, guided=False))[1].computed


@EACH
def test_leaving_one_traced_setting_out_hardly_changes_what_is_said_of_it(key: str) -> None:
    system = s.systems()[key]
    rows = t.traces()[f"denoiser.{system.denoiser}"]["running"]
    if len(rows) < 4:
        return
    points = [(row[0] * s.latents_of(system, row[1]), row) for row in rows]
    for left_out in (1, 2):
        others = [(at, row) for at, row in points if at != points[left_out][0]]
        for column, error in ((2, 0.05), (4, 0.1), (6, 0.05)):
            guess = t.through([(at, row[column]) for at, row in others], points[left_out][0])
            assert guess == pytest.approx(points[left_out][1][column], rel=error), (column, left_out)


def test_guidance_doubles_the_batch_only_where_it_is_computed_so() -> None:
    for system, times in ((FLUX, 1), (COG, 2)):
        asked = s.asked_by_default(system)
        with_it, without = (s.phases(system, replace(asked, guided=guided))[1] for guided in (True, False))
        ratio = with_it.parts["activations"] / without.parts["activations"]
        assert ratio == pytest.approx(times, rel=0.05)


def test_weights_in_8_bits_stay_on_the_device_under_offload() -> None:
    asked = replace(s.asked_by_default(FLUX), offload=True)
    eight, four = (s.phases(FLUX, replace(asked, precision=precision)) for precision in ("int8", "nf4"))
    assert "denoiser" in eight[0].parts
    assert "denoiser" not in four[0].parts


def test_a_tile_is_all_that_is_decoded_at_once() -> None:
    large = s.Asked(2048, 2048)
    whole, tiled = (s.decoding(FLUX, replace(large, tiling=tiling)) for tiling in (False, True))
    assert tiled[0] < 0.35 * whole[0]
    small = s.Asked(1024, 1024)
    assert s.decoding(FLUX, small) == s.decoding(FLUX, replace(small, tiling=True))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"batch": 0}, "the batch must be 1 to 10,000 samples, not 0"),
        ({"batch": 10**9}, "the batch must be 1 to 10,000 samples, not 1,000,000,000"),
        ({"height": 1000}, "multiples of 16 pixels, 64 at least: its height cannot be 1000"),
        ({"width": 0}, "its width cannot be 0"),
        ({"frames": 2}, "makes single images, not 2 frames"),
        ({"height": 8192, "width": 8192}, "more than was ever traced of FLUX.1 dev"),
        ({"precision": "int2"}, "precision must be one of fp32, .*, not 'int2'"),
        ({"attention": "sage"}, "attention must be one of flash, math, not 'sage'"),
    ],
)
def test_what_cannot_be_asked_gets_a_sentence(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        s.phases(FLUX, replace(s.asked_by_default(FLUX), **change))  # type: ignore[arg-type]


def test_a_video_without_frames_gets_a_sentence() -> None:
    with pytest.raises(ValueError, match="at least 1 frame, not 0"):
        s.phases(COG, replace(s.asked_by_default(COG), frames=0))


@given(a=st.floats(0, 1e6), b=st.floats(0, 1e3), c=st.floats(0, 10), at=st.integers(1, 3000), count=st.integers(3, 5))
def test_interpolation_is_exact_for_what_grows_with_places_and_their_square(
    a: float, b: float, c: float, at: int, count: int
) -> None:
    points = [(float(x), a + b * x + c * x**2) for x in (256, 1024, 1536, 2048, 3000)[:count]]
    assert t.through(points, at) == pytest.approx(a + b * at + c * at**2, rel=1e-6, abs=1e-3 * (1 + a))


def test_the_switches_are_ranked_by_what_they_save() -> None:
    found = s.savings(FLUX, s.asked_by_default(FLUX))
    assert [bytes_ for _, bytes_ in found] == sorted((bytes_ for _, bytes_ in found), reverse=True)
    assert {"weights in 4 bits", "model offload"} <= {name for name, _ in found}
    assert "No guidance" not in {name for name, _ in found}


def test_training_keeps_less_with_checkpointing() -> None:
    asked = s.Asked(1024, 1024)
    for method in s.METHODS:
        assert s.training(FLUX, asked, method, True) < 0.2 * s.training(FLUX, asked, method, False)
    with pytest.raises(ValueError, match="method must be one of full, lora"):
        s.training(FLUX, asked, "dreambooth", True)
