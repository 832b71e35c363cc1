"""Whether a process is still alive, told without being fooled by zombies or by a process id that is used again."""

import os
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import psutil

_SLACK = 1.0  # seconds; no process id is given away again as fast as that
_SILENCE = 60.0  # seconds without a heartbeat after which a worker on another machine counts as gone


@dataclass(frozen=True)
class ProcessMark:
    """One process, for as long as it lives: a process id alone is given to a new process sooner or later."""

    pid: int
    created: float  # when the process started: seconds since boot on Linux, since 1970 elsewhere; 0 for never
    host: str

    @classmethod
    def of(cls, pid: int) -> Self:
        """The mark of a process of this machine. One that is already gone gets a mark that is never alive."""
        try:
            created = _start_time(psutil.Process(pid))
        except psutil.NoSuchProcess:
            created = 0.0
        return cls(pid, created, platform.node())

    @classmethod
    def here(cls) -> Self:
        """The mark of this process."""
        return cls.of(os.getpid())

    @property
    def is_local(self) -> bool:
        return self.host == platform.node()

    @property
    def alive(self) -> bool:
        """Whether this very process still runs on this machine. A zombie has ended, so it counts as dead."""
        try:
            process = psutil.Process(self.pid)
            ended = process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
            return not ended and abs(_start_time(process) - self.created) < _SLACK
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:  # it is there, and belongs to somebody else
            return True

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The mark from plain data. Raises KeyError, TypeError or ValueError when it is none."""
        return cls(int(data["pid"]), float(data["created"]), str(data["host"]))


def _start_time(process: psutil.Process) -> float:
    """When a process started. Linux counts this from boot, and psutil adds a boot time that moves whenever the clock is
    set, by hours after a virtual machine slept; the count itself never changes. Other systems store a date."""
    if sys.platform != "linux":
        return process.create_time()
    try:
        text = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        raise psutil.NoSuchProcess(process.pid) from None
    except PermissionError:
        raise psutil.AccessDenied(process.pid) from None
    ticks = int(text.rpartition(")")[2].split()[19])  # field 22; a name in brackets, the second, may hold anything
    return ticks / os.sysconf("SC_CLK_TCK")


def heard_of(heartbeat: Path) -> float | None:
    """Seconds since 1970 of the last sign of life, or None when there never was one."""
    try:
        return heartbeat.stat().st_mtime
    except FileNotFoundError:
        return None


def worker_alive(mark: ProcessMark, heartbeat: Path) -> bool:
    """Whether a worker is alive: by its process on this machine, by its heartbeat when it works on another."""
    if mark.is_local:
        return mark.alive
    heard = heard_of(heartbeat)
    return heard is not None and time.time() - heard < _SILENCE
