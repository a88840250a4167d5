from collections.abc import Callable
from functools import partial

import streamlit as st

from explorer.ui.frame import (
    Question,
    begin_page,
    check_yourself,
    end_page,
    mathematics,
    references,
    terms,
    the_code,
    what_to_notice,
)

begin_page(
    "Conclusion and ethics",
    "You will measure what models remember, what they prefer and how their work is recognised, and try what "
    "comes next.",
)

from explorer import masked, samplers
from explorer.lessons.conclusion_ethics import few_steps as steps_lesson
from explorer.lessons.conclusion_ethics import memory as memory_lesson
from explorer.lessons.conclusion_ethics import provenance as provenance_lesson
from explorer.networks.video import AlongTime
from explorer.ui.conclusion_ethics import bias, energy, few_steps, memory, motion, people, provenance, timeline, words
from explorer.ui.controls import one_of

LOOKS = {
    "memory": "Learned by heart",
    "bias": "Bias",
    "provenance": "Where from?",
    "people": "People",
    "energy": "Energy",
    "steps": "Few steps",
    "text": "Text",
    "video": "Video",
    "timeline": "Timeline",
}
NOTEBOOK = """
from explorer.lessons.conclusion_ethics import memory

for count, name in memory.MODELS.items():  # training images, and the model that learned them
    found = memory.extract(count, n=50, seed=0)
    print(f"{count:5,} images: {found.near.copies.float().mean():.0%} of 50 samples are copies")
""".strip()

chosen = one_of("Subject", LOOKS, key="ethics_look")
learning = chosen == "steps" and few_steps.learning()
shown: dict[str, Callable[[], None]] = {
    "memory": memory.show,
    "bias": bias.show,
    "provenance": provenance.show,
    "people": people.show,
    "energy": energy.show,
    "steps": partial(few_steps.show, learning),
    "text": words.show,
    "video": motion.show,
    "timeline": timeline.show,
}
st.fragment(shown[chosen], run_every=1.0 if learning else None)()

what_to_notice(
    "A model of 20 images returns them; one of 8,000 draws digits that nobody wrote. Between the two lies how "
    "often each "
    "image was seen, not what the model is.",
    "Guidance turns a preference of the data up; with a balanced set only what chance left in the model.",
    "The mark survives what happens by chance and not what is done on purpose; so does every other one here.",
)
terms("held_out", "cfg", "watermark", "ddim", "evaluations", "velocity")
mathematics(
    (
        "**A copy** is nearer to one training image $y_1$ than to the second nearest $y_2$, by more than three times:",
        r"\frac{\lVert x - y_1 \rVert}{\lVert x - y_2 \rVert} < \frac{1}{3}",
    ),
    (
        "**Guidance** with scale $w$ draws from a sharper distribution, so a share $p$ of the data comes back as:",
        r"\tilde p(x \mid c) \propto p(x \mid c)^w\, p(x)^{1 - w}, \qquad p \mapsto \frac{p^w}{p^w + (1 - p)^w}",
    ),
    (
        "**The rings**: the Fourier transform of the noise takes secret numbers $\\kappa_r$ at radius $r$; the fit is "
        "their correlation with the noise that DDIM finds on its way back:",
        r"\hat x_T[k] \leftarrow \kappa_{|k|}, \qquad \mathrm{fit} = "
        r"\frac{\langle \hat x_T, \kappa \rangle}{\lVert \hat x_T \rVert\, \lVert \kappa \rVert}",
    ),
    (
        "**Symbols**: each is hidden with probability $t$; the model guesses those that are hidden, and each guess "
        "counts $1 / t$:",
        r"\mathcal L = \mathbb E_{t}\, \frac{1}{t} \sum_{i\,\text{hidden}} -\log p\bigl(x^i \mid x_t\bigr)",
    ),
)
the_code(
    NOTEBOOK,
    memory_lesson.nearest_two,
    provenance_lesson.marked,
    samplers.invert,
    steps_lesson.distil,
    masked.masked_loss,
    masked.unmask,
    AlongTime,
)
check_yourself(
    "ethics",
    Question(
        "A model returns its training images. What helps most?",
        {
            "More steps of sampling": "Steps decide how exactly the model is asked, not what it has learned.",
            "More, and different, images to learn from": "With 8,000 images no sample here is a copy; with 20 "
            "most are. "
            "Change the number of images and look.",
            "A secret prompt": "Copies come back without any prompt that names them.",
        },
        "More, and different, images to learn from",
    ),
    Question(
        "90 % of the circles in a set are blue. What do you expect at guidance 3?",
        {
            "90 % blue circles": "That is what guidance 1 returns. Move the slider.",
            "Nearly all blue": "0.9³ / (0.9³ + 0.1³) is 99.9 %: guidance exaggerates what goes with the word.",
            "Half of them": "Only a balanced set returns about half.",
        },
        "Nearly all blue",
    ),
    Question(
        "No mark is found in a picture. Is it real?",
        {
            "Yes": "Other models leave no mark, and a crop of two pixels hides this one.",
            "Nobody knows": "A mark that is found says much; one that is not found says nothing.",
        },
        "Nobody knows",
    ),
)
references(
    "memorisation",
    "somepalli",
    "yoon",
    "stable_bias",
    "rogan",
    "tree_ring",
    "luccioni",
    "distillation",
    "consistency",
    "rectified_flow",
    "d3pm",
    "mdlm",
    "llada",
    "video_diffusion",
    "moving_mnist",
)
end_page()
