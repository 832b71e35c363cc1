"""What the measurements share: a workspace that goes away, a dataset, a warm queue, and how results are written."""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

from core.data.dataset import Dataset
from core.data.demo import make_demo
from core.data.incoming import SplitRule, inspect, keep
from core.executors.local import LocalExecutor
from core.executors.spares import waiting_spares
from core.runs.store import RunStore
from core.workspace import Workspace
from tests.browser.server import end_workers

ROOT = Path(__file__).parents[1]


@contextmanager
def bench_workspace() -> Iterator[Workspace]:
    """A workspace that is deleted at the end, with every process that worked for it ended."""
    root = Path(tempfile.mkdtemp(prefix="fovea-bench-"))
    try:
        yield Workspace(root)
    finally:
        end_workers(root)
        shutil.rmtree(root, ignore_errors=True)


def demo_dataset(workspace: Workspace, images: int, size: int = 96, seed: int = 0) -> Dataset:
    """Drawn blood cells, 4 classes, split 70/15/15; another seed draws and splits otherwise."""
    proposal = make_demo(workspace, "blood-smear", {"images": images, "size": size, "seed": seed})
    return keep(workspace, proposal.id, rule=SplitRule(seed=seed))


def folder_dataset(workspace: Workspace, folder: Path, seed: int) -> Dataset:
    """A folder of class folders, split 70/15/15 by `seed` where the folders give no split."""
    proposal = inspect(workspace, folder)
    return keep(workspace, proposal.id, rule=SplitRule(seed=seed))


def wait_for_spare(workspace: Workspace) -> None:
    """Have the queue keep a spare warm and wait until it is ready, as it is for somebody who has looked at a page."""
    executor = LocalExecutor(workspace)
    deadline = time.monotonic() + 120
    executor.advance()
    while not _a_spare_is_warm(executor.store):
        if time.monotonic() > deadline:
            raise TimeoutError("no warm spare after two minutes")
        time.sleep(0.1)


def _a_spare_is_warm(store: RunStore) -> bool:
    with store.lock():
        return any(spare.warm for spare in waiting_spares(store.workspace))


def wait_until_finished(store: RunStore, run_id: str, patience: float = 1800, *, looks: float = 0.05) -> None:
    """Wait for a run's end, looking every `looks` seconds. Raises RuntimeError with its sentence unless it finished.

    A look takes the processor from the run: what measures speed looks as seldom as a page does.
    """
    deadline = time.monotonic() + patience
    while not (status := store.status(run_id)).state.is_finished:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{run_id} is not finished after {patience:.0f} s")
        time.sleep(looks)
    if status.state != "finished":
        raise RuntimeError(f"{status.state}: {status.sentence}\n{store.log_tail(run_id)}")


def epoch_times(entries: list[dict]) -> list[float]:
    """Seconds since 1970 at which each epoch ended."""
    return [entry["time"] for entry in entries if entry["kind"] == "epoch"]


def journal(store: RunStore, run_id: str) -> list[dict]:
    """Everything a run has told."""
    return store.get(run_id).journal.read()


def options(doc: str, *, pairs: int, images: int, size: int, of: str = "drawn images") -> argparse.ArgumentParser:
    """The command line of a measurement: how often, on how many images of how many pixels; smaller is quicker."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=pairs, help=f"how often each side is measured ({pairs})")
    parser.add_argument("--images", type=int, default=images, help=f"{of} ({images})")
    parser.add_argument("--size", type=int, default=size, help=f"side of the squares that are learned from ({size})")
    return parser


def turns(sides: Sequence[str], number: int) -> list[str]:
    """The order in which the sides of pair `number` go: each goes first in turn, since a machine's speed drifts."""
    start = number % len(sides)
    return [*sides[start:], *sides[:start]]


def apart(module: str, *words: str, beside: Path | None = None) -> dict:
    """Run a side of a measurement in a process of its own: `python -m benchmarks.module words`.

    Gives the JSON of the last line that it prints. `beside` is a folder of further packages. Raises RuntimeError with
    what it said if it failed.
    """
    environment = dict(os.environ)
    if beside:
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(beside)])
    command = [sys.executable, "-m", f"benchmarks.{module}", *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    if done.returncode:
        raise RuntimeError(f"benchmarks.{module} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def load() -> str:
    """How busy the machine was during the last minute, where the system tells."""
    return f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "load unknown"


def headline(title: str) -> None:
    """What is measured, on what, and with which versions."""
    print(
        f"\n== {title}\n   {_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, {load()}"
    )
    print(f"   Python {platform.python_version()}, " + ", ".join(filter(None, map(_version, _TOLD))), flush=True)


def footer() -> None:
    """How busy the machine was at the end: much more than one process for each core spoils the figures above."""
    print(f"   {load()} at the end", flush=True)


_TOLD = ("torch", "torchvision", "timm", "accelerate", "numpy", "pillow")


def _version(name: str) -> str:
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown processor")


def line(name: str, values: list[float], unit: str, *, goal: str = "") -> float:
    """Print the median of some measurements with their range, and give the median."""
    middle = median(values)
    spread = f" [{min(values):.3g} to {max(values):.3g}, n={len(values)}]" if len(values) > 1 else ""
    print(f"   {name:<52} {middle:8.3g} {unit}{spread}" + (f"   goal: {goal}" if goal else ""), flush=True)
    return middle
