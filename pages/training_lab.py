import numpy as np
import streamlit as st

from explorer.lessons.trainings.plan import OWN
from explorer.lessons.trainings.record import Training
from explorer.ui import trainings, work
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
from explorer.ui.training_lab import film, forecast, keeping, results, runs, settings, snippet

PAGE = "pages/training_lab.py"

trainings.look()
begin_page(
    "Training lab",
    "Train a U-Net on images and watch it learn: the loss falls, and one and the same noise turns into digits.",
    "schedule",
    "prediction",
    "epoch",
    "held_out",
    "loss",
    "learning_rate",
    "batch",
    "ema",
    "log_snr",
    "guidance",
)

from explorer import training
from explorer.lessons.training_lab import Judge, real_images
from explorer.lessons.trainings.record import to_bytes_grid
from explorer.ui.datasets import find_dataset
from explorer.ui.markdown import plain

under_way = trainings.absorb()
running, standing = [job.params["run"] for job in under_way], work.standing(under_way)
top = st.container()
stage = st.container()
left, right = st.columns([2.2, 1], gap="large")
with right:
    st.header("Settings of the next run", anchor=False)
    plan, dataset = settings.choose_plan()
    problem = "There is nothing to train on yet. Get the images under Data, in the settings, or choose others."
    if dataset is not None:
        expected = forecast.forecast(plan, dataset)
        st.caption(forecast.describe(plan, expected))
        problem = forecast.too_large(expected)
with top:
    settings.choose_preset(plan)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        actions = st.container(horizontal=True, width="content", vertical_alignment="bottom")
        shown = runs.choose(plan)
    with actions:
        runs.start_button(plan, dataset, PAGE, disabled=bool(problem))
        if runs.is_own(shown[0]):
            runs.buttons(shown[0], trainings.job_of(shown[0].run))
    runs.say_what_is_gone(shown[0])
    if problem:
        st.warning(problem, icon=":material/block:")
    runs.say_why_refused()


def real_of(run: Training) -> np.ndarray | None:
    """Real images beside the film; a record that came without them waits for its data."""
    if run.real is not None:
        return run.real
    dataset = find_dataset(run.plan.dataset)
    if dataset is None or dataset.shape != run.shape:
        return None
    if run.plan.dataset == OWN and not runs.has_own_images(run.plan):
        return None
    return to_bytes_grid(real_images(dataset.split()[0], len(dataset.classes)).numpy())


@fragment(run_every=work.pace(standing))
def the_film() -> None:
    """How the trainings go, and their film; once a second while a worker trains."""
    if standing != work.standing(trainings.absorb()):
        st.rerun()
    for number, run in enumerate(runs.now(shown)):
        job = trainings.job_of(run.run)
        results.report(run, job, f"{'AB'[number]}: {plain(run.name)}. " if len(shown) > 1 else "")
        goes_on = job is not None or (run.state is not None and not run.ended)
        film.film_strip(run, real_of(run), goes_on)


@fragment(run_every=work.pace(standing, 2.0))
def the_charts() -> None:
    """The losses; every other second while a worker trains."""
    results.charts(runs.now(shown))


with stage:
    the_film()
with left:
    the_charts()
    for run in shown:
        if run.results:
            if len(shown) > 1:
                st.caption(plain(run.name))
            results.numbers(run)
    film.replay([run for run in shown if run.run not in running])
    with st.expander("Keep and take away", icon=":material/download:"):
        keeping.take_away(shown[0], own=runs.is_own(shown[0]))
    with st.expander("Load weights or a history", icon=":material/upload_file:"):
        keeping.bring()

what_to_notice(
    "Every grid starts from the same noise and, where the images have classes, asks for the same ones, with one "
    "sampler (10 steps of DPM-Solver++, guidance 1.5): only the network differs. Large shapes come first, thin strokes "
    "last.",
    "The loss never reaches 0: noise hides the image, and no network can know what is hidden. **Loss by noise level** "
    "tells where it stays high. It is not the error of the image, for at the left the image is nearly known. There "
    "faint noise must be told from the image's own roughness; on 8 x 8 pixels that is by far the hardest. MNIST's "
    "rises at the right too, where the whole image must be guessed.",
    "The **held-out** loss is that on images which no training sees. While it falls with the training loss, the "
    "network learns what images have in common; where the two part, it learns its own images by heart. With **only 20 "
    "images** they part: the held-out one turns and rises, and the samples become copies. The "
    "distance to the nearest training image falls towards 0. Whether a network learns by heart depends on how many "
    "images it has and how often it sees each: 20 images, seen 5,000 times each, are stored sharply; 1,438 in 100 "
    "passes are not, so it must draw new ones between them.",
    "Compare **No EMA** with **The same with EMA** (their grids, and *Of the class asked for*): while the steps are "
    "large, the average (EMA: exponential moving average) keeps what the steps agree on. Where the learning rate has "
    "fallen to 0 the weights stand nearly still, and their average is where they are.",
)
mathematics(
    (
        "Each step draws **Batch size** images $x_0$, times $t$ and noise $\\varepsilon$, mixes them by the "
        "**Schedule**, and asks the network $F$ with the weights $\\theta$, which is told the log-SNR $\\lambda_t$ and "
        "the class $c$, for a mixture of image and noise. **What the network predicts** chooses $A$ and $B$; $\\mathbb "
        "E$ is the mean over all draws:",
        r"x_t = \alpha_t x_0 + \sigma_t\,\varepsilon, \qquad "
        r"\mathcal L = \mathbb E\; \omega_t \,\bigl\lVert F_\theta(x_t, \lambda_t, c) - (A_t\,x_0 + B_t\,\varepsilon)"
        r"\bigr\rVert^2",
    ),
    (
        "The weight $\\omega_t$ makes the five predictions train alike: every choice counts errors as if $v$ were "
        "predicted, and the weight is never more than 50.",
        r"\omega_t = \min\Bigl(\frac{\alpha_t^2 + \sigma_t^2}{(\alpha_t B_t - \sigma_t A_t)^2},\; 50\Bigr)",
    ),
    (
        "Adam moves the weights $\\theta$ against the running mean of their gradient $g$, over the root of that of its "
        "square, by the **Learning rate**. It rises for 20 steps; if the switch is on, it then **falls to 0** like a "
        "cosine to the end of the run:",
        r"\theta \leftarrow \theta - \text{rate} \cdot \frac{\langle g \rangle}{\sqrt{\langle g^2 \rangle} + 10^{-8}}",
    ),
    (
        "The samples come from an average of the weights, with **EMA decay** $\\mu$, but $k / (k + 9)$ at step $k$ "
        "where that is less, so that the first steps are soon forgotten:",
        r"\bar\theta \leftarrow \mu\,\bar\theta + (1 - \mu)\,\theta",
    ),
)


shape = dataset.shape if dataset is not None else (1, 28, 28)  # of all that must be downloaded or brought
the_code(snippet.snippet(plan, shape), training.train, Judge.look)
check_yourself(
    "lab",
    Question(
        "The training loss falls, and the held-out loss has begun to rise. What has happened?",
        {
            "The learning rate is too high": "Then the training loss would leap or stay high as well: see the preset "
            "with too high a rate. Here it falls, so the steps do what they should, on the images that they see.",
            "The network learns its images by heart": "What it learns about its own images no longer helps with "
            "others. Choose the preset with 20 images, and see the distance to the nearest training image at its end.",
            "Nothing: losses are noisy": "Single steps are noisy, and drawn faintly for that. The held-out loss is "
            "always measured on the same images and the same noise, so that a rise that goes on is real.",
        },
        "The network learns its images by heart",
    ),
    Question(
        "Compare the record without EMA with the same with EMA. When does averaging the weights help?",
        {
            "While the steps are large": "Each step pulls the weights towards its own batch; the average keeps what "
            "the steps agree on. A learning rate that falls to 0 does the same at the end of a run: train both again "
            "with it, and they meet.",
            "At the end of any run": "Only where the steps are still large, as in these two. Where the learning rate "
            "has fallen to 0 the weights stand nearly still, and their average is where they are.",
            "Only against memorising": "It averages out the noise of the batches, not what all batches agree on, and "
            "they all hold the same images: a network that learns them by heart does so with an average, too.",
        },
        "While the steps are large",
    ),
)
references("ddpm", "v_prediction", "guidance", "dpm_solver", "unet", "adam", "memorisation")
end_page()
