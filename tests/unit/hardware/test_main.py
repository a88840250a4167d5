"""The table in a terminal."""

import json

import pytest

from explorer.hardware.__main__ import main
from explorer.hardware.systems import asked_by_default, peak, systems


def test_it_prints_what_the_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sdxl", "--card", "GeForce RTX 4090", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["peak"]["bytes"] == peak(systems()["sdxl"], asked_by_default(systems()["sdxl"])).total
    assert said["seconds"]["from"] < said["seconds"]["to"]
    assert main(["sdxl", "--resolution", "512", "--batch", "2", "--offload"]) == 0
    assert "GiB in denoising" in capsys.readouterr().out
    assert main(["cogvideox-5b", "--resolution", "480x720", "--frames", "17", "--card", "Apple M4 (10)"]) == 0
    assert "its memory is not known" in capsys.readouterr().out
    assert main([]) == 0
    assert "Stable Diffusion XL" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["dall-e"], "no system is called 'dall-e'"),
        (["sdxl", "--resolution", "wide"], "a resolution is a side"),
        (["sdxl", "--resolution", "1x2x3"], "a resolution is a side"),
        (["sdxl", "--resolution", "1001"], "multiples of 8 pixels"),
        (["sdxl", "--batch", "1000000000"], "the batch must be 1 to 10,000"),
        (["sdxl", "--card", "Voodoo 2"], "no card"),
    ],
)
def test_what_cannot_be_answered_gets_a_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert sentence in capsys.readouterr().err
