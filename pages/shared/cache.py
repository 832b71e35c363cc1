"""Everything kept between runs of a page. This is the only file with `st.cache_*`; each cache has a bound.

Keys are identities: a folder or file and when it last changed. What `cache_resource` returns is shared by all sessions
and only ever read.
"""

import json
from concurrent.futures import Future
from contextlib import suppress
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from PIL import Image

from core.augment.policies import PolicyStore
from core.data.dataset import DESCRIPTION, Dataset, Sample, load_dataset, newest_revision
from core.data.incoming import Proposal, Survey, mask_preview
from core.data.library import Library
from core.data.loading import read_picture
from core.data.mask_files import read_mask
from core.data.mask_values import MaskMap
from core.data.polyps import draw_polyps
from core.data.revisions import Revision
from core.data.revisions import revisions as list_revisions
from core.data.smear import CELLS, draw_cell
from core.data.split import dataset_caution
from core.errors import FoveaError
from core.evaluate.masks import Levels, MaskTable
from core.evaluate.predictions import PredictionTable
from core.evaluate.segmentation import ImageScore, SegmentationResult, evaluate_masks, image_rows
from core.executors.instant import Retrained
from core.executors.lab import Lab
from core.executors.local import LocalExecutor
from core.figures.curves import accuracy_curves, dice_curves, loss_curves, rate_curve
from core.figures.embedding import picture_map as draw_map
from core.figures.overlay import colour_mask, draw_overlay, heat_map
from core.figures.search import search_coordinates, search_history, search_importances
from core.integrity.embedding import Embedding, read_embedding
from core.metrics.segmentation import background_of
from core.models.weights import WeightsState, encoder_weights_state, weights_state
from core.predict.answer import Answer, Explanation, MaskAnswer
from core.predict.survived import Survival
from core.recipe import MixChoice, Recipe, TransformChoice
from core.runs.data import split_as
from core.runs.journal import Entry, RunReader
from core.runs.run import RunPaths, RunState, look_name
from core.runs.store import Run, RunStore
from core.runs.summary import RunSummary
from core.studies.duel import DuelTable
from core.studies.leakage import Price
from core.studies.repeats import RepeatTable
from core.studies.search import ensure_driving, paths_of, read_results
from core.studies.study import Study, StudyStore
from core.train.estimate import Rate
from core.workspace import Workspace
from pages.shared.pixels import LARGEST, mask_on_screen, outline_width, photo, picture_on_screen, size_on_screen

_MOST_TABLES = 32  # of studies, kept for whoever looks
StudyTable = RepeatTable | DuelTable | Price
_TABLES = {"duel": ("duel", DuelTable), "leakage": ("leakage", Price)}  # by kinds of studies; the others are repeats
_MOST_RATES = 300  # of runs, to tell from how long another one takes
LOOK_SIDE = 256  # pixels, of a validation image that is looked at after each epoch

# What is there


def workspace() -> Workspace:
    """The workspace of this server."""
    return Workspace.default()


def library() -> Library:
    """The datasets."""
    return Library(workspace())


def policies() -> PolicyStore:
    """The augmentation policies that people saved."""
    return PolicyStore(workspace())


def store() -> RunStore:
    """The runs."""
    return RunStore(workspace())


def dataset(id: str, revision: int = 0) -> Dataset:
    """A dataset with its table, by default in its newest revision. Raises DatasetError when there is none."""
    folder = workspace().datasets / id
    if not (folder / DESCRIPTION).is_file():
        return library().get(id)
    return _dataset(folder, revision or newest_revision(folder), stamp_of(folder / DESCRIPTION))


@st.cache_resource(max_entries=8, show_spinner=False)
def _dataset(folder: Path, revision: int, stamp: tuple[int, int]) -> Dataset:
    return load_dataset(folder, revision)


def revisions(dataset: Dataset) -> tuple[Revision, ...]:
    """All revisions up to this one. Raises DatasetError when one cannot be read."""
    return _revisions(dataset.folder, dataset.revision)


@st.cache_resource(max_entries=8, show_spinner=False)
def _revisions(folder: Path, newest: int) -> tuple[Revision, ...]:
    return tuple(one for one in list_revisions(folder) if one.number <= newest)


def caution(dataset: Dataset) -> str:
    """What to keep in mind when scores of a dataset are read, as a sentence; "" for nothing."""
    return _caution(dataset.folder, dataset.revision, dataset.fingerprint, _data=dataset)


@st.cache_data(max_entries=32, show_spinner=False)
def _caution(folder: Path, revision: int, fingerprint: str, _data: Dataset) -> str:
    return dataset_caution(_data)


def embedding(dataset: Dataset) -> Embedding | None:
    """What was read off the features of a dataset; None where nobody has let a network look at it."""
    what = dataset.folder, dataset.revision, dataset.fingerprint
    found = _embedding(*what, _data=dataset)
    if found is None:
        _embedding.clear(*what, _data=dataset)  # the next look asks anew
    return found


@st.cache_resource(max_entries=8, show_spinner=False)
def _embedding(folder: Path, revision: int, fingerprint: str, _data: Dataset) -> Embedding | None:
    return read_embedding(workspace(), _data)


def picture_map(dataset: Dataset, colour_by: str) -> go.Figure:
    """The map of a dataset that was embedded; `colour_by` is as `core.figures.embedding.picture_map` takes it."""
    return _picture_map(dataset.folder, dataset.revision, dataset.fingerprint, colour_by, _data=dataset)


@st.cache_resource(max_entries=16, show_spinner=False)
def _picture_map(folder: Path, revision: int, fingerprint: str, colour_by: str, _data: Dataset) -> go.Figure:
    labels, splits = ([getattr(sample, name) for sample in _data.samples] for name in ("label", "split"))
    of = embedding(_data), _data.classes, labels
    figure = draw_map(*of, colour_by, splits=splits, identity=f"{_data.reference} {colour_by}")
    return figure.update_layout(modebar_orientation="v", margin_r=44)  # its buttons beside it, not over its legend


def dataset_of(run: Run) -> Dataset:
    """The dataset of a run with its table, in the splits that the run has. Raises what `core.runs.data` does."""
    data = dataset(run.facts.dataset, run.facts.revision)
    return _in_splits_of(data.folder, stamp_of(data.folder / DESCRIPTION), run.paths.folder, _data=data, _run=run)


@st.cache_resource(max_entries=8, show_spinner=False)
def _in_splits_of(folder: Path, stamp: tuple[int, int], run: Path, _data: Dataset, _run: Run) -> Dataset:
    return split_as(_data, _run)  # a run's split never changes


def runs() -> list[RunSummary]:
    """All runs, newest first, those put away too; at most a second old. The same list for everybody: only read it."""
    return _runs(workspace().root)


@st.cache_resource(ttl=1, max_entries=2, show_spinner=False)
def _runs(root: Path) -> list[RunSummary]:
    return RunStore(Workspace(root)).list(glance=True)


def seen_rates() -> list[Rate]:
    """The rates that the newest runs on this machine reached, newest first."""
    timed = (run for run in runs() if run.images_per_second)
    return [
        Rate(run.network, run.image_size, run.trainable, run.images_per_second) for run in islice(timed, _MOST_RATES)
    ]


def forget_runs() -> None:
    """After something was done to a run: look again at once."""
    _runs.clear()


def studies() -> list[Study]:
    """All studies, newest first; at most a second old."""
    return _studies(workspace().root)


@st.cache_resource(ttl=1, max_entries=2, show_spinner=False)
def _studies(root: Path) -> list[Study]:
    return StudyStore(Workspace(root)).list()


def forget_studies() -> None:
    """After a study was made or deleted: look again at once."""
    _studies.clear()


def study_table(study: Study, states: dict[str, RunState]) -> tuple[StudyTable | None, bool]:
    """What the runs of a study say together, as the lab answered last, and whether a newer answer comes.

    `states` are those of the runs that there are; what a run says changes with its state and its report.
    """
    tables, store = _study_tables(workspace().root), workspace().runs
    runs = [member.run for member in study.members]
    key = [(run, states.get(run), stamp_of(RunPaths(store / run).results("validation"))) for run in runs]
    asked, answer, last = tables.get(study.id, (None, None, None))
    module, kind = _TABLES.get(study.kind, ("repeats", RepeatTable))
    if asked != key:
        answer = lab().submit(f"core.studies.{module}:summarise", str(workspace().root), study.id)
        for old in list(tables)[:-_MOST_TABLES]:
            tables.pop(old, None)
    if answer.done():
        if answer.exception():
            tables.pop(study.id, None)  # the next look asks anew
        last = kind.from_json(answer.result())
    tables[study.id] = key, answer, last
    return last, not answer.done()


@st.cache_resource(max_entries=2, show_spinner=False)
def _study_tables(root: Path) -> dict[str, tuple[list, Future, StudyTable | None]]:
    return {}


@st.cache_data(ttl=20, max_entries=64, show_spinner=False)
def weights(backbone: str) -> WeightsState:
    """Whether the pretrained weights of a backbone are on this machine."""
    return weights_state(backbone)


@st.cache_data(ttl=20, max_entries=64, show_spinner=False)
def encoder_weights(encoder: str) -> WeightsState:
    """Whether the pretrained weights of an encoder are on this machine."""
    return encoder_weights_state(encoder)


MOST_NAMES = 50  # of timm, that a search tells


def timm_names(words: str, largest: int | None, weights: str) -> list[dict[str, Any]]:
    """Networks of timm (`core.models.search.search`): of any "weights", of "published" ones, or of those "here"."""
    return _timm_names(" ".join(words.lower().split()), largest, weights)


@st.cache_data(ttl=60, max_entries=64, show_spinner="Looking through timm …")
def _timm_names(words: str, largest: int | None, weights: str) -> list[dict[str, Any]]:
    wanted = {"published": {"pretrained": True}, "here": {"here": True}}.get(weights, {})
    return lab().call("core.models.search:search", words, largest=largest, limit=MOST_NAMES, **wanted)


def described(recipe: Recipe, classes: int) -> dict[str, Any] | None:
    """What the lab says of the network of a recipe and of what learns in each phase (`core.train.rehearsal.describe`);
    None while it has not answered."""
    phases = [
        {"name": str(place), "trainable": phase.trainable, "norms": phase.norms}
        for place, phase in enumerate(recipe.phases)
    ]
    said = {"task": recipe.task, "image_size": recipe.image_size, "model": recipe.model.model_dump(), "phases": phases}
    answer = _described(Recipe.parse(said).to_json(), classes)
    if answer.done() and answer.exception():
        _described.clear()  # the lab has ended; the next one is asked anew
    return answer.result() if answer.done() else None


@st.cache_resource(max_entries=256, show_spinner=False)
def _described(recipe: str, classes: int) -> Future:
    return lab().submit("core.train.rehearsal:describe", recipe, classes)


@st.cache_data(max_entries=1, show_spinner=False)
def sample_cells(size: int = 96) -> list[bytes]:
    """One drawn cell of each kind, as JPEGs of `size` pixels: what the demo cells look like."""
    pictures = []
    for kind in CELLS:
        draw_cell(kind, size, 0.1, seed=5).save(file := BytesIO(), "JPEG", quality=90)
        pictures.append(file.getvalue())
    return pictures


@st.cache_data(max_entries=1, show_spinner=False)
def sample_polyps(size: int = 128) -> list[bytes]:
    """Drawn polyps with their outlines, as JPEGs of `size` pixels: what the demo polyps look like."""
    drawn = [draw_polyps(((1,), (2,), (1, 2))[place % 3], size, 0.1, seed=place) for place in range(8)]
    return [_with_mask(np.array(picture), mask, "contour", 0) for picture, mask in drawn]


# Processes that do what a page must not


def lab() -> Lab:
    """The process that answers at once: previews, predictions, evaluations."""
    return _lab(workspace().root, "lab")


def desk() -> Lab:
    """The process for what takes a while: imports. Apart from the lab, so that neither waits for the other."""
    return _lab(workspace().root, "desk")


@st.cache_resource(max_entries=4, show_spinner=False, on_release=lambda lab: lab.close())
def _lab(root: Path, name: str) -> Lab:
    return Lab(name)


@st.cache_resource(max_entries=2, show_spinner=False)
def _imports(root: Path) -> dict[str, Any]:
    return {}


def imports() -> dict[str, Any]:
    """Imports at work on this server, by id. Whoever started one takes it out; a session that went away leaves one
    entry behind until the server ends."""
    return _imports(workspace().root)


def sources() -> dict[str, Any]:
    """What people want to import from, by id, until it is kept or let go. Their number is bounded by whoever adds."""
    return _sources(workspace().root)


@st.cache_resource(max_entries=2, show_spinner=False)
def _sources(root: Path) -> dict[str, Any]:
    return {}


def survey(path: Path, layout: str, answers: dict[str, str]) -> Survey:
    """What a source asks when it is read in this layout, with the answers so far. Raises what `core.data.incoming`
    does."""
    return _survey(path, stamp_of(path), layout, answers)


@st.cache_data(max_entries=32, max_size="20MiB", show_spinner=False)
def _survey(path: Path, stamp: tuple[int, int], layout: str, answers: dict[str, str]) -> Survey:
    return lab().call("core.data.incoming:survey", workspace(), path, layout=layout, picks=answers)


def checks() -> dict[str, Any]:
    """Checks of health at work on this server, by the reference of their dataset, and those that an error ended."""
    return _checks(workspace().root)


@st.cache_resource(max_entries=2, show_spinner=False)
def _checks(root: Path) -> dict[str, Any]:
    return {}


def rate_tests() -> dict[str, Any]:
    """Range tests of learning rates on this server, by id, as `imports`."""
    return _rate_tests(workspace().root)


@st.cache_resource(max_entries=2, show_spinner=False)
def _rate_tests(root: Path) -> dict[str, Any]:
    return {}


def executor() -> LocalExecutor:
    """The one that starts, queues and stops runs."""
    return _executor(workspace().root)


@st.cache_resource(max_entries=2, show_spinner=False)
def _executor(root: Path) -> LocalExecutor:
    return LocalExecutor(Workspace(root))


def wake() -> None:
    """Have the helper processes get ready while somebody still looks at the first page; once for each server."""
    _wake(workspace().root)


@st.cache_resource(max_entries=2, show_spinner=False)
def _wake(root: Path) -> None:
    # One after the other: both import torch, and on a small machine they would take each other's time.
    _lab(root, "desk").warm("core.data.demo")
    runner = _executor(root)
    warmed = _lab(root, "lab").warm("core.augment.preview", "core.predict.predictor")
    warmed.add_done_callback(lambda _: runner.advance())
    with suppress(FoveaError):  # searches go on after a restart, though nobody looks at them
        ensure_driving(Workspace(root))


# What is costly to read or to draw


def journal(paths: RunPaths) -> list[Entry]:
    """The entries of a run's journal that count."""
    return _journal(paths).read()


@st.cache_resource(max_entries=32, show_spinner=False)
def _journal(paths: RunPaths) -> RunReader:
    return RunReader(
        paths.epochs, paths.clock
    )  # the one key that says nothing of time: what it holds reads on by itself


def curves(paths: RunPaths, task: str, classes: tuple[str, ...]) -> tuple[go.Figure, go.Figure]:
    """Loss and score of a run: accuracy, or the Dice of each class; drawn once for all who watch it."""
    return _curves(paths, (stamp_of(paths.epochs), stamp_of(paths.clock)), task, classes)


@st.cache_resource(max_entries=32, show_spinner=False)
def _curves(
    paths: RunPaths, stamps: tuple[tuple[int, int], ...], task: str, classes: tuple[str, ...]
) -> tuple[go.Figure, go.Figure]:
    entries, identity = journal(paths), paths.folder.name
    loss = loss_curves(entries, identity=identity)
    if task == "segmentation":
        return loss, dice_curves(entries, classes, identity=identity)
    return loss, accuracy_curves(entries, identity=identity)


def rates(paths: RunPaths) -> go.Figure:
    """The learning rate of a run over its epochs."""
    return _rates(paths, (stamp_of(paths.epochs), stamp_of(paths.clock)))


@st.cache_resource(max_entries=32, show_spinner=False)
def _rates(paths: RunPaths, stamp: tuple[tuple[int, int], ...]) -> go.Figure:
    return rate_curve(journal(paths), identity=paths.folder.name)


def search(study: Study) -> dict[str, Any] | None:
    """What a search has found so far; None before its first trial has ended."""
    return _search(study, stamp_of(paths_of(study).results))[0]


def search_figures(study: Study) -> tuple[go.Figure, go.Figure, go.Figure]:
    """History, importances and parallel coordinates of a search that has found something."""
    return _search(study, stamp_of(paths_of(study).results))[1]


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs={Study: lambda study: str(study.paths.folder)})
def _search(study: Study, stamp: tuple[int, int]) -> tuple[dict[str, Any] | None, tuple[go.Figure, ...]]:
    found = read_results(study)
    drawings = (search_history, search_importances, search_coordinates)
    return found, tuple(draw(found, identity=study.id) for draw in drawings if found is not None)


def predictions(path: Path) -> PredictionTable:
    """A stored prediction table."""
    return _predictions(path, stamp_of(path))


@st.cache_resource(max_entries=8, show_spinner=False)
def _predictions(path: Path, stamp: tuple[int, int]) -> PredictionTable:
    return PredictionTable.read(path)


def mask_table(path: Path) -> MaskTable:
    """A stored table of masks."""
    return _mask_table(path, stamp_of(path))


@st.cache_resource(max_entries=8, show_spinner=False)
def _mask_table(path: Path, stamp: tuple[int, int]) -> MaskTable:
    return MaskTable.read(path)


def mask_report(path: Path, empty: str) -> tuple[SegmentationResult, list[ImageScore]]:
    """What a stored table of masks says, as a whole and image by image, under a rule for empty masks."""
    return _mask_report(path, stamp_of(path), empty)


@st.cache_resource(max_entries=24, show_spinner=False)
def _mask_report(path: Path, stamp: tuple[int, int], empty: str) -> tuple[SegmentationResult, list[ImageScore]]:
    table = _mask_table(path, stamp)
    return evaluate_masks(table, empty=empty), image_rows(table, empty=empty)


def levels(path: Path) -> Levels:
    """How probable the foreground is in the pixels of a split, for networks of two classes."""
    return _levels(path, stamp_of(path))


@st.cache_resource(max_entries=8, show_spinner=False)
def _levels(path: Path, stamp: tuple[int, int]) -> Levels:
    return Levels.read(path)


def compared(dataset: Dataset, sample: Sample, predicted: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An image, its true mask and the predicted one, in the size of a screen: uint8 (H, W, 3), (H, W) and (H, W).

    Raises ImageError or DatasetError when one of the files is gone or damaged.
    """
    return _compared(dataset.path(sample), dataset.mask(sample), predicted, stamp_of(predicted), sample.name)


@st.cache_resource(max_entries=16, show_spinner=False)
def _compared(
    picture: Path, truth: Path, predicted: Path, stamp: tuple[int, int], name: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    shown = read_picture(picture, name=name, enough=LARGEST)
    size = size_on_screen(shown.width, shown.height)
    masks = (mask_on_screen(read_mask(path, name=name), size) for path in (truth, predicted))
    return picture_on_screen(shown.image, size), *masks


def level_map(run: Run, sample: Sample) -> np.ndarray:
    """How probable the foreground is at each pixel of an image, in hundredths, as large as `compared` shows it."""
    return _level_map(workspace().root, run.id, stamp_of(run.paths.best), sample.id)


@st.cache_resource(max_entries=16, show_spinner=False)
def _level_map(root: Path, run: str, stamp: tuple[int, int], sample: str) -> np.ndarray:
    found = lab().call("core.evaluate.evaluation:level_map", str(root), run, sample)
    with Image.open(BytesIO(found)) as levels:
        return mask_on_screen(np.asarray(levels), size_on_screen(*levels.size))


def variants(
    dataset: Dataset,
    samples: list[Sample],
    rows: tuple[TransformChoice, ...],
    seed: int,
    size: int,
    fit: str,
    count: int,
) -> list[list[bytes]]:
    """JPEGs: for each sample the original as the network sees it, and `count` variants of it."""
    ids, plain_rows = [sample.id for sample in samples], [row.model_dump(mode="json") for row in rows]
    return _variants(dataset.folder, dataset.fingerprint, ids, plain_rows, seed, size, fit, count)


@st.cache_data(max_entries=64, max_size="200MiB", show_spinner=False)
def _variants(
    folder: Path, fingerprint: str, ids: list[str], rows: list[dict], seed: int, size: int, fit: str, count: int
) -> list[list[bytes]]:
    work = "core.augment.preview:preview"
    return lab().call(work, str(folder), ids, rows, seed=seed, size=size, fit=fit, variants=count)


def survival(
    dataset: Dataset, run: str, rows: tuple[TransformChoice, ...], pictures: int, variants: int, seed: int
) -> Survival:
    """What a policy leaves of pictures that the model of a run recognises."""
    best = store().paths(run).best
    plain_rows = [row.model_dump(mode="json") for row in rows]
    return _survival(best.parent, stamp_of(best), dataset.reference, plain_rows, pictures, variants, seed)


@st.cache_data(max_entries=32, max_size="50MiB", show_spinner=False)
def _survival(
    run: Path, stamp: tuple[int, int], reference: str, rows: list[dict], pictures: int, variants: int, seed: int
) -> Survival:
    work = "core.predict.survival:survival"
    return lab().call(work, str(run), reference, rows, pictures=pictures, variants=variants, seed=seed)


def mixed(
    dataset: Dataset, samples: list[Sample], mix: MixChoice, seed: int, size: int, fit: str
) -> list[tuple[bytes, dict[str, float]]]:
    """Samples mixed with one another: each as a JPEG and the shares of the classes in its label."""
    ids = [sample.id for sample in samples]
    return _mixed(dataset.folder, dataset.fingerprint, ids, mix.model_dump(mode="json"), seed, size, fit)


@st.cache_data(max_entries=64, max_size="50MiB", show_spinner=False)
def _mixed(
    folder: Path, fingerprint: str, ids: list[str], mix: dict, seed: int, size: int, fit: str
) -> list[tuple[bytes, dict[str, float]]]:
    return lab().call("core.augment.preview:preview_mix", str(folder), ids, mix, seed=seed, size=size, fit=fit)


def masked_variants(
    dataset: Dataset,
    samples: list[Sample],
    rows: tuple[TransformChoice, ...],
    seed: int,
    size: int,
    fit: str,
    count: int,
    style: str,
) -> list[list[bytes]]:
    """What `variants` gives, each picture with its mask over it, which went through the same draw."""
    ids, plain_rows = [sample.id for sample in samples], [row.model_dump(mode="json") for row in rows]
    lines = _variants_and_masks(dataset.folder, dataset.fingerprint, ids, plain_rows, seed, size, fit, count)
    ground = background_of(dataset.classes)
    return [[_overlaid(picture, mask, style, ground) for picture, mask in line] for line in lines]


@st.cache_data(max_entries=64, max_size="200MiB", show_spinner=False)
def _variants_and_masks(
    folder: Path, fingerprint: str, ids: list[str], rows: list[dict], seed: int, size: int, fit: str, count: int
) -> list[list[tuple[bytes, bytes]]]:
    work = "core.augment.preview:preview_masks"
    return lab().call(work, str(folder), ids, rows, seed=seed, size=size, fit=fit, variants=count)


@st.cache_data(max_entries=1024, max_size="100MiB", show_spinner=False)
def _overlaid(picture: bytes, mask: bytes, style: str, background: int | None) -> bytes:
    return _with_mask(_pixels(picture), np.array(Image.open(BytesIO(mask))), style, background)


def masked_thumbnail(dataset: Dataset, sample: Sample, style: str) -> bytes:
    """The thumbnail of an image with its mask over it, as a JPEG."""
    paths = dataset.thumbnail(sample), dataset.mask(sample)
    return _masked_thumbnail(*paths, style, background_of(dataset.classes))


@st.cache_data(max_entries=1024, max_size="100MiB", show_spinner=False)
def _masked_thumbnail(picture: Path, mask: Path, style: str, background: int | None) -> bytes:
    # Both files are named by their content, so their names say all that a change could.
    pixels = _pixels(picture.read_bytes())
    small = Image.fromarray(read_mask(mask)).resize(pixels.shape[1::-1], Image.Resampling.NEAREST)
    return _with_mask(pixels, np.array(small), style, background)


def found_picture(proposal: Proposal, sample: Sample, style: str) -> bytes:
    """The thumbnail of an image that nobody has kept yet, with its mask as the present map has it, as a JPEG."""
    ground = background_of(proposal.classes)
    key = proposal.folder, sample.mask, proposal.mask_map, style, ground
    return _found_picture(*key, _proposal=proposal, _sample=sample)


@st.cache_data(max_entries=512, max_size="50MiB", show_spinner=False)
def _found_picture(
    folder: Path, mask: str, mask_map: MaskMap, style: str, background: int | None, _proposal: Proposal, _sample: Sample
) -> bytes:
    pixels = _pixels(_proposal.thumbnail(_sample).read_bytes())
    return _with_mask(pixels, mask_preview(_proposal, _sample, mask_map), style, background)


def looks(
    paths: RunPaths, ids: list[str], epoch: int, style: str, classes: tuple[str, ...]
) -> list[tuple[bytes, bytes]]:
    """For each validation image that a run looks at: its true mask over it, and the mask predicted after an epoch.

    An image whose files are not all there is left out.
    """
    ground, pairs = background_of(classes), []
    for id in ids:
        picture, *masks = (paths.look(id, name) for name in ("image.jpg", "truth.png", look_name(epoch)))
        with suppress(OSError, FoveaError):  # the run was deleted a moment ago, or its disk was full
            pairs.append(tuple(_look(picture, mask, stamp_of(mask), style, ground) for mask in masks))
    return pairs


@st.cache_data(max_entries=512, max_size="100MiB", show_spinner=False)
def _look(picture: Path, mask: Path, stamp: tuple[int, int], style: str, background: int | None) -> bytes:
    pixels, found = _pixels(picture.read_bytes()), read_mask(mask)
    # The page shows them larger than a network sees them; lines are drawn at that size, so that they stay thin.
    larger = max(1, round(LOOK_SIDE / pixels.shape[0]))
    side = larger * pixels.shape[0]
    image = Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)
    return _with_mask(np.array(image), found.repeat(larger, 0).repeat(larger, 1), style, background, width=3)


def _pixels(picture: bytes) -> np.ndarray:
    return np.array(Image.open(BytesIO(picture)).convert("RGB"))


def _with_mask(pixels: np.ndarray, mask: np.ndarray, style: str, background: int | None, width: int = 2) -> bytes:
    if style != "off":
        opacity = 1.0 if style == "contour" else 0.5
        # These are small pictures, shown smaller still: a line of one pixel would hardly be seen.
        pixels = draw_overlay(pixels, mask, style=style, opacity=opacity, background=background, width=width)
    Image.fromarray(pixels).save(file := BytesIO(), "JPEG", quality=90, subsampling=0)  # outlines keep their colours
    return file.getvalue()


def answer(paths: RunPaths, name: str, picture: bytes) -> Answer:
    """What the best weights of a run say about one picture."""
    return _answer(paths.folder, stamp_of(paths.best), name, picture)


@st.cache_data(max_entries=256, show_spinner=False)
def _answer(folder: Path, stamp: tuple[int, int], name: str, picture: bytes) -> Answer:
    return lab().call("core.predict.predictor:predict", str(folder), [(name, picture)])[0]


def mask_answer(paths: RunPaths, name: str, picture: bytes, tiles: bool, views: bool) -> MaskAnswer:
    """The mask that the best weights of a run find in one picture."""
    return _mask_answer(paths.folder, stamp_of(paths.best), name, picture, tiles, views)


@st.cache_data(max_entries=128, max_size="400MiB", show_spinner=False)
def _mask_answer(
    folder: Path, stamp: tuple[int, int], name: str, picture: bytes, tiles: bool, views: bool
) -> MaskAnswer:
    # Hundreds of tiles take a while, for which nobody else's preview should wait.
    place = desk() if tiles else lab()
    work = "core.predict.predictor:predict"
    return place.call(work, str(folder), [(name, picture)], tiles=tiles, views=views)[0]


def explanation(paths: RunPaths, name: str, picture: bytes, label: str, stage: int | None) -> Explanation:
    """Where the best weights of a run look for a class in one picture."""
    return _explanation(paths.folder, stamp_of(paths.best), name, picture, label, stage)


@st.cache_data(max_entries=128, max_size="100MiB", show_spinner=False)
def _explanation(
    folder: Path, stamp: tuple[int, int], name: str, picture: bytes, label: str, stage: int | None
) -> Explanation:
    return lab().call("core.predict.predictor:explain", str(folder), name, picture, label, stage=stage)


@st.cache_data(max_entries=512, max_size="100MiB", show_spinner=False)
def drawn_mask(
    picture: bytes,
    mask: bytes,
    size: tuple[int, int],
    style: str,
    opacity: float,
    classes: tuple[int, ...],
    background: int | None,
) -> bytes:
    """A picture of this width and height with the shown classes of its mask over it, as a JPEG for the screen."""
    size = size_on_screen(*size)
    image, indices = _picture_on_screen(picture, size), _mask_on_screen(mask, size)
    look = {"style": style, "opacity": opacity, "classes": classes, "background": background}
    return photo(draw_overlay(image, indices, **look, width=outline_width(indices.shape)))


@st.cache_data(max_entries=512, max_size="100MiB", show_spinner=False)
def drawn_heat(picture: bytes, heat: bytes, size: tuple[int, int], opacity: float) -> bytes:
    """A picture of this width and height with a map of heat, an 8-bit grey PNG, over it, as a JPEG for the screen."""
    size = size_on_screen(*size)
    with Image.open(BytesIO(heat)) as values:
        smooth = np.asarray(values.resize(size, Image.Resampling.BILINEAR))
    return photo(heat_map(smooth, _picture_on_screen(picture, size), opacity=opacity))


def coloured(mask: bytes, background: int | None) -> bytes:
    """A mask of class indices, a PNG, as a PNG of their colours."""
    with Image.open(BytesIO(mask)) as indices:
        colours = colour_mask(np.asarray(indices), background)
    Image.fromarray(colours).save(file := BytesIO(), "PNG")
    return file.getvalue()


@st.cache_resource(max_entries=32, show_spinner=False)
def _picture_on_screen(picture: bytes, size: tuple[int, int]) -> np.ndarray:
    with Image.open(BytesIO(picture)) as image:
        return picture_on_screen(image, size)


@st.cache_resource(max_entries=32, show_spinner=False)
def _mask_on_screen(mask: bytes, size: tuple[int, int]) -> np.ndarray:
    with Image.open(BytesIO(mask)) as indices:
        return mask_on_screen(np.asarray(indices), size)


def retrained(run: Run, changes: dict[str, Any]) -> Retrained:
    """The head of a run with some choices changed, beside the head as it is, trained now on stored features."""
    return _retrained(workspace().root, run.id, json.dumps(changes, sort_keys=True))


@st.cache_data(max_entries=128, max_size="100MiB", show_spinner=False)
def _retrained(root: Path, run: str, changes: str) -> Retrained:
    return lab().call("core.executors.instant:retrain", str(root), run, json.loads(changes))


def warm_model(paths: RunPaths) -> None:
    """Have the lab load the best weights of a run while somebody still looks for a picture."""
    _warm_model(paths.folder, stamp_of(paths.best))


@st.cache_data(max_entries=64, show_spinner=False)
def _warm_model(folder: Path, stamp: tuple[int, int]) -> None:
    lab().submit("core.predict.predictor:warm", str(folder))


def stamp_of(path: Path) -> tuple[int, int]:
    """When a file changed last, and its size; zeros while it is not there."""
    try:
        about = path.stat()
    except FileNotFoundError:
        return 0, 0
    return about.st_mtime_ns, about.st_size
