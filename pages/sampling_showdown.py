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
    "Sampling showdown",
    "You will see what a sampler decides once a model is trained: what it costs, how good the images are, and how "
    "much of them is chance.",
    "sampler",
    "evaluations",
    "ddpm",
    "ddim",
    "dpm_solver",
    "eta",
    "guidance",
    "log_snr",
    "frechet",
)

from explorer import samplers
from explorer.lessons.sampling_showdown import quality as judging
from explorer.lessons.sampling_showdown import walks as showdown
from explorer.ui import work
from explorer.ui.sampling_showdown.background import jobs_of
from explorer.ui.sampling_showdown.between import BETWEEN, between
from explorer.ui.sampling_showdown.duel import duel
from explorer.ui.sampling_showdown.one_noise import WALKS, one_noise
from explorer.ui.sampling_showdown.quality import quality
from explorer.ui.sampling_showdown.round_trip import round_trip
from explorer.ui.sampling_showdown.words import SECTIONS
from explorer.ui.shelf import choose_model


def notebook() -> str:
    """Code that makes what the first section shows, and what the last two measure."""
    return """
import torch
import explorer as ex
from explorer.samplers import invert

denoiser = ex.load_pretrained("digits-8")
digits = torch.arange(16) % 10

ddpm = ex.sample(denoiser, n=16, sampler="ddpm", steps=20, seed=0, condition=digits)
ddim = ex.sample(denoiser, n=16, sampler="ddim", steps=20, seed=0, condition=digits)
print((ddpm.x[0] - ddim.x[0]).abs().max())  # the same start
print((ddpm.samples - ddim.samples).square().mean().sqrt())  # and another end

noise = invert(denoiser, ddim.samples, steps=50, condition=digits)
back = ex.sample(denoiser, n=16, sampler="ddim", steps=50, condition=digits, x_init=noise)
print((back.samples - ddim.samples).square().mean().sqrt())""".strip()


places = {name: st.container() for name in SECTIONS}
st.header("Key takeaways", anchor=False)
takeaways = {name: st.empty() for name in SECTIONS}
what_to_notice(
    "Both sides open with 3 steps, which cost the same. The strokes of DPM-Solver++ are sharp by then, those of DDPM "
    "still grey. The Fréchet distance to real images sees that; the classifier recognises nearly all of both.",
    "Why does DDPM need more steps? It puts fresh noise on the image at every step, which the later steps must take "
    "off again; with few steps there are too few of those. DDIM adds none, and spends all its steps on the image.",
    "Steps differ in price: DDIM, DDPM and Euler's method ask the network once a step, Heun's method twice (but for "
    "the last), and the network calls are what costs.",
    "Raise the guidance scale to 4: with 3 steps it is DPM-Solver++ whose images fall apart. With 10 steps it holds.",
    "Give both sides DDIM, one with 10 steps and one with 30, and read how far apart the ends are; then do the same "
    "with DDPM. The paths of DDIM stay near each other, those of DDPM are new ones.",
)
mathematics(
    (
        "**Sampler** and **eta**, $\\eta$: from $t$ down to $s$, with the model's guess $\\hat x_0$ and the "
        "noise $\\hat\\varepsilon$ that it implies. $\\eta = 0$ is DDIM, 1 is DDPM; $z$ is unit noise, drawn afresh:",
        r"x_s = \alpha_s\,\hat x_0 + \sqrt{\sigma_s^2 - \eta^2 \tilde\sigma^2}\;\hat\varepsilon "
        r"+ \eta\,\tilde\sigma\, z, \qquad \tilde\sigma^2 = \frac{\sigma_s^2}{\sigma_t^2}"
        r"\Bigl(\sigma_t^2 - \frac{\alpha_t^2}{\alpha_s^2}\sigma_s^2\Bigr)",
    ),
    (
        "**Times**: quadratic ones are uniform in $\\sqrt t$; Karras's are uniform in the seventh root of the noise "
        "ratio $r = \\sigma / \\alpha$:",
        r"r_i = \Bigl(r_{\max}^{1/7} + \tfrac{i}{\text{steps} - 1}"
        r"\bigl(r_{\min}^{1/7} - r_{\max}^{1/7}\bigr)\Bigr)^7, \qquad i = 0, \dots, \text{steps} - 1",
    ),
    (
        "**Fréchet distance**: the features of samples and of real images, each taken for a Gaussian with mean $m$ "
        "and covariance $C$:",
        r"\text{distance} = \lVert m_1 - m_2 \rVert^2 + \operatorname{tr}\bigl(C_1 + C_2 - 2 (C_1 C_2)^{1/2}\bigr)",
    ),
    (
        "**Between two noises** $\\varepsilon_1$ and $\\varepsilon_2$ at angle $\\varphi$, along the great circle, so "
        "that the length stays that of noise:",
        r"\operatorname{slerp}(\varepsilon_1, \varepsilon_2; u) = "
        r"\frac{\sin((1 - u)\,\varphi)}{\sin\varphi}\,\varepsilon_1 + "
        r"\frac{\sin(u\,\varphi)}{\sin\varphi}\,\varepsilon_2",
    ),
    (
        "**Back to the noise**: without fresh noise a step is a rule of how a point moves, and can be followed either "
        "way (DDIM's is Euler's step on an ordinary differential equation). Upwards, from $s$ to the noisier $t$:",
        r"x_t = \alpha_t\,\hat x_0(x_s, s) + \sigma_t\,\hat\varepsilon(x_s, s)",
    ),
)
the_code(notebook(), samplers.ddim, samplers.sample_times, showdown.slerp, samplers.invert, judging.quality)
check_yourself(
    "show",
    Question(
        "Two people start from the same noise, but their computers draw other random numbers from then on. When "
        "do they end with the same image?",
        {
            "Whatever the sampler": "DDPM draws fresh noise at every step, so the same start has many ends: the "
            "column for other seeds is far from 0 in its row.",
            "If both use DDIM": "DDIM draws nothing after the start. The column for other seeds says 0 for it, "
            "and not for DDPM.",
            "Never": "Two walks of DDIM from one noise end in the same image: its row has 0 in the column for other "
            "seeds.",
        },
        "If both use DDIM",
    ),
    Question(
        "DDIM with 15 steps and DDIM with 30 steps start from the same noise. What do you expect?",
        {
            "Nearly the same images": "Both follow one differential equation, the second more closely. Set the two "
            "sides so and read how far apart the ends are.",
            "Different images of the same class": "That is what fresh noise would do. DDIM draws none, so both walk "
            "along nearly the same path: set the two sides so and look.",
            "The same images, exactly": "They would be, if their steps were infinitely small. Steps of finite size "
            "leave the path a little, larger ones more: the ends are a little apart.",
        },
        "Nearly the same images",
    ),
    Question(
        "Suppose that Heun's method needs half the steps of Euler's for the same quality. Is it twice as fast?",
        {
            "Yes": "It would be, if its steps cost the same; but each asks the network twice, and the calls are what "
            "costs. Set a side to Heun and read its network calls.",
            "No": "Each of its steps asks the network twice. Put network calls on the axis of the quality chart.",
        },
        "No",
    ),
)
references(
    "ddpm", "ddim", "dpm_solver", "edm", "sde", "langevin", "guidance", "guidance_interval", "improved_ddpm", "fid"
)

long_walk, measuring = (work.standing(jobs_of(judged)) for judged in (False, True))
with places["duel"]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.header(SECTIONS["duel"], anchor="duel", width="stretch")
        with st.container(width=220):
            model = choose_model("show_model")
    fragment(duel, run_every=work.pace(long_walk))(model, long_walk, takeaways["duel"])
with places["one-noise"]:
    st.header(SECTIONS["one-noise"], anchor="one-noise")
    st.markdown(
        f"One starting noise, walked {WALKS} times. The noise that a sampler adds on its way is drawn afresh each time."
    )
    one_noise(model, takeaways["one-noise"])
with places["quality"]:
    st.header(SECTIONS["quality"], anchor="quality")
    fragment(quality, run_every=work.pace(measuring))(model, measuring, takeaways["quality"])
with places["between"]:
    st.header(SECTIONS["between"], anchor="between")
    st.markdown(
        f"{BETWEEN} starting noises along the great circle from one to another. Each becomes an image, once "
        "without fresh noise on the way and once with it."
    )
    between(model, takeaways["between"])
with places["round-trip"]:
    st.header(SECTIONS["round-trip"], anchor="round-trip")
    st.markdown(
        "DDIM without fresh noise can be walked backwards: from an image that nobody sampled up to the noise that "
        "would have become it. Sampling from that noise should return the image; the difference is the error."
    )
    round_trip(model, takeaways["round-trip"])
end_page()
