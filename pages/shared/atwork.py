"""Work in the desk process that a page waits for: how far it is, how long it will still take, and a way to end it."""

import threading
import uuid
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import streamlit as st

from core.errors import Cancelled, LabError, StorageError
from core.executors.lab import Lab
from core.executors.progress import ProgressFile
from pages.shared import cache
from pages.shared.words import count, duration, plain

SECONDS = 0.5  # between looks at work
PATIENCE = 3.0  # seconds that work called off has to end by itself, tidily, before its process is ended


@dataclass
class AtWork:
    """One call of a function in the desk process."""

    title: str
    unit: str  # what is counted: "file"
    future: Future
    progress: ProgressFile
    place: Lab
    called_off: bool = False

    @property
    def done(self) -> bool:
        """Whether it is over, one way or another."""
        return self.future.done()

    def result(self) -> Any:
        """What the function gave. Raises Cancelled when it was called off, and whatever the function raised."""
        try:
            return self.future.result()
        except (CancelledError, LabError) as error:
            if self.called_off:
                raise Cancelled(f"{self.title}: cancelled") from error
            raise

    def call_off(self) -> None:
        """End it: by itself if it listens, else with its process. What waits for its turn is not begun."""
        self.called_off = True
        if self.future.cancel():
            return
        with suppress(StorageError):  # then it is only ended a little later
            self.progress.cancel()
        if self.done:  # it ended in the same moment, and nobody is left to heed that word
            self.progress.forget()
            return
        end = threading.Timer(PATIENCE, self.place.cancel, (self.future,))
        end.daemon = True
        end.start()


def begin(title: str, work: str, *arguments: object, unit: str = "file", **named: object) -> AtWork:
    """Start `work` ("module:function", which takes a `report`) in the desk process."""
    progress = ProgressFile(cache.workspace().cache / "progress" / f"{uuid.uuid4().hex[:12]}.json")
    future = cache.desk().submit(work, *arguments, report=progress, **named)
    future.add_done_callback(lambda _: progress.forget())
    return AtWork(title, unit, future, progress, cache.desk())


def bar(work: AtWork, key: str) -> None:
    """How far the work is, the time left, and the button that ends it; in a fragment that runs every `SECONDS`."""
    told, fraction = _told(work)
    st.progress(fraction, f"{plain(work.title)}: {told}")
    st.button(
        "Cancel",
        key=f"{key}_cancel",
        icon=":material/close:",
        on_click=work.call_off,
        disabled=work.called_off,
        help="Ends this now. Nothing of it is kept.",
    )


def _told(work: AtWork) -> tuple[str, float]:
    progress = work.progress.read()
    if work.called_off:
        return "cancelling", progress.fraction if progress else 0.0
    if not work.future.running():
        return "waiting for other work to end", 0.0
    if progress is None:
        return "getting ready", 0.0
    what = f"{plain(progress.what)}, " if progress.what else ""
    left = "" if progress.left is None else f" · about {plain(duration(progress.left))} left"
    return f"{what}{progress.done:,} of {count(progress.total, work.unit)}{left}", progress.fraction
