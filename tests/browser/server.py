"""A Streamlit server of one's own: on a free port, over a workspace of its own, ended with everything it started."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
PATIENCE = 60  # seconds until the server must answer


@contextmanager
def serving(workspace: Path, *, roots: Path | None = None) -> Iterator[str]:
    """The address of a fresh server over `workspace`; people may import from `roots`. Its log stands beside it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [f"--server.port={port}", "--server.address=127.0.0.1", "--server.headless=true"]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", *options, "--server.fileWatcherType=none"]
    environment = {**os.environ, "FOVEA_WORKSPACE": str(workspace), "FOVEA_ROOTS": str(roots or workspace)}
    log = workspace.with_name(workspace.name + ".server.log")
    with open(log, "ab") as output:
        server = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_it_answers(address, server, log)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_it_answers(address: str, server: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=2).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"the server did not answer: {log.read_text(errors='replace')[-2000:]}")


def end_workers(workspace: Path) -> None:
    """End what still works for this workspace: detached workers and spares outlive their server on purpose."""
    mine = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "core.executors.worker" in words and any(str(workspace) in word for word in words):
            mine.append(process)
    for process in mine:
        process.kill()
    psutil.wait_procs(mine, timeout=10)
