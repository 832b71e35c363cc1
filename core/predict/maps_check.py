"""Compare the maps of a network with those of random weights, and keep what came of it beside the run."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from scipy.stats import rankdata
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from core.data.dataset import Dataset, Sample
from core.data.loading import fit_image, read_image
from core.errors import RunError
from core.evaluate.current import digest_of
from core.metrics.crossed import crossed
from core.metrics.intervals import Interval
from core.metrics.segmentation import background_of
from core.predict.class_maps import look
from core.predict.explain import grad_cam
from core.predict.meaning import Likeness, MapsCheck, read_check
from core.predict.predictor import trained_model
from core.runs.data import dataset_of
from core.runs.store import RunStore
from core.seeding import derive
from core.train.checkpoint import Trained
from core.train.task import Network, build_model
from core.workspace import Workspace, write_json

PICTURES = 24  # that are compared
TRIED = 36  # looked at, at most, to find so many with a map
FEWEST = 5  # from fewer nobody can tell how pictures vary
DRAWS = 4  # random networks
GRID = 14  # cells a side that a mask's map, of the whole picture, is compared in

Report = Callable[[int, int], None]


def check_maps(root: str, run_id: str, *, seed: int = 0, report: Report | None = None) -> MapsCheck:
    """Compare where a run's best model looks in validation images with where random networks do.

    Each map is that of the class the model answers; of masks, of the largest class found that is no background. Random
    networks have the run's architecture, weights as before any training, and batch norms that have measured these
    pictures, so that they are as good as an untrained network can be. Two maps are compared by the ranks of their
    places (Spearman). `report` is called with (done, total). What is stored for the same weights is given again.

    Raises RunError when the run is not there or draws too few maps, DatasetError when its data are gone or others by
    now, InputError when its network cannot be asked where it looks.
    """
    workspace = Workspace(Path(root))
    run = RunStore(workspace).get(run_id)
    if (stored := read_check(run.paths)) is not None:
        return stored
    tell = report or (lambda done, total: None)
    checkpoint, trained = digest_of(run.paths.best), trained_model(run.paths.folder)
    way = {"classification": _Classes, "segmentation": _Masks}[trained.recipe.task](trained)
    total = PICTURES * (2 + DRAWS)
    asked, mine, cold = [], [], 0
    for square in _squares(dataset_of(workspace, run), trained, seed):
        found = way.own(square)
        if found is None:
            cold += 1
            continue
        label, heat = found
        asked.append((square, label))
        mine.append(heat)
        tell(len(asked), total)
        if len(asked) == PICTURES:
            break
    if len(asked) < FEWEST:
        raise RunError(
            "This network draws too few maps to compare them",
            found=f"{len(asked)} of {len(asked) + cold} validation images with a bright place",
            expected=f"at least {FEWEST}",
        )
    whole, heads = [], []
    for draw in range(DRAWS):
        stranger = _random(trained, [square for square, _ in asked], derive(seed, "maps", draw))
        beheaded = copy.deepcopy(trained.model)
        beheaded.head.load_state_dict(stranger.head.state_dict())
        for rows, model in ((whole, stranger), (heads, beheaded)):
            rows.append([_likeness(one, way.of(model, *what)) for one, what in zip(mine, asked, strict=True)])
        tell(len(asked) * (draw + 2), total)
    found = MapsCheck(checkpoint, len(asked), cold, DRAWS, _summed(whole), _summed(heads))
    write_json(run.paths.maps_check, found.to_json())
    return found


def _squares(dataset: Dataset, trained: Trained, seed: int) -> Iterator[torch.Tensor]:
    """Validation images as the network sees them, (1, 3, S, S) uint8, the classes taking turns."""
    samples = [sample for sample in dataset.samples if sample.split == "validation"]
    order = np.random.default_rng(seed).permutation(len(samples))
    turns: dict[int, int] = {}
    ranked: list[tuple[int, int, Sample]] = []
    for place in order:
        label = samples[place].label
        ranked.append((turns.setdefault(label, 0), int(place), samples[place]))
        turns[label] += 1
    for _, _, sample in sorted(ranked, key=lambda one: one[:2])[:TRIED]:
        pixels = fit_image(
            read_image(dataset.path(sample), name=sample.name), trained.recipe.image_size, trained.recipe.fit
        )
        yield torch.from_numpy(pixels).permute(2, 0, 1)[None]


class _Classes:
    def __init__(self, trained: Trained) -> None:
        self._model = trained.model

    def own(self, square: torch.Tensor) -> tuple[int, np.ndarray] | None:
        """The class that the network answers, and where it looks for it; None where nothing is bright."""
        seen = look(self._model, square)
        label = int(seen.logits.argmax())
        heat = seen.heat(label)[0]
        return (label, heat.numpy()) if heat.any() else None

    def of(self, model: Network, square: torch.Tensor, label: int) -> np.ndarray:
        """Where another network of this kind looks for the class."""
        return look(model, square).heat(label)[0].numpy()


class _Masks:
    def __init__(self, trained: Trained) -> None:
        self._model, self._background = trained.model, background_of(trained.classes)
        self._stage = -1

    def own(self, square: torch.Tensor) -> tuple[int, np.ndarray] | None:
        mask = self._model.probabilities(square)[0].argmax(dim=0)
        counts = torch.bincount(mask.ravel())
        if self._background is not None and self._background < len(counts):
            counts[self._background] = 0
        if not counts.any():
            return None
        label = int(counts.argmax())
        heat, _, _, stage = grad_cam(self._model, square, label, self._stage if self._stage >= 0 else None)
        self._stage = stage  # the same feature map for all, or sizes would be compared
        return (label, _coarse(heat)) if heat.any() else None

    def of(self, model: Network, square: torch.Tensor, label: int) -> np.ndarray:
        return _coarse(grad_cam(model, square, label, self._stage)[0])


def _coarse(heat: torch.Tensor) -> np.ndarray:
    return functional.adaptive_avg_pool2d(heat[None, None], GRID)[0, 0].numpy()


def _random(trained: Trained, squares: list[torch.Tensor], seed: int) -> Network:
    """The same architecture as it is before any training, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build_model(trained.recipe, len(trained.classes), pretrained=False)
        norms = [part for part in model.modules() if isinstance(part, _BatchNorm)]
        for part in norms:
            part.reset_running_stats()
            part.momentum = None  # the mean over all that follows
        if norms:
            model.train()
            with torch.no_grad():
                for start in range(0, len(squares) - 1, 4):  # of one picture alone nothing can be measured
                    model(model.normalise(torch.cat(squares[start : start + 4])))
    return model.eval()


def _likeness(one: np.ndarray, other: np.ndarray) -> float:
    """The rank correlation of two maps; 0 where the other one is the same everywhere and so like nothing."""
    ranks = [rankdata(values, axis=None) for values in (one, other)]
    spreads = [part.std() for part in ranks]
    return float(np.corrcoef(*ranks)[0, 1]) if all(spreads) else 0.0


def _summed(rows: list[list[float]]) -> Likeness:
    """Mean and interval over random networks (rows) and pictures, both of which are a matter of chance."""
    table = np.array(rows)
    low, high = crossed(table, padded=False).interval
    return Likeness(float(table.mean()), Interval(max(-1.0, low), min(1.0, high)))
