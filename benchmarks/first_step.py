"""How long does somebody wait after "Train"? From the click to the first step in the journal, with the warm spare.

    python -m benchmarks.first_step [--pairs 5] [--images 400] [--size 224]

Each pair starts a run on pictures that nobody has decoded before, and the same run again.
"""

import time

from benchmarks import bench
from benchmarks.judge import Verdict
from core.data.dataset import Dataset
from core.executors.local import LocalExecutor
from core.presets import DEFAULT, preset
from core.recipe import Recipe
from core.runs.store import RunStore
from core.workspace import Workspace

CASES = {
    "the default head": {},
    "everything": {"phases": [{"name": "everything", "trainable": "everything", "epochs": 5, "learning_rate": 3e-4}]},
}
AT_MOST = 2.0  # seconds


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
    arguments = bench.options(__doc__, pairs=5, images=400, size=224).parse_args()
    bench.headline('From "Train" to the first step, drawn cells, warm spare')
    verdict = Verdict()
    for name, changes in CASES.items():
        cold, warm = [], []
        for seed in range(arguments.pairs):
            with bench.bench_workspace() as workspace:
                dataset = bench.demo_dataset(workspace, arguments.images)
                recipe = preset(DEFAULT).recipe().set({"dataset": dataset.id, "seed": seed, **changes})
                recipe = recipe.set({"image_size": arguments.size})
                cold.append(first_step(workspace, recipe, dataset))
                warm.append(first_step(workspace, recipe, dataset))
        for times, found in (("nothing decoded yet", cold), ("again", warm)):
            bench.line(f"{name}: {times}", found, "s", goal=f"{AT_MOST:g} s or less")
            verdict.at_most(f"{name}: {times}", found, AT_MOST, unit="s")
    bench.footer()
    verdict.end()


if __name__ == "__main__":
    main()
