"""How names, numbers and states are written. Everything here gives text that is safe to put into Markdown."""

import re
import time
from collections.abc import Iterable, Mapping, Sequence

from core.errors import FoveaError
from core.figures.colours import class_colour
from core.runs.run import RunState

_MARKS = re.compile(r"([\\`*_{}\[\]()#+.!|~$<>&^=-])")
_NOT_YET_JOINED = re.compile(r"(:(?=[\w/:\[])|@|(?<=www)(?=\\\.))")

STATE_ICONS = {
    RunState.QUEUED: ":material/hourglass_empty:",
    RunState.STARTING: ":material/play_circle:",
    RunState.RUNNING: ":material/play_circle:",
    RunState.FINISHED: ":material/check_circle:",
    RunState.STOPPED: ":material/stop_circle:",
    RunState.PAUSED: ":material/pause_circle:",
    RunState.FAILED: ":material/error:",
}
STATE_COLOURS = {
    RunState.QUEUED: "gray",
    RunState.STARTING: "blue",
    RunState.RUNNING: "blue",
    RunState.FINISHED: "green",
    RunState.STOPPED: "orange",
    RunState.PAUSED: "violet",
    RunState.FAILED: "red",
}


SCORE_WORDS = {"classification": "accuracy", "segmentation": "mean Dice"}  # the metric that stands for a run
SCORE_HELP = {
    "classification": "In brackets the 95 % interval (Wilson): where the true accuracy on such images plausibly lies.",
    "segmentation": "Dice says how well predicted and true area overlap, 0 to 1; here it is pooled over the pixels of "
    "all validation images at the size the model sees, and is the mean of the classes without background. In brackets "
    "the 95 % interval from resampling images.",
}


FIELD_WORDS = {  # fields of a recipe as the form calls them
    "accumulate": "batches a step",
    "augment.policy": "augmentation",
    "augment.rows": "transforms of the augmentation",
    "augment.views": "stored variants",
    "batch_size": "batch",
    "best_by": "keeps the epoch with the best",
    "clip": "gradient clipping",
    "early_stopping.least": "stopping: least change",
    "early_stopping.metric": "stopping: watches",
    "early_stopping.patience": "stopping: patience",
    "ema": "mean of weights",
    "fit": "how images become square",
    "image_size": "image size",
    "loss.class_weights": "how classes count",
    "loss.label_smoothing": "label smoothing",
    "loss.name": "loss",
    "mix.cutmix": "CutMix",
    "mix.mixup": "MixUp",
    "mix.probability": "mixed batches",
    "model.architecture": "architecture",
    "model.backbone": "backbone",
    "model.drop_path": "drop-path",
    "model.dropout": "dropout",
    "model.encoder": "encoder",
    "model.head": "head",
    "model.hidden": "units of the dense layer",
    "model.weights": "weights at the start",
    "optimizer.layer_decay": "layer decay",
    "optimizer.momentum": "momentum",
    "optimizer.name": "optimizer",
    "optimizer.weight_decay": "weight decay",
    "restore_best": "each phase goes on from the best weights",
    "sampler": "how training images are drawn",
    "schedule.name": "learning rate over time",
    "schedule.warmup": "warm-up",
    "tracker": "figures also to",
}
_PHASE_WORDS = {
    "learning_rate": "learning rate",
    "trainable": "what trains",
    "solver": "how the head learns",
    "schedule.name": "learning rate over time",
    "schedule.warmup": "warm-up",
}


def field_words(path: str) -> str:
    """A field of a recipe in the words of the form: "phases.0.learning_rate" as "phase 1, learning rate"."""
    if path in FIELD_WORDS:
        return FIELD_WORDS[path]
    first, *rest = path.split(".")
    if first == "phases" and rest and rest[0].isdigit():
        inside = ".".join(rest[1:])
        return f"phase {int(rest[0]) + 1}" + (f", {_PHASE_WORDS.get(inside, spoken(inside))}" if inside else "")
    return spoken(path)


def spoken(path: str) -> str:
    """The names in a path as words: "loss.values.gamma" as "loss, gamma"."""
    return ", ".join(name.replace("_", " ") for name in path.split(".") if name != "values")


def plain(text: str, most: int = 0) -> str:
    """A name that Markdown shows letter for letter: no emphasis, link, icon, colour, formula or HTML comes of it.

    Marks get a backslash. What Streamlit replaces after Markdown was read (":name:", ":red[") is broken up by a
    zero-width joiner. With `most`, a longer name loses its middle.
    """
    text = " ".join(str(text).split())
    if most:
        text = shorten(text, most)
    return _NOT_YET_JOINED.sub("\\1\u2060", _MARKS.sub(r"\\\1", text))


def shorten(text: str, most: int) -> str:
    """A text of at most `most` letters: a longer one loses its middle."""
    return text if len(text) <= most else text[: most - most // 3 - 1] + "…" + text[-(most // 3) :]


def sentence(error: FoveaError) -> str:
    """An error as one sentence; the names in it stay text."""
    return plain(str(error))


def failure(error: BaseException) -> str:
    """Any error as text: a sentence where it was foreseen, else its first line, without the traceback that a helper
    process sends along."""
    if isinstance(error, FoveaError):
        return sentence(error)
    lines = str(error).strip().splitlines()
    return f"It failed: {plain(lines[0] if lines else type(error).__name__, 300)}"


def count(number: int, noun: str, plural: str = "") -> str:
    """ "1 image", "1,249 images"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def size(number: int) -> str:
    """Bytes as "23 MB"."""
    value = float(number)
    for unit in ("bytes", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if value >= 10 or unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def duration(seconds: float | None) -> str:
    """Seconds as "8 s", "2 min 05 s", "1 h 20 min"; a dash when nobody knows."""
    if seconds is None:
        return "–"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s" if seconds >= 3 else f"{seconds:.1f} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def share(value: float | None) -> str:
    """A share as "0.938"; a dash where it is undefined."""
    return "–" if value is None else f"{value:.3f}"


def spread_words(mean: float | None, std: float | None) -> str:
    """A mean and its standard deviation as "0.938 ± 0.012"; a dash where there is none."""
    return share(mean) + ("" if std is None else f" ± {std:.3f}")


def bounds(interval: tuple[float, float] | None) -> str:
    """A 95 % interval as "0.911–0.957" in square brackets; nothing when there is none."""
    return "" if interval is None else f"[{interval[0]:.3f}–{interval[1]:.3f}]"


def measured(value: float | None, interval: tuple[float, float] | None) -> str:
    """A metric and its interval: "0.938 [0.911–0.957]"."""
    return f"{share(value)} {bounds(interval)}".rstrip()


def moment(seconds: float) -> str:
    """A time in seconds since 1970 as "21 Nov 14:05", on this server's clock."""
    local = time.localtime(seconds)
    return f"{local.tm_mday} {time.strftime('%b %H:%M', local)}"


def data_name(name: str, revision: int) -> str:
    """A dataset and its revision as text: "Cells", from the second revision on "Cells, revision 2"."""
    return name if revision == 1 else f"{name}, revision {revision}"


def splits(counts: Mapping[str, int]) -> str:
    """ "280 train, 60 validation, 60 test"."""
    return ", ".join(f"{number:,} {split}" for split, number in counts.items())


def swatch(colour: str) -> str:
    """A small square of the colour "#rrggbb"."""
    return f':color[&nbsp;&nbsp;&nbsp;]{{background="{colour}"}}'


def legend(classes: Sequence[str], shown: Iterable[int] | None = None) -> str:
    """The classes, or those shown, each with the square of its colour."""
    places = range(len(classes)) if shown is None else shown
    return " &nbsp; ".join(f"{swatch(class_colour(place))} {plain(classes[place], 30)}" for place in places)


def state_badge(state: RunState) -> str:
    """A run's state as icon, colour and word."""
    return f":{STATE_COLOURS[state]}-badge[{STATE_ICONS[state]} {state.value}]"
