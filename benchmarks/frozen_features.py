"""How good is the default recipe, and how long does it take? Beside logistic regression on the same frozen features.

    python -m benchmarks.frozen_features [--data FOLDER] [--seeds 3]

FOLDER holds class folders; without one the demo cells are used. Each seed gives another split and another run. The
accuracy is that of the validation split; the baseline sees the same training images and is scored on the same ones.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np

from benchmarks import bench
from core.data.dataset import Dataset
from core.executors.local import LocalExecutor
from core.presets import DEFAULT, preset
from core.recipe import Recipe
from core.runs.store import RunStore
from core.workspace import Workspace

STRENGTHS = (0.001, 0.01, 0.1, 1.0)  # inverse of the penalty; cross-validation on the training split chooses


def from_the_page(workspace: Workspace, recipe: Recipe, dataset: Dataset) -> tuple[float, float, float]:
    """Best validation accuracy, seconds from the click to the finished run, seconds to its first epoch."""
    store = RunStore(workspace)
    bench.wait_for_spare(workspace)
    clicked_at, clicked = time.time(), time.monotonic()
    run_id = store.create(recipe, dataset)
    LocalExecutor(workspace).submit(run_id)
    bench.wait_until_finished(store, run_id)
    seconds = time.monotonic() - clicked
    first = bench.epoch_times(bench.journal(store, run_id))[0] - clicked_at
    return store.status(run_id).best["accuracy"], seconds, first


def logistic_regression(workspace: Workspace, recipe: Recipe, dataset: Dataset) -> float:
    """Validation accuracy of scikit-learn's logistic regression on the frozen backbone's features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, labels = frozen_features(workspace, recipe, dataset, "train")
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = GridSearchCV(model, {"logisticregression__C": STRENGTHS}, cv=5).fit(features, labels)
    return search.score(*frozen_features(workspace, recipe, dataset, "validation"))


def frozen_features(workspace: Workspace, recipe: Recipe, dataset: Dataset, split: str) -> tuple[np.ndarray, ...]:
    """Features (N, F) float32 of the images as they are, and labels (N,)."""
    import torch

    from core.data.loading import DecodedImages
    from core.models.classifiers import build_classifier

    model = build_classifier(recipe.model, len(dataset.classes)).eval()
    images = DecodedImages(dataset, recipe.image_size, recipe.fit, workspace.cache)
    rows = [row for row, sample in enumerate(dataset.samples) if sample.split == split]
    features = []
    with torch.inference_mode():
        for start in range(0, len(rows), 16):
            chunk = torch.from_numpy(images.get(rows[start : start + 16])).permute(0, 3, 1, 2)
            features.append(model.features(model.normalise(chunk)).numpy())
    images.close()
    return np.concatenate(features), np.array([dataset.samples[row].label for row in rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="class folders; without them cells are drawn")
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()

    bench.headline(f"The default recipe on {arguments.data.name if arguments.data else 'the demo cells'}")
    ours, theirs, totals, firsts = [], [], [], []
    for seed in range(arguments.seeds):
        with bench.bench_workspace() as workspace:  # a fresh one each time, so that every image is decoded anew
            if arguments.data:
                dataset = bench.folder_dataset(workspace, arguments.data, seed)
            else:
                dataset = bench.demo_dataset(workspace, images=400)
            recipe = preset(DEFAULT).recipe().set({"dataset": dataset.id, "seed": seed})
            accuracy, seconds, first = from_the_page(workspace, recipe, dataset)
            baseline = logistic_regression(workspace, recipe, dataset)
        counts = dataset.split_counts()
        print(f"   seed {seed}: {counts['train']} training, {counts['validation']} validation images", flush=True)
        ours.append(accuracy)
        theirs.append(baseline)
        totals.append(seconds)
        firsts.append(first)
    bench.line("validation accuracy, default recipe", ours, "", goal="at least the next line")
    bench.line("validation accuracy, logistic regression", theirs, "")
    bench.line("difference", [a - b for a, b in zip(ours, theirs, strict=True)], "")
    bench.line("click to finished", totals, "s", goal="under 120 s")
    bench.line("click to the first epoch", firsts, "s")


if __name__ == "__main__":
    main()
