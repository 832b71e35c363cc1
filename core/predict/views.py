"""Test-time augmentation: a picture looked at from all eight sides, and how far the answers agree.

A square has eight positions that need no resampling: four quarter turns, each as it is and mirrored. What a network
says about them, turned back, differs only where it is unsure, and the mean is at least as good as most single answers.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch

Look = Callable[[torch.Tensor], torch.Tensor]  # images (N, 3, S, S) uint8 -> maps (N, K, S, S) float32

Position = tuple[int, bool]  # quarter turns, and whether mirrored first

POSITIONS: tuple[Position, ...] = tuple((turns, mirrored) for mirrored in (False, True) for turns in range(4))
MIRRORED: tuple[Position, ...] = ((0, False), (0, True))


def seen_from(images: torch.Tensor, turns: int, mirrored: bool) -> torch.Tensor:
    """Images (..., S, S) mirrored left to right, if at all, and then turned by so many quarters."""
    return torch.rot90(images.flip(-1) if mirrored else images, turns, (-2, -1))


def put_back(maps: torch.Tensor, turns: int, mirrored: bool) -> torch.Tensor:
    """Undo `seen_from`: maps (..., S, S) over the image as it came."""
    upright = torch.rot90(maps, -turns, (-2, -1))
    return upright.flip(-1) if mirrored else upright


def from_all_sides(look: Look) -> Look:
    """A `look` that sees every image in all eight positions: its maps (N, K + 1, S, S) are the mean of the K
    probabilities and, last, the disagreement: the share of the positions, in [0, 1], whose most probable class is
    another than that of the mean.
    """

    def looked(images: torch.Tensor) -> torch.Tensor:
        total, answers = torch.zeros(()), []
        for position in POSITIONS:
            maps = put_back(look(seen_from(images, *position).contiguous()), *position)
            total = total + maps
            answers.append(maps.argmax(dim=1).to(torch.uint8))
        mean = total / len(POSITIONS)
        agreed = mean.argmax(dim=1)
        disagreement = torch.stack([answer != agreed for answer in answers]).float().mean(dim=0)
        return torch.cat([mean, disagreement[:, None]], dim=1)

    return looked


class SeenFrom:
    """Stands in for a network, in evaluation mode, that sees every image in several positions: its probabilities are
    the mean of what it says about them, turned back where they are maps."""

    def __init__(self, network: Any, positions: Sequence[Position] = POSITIONS) -> None:
        self._look: Look = network.probabilities
        self._positions = tuple(positions)

    def probabilities(self, images: torch.Tensor) -> torch.Tensor:
        """Probabilities (N, K), or of masks (N, K, S, S), of images (N, 3, S, S) uint8."""
        total = torch.zeros(())
        for position in self._positions:
            found = self._look(seen_from(images, *position).contiguous())
            total = total + (put_back(found, *position) if found.ndim == 4 else found)
        return total / len(self._positions)
