"""A class, what it answers, and what is made of that."""

import csv
import io
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from explorer.lessons.for_teachers import classes as module
from explorer.lessons.for_teachers.classes import Classes, as_csv, by_question, effect, is_code, right
from explorer.lessons.for_teachers.questions import TEST, shuffled
from explorer.lessons.path import MODULES

ALL, NONE = (0,) * len(TEST), (None,) * len(TEST)


def with_right(count: int) -> tuple[int | None, ...]:
    return (0,) * count + (1,) * (len(TEST) - count)


def test_ten_questions_with_different_choices_on_all_pages() -> None:
    assert len(TEST) == 10 and {asked.page for asked in TEST} == set(MODULES)
    assert all(len(set(asked.choices)) == len(asked.choices) == 4 for asked in TEST)


@given(st.text(max_size=20))
def test_an_order_is_an_order_and_the_same_for_the_same_person(seed: str) -> None:
    order = shuffled(seed)
    assert sorted(number for number, _ in order) == list(range(len(TEST)))
    assert all(sorted(choices) == [0, 1, 2, 3] for _, choices in order) and order == shuffled(seed)


def test_people_have_different_orders() -> None:
    assert len({str(shuffled(f"visitor {number}")) for number in range(50)}) == 50


def test_a_class_keeps_the_last_answer_of_each_browser() -> None:
    kept = Classes()
    code = kept.open()
    assert is_code(code) and is_code(f" {code.lower()} ")
    kept.hand_in(code.lower(), "before", "one", NONE)
    kept.hand_in(code, "before", "one", with_right(4))
    kept.hand_in(code, "after", "one", ALL)
    answers = kept.answers(code)
    assert right(answers["before"]["one"]) == 4 and answers["after"] == {"one": ALL}
    answers["after"].clear()
    assert kept.answers(code)["after"] == {"one": ALL}


@pytest.mark.parametrize(
    ("when", "answers"),
    [("during", ALL), ("before", ALL[:-1]), ("before", (*ALL[:-1], 4)), ("before", (*ALL[:-1], -1)), ("before", ())],
)
def test_what_is_no_answer_is_refused(when: str, answers: tuple[int, ...]) -> None:
    kept = Classes()
    with pytest.raises(ValueError, match="no answers to this test"):
        kept.hand_in(kept.open(), when, "one", answers)


def test_classes_are_bounded_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CLASSES", 2)
    monkeypatch.setattr(module, "MOST_STUDENTS", 3)
    kept = Classes()
    code = kept.open()
    kept.open()
    with pytest.raises(ValueError, match="2 classes are open"):
        kept.open()
    for number in range(3):
        kept.hand_in(code, "before", str(number), ALL)
    with pytest.raises(ValueError, match="the most that it can have"):
        kept.hand_in(code, "before", "one more", ALL)
    kept.hand_in(code, "before", "0", NONE)  # who is there may answer again
    later = time.monotonic() + 3600 * 13
    monkeypatch.setattr(time, "monotonic", lambda: later)
    with pytest.raises(ValueError, match="There is no class"):
        kept.answers(code)
    assert is_code(kept.open())


def test_the_effect_is_that_of_a_paired_t_test() -> None:
    before, after = [2, 5, 4, 7, 3], [5, 6, 8, 7, 9]
    answers = {
        "before": {str(k): with_right(count) for k, count in enumerate(before)} | {"alone": ALL},
        "after": {str(k): with_right(count) for k, count in enumerate(after)} | {"late": NONE},
    }
    found = effect(answers)
    assert found is not None and found.pairs == 5
    interval = stats.ttest_rel(after, before).confidence_interval(0.95)
    assert found.difference == pytest.approx((interval.low + interval.high) / 2)
    assert found.half == pytest.approx((interval.high - interval.low) / 2)


def test_nobody_and_one_alone_have_no_interval() -> None:
    assert effect({"before": {"a": ALL}, "after": {"b": ALL}}) is None
    one = effect({"before": {"a": NONE}, "after": {"a": ALL}})
    assert one is not None and one.half is None and one.difference == 10


def test_the_table_says_everything_and_nobodys_name() -> None:
    answers = {"before": {"secret": with_right(3)}, "after": {"secret": ALL, "other": NONE}}
    text = as_csv(answers)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert "secret" not in text and len(rows) == 3
    assert [row["right"] for row in rows if row["who"] == "2"] == ["3", "10"] or [
        row["right"] for row in rows if row["who"] == "1"
    ] == ["0"]
    assert rows[0]["question 1"] in ("", "0", "1")


def test_shares_by_question() -> None:
    shares = by_question({"before": {"a": with_right(1), "b": with_right(2)}, "after": {}})
    assert shares[0] == (1.0, None) and shares[1] == (0.5, None) and shares[9] == (0.0, None)
