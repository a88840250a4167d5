import streamlit as st

from explorer.ui.frame import (
    Question,
    begin_page,
    check_yourself,
    end_page,
    mathematics,
    terms,
    the_code,
    what_to_notice,
)

begin_page(
    "Build your rig",
    "You will find what a diffusion system needs in memory, time and money, computed from its own graph, and which "
    "card holds it.",
)

from explorer.hardware import systems, weights
from explorer.ui.build_your_rig import accuracy, cards, course, growth, machine, memory, money, tiers
from explorer.ui.build_your_rig.asking import ask
from explorer.ui.controls import one_of, sentence
from explorer.ui.markdown import plain

CLOSER = {
    "tiers": "Machines by budget",
    "cards": "All cards",
    "growth": "How memory grows",
    "money": "Time and money",
    "course": "Models of this course",
    "machine": "This machine",
    "accuracy": "Accuracy",
}
NOTEBOOK = """
import torch
from torch import nn

import explorer as ex

yours = nn.Sequential(nn.Conv2d(3, 64, 3, padding=1), nn.SiLU(), nn.Conv2d(64, 3, 3, padding=1))
for mode in ("inference", "train"):
    found = ex.estimate_memory(yours, (3, 256, 256), mode=mode, batch_size=8, precision="bf16", device="cuda")
    print(mode, f"{found.total / 2**30:.2f} GiB", found)
""".strip()

left, right = st.columns([1, 1.25], gap="large")
with left:
    wish = ask()
with right:
    try:
        memory.show(wish)
        possible = True
    except ValueError as error:
        st.error(plain(sentence(error)), icon=":material/block:")
        possible = False


@st.fragment
def closer() -> None:
    """One look at a time."""
    chosen = one_of("Look closer", CLOSER, key="rig_closer")
    if chosen == "accuracy":
        accuracy.show()
    elif chosen == "course":
        course.show()
    elif chosen == "machine":
        machine.show()
    elif chosen == "tiers":
        tiers.show()
    elif not possible:
        st.info("What is asked for above cannot be made: change it there.", icon=":material/block:")
    elif chosen == "cards":
        cards.show(wish)
    elif chosen == "growth":
        growth.show(wish)
    else:
        money.show(wish)


closer()
count, texts, decoding = memory.noticed()
what_to_notice(
    f"In {texts} of {count} systems at their default size half of the **weights** or more are the text encoders': they "
    "read one prompt, and stay.",
    f"**Decoding** is the fullest moment in {decoding} of the {count}, not denoising: the VAE works on pixels, or "
    "on samples of sound, the denoiser on latents.",
    "Switch to **plain attention** on a video: its matrix of weights grows with the square of the places.",
)
mathematics(
    (
        "**Peak**: what is resident, plus the largest of the phases. $W$ are weights, $A$ the tensors alive at the "
        "fullest moment, $S$ the scratch of convolutions:",
        r"M = W_\text{denoiser} + W_\text{VAE} + W_\text{text} + \max_\text{phase}\,\max_t\,\bigl(A_t + S_t\bigr)",
    ),
    (
        "**Attention** over $n$ places, $b$ samples and $h$ heads keeps the whole matrix, or one number a place:",
        r"A_\text{math} \propto b\,h\,n^2, \qquad A_\text{flash} \propto b\,h\,n",
    ),
    (
        "**Training** of $p$ weights in bf16 with AdamW keeps the weights, their gradients and two moments:",
        r"M = 2p + 2p + 4p + A_\text{saved}",
    ),
    (
        "**Time** of a step: counted operations $F$ over the card's dense peak $P$, of which a share $s$ is reached:",
        r"t = \frac{F}{s P}, \qquad s \in [s_\text{least}, s_\text{greatest}]",
    ),
)
the_code(NOTEBOOK, systems.phases, systems.decoding, weights.Weights)
terms("latent", "vae", "text_encoder", "flash", "quantised", "lora", "offload", "cfg")
check_yourself(
    "rig",
    Question(
        "FLUX.1 dev makes one image of 1024 x 1024 in 16 bits. What would save most memory?",
        {
            "VAE tiling": "An image of that size is one tile: nothing is saved. Switch it on, and look.",
            "Weights in 4 bits": "The denoiser alone has twelve billion weights: read what the page ranks first.",
            "Flash attention": "It is on already. Plain attention would cost more.",
        },
        "Weights in 4 bits",
    ),
    Question(
        "Guidance is switched off in Wan 2.1. What happens to the peak?",
        {
            "It halves": "It would fall, if both predictions went through in one batch: here the network is asked "
            "twice in turn.",
            "Nothing": "The network is asked twice in turn, each time on the same batch: time halves, memory stays.",
        },
        "Nothing",
    ),
)
end_page()
