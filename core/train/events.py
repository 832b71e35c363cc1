"""What training tells whoever watches. Each event gives the journal line that stands for it."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Started:
    """Training is about to take its first step of a phase."""

    phase: int  # from 0
    epoch: int  # its first one, from 1, over all phases
    name: str
    device: str  # "cpu", "cuda", "mps"
    precision: str  # "float32", "bfloat16", "float16"
    trainable: int  # parameters that may change
    frozen: int  # parameters that may not
    cached_features: bool  # the head learns from stored features of the frozen backbone

    def entry(self) -> dict[str, Any]:
        return {"kind": "phase", **asdict(self)}


@dataclass(frozen=True)
class Said:
    """What a person should know of how training went on: that memory ran out, that a phase ended early."""

    epoch: int
    step: int
    sentence: str

    def entry(self) -> dict[str, Any]:
        return {"kind": "said", **asdict(self)}


@dataclass(frozen=True)
class Resumed:
    """Training goes on after this epoch; journal lines of later epochs no longer count, and after 0 none at all."""

    epoch: int
    step: int = 0  # of the next epoch, after which it goes on

    def entry(self) -> dict[str, Any]:
        return {"kind": "resume", **asdict(self)}


@dataclass(frozen=True)
class Step:
    """Where training stands; told at the first step and then about twice a second."""

    phase: int
    epoch: int  # from 1, over all phases
    step: int  # from 1, within the epoch
    steps: int  # in this epoch
    loss: float  # mean over the images of this epoch so far
    images_per_second: float  # in this epoch so far
    learning_rate: float

    def entry(self) -> dict[str, Any]:
        return {"kind": "step", **asdict(self)}


@dataclass(frozen=True)
class EpochEnd:
    """An epoch and its validation are over."""

    phase: int
    epoch: int
    train: dict[str, float]  # loss and scores while learning, on augmented images
    validation: dict[str, float]  # what `core.recipe.FIGURES` names
    interval: tuple[float, float] | None  # 95 % interval of the validation score; None where it is too few images
    images_per_second: float  # training only
    seconds: float  # training and validation
    learning_rate: float  # at the end of the epoch
    stored: bool  # every feature was read from the cache: no picture went through the backbone
    best: bool  # the best validation so far
    per_class: tuple[float | None, ...] = ()  # Dice of each class on validation, for masks; None where undefined

    def entry(self) -> dict[str, Any]:
        return {"kind": "epoch", **asdict(self)}


@dataclass(frozen=True)
class Looks:
    """The few validation images that are looked at after each epoch, told once before the first."""

    ids: tuple[str, ...]  # of the samples
    images: np.ndarray  # (n, S, S, 3) uint8, as the model is shown them
    truth: np.ndarray  # (n, S, S) uint8, class indices; 255 is ignored

    def entry(self) -> dict[str, Any]:
        return {"kind": "looks", "ids": list(self.ids)}


@dataclass(frozen=True)
class Look:
    """What the model made of them after an epoch."""

    epoch: int
    masks: np.ndarray  # (n, S, S) uint8, class indices

    def entry(self) -> dict[str, Any]:
        return {"kind": "look", "epoch": self.epoch}


@dataclass(frozen=True)
class Outcome:
    """The last event: how training ended, and the best epoch's figures."""

    state: str  # "finished", "stopped" or "paused"
    epochs_done: int
    best: dict[str, float]  # epoch and figures of the best validation; nothing where it was paused before the first
    interval: tuple[float, float] | None
    seconds: float  # of this attempt
    images_per_second: float  # in training, without epochs on stored features unless there were no others

    def entry(self) -> dict[str, Any]:
        return {"kind": "outcome", **asdict(self)}


Event = Started | Said | Resumed | Step | EpochEnd | Looks | Look | Outcome
