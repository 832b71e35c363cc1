"""The data of a run: the dataset it was made for, in the splits that the run has."""

from core.data.dataset import Dataset
from core.data.library import Library
from core.data.split import in_splits
from core.errors import DatasetError, RunError
from core.runs.store import Run
from core.workspace import Workspace, read_json


def dataset_of(workspace: Workspace, run: Run) -> Dataset:
    """The dataset of a run in the revision that it used, wherever one is asked for: to train, to evaluate, to show.

    Of a run on one of several folds, or on a split of a study's own, the images of each split are those that were
    written down when it was made. Raises DatasetError when the dataset is gone or no longer the one the run was made
    for, RunError when the fold or split cannot be read.
    """
    return split_as(Library(workspace).get(f"{run.facts.dataset}@{run.facts.revision}"), run)


def split_as(dataset: Dataset, run: Run) -> Dataset:
    """A dataset in the splits of a run. Raises what `dataset_of` does."""
    if dataset.fingerprint != run.facts.dataset_fingerprint:
        raise DatasetError(
            f"The dataset {dataset.name!r} is not the one this run was made for",
            found=f"fingerprint {dataset.fingerprint}",
            expected=run.facts.dataset_fingerprint,
            do="Start a new run on it",
        )
    if not run.recipe.folds and run.facts.split_rule in ("", dataset.split_rule):
        return dataset
    try:
        split_of = {id: split for split, ids in read_json(run.paths.split).items() for id in ids}
    except (AttributeError, TypeError):
        raise RunError(
            f"The {'fold' if run.recipe.folds else 'split'} of the run {run.id} cannot be read",
            found=run.paths.split.name,
            do="Delete it",
        ) from None
    everything = {sample.id: split_of.get(sample.id, "") for sample in dataset.samples}  # "": left out of this run
    return in_splits(dataset, everything, run.facts.split_rule)
