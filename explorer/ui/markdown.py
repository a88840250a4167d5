"""Text that people typed, or the names of their files, among our own Markdown."""

import re


def plain(text: str) -> str:
    """The text with every sign escaped that Markdown, or Streamlit's own additions to it, would read as more."""
    return re.sub(r"([\\`*_\[\](){}$~<>#!|&]|:(?=\S))", r"\\\1", text)
