"""Drivers' programs are asked, believed as far as they make sense, and never waited for."""

import contextlib
import platform
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from explorer.hardware import gpus
from explorer.hardware.catalogue import card, cards
from explorer.hardware.gpus import Found, Gpu, found, match

Program = Callable[[str, str], None]
MIB = 2**20
ROCM = """WARNING: AMD GPU device(s) is/are in a low-power state. Check power control/runtime_status

{"card0": {"Card Series": "AMD Radeon RX 7900 XTX", "Card Model": "0x744c",
"VRAM Total Memory (B)": "25753026560", "VRAM Total Used Memory (B)": "753026560"},
"card1": {"Card series": "N/A", "Device Name": "0x744c", "VRAM Total Memory (B)": 17163091968},
"system": {"Driver version": "6.7.0"}}"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Puts programs on a PATH that has nothing else, by name and what a shell does there; the kernel has no GPUs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(gpus, "DRM", tmp_path / "drm")

    def make(name: str, does: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{does}\n")
        (folder / name).chmod(0o755)

    return make


def says(text: str) -> str:
    return f"cat <<'END'\n{text}\nEND"


def test_no_driver_is_no_problem(program: Program) -> None:
    assert found() == Found((), ())


def test_nvidia_smi_is_asked(program: Program) -> None:
    program("nvidia-smi", f'echo "$@" > "$0.asked"; {says("NVIDIA GeForce RTX 4090, 24564, 23000")}')
    answer = found()
    gpu = Gpu("NVIDIA GeForce RTX 4090", "NVIDIA", 24564 * MIB, 23000 * MIB, "nvidia-smi")
    assert answer == Found((gpu,), ())
    assert gpu.card is card("GeForce RTX 4090")


def test_several_gpus_and_one_whose_memory_is_the_machines(program: Program) -> None:
    program("nvidia-smi", says("NVIDIA A10G, 23028, 0\nNVIDIA GB10, [N/A], [N/A]\n\nTesla, the T4, 15360, 15000"))
    answer = found()
    assert [(gpu.name, gpu.memory, gpu.free) for gpu in answer.gpus] == [
        ("NVIDIA A10G", 23028 * MIB, 0),
        ("NVIDIA GB10", None, None),
        ("Tesla, the T4", 15360 * MIB, 15000 * MIB),
    ]
    assert [gpu.card and gpu.card.name for gpu in answer.gpus] == ["A10G", "DGX Spark (GB10)", None]
    assert not answer.problems


def test_garbage_is_one_sentence(program: Program) -> None:
    program(
        "nvidia-smi", says("No devices were found.\nNVIDIA L4, 23034, 23000\nname, much, more") + "; printf '\\377\\0'"
    )
    answer = found()
    assert [gpu.name for gpu in answer.gpus] == ["NVIDIA L4"]
    assert answer.problems == ("nvidia-smi names no GPU here: No devices were found.",)


def test_a_program_that_fails_is_a_sentence_with_its_own_words(program: Program) -> None:
    program("nvidia-smi", "echo; echo 'NVIDIA-SMI has failed.'; exit 9")
    program("rocm-smi", "exit 1")
    assert found() == Found((), ("nvidia-smi ended with code 9: NVIDIA-SMI has failed.", "rocm-smi ended with code 1."))


@pytest.mark.parametrize(
    "does",
    [
        "sleep 60",
        "sleep 60 & echo $! > $0.pid; wait",
        "echo 'NVIDIA L4, 23034, 23000'; sleep 60 & echo $! > $0.pid",
        "exec >&-; sleep 60",
    ],
    ids=["sleeps", "a child sleeps", "answers and leaves a child", "says nothing more"],
)
def test_a_program_that_hangs_is_stopped_with_all_that_it_started(program: Program, tmp_path: Path, does: str) -> None:
    program("nvidia-smi", does)
    began = time.monotonic()
    assert found(timeout=0.3) == Found((), ("nvidia-smi did not answer within 0.3 s.",))
    assert time.monotonic() - began < 5
    if (pid := tmp_path / "bin" / "nvidia-smi.pid").exists():
        with contextlib.suppress(psutil.NoSuchProcess):
            child = psutil.Process(int(pid.read_text()))
            while child.status() != psutil.STATUS_ZOMBIE:
                assert time.monotonic() - began < 10
                time.sleep(0.02)


def test_what_cannot_even_be_stopped_is_left_behind(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    end = threading.Event()
    monkeypatch.setitem(gpus.WAYS, "NVIDIA", lambda timeout: end.wait(60) and Found((), ()))
    began = time.monotonic()
    assert found(timeout=0.1).problems == ("Nobody says within 0.1 s whether there is a GPU of NVIDIA.",)
    assert time.monotonic() - began < 5
    end.set()


def test_an_error_of_ours_is_a_sentence(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(gpus.WAYS, "AMD", lambda timeout: 1 / 0)
    assert found().problems == ("Looking for GPUs of AMD failed: ZeroDivisionError.",)


def test_endless_words_are_cut_short(program: Program) -> None:
    program("nvidia-smi", "yes nothing")
    assert found(timeout=10) == Found((), ("nvidia-smi says more than an answer takes.",))


def test_a_file_that_is_no_program(program: Program, tmp_path: Path) -> None:
    program("nvidia-smi", "")
    (tmp_path / "bin" / "nvidia-smi").write_bytes(b"\x7fELF nothing")
    answer = found()
    assert not answer.gpus and answer.problems[0].startswith("nvidia-smi could not be started: ")


def test_rocm_smi_is_asked(program: Program) -> None:
    program("rocm-smi", says(ROCM))
    assert found() == Found(
        (
            Gpu("AMD Radeon RX 7900 XTX", "AMD", 25753026560, 25000000000, "rocm-smi"),
            Gpu("AMD graphics card", "AMD", 17163091968, None, "rocm-smi"),
        ),
        (),
    )
    assert found().gpus[0].card is card("Radeon RX 7900 XTX")


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"card0": 3}', '{"card0": {"VRAM Total Memory (B)": "many"}}'])
def test_rocm_smi_that_makes_no_sense_leaves_the_kernel(program: Program, tmp_path: Path, text: str) -> None:
    program("rocm-smi", says(text))
    for place, files in {
        "card1": {"mem_info_vram_total": "17163091968\n", "mem_info_vram_used": "163091968\n"},
        "card2": {"mem_info_vram_total": "lots", "product_name": "Odd"},
        "card3": {"vendor": "0x8086"},
        "card1-HDMI-A-1": {"mem_info_vram_total": "5"},
        "card10": {"mem_info_vram_total": "21458059264", "product_name": "AMD Radeon RX 7900 XT\n"},
    }.items():
        (tmp_path / "drm" / place / "device").mkdir(parents=True)
        for name, content in files.items():
            (tmp_path / "drm" / place / "device" / name).write_text(content)
    answer = found()
    assert answer.gpus == (
        Gpu("AMD graphics card", "AMD", 17163091968, 17000000000, str(tmp_path / "drm")),
        Gpu("AMD Radeon RX 7900 XT", "AMD", 21458059264, None, str(tmp_path / "drm")),
    )
    assert len(answer.problems) == 1 and answer.problems[0].startswith("rocm-smi names no GPU: ")


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")


@pytest.mark.usefixtures("mac")
def test_a_mac_is_asked_for_its_chip(program: Program) -> None:
    program("sysctl", says("34359738368\nApple M1 Max"))
    answer = found()
    assert answer == Found((Gpu("Apple M1 Max", "Apple", 34359738368, None, "sysctl"),), ())
    assert answer.gpus[0].card is card("Apple M1 Max (32)")


@pytest.mark.usefixtures("mac")
@pytest.mark.parametrize(
    ("does", "problem"),
    [
        (says("17179869184\nIntel(R) Core(TM) i7"), None),
        (says("what"), "sysctl does not name the chip of this Mac: what."),
        ("exit 3", "sysctl ended with code 3."),
        (None, "There is no sysctl to ask for the chip of this Mac."),
    ],
)
def test_a_mac_that_has_no_such_chip(program: Program, does: str | None, problem: str | None) -> None:
    if does is not None:
        program("sysctl", does)
    assert found() == Found((), () if problem is None else (problem,))


@pytest.mark.parametrize(
    ("name", "memory", "expected"),
    [
        ("NVIDIA GeForce RTX 4090", None, "GeForce RTX 4090"),
        ("nvidia geforce rtx 4090", 24564, "GeForce RTX 4090"),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", 16376, None),
        ("NVIDIA GeForce RTX 4090 D", 24564, None),
        ("NVIDIA GeForce RTX 3080", 10240, "GeForce RTX 3080 10GB"),
        ("NVIDIA GeForce RTX 3080", 12288, None),
        ("NVIDIA GeForce RTX 4060 Ti", 16380, "GeForce RTX 4060 Ti 16GB"),
        ("NVIDIA GeForce RTX 4060 Ti", 8188, None),
        ("NVIDIA GeForce RTX 3060", 0, "GeForce RTX 3060 12GB"),
        ("NVIDIA RTX 6000 Ada Generation", 46068, "RTX 6000 Ada"),
        ("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", 97887, None),
        ("NVIDIA A100-SXM4-80GB", 81920, "A100 80GB SXM"),
        ("NVIDIA H100 80GB HBM3", 81559, "H100 SXM5 80GB"),
        ("Tesla V100-SXM2-32GB", 32510, "Tesla V100 SXM2 32GB"),
        ("AMD Instinct MI250X", 65520, "Instinct MI250X"),
        ("Intel(R) Arc(TM) B580 Graphics", 12216, "Arc B580"),
        ("Apple M4 Max", 36 * 1024, "Apple M4 Max (40)"),
        ("Apple M4 Max Pro", None, None),
        ("", None, None),
    ],
)
def test_names_of_drivers_are_matched(name: str, memory: int | None, expected: str | None) -> None:
    one = match(name, memory if memory is None else memory * MIB)
    assert (one and one.name) == expected


def test_every_card_is_matched_by_its_own_names() -> None:
    for one in cards():
        memory = one.reported or one.memory
        assert all(match(name, memory and memory // one.devices) is one for name in (one.name, *one.aliases))


@given(st.text(), st.one_of(st.none(), st.integers(0)))
def test_any_name_is_matched_or_not(name: str, memory: int | None) -> None:
    assert match(name, memory) is None or match(name) is not None


@given(st.text())
@example("x, " + "9" * 5000 + ", 1")
@example("{" * 5000)
@example('{"card0": {"VRAM Total Memory (B)": ' + "9" * 5000 + "}}")
def test_any_text_of_a_program_makes_sense_or_none(text: str) -> None:
    for gpu in (gpus._nvidia(text), *gpus._rocm(text)):
        assert gpu is None or (gpu.name.isprintable() and (gpu.memory is None or 0 < gpu.memory <= MIB * 2**50))
