"""What the weights were after each epoch, so that a network can be asked later what it would have said then.

Only tensors that training may have changed are kept. Those that it never touched are the same in the best model; what
the others were before they were touched stands in a file of its own, so that an epoch of the first phase still finds
the backbone that the second one was about to change. A head is kept as it is, larger parts in half precision, which
moves a probability in its third digit; the best epoch is read from the best model, to the bit.

Keeping them is a by-product. It takes a hundredth of the time at most and so much space, and where there is no space
training goes on without.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from core.errors import StorageError, WeightsError
from core.models.snapshot_files import START, epochs_kept, snapshot_of, start_of
from core.workspace import replacing

Weights = dict[str, torch.Tensor]

MOST_EPOCHS = 64  # a slider needs no more
MOST_BYTES = 256_000_000  # of all snapshots of a run
ALWAYS_BYTES = 32_000_000  # heads never take more
WORTH = 8  # snapshots of its size that a network may keep, within these bounds
EXACT_BYTES = 1_000_000  # a snapshot no larger than this is not rounded
LARGEST_HALF = torch.finfo(torch.float16).max
PENDING_BYTES = 64_000_000  # held in memory before they are written
MOST_OF_TIME = 0.01  # that copying and writing may take
FREE_SECONDS = 0.25  # that they may take in any case


class Snapshots:
    """Keeps the weights of one run after each of its epochs, as far as there is room. None of it without a folder."""

    def __init__(self, folder: Path | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._clock = folder, clock
        self._touched: set[str] = set()  # names of the tensors that training may have changed
        self._start_bytes = 0
        self._sizes: dict[int, int] = {}  # bytes, by the epochs that are kept
        self._pending: dict[int, Weights] = {}
        self._gone: set[int] = set()  # epochs given up, whose files may still be there
        self._opened = False
        self._began, self._spent = clock(), 0.0

    @property
    def touched(self) -> frozenset[str]:
        """The names of the tensors that a snapshot holds."""
        return frozenset(self._touched)

    def begin(self, done: int | None, moving: set[str], weights: Callable[[set[str]], Weights], best: Path) -> None:
        """A phase begins, or goes on, and may change the tensors named `moving`.

        `done` epochs are over, of this attempt and of those before; None when nothing was saved of any. `weights` gives
        tensors of the network as it stands, by their names; `best` is the file of the best model.
        """
        if self._folder is None:
            return
        try:
            new = moving - self._touched
            if not self._opened:
                new = moving - self._open(self._folder, done)
                if not self._touched and best.exists():  # taken over from another run, which kept another epoch as best
                    new |= _different(weights, best)
            if new:
                self._remember_start(weights(new))
        except (OSError, StorageError, SafetensorError):
            self._give_up()

    def keep(self, epoch: int, weights: Callable[[set[str]], Weights], *, whatever: bool = False) -> None:
        """Keep the weights after an epoch, unless that would cost too much time; the last one's `whatever` it costs."""
        if self._folder is None or epoch in self._sizes or not self._touched:
            return
        now = self._clock()
        if not whatever and self._spent > FREE_SECONDS + MOST_OF_TIME * (now - self._began):
            return
        copied = _copied(weights(self._touched))
        size = _size(copied)
        if self._start_bytes + size > MOST_BYTES:
            self._give_up()
            return
        self._pending[epoch], self._sizes[epoch] = copied, size
        self._gone.discard(epoch)
        self._thin(size)
        if sum(self._sizes[one] for one in self._pending) > PENDING_BYTES:
            self.flush()
        self._spent += self._clock() - now

    def flush(self) -> None:
        """Write what is only in memory, and delete what was given up. A full disk ends this, and not the training."""
        if self._folder is None:
            return
        now = self._clock()
        try:
            for epoch in [*self._pending]:
                with replacing(snapshot_of(self._folder, epoch)) as temporary:
                    _save(self._pending[epoch], temporary)
                del self._pending[epoch]
            for epoch in self._gone:
                snapshot_of(self._folder, epoch).unlink(missing_ok=True)
            self._gone.clear()
        except (OSError, StorageError, SafetensorError):
            self._give_up()
        self._spent += self._clock() - now

    def _open(self, folder: Path, done: int | None) -> set[str]:
        """Take up what is there already of the epochs that are done; what came later is made again."""
        self._opened = True
        kept, start = epochs_kept(folder), start_of(folder)
        for temporary in folder.glob(".*.tmp"):  # of a worker that was killed; nobody else writes here
            temporary.unlink(missing_ok=True)
        if not start.exists() or done is None:
            start.unlink(missing_ok=True)
            self._gone = set(kept)
            return set()
        with safe_open(start, framework="pt") as file:
            self._touched = set(file.keys())
        self._start_bytes = start.stat().st_size
        self._gone = {epoch for epoch in kept if epoch > done}
        self._sizes = {epoch: snapshot_of(folder, epoch).stat().st_size for epoch in kept if epoch <= done}
        return self._touched

    def _remember_start(self, weights: Weights) -> None:
        start = start_of(self._folder)
        there = load_file(start) if self._touched else {}
        both = there | _copied(weights)
        if 2 * _size(both) > MOST_BYTES:
            self._give_up()
            return
        with replacing(start) as temporary:
            _save(both, temporary)
        self._touched |= set(weights)
        self._start_bytes = _size(both)

    def _thin(self, size: int) -> None:
        """Give up epochs, the others as evenly apart as may be, until they fit; the newest always stays."""
        room = min(MOST_BYTES, max(ALWAYS_BYTES, (WORTH + 1) * size)) - self._start_bytes
        while len(self._sizes) > 1:
            full = sum(self._sizes.values()) > room
            if not full and len(self._sizes) <= MOST_EPOCHS:
                return
            least = max(self._sizes.values()) / 2 if full else 0  # giving up heads would make no room for backbones
            epochs = sorted(self._sizes)
            before, after = [START, *epochs], epochs[1:]
            gaps = {
                epoch: later - earlier
                for earlier, epoch, later in zip(before, epochs, after, strict=False)
                if self._sizes[epoch] >= least
            }
            if not gaps:  # the newest alone is large
                gaps = {epoch: epoch for epoch in epochs[:-1]}
            given_up = min(gaps, key=lambda epoch: (gaps[epoch], epoch))
            del self._sizes[given_up]
            if self._pending.pop(given_up, None) is None:
                self._gone.add(given_up)

    def _give_up(self) -> None:
        """Keep nothing any more, and give the space back."""
        folder, self._folder = self._folder, None
        self._pending.clear()
        with suppress(OSError):
            for epoch in epochs_kept(folder):
                snapshot_of(folder, epoch).unlink(missing_ok=True)
            start_of(folder).unlink(missing_ok=True)


class Past:
    """The weights of a run's network at any of its epochs that were kept."""

    def __init__(self, best: Weights, best_epoch: int, folder: Path) -> None:
        self._best, self._best_epoch, self._folder = best, best_epoch, folder
        self._start = self._fitting(_load(start_of(folder)))

    @classmethod
    def of(cls, best: Path, best_epoch: int, folder: Path) -> Self:
        """The past of the run whose best model is this file, of that epoch. Raises WeightsError when there is none."""
        return cls(_load(best), best_epoch, folder)

    @property
    def touched(self) -> frozenset[str]:
        """The names of the tensors that training changed, or may have."""
        return frozenset(self._start)

    def weights(self, epoch: int) -> Weights:
        """All weights after an epoch, or at START before the first. Raises WeightsError when they were not kept.

        Tensors that two epochs share are the same objects.
        """
        if epoch == self._best_epoch:
            return self._best
        changed = {} if epoch == START else _load(snapshot_of(self._folder, epoch))
        return self._best | self._start | self._fitting(changed)

    def _fitting(self, weights: Weights) -> Weights:
        return {name: one.to(self._best[name].dtype) for name, one in weights.items() if name in self._best}


def _different(weights: Callable[[set[str]], Weights], best: Path) -> set[str]:
    with safe_open(best, framework="pt") as file:
        names = set(file.keys())
        there = weights(names)
        return {name for name in names if not torch.equal(there[name].cpu(), file.get_tensor(name))}


def _copied(weights: Mapping[str, torch.Tensor]) -> Weights:
    """Copies on the CPU, in half precision where they are large."""
    exact = _size(weights) <= EXACT_BYTES
    return {name: _small(tensor.detach(), exact) for name, tensor in weights.items()}


def _small(tensor: torch.Tensor, exact: bool) -> torch.Tensor:
    if not exact and tensor.dtype is torch.float32 and tensor.ndim > 1 and tensor.numel():
        low, high = tensor.aminmax()
        if low > -LARGEST_HALF and high < LARGEST_HALF:  # false also where one is no number
            return tensor.half().cpu().contiguous()
    return tensor.cpu().clone().contiguous()


def _size(weights: Mapping[str, torch.Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in weights.values())


def _save(weights: Weights, path: Path) -> None:
    try:
        save_file(weights, path)
    except SafetensorError as error:
        raise OSError(str(error)) from error


def _load(path: Path) -> Weights:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path.name} cannot be read", found=str(error), do="Choose another epoch") from None
