"""Every error Fovea raises on purpose.

FoveaError                      something a person can understand and act on; one sentence
├── InputError                  what was given cannot be used (exit code 2 on the command line)
│   ├── RecipeError             a field of a recipe
│   ├── DatasetError            a folder, a split, a label, a dataset that is not there
│   │   └── ArchiveError        a zip that is broken or would do harm
│   ├── ImageError              one picture that cannot be read
│   ├── WeightsError            weights that are neither here nor to be had, or fit another model
│   └── RunError                a run that is not there or is in the wrong state
├── StorageError                the disk is full or will not be written
├── LabError                    the helper process ended before it answered
├── Cancelled                   somebody asked for this work to end
└── TrainingError               training cannot go on (for example: the loss is not a number)

Anything else that escapes is a defect.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from reprlib import Repr
from typing import Any


class FoveaError(Exception):
    """One sentence for a person: what, what was found, what was expected, what to do.

    Only `what` is required. `str(error)` is the whole sentence, on one line, without a traceback.
    """

    def __init__(self, what: str, *, found: str = "", expected: str = "", do: str = "") -> None:
        super().__init__(what, found, expected, do)
        self.what = what
        self.found = found
        self.expected = expected
        self.do = do

    def __str__(self) -> str:
        facts = []
        if self.found:
            facts.append(f"found {self.found}")
        if self.expected:
            facts.append(f"expected {self.expected}")
        sentence = self.what + (": " + ", ".join(facts) if facts else "")
        if self.do:
            sentence += f". {self.do}"
        sentence = " ".join(sentence.split())
        return sentence if sentence.endswith((".", "?", "!")) else sentence + "."

    def __reduce__(self):
        # Keyword arguments do not survive the default pickling of exceptions, and errors cross processes here.
        return _rebuild, (type(self), self.what, self.found, self.expected, self.do)


def _rebuild(kind: type[FoveaError], what: str, found: str, expected: str, do: str) -> FoveaError:
    return kind(what, found=found, expected=expected, do=do)


def shown(value: Any) -> str:
    """A value as the "found" of a sentence: its repr, without its middle where it is long."""
    return _SHORT.repr(value)


_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 200
_SHORT.maxlong = 40


class InputError(FoveaError):
    """What was given cannot be used."""


class RecipeError(InputError):
    """A field of a recipe has a value that cannot be used."""


class DatasetError(InputError):
    """A folder, a split or a dataset cannot be used."""


class ArchiveError(DatasetError):
    """A zip is broken, or unpacking it would do harm."""


class ImageError(InputError):
    """One picture cannot be read."""


class WeightsError(InputError):
    """Weights are neither here nor to be had, or belong to another model."""


class RunError(InputError):
    """A run is not there, or is in the wrong state for what was asked."""


class StorageError(FoveaError):
    """The disk is full or will not be written."""


class LabError(FoveaError):
    """The helper process ended before it answered."""


class Cancelled(FoveaError):
    """Work that somebody asked for and no longer wants."""


class TrainingError(FoveaError):
    """Training cannot go on."""


_STORAGE_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}
_PLACE_ERRNOS = {errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG, errno.ENOTEMPTY}


@contextmanager
def storage_errors(target: Path | str) -> Iterator[None]:
    """Turn "no space", "read-only", "not allowed" or "not a folder" from the system into a sentence about `target`."""
    try:
        yield
    except OSError as error:
        if error.errno in _STORAGE_ERRNOS:
            raise StorageError(
                f"Nothing more can be written under {target}",
                found=(error.strerror or "a write error").lower(),
                do="Free some space (old runs and the cache folder of the workspace can go) and try again",
            ) from error
        if isinstance(error, PermissionError):
            raise StorageError(
                f"{target} may not be written",
                found="no permission",
                do="Give this user the right to write there, or choose another workspace",
            ) from error
        if error.errno in _PLACE_ERRNOS:
            raise StorageError(
                f"Nothing can be written as {target}",
                found=(error.strerror or "something else in its place").lower(),
                do="Move away what stands there, or choose another place",
            ) from error
        raise
