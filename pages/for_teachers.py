from explorer.ui.controls import one_of
from explorer.ui.for_teachers import exercises, scenes, teaching
from explorer.ui.frame import begin_page, end_page
from explorer.ui.spent import fragment

begin_page(
    "For teachers",
    "A lecture in scenes, exercises with answers, and a test that says whether the course teaches.",
)

LOOKS = {"lecture": scenes.show, "exercises": exercises.show, "test": teaching.show}
LABELS = {"lecture": "A lecture", "exercises": "Exercises", "test": "Does it teach?"}

fragment(LOOKS[one_of("For teachers", LABELS, key="teach_look")])()
end_page()
