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
    "Voice cloning",
    "You will hear noise become speech in a voice that you choose, and read in numbers how near it comes.",
)

from explorer import guidance
from explorer.audio import watermark
from explorer.lessons.voice_cloning import speaking as lesson
from explorer.lessons.voice_cloning.speaking import Spoken
from explorer.networks.speech import SpeechUNet, VoiceEncoder
from explorer.ui.controls import one_of
from explorer.ui.voice_cloning import card, compared, large, mark, near, speaking, voice
from explorer.ui.voice_cloning.asking import Wish, ask

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
import torch

from explorer.audio.recordings import read_recording, written
from explorer.lessons.voice_cloning import speaking, voices

reference = voices.reference(read_recording(open("reference.wav", "rb").read()).audio)
said = speaking.spoken(
    voices.model(), {text!r}, {speed:g}, reference.voice,
    speaking.Asked(words_scale={words:g}, voice_scale={voice:g}, steps={steps}, sampler={sampler!r}, seed={seed}),
)
open("speech.wav", "wb").write(written(said.audio, "Synthetic speech"))""".strip()


def notebook(wish: Wish | None) -> str:
    """Code that speaks what the page speaks."""
    asked = wish.asked if wish else lesson.Asked()
    return NOTEBOOK.format(
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


@st.fragment
def closer() -> None:
    """One look at a time, so that nobody waits for those that they do not open."""
    st.subheader("Look closer", anchor=False)
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
what_to_notice(
    "Pause the film at step 2 and listen to both: what is there still hisses, but in the guess words and voice are "
    "almost there. The text says which sound is due when, so that little is left to be found.",
    "Set the voice's guidance to 0: the words stay, the person goes. Set that of the words to 0, and somebody mumbles "
    "in the reference's voice.",
    "A known voice is *selected*, a blend *interpolated*; only one that training never heard is *cloned*, and there "
    "the likeness falls. **Known, kept out** has the figures.",
)
terms("mel", "vocoder", "phone", "cfg", "voice_vector", "watermark", "log_snr")
mathematics(
    (
        "**Two scales of guidance**, $w$ for the words $c$ and $v$ for the voice $z$: the network is asked without "
        "either, with the words, and with both, and both differences are exaggerated (where the scales are "
        "equal the middle one cancels, and two answers are enough):",
        r"\hat x_0 = x_0(x_t) + w\,\bigl(x_0(x_t, c) - x_0(x_t)\bigr) + v\,\bigl(x_0(x_t, c, z) - x_0(x_t, c)\bigr)",
    ),
    (
        "**x₀-prediction**: the loss is that of the noise, weighted, but the network returns the clean features: to "
        "return the noise, it would have to carry all 132 channels of it through its 160:",
        r"\mathcal L = \mathbb E\, \min\bigl(1/\sigma_t^2,\, 50\bigr)\, \lVert x_0 - F(x_t, t, c, z)\rVert^2",
    ),
    (
        "**The mark**: in each patch of band $b$ and time $k$ a key of $\\pm 1$ moves the magnitude by a constant "
        "$\\delta$, and correlation with the key finds it again:",
        r"\lvert S'_{b,k}\rvert = \lvert S_{b,k}\rvert\, e^{\delta\, \kappa_{b,k}}",
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
