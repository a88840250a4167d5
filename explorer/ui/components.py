"""Registers the components of `assets/components` with Streamlit.

A component is one ES module, so the files that it imports are put in front of it.
"""

import re

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from explorer.files import ASSETS

FOLDER = ASSETS / "components"


def component(name: str, *modules: str) -> ComponentRenderer:
    """Mounting command of `name`.js and `name`.css, with `modules` (.js) bundled before it.

    Example: `component("player", "buffer", "transport")`.
    """
    imports = re.compile(r"^import .*?;\n", re.MULTILINE | re.DOTALL)
    exports = re.compile(r"^export (?!default)", re.MULTILINE)
    sources = [(FOLDER / f"{module}.js").read_text() for module in (*modules, name)]
    script = "\n".join(exports.sub("", imports.sub("", source)) for source in sources)
    styles = [FOLDER / f"{part}.css" for part in (*modules, name)]
    css = "\n".join(style.read_text() for style in styles if style.exists())
    return st.components.v2.component(f"explorer_{name}", js=script, css=css)
