"""A student that jumps where its teacher walks."""

import torch

from explorer.lessons.conclusion_ethics import few_steps


def test_one_step_of_the_teacher_fails_and_a_taught_student_is_far_nearer() -> None:
    teacher = few_steps.teacher_of("moons")
    events = list(few_steps.distil_2d({"shape": "moons", "seconds": 3.0, "seed": 0}, {}, lambda: False))
    student = [event for event in events if event.kind == "student"][-1]
    untaught = few_steps.distance(teacher, "moons", 1)
    assert student.data["distance"] < untaught / 4
    model = few_steps.student_of("moons", student.arrays["weights"])
    assert few_steps.distance(model, "moons", 1) == student.data["distance"]
    assert few_steps.distance(teacher, "moons", 1) == untaught  # it was a copy that learned


def test_a_student_that_is_stopped_leaves_what_it_has_learned() -> None:
    events = list(few_steps.distil_2d({"shape": "moons", "seconds": 60.0, "seed": 0}, {}, lambda: True))
    assert [event.kind for event in events] == ["progress", "student"]
    assert events[0].data["step"] == 1 and events[0].data["remaining"] > 0


def test_the_teacher_walks_where_samples_go() -> None:
    noise, ends = few_steps.walked(few_steps.teacher_of("moons"), 50, 4, 0)
    assert noise.shape == ends.shape == (50, 2) and bool(torch.isfinite(ends).all())
