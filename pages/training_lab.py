from collections.abc import Callable

import numpy as np
import streamlit as st

from explorer.jobs import Job, JobRefused
from explorer.lessons.trainings.plan import OWN, PRESETS, Plan, preset_of
from explorer.lessons.trainings.record import Training, from_json, to_json
from explorer.ui import shelf, trainings
from explorer.ui.frame import (
    Question,
    begin_page,
    check_yourself,
    end_page,
    mathematics,
    the_code,
    what_to_notice,
)
from explorer.ui.training_lab import results, settings

MOST_NAME = 60  # characters
ON_SHELF = "on the shelf: the other image pages offer it now."

begin_page(
    "Training lab",
    "Train a U-Net on images and watch it learn: the loss falls, and one and the same noise turns into digits.",
)

from explorer import training
from explorer.dataset import ImageDataset
from explorer.lessons.training_lab import Judge, real_images
from explorer.lessons.trainings.record import to_bytes_grid
from explorer.ui.controls import sentence
from explorer.ui.datasets import find_dataset
from explorer.ui.markdown import plain
from explorer.zoo import from_bytes, to_bytes


def submit(job: Callable[[], str]) -> bool:
    """Hand in a job, whose training is then shown; where it is refused, the page says why."""
    st.session_state.pop("lab_refused", None)
    try:
        st.session_state["lab_shown"] = job()
    except JobRefused as error:
        st.session_state["lab_refused"] = str(error)
        return False
    return True


PAGE = "pages/training_lab.py"


def start(plan: Plan, dataset: ImageDataset) -> None:
    """A new training."""
    number = st.session_state.get("lab_runs", 0) + 1
    preset = preset_of(plan)
    name = f"Run {number}: {PRESETS[preset].label if preset else 'own settings'}"
    if submit(lambda: trainings.start(plan, name, dataset, PAGE)):
        st.session_state["lab_runs"] = number


def resume(run: Training, plan: Plan) -> None:
    """Go on with a training, to the end of `plan`."""
    dataset = find_dataset(OWN) if plan.dataset == OWN else None
    submit(lambda: trainings.resume(run, plan, dataset, PAGE))


def run_buttons(run: Training, job: Job | None) -> None:
    """What can be done with a training of this session."""
    if job is not None and job in trainings.under_way():
        waiting = job.state not in ("queued", "running")
        help_pause = "Stops for now. If later runs need its memory, its model moves to the shelf."
        st.button(
            "Pause", on_click=job.stop, disabled=waiting, icon=":material/pause:", key="lab_pause", help=help_pause
        )
        help_stop = "Ends the run here; what it has learned goes on the shelf."
        st.button(
            "Stop",
            on_click=trainings.end,
            args=(run,),
            disabled=waiting,
            icon=":material/stop:",
            key="lab_stop",
            help=help_stop,
        )
        return
    if run.state and not run.diverged:
        done = run.done >= 1
        missing = run.plan.dataset == OWN and not settings.has_own_images(run.plan)
        st.button(
            "Train as long again" if done else "Resume",
            on_click=resume,
            args=(run, run.plan.longer() if done else run.plan),
            disabled=missing,
            icon=":material/resume:",
            key="lab_resume",
            help="Choose the same images again first." if missing else "Goes on from its last checkpoint.",
        )
        if not done:
            st.button("Stop", on_click=trainings.end, args=(run,), icon=":material/stop:", key="lab_stop")


def real_of(run: Training) -> np.ndarray | None:
    """Real images beside the film; a record that came without them waits for its data."""
    if run.real is not None:
        return run.real
    dataset = find_dataset(run.plan.dataset)
    if dataset is None or dataset.shape != run.shape:
        return None
    if run.plan.dataset == OWN and not settings.has_own_images(run.plan):
        return None
    return to_bytes_grid(real_images(dataset.split()[0], len(dataset.classes)).numpy())


def kept_step(run: Training, wanted: int) -> int:
    """A step whose weights are here: the one that was chosen, unless the run has gone on and dropped it."""
    return wanted if wanted in run.kept_steps else run.kept_steps[-1]


def typed_name(run: Training) -> str:
    return str(st.session_state[f"lab_name_{run.run}"]).strip() or run.name


def choose_moment(run: Training) -> int:
    """One of the steps whose weights are here; the last, also when others come, until another is chosen."""
    steps, key = run.kept_steps, f"lab_moment_{run.run}"
    before = st.session_state.get(f"{key}_last")
    if st.session_state.get(key, before) == before or st.session_state[key] not in steps:
        st.session_state[key] = steps[-1]
    st.session_state[f"{key}_last"] = steps[-1]
    if len(steps) == 1:
        return steps[0]
    return st.select_slider(
        "Moment", steps, key=key, format_func=lambda step: f"epoch {run.epoch_of(step):,.1f}, step {step:,}"
    )


def keep(run: Training, chosen: int) -> None:
    """The moment that was chosen goes on the shelf under the name that was typed."""
    step = kept_step(run, chosen)
    name = typed_name(run)
    trainings.put_on_shelf(run, step, name, key=f"{run.run}-{step}")
    if run.done >= 1 and step == run.kept_steps[-1]:
        run.name = name
    kept = f"“{plain(name)}”, of epoch {run.epoch_of(step):,.0f}, is {ON_SHELF}"
    st.session_state["lab_kept"] = kept


def take_away(run: Training, recorded: bool) -> None:
    """Keep a moment on the shelf, and files of the weights and the history."""
    file = "".join(letter if letter.isalnum() else "-" for letter in run.name.lower()).strip("-")
    steps = run.kept_steps
    if steps and not recorded:
        step = choose_moment(run)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input("Name", run.name, max_chars=MOST_NAME, key=f"lab_name_{run.run}", width=300)
            st.button(
                "Keep on the shelf", on_click=keep, args=(run, step), icon=":material/bookmark_add:", key="lab_keep"
            )
        if kept := st.session_state.pop("lab_kept", None):
            st.success(kept, icon=":material/check:")
        name = typed_name(run)
    with st.container(horizontal=True):
        if steps and not recorded:
            st.download_button(
                "Weights as safetensors",
                lambda: to_bytes(  # in a thread that knows no session
                    run.denoiser_at(kept_step(run, step)),
                    name=name,
                    dataset=run.plan.dataset,
                    digest=run.plan.digest,
                    classes=run.classes,
                ),
                f"{file}.safetensors",
                "application/octet-stream",
                on_click="ignore",
                icon=":material/save:",
                key="lab_save",
            )
        st.download_button(
            "History as JSON",
            lambda: to_json(run),
            f"{file}.json",
            "application/json",
            on_click="ignore",
            icon=":material/history:",
            key="lab_history",
        )
        if not recorded:
            st.button(
                "Forget this run",
                on_click=trainings.forget,
                args=(run,),
                icon=":material/delete:",
                key="lab_forget",
                help="Takes it off this page; what it has on the shelf stays there.",
            )


def load() -> None:
    """A file of weights goes on the shelf, a history to the runs that can be shown."""
    for name in ("lab_loaded", "lab_problem"):
        st.session_state.pop(name, None)
    if (upload := st.session_state["lab_file"]) is None:
        return
    content = upload.getvalue()
    try:
        if upload.name.lower().endswith(".json"):
            run = from_json(content)
            trainings.adopt_history(run)
            st.session_state["lab_shown"] = run.run
            st.session_state["lab_loaded"] = f"The history of “{plain(run.name)}” is shown."
        else:
            model = shelf.adopt(*from_bytes(content, "UNet"))
            st.session_state["lab_loaded"] = f"“{plain(model.label)}” is {ON_SHELF}"
    except ValueError as error:
        st.session_state["lab_problem"] = sentence(error)


top = st.container()
stage = st.container()
left, right = st.columns([2.2, 1], gap="large")
with right:
    st.subheader("Settings of the next run", anchor=False)
    plan, dataset = settings.choose_plan()
with top:
    settings.choose_preset(plan)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        actions = st.container(horizontal=True, width="content", vertical_alignment="bottom")
        shown = results.choose_runs(plan)
own = [run.run in trainings.known() for run in shown]
problem = (
    "There is nothing to train on yet. Get the images under Data, in the settings, or choose others."
    if dataset is None
    else ""
)
if dataset is not None:
    expected = settings.forecast(plan, dataset)
    with right:
        st.caption(settings.describe_forecast(plan, expected))
    problem = settings.too_large(expected)
with actions:
    st.button(
        "Start",
        type="primary",
        on_click=start,
        args=(plan, dataset),
        disabled=bool(problem),
        icon=":material/play_arrow:",
        key="lab_start",
        help="Trains a new network with the settings of this page.",
    )
    if own[0]:
        run_buttons(shown[0], trainings.job_of(shown[0].run))
with top:
    if problem:
        st.warning(problem, icon=":material/block:")
    if refused := st.session_state.pop("lab_refused", None):
        st.warning(refused, icon=":material/hourglass:")

running = [job.params["run"] for job in trainings.under_way()]


@st.fragment(run_every=1.0 if running else None)
def the_film() -> None:
    """How the trainings go, and their film; once a second while one runs."""
    if running != [job.params["run"] for job in trainings.absorb()]:
        st.rerun()
    for number, run in enumerate(shown):
        job = trainings.job_of(run.run) if own[number] else None
        results.report(run, job, f"{'AB'[number]}: {plain(run.name)}. " if len(shown) > 1 else "")
        goes_on = run.state is not None or (job is not None and not job.finished)
        results.film_strip(run, real_of(run), goes_on)


@st.fragment(run_every=2.0 if running else None)
def the_charts() -> None:
    """The losses; every other second while a training runs."""
    results.charts(shown)


with stage:
    the_film()
with left:
    the_charts()
    finished = [run for run in shown if run.run not in running]
    for run in finished:
        if run.result:
            if len(shown) > 1:
                st.caption(plain(run.name))
            results.numbers(run)
    results.replay(finished)
    with st.expander("Keep and take away", icon=":material/download:"):
        take_away(shown[0], recorded=not own[0])
    with st.expander("Load weights or a history", icon=":material/upload_file:"):
        st.file_uploader("A file that this lab saved", ["safetensors", "json"], key="lab_file", on_change=load)
        if said := st.session_state.get("lab_problem"):
            st.error(said, icon=":material/error:")
        if said := st.session_state.get("lab_loaded"):
            st.success(said, icon=":material/check:")

what_to_notice(
    "The grids start from the same noise and, where the images have classes, ask for the same ones at every moment "
    "(10 steps of DPM-Solver++, guidance 1.5), so what changes is the network alone. Large shapes come first, thin "
    "strokes last.",
    "The loss never reaches 0: noise hides the image, and no network can know it exactly. **Loss by noise level** "
    "tells where it stays high. At the left faint noise must be told from the image's own roughness; on 8 x 8 pixels "
    "that is by far the hardest. MNIST's rises at the right too, where the whole image must be guessed.",
    "With **only 20 images** the two losses part: the held-out one turns and rises, and the samples become copies. The "
    "distance to the nearest training image falls towards 0.",
)
mathematics(
    (
        "Each step draws **Batch size** images $x_0$, times $t$ and noise $\\varepsilon$, mixes them by the "
        "**Schedule**, and asks the network for a mixture of the two, which **What the network predicts** names:",
        r"x_t = \alpha_t x_0 + \sigma_t\,\varepsilon, \qquad "
        r"L = \mathbb E\; w_t \,\bigl\lVert F_\theta(x_t, \log\mathrm{SNR}_t, c) - (p_t\,x_0 + q_t\,\varepsilon)"
        r"\bigr\rVert^2",
    ),
    (
        "The weight makes the five predictions train alike: each loss is that of $v$, up to a cap.",
        r"w_t = \min\Bigl(\frac{\alpha_t^2 + \sigma_t^2}{(\alpha_t q_t - \sigma_t p_t)^2},\; 50\Bigr)",
    ),
    (
        "Adam moves the weights by the **Learning rate** $\\eta$, which rises for 20 steps and then falls along a "
        "cosine to 0 at the end of the run:",
        r"\theta \leftarrow \theta - \eta\,\frac{\hat m}{\sqrt{\hat v} + 10^{-8}}",
    ),
    (
        "The samples come from an average of the weights, with **EMA decay** $\\mu$:",
        r"\bar\theta \leftarrow \mu\,\bar\theta + (1 - \mu)\,\theta",
    ),
)


def notebook(plan: Plan) -> str:
    """Code that does what Start does."""
    take = f"\ntraining = first_of_each_class(training, {plan.take})" if plan.take else ""
    until = f"epochs = {plan.epochs}\nsteps = -(-epochs * len(training) // {plan.batch_size})\n" if plan.epochs else ""
    limit = "steps=steps" if plan.epochs else f"max_seconds={plan.seconds}"
    data = f"load_dataset({plan.dataset!r})" if plan.dataset != OWN else 'from_zip(open("images.zip", "rb").read())'
    module = (
        "explorer.data.images import load_dataset"
        if plan.dataset != OWN
        else "explorer.data.own_images import from_zip"
    )
    extra = "from explorer.lessons.trainings.plan import first_of_each_class\n" if plan.take else ""
    shape = dataset.shape if dataset is not None else (1, 28, 28)  # of all that must be downloaded or brought
    size = ", ".join(f"{name}={value!r}" for name, value in plan.size(shape).items())
    return (
        f"import torch\n\nimport explorer as ex\nfrom {module}\n{extra}\n"
        f"data = {data}\ntraining, held_out = data.split()  # image i is held out when i % 5 == 4{take}\n"
        f"denoiser = ex.make_image_denoiser(\n    data.shape, classes=len(data.classes) or None, "
        f"schedule={plan.schedule!r}, prediction={plan.prediction!r},\n    {size},\n)\n{until}"
        f"config = ex.TrainConfig(\n    {limit}, batch_size={plan.batch_size}, learning_rate={plan.learning_rate:g}, "
        f"ema_decay={plan.ema_decay:g}\n)\n"
        "for event in ex.train(denoiser, training, config):\n"
        '    if event.step % 100 == 0:\n        print(f"{event.step} {event.loss:.3f}")\n'
        "classes = torch.arange(20) % len(data.classes) if data.classes else None\n"
        'samples = ex.sample(denoiser, 20, "dpmpp_2m", 10, condition=classes, guidance_scale=1.5).samples'
    )


the_code(notebook(plan), training.train, Judge.look)
check_yourself(
    "lab",
    Question(
        "The training loss falls, and the held-out loss has begun to rise. What has happened?",
        dict.fromkeys(
            ["The learning rate is too high", "The network learns its images by heart", "Nothing: losses are noisy"],
            "What it learns about its own images no longer helps with others. Choose the preset with 20 images, and see "
            "the distance to the nearest training image at its end.",
        ),
        "The network learns its images by heart",
    ),
    Question(
        "Compare the record without EMA with the first preset. When does averaging the weights help?",
        dict.fromkeys(
            ["While the steps are large, in the middle of a run", "At the end of a run", "Only against memorising"],
            "Each step pulls the weights towards its own batch; the average keeps what the steps agree on, and its "
            "held-out loss is lower. At the end the learning rate has fallen to 0, which does the same: the two meet.",
        ),
        "While the steps are large, in the middle of a run",
    ),
)
end_page()
