"""What a search may vary: fields of a recipe as literal rows, each with a range that makes sense to begin with.

A span is one field with what it may be: a `Range` of numbers or a few `Options`. Importing this file imports neither
torch nor Optuna.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from core.augment.catalog import POLICIES
from core.errors import RecipeError, shown
from core.knobs import BoolKnob, ChoiceKnob, FloatKnob, IntKnob, Knob
from core.models.heads import HEADS
from core.recipe import Recipe, from_text
from core.train.losses import LOSSES
from core.train.mask_losses import MASK_LOSSES
from core.train.optimizers import OPTIMIZERS
from core.train.schedules import SCHEDULES

MOST_COMBINATIONS = 10_000  # of a grid; nobody trains more, and they are all written out in memory


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included."""

    path: str  # of the recipe, as in "phases.0.learning_rate"
    low: float
    high: float
    log: bool = False  # as many draws between 0.001 and 0.01 as between 0.01 and 0.1
    whole: bool = False

    @property
    def ends(self) -> tuple[float, float]:
        """The two values that have to be allowed, so that all between them are."""
        return self.low, self.high

    @property
    def values(self) -> tuple[float, ...] | None:
        """All values there are; None where they cannot be counted."""
        return tuple(range(int(self.low), int(self.high) + 1)) if self.whole else None

    def holds(self, value: Any) -> bool:
        """Whether a value is one of these."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and self.low <= value <= self.high and not (self.whole and value != int(value))

    def __str__(self) -> str:
        return f"{self.path}={self.low:g}..{self.high:g}{':log' if self.log else ''}"


@dataclass(frozen=True)
class Options:
    """A few values that are tried as they are."""

    path: str
    options: tuple[Any, ...]

    @property
    def ends(self) -> tuple[Any, ...]:
        """All of them: none lies between others."""
        return self.options

    @property
    def values(self) -> tuple[Any, ...]:
        return self.options

    def holds(self, value: Any) -> bool:
        """Whether a value is one of these."""
        return value in self.options

    def __str__(self) -> str:
        return f"{self.path}={','.join(str(option) for option in self.options)}"


Span = Range | Options


@dataclass(frozen=True)
class SpaceRow:
    """One kind of field that may be searched, and where a search of it begins."""

    path: str  # "phases.*.epochs": of every phase
    label: str
    sentence: str
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False
    options: tuple[Any, ...] = ()  # where there are some, there is no range
    around: float = 0.0  # not 0: from the recipe's own value divided by this to that value times this


def _names(rows: Iterable[Any]) -> tuple[str, ...]:
    return tuple(row.name for row in rows)


ROWS: tuple[SpaceRow, ...] = (
    SpaceRow(
        "phases.*.learning_rate",
        "learning rate",
        "How far one step moves the weights: the first thing to search.",
        1e-6,
        1.0,
        log=True,
        around=10.0,
    ),
    SpaceRow("phases.*.epochs", "epochs", "Passes over the training images.", 3, 30, whole=True),
    SpaceRow(
        "phases.*.trainable",
        "what trains",
        "Which layers may change.",
        options=("head", "last 20%", "last 40%", "everything"),
    ),
    SpaceRow("batch_size", "batch", "Images per step.", 8, 64, log=True, whole=True),
    SpaceRow("image_size", "image size", "Side in pixels: more detail, more time.", options=(128, 160, 224)),
    SpaceRow("augment.policy", "augmentation", "How training images are varied.", options=_names(POLICIES)),
    SpaceRow("augment.views", "stored variants", "Of each image, while the backbone is frozen.", 1, 4, whole=True),
    SpaceRow("optimizer.name", "optimizer", "How weights move.", options=_names(OPTIMIZERS)),
    SpaceRow("optimizer.weight_decay", "weight decay", "Pulls weights towards 0.", 1e-5, 0.1, log=True),
    SpaceRow("optimizer.momentum", "momentum", "Where the optimizer has one to choose.", 0.8, 0.99),
    SpaceRow("optimizer.layer_decay", "layer decay", "A layer's rate as a share of the next one's.", 0.6, 1.0),
    SpaceRow("schedule.name", "schedule", "How the learning rate moves over time.", options=_names(SCHEDULES)),
    SpaceRow("schedule.warmup", "warm-up", "Share of the steps spent rising to the peak.", 0.0, 0.3),
    SpaceRow("model.head", "head", "What stands on the backbone.", options=_names(HEADS)),
    SpaceRow("model.hidden", "hidden units", "Of a dense layer, if any.", 64, 1024, log=True, whole=True),
    SpaceRow("model.dropout", "dropout", "Share left out before the last layer.", 0.0, 0.6),
    SpaceRow("model.drop_path", "drop path", "Share of residual branches left out.", 0.0, 0.3),
    SpaceRow("loss.name", "loss", "What is minimised.", options=_names(LOSSES)),
    SpaceRow("loss.label_smoothing", "label smoothing", "Probability spread over all classes.", 0.0, 0.2),
    SpaceRow("loss.class_weights", "class weights", "How much each class counts.", options=("none", "balanced")),
    SpaceRow(
        "sampler", "order of images", "As they come, or each class equally often.", options=("shuffle", "balanced")
    ),
    SpaceRow("mix.mixup", "MixUp", "How strongly images are blended; 0: not at all.", 0.0, 1.0),
    SpaceRow("mix.cutmix", "CutMix", "How large a part comes from another image; 0: none.", 0.0, 1.0),
    SpaceRow("ema", "mean of weights", "Decay per step of a running mean; 0: none.", options=(0.0, 0.99, 0.999)),
    SpaceRow("clip", "longest gradient", "0: any.", options=(0.0, 1.0, 5.0)),
)
_WITH_KNOBS = ("loss", "schedule")  # parts whose rows have knobs of their own
_CLASSIFIERS_ONLY = ("augment.views", "sampler", "mix.mixup", "mix.cutmix")


def searchable(recipe: Recipe) -> dict[str, SpaceRow]:
    """{path: row} of all fields of this recipe that a search may vary, the knobs of its loss and schedule included."""
    found: dict[str, SpaceRow] = {}
    data = recipe.model_dump(mode="json")
    for row in ROWS:
        if recipe.task != "classification" and row.path in _CLASSIFIERS_ONLY:
            continue
        if row.path == "loss.name" and recipe.task == "segmentation":
            row = SpaceRow(row.path, row.label, row.sentence, options=_names(MASK_LOSSES))
        for number in range(len(recipe.phases)) if "*" in row.path else (0,):
            path = row.path.replace("*", str(number))
            if _has(data, path) and _counts(recipe, path):
                found[path] = row
    for part in _WITH_KNOBS:
        found |= {f"{part}.values.{knob.name}": _of_knob(part, knob) for knob in _knobs(recipe, part)}
    return found


def label_of(recipe: Recipe, path: str) -> str:
    """A field in a few words: "learning rate", with its phase where there are several."""
    row = searchable(recipe).get(path)
    if row is None:
        return path
    several = "*" in row.path and len(recipe.phases) > 1
    return f"{row.label}, {recipe.phases[int(path.split('.')[1])].name}" if several else row.label


def value_at(recipe: Recipe, path: str) -> Any:
    """What a recipe has in a searchable field, a knob at its default included."""
    here: Any = recipe.model_dump(mode="json")
    for step in path.split("."):
        if isinstance(here, dict) and step not in here:  # a knob that was left out
            return _knob_default(recipe, path)
        here = here[int(step)] if isinstance(here, list) else here[step]
    return here


def default_span(recipe: Recipe, path: str) -> Span:
    """Where a search of a field begins; the recipe's own value is always in it where the scale allows.

    Raises RecipeError for a field that no search may vary.
    """
    row, own = _row(recipe, path), value_at(recipe, path)
    if row.options:
        return Options(path, row.options if own in row.options else (own, *row.options))
    low, high = row.low, row.high
    if row.around:
        low, high = max(low, own / row.around), min(high, own * row.around)
        low, high = (float(f"{end:.2g}") for end in (low, high))
    if isinstance(own, int | float) and not (row.log and own <= 0):
        low, high = min(low, own), max(high, own)
    return Range(path, low, high, row.log, row.whole)


def read_span(recipe: Recipe, text: str) -> Span:
    """A span as a command line writes it: "PATH=LOW..HIGH", with ":log" behind it, "PATH=A,B,C", or "PATH" alone.

    Raises RecipeError for anything else and for a field that no search may vary.
    """
    path, equals, told = (part.strip() for part in text.partition("="))
    if not equals:
        return default_span(recipe, path)
    row = _row(recipe, path)
    if ".." not in told:
        return Options(path, tuple(from_text(option.strip()) for option in told.split(",")))
    ends, _, scale = told.partition(":")
    low, _, high = ends.partition("..")
    try:
        bounds = float(low), float(high)
    except ValueError:
        bounds = ()
    if not bounds or scale not in ("", "log", "linear"):
        raise RecipeError(path, found=shown(told), expected="LOW..HIGH, LOW..HIGH:log or a list of values: A,B,C")
    return Range(path, *bounds, log=scale == "log", whole=row.whole)


def check_space(recipe: Recipe, space: tuple[Span, ...]) -> None:
    """Refuse, in one sentence, what cannot be searched.

    Raises RecipeError for no span at all, a field named twice, one that the recipe does not have or no search may vary,
    and for bounds and options that are in a wrong order, too few, or not allowed by the recipe.
    """
    if not space:
        raise RecipeError("The search has nothing to vary", do="Choose at least one field of the recipe")
    paths = [span.path for span in space]
    for path in paths:
        if paths.count(path) > 1:
            raise RecipeError(path, found=f"{paths.count(path)} ranges", expected="one range for each field")
    for span in space:
        part, _, rest = span.path.partition(".")
        if rest.startswith("values.") and f"{part}.name" in paths:
            raise RecipeError(span.path, found=f"{part}.name varied as well", expected="only one of the two")
        _check_span(recipe, span)


def with_values(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """The recipe with these values in its fields. Raises RecipeError for one that is not allowed."""
    changes: dict[str, Any] = {}
    if "augment.policy" in values:  # rows of its own would hide the policy
        changes["augment.rows"] = None
    for part in _WITH_KNOBS:
        if values.get(f"{part}.name", value_at(recipe, f"{part}.name")) != value_at(recipe, f"{part}.name"):
            changes[f"{part}.values"] = {}  # they are knobs of the one that was there
    return recipe.set(changes | dict(values))


def combinations(space: tuple[Span, ...]) -> int | None:
    """How many points a space has; None where they cannot be counted."""
    counts = [span.values for span in space]
    return None if any(values is None for values in counts) else math.prod(len(values) for values in counts)


def span_to_json(span: Span) -> dict[str, Any]:
    """Plain data."""
    if isinstance(span, Options):
        return {"path": span.path, "options": list(span.options)}
    return {"path": span.path, "low": span.low, "high": span.high, "log": span.log, "whole": span.whole}


def span_from_json(data: Mapping[str, Any]) -> Span:
    """The span from plain data. Raises KeyError, TypeError or ValueError when it is none."""
    if "options" in data:
        return Options(str(data["path"]), tuple(data["options"]))
    return Range(
        str(data["path"]), float(data["low"]), float(data["high"]), bool(data.get("log")), bool(data.get("whole"))
    )


def _row(recipe: Recipe, path: str) -> SpaceRow:
    rows = searchable(recipe)
    if path not in rows:
        raise RecipeError(path or "The search", found="no field that a search may vary", expected=", ".join(rows))
    return rows[path]


def _check_span(recipe: Recipe, span: Span) -> None:
    row, path = _row(recipe, span.path), span.path
    if isinstance(span, Options):
        plain = all(isinstance(option, str | int | float | bool) for option in span.options)
        if len(set(map(repr, span.options))) < max(2, len(span.options)) or not plain:
            raise RecipeError(path, found=shown(list(span.options)), expected="two or more different values")
    elif row.options:
        known = ",".join(str(option) for option in row.options)
        raise RecipeError(path, found="a range of numbers", expected=f"a list of values, such as {path}={known}")
    elif not (math.isfinite(span.low) and math.isfinite(span.high) and span.low < span.high):
        raise RecipeError(path, found=f"{span.low:g}..{span.high:g}", expected="a low end below the high end")
    elif span.log and span.low <= 0:
        raise RecipeError(path, found=f"{span.low:g}..{span.high:g}:log", expected="a low end above 0, or no log")
    elif row.whole and (span.low != int(span.low) or span.high != int(span.high) or not span.whole):
        raise RecipeError(path, found=f"{span.low:g}..{span.high:g}", expected="whole numbers")
    for end in span.ends:
        with_values(recipe, {path: int(end) if row.whole and not row.options else end})


def _of_knob(part: str, knob: Knob) -> SpaceRow:
    path = f"{part}.values.{knob.name}"
    match knob:
        case FloatKnob() | IntKnob():
            return SpaceRow(path, knob.label, knob.help, knob.low, knob.high, whole=isinstance(knob, IntKnob))
        case ChoiceKnob():
            return SpaceRow(path, knob.label, knob.help, options=knob.options)
        case BoolKnob():
            return SpaceRow(path, knob.label, knob.help, options=(False, True))


def _knob_default(recipe: Recipe, path: str) -> Any:
    part, _, name = path.split(".")
    return next((knob.default for knob in _knobs(recipe, part) if knob.name == name), None)


def _knobs(recipe: Recipe, part: str) -> tuple[Knob, ...]:
    """The knobs of the loss or the schedule that a recipe has; none of one that nobody knows."""
    losses = LOSSES if recipe.task == "classification" else MASK_LOSSES
    rows = {"loss": losses, "schedule": SCHEDULES}[part]
    return next((row.knobs for row in rows if row.name == getattr(recipe, part).name), ())


def _counts(recipe: Recipe, path: str) -> bool:
    """Whether a field that a recipe has changes anything, as its other choices are."""

    def chosen(rows: Iterable[Any], name: str) -> Any:
        return next((row for row in rows if row.name == name), None)

    if path == "model.hidden":
        head = chosen(HEADS, recipe.model.head)
        return head is not None and head.dense
    if path == "optimizer.momentum":
        optimizer = chosen(OPTIMIZERS, recipe.optimizer.name)
        return optimizer is not None and optimizer.momentum
    if path == "schedule.warmup":
        schedule = chosen(SCHEDULES, recipe.schedule.name)
        return schedule is not None and schedule.warms_up
    if path.startswith("phases."):
        _, number, field = path.split(".")
        return field == "trainable" or recipe.phases[int(number)].solver == "steps"
    return True


def _has(data: Any, path: str) -> bool:
    for step in path.split("."):
        if isinstance(data, list) and int(step) < len(data):
            data = data[int(step)]
        elif isinstance(data, dict) and step in data:
            data = data[step]
        else:
            return False
    return True
