"""What `import explorer as ex` gives, and what it costs."""

import inspect
import subprocess
import sys
import textwrap
from importlib import import_module
from pathlib import Path

import pytest

import explorer as ex

ROOT = Path(__file__).parents[2]
NAMES = {
    *("make_schedule", "schedule_from_betas", "toy2d", "toy2d_names", "sampler_names", "pretrained_names"),
    *("Denoiser", "ideal_denoiser", "make_denoiser_2d", "load_pretrained", "train", "TrainConfig"),
    *("sample", "sample_steps", "sliced_wasserstein", "Diverged"),
    *("frechet_distance", "make_image_denoiser", "estimate_memory", "save", "load"),
}


def python(code: str) -> str:
    """What a fresh interpreter prints when it runs this."""
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120, cwd=ROOT
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = """
    import sys
    before = set(sys.modules)
    import explorer
    assert dir(explorer) == explorer.__all__
    print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
    """
    loaded = set(python(code).split())
    assert "explorer" in loaded
    assert not loaded & {"torch", "numpy", "PIL", "streamlit", "sklearn", "scipy", "torchvision", "matplotlib"}


def test_the_core_imports_neither_streamlit_nor_what_is_heavier_than_torch() -> None:
    code = """
    import sys
    import explorer
    for name in explorer.__all__:
        getattr(explorer, name)
    print(*sorted({name.partition(".")[0] for name in sys.modules}))
    """
    loaded = set(python(code).split())
    assert "torch" in loaded
    assert not loaded & {"streamlit", "sklearn", "scipy", "torchvision", "matplotlib", "altair", "diffusers"}


def test_the_names_of_the_design_are_there() -> None:
    assert set(ex.__all__) >= NAMES
    assert ex.__all__ == sorted(ex.__all__)


@pytest.mark.parametrize("name", ex.__all__)
def test_every_name_is_there_and_documented(name: str) -> None:
    thing = getattr(ex, name)
    assert thing.__name__ == name
    assert inspect.getdoc(thing)
    assert getattr(import_module(thing.__module__), name) is thing


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(ex, "stable_diffusion")
    with pytest.raises(AttributeError, match="module 'explorer' has no attribute 'stable_diffusion'"):
        ex.stable_diffusion  # noqa: B018
    with pytest.raises(ImportError):
        from explorer import stable_diffusion  # type: ignore[attr-defined] # noqa: F401


def test_the_registries_are_what_the_makers_take() -> None:
    assert ex.schedule_names() == ["linear", "cosine", "flow", "edm"]
    assert [ex.make_schedule(name).name for name in ex.schedule_names()] == ex.schedule_names()
    assert ex.sampler_names() == ["ddpm", "ddim", "euler", "heun", "dpmpp_2m", "euler_maruyama", "langevin"]


def test_the_snippet_in_the_docstring_runs() -> None:
    code = textwrap.dedent(inspect.getdoc(ex).partition("\n\n")[2].rpartition("\n\n")[0])
    assert "ex.train" in code
    names: dict = {}
    exec(code.replace("max_seconds=3", "max_seconds=0.3"), names)
    assert names["trajectory"].x.shape == (21, 2000, 2)
    assert ex.sliced_wasserstein(names["trajectory"].samples, names["points"]) < 1
