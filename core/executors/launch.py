"""Start helper processes: in a session of their own, at a low priority, able to outlive whoever starts them."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import core
from core.errors import storage_errors

_NICE = 10  # a training run takes every core it gets; pages must still answer at once


def start_detached(module: str, arguments: list[str], log: Path) -> subprocess.Popen:
    """Run `python -m module arguments` apart from this process, with everything it prints added to `log`.

    Closing the browser, the terminal or the server does not end it. The caller may forget the process; asking it with
    `poll` now and then lets the system forget it as well, once it ended.
    """
    with storage_errors(log.parent), open(log, "ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            **apart(),
        )


def environment() -> dict[str, str]:
    """The environment of a helper process, which finds this package wherever it is started."""
    paths = [str(Path(core.__file__).parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}


def apart() -> dict[str, Any]:
    """Options of Popen for a process in a session of its own, which no Ctrl-C in a terminal reaches."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def step_back() -> None:
    """Let everything else on this machine go first, from now on."""
    if sys.platform == "win32":
        import psutil

        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    elif os.getpriority(os.PRIO_PROCESS, 0) < _NICE:  # absolute: workers start workers, and must not sink further
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
