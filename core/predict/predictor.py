"""Answer pictures with a trained model, one at a time and at once: models that were used lately stay in memory."""

import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch

from core.data.loading import fit_image, jpeg, read_image
from core.errors import ImageError, InputError
from core.predict.answer import Answer, Explanation, MaskAnswer
from core.predict.class_maps import explain_label
from core.predict.explain import explain_class
from core.predict.masks import find_mask
from core.runs.run import RunPaths
from core.train.checkpoint import Trained, load_trained

_MODELS_KEPT = 3


def predict(
    run_folder: str, images: Sequence[tuple[str, bytes]], *, tiles: bool = False, views: bool = False
) -> list[Answer] | list[MaskAnswer]:
    """The answers of a run's best model to pictures given as (name, file content), in their order: an Answer each from
    a classifier, a MaskAnswer each from a segmentation network.

    A picture that cannot be read gets an answer with an error; the others are answered all the same. The pictures go
    the same way as those of an evaluation; each goes alone, since a person waits for it, which may move a probability
    in its sixth digit. `tiles` and `views`, for masks: see a large picture in overlapping windows, and every square
    from all eight sides. Raises RunError when the run has no saved model, WeightsError when the model is damaged,
    InputError when a classifier is asked for tiles or views.
    """
    trained = trained_model(Path(run_folder))
    if trained.recipe.task == "segmentation":
        return [find_mask(trained, name, content, tiles=tiles, views=views) for name, content in images]
    if tiles or views:
        raise InputError("Tiles and views are for masks", found="a run that gives each picture one class")
    return [_answer(trained, name, content) for name, content in images]


def explain(run_folder: str, name: str, content: bytes, label: str = "", *, stage: int | None = None) -> Explanation:
    """Where a run's best model looks for a class in a picture: of a mask as `explain_class` says, of a classifier as
    `explain_label` does, which needs no class.

    Raises RunError and WeightsError as `predict` does, InputError when the run has no such class.
    """
    trained = trained_model(Path(run_folder))
    if trained.recipe.task == "segmentation":
        return explain_class(trained, name, content, label, stage=stage)
    return explain_label(trained, name, content, label)


def explain_files(run_folder: str, files: Sequence[tuple[str, str, str]]) -> list[Explanation]:
    """Where a run's best model looks in several files, given as (name, path, class); a file that is gone gets its
    reason. Raises what `explain` does."""
    found = []
    for name, path, label in files:
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            found.append(Explanation(name, label, error=f"{name} cannot be read: {error.strerror}."))
            continue
        found.append(explain(run_folder, name, content, label))
    return found


def warm(run_folder: str) -> None:
    """Load a run's best model and let it answer once, so that the first picture does not wait for either."""
    trained = trained_model(Path(run_folder))
    size = trained.recipe.image_size
    trained.model.probabilities(torch.zeros(1, 3, size, size, dtype=torch.uint8))


def _answer(trained: Trained, name: str, content: bytes) -> Answer:
    began = time.perf_counter()
    try:
        image = read_image(content, name=name)
    except ImageError as error:
        return Answer(name, error=str(error), milliseconds=_since(began))
    pixels = fit_image(image, trained.recipe.image_size, trained.recipe.fit)
    probabilities = trained.model.probabilities(torch.from_numpy(pixels).permute(2, 0, 1)[None])[0]
    milliseconds = _since(began)
    return Answer(
        name,
        label=trained.classes[int(probabilities.argmax())],
        probabilities=dict(zip(trained.classes, probabilities.tolist(), strict=True)),
        thumbnail=jpeg(pixels),
        milliseconds=milliseconds,
    )


def _since(began: float) -> float:
    return 1000 * (time.perf_counter() - began)


def trained_model(folder: Path) -> Trained:
    """The best model of a run as it stands on disk now: a run that went on training has a newer file.

    Raises RunError when the run has no saved model, WeightsError when the model is damaged.
    """
    best = RunPaths(folder).best
    try:
        written = best.stat()
    except FileNotFoundError:
        return load_trained(best)  # which says what is wrong
    return _loaded(best, written.st_mtime_ns, written.st_size)


@lru_cache(maxsize=_MODELS_KEPT)
def _loaded(best: Path, _written: int, _size: int) -> Trained:
    return load_trained(best)
