"""What a run is: a folder of readable files, where it stands, and the names of its files."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Self

from core.runs.hypothesis import Hypothesis
from core.workspace import read_json, write_json


class RunState(StrEnum):
    """Where a run stands. Whether its worker is still alive is looked up when asked, never stored."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"
    PAUSED = "paused"
    FAILED = "failed"

    @property
    def sentence(self) -> str:
        """One plain sentence about this state."""
        return _SENTENCES[self]

    @property
    def is_finished(self) -> bool:
        """Whether nothing more happens to the run unless somebody asks for it: a paused one, too, waits for nobody."""
        return self not in (RunState.QUEUED, RunState.STARTING, RunState.RUNNING)

    @property
    def can_resume(self) -> bool:
        """Whether the run has ended before its last epoch, so that it can go on."""
        return self in (RunState.STOPPED, RunState.PAUSED, RunState.FAILED)

    @property
    def has_worker(self) -> bool:
        """Whether a process should be at work on the run."""
        return self in (RunState.STARTING, RunState.RUNNING)


_SENTENCES = {
    RunState.QUEUED: "Waiting for its turn.",
    RunState.STARTING: "Getting ready.",
    RunState.RUNNING: "It is training.",
    RunState.FINISHED: "All epochs are done; the best weights are kept.",
    RunState.STOPPED: "Stopped on request; what was best until then is kept.",
    RunState.PAUSED: "Paused; it goes on exactly where it stopped.",
    RunState.FAILED: "Ended by an error; earlier epochs are kept and the run can be resumed.",
}


@dataclass(frozen=True)
class RunPaths:
    """Every file name of a run, in one place."""

    folder: Path

    @property
    def recipe(self) -> Path:
        """Every choice of the run; never changes."""
        return self.folder / "recipe.json"

    @property
    def facts(self) -> Path:
        """What was true when the run was made: time, dataset, classes; never changes."""
        return self.folder / "run.json"

    @property
    def split(self) -> Path:
        """Sample ids by split, those of its fold if it has one, as they were when the run was made; never changes."""
        return self.folder / "split.json"

    @property
    def state(self) -> Path:
        return self.folder / "state.json"

    @property
    def worker(self) -> Path:
        """Which process is, or was last, at work."""
        return self.folder / "worker.json"

    @property
    def heartbeat(self) -> Path:
        """Touched by the worker every two seconds; its modification time is the last sign of life."""
        return self.folder / "heartbeat"

    @property
    def epochs(self) -> Path:
        """The half of the journal that the recipe determines: phases, and what each epoch measured."""
        return self.folder / "epochs.jsonl"

    @property
    def clock(self) -> Path:
        """The half that depends on the day: starts, steps, times and rates; one JSON line per event."""
        return self.folder / "clock.jsonl"

    @property
    def log(self) -> Path:
        """What the worker printed."""
        return self.folder / "worker.log"

    @property
    def best(self) -> Path:
        """Weights of the best epoch."""
        return self.folder / "best.safetensors"

    @property
    def best_facts(self) -> Path:
        """Recipe, class names, epoch and metrics that belong to `best`."""
        return self.folder / "best.json"

    @property
    def last(self) -> Path:
        """Everything needed to go on from the last step that was saved; of a finished run, with more epochs."""
        return self.folder / "last.pt"

    @property
    def stop(self) -> Path:
        """Exists once somebody asked the worker to stop."""
        return self.folder / "stop"

    @property
    def pause(self) -> Path:
        """Exists once somebody asked the worker to pause."""
        return self.folder / "pause"

    @property
    def labels(self) -> Path:
        """What people call the run and say about it; the one file that a person may change."""
        return self.folder / "labels.json"

    @property
    def score(self) -> Path:
        """What became of the hypothesis with which the run began, if it has one."""
        return self.folder / "hypothesis_score.json"

    @property
    def seal(self) -> Path:
        """Who opened the test split, and when; one JSON line each."""
        return self.folder / "seal.jsonl"

    @property
    def lock(self) -> Path:
        """Held by the worker for as long as it works."""
        return self.folder / "lock"

    @property
    def ballast(self) -> Path:
        """Disk space set aside, given up when the disk is full so that the last sentence can still be written."""
        return self.folder / "ballast"

    @property
    def tracker(self) -> Path:
        """What a tracker keeps here, where the recipe names one."""
        return self.folder / "tracker"

    @property
    def snapshots(self) -> Path:
        """What the weights were after each epoch, as far as they changed: see `core.train.snapshots`."""
        return self.folder / "snapshots"

    @property
    def maps_check(self) -> Path:
        """Whether the maps of where this network looks say more than those of a network of random weights."""
        return self.folder / "maps_check.json"

    @property
    def looks(self) -> Path:
        """The few validation images that a segmentation run shows as it learns, a folder for each."""
        return self.folder / "looks"

    def look(self, sample_id: str, name: str) -> Path:
        """A file about one of the few validation images that a segmentation run shows as it learns: "image.jpg",
        "truth.png", or `look_name(epoch)` for the mask that it predicted after that epoch."""
        return self.looks / sample_id / name

    def predictions(self, split: str) -> Path:
        """The prediction table of a split."""
        return self.folder / f"predictions_{split}.csv"

    def masks(self, split: str) -> Path:
        """The predicted masks of a split, one index PNG in the size of its image for each sample id."""
        return self.folder / f"masks_{split}"

    def mask(self, split: str, sample_id: str) -> Path:
        """The predicted mask of one sample of a split."""
        return self.masks(split) / mask_name(sample_id)

    def levels(self, split: str) -> Path:
        """Pixels of a split by their probability of being foreground, for two classes: what a threshold would do."""
        return self.folder / f"levels_{split}.npz"

    def results(self, split: str) -> Path:
        """The metrics of a split, computed from its prediction table."""
        return self.folder / f"results_{split}.json"

    def depth(self, split: str) -> Path:
        """What a prediction table says beyond its metrics: ranking and calibration (`core.evaluate.depth`)."""
        return self.folder / f"depth_{split}.json"

    def views(self, split: str) -> Path:
        """What the network answers when it sees each image of a split from several sides: tables of their own, which
        are never taken for those of the run (`core.predict.split_views`)."""
        return self.folder / f"views_{split}"

    @property
    def integrity(self) -> Path:
        """What speaks against the figures of the run (`core.integrity.run_report`)."""
        return self.folder / "integrity.json"


def mask_name(sample_id: str) -> str:
    """The file of a predicted mask in the folder of its split's masks."""
    return f"{sample_id}.png"


def look_name(epoch: int) -> str:
    """The file, beside `image.jpg` and `truth.png`, of the mask that was predicted after an epoch (from 1)."""
    return f"epoch-{epoch:04d}.png"


@dataclass(frozen=True)
class RunStatus:
    """Where a run stands and how far it has come: the content of state.json."""

    state: RunState
    since: float  # seconds since 1970 at which this state was entered
    sentence: str = ""  # what a person should know; for a failed run, why
    attempt: int = 1  # 1 for the first start; each resume adds one
    queued_at: float = 0.0  # seconds since 1970; the queue is served in this order
    best: dict[str, float] = field(default_factory=dict)  # metric name -> value at the best epoch
    interval: tuple[float, float] | None = None  # 95 % interval of the best validation score
    epochs_done: int = 0
    epochs: int = 0  # epochs of all phases together
    seconds: float = 0.0  # working time of all attempts
    images_per_second: float | None = None  # of the latest epoch; at the end, of all epochs that looked at pictures

    def to_json(self) -> dict[str, Any]:
        """Plain data, as it stands in state.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The status from plain data. Raises KeyError, TypeError or ValueError when it is none."""
        known = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        interval = known.get("interval")
        return cls(
            **known
            | {
                "state": RunState(data["state"]),
                "since": float(data["since"]),
                "interval": None if interval is None else (float(interval[0]), float(interval[1])),
            }
        )


@dataclass(frozen=True)
class Origin:
    """The run that another one began with."""

    run: str  # its id
    how: Literal["continued", "weights"]  # all that it had come to was taken over, or the weights of its best epoch
    epoch: int  # of that run, after which this was taken


@dataclass(frozen=True)
class RunFacts:
    """What was true when a run was made, kept even when the dataset is later renamed or deleted."""

    created: float  # seconds since 1970
    dataset: str  # id
    dataset_name: str
    dataset_fingerprint: str
    classes: tuple[str, ...]
    samples: dict[str, int]  # split -> number of samples
    tags: tuple[str, ...] = ()
    split_rule: str = ""  # how the splits came about, as a sentence: "fold 2 of 5, stratified by seed 0"
    origin: Origin | None = None  # the run that it began with, if any
    revision: int = 1  # of the dataset
    cautions: tuple[str, ...] = ()  # what to keep in mind when its scores are read, as sentences
    hypothesis: Hypothesis | None = None  # what a person expected of it, written down before it began

    def to_json(self) -> dict[str, Any]:
        """Plain data, as it stands in run.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The facts from plain data. Raises KeyError, TypeError or ValueError when it is none."""
        return cls(
            created=float(data["created"]),
            dataset=data["dataset"],
            dataset_name=data["dataset_name"],
            dataset_fingerprint=data["dataset_fingerprint"],
            classes=tuple(data["classes"]),
            samples=dict(data["samples"]),
            tags=tuple(data.get("tags", ())),
            split_rule=data.get("split_rule", ""),
            origin=Origin(**data["origin"]) if data.get("origin") else None,
            revision=int(data.get("revision", 1)),
            cautions=tuple(data.get("cautions", ())),
            hypothesis=Hypothesis.from_json(data["hypothesis"]) if data.get("hypothesis") else None,
        )


def read_status(paths: RunPaths) -> RunStatus:
    """The status as the worker or the queue wrote it last. An unreadable state.json counts as failed and says so."""
    try:
        return RunStatus.from_json(read_json(paths.state) or {})
    except (KeyError, TypeError, ValueError, IndexError):
        return RunStatus(RunState.FAILED, since=0.0, sentence="state.json of this run is missing or cannot be read.")


def write_status(paths: RunPaths, status: RunStatus) -> None:
    """Replace state.json, whole or not at all. Raises StorageError when the disk is full."""
    write_json(paths.state, status.to_json())
