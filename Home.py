from pathlib import Path

import streamlit as st

from explorer.ui.layout import NAME, TITLES, begin_page, end_page, page_link

FOLDER = Path(__file__).parent
MODULES = {
    "Foundations": {
        "pages/core_concepts.py": (
            ":material/blur_on:",
            "Turn a digit into noise and back: schedules, the forward process, the reverse process.",
        ),
        "pages/geometry_lab.py": (
            ":material/scatter_plot:",
            "Train a model on a shape that you choose or draw, and watch how it carries noise there.",
        ),
    },
}


def welcome() -> None:
    """The course map, and something moving; torch is imported after everything else is on the screen."""
    begin_page(
        "Diffusion models, computed while you watch",
        "A course in which every picture comes from a real model: it trains, samples and is measured on this machine.",
    )
    stage, course = st.columns([1.35, 1], gap="large")
    with stage:
        animation = st.empty()
        animation.skeleton(height=560)
    with course:
        for section, pages in MODULES.items():
            st.subheader(section, anchor=False)
            for page, (_, about) in pages.items():
                with st.container(border=True):
                    page_link(page, TITLES[page])
                    st.markdown(about)
        st.subheader("This machine", anchor=False)
        machine = st.empty()
        machine.skeleton(height=90)
    end_page()

    with animation.container():
        show_animation()
    with machine.container():
        show_machine()


def show_animation() -> None:
    """A shipped model carries noise to a swiss roll."""
    import explorer as ex
    from explorer.ui import models2d
    from explorer.ui.player import Scene, player
    from explorer.views import EXTENT

    source, name = models2d.Source("swiss_roll"), "toy2d-swiss_roll-flow-velocity"
    denoiser = ex.load_pretrained(name)
    run = models2d.run(denoiser, name, source, "heun", 20, None, 1500, 0, None, None, None)
    view = run.view
    scene = Scene(
        "Noise becomes a swiss roll",
        view.x,
        view.t,
        view.x0,
        target=models2d.points_of(source)[1][:1200],
        mesh=view.mesh,
    )
    player([scene], key="home_player", extent=EXTENT, height=430)
    weights = sum(parameter.numel() for parameter in denoiser.parameters())
    st.caption(
        f"A network of {weights:,} weights moved {len(view.samples):,} points in {view.seconds:.2f} s. "
        f"Distance to fresh data {run.distance:.3f}; two fresh sets are {run.floor:.3f} apart."
    )


@st.cache_resource(show_spinner=False)
def machine_measured():
    from explorer.hardware.machine import measure

    return measure()


def show_machine() -> None:
    """What it has, and how fast it is."""
    machine = machine_measured()
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
    st.caption(f"Models run on: {machine.device}. The first two modules need no more than this.")


sections = {
    section: [
        st.Page(FOLDER / page, title=TITLES[page].split(":")[0], icon=icon, url_path=Path(page).stem)
        for page, (icon, _) in pages.items()
    ]
    for section, pages in MODULES.items()
}
current = st.navigation({NAME: [st.Page(welcome, title="Welcome", icon=":material/home:", default=True)], **sections})
st.logo(str(FOLDER / "assets" / "images" / "logo.svg"), size="large")
current.run()
