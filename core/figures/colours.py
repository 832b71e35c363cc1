"""One colour per class, the same on every page.

The first six are the colours of Okabe and Ito (https://jfly.uni-koeln.de/color/); the others were picked one after the
other, each as far as possible from all before it for people with full colour vision and with protan, deutan and tritan
vision (simulated after Machado et al., 2009, https://doi.org/10.1109/TVCG.2009.113), among colours that stand out from
both the light and the dark page. Beyond the last one they start again, so a name always stands beside a colour.
"""

CLASS_COLOURS = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#d55e00",
    "#56b4e9",
    "#784058",
    "#b8c098",
    "#106000",
    "#a070f8",
    "#b01820",
    "#786878",
    "#a06048",
    "#6830b8",
    "#88b068",
    "#a02090",
    "#988048",
    "#c898c0",
    "#8060e8",
    "#98c0e0",
    "#c03898",
    "#6048d0",
    "#e88000",
    "#7898e8",
)

ACCENT = "#16859a"  # the one colour of the app itself: what was validated, what is chosen
QUIET = "#8496a0"  # what stands behind it: training curves, rules, notes


def class_colour(index: int) -> str:
    """The colour of the class with this index, as "#rrggbb"."""
    return CLASS_COLOURS[index % len(CLASS_COLOURS)]


def faded(colour: str, opacity: float) -> str:
    """The colour as "rgba(...)", with an opacity in [0, 1], so that the page shows through it."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"
