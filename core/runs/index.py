"""The index of the run list: what each run's files said when they were last read. It can be deleted at any time.

With thousands of runs, reading every folder for every visit would take seconds. A list costs one look at the folder
names and one `stat` per run; only runs whose state.json was replaced since are read again. Whoever changes another file
that a line tells of, such as the labels, calls `touch` afterwards.

A page that is opened every second does not even need the `stat` of every run: a finished run hardly ever changes, and
whoever takes one up again or labels it touches the folder of all runs as well, as making and deleting one do by
themselves. So a glance looks at that folder and at the runs that wait or are at work, and at all of them now and then,
for what was changed by hand.
"""

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from threading import Lock
from typing import Any

from core.errors import FoveaError, StorageError
from core.runs.labels import Labels
from core.runs.run import RunPaths, RunState
from core.runs.summary import RunSummary, read_summary
from core.workspace import Workspace, safe_id, write_text

_VERSION = 5  # raised when RunSummary changes; an older index is then built anew
_HEAD, _TAIL = f'{{"version": {_VERSION}, "runs": {{', "}}"  # between them a line for each run; together JSON
GLANCES = 30.0  # seconds until a glance looks at every run again
_COARSE = 2_500_000_000  # nanoseconds; some systems write down only every second one when a folder changed

Stamp = tuple[int, int, int]  # modification time, size and inode of state.json: a replaced file differs in one of them


@dataclass(frozen=True)
class _Known:
    """A run as it was read last."""

    stamp: Stamp
    summary: RunSummary
    text: str  # for the file of the index; "" while it is not final

    @property
    def is_final(self) -> bool:
        """Whether it is worth writing down: a live run changes every second."""
        return self.summary.state.is_finished


class RunIndex:
    """The known lines of all runs under `runs`, kept in memory and, for runs that are finished, in `file`."""

    def __init__(self, runs: Path, file: Path) -> None:
        self._runs = runs
        self._file = file
        self._lock = Lock()
        self._known: dict[str, _Known] | None = None
        # Put together when what is known changes: all lines in order, the places in them of the runs at work, and the
        # ids of the runs that are not over.
        self._lines: list[RunSummary] = []
        self._at_work: tuple[int, ...] = ()
        self._live: tuple[str, ...] = ()
        self._seen_all = -GLANCES  # when every run was looked at
        self._folder: int | None = None  # when the folder of all runs had changed last by then; None: too near to tell

    def summaries(self, *, glance: bool = False) -> list[RunSummary]:
        """One line per run, newest first, as the files say (whether workers are alive is not asked here).

        A glance may miss for half a minute what was changed by hand in the folder of a run that has ended. The list is
        shared with whoever else asks, and only to be read; while nothing changes it is the same one.
        """
        return self.standing(glance=glance)[0]

    def standing(self, *, glance: bool = False) -> tuple[list[RunSummary], tuple[int, ...]]:
        """The summaries, and the places among them of the runs that should have a worker."""
        with self._lock:
            if self._known is None:
                self._known = self._load()
            before = self._known
            self._known = self._glanced(before) if glance and self._may_glance() else self._refreshed(before)
            if self._known is not before:
                self._put_together()
                if _final(before) != _final(self._known):
                    self._save()
            return self._lines, self._at_work

    def _put_together(self) -> None:
        all_of_them = [known.summary for known in self._known.values()]
        self._lines = sorted(all_of_them, key=attrgetter("created", "id"), reverse=True)
        self._at_work = tuple(place for place, line in enumerate(self._lines) if line.state.has_worker)
        self._live = tuple(line.id for line in self._lines if not line.state.is_finished)

    def _may_glance(self) -> bool:
        recent = time.monotonic() - self._seen_all < GLANCES
        return recent and self._folder is not None and _changed(self._runs) == self._folder

    def _glanced(self, known: dict[str, _Known]) -> dict[str, _Known]:
        """Only the runs that are not over are looked at."""
        live = {run_id: self._look(run_id, known[run_id]) for run_id in self._live}
        if all(known[run_id] is one for run_id, one in live.items()):
            return known
        return {run_id: one for run_id, one in (known | live).items() if one}

    def _refreshed(self, known: dict[str, _Known]) -> dict[str, _Known]:
        """Every run is looked at."""
        began, changed = time.time_ns(), _changed(self._runs)
        found = {run_id: self._look(run_id, known.get(run_id)) for run_id in self._ids()}
        fresh = {run_id: one for run_id, one in found.items() if one}
        # What changes the folder again within the same tick of its clock would not be seen by that clock.
        self._folder = changed if changed is not None and changed < began - _COARSE else None
        self._seen_all = time.monotonic()
        same = len(fresh) == len(known) and all(known.get(run_id) is one for run_id, one in fresh.items())
        return known if same and self._lines else fresh

    def _look(self, run_id: str, known: _Known | None) -> _Known | None:
        stamp = _stamp(self._runs, run_id)
        if stamp is None:  # deleted this very moment
            return None
        if known is not None and known.stamp == stamp:
            return known
        summary = read_summary(self._runs / run_id)
        return _Known(stamp, summary, _text(run_id, stamp, summary) if summary.state.is_finished else "")

    def _ids(self) -> list[str]:
        try:
            with os.scandir(self._runs) as found:
                return [entry.name for entry in found if safe_id(entry.name)]
        except FileNotFoundError:
            return []

    def _load(self) -> dict[str, _Known]:
        try:
            head, *lines, _ = self._file.read_text(encoding="utf-8").splitlines()
            if head != _HEAD:
                return {}
            return dict(_read(line.removesuffix(",")) for line in lines)
        except (OSError, FoveaError, AttributeError, KeyError, TypeError, ValueError):
            return {}  # no index, or one that is damaged: build it anew

    def _save(self) -> None:
        runs = ",\n".join(one.text for one in (self._known or {}).values() if one.is_final)
        try:
            write_text(self._file, f"{_HEAD}\n{runs}\n{_TAIL}")
        except StorageError:
            return  # the list itself is right; without room for the index it is only slower the next time


@lru_cache(maxsize=8)
def run_index(workspace: Workspace) -> RunIndex:
    """The index of a workspace, shared by everything in this process."""
    return RunIndex(workspace.runs, workspace.cache / "runs.json")


def touch(paths: RunPaths) -> None:
    """Let the index read a run again that had ended, or of which a file other than its state.json was changed.

    Call it afterwards. A worker that replaces state.json in this moment makes the index read it again as well.
    """
    with suppress(FileNotFoundError):
        for path in (paths.state, paths.folder.parent):
            found = os.stat(path)
            os.utime(path, ns=(found.st_atime_ns, max(time.time_ns(), found.st_mtime_ns + 1)))


def _final(known: Mapping[str, _Known]) -> dict[str, Stamp]:
    return {run_id: one.stamp for run_id, one in known.items() if one.is_final}


def _changed(folder: Path) -> int | None:
    try:
        return os.stat(folder).st_mtime_ns
    except FileNotFoundError:
        return None


def _stamp(runs: Path, run_id: str) -> Stamp | None:
    try:
        found = os.stat(f"{runs}/{run_id}/state.json")
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _text(run_id: str, stamp: Stamp, summary: RunSummary) -> str:
    line = vars(summary) | {"labels": summary.labels.to_json()}
    return f"{json.dumps(run_id)}: {json.dumps([stamp, line])}"


def _read(text: str) -> tuple[str, _Known]:
    """A run and its id from a line of the index."""
    [(run_id, (stamp, line))] = json.loads(f"{{{text}}}").items()
    modified, size, inode = map(int, stamp)
    return run_id, _Known((modified, size, inode), _read_line(line), text)


def _read_line(line: Mapping[str, Any]) -> RunSummary:
    interval = line["interval"]
    return RunSummary(
        **{
            **line,
            "state": RunState(line["state"]),
            "interval": None if interval is None else (interval[0], interval[1]),
            "tags": tuple(line["tags"]),
            "labels": Labels.from_json(line["labels"]),
            "curve": tuple(line["curve"]),
        }
    )
