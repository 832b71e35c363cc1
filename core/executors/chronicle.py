"""What a worker leaves behind while it works: the journal, a readable log, and the state at most once a second."""

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from core.data.loading import jpeg
from core.data.mask_files import mask_png
from core.errors import StorageError, storage_errors
from core.runs.journal import RunWriter
from core.runs.run import RunPaths, RunState, RunStatus, look_name, write_status
from core.runs.store import drop_ballast
from core.workspace import replacing

if TYPE_CHECKING:
    from core.train.events import Look, Looks

SECONDS_BETWEEN_STATES = 1.0  # epochs on cached features take milliseconds, and a page looks once a second
SECONDS_BETWEEN_HEARTBEATS = 2.0


class Chronicle:
    """Writes down one attempt at one run. `told` hears every journal entry as it is written."""

    def __init__(
        self,
        paths: RunPaths,
        status: RunStatus,
        told: Callable[[dict[str, Any]], None] = lambda entry: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._paths, self._told, self._clock = paths, told, clock
        self._status = status
        self._files = ExitStack()  # kept open: epochs on stored features take milliseconds
        self._journal: RunWriter | None = None
        self._log: BinaryIO | None = None
        self._began, self._seconds_before = clock(), status.seconds
        self._written = clock()
        self._shown: tuple[str, ...] = ()  # ids of the samples that are looked at after each epoch

    def show(self, looks: "Looks") -> None:
        """Keep the images, and their true masks, that are looked at after each epoch, and journal that they are here.

        Raises StorageError when the disk is full.
        """
        self._shown = looks.ids
        for sample_id, image, truth in zip(looks.ids, looks.images, looks.truth, strict=True):
            _write(self._paths.look(sample_id, "image.jpg"), jpeg(image))
            _write(self._paths.look(sample_id, "truth.png"), mask_png(truth))
        self.record(looks.entry())

    def look(self, look: "Look") -> None:
        """Keep what the model made of them, then journal it. Raises StorageError when the disk is full."""
        for sample_id, mask in zip(self._shown, look.masks, strict=True):
            _write(self._paths.look(sample_id, look_name(look.epoch)), mask_png(mask))
        self.record(look.entry())

    def record(self, entry: dict[str, Any]) -> None:
        """Journal one entry of training, and let state and log follow. Raises StorageError when the disk is full."""
        entry = {**entry, "time": time.time()}
        if entry["kind"] == "resume":
            self._writer().cut_back(entry["epoch"])
        self._writer().append(entry)
        self._told(entry)
        if entry["kind"] == "epoch":
            self._epoch(entry)
        elif entry["kind"] == "resume":
            self._status = replace(self._status, epochs_done=entry["epoch"])
        elif entry["kind"] == "said":
            self.log(entry["sentence"])
            self.say(entry["sentence"])
        if self._clock() - self._written >= SECONDS_BETWEEN_STATES:
            self.say(self._status.sentence)

    def say(self, sentence: str) -> None:
        """Write the state down now, with this sentence."""
        self._status = replace(self._status, sentence=sentence, seconds=self._seconds)
        write_status(self._paths, self._status)
        self._written = self._clock()

    def log(self, text: str) -> None:
        """Add a line, or several, to the log of the run. A log that cannot be written stops nothing."""
        with suppress(StorageError), storage_errors(self._paths.log):
            if self._log is None:
                self._log = self._files.enter_context(self._paths.log.open("ab", buffering=0))
            self._log.write(f"{datetime.now():%H:%M:%S} {text}\n".encode())

    def end(self, state: RunState, sentence: str, **facts: Any) -> None:
        """The last words: the state, with `facts` of the status that training itself reports, then journal and log.

        The space that was set aside is given up first, so that a full disk can still be told.
        """
        drop_ballast(self._paths)
        last = replace(self._status, state=state, since=time.time(), sentence=sentence, seconds=self._seconds)
        write_status(self._paths, replace(last, **facts))
        entry = {"kind": "end", "state": state.value, "time": time.time()}
        with suppress(StorageError):
            self._writer().append(entry)
        self._told(entry)
        self.log(f"{state.value}: {sentence}")
        self._files.close()
        self._journal = self._log = None

    def _writer(self) -> RunWriter:
        if self._journal is None:  # not before there is something to tell: what is wrong with the disk then has a run
            self._journal = RunWriter(self._paths.epochs, self._paths.clock)
            self._files.callback(self._journal.close)
        return self._journal

    @property
    def _seconds(self) -> float:
        return self._seconds_before + self._clock() - self._began

    def _epoch(self, entry: dict[str, Any]) -> None:
        self._status = replace(self._status, epochs_done=entry["epoch"], images_per_second=entry["images_per_second"])
        if entry["best"]:
            best = {**entry["validation"], "epoch": entry["epoch"]}
            interval = entry["interval"] and tuple(entry["interval"])
            self._status = replace(self._status, best=best, interval=interval)
        figures = [
            f"{split} {name} {entry[split][name]:.3f}" for split in ("train", "validation") for name in entry[split]
        ]
        self.log(f"epoch {entry['epoch']} of {self._status.epochs}: {', '.join(figures)}")


class Heartbeat:
    """Touches a file every two seconds while entered. A new time takes no space, so a full disk does not stop it."""

    def __init__(self, path: Path, seconds: float = SECONDS_BETWEEN_HEARTBEATS) -> None:
        self._path, self._seconds = path, seconds
        self._over = Flag()
        self._thread = Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        while True:
            with suppress(OSError):
                self._path.touch()
            if self._over.wait(self._seconds):
                return


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(content)
