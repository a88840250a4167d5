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
    "Build your rig",
    "You will find what a diffusion system needs in memory, time and money, computed from the list of its "
    "operations, and which card holds it.",
    "activations",
    "scratch",
    "latent",
    "vae",
    "text_encoder",
    "flash",
    "quantised",
    "lora",
    "offload",
    "guidance",
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


@fragment
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
trust, (doubled, in_turn) = memory.trusted(), memory.guided()
what_to_notice(
    f"In {texts} of {count} systems at their default size the **text encoders** are at least half of the weights. They "
    "read the prompt once, and still fill memory afterwards. Switch *Text encoders off after use* on, and watch.",
    f"At the default settings **decoding** is the fullest moment in {decoding} of the {count}, not denoising: the VAE "
    "works on pixels, or on samples of sound, the denoiser on latents, which are many times fewer.",
    f"**Guidance** asks the network twice a step: in {doubled} systems in one batch, which needs more memory while "
    f"denoising, in {in_turn} one after the other, which needs more time alone. Decoding has nothing to do with it.",
    f"How far can you trust it? Of {trust['rows comparable']} published peaks that can be compared, the estimate is "
    f"off by {trust['median error']:.1%} in the median and by {trust['greatest error']:.0%} at most; "
    f"{trust['above the plan']} were measured above what the page plans for. **Accuracy** has each of them.",
    "Choose a system that makes video and switch **Plain attention** on: the table of which place looks at which grows "
    "with the square of the number of places.",
)
mathematics(
    (
        "**Peak** $M$, without offload: the weights, which stay on the card, plus the activations that are alive and "
        "the scratch of a convolution at the fullest moment of the phases:",
        r"M = M_\text{denoiser} + M_\text{VAE} + M_\text{text} + "
        r"\max_\text{moments}\,\bigl(M_\text{alive} + M_\text{scratch}\bigr)",
    ),
    (
        "**Plain attention** keeps the whole table of which place looks at which; flash attention, which is used while "
        "the switch is off, keeps one number a place:",
        r"M_\text{plain} \propto \text{samples} \cdot \text{heads} \cdot \text{places}^2, \qquad "
        r"M_\text{flash} \propto \text{samples} \cdot \text{heads} \cdot \text{places}",
    ),
    (
        "**Training** of $n$ weights in bf16, two bytes each, with AdamW keeps the weights, their gradients, two "
        "running means of the gradients, and the activations that the way back needs. In 32 bits each doubles; four "
        "times the weights it is either way, before any activation:",
        r"M = 2n + 2n + (2 + 2)\,n + M_\text{saved} \quad\text{bytes}",
    ),
    (
        "**Seconds** of a step: counted operations over those that the card's maker promises a second (for matrices "
        "without zeros to skip), of which published measurements reach a share:",
        r"\text{seconds} = \frac{\text{operations}}{\text{share} \cdot \text{operations a second}}",
    ),
)
the_code(NOTEBOOK, systems.phases, systems.decoding, weights.Weights)
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
            "Nothing": "With guidance the network is asked twice, one after the other and on a batch of the same size: "
            "without it time halves, and the fullest moment, decoding, stays as it was.",
        },
        "Nothing",
    ),
)
references("latent_diffusion", "attention", "flash_attention", "lora", "adam", "guidance")
end_page()
