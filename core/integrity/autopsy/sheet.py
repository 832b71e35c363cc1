"""What a file of answers holds: ids, true classes, predicted classes, probabilities, told by names and by content."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.errors import InputError, shown
from core.integrity.autopsy.grid import (
    ID_WORDS,
    PREDICTED_WORDS,
    TRUTH_WORDS,
    Grid,
    Source,
    is_nothing,
    is_one_share,
    name_of,
    numbers_of,
    plain_word,
    read_array,
    read_grid,
    share_of,
)

Role = Literal["truth", "predicted"]
_ROLES = {"truth": "truth", "predicted": "answers"}  # what a person calls them


@dataclass(frozen=True)
class Sheet:
    """What one file says, row by row. A part that it does not have is None."""

    name: str
    ids: tuple[str, ...] | None = None
    truth: tuple[str, ...] | None = None
    predicted: tuple[str, ...] | None = None
    shares: np.ndarray | None = None  # (N, K), or (N, 1) with the probability of the second of two classes
    share_names: tuple[str, ...] = ()  # of its columns; () where they have none
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        parts = (self.truth, self.predicted, self.shares)
        return next(len(part) for part in parts if part is not None)


def read_sheet(source: Source, role: Role, *, both: bool = False) -> Sheet:
    """A file as what it says. `role` is what it was given as, `both` whether it has to hold the truth and the answers.

    Raises InputError, in one sentence, for a file that cannot be read, a label or a probability that is missing, and a
    table in which no column can be told.
    """
    if name_of(source).lower().endswith(".npy"):
        return _of_array(name_of(source), read_array(source), role)
    if name_of(source).lower().endswith(".npz"):
        raise InputError(
            f"{name_of(source)} holds several arrays", expected="one array in an .npy file", do="Save each by itself"
        )
    return _of_grid(read_grid(source), role, both)


def _of_array(name: str, array: np.ndarray, role: Role) -> Sheet:
    if array.ndim == 2 and array.shape[1] == 1 and array.dtype.kind in "biuUS":
        array = array[:, 0]
    if array.dtype.kind in "US":
        cells = tuple(text.decode("utf-8", "replace") if isinstance(text, bytes) else text for text in array.ravel())
        if array.ndim == 2:
            raise InputError(f"{name} holds text in several columns", expected="one label a row")
        return _labelled(name, tuple(cell.strip() for cell in cells), role)
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} holds neither labels nor probabilities", found=f"values of the type {array.dtype}")
    if array.dtype.kind == "f":
        _insist_on_numbers(name, array)
        whole = array.ndim == 1 and bool((array == np.round(array)).all())
    else:
        whole = array.ndim == 1
    if whole:
        return _labelled(name, tuple(str(int(value)) for value in array), role)
    if array.ndim == 1:
        array = array[:, None]
    return _with_shares(Sheet(name), array.astype(np.float32), (), role)


def _labelled(name: str, cells: tuple[str, ...], role: Role, first: int = 0) -> Sheet:
    cells = _labels(name, cells, first)
    return Sheet(name, truth=cells) if role == "truth" else Sheet(name, predicted=cells)


def _with_shares(sheet: Sheet, shares: np.ndarray, names: tuple[str, ...], role: Role) -> Sheet:
    """A sheet with probabilities, or where it was given as the truth, with the class that has the highest one."""
    name, notes = sheet.name, list(sheet.notes)
    if shares.shape[1] == 1 and not (shares.min() >= 0 and shares.max() <= 1):
        found = f"numbers from {shares.min():.3g} to {shares.max():.3g}"
        raise InputError(f"{name} holds numbers that are neither classes nor probabilities", found=found)
    if shares.shape[1] > 1 and not (shares.min() >= 0 and abs(shares.sum(axis=1) - 1).max() < 0.02):
        notes.append(f"The rows of {name} are no probabilities that add up to 1; the largest number of each counts.")
    if role == "truth" and sheet.truth is None and shares.shape[1] > 1:
        best = shares.argmax(axis=1)
        said = tuple(names[place] if names else str(place) for place in best)
        notes.append(f"{name} has a column for each class; the largest of each row is taken as its true class.")
        return Sheet(name, sheet.ids, said, notes=tuple(notes))
    return Sheet(name, sheet.ids, sheet.truth, sheet.predicted, shares, names, tuple(notes))


def _of_grid(grid: Grid, role: Role, both: bool) -> Sheet:
    name, columns = grid.name, grid.columns
    words = [plain_word(cell) for cell in grid.header] or [""] * len(columns)
    ids = _id_column(columns, words)
    parts: dict[str, int] = {}
    for known, part in ((PREDICTED_WORDS, "predicted"), (TRUTH_WORDS, "truth")):
        found = [place for place, word in enumerate(words) if word in known and place != ids]
        if found:
            parts[part] = found[0]
    shares, share_names = _share_columns(grid, {ids, *parts.values()})
    if not parts and not shares:
        parts = _by_content(grid, ids, role, both)
        if ids is None and parts and len(columns) > len(parts):
            ids = next((place for place in range(len(columns)) if _may_be_ids(columns[place])), None)
            ids = None if ids in parts.values() else ids
    if role == "predicted" and "predicted" not in parts and "truth" in parts and not both and not shares:
        parts = {"predicted": parts["truth"]}  # a file of answers may call them labels
    if both and ("truth" not in parts or not (shares or "predicted" in parts)):
        raise _not_both(grid)
    labels = {part: _labels(name, columns[place], grid.first, _called(grid, place)) for part, place in parts.items()}
    sheet = Sheet(name, None if ids is None else columns[ids], **labels, notes=_told(grid, ids, parts))
    if not shares:
        return sheet
    array = np.stack([_numbers(grid, place) for place in shares], axis=1)
    return _with_shares(sheet, array.astype(np.float32), share_names, role)


def _id_column(columns: Sequence[tuple[str, ...]], words: Sequence[str]) -> int | None:
    """The column of ids: one of files, if there is one in which none comes again, else the first that is called so."""
    known = [place for place, word in enumerate(words) if word in ID_WORDS] if len(columns) > 1 else []
    files = [place for place in known if words[place].startswith(("file", "path")) and _may_be_ids(columns[place])]
    return next(iter((*files, *known)), None)


def _share_columns(grid: Grid, taken: set[int | None]) -> tuple[list[int], tuple[str, ...]]:
    """The columns of probabilities, and the classes that they are named after."""
    rest = [place for place in range(len(grid.columns)) if place not in taken]
    named = [(place, share_of(grid.header[place])) for place in rest if grid.header]
    if any(said for _, said in named):
        return [place for place, said in named if said], tuple(said for _, said in named if said)
    ones = [place for place in rest if grid.header and is_one_share(grid.header[place])]
    if ones:
        return ones[:1], ()
    numeric = [place for place in rest if _may_be_shares(grid.columns[place])]
    if numeric:  # among them, one of a class that is never thought of may hold nothing but 0
        numeric = [place for place in rest if place in numeric or _are_zero_or_one(grid.columns[place])]
    if len(numeric) > 1:
        return numeric, tuple(grid.header[place] for place in numeric) if grid.header else ()
    if len(numeric) == 1 and len(rest) == 1:
        return numeric, ()
    return [], ()


def _may_be_shares(cells: Sequence[str]) -> bool:
    """Whether these are numbers that are not all whole."""
    numbers = numbers_of(cells)
    if numbers is None or np.isnan(numbers).all():
        return False
    return bool((numbers[~np.isnan(numbers)] % 1 != 0).any())


def _are_zero_or_one(cells: Sequence[str]) -> bool:
    numbers = numbers_of(cells)
    return numbers is not None and bool(np.isin(numbers, (0, 1)).all())


def _may_be_ids(cells: Sequence[str]) -> bool:
    return len(set(cells)) == len(cells)


def _by_content(grid: Grid, ids: int | None, role: Role, both: bool) -> dict[str, int]:
    """Which columns are labels where none is called so: those with values that come back."""
    places = [place for place in range(len(grid.columns)) if place != ids]
    if len(places) == 1 and not both:
        return {role: places[0]}
    repeated = [place for place in places if len(set(grid.columns[place])) < len(grid.columns[place])]
    labels = repeated or places
    if both:
        if len(labels) != 2:
            raise _not_both(grid)
        return {"truth": labels[0], "predicted": labels[1]}
    if len(labels) != 1:
        raise InputError(
            f"No column of {grid.name} can be told to be the {'truth' if role == 'truth' else 'answers'}",
            found=", ".join(map(shown, grid.header[:6])) if grid.header else f"{len(grid.columns)} columns, no header",
            expected="a header that says truth, predicted, and id",
        )
    return {role: labels[0]}


def _not_both(grid: Grid) -> InputError:
    return InputError(
        f"{grid.name} does not hold the truth and the answers",
        found=", ".join(map(shown, grid.header[:6])) if grid.header else f"{len(grid.columns)} columns and no header",
        expected="columns called truth and predicted, or a second file with the answers",
    )


def _labels(name: str, cells: Sequence[str], first: int = 0, column: str = "") -> tuple[str, ...]:
    """Labels without a missing one; whole numbers are written without a fraction."""
    where = f" in the column {shown(column)}" if column else ""
    missing = next((place for place, cell in enumerate(cells) if is_nothing(cell)), None)
    if missing is not None:
        raise InputError(
            f"{f'Line {missing + first}' if first else f'Row {missing}'} of {name} has no label{where}",
            found=shown(cells[missing]),
            expected="a class in every row",
            do="Fill it in, or leave this image out of both files",
        )
    numbers = numbers_of(cells)
    if numbers is None:
        return tuple(cells)
    if np.isinf(numbers).any() or (numbers % 1 != 0).any():
        found = shown(cells[int(np.flatnonzero(numbers % 1 != 0)[0])])
        raise InputError(f"{name} holds numbers that are no classes{where}", found=found, expected="whole numbers")
    return tuple(str(int(number)) for number in numbers)


def _numbers(grid: Grid, place: int) -> np.ndarray:
    numbers = numbers_of(grid.columns[place])
    where = f"{grid.name}, column {shown(_called(grid, place))}"
    if numbers is None:
        raise InputError(f"{where} holds text among its probabilities", expected="numbers")
    _insist_on_numbers(where, numbers, grid.first)
    return numbers


def _insist_on_numbers(name: str, numbers: np.ndarray, first: int = 0) -> None:
    wrong = np.argwhere(~np.isfinite(numbers))
    if len(wrong):
        row = int(wrong[0][0])
        raise InputError(
            f"{name} has no number in {f'line {row + first}' if first else f'row {row}'}",
            found=f"{numbers[tuple(wrong[0])]}",
            expected="a number in every row",
            do="Fill it in, or leave this image out of both files",
        )


def _called(grid: Grid, place: int) -> str:
    named = grid.header[place] if grid.header else ""
    return named or f"column {place + 1}" * (len(grid.columns) > 1)


def _told(grid: Grid, ids: int | None, parts: dict[str, int]) -> tuple[str, ...]:
    """How the columns of a table were told, where its header left a choice."""
    words = TRUTH_WORDS | PREDICTED_WORDS
    if len(grid.columns) == 1:
        unsure = grid.header and plain_word(grid.header[0]) not in words
        return (f"The first line of {grid.name}, {shown(grid.header[0])}, was taken as a header.",) if unsure else ()
    if all(grid.header and plain_word(grid.header[place]) in words for place in parts.values()):
        return ()
    said = [f"{_called(grid, parts[part])} as the {_ROLES[part]}" for part in _ROLES if part in parts]
    said += [f"{_called(grid, ids)} as ids"] if ids is not None else []
    return (f"Of {grid.name}, {', '.join(said)} {'was' if len(said) == 1 else 'were'} read.",)
