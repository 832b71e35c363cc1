"""One model trained by several processes of this machine, over gloo."""

import json
import os
import socket
from dataclasses import asdict, is_dataclass
from multiprocessing import get_context
from pathlib import Path

from core.data.dataset import Dataset
from core.recipe import Recipe
from core.train.loop import train

PATIENCE = 120  # seconds


def train_together(recipe: Recipe, dataset: Dataset, folder: Path, processes: int) -> list[list[dict]]:
    """The events of each process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.mkdir()
    context = get_context("spawn")
    workers = [
        context.Process(target=_work, args=(rank, processes, port, recipe, dataset, folder))
        for rank in range(processes)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(PATIENCE)
        if worker.exitcode != 0:
            for other in workers:
                other.kill()
            raise AssertionError(f"a process ended with {worker.exitcode}")
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(processes)]


def _work(rank: int, processes: int, port: int, recipe: Recipe, dataset: Dataset, folder: Path) -> None:
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    import torch

    torch.set_num_threads(1)
    files = {"best": folder / "best.safetensors", "best_facts": folder / "best.json", "last": folder / "last.pt"}
    events = list(train(recipe, dataset, cache=folder / "cache", **files))
    told = [{"event": type(event).__name__} | asdict(event) for event in events if is_dataclass(event)]
    (folder / f"{rank}.json").write_text(json.dumps(told, default=str))
