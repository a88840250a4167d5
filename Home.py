from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from starlette.middleware import Middleware
from streamlit.delta_generator import DeltaGenerator

from explorer import settings
from explorer.files import AssetError
from explorer.ui import spent, work
from explorer.ui.frame import IMAGES, NAME, SIDEBAR_WIDTH, begin_page, end_page, follow_course, page_link
from explorer.ui.map import show_map
from explorer.ui.path import show_progress, ways
from explorer.ui.server import loading, say
from explorer.ui.visitors import Names

if TYPE_CHECKING:
    from explorer.hardware.machine import Machine

FOLDER = Path(__file__).parent
TITLE = "Diffusion models, computed while you watch"
WELCOME = ("Welcome", ":material/home:")
MODULES = {
    "Foundations": {
        "pages/core_concepts.py": (
            "Core concepts",
            ":material/blur_on:",
            "Turn a digit into noise and back: schedules, the forward process, the reverse process.",
        ),
        "pages/geometry_lab.py": (
            "Geometry lab",
            ":material/scatter_plot:",
            "Train a model on a shape that you choose or draw, and watch how it carries noise there.",
        ),
    },
    "Images": {
        "pages/unet.py": (
            "The engine: U-Net",
            ":material/account_tree:",
            "Open a network, see what each block makes of a noisy digit, and cut its skip connections.",
        ),
        "pages/training_lab.py": (
            "Training lab",
            ":material/model_training:",
            "Train your own on digits, MNIST or your images, and watch noise turn into samples.",
        ),
        "pages/sampling_showdown.py": (
            "Sampling showdown",
            ":material/compare:",
            "DDPM against DDIM and the modern solvers: steps, seconds, quality, diversity.",
        ),
    },
    "Words": {
        "pages/guided_generation.py": (
            "Guided generation",
            ":material/brush:",
            "Type a prompt, watch a model draw it, and see what each word looks at.",
        ),
        "pages/voice_cloning.py": (
            "Voice cloning",
            ":material/graphic_eq:",
            "Hear noise become speech in a given voice, and see how near it comes.",
        ),
    },
    "Machines": {
        "pages/build_your_rig.py": (
            "Build your rig",
            ":material/memory:",
            "What published systems need in memory, time and money, computed from their own graphs.",
        ),
    },
    "Conclusion": {
        "pages/conclusion_ethics.py": (
            "Conclusion and ethics",
            ":material/balance:",
            "What models remember, prefer and leave behind, measured; and small ones of what comes next.",
        ),
    },
}


def welcome() -> None:
    """The course map, and something moving; torch is imported after everything else is on the screen."""
    begin_page(
        TITLE,
        "A course in which every picture is real data or comes from a real model. Models train, sample and are "
        "measured on this machine; what was trained or recorded before it got here says so.",
    )
    titles = {Path(page).stem: about[:2] for pages in MODULES.values() for page, about in pages.items()}
    show_map({"": WELCOME, **titles})
    stage, course = st.columns([1.35, 1], gap="large")
    with stage:
        animation = st.empty()
        animation.skeleton(height=560)
        ways()
        show_progress()
        st.header("This machine", anchor=False)
        machine = st.empty()
        machine.skeleton(height=90)
    with course:
        for section, pages in MODULES.items():
            st.header(section, anchor=False)
            for page, (title, _, about) in pages.items():
                with st.container(border=True):
                    page_link(page, title)
                    st.markdown(about)
    end_page()

    spent.begin(TITLE, "below")
    try:
        show_animation(animation)
    except AssetError as error:
        with animation:
            say(error)
    show_machine(machine)
    spent.end()


def show_animation(place: DeltaGenerator) -> None:
    """A shipped model carries noise to a swiss roll."""
    from explorer.lessons.geometry_lab.runs import Recipe, Settings, Source, points_of
    from explorer.lessons.views import EXTENT
    from explorer.ui.geometry_lab.models import run_of
    from explorer.ui.player import Scene, player

    settings = Settings(Recipe(Source("swiss_roll"), "flow", "velocity"))
    run, denoiser, _ = run_of(settings)
    view = run.view
    target = points_of(settings.recipe.source)[1][:1200].numpy()
    scene = Scene("Noise becomes a swiss roll", view.x, view.t, view.x0, target=target, mesh=view.mesh)
    weights = sum(parameter.numel() for parameter in denoiser.parameters())
    with place.container():
        player([scene], key="home_player", extent=EXTENT)
        st.caption(
            f"A network of {weights:,} weights moved {settings.n:,} points, and a mesh, in {view.seconds:.2f} s on "
            f"this machine; it came trained. Distance to fresh data {run.distance:.3f}; a perfect model gets "
            f"{run.perfect[0]:.3f} to {run.perfect[1]:.3f}."
        )


@st.cache_resource(show_spinner=False)
def machine_measured() -> "Machine":
    """Measured once a process."""
    from explorer.hardware.machine import measure

    return measure()


def show_machine(place: DeltaGenerator) -> None:
    """What it has, how fast it is, and what trains on it."""
    from explorer.ui.geometry_lab.training import SECONDS

    machine, workers = machine_measured(), work.manager().workers
    where = "on a cluster of machines" if settings.read().cluster else "here too"
    with place.container():
        with st.container(horizontal=True):
            st.metric("Cores", machine.cores, width="content")
            if machine.memory:
                st.metric("Memory", f"{machine.memory / 2**30:.0f} GiB", width="content")
            st.metric(
                "Matrix product",
                f"{machine.flops / 1e9:.0f} GFLOP/s",
                width="content",
                help="One thread, float32.",
            )
            st.metric(
                "2D training",
                f"{machine.training_steps:,.0f} steps/s",
                width="content",
                help="The Geometry lab's network, batch 512.",
            )
        st.caption(
            "The models of these modules run on the CPU; they need no more than this. What you train is trained "
            f"{where}, not in your browser: a phone then trains as fast as a laptop, and a training goes on while you "
            f"look at another page. At most {workers} at a time, the others wait in turn: of the Geometry lab's, which "
            f"take {SECONDS} s, a class gets {60 * workers // SECONDS} a minute at most."
        )


if __name__ == "__main__":
    sections = {
        section: [
            st.Page(FOLDER / page, title=title, icon=icon, url_path=Path(page).stem)
            for page, (title, icon, _) in pages.items()
        ]
        for section, pages in MODULES.items()
    }
    # Before the navigation, so that the sidebar fits and no icon of it is fetched from elsewhere for the tab.
    st.set_page_config(page_icon=str(IMAGES / "icon.svg"), layout="wide", initial_sidebar_state=SIDEBAR_WIDTH)
    course = {NAME: [st.Page(welcome, title=WELCOME[0], icon=WELCOME[1], default=True)], **sections}
    teachers = st.Page(FOLDER / "pages/for_teachers.py", title="For teachers", icon=":material/co_present:")
    current = st.navigation({**course, "Teaching": [teachers]})
    follow_course([page for pages in course.values() for page in pages], current)
    st.logo(str(IMAGES / "logo.svg"), size="large")
    current.run()
else:  # `streamlit run` imports this file once, as its server; every session then runs it as its script
    first = loading("explorer.ui.geometry_lab.models", "explorer.lessons.geometry_lab.runs")
    app = st.App(__file__, lifespan=first, middleware=[Middleware(Names)], on_script_error=say)
