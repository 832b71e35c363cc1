"""How long does somebody wait after "Train"? From the click to the first step in the journal, with the warm spare.

    python -m benchmarks.first_step [--repeats 5]
"""

import argparse
import time

from benchmarks import bench
from core.data.dataset import Dataset
from core.executors.local import LocalExecutor
from core.presets import PRESETS, preset
from core.recipe import Recipe
from core.runs.store import RunStore
from core.workspace import Workspace


def first_step(workspace: Workspace, recipe: Recipe, dataset: Dataset) -> float:
    """Seconds from the click to the first step that a page could show. The run is stopped right after it."""
    store, executor = RunStore(workspace), LocalExecutor(workspace)
    bench.wait_for_spare(workspace)
    clicked = time.monotonic()
    run_id = store.create(recipe, dataset)
    executor.submit(run_id)
    while not any(entry["kind"] == "step" for entry in bench.journal(store, run_id)):
        if store.status(run_id).state.is_finished:
            raise RuntimeError(store.status(run_id).sentence)
        time.sleep(0.01)
    seconds = time.monotonic() - clicked
    executor.stop(run_id)
    while not store.status(run_id).state.is_finished:
        time.sleep(0.05)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    bench.headline('From "Train" to the first step, 400 drawn cells, warm spare')
    for name in [row.name for row in PRESETS[:2]]:
        cold, warm = [], []
        for repeat in range(arguments.repeats):
            with bench.bench_workspace() as workspace:
                dataset = bench.demo_dataset(workspace, images=400)
                recipe = preset(name).recipe().set({"dataset": dataset.id, "seed": repeat})
                cold.append(first_step(workspace, recipe, dataset))
                warm.append(first_step(workspace, recipe, dataset))
        bench.line(f"{name}: nothing decoded yet", cold, "s", goal="2 s or less")
        bench.line(f"{name}: again", warm, "s", goal="2 s or less")


if __name__ == "__main__":
    main()
