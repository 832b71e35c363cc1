"""Whether an ONNX file answers as the model that it was made of, on real pictures of the run's data."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch

from core.data.dataset import Dataset, Sample
from core.data.loading import fit_image, read_image
from core.data.mask_files import restored
from core.errors import InputError
from core.machine import cores
from core.predict.export.pixels import PICTURES, PROBABILITIES
from core.train.checkpoint import Trained

TOLERANCE = 1e-3  # of a probability, where the file is shown a square that is ready
TOLERANCE_WHOLE = 0.02  # and where it makes the picture square itself, on average over what a picture is answered
PICTURES_TRIED = 16


@dataclass(frozen=True)
class Agreement:
    """How far the answers of a file and of PyTorch lie apart, as differences of probabilities."""

    pictures: int  # of the validation split, that both were shown
    squares: float  # the largest difference, shown squares of the network's size
    whole: float  # the largest, shown the pictures as they came, of any size
    whole_mean: float  # the largest mean difference over the answer of one such picture
    same: float  # share of the answers, classes of pictures or of their pixels, that are the same, as they came

    @property
    def sentence(self) -> str:
        """For a person."""
        return (
            f"Checked against PyTorch on {self.pictures} validation pictures: probabilities differ by at most "
            f"{self.squares:.1e} on squares of the network's size, and by at most {self.whole:.1e} on the pictures as "
            f"they came; {self.same:.2%} of the answers are the same."
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {"sentence": self.sentence}


def agreement(
    file: Path | bytes, trained: Trained, dataset: Dataset, report: Callable[[int, int, str], None] | None = None
) -> Agreement:
    """Show some validation pictures to a file and to the model it was made of.

    Raises InputError when the answers lie further apart than TOLERANCE, ImageError when a picture cannot be read.
    """
    samples = _some(dataset.of("validation"), PICTURES_TRIED)
    ask, tried = asking(file), 0
    squares = whole = whole_mean = 0.0
    same = answers = 0
    for square, picture, expected, of_square in _expected(trained, dataset, samples):
        if report is not None:
            report(tried, len(samples), "comparing answers")
        tried += 1
        squares = max(squares, float(np.abs(ask(square) - of_square).max()))
        apart = ask(picture)
        difference = np.abs(apart - expected)
        whole, whole_mean = max(whole, float(difference.max())), max(whole_mean, float(difference.mean()))
        alike = apart.argmax(0) == expected.argmax(0)
        same, answers = same + int(alike.sum()), answers + alike.size
    found = Agreement(tried, squares, whole, whole_mean, same / max(1, answers))
    insist(found)
    return found


def insist(found: Agreement) -> None:
    """Raise InputError when a file answers otherwise than its model."""
    if not found.squares <= TOLERANCE or not found.whole_mean <= TOLERANCE_WHOLE:  # also where they are no numbers
        raise InputError(
            "The ONNX file answers otherwise than the model it was made of, and is not kept",
            found=f"probabilities that differ by up to {max(found.squares, found.whole_mean):.2g}",
            expected=f"at most {TOLERANCE:g}, and {TOLERANCE_WHOLE:g} where the file resizes a picture itself",
            do="Export the zip with its safetensors instead",
        )


def asking(file: Path | bytes) -> Callable[[np.ndarray], np.ndarray]:
    """A way to ask an ONNX file: from a picture (H, W, 3) uint8 to its probabilities (K, ...)."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = cores(), 3
    content = file if isinstance(file, bytes) else str(file)
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return lambda picture: session.run([PROBABILITIES], {PICTURES: picture[None]})[0][0]


def _some(samples: Sequence[Sample], most: int) -> list[Sample]:
    """Up to so many of them, evenly from first to last."""
    places = np.unique(np.linspace(0, len(samples) - 1, min(most, len(samples))).round().astype(int))
    return [samples[place] for place in places]


def _expected(
    trained: Trained, dataset: Dataset, samples: Sequence[Sample]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Of each sample its square and its picture as pixels, and what PyTorch says of the picture and of the square."""
    size, fit = trained.recipe.image_size, trained.recipe.fit
    for sample in samples:
        image = read_image(dataset.path(sample), name=sample.name)
        square = fit_image(image, size, fit)
        maps = trained.model.probabilities(torch.from_numpy(square).permute(2, 0, 1)[None])[0].numpy()
        picture = np.asarray(image)
        if maps.ndim == 1:
            yield square, picture, maps, maps
        else:
            strips = [strip for _, strip in restored(maps, image.width, image.height, fit)]
            yield square, picture, np.concatenate(strips, axis=1), maps
