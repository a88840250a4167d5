"""What the page for teachers claims, computed again; answers that a page shows are tested with that page."""

import json
import re
from collections.abc import Callable

import pytest
import torch
from streamlit.testing.v1 import AppTest

import explorer as ex
from explorer.data.digits import digits
from explorer.data.mnist import shipped_mnist
from explorer.files import ASSETS
from explorer.lessons.for_teachers.exercises import EXERCISES
from explorer.lessons.for_teachers.questions import TEST
from explorer.lessons.trainings.record import recorded
from tests.claims.reading import found, number, says, words

Open = Callable[..., AppTest]
PAGE = "pages/for_teachers.py"


@pytest.fixture(scope="module")
def lecture(open_page: Open) -> str:
    return words(open_page(PAGE))


@pytest.fixture(scope="module")
def exercises(open_page: Open) -> str:
    app = open_page(PAGE, teach_look="Exercises")
    return words(app.toggle(key="teach_answers").set_value(True).run())


def right_answer(start: str) -> str:
    (asked,) = [one for one in TEST if one.text.startswith(start)]
    return asked.choices[0]


def test_the_lecture_has_so_many_scenes_and_minutes(lecture: str) -> None:
    count, minutes = map(number, found(r"(\d+) scenes, about (\d+) minutes", lecture).groups())
    each = [number(match) for match in re.findall(r"\*\* \(([\d.]+) min\)", lecture)]
    assert len(each) == count
    assert sum(each) == minutes


def test_every_level_sees_the_picture_at_another_size(lecture: str) -> None:
    says(lecture, "Every level sees the picture at another size.")
    record: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        ex.load_pretrained("mnist-28").predict(torch.zeros(1, 1, 28, 28), 0.5, None, record=record)
    sizes = [record[f"encoder {level}"].shape[-1] for level in (1, 2, 3)]
    assert len(set(sizes)) == 3
    assert sizes == [record[f"decoder {level}"].shape[-1] for level in (1, 2, 3)]


def test_fine_lines_go_first(lecture: str) -> None:
    says(lecture, "Pull the time and watch what goes first: the fine lines.")
    images = shipped_mnist("held-out").images[:, 0]
    waves = torch.fft.fft2(images - images.mean((1, 2), keepdim=True)).abs().square().mean(0)
    size = torch.hypot(*torch.meshgrid(*(torch.fft.fftfreq(28),) * 2, indexing="ij"))
    coarse, fine = waves[(size > 0) & (size < 0.1)].mean(), waves[size > 0.25].mean()
    assert float(coarse) > 20 * float(fine)  # noise is as strong in every wave, so the weak ones drown first


def test_nearly_all_circles_are_blue_at_guidance_three(lecture: str) -> None:
    says(lecture, "Nine in ten circles were blue. At guidance three nearly all are.")
    measured = json.loads((ASSETS / "ethics" / "bias.json").read_text())["usual"]["90"]
    assert measured["3"] > 0.95 > measured["1"]


def test_the_word_for_a_colour_looks_at_its_thing(lecture: str, open_page: Open) -> None:
    says(lecture, "The word for a colour looks at the thing that has it.")
    text = words(
        open_page(
            "pages/guided_generation.py", guide_closer="Where each word is looked at", guide_model="Scenes of shapes"
        )
    )
    assert number(found(r"(\d+)% of the words for colours are looked at more on their own thing", text)[1]) > 90


def test_averaged_weights_have_the_lower_loss_from_the_third_epoch_on(exercises: str) -> None:
    says(
        exercises,
        "Averaged weights lag behind in the first steps. In the recorded runs on the page their held-out loss is the "
        "lower one from the third epoch on.",
    )
    without, averaged = (recorded(name) for name in ("no-ema", "ema"))
    assert without.validation[0, 1] < averaged.validation[0, 1]
    for (step, raw, _), (other, mean, _) in zip(without.validation, averaged.validation, strict=True):
        assert step == other
        if without.epoch_of(step) >= 2:
            assert mean < raw


def test_ddim_in_few_steps_is_better_than_ddpm() -> None:
    assert (
        right_answer("Why is DDIM with few steps better") == "It adds no noise that the last steps must take off again"
    )
    for name in ("mnist-28", "digits-8"):
        points = json.loads((ASSETS / "quality" / f"{name}.json").read_text())["points"]
        frechet = {(point["sampler"], point["steps"]): point["frechet"] for point in points}
        for steps in (3, 5, 10, 20):
            assert frechet["ddim", steps] < frechet["ddpm", steps]


def test_two_noises_end_at_two_samples() -> None:
    assert right_answer("Two starting noises are far apart") == "At different samples, as a rule"
    model = ex.load_pretrained("toy2d-moons-flow-velocity")
    ends = ex.sample(model, 200, "heun", 50, 0, keep="last").samples
    apart = torch.cdist(ends, ends).fill_diagonal_(9).amin(1)
    assert float(apart.min()) > 0


def test_a_denoiser_of_much_noise_guesses_the_mean() -> None:
    assert right_answer("A denoiser is trained by squared error") == "A blurred mean of all images that could be meant"
    scans = digits()[0]
    noise = torch.randn(50, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    guess = ex.load_pretrained("digits-8").predict(noise, 0.99).x0
    assert float((guess.mean(0) - scans.mean(0)).abs().mean()) < 0.1
    assert float(guess.std(0).mean()) < 0.25 * float(scans.std(0).mean())


def test_every_exercise_is_on_a_page_of_the_course(exercises: str) -> None:
    for exercise in EXERCISES:
        says(exercises, exercise.task, exercise.answer)
    pages = [exercise.page for exercise in EXERCISES]
    assert len(set(pages)) == 9
