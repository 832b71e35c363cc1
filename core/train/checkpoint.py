"""Saved models and the point a run can be taken up again from.

`best.safetensors` holds the weights of the best epoch and, in its header, every fact needed to use them: recipe, class
names in order, dataset fingerprint, epoch and metrics. Weights and facts are one file, so they can never drift apart;
`best.json` repeats the facts for people and for pages. `last.pt` holds what a resumed run needs. Both are written to a
temporary name and renamed.
"""

import json
import os
import re
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from core.errors import RunError, StorageError, WeightsError
from core.recipe import Recipe
from core.train.task import Network, build_model
from core.workspace import replacing, write_json

SECONDS_BETWEEN_SAVES = 5.0  # epochs on cached features take milliseconds; writing each would cost more than training
SECONDS_WITHIN_EPOCHS = 60.0  # an epoch may take hours
MOST_OF_TIME = 0.02  # that writing may take: gigabytes are written less often


@dataclass(frozen=True)
class Trained:
    """A trained network of either task, ready to predict, with what it must never be separated from."""

    model: Network  # of the recipe's task
    classes: tuple[str, ...]
    recipe: Recipe
    facts: dict[str, Any]  # epoch, metrics, interval, dataset id and fingerprint; of masks also `picture`, see the task


def load_trained(best: Path, device: str = "cpu") -> Trained:
    """The model of a `best.safetensors`, in evaluation mode on `device`.

    Raises RunError when there is no such file, WeightsError when it is damaged.
    """
    facts = read_facts(best)
    recipe = Recipe.parse(facts["recipe"])
    model = build_model(recipe, len(facts["classes"]), pretrained=False)
    model.load_state_dict(load_file(best))
    return Trained(model.to(device).eval(), tuple(facts["classes"]), recipe, facts)


def read_facts(best: Path) -> dict[str, Any]:
    """The facts in the header of a `best.safetensors`.

    Raises RunError when there is no such file, WeightsError when it is damaged.
    """
    if not best.exists():
        raise RunError(
            "This run has no saved model", found=f"no {best.name}", do="Let it train for one epoch, then try again"
        )
    try:
        with safe_open(best, framework="pt") as file:
            return json.loads((file.metadata() or {})["facts"])
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise WeightsError(f"{best.name} is damaged", found=str(error), do="Train this run again") from None


class Checkpointer:
    """Writes the best and the last state of one run, in an order that survives a kill at any moment.

    The best model is kept in memory and written at most every few seconds, always before the last state: a run that is
    taken up again from `last` replays exactly the epochs whose outcome may be missing. With `writes=False` it only
    reads: of several processes that train one model, one writes.
    """

    def __init__(
        self,
        best: Path,
        best_facts: Path,
        last: Path,
        clock: Callable[[], float] = time.monotonic,
        *,
        writes: bool = True,
    ) -> None:
        self.best, self._best_facts, self._last = best, best_facts, last
        self._clock, self._writes = clock, writes
        self._pending: tuple[dict[str, torch.Tensor], dict[str, Any]] | None = None
        self._saved_at, self._saving = clock(), 0.0  # when, and for how many seconds, the last state was written

    def insist_on_room(self, model: torch.nn.Module) -> None:
        """Raise StorageError when the disk has not even room for the weights once, so that they will not be kept."""
        needed = sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())
        free = shutil.disk_usage(self.best.parent).free
        if self._writes and free < needed:
            raise StorageError(
                f"Nothing more can be written under {self.best.parent}",
                found=f"{free / 1e6:.1f} MB free",
                expected=f"at least {needed / 1e6:.1f} MB for the weights of this network",
                do="Free some space (old runs and the cache folder of the workspace can go) and try again",
            )

    def keep_best(self, weights: dict[str, torch.Tensor], facts: dict[str, Any]) -> None:
        """Remember the weights, contiguous tensors that nobody changes any more, as the best so far."""
        if self._writes:
            self._pending = weights, facts

    def due(self, *, within_epoch: bool = False) -> bool:
        """Whether the last writing is so long ago that the next may come."""
        patience = SECONDS_WITHIN_EPOCHS if within_epoch else SECONDS_BETWEEN_SAVES
        return self._writes and self._clock() - self._saved_at >= max(patience, self._saving / MOST_OF_TIME)

    def save(self, state: dict[str, Any]) -> None:
        """Write the best model, then what a resumed run needs."""
        if not self._writes:
            return
        began = self._clock()
        self.flush_best()
        with replacing(self._last) as temporary:
            _save_state(state, temporary)
        self._saved_at = self._clock()
        self._saving = self._saved_at - began

    def keep_end(self, position: dict[str, Any], model: torch.nn.Module, *, restored: bool) -> None:
        """Write where training ended, from which another phase could go on: with the latest weights, or `restored` to
        the best ones. Tensors that are the same in the best model are not written again."""
        if not self._writes:
            return
        self.flush_best()
        best = self.best_weights()
        weights = {} if restored else {name: tensor.cpu() for name, tensor in model.state_dict().items()}
        changed = {name: tensor for name, tensor in weights.items() if not torch.equal(tensor, best[name])}
        with replacing(self._last) as temporary:
            _save_state(position | {"model": changed, "upon_best": True}, temporary)

    def best_weights(self) -> dict[str, torch.Tensor]:
        """The weights of the best epoch so far, on the CPU. They have to be written already."""
        return load_file(self.best)

    def flush_best(self) -> None:
        """Write the best model if it is not on disk yet."""
        if self._pending is None:
            return
        weights, facts = self._pending
        with replacing(self.best) as temporary:
            _save_weights(weights, temporary, facts)
        write_json(self._best_facts, facts)
        self._pending = None

    def rescue(self) -> None:
        """Write the best model although training broke off; a disk that is full has been told of already."""
        with suppress(StorageError):
            self.flush_best()

    def kept_facts(self) -> dict[str, Any]:
        """The facts of the best model on disk. Raises RunError when there is none."""
        return read_facts(self.best)

    def load_last(self) -> dict[str, Any] | None:
        """The last state, on the CPU, or None when nothing was saved. Nothing in the file is executed."""
        if not self._last.exists():
            return None
        saved = torch.load(self._last, map_location="cpu", weights_only=True)
        if saved.pop("upon_best", False):
            saved["model"] = self.best_weights() | saved["model"]
            if self._writes:  # whole, before there is another best
                with replacing(self._last) as temporary:
                    _save_state(saved, temporary)
        return saved


def _save_weights(weights: dict[str, torch.Tensor], path: Path, facts: dict[str, Any]) -> None:
    try:
        save_file(weights, path, metadata={"facts": json.dumps(facts)})
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error


def _save_state(state: dict[str, Any], path: Path) -> None:
    try:
        with path.open("wb") as file:
            torch.save(state, file)
    except RuntimeError as error:
        if isinstance(error.__context__, OSError):  # PyTorch tells of the broken archive, and hides why it broke
            raise error.__context__ from error
        raise
