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
    "Guided generation",
    "You will type a prompt, watch a real text-conditional model draw it, and see how the words get in.",
    "guidance",
    "negative_prompt",
    "cross_attention",
    "text_encoder",
    "clip",
    "log_snr",
    "x0",
)

from explorer import guidance
from explorer.lessons.guided_generation import arithmetic as sums
from explorer.lessons.guided_generation import edits
from explorer.lessons.guided_generation.pictures import Drawing
from explorer.metrics import NotFinite
from explorer.networks.unet import Attention
from explorer.ui.controls import one_of
from explorer.ui.guided_generation import anatomy, arithmetic, clip, drawing, edit, large, sweep, words
from explorer.ui.guided_generation.asking import Wish, ask, choose_teller

CLOSER = {
    "guidance": "Guidance taken apart",
    "words": "Where each word is looked at",
    "sweep": "Scales and seeds",
    "arithmetic": "Arithmetic",
    "edit": "Edit",
    "clip": "CLIP",
    "large": "The large ones",
}


def notebook(wish: Wish) -> str:
    """Code that draws what the page shows."""
    asked = wish.asked
    return f"""
import explorer as ex

denoiser = ex.load_pretrained({wish.teller.name!r})

drawn = ex.sample(
    denoiser, n={asked.n}, sampler={asked.sampler!r}, steps={asked.steps}, seed={asked.seed},
    condition={asked.prompt!r}, negative_condition={asked.negative!r}, guidance_scale={asked.guidance_scale:g},
)
print(drawn.samples.shape, drawn.evaluations)  # pictures in [-1, 1], and network calls""".strip()


left, right = st.columns([1, 1.15], gap="large")
with left:
    wish = ask(choose_teller())
with right:
    drawn = drawing.show_drawing(wish)
if drawn is not None and wish.teller.name == "emoji":  # of scenes there are no two alike to learn by heart
    drawing.recall(wish, drawn)


@fragment
def closer() -> None:
    """One look at a time, so that nobody waits for those that they do not open."""
    st.header("Look closer", anchor=False)
    chosen = one_of("Look closer", CLOSER, key="guide_closer")
    if drawn is None:
        st.info("There are no pictures to look at: choose fewer steps or another sampler.", icon=":material/image:")
        return
    try:
        look(chosen, drawn)
    except NotFinite as error:
        st.error(str(error), icon=":material/error:")


def look(chosen: str, drawn: Drawing) -> None:
    """What was chosen."""
    if chosen == "words":
        words.show(wish, drawn)
    elif chosen == "sweep":
        sweep.show(wish)
    elif chosen == "arithmetic":
        arithmetic.show(wish)
    elif chosen == "edit":
        edit.show(wish, drawn)
    elif chosen == "clip":
        clip.show(wish, drawn)
    elif chosen == "large":
        large.show(wish)
    else:
        anatomy.show(wish)


closer()
drawing.card(wish)
what_to_notice(
    "Pause the film early, and look at the guess of x₀: the picture's mean colour comes first, then its layout, then "
    "its details.",
    "At scale 0 the prompt has no effect; at 1 the network is taken at its word. As the scale grows the pictures come "
    "to show the prompt, and those of different seeds become more alike; far above 4 little is won, and colours clip: "
    "they are pushed beyond what a screen can show. **Scales and seeds** has the counts.",
    "With **Scenes of shapes** every word can be checked: swap the two things of the prompt, and see whether the model "
    "binds each colour to its own shape.",
)
mathematics(
    (
        "**Guidance scale** $w$ (classifier-free guidance), with the prompt $c$ and the negative one $c_-$ (nothing, "
        "unless you type one). Where $c_-$ is $c$ the bracket is 0. The guesses of $x_0$ that the page shows are mixed "
        "in the same way:",
        r"\hat\varepsilon = \hat\varepsilon(x_t, c_-) + w\,\bigl(\hat\varepsilon(x_t, c) - "
        r"\hat\varepsilon(x_t, c_-)\bigr)",
    ),
    (
        "**Cross-attention**: each place of the picture asks ($Q$), each word of the prompt answers ($K$, $V$). "
        "*Where each word is looked at* draws the softmax, the shares of attention that a place gives to the words:",
        r"h \leftarrow h + W\,\mathrm{softmax}\Big(\tfrac{Q(h)\,K(c)^\top}{\sqrt{d}}\Big)\,V(c)",
    ),
    (
        "**CLIP**: two networks, one for pictures and one for texts, learned to give what belongs together vectors of "
        "the same direction. As a guide, the slope of their likeness, times **Strength** $\\rho$, changes the noise "
        "that is predicted:",
        r"\hat\varepsilon \leftarrow \hat\varepsilon - \rho\,\sigma_t\,\nabla_{x_t} "
        r"\cos\bigl(e_\text{picture}(\hat x_0), e_\text{text}(c)\bigr)",
    ),
)
the_code(notebook(wish), guidance.guided, Attention, sums.Attending, edits.Kept)
check_yourself(
    "guide",
    Question(
        "The guidance scale is 1. How often is the network asked at each step?",
        {
            "Once": "The difference would be multiplied by 1, so what is left is the prediction with the prompt: read "
            "the network calls under the film.",
            "Twice, with and without the prompt": "It is, at every other scale; at 1 the unconditional part cancels. "
            "Set it, and read the network calls.",
            "Once for each word": "All words go into one call, where every place looks at all of them.",
        },
        "Once",
    ),
    Question(
        "The negative prompt is the same as the prompt. What does guidance do?",
        {
            "It removes the thing": "It would lead away from it, if there were something to lead to: both predictions "
            "are one, and their difference is nothing.",
            "Nothing, whatever the scale": "Their difference is nothing, and any number times nothing is nothing. Try "
            "it with two scales.",
            "It draws at random": "The prompt is still heard: what is left is the prediction with it.",
        },
        "Nothing, whatever the scale",
    ),
    Question(
        "In the plane, why do the points end closer together at scale 4 than the Gaussian that they ask for is wide?",
        {
            "They start from the same noise": "They start from 400 different places, the same at both scales.",
            "What tells the label from the others is exaggerated": "The points are pushed away from the other labels, "
            "and those that lie nearest to them are pushed most: they crowd together, beyond where they belong.",
            "The sampler takes larger steps": "The times visited are the same at all scales.",
        },
        "What tells the label from the others is exaggerated",
    ),
)
references(
    "guidance",
    "guidance_interval",
    "latent_diffusion",
    "clip",
    "glide",
    "prompt_to_prompt",
    "sdedit",
    "sde",
    "attention",
)
end_page()
