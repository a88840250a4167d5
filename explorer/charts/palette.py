"""One palette for every picture: the same role has the same colour everywhere.

The hues are Okabe and Ito's, which stay apart for colour-blind readers; the dark
theme takes lighter versions of the same hues.
"""

ROLES = ("data", "noise", "model", "exact")

LIGHT = {"data": "#0072b2", "noise": "#737380", "model": "#d55e00", "exact": "#00805c"}
DARK = {"data": "#56b4e9", "noise": "#a7a7b3", "model": "#ff9a4d", "exact": "#35c79a"}
THEMES = {"light": LIGHT, "dark": DARK}

CATEGORIES = ("data", "model", "exact", "noise")  # roles in the order in which a chart's categories take their colours
MORE = {  # colours of what has no role
    "light": ["#8e3b96", "#b07400", "#444a52", "#0c8fa0", "#8a4b22", "#d9488f", "#6f7d1c"],
    "dark": ["#d08ae0", "#f0c04a", "#d0d4da", "#4fd0e0", "#d0a07a", "#ff8fc0", "#bccb5a"],
}
GROUNDS = {"light": "#ffffff", "dark": "#0f1114"}
INKS = {"light": "#101418", "dark": "#f0f2f4"}
LINES = {"light": "#d5d9de", "dark": "#363c44"}  # of a grid


def as_in(theme: str) -> dict[str, str]:
    """Each colour of the other theme, and what it is in `theme`."""
    other = "light" if theme == "dark" else "dark"
    theirs, ours = (
        [*THEMES[name].values(), *MORE[name], GROUNDS[name], INKS[name], LINES[name]] for name in (other, theme)
    )
    return dict(zip(theirs, ours, strict=True))
