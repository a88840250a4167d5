import streamlit as st

from explorer.ui.frame import (
    Question,
    begin_page,
    check_yourself,
    end_page,
    mathematics,
    the_code,
    what_to_notice,
)

begin_page(
    "Geometry lab",
    "See a diffusion model as geometry: a field, learned in seconds, that carries a cloud of noise into a shape.",
)

import torch

from explorer import denoiser as denoising
from explorer import samplers, training
from explorer.data.toy2d import DEFAULT_WORD, MINIMUM_POINTS, WORD_LIMIT, toy2d_names
from explorer.data.uploads import ENDINGS, read_image
from explorer.lessons.geometry_lab.runs import Recipe, Run, Settings, Source, given_source, points_of
from explorer.lessons.views import EXTENT, fan_2d, view_scale
from explorer.schedules import make_schedule
from explorer.ui.controls import PREDICTION_LABELS, SAMPLER_LABELS, SCHEDULE_LABELS, choice, sentence
from explorer.ui.geometry_lab import models
from explorer.ui.geometry_lab.training import replay_slider, train_controls, training_report, training_settings
from explorer.ui.pad import draw_points
from explorer.ui.player import Scene, player
from explorer.zoo import from_bytes, to_bytes

OWN = {"word": "A word", "drawing": "Draw your own", "image": "The dark parts of an image"}
DATA = {name: name.replace("_", " ").capitalize() for name in toy2d_names()} | OWN
EXAMPLES = [3, 10, 50, 200, 500]
DRAWN_FAINTLY = 1200


def side_controls(prefix: str, source: Source, default_sampler: str, n: int, seed: int) -> Settings:
    """The settings of one side of the stage."""
    prediction = choice(
        "What the network predicts",
        PREDICTION_LABELS,
        "velocity",
        key=f"{prefix}_objective",
        help="Each can be turned into the others; they differ in what is easy to learn.",
    )
    schedule = choice(
        "Schedule",
        SCHEDULE_LABELS,
        "flow",
        key=f"{prefix}_schedule",
        help="How much signal and noise there is at each time.",
    )
    sampler = choice(
        "Sampler",
        SAMPLER_LABELS,
        default_sampler,
        key=f"{prefix}_sampler",
        help="How a sample walks from noise to data. Euler and DDIM with eta 0 are one method under two names.",
    )
    help = "Times visited between noise and data."
    steps = st.slider("Steps", 1, 100, 20, key=f"{prefix}_steps", bind="query-params", help=help)
    eta = None
    if sampler == "ddim":
        help = "Share of fresh noise in each step: 0 is deterministic, 1 is DDPM."
        eta = st.slider("eta", 0.0, 1.0, 0.0, 0.1, key=f"{prefix}_eta", bind="query-params", help=help)
    help = "The best possible denoiser of a few stored examples, in closed form: it can only recall."
    exact = st.toggle("Exact model", key=f"{prefix}_exact", bind="query-params", help=help)
    examples = EXAMPLES[-1]
    if exact:
        key = f"{prefix}_examples"
        examples = st.select_slider("Examples it recalls", EXAMPLES, EXAMPLES[-1], key=key, bind="query-params")
    return Settings(Recipe(source, schedule, prediction), sampler, steps, eta, exact, examples, n, seed)


def choose_source(name: str) -> Source | str:
    """The distribution; a sentence when there is nothing to learn from yet."""
    if name == "word":
        text = st.text_input("Word", DEFAULT_WORD, max_chars=WORD_LIMIT, key="geo_word", bind="query-params").strip()
        try:
            points_of(Source(name, text))
        except ValueError as error:
            return sentence(error)
        return Source(name, text)
    if name == "drawing":
        drawn = draw_points(key="geo_pad")
        if drawn is None or len(drawn) < MINIMUM_POINTS:
            count = 0 if drawn is None else len(drawn)
            return f"Draw at least {MINIMUM_POINTS} points on the pad; there are {count}."
        return given_source(name, drawn)
    if name == "image":
        st.file_uploader("Image", ENDINGS, key="geo_image", max_upload_size=10, on_change=take_image)
        if problem := st.session_state.get("geo_image_problem"):
            return problem
        return st.session_state.get("geo_image_source", "Upload an image with dark marks on a light ground.")
    return Source(name)


def take_image() -> None:
    """Read an upload once; what was read stays in the session when the page is left."""
    st.session_state.pop("geo_image_problem", None)
    if (upload := st.session_state["geo_image"]) is None:
        return
    try:
        source = given_source("image", read_image(upload.getvalue()))
        points_of(source)
    except ValueError as error:
        st.session_state["geo_image_problem"] = sentence(error)
    else:
        st.session_state["geo_image_source"] = source


def load_weights(source: Source) -> None:
    """A file of weights becomes the model of its own schedule and objective, for the distribution on the page."""
    st.session_state.pop("geo_weights_problem", None)
    if (upload := st.session_state["geo_weights"]) is None:
        return
    try:
        denoiser, about = from_bytes(upload.getvalue(), "MLP")
    except ValueError as error:
        st.session_state["geo_weights_problem"] = sentence(error)
        return
    models.adopt(Recipe(source, about["schedule"], about["prediction"]), denoiser, about)
    st.session_state["geo_schedule"], st.session_state["geo_objective"] = about["schedule"], about["prediction"]
    st.session_state["geo_exact"] = False


def label_of(settings: Settings) -> str:
    """A side in a few words."""
    model = "exact" if settings.exact else PREDICTION_LABELS[settings.recipe.prediction].lower()
    return f"{SAMPLER_LABELS[settings.sampler]}, {settings.steps} steps · {model} · {settings.recipe.schedule}"


def show_side(settings: Settings, moment: int | None) -> tuple[Scene, Run]:
    """What one side shows, and what was measured; the exact model stands in where nothing is trained."""
    run, denoiser, learned = models.run_of(settings, moment)
    view = run.view
    examples, fresh = points_of(settings.recipe.source)
    target = fresh if learned else examples[: settings.examples]
    started = None
    if start := st.session_state.get("geo_start"):
        started = fan_2d(denoiser, start, settings.sampler, settings.steps, settings.seed, settings.eta)
    missing = "No network is trained for these settings yet: this is the exact model."
    scene = Scene(
        title=label_of(settings),
        x=view.x,
        t=view.t,
        x0=view.x0,
        role="model" if learned else "exact",
        target=target[:DRAWN_FAINTLY].numpy(),
        source=view.x[0][:DRAWN_FAINTLY],
        mesh=view.mesh,
        field=view.field,
        score=view.score,
        started=started,
        caption="" if learned or settings.exact else missing,
    )
    return scene, run


def numbers(run: Run) -> None:
    """What was measured on one side."""
    help_distance = (
        "Sliced 2-Wasserstein distance of the samples to 2,000 points that no model has seen. The floor is what "
        "as many samples of a perfect model would reach. Smaller is better."
    )
    if run.problem:
        st.error(run.problem, icon=":material/error:")
    with st.container(horizontal=True):
        st.metric(
            "Distance to fresh data",
            "none" if run.distance is None else f"{run.distance:.3f}",
            delta=f"floor {run.floor:.3f}",
            delta_arrow="off",
            delta_color="off",
            width="content",
            help=help_distance,
        )
        st.metric("Network calls", run.view.evaluations, width="content", help="Each call moves all points at once.")
        help_seconds = "To move all points, and the mesh, when these settings were first computed."
        st.metric("Seconds", f"{run.view.seconds:.2f}", width="content", help=help_seconds)
        if run.nearest is not None:
            help_nearest = "Median distance of a sample to the closest stored example: 0 is pure recall."
            st.metric("To the nearest example", f"{run.nearest:.3f}", width="content", help=help_nearest)


def paths_csv(settings: Settings, run: Run) -> str:
    """Every particle at every time, as x_t itself and not in view units."""
    times = run.view.t
    scale = view_scale(make_schedule(settings.recipe.schedule), torch.from_numpy(times)).numpy()
    lines = ["particle,t,x,y"]
    for t, frame in zip(times, run.view.x * scale[:, None, None], strict=True):
        lines += [f"{particle},{t:.5f},{x:.5g},{y:.5g}" for particle, (x, y) in enumerate(frame)]
    return "\n".join(lines) + "\n"


def take_away(settings: Settings, run: Run, moment: int | None, side: str) -> None:
    """Files of what is on the stage; the player itself saves PNG, GIF and WebM."""
    st.download_button(
        f"Paths as CSV{side}",
        lambda: paths_csv(settings, run),
        "diffusion-explorer-paths.csv",
        "text/csv",
        on_click="ignore",
        icon=":material/table:",
        key=f"geo_csv{side}",
    )
    denoiser = None if settings.exact else models.learned(settings.recipe, moment)
    if denoiser is not None:
        st.download_button(
            f"Weights as safetensors{side}",
            lambda: to_bytes(denoiser, distribution=settings.recipe.source.name),
            "diffusion-explorer-2d.safetensors",
            "application/octet-stream",
            on_click="ignore",
            icon=":material/save:",
            key=f"geo_save{side}",
        )


def set_start(click: tuple[int, float, float]) -> None:
    """Where the person clicked, both sides start a particle."""
    st.session_state["geo_start"] = click[1:]


with st.container(horizontal=True, vertical_alignment="bottom"):
    with st.container(width=220):
        data_name = choice("Distribution", DATA, "smiley", key="geo_data")
    actions = st.container(horizontal=True, width="content")
    help_compare = "Side by side, on one clock and one seed."
    compare = st.toggle("Compare two settings", key="geo_compare", bind="query-params", help=help_compare)
if compare:
    stage = st.container()
    left, right = st.columns(2, gap="large")
elif data_name == "drawing":
    left, stage = st.columns(2, gap="large")  # the pad comes first on a phone
else:
    stage, left = st.columns([2, 1], gap="large")
with left:
    chosen = choose_source(data_name)
    if isinstance(chosen, str):
        st.warning(chosen, icon=":material/draw:")
    source = Source("smiley") if isinstance(chosen, str) else chosen
    if compare:
        st.markdown("**Left**")
    controls = st.container()
    n = st.slider("Points", 100, 2000, 1500, 100, key="geo_points", bind="query-params")
    seed = st.slider("Seed", 0, 99, 0, key="geo_seed", bind="query-params", help="Of the starting noise.")
    with controls:
        sides = [side_controls("geo", source, "heun", n, seed)]
if compare:
    with right:
        st.markdown("**Right**")
        sides.append(side_controls("geo_b", source, "ddpm", n, seed))

names = ["", ""] if len(sides) == 1 else [" left", " right"]
recipes = list(dict.fromkeys(side.recipe for side in sides))
busy = [recipe for recipe in recipes if (job := models.job_for(recipe)) and not job.finished]


@st.fragment(run_every=1.0 if busy else None)
def the_stage() -> None:
    """Draws the newest of everything; once a second while a job runs."""
    jobs = {recipe: models.job_for(recipe) for recipe in recipes}
    for recipe, job in jobs.items():
        if job is not None:
            models.absorb(recipe, job)
    if busy != [recipe for recipe, job in jobs.items() if job and not job.finished]:
        st.rerun()
    for recipe, job in jobs.items():
        training_report(job, PREDICTION_LABELS[recipe.prediction])
    moment = None if busy else replay_slider(sides[0].recipe)
    moments = [moment if side.recipe == sides[0].recipe else None for side in sides]
    shown = [show_side(side, moment) for side, moment in zip(sides, moments, strict=True)]
    scenes = [scene for scene, _ in shown]
    player(scenes, key="geo_player", on_start=set_start, extent=EXTENT, name=source.text or source.name)
    if "geo_start" in st.session_state:
        clear = st.session_state.pop
        st.button("Clear the started particle", on_click=clear, args=("geo_start", None), icon=":material/close:")
    for column, (scene, run) in zip(st.columns(len(sides)), shown, strict=True):
        with column:
            if compare:
                st.caption(scene.title)
            numbers(run)
    trained = models.shelf().get(sides[0].recipe)
    if trained is not None and len(trained.curve):
        from explorer.charts.geometry_lab import distance_chart, loss_chart

        history = [about for about, _ in trained.snapshots.values() if about["distance"] is not None]
        dark = st.context.theme.type == "dark"
        st.vega_lite_chart(loss_chart(trained.curve, dark), alt="The loss, smoothed, against the training step.")
        st.vega_lite_chart(
            distance_chart(history, shown[0][1].floor, dark),
            alt="The distance to fresh data, above its floor, against the training step.",
        )
    with st.expander("Take it away", icon=":material/download:"):
        with st.container(horizontal=True):
            for side, (_, run), moment, name in zip(sides, shown, moments, names, strict=False):
                take_away(side, run, moment, name)
        st.caption("The player itself saves the picture as PNG, and the animation as GIF or WebM.")


ready = not isinstance(chosen, str)
with stage:
    player_place = st.container()
    config, size = training_settings()
    with st.expander("Load weights", icon=":material/upload_file:"):
        st.file_uploader(
            "Weights that this lab saved",
            ["safetensors"],
            key="geo_weights",
            max_upload_size=20,
            on_change=load_weights,
            args=(source,),
            disabled=not ready,
        )
        if problem := st.session_state.get("geo_weights_problem"):
            st.error(problem, icon=":material/error:")
if ready:
    with actions:
        for number, recipe in enumerate(recipes):
            train_controls(recipe, config, size, f"geo_{number}", names[number] if len(recipes) > 1 else "")
with player_place:
    if ready:
        the_stage()
    else:
        st.info("The stage appears here once there is something to learn from.", icon=":material/scatter_plot:")

what_to_notice(
    "With **Exact model** and 10 examples every sample ends on an example: that is recall. A network cannot store "
    "them so sharply, fills the space between, and so makes points that were in no data set.",
    "Turn on the **Mesh** layer: the exact flow bends the plane without folding it. Lower **Steps** to 3 and the mesh "
    "folds over: that is the sampler's error, and the distance to fresh data measures it.",
    "A click starts one particle. Under DDPM or the SDE it becomes a fan, because fresh noise decides at every step.",
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


def notebook(settings: Settings) -> str:
    """Code that computes what the stage shows on its left side."""
    recipe = settings.recipe
    text = f", text={recipe.source.text!r}" if recipe.source.name == "word" else ""
    data = "points = fresh = ...  # your own points, float32 tensors (m, 2)"
    if ready and recipe.source.given is None:
        data = (
            f"points = ex.toy2d({recipe.source.name!r}, n=20_000, seed=0{text})\n"
            f"fresh = ex.toy2d({recipe.source.name!r}, n=2000, seed=1{text})"
        )
    trained = models.shelf().get(recipe)
    if settings.exact:
        model = f"denoiser = ex.ideal_denoiser(points[:{settings.examples}], ex.make_schedule({recipe.schedule!r}))"
    elif trained is None and recipe.shipped:
        model = f"denoiser = ex.load_pretrained({recipe.shipped!r})"
    else:
        how = {**config, **(trained.config if trained else {})}
        if trained and trained.state:
            how = {"steps": trained.state[0]["step"], **{name: how[name] for name in ("learning_rate", "batch_size")}}
        options = ", ".join(f"{name}={value!r}" for name, value in how.items())
        sizes = ", ".join(f"{name}={value}" for name, value in (trained.size if trained else size).items())
        model = (
            f"denoiser = ex.make_denoiser_2d(\n    seed=0, schedule={recipe.schedule!r}, "
            f"prediction={recipe.prediction!r}, {sizes}\n)\n"
            f"for event in ex.train(denoiser, points, ex.TrainConfig({options})):\n    pass"
        )
    eta = f", eta={settings.eta}" if settings.eta is not None else ""
    return (
        f"import explorer as ex\n\n{data}\n{model}\n"
        f"trajectory = ex.sample(\n    denoiser, n={settings.n}, sampler={settings.sampler!r}, steps={settings.steps}, "
        f"seed={settings.seed}{eta}\n)\n"
        "print(ex.sliced_wasserstein(trajectory.samples, fresh))"
    )


the_code(
    notebook(sides[0]),
    samplers.SAMPLERS[sides[0].sampler].walk,
    denoising.PosteriorMean if sides[0].exact else training.train,
)
check_yourself(
    "geo",
    Question(
        "Two particles start at different places and follow the exact ODE of one model. Can they meet at one moment?",
        dict.fromkeys(
            ["Yes", "No"],
            "At one time and place the field has one direction, so two paths that met would have been one path all along. "
            "The mesh shows it with many steps; with few steps a sampler only approximates the ODE, and its mesh may fold.",
        ),
        "No",
    ),
    Question(
        "The exact model with 10 examples, and a network trained on 20,000 points: which has the smaller distance to "
        "fresh data?",
        dict.fromkeys(
            ["The exact model, it is exact", "The network"],
            "The exact model is exact for its 10 examples and returns them; fresh data lies elsewhere. Switch between the "
            "two and read the distance.",
        ),
        "The network",
    ),
)
end_page()
