"""The recipe: every choice of a training run, typed, frozen, and readable in five minutes.

A worker receives a recipe and nothing else. Recipes survive a JSON round trip, have a stable hash, and can be compared
field by field. Names that stand in a registry (backbones, policies, losses, optimizers) are checked against it by
`core.train.check`, because the registries stand above this file.
"""

import json
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from core.errors import RecipeError, shown
from core.seeding import fingerprint

SCORES = {"classification": "accuracy", "segmentation": "dice"}  # the metric that stands for a run of each task
FIGURES = {  # what every validation measures, of which a choice may be made by
    "classification": ("loss", "accuracy", "macro_f1"),
    "segmentation": ("loss", "dice", "iou"),
}
TRAINABLE = re.compile(r"head|everything|last (100|[1-9]\d?) ?%|last ([1-9]\d{0,3}) (layers?|blocks?)")
TRAINABLE_WORDS = '"head", "everything", "last 40%", "last 4 layers" or "last 2 blocks"'


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _writable(cls, value: Any) -> Any:
        if isinstance(value, str) and not value.isascii() and value != value.encode(errors="ignore").decode():
            raise ValueError("text in UTF-8")
        return value


class ModelChoice(_Part):
    """Which classifier, and what it knows at the start."""

    backbone: str = "tf_efficientnet_lite0"  # a timm name; lite0 has real ImageNet weights in a package, no download
    weights: str = "pretrained"  # "pretrained", "random", or the path of a weight file, such as another run's best
    head: str = "linear"  # a row of core.models.heads
    hidden: Annotated[int, Field(ge=8, le=4096)] = 256  # units of the dense layer, in heads that have one
    dropout: Annotated[float, Field(ge=0, le=0.9)] = 0.0  # share dropped before the last layer at each step
    drop_path: Annotated[float, Field(ge=0, le=0.5)] = 0.0  # share of residual branches dropped, where there are such

    @property
    def network(self) -> str:
        """The network in a few letters, as run lists name it."""
        return self.backbone


class SegmenterChoice(_Part):
    """Which segmentation network, and what its encoder knows at the start. The decoder always starts at random."""

    architecture: str = "unet"  # a row of core.models.architectures
    encoder: str = "tu-tf_efficientnet_lite0"  # an encoder of SMP, or "tu-" and a timm name
    weights: str = "pretrained"  # of the encoder: "pretrained", "random", or the path of a weight file

    @property
    def network(self) -> str:
        """The network in a few letters, as run lists name it."""
        return f"{self.architecture}, {self.encoder}"


class TransformChoice(_Part):
    """One row of an augmentation policy: which transform, how often, how strong."""

    name: str
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0  # chance that the transform is drawn for an image
    values: dict[str, float | int | bool | str] = {}  # knob values by name; a knob left out keeps its default


class AugmentChoice(_Part):
    """How training images are varied. Validation and test images never are."""

    policy: str = "light"  # a policy of core.augment.catalog, or the name of rows of one's own
    rows: tuple[TransformChoice, ...] | None = None  # None: the rows that the catalog has for this policy
    views: Annotated[int, Field(ge=1, le=16)] = 2  # variants per image while the backbone is frozen; one pass each
    seed: Annotated[int, Field(ge=0, lt=2**31)] | None = None  # of the draws; None: the recipe's own


class ScheduleChoice(_Part):
    """How the learning rate moves within a phase."""

    name: str = "cosine"  # a row of core.train.schedules
    warmup: Annotated[float, Field(ge=0, le=0.5)] = 0.05  # share of the phase's steps spent rising to the peak
    values: dict[str, float | int | bool | str] = {}  # knob values by name; a knob left out keeps its default


class Phase(_Part):
    """A stretch of training with one choice of what may change."""

    name: str = "head"
    # "head", "everything", "last 40%", "last 4 layers", "last 2 blocks"; of a U-Net the head is its decoder
    trainable: str = "head"
    epochs: Annotated[int, Field(ge=1, le=1000)] = 20  # passes over the training split
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 3e-3  # the peak of the schedule
    schedule: ScheduleChoice | None = None  # None: the recipe's
    # "steps": batch by batch with the optimizer; "convex": a linear head on stored features, solved to the end
    solver: Literal["steps", "convex"] = "steps"
    # "learn": batch norms of the backbone that may learn measure each batch; "still": they keep what they measured when
    # the backbone was trained, and only scale and shift learn, which is better where batches are few
    norms: Literal["learn", "still"] = "learn"

    @field_validator("trainable")
    @classmethod
    def _known(cls, value: str) -> str:
        if not TRAINABLE.fullmatch(value):
            raise ValueError(TRAINABLE_WORDS)
        return value


class OptimizerChoice(_Part):
    """How weights move."""

    name: str = "adamw"  # a row of core.train.optimizers
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.01  # not applied to biases and norms
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9  # where the optimizer has one to choose
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0  # a layer's rate as a share of that of the layer after it


# How much each class counts: "none" equally, "balanced" the rarer the more, or one number for each class.
ClassWeights = Literal["none", "balanced"] | tuple[Annotated[float, Field(gt=0, le=1e6)], ...]


class LossChoice(_Part):
    """What is minimised."""

    name: str = "cross-entropy"  # a row of core.train.losses
    label_smoothing: Annotated[float, Field(ge=0, le=0.5)] = 0.0  # probability mass spread over all classes
    values: dict[str, float | int | bool | str] = {}  # knob values by name; a knob left out keeps its default
    class_weights: ClassWeights = "none"  # "balanced": in proportion to N / C_j, by the training images of each class


class MixChoice(_Part):
    """Mixing training images with one another, their labels in the same proportion. 0 leaves a kind out."""

    mixup: Annotated[float, Field(ge=0, le=4)] = 0.0  # alpha of the Beta distribution that the share is drawn from
    cutmix: Annotated[float, Field(ge=0, le=4)] = 0.0  # the same for a rectangle of the other image
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0  # chance that a batch is mixed at all

    @property
    def on(self) -> bool:
        """Whether anything is ever mixed."""
        return self.probability > 0 and (self.mixup > 0 or self.cutmix > 0)


class EarlyStopping(_Part):
    """When a phase ends before its epochs are over."""

    patience: Annotated[int, Field(ge=0, le=1000)] = 0  # epochs without a better figure that are borne; 0: never
    metric: str = "loss"  # a figure of the validation: "loss", or a score of the task such as "accuracy" or "dice"
    least: Annotated[float, Field(ge=0, le=1)] = 0.0  # how much better counts as better


class MaskLossChoice(_Part):
    """What is minimised over the pixels of a mask."""

    name: str = "dice+cross-entropy"  # a row of core.train.mask_losses
    values: dict[str, float | int | bool | str] = {}  # knob values by name; a knob left out keeps its default
    class_weights: ClassWeights = "none"  # "balanced": by the training pixels of each class


class Recipe(_Part):
    """Everything a worker needs to train one model: a classifier, unless it is one of the kinds below."""

    version: Literal[1] = 1
    task: Literal["classification"] = "classification"
    preset: str = ""  # the preset this started from, if any
    dataset: str = ""  # id of the dataset in the workspace
    name: str = ""  # what a person calls the run; empty: named from its choices
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    image_size: Annotated[int, Field(ge=16, le=1024)] = 224  # pixels, square
    fit: Literal["crop", "pad", "squash"] = "crop"  # how an image becomes square: cut the long side, pad, or distort
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 32
    model: ModelChoice = ModelChoice()
    augment: AugmentChoice = AugmentChoice()
    phases: Annotated[tuple[Phase, ...], Field(min_length=1, max_length=64)] = (Phase(),)
    optimizer: OptimizerChoice = OptimizerChoice()
    schedule: ScheduleChoice = ScheduleChoice()
    loss: LossChoice = LossChoice()
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"  # auto: a GPU where there is one
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"  # auto: float32 on a CPU, bfloat16 on a GPU
    best_by: Literal["score", "loss"] = "score"  # which validation figure chooses the epoch whose weights are kept
    restore_best: bool = False  # each phase goes on from the best weights so far, not from the latest
    early_stopping: EarlyStopping = EarlyStopping()
    sampler: Literal["shuffle", "balanced"] = "shuffle"  # balanced: every class equally often, its images drawn again
    mix: MixChoice = MixChoice()
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0  # decay per step of the running mean of weights; 0: no such mean
    clip: Annotated[float, Field(ge=0, le=1000)] = 0.0  # longest gradient, as its norm over all weights; 0: any
    accumulate: Annotated[int, Field(ge=1, le=1024)] = 1  # batches to one optimizer step
    processes: Annotated[int, Field(ge=1, le=64)] = 1  # that share each batch: one for each GPU
    folds: Annotated[int, Field(ge=0, le=50)] = 0  # 0: the dataset's own split; k: train and validation in k folds
    fold: Annotated[int, Field(ge=0, lt=50)] = 0  # which of them is the validation split, from 0
    tracker: Literal["none", "tensorboard", "mlflow", "wandb"] = "none"  # where figures are told besides the run

    @property
    def score(self) -> str:
        """The validation metric that stands for a run: higher is better."""
        return SCORES[self.task]

    @property
    def draw_seed(self) -> int:
        """The seed of the variants that augmentation draws."""
        return self.seed if self.augment.seed is None else self.augment.seed

    @property
    def epochs(self) -> int:
        """Epochs of all phases together."""
        return sum(phase.epochs for phase in self.phases)

    @property
    def hash(self) -> str:
        """16 hexadecimal digits that depend on every choice and not on how the recipe was written down."""
        return fingerprint(json.dumps(self.model_dump(mode="json"), sort_keys=True))

    @classmethod
    def parse(cls, data: dict[str, Any]) -> "Recipe":
        """A recipe of the kind that its task asks for, from plain data.

        Raises RecipeError with the first wrong field, its value and what is allowed.
        """
        task = data.get("task", "classification") if isinstance(data, dict) else None
        if isinstance(data, dict) and task not in _KINDS:
            raise RecipeError("task", found=shown(task), expected="one of " + ", ".join(_KINDS))
        try:
            return _KINDS.get(task, Recipe).model_validate(data)
        except ValidationError as error:
            raise _explain(error) from None

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """A recipe from its JSON text. Raises RecipeError when the text is no JSON or holds a bad value."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise RecipeError("The recipe is not JSON", found=str(error)) from None
        return cls.parse(data)

    def to_json(self) -> str:
        """The recipe as indented JSON text."""
        return self.model_dump_json(indent=2)

    def set(self, changes: dict[str, Any]) -> "Recipe":
        """The recipe with some fields changed, each named by its path, as in {"phases.0.epochs": 5}.

        Values may be text from a command line: "5", "true" and "0.1" are read as JSON where that works, except for a
        field that holds text, which takes it as it is.
        Raises RecipeError for a path that does not exist or a value that is not allowed.
        """
        data = self.model_dump(mode="json")
        for path, value in changes.items():
            _place(data, path, value)
        return self.parse(data)


class SegmentationRecipe(Recipe):
    """Everything a worker needs to train one segmentation network."""

    task: Literal["segmentation"] = "segmentation"
    image_size: Annotated[int, Field(ge=16, le=1024)] = 128  # cost grows with the area
    fit: Literal["pad", "squash"] = "squash"  # no pixel is cut off, since each one is to get a class
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 8
    model: SegmenterChoice = SegmenterChoice()
    phases: Annotated[tuple[Phase, ...], Field(min_length=1, max_length=64)] = (
        Phase(name="everything", trainable="everything", epochs=12, learning_rate=1e-3),
    )
    loss: MaskLossChoice = MaskLossChoice()


_KINDS: dict[Any, type[Recipe]] = {"classification": Recipe, "segmentation": SegmentationRecipe}


@dataclass(frozen=True)
class Difference:
    """One field in which two recipes differ."""

    path: str
    left: Any
    right: Any


def diff(left: Recipe, right: Recipe) -> list[Difference]:
    """The fields in which two recipes differ, in the order of a recipe's fields; None where one side lacks it."""
    one, two = _flat(left.model_dump(mode="json")), _flat(right.model_dump(mode="json"))
    paths = list(one) + [path for path in two if path not in one]
    return [Difference(p, one.get(p), two.get(p)) for p in paths if one.get(p) != two.get(p)]


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict):  # an empty one has nothing to differ in
        items = value.items()
    elif isinstance(value, list) and value:
        items = enumerate(value)
    else:
        return {path: value}
    flat: dict[str, Any] = {}
    for key, inner in items:
        flat |= _flat(inner, f"{path}.{key}" if path else str(key))
    return flat


_TEXT_OR_NUMBERS = ("class_weights",)  # fields that hold a word or a list, so that what is in them now says nothing


def _place(data: Any, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    here = data
    for step in parents:
        here = _step(here, step, path)
    if isinstance(here, list) and last == str(len(here)) and isinstance(from_text(value), dict):
        here.append(from_text(value))  # "phases.1" = {...} adds a phase
        return
    if parents[-1:] == ["values"] and isinstance(here, dict):
        here[last] = from_text(value)  # knob values by name; those at their defaults are not written down
        return
    held = _step(here, last, path)
    text = isinstance(held, str) and last not in _TEXT_OR_NUMBERS
    here[int(last) if isinstance(here, list) else last] = value if text else from_text(value)


def _step(here: Any, step: str, path: str) -> Any:
    if isinstance(here, dict) and step in here:
        return here[step]
    if isinstance(here, list) and step in map(str, range(len(here))):
        return here[int(step)]
    if isinstance(here, dict):
        known = ", ".join(here)
    else:
        known = f"0 to {len(here) - 1}" if isinstance(here, list) else "nothing below it"
    raise RecipeError(path, found=f"no field {shown(step)} there", expected=known)


def from_text(value: Any) -> Any:
    """What the text of a command line stands for: a number, true, a list ... where it is JSON, else the text itself."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):  # no JSON, a number of thousands of digits, thousands of brackets
        return value


def _explain(error: ValidationError) -> RecipeError:
    # A field that takes values of several types is told of once for each type: the one that its value is most like
    # found something to say of a part of it.
    first, *others = error.errors()
    steps = _steps_of(first)
    first = max(
        [first, *(one for one in others if _steps_of(one)[: len(steps)] == steps)], key=lambda one: len(_steps_of(one))
    )
    field = ".".join(_steps_of(first)) or "The recipe"
    context = {key: value for key, value in first.get("ctx", {}).items() if key != "error"}
    if first["type"] == "extra_forbidden":
        return RecipeError(field, found="a field no recipe has", do="Check its spelling")
    if first["type"] == "value_error":
        expected = str(first["ctx"]["error"])
    elif first["type"] == "literal_error":
        expected = context["expected"]
    elif first["type"] in ("too_short", "too_long"):
        expected = (
            f"at least {context['min_length']}" if "min_length" in context else f"at most {context['max_length']}"
        )
    else:
        expected = first["msg"].removeprefix("Input should be ").removeprefix("a valid ")
    return RecipeError(field, found=shown(first["input"]), expected=expected)


def _steps_of(found: Any) -> list[str]:
    """The path of a field that pydantic told of, without the steps that name one of the types it takes."""
    return [str(step) for step in found["loc"] if isinstance(step, int) or "[" not in step]
