from typing import Any

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

begin_page(
    "Geometry lab",
    "A network tells each dot of noise where to go, until all lie on the shape.",
    "time",
    "schedule",
    "prediction",
    "velocity",
    "score",
    "x0",
    "sampler",
    "evaluations",
    "eta",
    "distance",
)

import torch

from explorer import denoiser as denoising
from explorer import samplers, training
from explorer.data.toy2d import DEFAULT_WORD, MINIMUM_POINTS, WORD_LIMIT, toy2d_names
from explorer.data.uploads import ENDINGS, read_image
from explorer.lessons.geometry_lab.runs import (
    FRESH_POINTS,
    Recipe,
    Run,
    Settings,
    Source,
    given_source,
    perfect_range,
    points_of,
    source_in,
)
from explorer.lessons.trainings.record import is_text
from explorer.lessons.views import EXTENT, fan_2d, view_scale
from explorer.schedules import make_schedule
from explorer.ui import made, work
from explorer.ui.controls import PREDICTION_LABELS, SAMPLER_LABELS, SCHEDULE_LABELS, choice, sentence
from explorer.ui.geometry_lab import models
from explorer.ui.geometry_lab.training import judged, replay_slider, train_controls, training_report, training_settings
from explorer.ui.glossary import meaning
from explorer.ui.markdown import plain
from explorer.ui.pad import draw_points
from explorer.ui.player import Scene, player
from explorer.zoo import from_bytes, to_bytes

OWN = {"word": "A word", "drawing": "Draw your own", "image": "The dark parts of an image"}
DATA = {name: name.replace("_", " ").capitalize() for name in toy2d_names()} | OWN
STEPS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 40, 50]
EXAMPLES = [3, 10, 50, 200, 500]
DRAWN_FAINTLY = 1200
LAYERS = """
- **Points**: the samples on their way, from noise to data. Behind them lie, faintly, the noise and the data.
- **Density**: level lines around where the points are dense.
- **Mesh**: a square grid of starts, moved by the same rule. A sampler that draws fresh noise has none.
- **Paths**: where the points have been.
- **Velocity**: where the sampler moves a point from there. The arrows lead from noise to **data**, which is *against*
  the velocity $\\dot x_t$ of the mathematics: that one follows time $t$, from data at 0 to **noise** at 1.
- **Score**: the way uphill, to where noisy data are more likely.
- **Guess of x₀**: where the model believes, at this moment, that each point will end: the clean point behind it.

The lengths of arrows can be compared within one moment only.
"""


def side_controls(prefix: str, source: Source, default_sampler: str, n: int, seed: int) -> Settings:
    """The settings of one side of the stage."""
    prediction = choice(
        "What the network predicts",
        PREDICTION_LABELS,
        "velocity",
        key=f"{prefix}_objective",
        help=meaning("prediction"),
    )
    schedule = choice(
        "Schedule",
        SCHEDULE_LABELS,
        "flow",
        key=f"{prefix}_schedule",
        help=meaning("schedule"),
    )
    sampler = choice(
        "Sampler",
        SAMPLER_LABELS,
        default_sampler,
        key=f"{prefix}_sampler",
        help="How a sample walks from noise to data. Euler and DDIM with eta 0 are one method under two names.",
    )
    help = "Times visited between noise and data."
    steps = st.select_slider("Steps", STEPS, Settings.steps, key=f"{prefix}_steps", bind="query-params", help=help)
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
        source = given_source(name, drawn)
        if source != made.recall("geo_drawing_source"):
            made.remember("geo_drawing_source", source)
        return source
    if name == "image":
        st.file_uploader("Image", ENDINGS, key="geo_image", max_upload_size=10, on_change=take_image)
        if problem := st.session_state.get("geo_image_problem"):
            return problem
        return made.recall("geo_image_source") or "Upload an image with dark marks on a light ground."
    return Source(name)


def take_image() -> None:
    """Read an upload once; what was read is there again when the page was left, and after a reload."""
    st.session_state.pop("geo_image_problem", None)
    if (upload := st.session_state["geo_image"]) is None:
        return
    try:
        source = given_source("image", read_image(upload.getvalue()))
        points_of(source)
    except ValueError as error:
        st.session_state["geo_image_problem"] = sentence(error)
    else:
        made.remember("geo_image_source", source)


def load_weights(source: Source) -> None:
    """A file of weights becomes the model of its own settings, and of the distribution that it says it learned.

    Where that is not here, or the file does not say, it becomes a model of the `source` on the page, and says so.
    """
    for said in ("geo_weights_problem", "geo_weights_note"):
        st.session_state.pop(said, None)
    if (upload := st.session_state["geo_weights"]) is None:
        return
    try:
        denoiser, about = from_bytes(upload.getvalue(), "MLP")
    except ValueError as error:
        st.session_state["geo_weights_problem"] = sentence(error)
        return
    given = filter(None, map(made.recall, ("geo_drawing_source", "geo_image_source")))
    found = source_in(about, given)
    learned = "" if found else what_it_learned(about)
    source = found or source
    models.adopt(Recipe(source, about["schedule"], about["prediction"]), denoiser, about, learned)
    st.session_state["geo_schedule"], st.session_state["geo_objective"] = about["schedule"], about["prediction"]
    st.session_state["geo_exact"] = False
    st.session_state["geo_data"] = source.name
    if source.name == "word":
        st.session_state["geo_word"] = source.text
    st.session_state["geo_weights_note"] = foreign(learned, source) or f"A model of the data of “{DATA[source.name]}”."


def foreign(learned: str, source: Source) -> str:
    """What to know of weights that were trained on something else than the source; nothing where they were not."""
    there = f"The distance is that to the data of “{DATA[source.name]}”."
    return f"These weights were trained on {learned}. {there}" if learned else ""


def what_it_learned(about: dict[str, Any]) -> str:
    """What the file of a model says that it was trained on, which is not here."""
    name = about.get("distribution")
    kinds = {"word": "a word that it does not tell", "drawing": "a drawing", "image": "an image"}
    if not is_text(name) or not name.strip():
        return "something that their file does not tell"
    return f"{kinds[name]} that is not here" if name in ("drawing", "image") else kinds.get(name, f"“{name[:40]}”")


def label_of(settings: Settings, learned: bool) -> str:
    """A side in a few words: who moves its points, and how."""
    model = PREDICTION_LABELS[settings.recipe.prediction].lower() if learned else "exact"
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
    trained = models.shelf().get(settings.recipe)
    caption = ""
    if not learned and not settings.exact:
        caption = "No network is trained for these settings yet: this is the exact model."
    elif learned and trained:
        caption = foreign(trained.learned, settings.recipe.source)
    scene = Scene(
        title=label_of(settings, learned),
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
        caption=caption,
    )
    return scene, run


def numbers(run: Run) -> None:
    """What was measured on one side."""
    help_distance = (
        "Sliced 2-Wasserstein distance of the samples to 2,000 points that no model has seen: smaller is better. Even "
        "a perfect model does not get 0, because so many points are drawn at random: the range is from the 5th to the "
        "95th percentile of 100 perfect sets."
    )
    if run.problem:
        st.error(run.problem, icon=":material/error:")
    with st.container(horizontal=True):
        st.metric(
            "Distance to fresh data",
            "none" if run.distance is None else f"{run.distance:.3f}",
            delta="perfect: {:.3f} to {:.3f}".format(*run.perfect),
            delta_arrow="off",
            delta_color="off",
            width="content",
            help=help_distance,
        )
        help_calls = "Each call answers for all points at once. Heun's method asks twice a step, but for the last."
        st.metric("Network calls", run.view.evaluations, width="content", help=help_calls)
        help_seconds = "To move all points, and the mesh, when these settings were first computed."
        st.metric("Sampling, s", f"{run.view.seconds:.2f}", width="content", help=help_seconds)
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
        f"diffusion-explorer-paths-{settings.recipe.source.name}-{settings.sampler}-{settings.steps}-steps.csv",
        "text/csv",
        on_click="ignore",
        icon=":material/table:",
        key=f"geo_csv{side}",
    )
    source = settings.recipe.source
    denoiser = None if settings.exact else models.learned(settings.recipe, moment)
    if denoiser is not None:
        st.download_button(
            f"Weights as safetensors{side}",
            lambda: to_bytes(denoiser, distribution=source.name, text=source.text, digest=source.digest),
            f"diffusion-explorer-{source.name}-{settings.recipe.schedule}-{settings.recipe.prediction}.safetensors",
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
    n = st.slider("Points", 100, FRESH_POINTS, Settings.n, 100, key="geo_points", bind="query-params")
    seed = st.slider("Seed", 0, 99, Settings.seed, key="geo_seed", bind="query-params", help="Of the starting noise.")
    with controls:
        sides = [side_controls("geo", source, Settings.sampler, n, seed)]
if compare:
    with right:
        st.markdown("**Right**")
        sides.append(side_controls("geo_b", source, "ddpm", n, seed))

names = ["", ""] if len(sides) == 1 else [" left", " right"]
recipes = list(dict.fromkeys(side.recipe for side in sides))
busy = work.standing(job for recipe in recipes if (job := models.job_for(recipe)))


@fragment(run_every=work.pace(busy))
def the_stage() -> None:
    """Draws the newest of everything; once a second while a worker trains."""
    jobs = {recipe: models.job_for(recipe) for recipe in recipes}
    for recipe, job in jobs.items():
        if job is not None:
            models.absorb(recipe, job)
    if busy != work.standing(filter(None, jobs.values())):
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
        chart(loss_chart(trained.curve, dark), alt="The loss, smoothed, against the training step.")
        chart(
            distance_chart(history, perfect_range(sides[0].recipe.source, Settings.n), dark),
            alt="The distance to fresh data against the training step, over the band of what a perfect model gets.",
        )
        st.caption(f"Distances of this history: {judged()}. The band is what a perfect model gets.")
    with st.expander("What each layer shows", icon=":material/layers:"):
        st.markdown(LAYERS)
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
            f"Weights that this lab saved{', for the left side' if compare else ''}",
            ["safetensors"],
            key="geo_weights",
            max_upload_size=20,
            on_change=load_weights,
            args=(source,),
            disabled=not ready,
        )
        if problem := st.session_state.get("geo_weights_problem"):
            st.error(problem, icon=":material/error:")
        if note := st.session_state.get("geo_weights_note"):
            st.caption(plain(note))
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
    "With **Exact model** and 10 examples every sample ends on an example: that is recall, and far from fresh data, as "
    "the distance says. A network that is trained on so few learns them by heart as well. The networks here learn from "
    "20,000 points, too many to learn by heart in seconds: they learn the shape that the points share, and make points "
    "that were in no data set.",
    "The network shown came trained; **Train** makes your own in seconds. How does it learn? Each step of training "
    "draws a batch of points of the shape and of noise, mixes them, and corrects what the network answers: which way "
    "leads from the mixture back to the point.",
    "Turn on the **Mesh** layer: followed exactly, the field bends the plane without folding it, so two starts never "
    "meet on the way. Lower **Steps** to 3 and the mesh folds over: that is the sampler's error, and the distance to "
    "fresh data measures it.",
    "A click starts one particle. Where no fresh noise is drawn (DDIM with eta 0, Euler, Heun, DPM-Solver++), one "
    "start has one end, and starts that are far apart end at different points, as a rule. Under DDPM or the SDE it "
    "becomes a fan, because fresh noise decides at every step.",
)
mathematics(
    (
        "**Schedule** sets how much signal and noise a point holds at time $t$, from data at 0 to noise at 1:",
        r"x_t = \alpha_t\, x_0 + \sigma_t\, \varepsilon, \qquad \varepsilon \sim \mathcal N(0, I)",
    ),
    (
        "**What the network predicts** is one mixture of the two unknowns, $x_0$ and $\\varepsilon$. Since $x_t$ is "
        "known, one mixture is enough to compute all others. The velocity $\\dot x_t$ follows time, so it points from "
        "data to noise:",
        r"v = \alpha_t\varepsilon - \sigma_t x_0, \qquad \dot x_t = \dot\alpha_t\, x_0 + \dot\sigma_t\,\varepsilon, "
        r"\qquad \nabla_{x_t}\log p(x_t) = -\mathbb E[\varepsilon \mid x_t] / \sigma_t",
    ),
    (
        "A sampler runs time backwards, and the stage shows every moment at one scale. The arrows of **Velocity** are "
        "therefore minus the velocity of what is drawn, and point from noise to data:",
        r"-\dot y_t \quad\text{with}\quad y_t = x_t / \sqrt{\alpha_t^2 + \sigma_t^2}",
    ),
    (
        "**Sampler** and **eta**, $\\eta$, decide the step from $t$ to $s$: 0 is DDIM, 1 is DDPM, and $z$ is unit "
        "noise, drawn afresh:",
        r"x_s = \alpha_s\,\hat x_0 + \sqrt{\sigma_s^2 - \eta^2 \tilde\sigma^2}\;\hat\varepsilon "
        r"+ \eta\,\tilde\sigma\, z, \qquad "
        r"\tilde\sigma^2 = \frac{\sigma_s^2}{\sigma_t^2}"
        r"\Bigl(\sigma_t^2 - \frac{\alpha_t^2}{\alpha_s^2}\sigma_s^2\Bigr)",
    ),
    (
        "The **exact model** averages its examples $x^{(i)}$, each weighted by the probability that $x_t$ was made "
        "from it:",
        r"\mathbb E[x_0 \mid x_t] = \sum_i p(x^{(i)} \mid x_t)\, x^{(i)}, \qquad p(x^{(i)} \mid x_t) \propto "
        r"\exp\Big(-\frac{\lVert x_t - \alpha_t\, x^{(i)} \rVert^2}{2 \sigma_t^2}\Big)",
    ),
)


def notebook(settings: Settings) -> str:
    """Code that computes what the stage shows on its left side."""
    recipe = settings.recipe
    text = f", text={recipe.source.text!r}" if recipe.source.name == "word" else ""
    data = (
        "import numpy as np\nimport torch\n\n"
        'given = np.loadtxt("points.csv", np.float32, delimiter=",")  # your own points, x,y in a line each\n'
        "points = fresh = torch.from_numpy(given)"
    )
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
    elif trained and not trained.config:
        model = 'denoiser = ex.load("weights.safetensors")  # the file that you loaded'
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
        f"import explorer as ex\n\n{data}\n\n{model}\n\n"
        f"trajectory = ex.sample(\n    denoiser, n={settings.n}, sampler={settings.sampler!r}, steps={settings.steps}, "
        f"seed={settings.seed}{eta}\n)\n"
        "\nprint(ex.sliced_wasserstein(trajectory.samples, fresh))"
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
        {
            "Yes": "To meet they would have to leave one place, at one moment, in two directions when time runs back, "
            "and the field has one direction there. The mesh shows it with many steps; where it folds, that is the "
            "error of a sampler with few.",
            "No": "At one time and place the field has one direction, so two paths that met would have been one path "
            "all along. The mesh shows it with many steps; with few steps a sampler only approximates the ODE, and "
            "its mesh may fold.",
        },
        "No",
    ),
    Question(
        "The exact model with 10 examples, and a network trained on 20,000 points: which has the smaller distance to "
        "fresh data?",
        {
            "The exact model, it is exact": "It is exact for its 10 examples, and returns them. Fresh data lies "
            "elsewhere, and that is what the distance measures. Switch between the two and read it.",
            "The network": "It has learned the shape of 20,000 points, on which fresh data lies too. The exact model "
            "returns its 10 examples and nothing else. Switch between the two and read the distance.",
        },
        "The network",
    ),
    Question(
        "With the **Velocity** layer on, which way do the arrows point?",
        {
            "To the data": "The layer shows where the sampler takes a point next, and sampling goes from noise to "
            "data. The velocity in the mathematics is its opposite, because time counts from data to noise.",
            "To the noise": "That is the velocity in the mathematics, where time runs from data at 0 to noise at 1. "
            "The layer shows the sampler's way, which is the way back.",
        },
        "To the data",
    ),
)
references(
    "flow_matching",
    "rectified_flow",
    "ddpm",
    "ddim",
    "sde",
    "edm",
    "dpm_solver",
    "langevin",
    "sliced_wasserstein",
    "diffusion_explorer",
)
end_page()
