"""What CONTRIBUTING.md says works: each of its blocks is run, in a process of its own."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(
    r"^## ([^\n]*)\n(?:(?!^## ).)*?```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.M | re.S
)
CODE = {title.removeprefix("A ").removeprefix("An "): code for title, code in BLOCKS}


def run(code: str, timeout: float = 200) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_are_four_examples_and_the_sampler_has_twenty_lines() -> None:
    assert list(CODE) == ["sampler", "data set", "network", "page"]
    assert sum(bool(line.strip()) for line in CODE["sampler"].splitlines()) <= 20


def test_a_new_sampler_samples_and_is_nearer_than_ddim_in_few_steps() -> None:
    told = run(
        CODE["sampler"]
        + textwrap.dedent("""
        import explorer as ex
        model, fresh = ex.load_pretrained("toy2d-moons-flow-velocity"), ex.toy2d("moons", 2000, seed=9)
        for name in ("adams", "ddim"):
            samples = ex.sample(model, 2000, name, steps=6, seed=0, keep="last").samples
            print(ex.sliced_wasserstein(samples, fresh))
        """)
    )
    new, ddim = map(float, told.split())
    assert new < ddim


@pytest.mark.parametrize(
    ("page", "key"),
    [("core_concepts", "core_sampler"), ("geometry_lab", "geo_sampler"), ("sampling_showdown", "show_left_sampler")],
)
def test_a_new_sampler_is_on_every_page_that_offers_them(page: str, key: str) -> None:
    told = run(
        CODE["sampler"]
        + textwrap.dedent(f"""
        from streamlit.testing.v1 import AppTest
        app = AppTest.from_file("pages/{page}.py", default_timeout=150).run()
        assert not app.exception, app.exception
        print([box.key for box in app.selectbox if "Adams-Bashforth" in box.options])
        """)
    )
    assert "sampler" in told, (key, told)


def test_a_new_distribution_is_drawn_and_offered() -> None:
    told = run(
        CODE["data set"]
        + textwrap.dedent("""
        import explorer as ex
        points = ex.toy2d("heart", 4000, seed=1)
        print(points.mean(0).abs().max() < 0.1, abs(points.std() - 1) < 0.1)
        from streamlit.testing.v1 import AppTest
        app = AppTest.from_file("pages/geometry_lab.py", default_timeout=150).run()
        print("Heart" in next(box for box in app.selectbox if box.key == "geo_data").options)
        """)
    )
    assert "False" not in told and told.count("True") + told.count("tensor(True)") >= 3


def test_a_new_network_learns() -> None:
    assert float(run(CODE["network"])) < 0.35


def test_a_new_page_runs_alone(tmp_path: Path) -> None:
    from streamlit.testing.v1 import AppTest

    script = tmp_path / "means.py"
    script.write_text(CODE["page"])
    app = AppTest.from_file(script, default_timeout=60).run()
    assert not app.exception and app.title[0].value == "Means"
    app.select_slider[0].set_value(1_000).run()
    assert not app.exception and float(app.metric[0].value) < 0.2
