"""One palette for every picture: the same role has the same colour everywhere.

The hues are Okabe and Ito's, which stay apart for colour-blind readers; the dark
theme takes lighter versions of the same hues.
"""

ROLES = ("data", "noise", "model", "exact")

LIGHT = {"data": "#0072b2", "noise": "#737380", "model": "#d55e00", "exact": "#00805c"}
DARK = {"data": "#56b4e9", "noise": "#a7a7b3", "model": "#ff9a4d", "exact": "#35c79a"}
THEMES = {"light": LIGHT, "dark": DARK}
