"""Start helper processes that outlive whoever starts them."""

import os
import subprocess
import sys
from pathlib import Path

import core
from core.errors import storage_errors

_NICE = 10  # a training run takes every core it gets; pages must still answer at once


def start_detached(module: str, arguments: list[str], log: Path) -> subprocess.Popen:
    """Run `python -m module arguments` in a session of its own, with everything it prints added to `log`.

    Closing the browser, the terminal or the server does not end it. The caller may forget the process; asking it with
    `poll` now and then lets the system forget it as well, once it ended.
    """
    root = str(Path(core.__file__).parent.parent)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    else:
        apart = {"start_new_session": True}
    with storage_errors(log.parent), open(log, "ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            **apart,
        )


def step_back() -> None:
    """Let everything else on this machine go first, from now on."""
    if sys.platform == "win32":
        import psutil

        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    elif os.getpriority(os.PRIO_PROCESS, 0) < _NICE:  # absolute: workers start workers, and must not sink further
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
