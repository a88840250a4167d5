"""The shipped tables hold, and what is wrong in one is named and left out."""

import math
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explorer.hardware import catalogue
from explorer.hardware.catalogue import CONTEXT, Card, card, read_builds, read_cards, read_catalogue, read_sources

ROOT = Path(__file__).parents[3]
CARDS, BUILDS = catalogue.cards(), catalogue.builds()
RATES = ("fp32", "fp16", "bf16", "fp8")
SUPPLIES = (450, 550, 650, 750, 850, 1000, 1200, 1300, 1600, 2000, 2200, 2500)
GOOD = """
[[card]]
name = "Good"
vendor = "NVIDIA"
kind = "consumer"
memory = 24
memory_unit = "GiB"
memory_kind = "GDDR6"
unified = false
bandwidth = 900
fp32 = 80
fp16 = 160
bf16 = 160.5
fp8 = false
power = 450
year = 2022
launch_price = 1599
sources = ["book"]
"""
BUILD = """
[[build]]
name = "one"
label = "One"
card = "Good"
count = 2
cpu = "6 cores"
ram = 32
storage = 1
rest = 100
headroom = 0.3
power_supply = 1300
assumed = true
date = "2026-11"

[[build.part]]
name = "Memory"
what = "32 GB"
low = 100
high = 200
decides = "Offload."
"""
RENT = '[[rent]]\ncard = "Good"\nhourly = 0.5\nassumed = true\ndate = "2026-11"\n'


def named(name: str) -> str:
    return GOOD.replace('"Good"', f'"{name}"')


def test_the_shipped_tables_have_no_problems() -> None:
    assert catalogue.problems() == ()
    assert len(CARDS) >= 70
    assert {one.vendor for one in CARDS} == set(catalogue.VENDORS)
    assert {one.kind for one in CARDS} == set(catalogue.KINDS)
    assert [build.name for build in BUILDS] == ["starter", "enthusiast", "serious", "workstation"]
    assert len(catalogue.rents()) >= 5


def test_reading_the_tables_imports_nothing_heavy() -> None:
    code = "import sys; from explorer.hardware import gpus; gpus.match('L4'); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT, check=True)
    assert "explorer.hardware.catalogue" in run.stdout.split()
    assert not {"torch", "numpy", "streamlit"} & {name.partition(".")[0] for name in run.stdout.split()}


@pytest.mark.parametrize("one", CARDS, ids=lambda one: one.name)
def test_every_card_is_whole(one: Card) -> None:
    assert one.sources and set(one.sources) <= set(catalogue.catalogue().sources)
    missing = {key for key in catalogue.FIGURES if getattr(one, key) is None or getattr(one, key) is True}
    assert missing == set(one.unverified)
    assert one.memory is None or 2 * 2**30 <= one.memory <= 600 * 2**30
    assert one.bandwidth is None or 5e10 <= one.bandwidth <= 1e13
    if one.reported and one.memory:
        assert 0.9 < one.reported / one.memory < 1.01
    assert (one.usable is None) == (one.memory is None)
    assert one.usable is None or 0 < one.usable < one.memory
    for precision in catalogue.COMPUTED_BY:
        rate = one.rate(precision)
        assert rate is None or (math.isfinite(rate) and 1e12 < rate < 1e16 and one.runs(precision))


def test_rates_are_dense_and_no_card_has_units_before_its_time() -> None:
    for one in CARDS:
        fp16, fp8 = one.rate("fp16"), one.rate("fp8")
        assert not (fp16 and fp8) or fp8 / fp16 == pytest.approx(2, rel=0.03)
        ampere = one.name.startswith(("GeForce RTX 30", "RTX A6000", "A10", "Jetson Orin", "Jetson AGX", "Tesla"))
        old_amd = one.name.startswith(("Radeon RX 7", "Radeon PRO W7900", "Instinct MI250X", "Ryzen"))
        if ampere or old_amd or one.vendor in ("Apple", "Intel"):
            assert one.fp8 is False and one.rate("fp8") is None
        else:
            assert one.runs("fp8"), one.name
        assert one.runs("bf16") == (one.name not in ("Tesla T4", "Tesla V100 SXM2 32GB"))


def test_every_source_is_named_by_a_card() -> None:
    assert set(catalogue.catalogue().sources) == {key for one in CARDS for key in one.sources}


def test_what_a_card_can_use_and_how_fast_it_is() -> None:
    assert card("GeForce RTX 4090").usable == 24564 * 2**20 - CONTEXT
    assert card("RTX A6000").usable == 48 * 2**30 - CONTEXT
    assert card("Apple M1 Max (32)").usable == 48 * 2**30 - CONTEXT
    assert replace(card("Apple M1 Max (32)"), reported=32 * 2**30).usable == 24 * 2**30 - CONTEXT
    assert card("Ryzen AI Max+ 395 (Radeon 8060S)").usable == 96 * 2**30 - CONTEXT
    assert card("Instinct MI250X").usable == 64 * 2**30 - CONTEXT
    assert card("Instinct MI250X").rate("bf16") == pytest.approx(383e12 / 2)
    assert card("GeForce RTX 4090").rate("fp8") == pytest.approx(330.4e12)
    old = card("Tesla T4")
    assert old.rate("nf4") == old.rate("int8") == old.rate("mixed") == old.rate("fp16") == pytest.approx(65e12)
    assert old.rate("bf16") is None and not old.runs("bf16") and old.runs("int8")
    unknown = card("Jetson AGX Orin 64GB")
    assert unknown.rate("bf16") is None and unknown.runs("bf16")
    with pytest.raises(ValueError, match="precision must be one of fp32, bf16, .*, not 'fp64'"):
        old.rate("fp64")


def test_a_name_that_is_not_there_finds_those_near() -> None:
    with pytest.raises(ValueError, match=r"no card 'rtx 4090'; near it are GeForce RTX 4090"):
        card("rtx 4090")
    with pytest.raises(ValueError, match=r"no card 'GeForce RTX 4900'; near it are .*RTX 4090"):
        card("GeForce RTX 4900")
    with pytest.raises(ValueError, match=r"no card 'q'; `cards\(\)` lists them"):
        card("q")


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.name)
def test_the_power_supply_is_the_next_size_sold(build: catalogue.Build) -> None:
    assert build.draw == build.count * build.card.power + build.rest
    assert build.power_supply == min(size for size in SUPPLIES if size >= build.needed)


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.name)
def test_a_build_says_that_its_prices_are_guesses_and_what_each_part_decides(build: catalogue.Build) -> None:
    assert build.assumed and build.date == "2026-11"
    assert {"Graphics card", "Processor", "Memory", "Storage", "Power supply"} <= {part.name for part in build.parts}
    texts = {part.name: part.what for part in build.parts}
    assert f"{build.ram // 2**30} GB" in texts["Memory"]
    assert f"{build.storage // 10**12} TB" in texts["Storage"]
    assert f"{build.power_supply:.0f} W" in texts["Power supply"]
    low, high = build.price
    assert 0 < low < high


def test_tiers_cost_more_and_hold_more() -> None:
    for less, more in pairwise(BUILDS):
        assert less.price[0] < more.price[0] and less.price[1] < more.price[1]
        assert less.card.usable < more.card.usable
        assert less.card.rate("bf16") < more.card.rate("bf16")
    assert all(rent.assumed and rent.date == "2026-11" for rent in catalogue.rents())


def test_a_good_row_is_taken_in_base_units() -> None:
    (one,), problems = read_cards(GOOD, {"book"})
    assert problems == ()
    assert (one.memory, one.bandwidth, one.fp16, one.bf16) == (24 * 2**30, 900e9, 160e12, 160.5e12)
    assert (one.devices, one.gpu_share, one.note) == (1, 1, "")
    builds, rents, problems = read_builds(BUILD + RENT, [one])
    assert problems == ()
    assert (builds[0].ram, builds[0].storage, builds[0].draw) == (32 * 2**30, 10**12, 1000)
    assert builds[0].needed == pytest.approx(1300) and builds[0].card is one
    assert (rents[0].card, rents[0].hourly) == (one, 0.5)


@pytest.mark.parametrize(
    ("line", "instead", "says"),
    [
        ('vendor = "NVIDIA"', "", "lacks vendor"),
        ('name = "Good"', "", "number 2 lacks name"),
        ('name = "Good"', "name = 3", "number 2 has 3 for name, which must be a text"),
        ('vendor = "NVIDIA"', 'vendor = "Acme"', "has 'Acme' for vendor, which must be one of NVIDIA, AMD"),
        ('kind = "consumer"', 'kind = "toaster"', "has 'toaster' for kind"),
        ("memory = 24", 'memory = "24"', "has '24' for memory, which must be a number above 0"),
        ("memory = 24", "memory = true", "has True for memory"),
        ("memory = 24", "memory = 0x" + "f" * 9000, "has a number of thousands of digits for memory"),
        ("memory = 24", 'unverified = ["memory"]', "must have both memory and memory_unit"),
        ('memory_unit = "GiB"', 'memory_unit = "GB/s"', "memory_unit, which must be one of GiB, GB"),
        ("bandwidth = 900", "bandwidth = -3", "has -3 for bandwidth"),
        ("bandwidth = 900", "bandwidth = nan", "has nan for bandwidth"),
        ("bandwidth = 900", "bandwidth = inf", "has inf for bandwidth"),
        ("bandwidth = 900", "bandwith = 900", "has a field that is not known, bandwith"),
        ("bandwidth = 900", "", "has no figure for bandwidth, which unverified must then name"),
        ("fp8 = false", "fp8 = true", "has no figure for fp8, which unverified must then name"),
        ("fp8 = false", 'fp8 = "no"', "has 'no' for fp8, which must be true, false, or a number"),
        ("power = 450", 'power = 450\nunverified = ["power"]', "names power as unverified, but that is given"),
        ("power = 450", 'power = 450\nassumed = ["speed"]', "names speed as assumed, which it does not give"),
        ("unified = false", "unified = true", "must have gpu_share if its memory is unified"),
        ("unified = false", "unified = true\ngpu_share = 1.5", "has 1.5 for gpu_share"),
        ("year = 2022", "year = 2022.5", "has 2022.5 for year, which must be a whole number"),
        ('sources = ["book"]', 'sources = ["hearsay"]', "names a source that is not known, hearsay"),
        ('sources = ["book"]', "sources = []", "names no source"),
        ('sources = ["book"]', 'sources = "book"', "has 'book' for sources, which must be a list of texts"),
        ('sources = ["book"]', "sources = [[1]]", "has [[1]] for sources"),
        ('name = "Good"', 'name = "Before"', "the card Before is there twice"),
        ('name = "Good"', 'name = "Good"\naliases = ["before"]', "has a name that belongs to Before"),
    ],
)
def test_a_bad_card_is_named_and_the_rest_lives_on(line: str, instead: str, says: str) -> None:
    assert line in GOOD
    cards, problems = read_cards(named("Before") + GOOD.replace(line, instead) + named("After"), {"book"})
    assert [one.name for one in cards] == ["Before", "After"]
    assert len(problems) == 1
    assert problems[0].startswith("cards.toml: the card ") and problems[0].endswith("; it is left out.")
    assert says in problems[0]


@pytest.mark.parametrize(
    ("line", "instead", "says"),
    [
        ('card = "Good"', 'card = "Better"', "has a card that is not there, Better"),
        ('card = "Good"', 'card = "Quiet"', "has a card, Quiet, whose power is not known"),
        ("count = 2", "count = 0", "has 0 for count, which must be a whole number from 1"),
        ("rest = 100", "", "lacks rest"),
        ("power_supply = 1300", "power_supply = 1299", "has a power supply of 1299 W, and needs 1300"),
        ("headroom = 0.3", "headroom = -0.3", "has -0.3 for headroom"),
        ("assumed = true", 'assumed = "yes"', "has 'yes' for assumed"),
        ('date = "2026-11"', 'date = "November"', "has 'November' for date, which must be a month as 2026-11"),
        ("low = 100", "low = 300", "has a part, Memory, whose low price is above its high one"),
        ("low = 100", "", "has a part that lacks low"),
        ("low = 100", "low = 100\nweight = 3", "has a part that has a field that is not known, weight"),
        ('name = "one"', 'name = "before"', "the build before is there twice"),
    ],
)
def test_a_bad_build_is_named_and_the_rest_lives_on(line: str, instead: str, says: str) -> None:
    assert line in BUILD
    quiet = named("Quiet").replace("power = 450", 'unverified = ["power"]')
    cards, _ = read_cards(GOOD + quiet, {"book"})
    before = BUILD.replace('"one"', '"before"')
    builds, rents, problems = read_builds(before + BUILD.replace(line, instead, 1) + RENT, cards)
    assert [build.name for build in builds] == ["before"]
    assert len(rents) == len(problems) == 1
    assert problems[0].startswith("builds.toml: the build ") and says in problems[0]


def test_a_bad_rent_is_named() -> None:
    cards, _ = read_cards(GOOD, {"book"})
    builds, rents, problems = read_builds(RENT + RENT + RENT.replace("Good", "Better") + BUILD, cards)
    assert len(builds) == len(rents) == 1
    assert problems == (
        "builds.toml: the rent Good is there twice; it is left out.",
        "builds.toml: the rent Better has a card that is not there, Better; it is left out.",
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("card = [", "cards.toml is no TOML, so that its table is empty"),
        ("a = " + "[" * 5000, "cards.toml is no TOML"),
        ("[card]\nname = 'x'", "card must be a list of tables"),
        ("card = 3", "card must be a list of tables"),
        ("card = [1]", "the card number 1 is no table"),
        ("", "cards.toml has no table card."),
        ("card = []\n[[cards]]\nname = 'x'", "cards.toml has a table that is not known, cards."),
    ],
)
def test_text_that_is_no_table_of_cards(text: str, says: str) -> None:
    cards, problems = read_cards(text, {"book"})
    assert cards == () and len(problems) == 1 and says in problems[0]


def test_sources_that_are_no_texts() -> None:
    sources, problems = read_sources('[sources]\nbook = "A book"\npage = 3\n')
    assert sources == {"book": "A book"}
    assert problems == ("sources.toml: the source page must be a text.",)
    assert read_sources("sources = 3") == ({}, ("sources.toml: sources must be a table of keys and texts.",))


def test_files_that_are_missing_or_broken_leave_an_empty_table_and_one_sentence(tmp_path: Path) -> None:
    empty = read_catalogue(tmp_path)
    assert (empty.cards, empty.builds, empty.rents) == ((), (), ())
    assert empty.problems == ("sources.toml could not be read, so that its table is empty: No such file or directory.",)
    (tmp_path / "sources.toml").write_text('[sources]\nbook = "A book"')
    assert len(read_catalogue(tmp_path).problems) == 1
    (tmp_path / "cards.toml").write_bytes(b"\xff\xfe\x00")
    broken = read_catalogue(tmp_path)
    assert broken.cards == () and len(broken.problems) == 1 and "cards.toml is no TOML" in broken.problems[0]
    (tmp_path / "cards.toml").write_text(GOOD)
    (tmp_path / "builds.toml").mkdir()
    half = read_catalogue(tmp_path)
    assert len(half.cards) == 1 and half.builds == () and len(half.problems) == 1


VALUES = st.one_of(st.integers(), st.floats(), st.booleans(), st.text(max_size=8), st.lists(st.integers(), max_size=2))


@given(key=st.sampled_from(["memory", "bandwidth", "power", "launch_price", "year", *RATES]), value=VALUES)
def test_any_value_of_a_number_makes_a_whole_card_or_a_sentence(key: str, value: object) -> None:
    lines = [f"{key} = {_toml(value)}" if line.startswith(f"{key} =") else line for line in GOOD.splitlines()]
    cards, problems = read_cards("\n".join(lines), {"book"})
    assert len(cards) + len(problems) == 1
    for one in cards:
        figures = [one.memory, one.bandwidth, one.power, one.launch_price, one.year]
        figures += [getattr(one, rate) for rate in RATES if getattr(one, rate) is not False]
        assert all(math.isfinite(figure) and figure >= 0 for figure in figures)
        assert one.usable >= 0


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(c):08X}" for c in value if not 0xD800 <= ord(c) < 0xE000) + '"'
    return str(value)


@settings(max_examples=200)
@given(st.one_of(st.text(), st.text("[]{}=.\"'\n\\#card1build sources\t-", max_size=60)))
def test_any_text_is_read_without_an_error(text: str) -> None:
    sources, of_sources = read_sources(text)
    cards, of_cards = read_cards(text, {"book"})
    builds, rents, of_builds = read_builds(text, CARDS)
    assert not (cards or builds or rents)
    assert all(isinstance(value, str) for value in sources.values())
    assert all(problem.endswith(".") for problem in of_sources + of_cards + of_builds)
