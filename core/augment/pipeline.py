"""The pipeline that trains and previews: one independent draw per image, which its seed alone can repeat."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import overload

import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from core.augment.catalog import insist_on_masks, transform
from core.augment.warp import Warp, warp
from core.knobs import check_values
from core.recipe import TransformChoice
from core.seeding import derive

AT_ONCE = 8  # images that are resampled together: more of them leave the processor's cache, and take twice as long


class Augmentation:
    """The rows of a policy, ready to draw.

    Each row draws from a generator of its own, seeded by the image's seed and the row's name. So the same seed gives
    the same variant whatever else is in the batch and whatever was drawn before, and taking one row out of a policy
    leaves the draws of the others as they were. Rows that move pixels and follow one another are joined into one
    resampling. A mask is moved by the draw of its image, each pixel taken from the one nearest to its place.
    """

    def __init__(self, rows: Sequence[TransformChoice]) -> None:
        """Raises RecipeError for an unknown transform and for a knob's value out of bounds."""
        self._rows = tuple(rows)
        seen: Counter[str] = Counter()
        self._steps: list[_Step] = []
        for row in rows:
            self._steps.append(_Step(row, seen[row.name]))
            seen[row.name] += 1

    @property
    def draws(self) -> bool:
        """Whether anything can happen to an image at all."""
        return any(step.probability > 0 for step in self._steps)

    @overload
    def __call__(self, images: torch.Tensor, seeds: Sequence[int]) -> torch.Tensor: ...

    @overload
    def __call__(
        self, images: torch.Tensor, seeds: Sequence[int], masks: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]: ...

    def __call__(
        self, images: torch.Tensor, seeds: Sequence[int], masks: torch.Tensor | None = None
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """A variant of each of the images (N, 3, S, S) uint8 on the CPU, drawn from its seed; the same shape and type.

        With masks (N, S, S) uint8, a pair of images and masks: the images are those drawn without them. What is given
        is left as it is, and so is torch's own generator. Raises RecipeError when a mask would not go with its image.
        """
        if len(images) != len(seeds):
            raise ValueError(f"{len(images)} images and {len(seeds)} seeds")
        if masks is not None and masks.shape != (len(images), *images.shape[2:]):
            raise ValueError(f"masks {tuple(masks.shape)} for images {tuple(images.shape)}")
        if masks is not None:
            insist_on_masks(self._rows)
        if self.draws:
            images = images.clone(memory_format=torch.contiguous_format)
            masks = None if masks is None else masks.clone(memory_format=torch.contiguous_format)
            with _generator_kept():
                for joined, steps in groupby(self._steps, key=lambda step: isinstance(step.transform, Warp)):
                    (_move if joined else _change)(images, masks, seeds, list(steps))
        return images if masks is None else (images, masks)


@contextmanager
def one_thread() -> Iterator[None]:
    """Draw with one thread, for a person who waits for a few variants.

    There is little to share out, and threads that wait for one another spin: beside other work two took 5 to 60 times
    as long as one (see docs/LOG.md).
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def sample_seed(seed: int, digest: str, draw: int) -> int:
    """The seed of one image's variant at one draw (from 0) of a run with this seed, in training and in previews.

    The image goes by the SHA-256 of its file, so that it is varied alike wherever it stands and in whatever dataset.
    """
    return derive(seed, "augment", digest, draw)


class _Step:
    """One row of the policy: its transform, how often, and the name of its draws."""

    def __init__(self, row: TransformChoice, earlier: int) -> None:
        found = transform(row.name)
        self.transform: v2.Transform = found.build(check_values(found.knobs, row.values, f"augment.rows.{row.name}"))
        self.probability, self.moves = row.probability, found.moves
        self._name = f"{row.name}.{earlier}" if earlier else row.name  # a row that stands twice draws twice

    def begins(self, seed: int) -> bool:
        """Seed the generator for this row of this image, and say whether the row is drawn."""
        torch.default_generator.manual_seed(derive(seed, self._name))
        return float(torch.rand(())) < self.probability


def _move(images: torch.Tensor, masks: torch.Tensor | None, seeds: Sequence[int], steps: list[_Step]) -> None:
    """Draw and join the maps of each image, and resample, in place, those that move, and their masks."""
    moving, matrices = [], []
    for number, seed in enumerate(seeds):
        drawn = [step.transform.draw() for step in steps if step.begins(seed)]
        if drawn:
            moving.append(number)
            matrices.append(torch.linalg.multi_dot(drawn) if len(drawn) > 1 else drawn[0])
    for start in range(0, len(moving), AT_ONCE):
        some, maps = moving[start : start + AT_ONCE], torch.stack(matrices[start : start + AT_ONCE])
        images[some] = warp(images[some], maps)
        if masks is not None:
            masks[some] = warp(masks[some, None], maps, nearest=True)[:, 0]


def _change(images: torch.Tensor, masks: torch.Tensor | None, seeds: Sequence[int], steps: list[_Step]) -> None:
    """Do the other transforms to each image, in place, and to its mask those that move pixels."""
    for number, seed in enumerate(seeds):
        for step in steps:
            if step.begins(seed):
                if masks is not None and step.moves:
                    images[number], masks[number] = step.transform(images[number], tv_tensors.Mask(masks[number]))
                else:
                    images[number] = step.transform(images[number])


@contextmanager
def _generator_kept() -> Iterator[None]:
    """Leave torch's generator as it was. Only the CPU's is touched, so that no GPU is woken up in a data worker."""
    state = torch.default_generator.get_state()
    try:
        yield
    finally:
        torch.default_generator.set_state(state)
