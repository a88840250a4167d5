import hashlib
from typing import Any

import numpy as np
import streamlit as st

from explorer import denoiser as denoising
from explorer import samplers, training
from explorer.data.toy2d import DEFAULT_WORD, MINIMUM_POINTS, WORD_LIMIT, toy2d_names
from explorer.jobs import Job, JobRefused
from explorer.ui import models2d, work
from explorer.ui.layout import (
    Question,
    begin_page,
    check_yourself,
    end_page,
    mathematics,
    page_link,
    the_code,
    what_to_notice,
)
from explorer.ui.models2d import Recipe, Settings, Source
from explorer.ui.pad import draw_points
from explorer.ui.player import Scene, player
from explorer.views import EXTENT

OWN = {"drawing": "Draw your own", "image": "The dark parts of an image"}
DATA = {name: name.replace("_", " ").capitalize() for name in toy2d_names()} | {"word": "A word"} | OWN
PREDICTIONS = {
    "velocity": "Velocity",
    "epsilon": "Noise epsilon",
    "x0": "Clean point x0",
    "v": "v",
    "score": "Score",
}
SCHEDULES = {"flow": "Flow", "cosine": "Cosine", "linear": "Linear", "edm": "EDM"}
SAMPLERS = {name: sampler.label for name, sampler in samplers.SAMPLERS.items()}
RATES = [1e-4, 1e-3, 5e-3, 2e-2, 1e-1, 1.0, 1e6]
EXAMPLES = [3, 10, 50, 200, 1000]

begin_page(
    "Geometry lab",
    "See a diffusion model as geometry: a field, learned in seconds, that carries a cloud of noise into a shape.",
)
work.remember_visitor()
work.renew_all()


def choice(label: str, options: dict[str, str], key: str, help: str | None = None) -> str:
    """A select box over names, shared by the URL."""
    return st.selectbox(label, list(options), format_func=options.__getitem__, key=key, help=help, bind="query-params")


def side_controls(prefix: str, source: Source, default_sampler: str) -> Settings:
    """The settings of one side of the stage."""
    prediction = choice(
        "What the network predicts",
        PREDICTIONS,
        f"{prefix}_objective",
        help="Each can be turned into the others; they differ in what is easy to learn.",
    )
    schedule = choice(
        "Schedule", SCHEDULES, f"{prefix}_schedule", help="How much signal and noise there is at each time."
    )
    ordered = {default_sampler: SAMPLERS[default_sampler]} | SAMPLERS
    sampler = choice("Sampler", ordered, f"{prefix}_sampler", help="How a sample walks from noise to data.")
    steps = st.slider(
        "Steps",
        1,
        200,
        20,
        key=f"{prefix}_steps",
        bind="query-params",
        help="Times visited between noise and data.",
    )
    eta = None
    if sampler == "ddim":
        eta = st.slider(
            "eta", 0.0, 1.0, 0.0, 0.1, key=f"{prefix}_eta", bind="query-params",
            help="Share of fresh noise in each step: 0 is deterministic, 1 is DDPM.",
        )  # fmt: skip
    exact = st.toggle(
        "Exact model", key=f"{prefix}_exact", bind="query-params",
        help="The best possible denoiser of a few stored examples, in closed form: it can only recall.",
    )  # fmt: skip
    examples = EXAMPLES[-1]
    if exact:
        examples = st.select_slider(
            "Examples it recalls", EXAMPLES, value=EXAMPLES[-1], key=f"{prefix}_examples", bind="query-params"
        )
    return Settings(Recipe(source, schedule, prediction), sampler, steps, eta, exact, examples)


def sentence(error: ValueError) -> str:
    """What an error says, from a capital letter to a full stop."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def choose_source(name: str) -> tuple[Source, np.ndarray | None] | str:
    """The distribution and what the person gave for it; a sentence when there is nothing to learn from yet."""
    if name == "word":
        text = st.text_input("Word", DEFAULT_WORD, max_chars=WORD_LIMIT, key="geo_word", bind="query-params").strip()
        try:
            models2d.points_of(Source(name, text))
        except ValueError as error:
            return sentence(error)
        return Source(name, text), None
    if name == "drawing":
        drawn = draw_points(key="geo_pad")
        count = 0 if drawn is None else len(drawn)
        if drawn is None or count < MINIMUM_POINTS:
            return f"Draw at least {MINIMUM_POINTS} points on the pad; there are {count}."
        return Source(name, digest=models2d.digest(drawn)), drawn
    if name == "image":
        return image_source()
    return Source(name), None


def image_source() -> tuple[Source, np.ndarray | None] | str:
    """The dark pixels of an upload, which stays in the session when the page is left."""
    from explorer.data.uploads import read_image

    upload = st.file_uploader(
        "Image", ["png", "jpg", "jpeg", "gif", "webp", "bmp"], key="geo_image", max_upload_size=10
    )
    if upload is not None:
        try:
            grey = read_image(upload.getvalue())
            source = Source("image", digest=models2d.digest(grey))
            models2d.points_of(source, grey)
        except ValueError as error:
            return sentence(error)
        st.session_state["geo_image_kept"] = (source, grey)
    return st.session_state.get("geo_image_kept") or "Upload an image with dark marks on a light ground."


def train_controls(
    recipe: Recipe, given: np.ndarray | None, config: dict[str, Any], size: dict[str, int], prefix: str, side: str
) -> None:
    """Train, stop, resume, reset: the model of one side, which is named where there are two."""
    job = models2d.job_for(recipe)
    if job is not None and not job.finished:
        st.button(f"Stop{side}", on_click=job.stop, icon=":material/stop:", key=f"{prefix}_stop")
        return
    trained = models2d.shelf().get(recipe)
    if st.button(f"Train{side}", type="primary", icon=":material/model_training:", key=f"{prefix}_train"):
        submit(recipe, given, config, size, resume=False)
    if trained and trained.state and st.button(
        f"Resume{side}", icon=":material/resume:", key=f"{prefix}_resume",
        help="Go on from where it stopped, for as many seconds as chosen below.",
    ):  # fmt: skip
        submit(recipe, given, config, size, resume=True)
    if trained or job:
        st.button(
            f"Reset{side}", on_click=models2d.forget, args=(recipe,), icon=":material/restart_alt:",
            key=f"{prefix}_reset", help="Forget what was trained here.",
        )  # fmt: skip


def submit(
    recipe: Recipe, given: np.ndarray | None, config: dict[str, Any], size: dict[str, int], resume: bool
) -> None:
    """Start a training, and redraw."""
    try:
        models2d.start_training(recipe, given, config, size, resume)
    except JobRefused as error:
        st.warning(str(error), icon=":material/hourglass:")
        return
    st.rerun()


def training_settings() -> tuple[dict[str, Any], dict[str, int]]:
    """How to train, and the size of the network; sides share them."""
    with st.expander("Training settings", icon=":material/tune:"):
        config = {
            "max_seconds": st.slider("Seconds", 1, 30, 3, key="geo_seconds", bind="query-params"),
            "learning_rate": st.select_slider(
                "Learning rate", RATES, 2e-2, key="geo_rate", bind="query-params",
                format_func=lambda rate: f"{rate:g}",
                help="At the right end the loss leaves the numbers, and the run says so.",
            ),
            "batch_size": st.select_slider(
                "Batch size", [64, 128, 256, 512, 1024], 512, key="geo_batch", bind="query-params"
            ),
        }  # fmt: skip
        size = {
            "width": st.select_slider("Width", [16, 32, 64, 128, 256], 64, key="geo_width", bind="query-params"),
            "depth": st.slider("Depth", 1, 6, 3, key="geo_depth", bind="query-params"),
        }
    return config, size


def scene_of(
    settings: Settings, given: np.ndarray | None, n: int, seed: int, moment: int | None, title: str
) -> tuple[Scene, models2d.Run]:
    """What one side shows, and what was measured; the exact model stands in where nothing is trained."""
    recipe = settings.recipe
    learned = None if settings.exact else models2d.denoiser_of(recipe, moment)
    examples = None if learned else settings.examples
    denoiser, name = learned or models2d.exact_of(recipe, settings.examples, given)
    run = models2d.run(
        denoiser, name, recipe.source, settings.sampler, settings.steps, settings.eta, n, seed,
        st.session_state.get("geo_start"), examples, given,
    )  # fmt: skip
    training, fresh = models2d.points_of(recipe.source, given)
    caption = ""
    if not settings.exact and learned is None:
        caption = "No network is trained for these settings yet: this is the exact model."
    view = run.view
    scene = Scene(
        title=title,
        x=view.x,
        t=view.t,
        x0=view.x0,
        role="model" if learned else "exact",
        target=(training[: settings.examples] if examples else fresh)[: models2d.TARGET_POINTS],
        source=view.x[0][: models2d.TARGET_POINTS],
        mesh=view.mesh,
        field=view.field,
        score=view.score,
        started=view.started,
        caption=caption,
    )
    return scene, run


def label_of(settings: Settings) -> str:
    """A side in a few words."""
    model = "exact" if settings.exact else PREDICTIONS[settings.recipe.prediction].lower()
    return f"{SAMPLERS[settings.sampler]}, {settings.steps} steps · {model} · {settings.recipe.schedule}"


def numbers(settings: Settings, run: models2d.Run) -> None:
    """What was measured on one side."""
    with st.container(horizontal=True):
        st.metric(
            "Distance to fresh data", f"{run.distance:.3f}", delta=f"floor {run.floor:.3f}", delta_arrow="off",
            delta_color="off", width="content",
            help="Sliced 2-Wasserstein distance of the samples to data that no model has seen; the floor is that "
            "between two fresh sets of 2,000 points. Smaller is better.",
        )  # fmt: skip
        st.metric("Network calls", run.view.evaluations, width="content", help="Each call moves all points at once.")
        st.metric(
            "Seconds",
            f"{run.view.seconds:.2f}",
            width="content",
            help="To move all points, and the mesh, on this machine.",
        )
        if run.nearest is not None:
            st.metric(
                "To the nearest example", f"{run.nearest:.3f}", width="content",
                help="Median distance of a sample to the closest stored example: 0 is pure recall.",
            )  # fmt: skip


def set_start(click: tuple[int, float, float]) -> None:
    """Where the person clicked, both sides start a particle."""
    st.session_state["geo_start"] = click[1:]


def training_report(recipe: Recipe, job: Job | None, title: str) -> None:
    """Progress while a job runs, and how it ended."""
    if job is None:
        return
    if not job.finished:
        progress: dict[str, Any] = job.latest["progress"].data if "progress" in job.latest else {}
        st.progress(min(1.0, progress.get("share", 0.0)), text=f"{title}: {work.describe(job)}")
    elif job.state in ("failed", "expired"):
        st.error(f"{title}: {work.describe(job)}", icon=":material/error:")


def replay_slider(recipe: Recipe) -> int | None:
    """A moment of the training history; None is the newest."""
    trained = models2d.shelf().get(recipe)
    if trained is None or len(trained.snapshots) < 2:
        return None
    moments = sorted(trained.snapshots)
    key = f"geo_moment_{hashlib.blake2b(repr((recipe, moments)).encode(), digest_size=8).hexdigest()}"

    def describe(step: int) -> str:
        about = trained.snapshots[step][0]
        return f"step {step:,} · {about['seconds']:.1f} s · distance {about['distance']:.3f}"

    return st.select_slider("Training history", moments, moments[-1], format_func=describe, key=key)


def take_away(settings: Settings, run: models2d.Run) -> None:
    """Files of what is on the stage; the player itself saves PNG, GIF and WebM."""
    from explorer.zoo import to_bytes

    def paths() -> str:
        frames, n, _ = run.view.x.shape
        t = np.repeat(run.view.t, n)
        index = np.tile(np.arange(n), frames)
        rows = np.column_stack([index, t, run.view.x.reshape(-1, 2)])
        lines = "\n".join(f"{int(i)},{time:.5f},{x:.4f},{y:.4f}" for i, time, x, y in rows)
        return f"particle,t,x,y\n{lines}\n"

    learned = None if settings.exact else models2d.denoiser_of(settings.recipe)
    with st.container(horizontal=True):
        st.download_button(
            "Paths as CSV",
            paths,
            "diffusion-explorer-paths.csv",
            "text/csv",
            on_click="ignore",
            icon=":material/table:",
        )
        if learned:
            denoiser = learned[0]
            st.download_button(
                "Weights as safetensors",
                lambda: to_bytes(denoiser, distribution=settings.recipe.source.name),
                "diffusion-explorer-2d.safetensors",
                "application/octet-stream",
                on_click="ignore",
                icon=":material/save:",
            )
    st.caption("The player's own menu saves the picture as PNG, and the animation as GIF or WebM.")


def load_weights(source: Source) -> None:
    """A file of weights becomes the model of its own schedule and objective, for the distribution on the page."""
    from explorer.zoo import from_bytes

    upload = st.session_state["geo_weights"]
    st.session_state.pop("geo_weights_error", None)
    if upload is None:
        return
    try:
        denoiser, about = from_bytes(upload.getvalue())
    except ValueError as error:
        st.session_state["geo_weights_error"] = str(error)
        return
    models2d.adopt(Recipe(source, about["schedule"], about["prediction"]), denoiser, about)
    st.session_state["geo_schedule"], st.session_state["geo_objective"] = (
        about["schedule"],
        about["prediction"],
    )
    st.session_state["geo_exact"] = False


with st.container(horizontal=True, vertical_alignment="bottom"):
    with st.container(width=220):
        data_name = choice("Distribution", DATA, "geo_data")
    actions = st.container(horizontal=True, width="content")
    compare = st.toggle(
        "Compare two settings",
        key="geo_compare",
        bind="query-params",
        help="Side by side, on one clock and one seed.",
    )
if compare:
    stage = st.container()
    left, right = st.columns(2, gap="large")
else:
    stage, left = st.columns([1, 1] if data_name == "drawing" else [2, 1], gap="large")
with left:
    chosen = choose_source(data_name)
    if isinstance(chosen, str):
        st.warning(chosen, icon=":material/draw:")
        source, given = Source("smiley"), None
    else:
        source, given = chosen
    if compare:
        st.markdown("**Left**")
    sides = [side_controls("geo", source, "heun")]
if compare:
    with right:
        st.markdown("**Right**")
        sides.append(side_controls("geo_b", source, "ddpm"))
with left:
    n = st.slider("Points", 100, 3000, 1500, 100, key="geo_points", bind="query-params")
    seed = st.slider("Seed", 0, 99, 0, key="geo_seed", bind="query-params", help="Of the starting noise.")

side_a = sides[0]
recipes = list(dict.fromkeys(side.recipe for side in sides))
busy = [recipe for recipe in recipes if (job := models2d.job_for(recipe)) and not job.finished]


@st.fragment(run_every=1.0 if busy else None)
def the_stage() -> None:
    """Draws the newest of everything; once a second while a job runs."""
    jobs = {recipe: models2d.job_for(recipe) for recipe in recipes}
    for recipe, job in jobs.items():
        if job is not None:
            models2d.absorb(recipe, job)
    if busy != [recipe for recipe, job in jobs.items() if job and not job.finished]:
        st.rerun()
    for recipe, job in jobs.items():
        training_report(recipe, job, PREDICTIONS[recipe.prediction])
    moment = None if busy else replay_slider(side_a.recipe)
    scenes, runs = [], []
    for side in sides:
        shown = moment if side.recipe == side_a.recipe else None
        scene, run = scene_of(side, given, n, seed, shown, label_of(side))
        scenes.append(scene)
        runs.append(run)
    player(scenes, key="geo_player", on_start=set_start, extent=EXTENT, height=400)
    if "geo_start" in st.session_state:
        st.button(
            "Clear the started particle", on_click=st.session_state.pop, args=("geo_start", None),
            icon=":material/close:",
        )  # fmt: skip
    for column, side, run in zip(st.columns(len(sides)), sides, runs, strict=True):
        with column:
            numbers(side, run)
    trained = models2d.shelf().get(side_a.recipe)
    if trained is not None and len(trained.curve):
        from explorer.charts import training_chart

        history = [about for about, _ in trained.snapshots.values() if about["distance"] is not None]
        st.altair_chart(training_chart(trained.curve, history, runs[0].floor))
    with st.expander("Take it away", icon=":material/download:"):
        take_away(side_a, runs[0])


ready = not isinstance(chosen, str)
with stage:
    player_place = st.container()
    config, size = training_settings()
    with st.expander("Load weights", icon=":material/upload_file:"):
        st.file_uploader(
            "Weights that this lab saved", ["safetensors"], key="geo_weights", max_upload_size=20,
            on_change=load_weights, args=(source,),
        )  # fmt: skip
        if error := st.session_state.get("geo_weights_error"):
            st.error(error, icon=":material/error:")
if ready:
    names = [""] if len(recipes) == 1 else [" left", " right"]
    with actions:
        for number, (recipe, side) in enumerate(zip(recipes, names, strict=True)):
            train_controls(recipe, given, config, size, f"geo_{number}", side)
with player_place:
    if ready:
        the_stage()
    else:
        st.info("The stage appears here once there is something to learn from.", icon=":material/scatter_plot:")

what_to_notice(
    "With **Exact model** and 10 examples every sample ends on an example: that is recall. A network cannot store "
    "them so sharply, fills the space between, and so makes points that were in no data set.",
    "Turn on the **Mesh** layer: the sampler bends the plane itself, and never tears it. A click starts one particle; "
    "under DDPM or the SDE it becomes a fan, because fresh noise decides at every step.",
    "Lower **Steps** to 3 and compare Heun with DDPM at the same number: the distance says what the eye suspects.",
)
mathematics(
    (
        "**Schedule** sets how much signal and noise a point holds at time $t$, from data at 0 to noise at 1:",
        r"x_t = \alpha(t)\, x_0 + \sigma(t)\, \varepsilon, \qquad \varepsilon \sim \mathcal N(0, I)",
    ),
    (
        "**What the network predicts** is one mixture of the two unknowns; any of them gives all others:",
        r"v = \alpha\varepsilon - \sigma x_0, \qquad \dot x_t = \dot\alpha\, x_0 + \dot\sigma\,\varepsilon, "
        r"\qquad \nabla_{x}\log p_t(x_t) = -\mathbb E[\varepsilon \mid x_t] / \sigma",
    ),
    (
        "**Sampler** and **eta** decide the step from $t$ to $s$: eta 0 is DDIM, eta 1 is DDPM:",
        r"x_s = \alpha_s \hat x_0 + \sqrt{\sigma_s^2 - \eta^2 \tilde\sigma^2}\,\hat\varepsilon "
        r"+ \eta\,\tilde\sigma\, z, \qquad "
        r"\tilde\sigma^2 = \frac{\sigma_s^2}{\sigma_t^2}"
        r"\Bigl(\sigma_t^2 - \frac{\alpha_t^2}{\alpha_s^2}\sigma_s^2\Bigr)",
    ),
    (
        "The **exact model** averages its examples, each weighted by how likely it is to have become $x_t$:",
        r"\mathbb E[x_0 \mid x_t] = \sum_i w_i\, x^{(i)}, \qquad w \propto "
        r"\exp\!\bigl(-\lVert x_t - \alpha x^{(i)}\rVert^2 / 2\sigma^2\bigr)",
    ),
)
text = f", text={source.text!r}" if source.name == "word" else ""
data_line = (
    "points = ...  # your own points, a float32 tensor (m, 2)"
    if source.digest
    else f"points = ex.toy2d({source.name!r}, n=20_000, seed=0{text})"
)
if side_a.exact:
    model_lines = (
        f"denoiser = ex.ideal_denoiser(points[:{side_a.examples}], ex.make_schedule({side_a.recipe.schedule!r}))"
    )
else:
    model_lines = (
        f"denoiser = ex.make_denoiser_2d(seed=0, schedule={side_a.recipe.schedule!r}, "
        f"prediction={side_a.recipe.prediction!r}, width={size['width']}, depth={size['depth']})\n"
        f"config = ex.TrainConfig(max_seconds={config['max_seconds']}, "
        f"learning_rate={config['learning_rate']:g}, batch_size={config['batch_size']})\n"
        "for event in ex.train(denoiser, points, config):\n    pass\nprint(event.step, event.loss)"
    )
eta_text = f", eta={side_a.eta}" if side_a.eta else ""
the_code(
    f"import explorer as ex\n\n{data_line}\n{model_lines}\n"
    f"trajectory = ex.sample(denoiser, n={n}, sampler={side_a.sampler!r}, steps={side_a.steps}, "
    f"seed={seed}{eta_text})\n"
    "print(ex.sliced_wasserstein(trajectory.samples, points[:2000]))",
    samplers.SAMPLERS[side_a.sampler].walk,
    denoising.PosteriorMean if side_a.exact else training.train,
)
check_yourself(
    "geo",
    Question(
        "Two particles start at different places and follow the ODE of one model. Can their paths cross at one moment?",
        ["Yes", "No"],
        "No",
        "At one time and place the field has one direction, so two paths that met would be one path. The mesh "
        "stretches and folds close, but its lines never pass through each other.",
    ),
    Question(
        "The exact model with 10 examples, and a network trained on 20,000 points: which has the smaller distance to "
        "fresh data?",
        ["The exact model, it is exact", "The network"],
        "The network",
        "The exact model is exact for its 10 examples and returns them; fresh data lies elsewhere. Switch between the "
        "two and read the distance.",
    ),
)
page_link("pages/core_concepts.py")
end_page()
