from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from explorer.ui.chart import chart
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

if TYPE_CHECKING:
    from explorer.denoiser import Denoiser
    from explorer.networks.structure import Part

LEVELS = np.linspace(6, -6, 17)  # log-SNR, from image to noise
ON_SHEET = slice(None, None, 4)
EMBEDDED = np.linspace(9, -9, 37)
ROWS = 64  # of the embedding, that are drawn
REAL = 20  # of each class
SAMPLES, STEPS = 10, 6
SOURCES = {"real": "Real image", "model": "The model's own", "drawing": "Your drawing"}

begin_page(
    "The engine: U-Net",
    "Look inside the network that denoises: what each part computes, and what is lost when a connection is cut.",
    "denoiser",
    "prediction",
    "skip",
    "embedding",
    "attention",
    "log_snr",
    "held_out",
)

import torch

import explorer as ex
from explorer.lessons.unet import Moments, cut, fingerprint, guesses, observe, time_embedding
from explorer.lessons.views import as_shown
from explorer.metrics import NotFinite
from explorer.networks.structure import structure
from explorer.ui.controls import choice
from explorer.ui.datasets import offer_missing
from explorer.ui.film import Strip, film
from explorer.ui.pad import draw_image
from explorer.ui.sheet import Row, sheet
from explorer.ui.shelf import ImageModel, choose_model, held_out_of
from explorer.ui.turns import in_turn
from explorer.ui.unet import diagram, packed

Scales = tuple[tuple[str, float], ...]


@st.cache_resource(max_entries=16, show_spinner=False)
def parts_of(weights: str, _denoiser: "Denoiser") -> "list[Part]":
    """The parts of the network with these weights."""
    return structure(_denoiser.network, _denoiser.shape)


@st.cache_resource(max_entries=64, show_spinner=False)
@in_turn
def drawn_from(weights: str, _denoiser: "Denoiser", label: int | str | None, seed: int) -> np.ndarray:
    """An image that the model makes, (channels, h, w)."""
    condition = torch.tensor([label]) if isinstance(label, int) else label
    walk = ex.sample(_denoiser, 1, "dpmpp_2m", STEPS, seed, condition=condition, keep="last")
    return walk.samples[0].clamp(-1, 1).numpy()


@st.cache_resource(max_entries=24, show_spinner=False)
@in_turn
def walked(weights: str, _denoiser: "Denoiser", told: Sequence[int] | Sequence[str], scales: Scales) -> np.ndarray:
    """Walks from noise under the network that is cut so: (steps + 1, n, h, w), the last frame the samples."""
    condition = [told[turn % len(told)] for turn in range(SAMPLES)] if told else None
    network = cut(_denoiser, dict(scales)) if scales else _denoiser
    walk = ex.sample(network, SAMPLES, "dpmpp_2m", STEPS, condition=condition)
    return as_shown(torch.cat([walk.x0, walk.samples[None]]).numpy())


@st.cache_resource(max_entries=16, show_spinner=False)
@in_turn
def seen(
    weights: str, _denoiser: "Denoiser", image: np.ndarray, seed: int, label: int | str | None, scales: Scales
) -> tuple[Moments, dict[str, np.ndarray]]:
    """What the network that is cut so makes of an image at all levels, and its maps, which are kept as they are "
    "sent."""
    moments = observe(_denoiser, image, LEVELS, seed, label, dict(scales))
    return replace(moments, maps={}), packed(moments.maps)


@st.cache_resource(max_entries=32, show_spinner=False)
@in_turn
def cut_guesses(
    weights: str, _denoiser: "Denoiser", image: np.ndarray, seed: int, label: int | str | None, names: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """The guesses at the levels of the sheet with each connection cut alone, and their errors."""
    cuts = [{name: 0.0} for name in names]
    return guesses(_denoiser, image, LEVELS[ON_SHEET], seed, label, cuts)


def choose_image(model: ImageModel, weights: str) -> tuple[np.ndarray, str, str]:
    """The clean image, (channels, h, w) in [-1, 1], and where it comes from, in a few words and in a sentence."""
    shape = model.denoiser.shape
    real = held_out_of(model)
    source = choice("Image", SOURCES, "real", key="unet_source", width=150)
    label = choose_class("Class", model.classes or (real.classes if real else ()), "unet_class", 3)
    number = st.slider("Image number", 1, REAL, 1, key="unet_number", width=120, bind="query-params")
    if source == "drawing":
        with st.popover("Open the pad", icon=":material/draw:"):
            drawing = draw_image(key=f"unet_pad_{shape[1]}", size=shape[1])
        if drawing is not None:
            return np.broadcast_to(drawing, shape).copy(), "drawn", "The clean image is your drawing."
    elif source == "real" and real:
        images = real.images if real.labels is None else real.images[real.labels == label]
        if len(images):
            unseen = "The clean image is a real one, which this app holds out of every training."
            return images[(number - 1) % len(images)].numpy(), "real, unseen", unseen
    made = drawn_from(
        weights, model.denoiser, told(model)[label] if model.classes and label is not None else None, number
    )
    why = {
        "real": "The real images that this model learned from are not here, so the clean image is one that it made "
        "itself.",
        "model": "The clean image is one that this model made from noise.",
        "drawing": "Until you draw on the pad, the clean image is one that this model made from noise.",
    }
    return made, "made by it", why[source]


def told(model: ImageModel) -> Sequence[int] | Sequence[str]:
    """What the network can be told, for each class: its number, or its name as a prompt."""
    return model.classes if model.told_in_words else range(len(model.classes))


def choose_class(title: str, names: Sequence[str], key: str, default: int, width: int = 90) -> int | None:
    """A number into `names`, from a select box; None where there are none."""
    if not names:
        return None
    return st.selectbox(
        title,
        range(len(names)),
        min(default, len(names) - 1),
        format_func=names.__getitem__,
        key=key,
        width=width,
        bind="query-params",
    )


def set_whole(names: list[str]) -> None:
    for name in names:
        st.session_state[slider_key(name)] = 1.0


def cut_or_join(name: str) -> None:
    """From the button in the diagram: nothing passes, or all does."""
    st.session_state[slider_key(name)] = 0.0 if st.session_state[slider_key(name)] else 1.0


def slider_key(name: str) -> str:
    return f"unet_{name.replace(' ', '_')}"


def signed(value: float) -> str:
    return f"{value:+.3f}".replace("-0.000", "+0.000").replace("-", "\N{MINUS SIGN}")


@fragment
def lab(model: ImageModel, weights: str) -> None:
    """The diagram on one noisy image, and what cutting its connections does."""
    parts = parts_of(weights, model.denoiser)
    with st.container(horizontal=True):
        image, source, where_from = choose_image(model, weights)
        chosen = choose_class("It is told", model.classes and ("nothing", *model.classes), "unet_told", 0, 120)
        seed = st.slider("Noise seed", 0, 99, 0, key="unet_seed", width=120, bind="query-params")
    drawing = st.container()
    st.header("Cut a connection", anchor=False)
    st.markdown(
        "Move a slider to weaken or cut a connection (or select it in the diagram and press its button there): the "
        "diagram above, and the guesses and samples below, follow at once."
    )
    cuttable = [f"skip {part.level}" for part in parts if part.kind == "encoder"]
    cuttable += [part.name for part in parts if part.kind.endswith("attention")]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        set_to = {
            name: st.slider(name.capitalize(), 0.0, 1.0, 1.0, 0.1, key=slider_key(name), width=170, bind="query-params")
            for name in cuttable
        }
        st.button("Whole again", on_click=set_whole, args=(cuttable,), icon=":material/healing:", key="unet_whole")
    scales = {name: value for name, value in set_to.items() if value < 1}

    label = told(model)[chosen - 1] if chosen else None
    asked = weights, model.denoiser, image, seed, label
    whole, maps = seen(*asked, ())
    moments, maps = seen(*asked, tuple(scales.items())) if scales else (whole, maps)
    with drawing:
        diagram(
            parts,
            moments,
            maps,
            key="unet_diagram",
            source=source,
            whole=whole if scales else None,
            scales=scales,
            cuttable=cuttable,
            on_cut=cut_or_join,
        )
        st.caption(where_from)
        if source != "real, unseen" and st.session_state["unet_source"] == "real":
            offer_missing("unet", model.dataset)
    others = {"As you set it": (moments.x0[ON_SHEET], moments.error[ON_SHEET])} if scales else {}
    alone = zip(cuttable, *cut_guesses(*asked, tuple(cuttable)), strict=True)
    others |= {f"{name.capitalize()} cut": (x0, error) for name, x0, error in alone}
    table, walks = st.columns([3, 2], gap="large")
    with table:
        if np.isfinite([whole.error[ON_SHEET], *(errors for _, errors in others.values())]).all():
            losses(whole, others)
        else:
            st.error(str(NotFinite()), icon=":material/error:")
    with walks:  # what takes longest comes last
        samples(model, weights, scales)


def losses(whole: Moments, others: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """The guesses of the whole network and of the cut ones, a row each, with their errors."""
    heads = [f"log-SNR {level:.0f}".replace(" -", " \N{MINUS SIGN}") for level in whole.log_snr[ON_SHEET]]
    error = whole.error[ON_SHEET]
    rows = [
        Row("The noisy image", as_shown(whole.x[ON_SHEET]), [""] * len(heads), "The noisy image at each level"),
        Row(
            "The whole network's guess",
            as_shown(whole.x0[ON_SHEET]),
            [f"{value:.3f}" for value in error],
            "Its guesses",
        ),
    ]
    for title, (x0, errors) in others.items():
        captions = [f"{value:.3f} ({signed(value - good)})" for value, good in zip(errors, error, strict=True)]
        rows.append(Row(title, as_shown(x0), captions, f"Guesses: {title}"))
    sheet(rows, heads, title="The guess of the whole network, and with a connection cut")
    st.caption(
        "Under each guess its error: the root mean square over the pixels against the clean image. In brackets, what "
        "the cut adds to it; on one image at one level that may by chance be negative. Over many images, the deeper a "
        "skip connection lies, the less its cut costs."
    )


def samples(model: ImageModel, weights: str, scales: dict[str, float]) -> None:
    """Walks from noise by the whole and by the cut network, from the same noise."""
    changes = scales or {"skip 1": 0.0}
    said = ", ".join(f"{name} {f'× {value:g}' if value else 'cut'}" for name, value in changes.items())
    uncut = walked(weights, model.denoiser, told(model), ())
    changed = walked(weights, model.denoiser, told(model), tuple(changes.items()))
    st.markdown("**Samples from the same noise**")
    film(
        [Strip("Whole", uncut, role="exact"), Strip(said.capitalize(), changed)],
        key="unet_film",
        fps=4,
        label=f"{SAMPLES} images from noise, by the whole and by the cut network",
    )
    if not scales:
        st.caption("Nothing is cut on the sliders, so this shows what the first skip connection is worth.")
    if told(model):
        st.caption("For these samples the network is told which class to draw, whatever it is told above.")


def has_attention(parts: "list[Part]") -> str:
    """Whether the network shown has it, in words."""
    return "this one does" if any(part.kind.endswith("attention") for part in parts) else "this one does not"


def weights_lie(parts: "list[Part]") -> str:
    """Where most of the weights are, in a sentence."""
    smallest = min(part.output_shape[-1] for part in parts if len(part.output_shape) == 3)
    deep = sum(part.parameters for part in parts if len(part.output_shape) == 3 and part.output_shape[-1] == smallest)
    share = deep / sum(part.parameters for part in parts)
    return f"Of its weights {share:.0%} lie where the maps are smallest, {smallest} x {smallest}: most maps are there."


@fragment
def embedding(model: ImageModel) -> None:
    """The noise level as the network sees it."""
    from explorer.charts.unet import heat_chart, likeness_chart

    now = st.select_slider(
        "Noise level (log-SNR)",
        EMBEDDED.tolist(),
        0.0,
        format_func=lambda level: f"{level:.1f}".replace("-", "\N{MINUS SIGN}"),
        key="unet_level",
        help="From data on the left to noise on the right: at 0 image and noise are equally strong.",
        width=320,
        bind="query-params",
    )
    features, vectors = time_embedding(model.denoiser, np.append(EMBEDDED, now))
    order = vectors[:-1].argmax(0).argsort(kind="stable")
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    shown = order[np.linspace(0, len(order) - 1, min(ROWS, len(order))).round().astype(int)]
    theme = "dark" if st.context.theme.type == "dark" else "light"
    charts = [
        (heat_chart(EMBEDDED, features[:-1].T, "Waves", now, theme), "The Fourier features against the log-SNR."),
        (heat_chart(EMBEDDED, vectors[:-1, shown].T, "Embedding", now, theme), "The embedding against the log-SNR."),
        (
            likeness_chart(EMBEDDED, unit[:-1] @ unit[-1], now, theme),
            "The likeness of embeddings to that of the level.",
        ),
    ]
    for column, (spec, alt) in zip(st.columns(3), charts, strict=True):
        with column:
            chart(spec, alt=alt)
    st.caption(
        f"Blue is negative, orange positive. Of the embedding's {vectors.shape[1]} numbers "
        f"{'all' if len(shown) == vectors.shape[1] else len(shown)} are drawn, sorted by where each is greatest. The "
        "dashed line is the level of the slider."
    )


with st.container(horizontal=True, vertical_alignment="bottom"), st.container(width=190):
    chosen = choose_model("unet_model")
if chosen.told_in_words:  # here the network itself, told in words
    chosen = replace(chosen, denoiser=ex.load_pretrained(chosen.key))
of_chosen = chosen.key if chosen.shipped else fingerprint(chosen.denoiser)
lab(chosen, of_chosen)
st.header("How the noise level gets in", anchor=False)
st.markdown(
    "One network serves all noise levels, so it must be told which one it sees. The level is turned into a list of "
    "numbers: first waves of several lengths, the sines and cosines of it, which two small layers then mix. Every "
    "residual block scales and shifts its features by that list."
)
embedding(chosen)
parts = parts_of(of_chosen, chosen.denoiser)
what_to_notice(
    "Down the left side the maps get smaller and there are more of them: small maps know what is in the image, but no "
    "longer exactly where. On the right the skip connections bring the where back. Drawn so, the network has the shape "
    f"of a U. {weights_lie(parts)}",
    "Cut **Skip 1**, and fine detail is what is lost first: at moderate noise the guess stays covered with noise. At "
    "high noise hardly anything is lost, for there the answer is a rough shape, which the deep parts make by "
    "themselves.",
    "Move the time: the **embedding** changes, and with it the same weights make other maps of the same image.",
)
mathematics(
    (
        "The network sees the noisy image at unit variance, $\\alpha^2 + \\sigma^2 = 1$, and the noise level, and "
        "predicts $v$ (one that predicts something else is solved for $\\hat x_0$ likewise); the **guess** and its "
        "error follow:",
        r"v_\theta(x_t, \lambda_t), \qquad \hat x_0 = \alpha_t x_t - \sigma_t v_\theta, \qquad "
        r"\text{error} = \sqrt{\operatorname{mean}\,(\hat x_0 - x_0)^2}",
    ),
    (
        "A **residual block** adds to its input; the **embedding** $e$ scales and shifts its normalised features. "
        "The norm takes mean and variance over whole maps, so through it a place depends a little on places that the "
        "convolutions alone (*Sees*) do not reach:",
        r"h \leftarrow h + \mathrm{conv}\Big(\mathrm{silu}\big((1 + \gamma(e)) \odot "
        r"\mathrm{norm}(\mathrm{conv}(\mathrm{silu}(\mathrm{norm}(h)))) + \beta(e)\big)\Big)",
    ),
    (
        "A **skip connection** puts the encoder's maps beside those from below. The slider is $a$, from 1 to 0:",
        r"h_{\text{decoder}} = \mathrm{block}\big(\,[\,h_{\text{below}},\; a \cdot h_{\text{encoder}}\,]\,\big)",
    ),
    (
        f"**Attention**, in the middle of networks that have it ({has_attention(parts)}): every place asks all others, "
        "and what it hears is added, times its slider $a$; $d$ is the number of channels of $K$:",
        r"h \leftarrow h + a \cdot W\,\mathrm{softmax}\Big(\tfrac{Q K^\top}{\sqrt{d}}\Big) V",
    ),
    (
        "The **noise level** $\\lambda$, the log-SNR, enters as waves of fixed random frequencies $f_i$, through two "
        "layers:",
        r"e = W_2\,\mathrm{silu}\big(W_1\,[\cos f_i \lambda,\; \sin f_i \lambda,\; \lambda / 4]\big) "
        r"\;(+\; \text{a vector for the class})",
    ),
)


def show_code() -> None:
    """The network in a notebook, and its source."""
    from explorer.networks.unet import Attention, ResidualBlock, UNet

    snippet = """
import torch
import explorer as ex
from explorer.data.images import load_dataset
from explorer.networks.structure import structure

denoiser = ex.load_pretrained("digits-8")
for part in structure(denoiser.network, denoiser.shape):
    print(part.name, part.output_shape, part.parameters, part.multiply_adds, part.field)

clean = load_dataset("digits-8").held_out.images[:1]
t = 0.5
noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
x = denoiser.schedule.alpha(t).float() * clean + denoiser.schedule.sigma(t).float() * noise

for scales in ({}, {"skip 1": 0.0}):
    maps = {}
    guess = denoiser.predict(x, t, scales=scales, record=maps).x0
    print(scales, (guess - clean).square().mean().sqrt(), maps["decoder 1"].shape)"""
    the_code(snippet.strip(), UNet, ResidualBlock, Attention)


show_code()
check_yourself(
    "unet",
    Question(
        "Skip 1 is cut. At which noise level does the guess suffer most?",
        {
            "Where there is little to moderate noise": "The numbers in brackets say it: fine detail comes over the "
            "first skip connection, and at high noise there is no detail to bring.",
            "Where there is almost nothing but noise": "There the guess is a rough shape, which the deep parts make by "
            "themselves: the numbers in brackets at the right of its row are close to 0.",
        },
        "Where there is little to moderate noise",
    ),
    Question(
        "Where do most of the parameters lie?",
        {
            "In the first encoder, which sees the image": "It has the most places to visit, but the fewest channels, "
            "and the same few weights serve every place.",
            "At the lowest resolution": "The parts there have the most channels, and weights grow with the product of "
            "the channels that enter and leave. Point at the parts and compare their shares.",
            "In the embedding": "It is two small layers. Point at it and at the middle, and compare their shares.",
        },
        "At the lowest resolution",
    ),
    Question(
        "How does one network know how much noise there is?",
        {
            "It has a set of weights for each level": "The weights are the same at all levels; move the clock, and "
            "only the embedding and the image change.",
            "The embedding scales and shifts its features": "The dotted lines lead from the embedding into every "
            "residual block; the weights are the same at all levels.",
            "It must guess": "It could, from the image, but it is told: the noise level goes into the embedding.",
        },
        "The embedding scales and shifts its features",
    ),
)
references("unet", "ddpm", "v_prediction", "fourier_features", "film", "attention")
end_page()
