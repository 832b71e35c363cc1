"""How a report writes numbers, times and counts. Times are in UTC, so that every machine writes the same report."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

WILSON = "95 % interval: Wilson's score interval of a proportion"
F1 = "95 % interval: Wilson's interval of the hits among all cases that concern the class, carried over to F1"
MACRO = "95 % interval: the wider of resampling (bootstrap) and the classes' own intervals taken together (MOVER)"
IMAGES = "95 % interval: bootstrap over whole images, widened after Student's t where images are few"

_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")


def unturned(text: str) -> str:
    """A text without the marks by which a name could turn the figures beside it round ("12 %" to "% 21")."""
    return _TURNING.sub("", text)


def share(value: float | None) -> str:
    """A share as "0.938"; a dash where it is undefined."""
    return "–" if value is None else f"{value:.3f}"


def bounds(interval: Sequence[float] | None, digits: int = 3) -> str:
    """An interval as "[0.911, 0.957]"; nothing where there is none."""
    return "" if interval is None else f"[{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"


def measured(value: float | None, interval: Sequence[float] | None) -> str:
    """ "0.938 [0.911, 0.957]"."""
    return f"{share(value)} {bounds(interval)}".rstrip()


def percent(value: float) -> str:
    """ "93.8 %"."""
    return f"{100 * value:.1f} %"


def percents(interval: Sequence[float] | None) -> str:
    """ "91.1 % to 95.7 %"."""
    return "unknown" if interval is None else f"{percent(interval[0])} to {percent(interval[1])}"


def count(number: int, noun: str, plural: str = "") -> str:
    """ "1 image", "1,249 images"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(words: Iterable[str], joint: str = "and") -> str:
    """ "a", "a and b", "a, b and c"."""
    words = list(words)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {joint} {words[-1]}" if words else ""


def number(value: float) -> str:
    """A number as it was chosen: "0.003", "1e-05"."""
    return f"{value:g}"


def moment(seconds: float) -> str:
    """Seconds since 1970 as "22 Nov 2026, 13:05 UTC"."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%d %b %Y, %H:%M UTC").lstrip("0")
    except (OverflowError, ValueError, OSError):
        return "an unknown time"


def duration(seconds: float) -> str:
    """ "8 s", "2 min 5 s", "1 h 20 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def shorten(text: str, most: int) -> str:
    """A text of at most `most` letters on one line: a longer one loses its middle."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - most // 3 - 1] + "…" + text[-(most // 3) :]
