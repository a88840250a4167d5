"""Text that people typed, or the names of their files, among our own Markdown."""

import re


def plain(text: str) -> str:
    """The text with every sign escaped that Markdown, or Streamlit's own additions to it, would read as more."""
    escaped = re.sub(r"([\\`*_\[\](){}$~<>#!|&])", r"\\\1", text)
    return re.sub(r":(?=\S)", ":\N{WORD JOINER}", escaped)  # no escape keeps Streamlit from :smile: and :red[...]
