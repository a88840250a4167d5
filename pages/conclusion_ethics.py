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
    the_code,
    what_to_notice,
)
from explorer.ui.spent import fragment

begin_page(
    "Conclusion and ethics",
    "You will measure what models remember, what they prefer and whether a picture tells that a model made it, and try "
    "what comes next.",
    "held_out",
    "guidance",
    "watermark",
    "ddim",
    "evaluations",
    "velocity",
)

from explorer import masked, samplers
from explorer.lessons import path
from explorer.lessons.conclusion_ethics import few_steps as steps_lesson
from explorer.lessons.conclusion_ethics import memory as memory_lesson
from explorer.lessons.conclusion_ethics import provenance as provenance_lesson
from explorer.lessons.conclusion_ethics.figures import figures
from explorer.lessons.conclusion_ethics.memory import times_seen
from explorer.networks.video import AlongTime
from explorer.ui import work
from explorer.ui.conclusion_ethics import bias, energy, few_steps, memory, motion, people, provenance, timeline, words
from explorer.ui.controls import one_of
from explorer.ui.path import link
from explorer.zoo import model_card

LOOKS = {
    "memory": "Learned by heart",
    "bias": "Bias",
    "provenance": "Watermarks",
    "people": "Deepfakes",
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

CONCLUSION = {  # module: what to take along
    "core_concepts": "Noise is added by a fixed rule; what is learned is the best guess of what lies under it.",
    "geometry_lab": "That guess is a direction for every place and moment, and following it carries noise to data.",
    "unet": "One network does it for images at all noise levels: coarse shapes far down, fine detail across its skips.",
    "training_lab": "It learns from noise put on known images; held-out images tell when it learns by heart.",
    "sampling_showdown": "How to follow the guesses is chosen afterwards: it decides cost, quality and chance.",
    "guided_generation": "Words enter as a second guess; exaggerating what they add buys obedience with variety.",
    "voice_cloning": "The same mathematics makes speech; a voice that nobody trained on is only approached.",
    "build_your_rig": "What a large model needs can be counted beforehand from its operations.",
    "conclusion_ethics": "A model gives back what it saw: single images if they are few, and preferences, "
    "which guidance turns up.",
}

chosen = one_of("Subject", LOOKS, key="ethics_look")
learning = few_steps.learning() if chosen == "steps" else ()
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
fragment(shown[chosen], run_every=work.pace(learning))()

survived = figures("provenance")["found"]
st.header("The course in nine sentences", anchor=False)
for module, sentence in CONCLUSION.items():
    told, to = st.columns([2.6, 1], vertical_alignment="center")
    told.markdown(f"- {sentence}")
    with to:
        link(module, path.MODULES[module][0])
what_to_notice(
    "*Learned by heart*: a model of 20 images returns them; one of 8,000 draws digits that nobody wrote. Both are one "
    f"network of {model_card('memory-20')['parameters']:,} weights; each of the 20 was seen "
    f"{times_seen(20):,} times, each of the 8,000 only {times_seen(8_000):,} times.",
    "*Bias*: guidance exaggerates whatever the data have more of. Where they are balanced, it exaggerates the small "
    "imbalance that chance left in the model.",
    "*Watermarks*: the mark survives compression and mirroring, and not a shift of two pixels: it is found in "
    f"{survived['jpeg30']:.0%}, {survived['mirror']:.0%} and {survived['shift']:.0%} of pictures. Most pictures never "
    "had one, so a missing mark proves nothing.",
)
mathematics(
    (
        "**A copy** (*Learned by heart*) is nearer to one training image $x^{(1)}$ than to the second nearest "
        "$x^{(2)}$, by more than three times:",
        r"\frac{\lVert x - x^{(1)} \rVert}{\lVert x - x^{(2)} \rVert} < \frac{1}{3}",
    ),
    (
        "**Guidance** (*Bias*) with scale $w$ draws from a sharper distribution, so a share $p$ of the data comes back "
        "as the share on the right:",
        r"\tilde p(x \mid c) \propto p(x \mid c)^w\, p(x)^{1 - w}, \qquad p \mapsto \frac{p^w}{p^w + (1 - p)^w}",
    ),
    (
        "**The mark in the noise** (*Watermarks*): the waves that the starting noise is made of, its Fourier "
        "transform $X$, take secret strengths $\\kappa$ on rings, one for each wavelength $|k|$. DDIM walks a picture "
        "back to its noise, and the fit is how well the rings found there agree with the secret ones:",
        r"X[k] \leftarrow \kappa_{|k|}, \qquad \mathrm{fit} = "
        r"\frac{\langle X, \kappa \rangle}{\lVert X \rVert\, \lVert \kappa \rVert}",
    ),
    (
        "**Letters** $x_0[i]$ (*Text*): each is hidden with probability $t$; the model guesses those that are hidden, "
        "and each guess counts $1 / t$:",
        r"\mathcal L = \mathbb E_{t}\, \frac{1}{t} \sum_{i\,\text{hidden}} -\log p\bigl(x_0[i] \mid x_t\bigr)",
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
            "all are. Change the number of images and look.",
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
