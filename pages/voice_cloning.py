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
    "Voice cloning",
    "You will hear noise become speech in a voice that you choose, and read in numbers how near it comes.",
    "mel",
    "vocoder",
    "phone",
    "guidance",
    "voice_vector",
    "watermark",
    "log_snr",
)

from explorer import guidance
from explorer.audio import watermark
from explorer.audio.features import ROWS
from explorer.lessons.voice_cloning import speaking as lesson
from explorer.lessons.voice_cloning.speaking import Spoken
from explorer.lessons.voice_cloning.voices import NAME
from explorer.networks.speech import SpeechUNet, VoiceEncoder
from explorer.ui.controls import one_of
from explorer.ui.voice_cloning import card, compared, large, mark, near, speaking, voice
from explorer.ui.voice_cloning.asking import Wish, ask
from explorer.zoo import model_card

BUILT_IN = "af_bella"
CLOSER = {
    "near": "How near?",
    "voice": "The voice",
    "all": "All voices",
    "between": "Between two",
    "scales": "Guidance",
    "cases": "Known, kept out",
    "mark": "The mark",
    "large": "The large ones",
}
NOTEBOOK = """
from explorer.audio.recordings import {reading}written
from explorer.lessons.voice_cloning import speaking, voices

reference = {reference}

said = speaking.spoken(
    voices.model(), {text!r}, {speed:g}, reference.voice,
    speaking.Asked(words_scale={words:g}, voice_scale={voice:g}, steps={steps}, sampler={sampler!r}, seed={seed}),
)

open("speech.wav", "wb").write(written(said.audio, "Synthetic speech"))""".strip()


def notebook(wish: Wish | None) -> str:
    """Code that speaks what the page speaks."""
    asked = wish.asked if wish else lesson.Asked()
    own = wish is not None and wish.own
    file = 'voices.reference(read_recording(open("reference.wav", "rb").read()).audio)  # your own recording'
    return NOTEBOOK.format(
        reading="read_recording, " if own else "",
        reference=file if own else f"voices.reference_of({(wish.key if wish else BUILT_IN)!r})",
        text=wish.text if wish else "three one four",
        speed=wish.speed if wish else 1,
        words=asked.words_scale,
        voice=asked.voice_scale,
        steps=asked.steps,
        sampler=asked.sampler,
        seed=asked.seed,
    )


left, right = st.columns([1, 1.45], gap="large")
with left:
    wish = ask()
said: Spoken | None = None
with right:
    if wish is None:
        st.info("Speech appears here when there are a voice and a text.", icon=":material/graphic_eq:")
    else:
        said = speaking.show_speech(wish)
        speaking.summary(wish, said)


@fragment
def closer() -> None:
    """One look at a time, so that nobody waits for those that they do not open."""
    st.header("Look closer", anchor=False)
    chosen = one_of("Look closer", CLOSER, key="voice_closer")
    if chosen == "large":
        large.show()
    elif chosen == "cases":
        card.cases()
    elif wish is None or said is None:
        st.info("There is no speech to look at yet.", icon=":material/graphic_eq:")
    elif chosen == "voice":
        voice.show(wish, said)
    elif chosen == "all":
        compared.all_voices(wish)
    elif chosen == "between":
        compared.between(wish)
    elif chosen == "scales":
        compared.scales(wish)
    elif chosen == "mark":
        mark.show(wish, said)
    else:
        near.show(wish, said)


closer()
card.card()
widths = model_card(NAME)["architecture"]["widths"]
what_to_notice(
    "Five parts work in turn. A dictionary turns the **text** into sounds; a small network says how long each lasts; "
    "an encoder makes one list of numbers of the **reference**; the diffusion model walks from noise to a "
    "**spectrogram**; a vocoder makes sound of it. Only the fourth is diffusion.",
    "Pause the film at step 2 and listen to both: *What is there* still hisses, while *What the model guesses* is "
    "nearly clear. Since the text says which sound is due when, even the first guess shows where each sound stands: "
    "what is left to be found is how the voice says it.",
    "Set the voice's guidance to 0: the words stay, the person goes. Set that of the words to 0, and somebody mumbles "
    "in the reference's voice.",
    "A voice that training knows is *selected*, a blend of such voices *interpolated*; only one that training never "
    "heard is *cloned*, and there the likeness falls: its vector lies where the model was never trained to speak, "
    "and what tells this voice from those nearby it has to guess. **Known, kept out** has the figures; large models "
    "learn from thousands of voices, which leaves smaller gaps.",
    "A mark that is found says that this model spoke, or somebody who has its key. One that is missing says nothing: "
    "most sounds never had one.",
)
mathematics(
    (
        "**Two guidance scales**, $w_\\text{words}$ for the words $c$ and $w_\\text{voice}$ for the voice vector $e$: "
        "the network is asked without either, with the words, and with both (where the scales are equal the middle one "
        "cancels, and two answers are enough):",
        r"\hat x_0 = \hat x_0(x_t) + w_\text{words}\bigl(\hat x_0(x_t, c) - \hat x_0(x_t)\bigr) "
        r"+ w_\text{voice}\bigl(\hat x_0(x_t, c, e) - \hat x_0(x_t, c)\bigr)",
    ),
    (
        "**Prediction of x₀**: the network $F$ returns the clean features. Noise cannot be summed up: to return it, "
        f"all {2 * ROWS} random numbers of each pair of frames would have to pass through {widths[0]} channels, beside "
        "all that it knows of the speech. With this weight, at most 50, errors of $x_0$ count as errors of the "
        "prediction v would:",
        r"\mathcal L = \mathbb E\, \min\bigl(1/\sigma_t^2,\, 50\bigr)\, \lVert F_\theta(x_t, \lambda_t, c, e) - "
        r"x_0\rVert^2",
    ),
    (
        "**The mark**: a secret key $\\kappa$ of plus and minus ones, one for each patch of bands $i$ and frames $j$ "
        "of the spectrogram $S$, makes the patch louder or softer by a constant $\\delta$. Who has the key finds it "
        "again by correlation:",
        r"\lvert S_{ij}\rvert \leftarrow \lvert S_{ij}\rvert\, \exp(\delta\, \kappa_{ij})",
    ),
)
the_code(notebook(wish), lesson.speak, guidance.Nested, SpeechUNet, VoiceEncoder, watermark.marked)
check_yourself(
    "voice",
    Question(
        "The voice's guidance is 0. What do you hear?",
        {
            "Silence": "The words are still asked for, and somebody has to say them.",
            "The words in somebody's voice": "Nobody is asked for, so it is a voice that training knows, another one "
            "for each seed. Try it.",
            "The reference, more quietly": "Loudness is no part of it; the reference is not heard of at all.",
        },
        "The words in somebody's voice",
    ),
    Question(
        "Why does a voice that was kept out of training come less near than a known one?",
        {
            "Its recording is worse": "All built-in recordings were made by one synthesiser, in the same way.",
            "Its vector lies where the model was never asked to speak": "The encoder puts it somewhere among the "
            "voices that it knows, and what tells it from them is lost. More voices in training fill the space.",
            "Its words are others": "All say the same sentence in their recordings.",
        },
        "Its vector lies where the model was never asked to speak",
    ),
    Question(
        "The mark is not found in a recording. What follows?",
        {
            "A person spoke it": "Other models leave no mark, or another one, and noise can cover this one.",
            "Nothing, for sure": "A mark that is found says much; one that is missing says nothing. Add noise to a "
            "marked file and look again.",
            "Somebody took it out": "That may be, but most sounds never had one.",
        },
        "Nothing, for sure",
    ),
)
references(
    "guidance",
    "instruct_pix2pix",
    "griffin_lim",
    "nhv",
    "tortoise",
    "valle",
    "naturalspeech2",
    "f5_tts",
    "styletts2",
    "watermark",
)
end_page()
