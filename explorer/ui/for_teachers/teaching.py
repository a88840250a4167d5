"""Does it teach? Ten questions before and ten after, without names, and what a class gained."""

import streamlit as st

from explorer.lessons.for_teachers.classes import HOURS, WHEN, Classes, as_csv, by_question, effect, is_code, right
from explorer.lessons.for_teachers.questions import TEST, shuffled
from explorer.ui import work
from explorer.ui.controls import one_of, sentence
from explorer.ui.markdown import plain

ROLES = {"student": "I take the test", "teacher": "I teach a class"}
TIMES = {when: f"{when.capitalize()} the course" for when in WHEN}


@st.cache_resource(show_spinner=False)
def classes() -> Classes:
    """The classes of this process."""
    return Classes()


def show() -> None:
    """The test, or a class."""
    if one_of("Role", ROLES, key="teach_role") == "teacher":
        teacher()
    else:
        student()


def student() -> None:
    """Ten questions in an order of their own, handed in to a class or kept to oneself."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        code = st.text_input(
            "Code of the class",
            max_chars=12,
            key="teach_class",
            bind="query-params",
            placeholder="None: for yourself",
            width=220,
        )
        when = one_of("When", TIMES, key="teach_when")
    if code and not is_code(code):
        st.error("The code of a class has six letters and digits; leave it empty to take the test for yourself.")
        return
    taken: list[int | None] = [None] * len(TEST)
    for place, (number, order) in enumerate(shuffled(f"{work.visitor()} {when}"), start=1):
        asked = TEST[number]
        choice = st.radio(
            f"{place}. {asked.text}",
            order,
            index=None,
            format_func=asked.choices.__getitem__,
            key=f"teach_answer_{when}_{number}",
        )
        taken[number] = choice
    open_ones = sum(one is None for one in taken)
    label = "Hand in" if code else "See how many are right"
    if st.button(label, type="primary", icon=":material/send:", key="teach_hand_in"):
        if code:
            try:
                classes().hand_in(code, when, work.visitor(), tuple(taken))
            except ValueError as error:
                st.error(plain(sentence(error)), icon=":material/error:")
                return
        st.success(
            f"{right(tuple(taken))} of {len(TEST)} are right; {open_ones} were left open.", icon=":material/check:"
        )
        if when == "after":
            st.caption(
                "The questions are explained on the pages; which were wrong is not said, so that others can take it."
            )


def teacher() -> None:
    """Open a class, follow it, and take away what it answered."""
    st.markdown(
        "Open a class, give its code to the students, and let them take the test before and after: each browser has "
        "the questions in an order of its own. Nobody's name is asked. The answers lie in this server's memory for "
        f"{HOURS:.0f} hours and nowhere else."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if st.button("Open a class", icon=":material/group_add:", key="teach_open"):
            try:
                st.session_state["teach_mine"] = classes().open()
            except ValueError as error:
                st.error(plain(sentence(error)), icon=":material/error:")
        code = st.text_input("Code", key="teach_mine", max_chars=12, width=220, bind="query-params")
        st.button("Look again", icon=":material/refresh:", key="teach_refresh", disabled=not code)
    if not code:
        st.caption("No class yet. No effect is claimed here: this app has not been tried on a class.")
        return
    try:
        answers = classes().answers(code)
    except ValueError as error:
        st.error(plain(sentence(error)), icon=":material/error:")
        return
    found = effect(answers)
    counts = {when: len(given) for when, given in answers.items()}
    st.markdown(f"**{counts['before']}** handed in before, **{counts['after']}** after.")
    if found is None:
        st.caption("Nobody has taken both yet.")
    else:
        interval = "" if found.half is None else f" ± {found.half:.2f} (95 %, Student)"
        st.markdown(
            f"Of those **{found.pairs}** who took both: {found.before:.2f} of {len(TEST)} right before, "
            f"{found.after:.2f} after; paired difference **{found.difference:+.2f}**{interval}. Without a class that "
            "was taught otherwise nobody knows what the course did, and what a second try did."
        )
    lines = ["| question | right before | right after |", "|:--|--:|--:|"]
    for asked, shares in zip(TEST, by_question(answers), strict=True):
        told = ["–" if share is None else f"{share:.0%}" for share in shares]
        lines.append(f"| {asked.text} | {told[0]} | {told[1]} |")
    st.markdown("\n".join(lines))
    st.download_button(
        "All answers as CSV",
        as_csv(answers),
        f"diffusion-explorer-class-{code.strip().upper()}.csv",
        "text/csv",
        on_click="ignore",
        icon=":material/download:",
        key="teach_csv",
    )
