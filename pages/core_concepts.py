from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from explorer.data.uploads import ENDINGS, centred_square, read_image, white_on_black
from explorer.ui.chart import chart
from explorer.ui.film import Strip, film, noising
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
from explorer.ui.pad import draw_image
from explorer.ui.sheet import Row, sheet
from explorer.ui.spent import fragment

if TYPE_CHECKING:
    from explorer.lessons.core_concepts import DigitWalk, Roads

SHIPPED_OF_EACH = 20  # real images of a digit
SIZE = 28
COLUMNS = 11
DRAWS = 4000
IMAGES = 9
RECALLED = 0.01  # a distance that an 8-bit screen does not show
BLACK_TO_WHITE = 2.0

begin_page(
    "Core concepts: the diffusion dance",
    "You will see an image dissolve into noise, and the best possible denoiser walk back from noise to an image.",
    "time",
    "schedule",
    "alpha_bar",
    "sigma",
    "log_snr",
    "noise",
    "denoiser",
    "sampler",
    "prediction",
)

import explorer as ex
from explorer.ui.controls import LINES, SAMPLER_LABELS, SCHEDULE_LABELS, choice
from explorer.ui.turns import in_turn


def real_image(digit: int, number: int) -> np.ndarray:
    """An image of MNIST that no training sees, (28, 28) in [-1, 1]; `number` counts from 1 to 20."""
    from explorer.data.mnist import shipped_mnist

    return shipped_mnist("held-out").images[SHIPPED_OF_EACH * digit + number - 1, 0].numpy()


@st.cache_data(show_spinner=False)
def curves(points: int = 121) -> dict[str, dict[str, np.ndarray]]:
    """For each schedule t, alpha, sigma and log_snr, (points,), from its t_min to its t_max."""
    tables = {}
    for name in SCHEDULE_LABELS:
        schedule = ex.make_schedule(name)
        t = schedule.times(points)[:-1].flip(0)
        rows = {
            "t": t,
            "alpha": schedule.alpha(t),
            "sigma": schedule.sigma(t),
            "log_snr": schedule.log_snr(t),
        }
        tables[name] = {row: values.numpy() for row, values in rows.items()}
    return tables


@st.cache_data(show_spinner=False)
def at_the_same_times() -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For each schedule alpha, sigma and log-SNR, (columns,), at the times of the sheet; infinite at an end."""
    import torch

    t = torch.linspace(0, 1, COLUMNS, dtype=torch.float64)
    schedules = {name: ex.make_schedule(name) for name in SCHEDULE_LABELS}
    return {name: (s.alpha(t).numpy(), s.sigma(t).numpy(), s.log_snr(t).numpy()) for name, s in schedules.items()}


def take_upload() -> None:
    """Keeps the image of the file that was just chosen, or the sentence that says why there is none."""
    file = st.session_state["core_upload"]
    st.session_state.pop("core_upload_error", None)
    if file is None:
        st.session_state.pop("core_uploaded", None)
        return
    try:
        grey = read_image(file.getvalue())
        st.session_state["core_uploaded"] = white_on_black(centred_square(grey, SIZE))
    except ValueError as error:
        st.session_state["core_upload_error"] = str(error)


def uploaded_image() -> np.ndarray | None:
    """The upload, (28, 28) in [-1, 1], or None; it stays in the session when the page is left."""
    st.file_uploader("Your image", ENDINGS, key="core_upload", max_upload_size=10, on_change=take_upload)
    if problem := st.session_state.get("core_upload_error"):
        st.error(problem, icon=":material/image_not_supported:")
    if "core_uploaded" not in st.session_state:
        st.caption("Choose an image; until then, the real digit is shown.")
        return None
    image, inverted = st.session_state["core_uploaded"]
    turned = " Its ground is light, so it is shown inverted." if inverted else ""
    st.caption(f"The centred square, scaled to {SIZE} x {SIZE} pixels.{turned}")
    return image


def drawn_image() -> np.ndarray | None:
    """The drawing, (28, 28) in [-1, 1], or None."""
    image = draw_image(key="core_pad", size=SIZE)
    if image is None:
        st.caption("Draw a digit; until then, the real one is shown.")
    return image


@st.cache_data(max_entries=64, show_spinner=False)
@in_turn
def roads_to(t: float, name: str, steps: int) -> "Roads":
    """A black and a white pixel on both roads to time t."""
    from explorer.lessons.core_concepts import two_roads

    return two_roads([-1.0, 1.0], ex.make_schedule(name), t, steps, DRAWS)


@st.cache_data(max_entries=16, show_spinner=False)
@in_turn
def recall(name: str, sampler: str, steps: int, seed: int) -> "DigitWalk":
    """Walks from noise under the exact denoiser of the scans."""
    from explorer.data.digits import digits
    from explorer.lessons.core_concepts import digit_walk

    scans, _ = digits()
    return digit_walk(ex.ideal_denoiser(scans, ex.make_schedule(name)), IMAGES, sampler, steps, seed)


@st.cache_data(max_entries=16, show_spinner=False)
@in_turn
def generate(name: str, sampler: str, steps: int, seed: int) -> "DigitWalk":
    """Walks from the same noise under the shipped network.

    It was trained on one schedule and walks on any: it predicts v from the log-SNR and from an image of unit
    variance, which are the same on all.
    """
    from explorer.lessons.core_concepts import digit_walk

    shipped = ex.load_pretrained("digits-8")
    denoiser = ex.Denoiser(shipped.network, ex.make_schedule(name), shipped.prediction, shipped.shape)
    return digit_walk(denoiser, IMAGES, sampler, steps, seed)


@fragment
def forward() -> None:
    """From an image to noise, on one schedule with a clock, then on all of them."""
    with st.container(horizontal=True):
        sources = ["MNIST", "Draw", "Upload"]
        help = "MNIST: real handwritten digits of 28 x 28 pixels, which no model of this course was trained on."
        source = st.radio(
            "Image", sources, horizontal=True, key="core_source", help=help, width="content", bind="query-params"
        )
        own = source != "MNIST"
        digit = st.selectbox("Digit", range(10), 3, key="core_digit", width=90, bind="query-params", disabled=own)
        number = st.slider(
            "Image number", 1, SHIPPED_OF_EACH, key="core_number", width=130, bind="query-params", disabled=own
        )
        name = choice("Schedule", SCHEDULE_LABELS, "cosine", key="core_schedule", width=130)
        seed = st.slider("Noise seed", 0, 99, key="core_seed", width=130, bind="query-params")

    image = real_image(digit, number)
    stage = st.container()
    if own:
        hand, stage = st.columns([2, 3])
        with hand:
            given = drawn_image() if source == "Draw" else uploaded_image()
        image = image if given is None else given
    with stage:
        noising(image, curves(), schedule=name, seed=seed, key="core_noising")
    all_schedules(image, seed)


def all_schedules(image: np.ndarray, seed: int) -> None:
    """The same image and noise at the same times, a row for each schedule."""
    st.header("One image, four schedules", anchor=False)
    st.markdown(
        "The same image and the same noise at the same times t, from the image alone, 0, to noise, 1. The number under "
        "each is its **log-SNR**. On every axis and slider that shows t or the log-SNR, left is data and right is "
        "noise, so the log-SNR falls to the right; only a film of the way back begins with noise."
    )
    st.markdown("\n".join(f"- **{label}**: {LINES[name]}" for name, label in SCHEDULE_LABELS.items()))
    noise = np.random.default_rng(seed).standard_normal(image.shape)
    rows = []
    for name, (alpha, sigma, log_snr) in at_the_same_times().items():
        mixed = alpha[:, None, None] * image + sigma[:, None, None] * noise
        captions = [signed(value) for value in log_snr]
        alt = f"The image on the {SCHEDULE_LABELS[name]} schedule at log-SNR {', '.join(captions)}"
        rows.append(Row(SCHEDULE_LABELS[name], mixed / np.hypot(alpha, sigma)[:, None, None], captions, alt))
    sheet(rows, [f"{t:.1f}" for t in np.linspace(0, 1, COLUMNS)], title="One image, four schedules")
    st.caption(
        "The clock above leaves the two ends out, since an image alone, or noise alone, needs no model: it runs from a "
        "log-SNR of 9 to \N{MINUS SIGN}9, for EDM from σ = 0.002 to 80. EDM's time is that of its "
        "paper, σ = 80 t⁷: in the first third of it σ stays below 0.04, and black is 2 away from white."
    )


def signed(log_snr: float) -> str:
    return f"{round(log_snr, 1) + 0.0:+.1f}".replace("inf", "∞").replace("-", "\N{MINUS SIGN}")


@fragment
def one_jump_or_many_steps() -> None:
    """The same pixels at the same time, as they come by both roads."""
    from explorer.charts.core_concepts import roads_chart

    with st.container(horizontal=True):
        t = st.slider("Time t", 0.05, 0.95, 0.25, 0.05, key="core_time", width=260, bind="query-params")
        counts = [1, 2, 5, 10, 50, 200]
        steps = st.select_slider("Small steps", counts, 50, key="core_small_steps", width=260, bind="query-params")
        name = choice("Schedule", SCHEDULE_LABELS, "cosine", key="core_roads_schedule", width=130)
    roads = roads_to(t, name, steps)
    histogram, table = st.columns([4, 3], vertical_alignment="center")
    with histogram:
        alt = f"Histograms of two pixels at t = {t:.2f}: one jump, {steps} small steps, and theory."
        chart(roads_chart(roads), alt=alt)
    with table:
        rows = {
            "One jump": (roads.jump.mean(0), roads.jump.std(0)),
            "Small steps": (roads.steps.mean(0), roads.steps.std(0)),
            "Theory": (roads.mean, roads.std),
        }
        lines = ["| way | black pixel | white pixel |", "|:--|--:|--:|"]
        for road, numbers in rows.items():
            cells = [road, *(f"{mean:.3f} ± {std:.3f}" for mean, std in zip(*numbers, strict=True))]
            row = "|".join(cells).replace(" ", "\N{NO-BREAK SPACE}").replace("-", "\N{MINUS SIGN}")
            lines.append(f"|{row}|")
        st.markdown("\n".join(lines))
        st.caption(
            "Mean ± standard deviation. The two ways differ by no more than chance does: the shares of pixels below "
            f"any value are at most {roads.gap:.3f} apart, and two sets of {DRAWS:,} draws of one and the same kind "
            f"stay below {roads.bound:.3f} in 95 of 100 cases."
        )


@fragment
def reverse() -> None:
    """Walks from noise, the guesses that lead them, and the scans that the guesses turn into."""
    with st.container(horizontal=True):
        sampler = choice("Sampler", SAMPLER_LABELS, "ddpm", key="core_sampler", width=220)
        counts = [1, 2, 5, 10, 20, 50]
        steps = st.select_slider("Steps", counts, 10, key="core_steps", width=160, bind="query-params")
        name = choice("Schedule", SCHEDULE_LABELS, "cosine", key="core_reverse_schedule", width=130)
        seed = st.slider("Start seed", 0, 99, key="core_start", width=160, bind="query-params")

    walks = {"exact": recall(name, sampler, steps, seed), "model": generate(name, sampler, steps, seed)}
    strips = []
    for role, walk in walks.items():
        who = "Exact" if role == "exact" else "Learned"
        at = [f"t = {t:.3f}" for t in walk.t]
        walked = [f"step {step} of {steps}, {time}" for step, time in enumerate(at)]
        guessed = [f"from x at {time}" for time in at[:-1]]
        found = [f"{distance.mean():.3f} away" for distance in walk.distance[:-1]]
        strips += [
            Strip(f"{who}: the walk, x at time t", walk.x, walked, role="noise"),
            Strip(f"{who}: guess of the clean image", walk.guess, guessed, role=role),
            Strip("Nearest real scan", walk.nearest, found, role="data"),
        ]
    film(
        strips,
        key="core_film",
        fps=max(1.0, steps / 5),
        label="nine walks from noise to digits, by the exact denoiser and by a network",
        columns=3,
    )
    for role, walk in walks.items():
        st.markdown(f"**{'Exact' if role == 'exact' else 'Learned'}:** {outcome(walk)}")
    st.caption(what_is_near())


def outcome(walk: "DigitWalk") -> str:
    """How many of the images are scans, and how far away the others are."""
    final = walk.distance[-1]
    others = final[~(final < RECALLED)]
    if not len(others):
        return (
            f"at the end of the walk all {IMAGES} images are scans that it was given, of "
            f"{', '.join(map(str, walk.label))}: none is more than {final.max():.3f} away from one."
        )
    low, high = f"{others.min():.3f}", f"{others.max():.3f}"
    far = low if low == high else f"{low} to {high}"
    left = " That is more than from black to white: in so few steps the walk leaves the range of an image."
    overshot = left if others.max() > BLACK_TO_WHITE else ""
    if len(others) == IMAGES:
        return f"none of the {IMAGES} images is a scan. They are {far} away from the nearest one.{overshot}"
    same = IMAGES - len(others)
    counted = "1 image is a scan" if same == 1 else f"{same} images are scans"
    rest = "the other is" if len(others) == 1 else f"the other {len(others)} are"
    return f"of {IMAGES} images, {counted}; {rest} {far} away from the nearest one.{overshot}"


@st.cache_data(show_spinner=False)
def what_is_near() -> str:
    """How far real scans are from one another, in words."""
    from explorer.data.digits import distances_between_scans

    low, middle, high = np.quantile(distances_between_scans().numpy(), [0.05, 0.5, 0.95])
    return (
        f"What is near? A real scan is {middle:.2f} away from the nearest other one (the median; {low:.2f} to "
        f"{high:.2f} "
        "for nine in ten). Distances are the root mean square over the pixels, where black is \N{MINUS SIGN}1 and "
        "white is 1."
    )


st.markdown(
    "**Forward, from data to noise:** as time t runs from 0 to 1, the image fades and noise grows, random numbers that "
    "follow the bell curve N(0, 1), one for each pixel. Two numbers say how much, α for the image and σ for the noise: "
    "**xₜ = α × image + σ × noise**. Nothing is learned here, the rule is fixed; what a network learns is the way back."
)
forward()
st.header("One jump or many small steps", anchor=False)
st.markdown(
    "Noise can be added a little at a time, or all at once. Here a black pixel and a white one go both ways "
    f"to the same time, {DRAWS:,} times each."
)
one_jump_or_many_steps()

st.header("Reverse: from noise to data", anchor=False)
st.markdown(
    "Going back needs one thing: for a noisy image, the best guess of the clean one. Each step takes the guess, puts a "
    "little less noise on it than there was, and asks again. Best means the least squared error, on average, and that "
    "is the mean of all images that could be meant, each weighted by how well it explains what is seen. For a finite "
    "set it can be computed. **Such a denoiser is exact, so it can only recall**: it knows these 1,797 scans of "
    "handwritten digits and nothing else. A network that learned from four fifths of them, by making the squared error "
    "small, walks beside it from the same noise. It was stopped before it could learn them by heart, and so "
    "**generalises**: its images are a little farther from every scan than a real scan is from the next, and are none. "
    "Both work on 8 x 8 pixels, so that the mean of all scans is computed at once."
)
reverse()
what_to_notice(
    "The histogram turns from the shades of the image into N(0, 1), whatever the image was. That is why "
    "sampling can start from plain noise.",
    "Shown at one contrast, all schedules pass through the same images. They differ in when: on the linear one the "
    "digit is gone long before it is on the cosine one.",
    "Going back, the first guess is the same grey average for every start. It sharpens long before x does "
    "and ends on a scan. With one step it stays the average.",
)
mathematics(
    (
        "**Schedule** and **time t** say how much image and how much noise there is. One jump reaches any time:",
        r"q(x_t \mid x_0) = \mathcal N\big(\alpha_t\, x_0,\; \sigma_t^2 I\big), \qquad "
        r"x_t = \alpha_t\, x_0 + \sigma_t\, \varepsilon, \quad \varepsilon \sim \mathcal N(0, I)",
    ),
    (
        "**Small steps** go from each time $s$ to the next, $t$, with the kernel",
        r"q(x_t \mid x_s) = \mathcal N\Big(\tfrac{\alpha_t}{\alpha_s}\, x_s,\; \sigma_{t|s}^2\, I\Big), \qquad "
        r"\sigma_{t|s}^2 = \sigma_t^2 - \tfrac{\alpha_t^2}{\alpha_s^2}\, \sigma_s^2",
    ),
    (
        "The curves are the signal that is left, the noise, and the number under each image of the four schedules:",
        r"\bar\alpha_t = \frac{\alpha_t^2}{\alpha_t^2 + \sigma_t^2}, \qquad "
        r"\lambda_t = \text{log-SNR} = 2 \log \frac{\alpha_t}{\sigma_t}",
    ),
    (
        "The exact denoiser's guess is the mean of the 1,797 scans $x^{(i)}$, each weighted by the probability that "
        "$x_t$ was made from it:",
        r"\mathbb E[x_0 \mid x_t] = \sum_i p(x^{(i)} \mid x_t)\, x^{(i)}, \qquad p(x^{(i)} \mid x_t) \propto "
        r"\exp\Big(-\frac{\lVert x_t - \alpha_t\, x^{(i)} \rVert^2}{2 \sigma_t^2}\Big)",
    ),
    (
        "**Sampler** DDPM draws each step from $t$ back to $s$ from the posterior, with the guess as $x_0$. "
        "The others differ in how much noise they put back and in how they use the guesses:",
        r"q(x_s \mid x_t, x_0) = \mathcal N\Big(\tfrac{\alpha_t}{\alpha_s} \tfrac{\sigma_s^2}{\sigma_t^2}\, x_t + "
        r"\alpha_s \tfrac{\sigma_{t|s}^2}{\sigma_t^2}\, x_0,\; "
        r"\sigma_{t|s}^2 \tfrac{\sigma_s^2}{\sigma_t^2}\, I\Big)",
    ),
)


def show_code() -> None:
    """The reverse process in a notebook, and the source of what this page calls."""
    from explorer.denoiser import PosteriorMean
    from explorer.lessons.core_concepts import diffuse, diffuse_in_steps, step_kernel
    from explorer.samplers import ddim

    snippet = """
import explorer as ex
from explorer.data.digits import digits, nearest_scans

scans, labels = digits()
denoiser = ex.ideal_denoiser(scans, ex.make_schedule("cosine"))

walk = ex.sample(denoiser, n=9, sampler="ddpm", steps=50, seed=0)
print(walk.x.shape, walk.x0.shape)  # every step, and the guess that led there

index, distance = nearest_scans(walk.samples)
print(labels[index], distance)  # which scans they are, and how far away"""
    the_code(snippet.strip(), diffuse, step_kernel, diffuse_in_steps, PosteriorMean, ddim)


show_code()
check_yourself(
    "core",
    Question(
        "You need a training example at t = 0.5. What is the cheapest exact way to make it?",
        {
            "Run a chain of small steps up to 0.5": "The chain ends in the same distribution, as the histograms show, "
            "but it draws noise at every step where one draw is enough.",
            "Jump there at once": "Both roads give the same distribution, as the histograms show, and the jump is one "
            "line of code.",
            "Run the chain backwards from t = 1": "Going backwards needs a denoiser, which is what the example is to "
            "train, and it ends in an image of its own and not in yours.",
        },
        "Jump there at once",
    ),
    Question(
        "Set Steps to 1 for the reverse process. What comes out?",
        {
            "Sharp digits": "Sharpness comes from asking again where there is less noise. The one guess here is made "
            "from noise alone, which does not say which digit it is to be.",
            "Nearly the same blurred image for every start": "At t near 1 every scan explains the noise about equally "
            "well, so the best guess is the mean of all scans.",
            "Noise": "What comes out is the guess of the clean image, and there is no noise in it: it is an average of "
            "scans.",
        },
        "Nearly the same blurred image for every start",
    ),
    Question(
        "The exact denoiser reaches the lowest training loss there is. Why is it no use as a generator?",
        {
            "It is too inaccurate": "No denoiser has a smaller error on these scans, and that is the trouble: with the "
            "least error it gives back the scans themselves.",
            "It can only return its training images": "The distance to the nearest scan ends at zero. A network is "
            "useful because it does not reach that minimum.",
            "It needs too many steps": "It needs fewer than the network: set Steps to 2, and it already ends on scans.",
        },
        "It can only return its training images",
    ),
)
references("sohl_dickstein", "ddpm", "improved_ddpm", "vdm", "flow_matching", "edm")
end_page()
