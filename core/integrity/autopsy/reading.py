"""Files of answers, brought together row by row: by ids where both have them, else by their places."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from core.data.tree import natural
from core.errors import InputError, shown
from core.integrity.autopsy.answers import Answers
from core.integrity.autopsy.grid import Source
from core.integrity.autopsy.leaks import find_leak
from core.integrity.autopsy.sheet import Sheet, read_sheet

MOST_CLASSES = 1000
_WHOLE = re.compile(r"-?\d+")


def read_answers(
    truth: Source,
    predicted: Source | None = None,
    *,
    probabilities: Source | None = None,
    classes: Sequence[str] | None = None,
    training: Source | None = None,
    evaluated: Source | None = None,
) -> Answers:
    """The answers in one file or two, CSV or .npy, ready for `autopsy`.

    `truth` may hold both, or the true classes alone; `predicted` holds classes or probabilities; `probabilities` may
    come besides. Labels are names or numbers; `classes` gives their order. `training` and `evaluated` are lists of
    image files: CSVs or texts with one in each line.

    Raises InputError, in one sentence that says what to do, for files that cannot be read or do not fit each other.
    """
    one_file = predicted is None and probabilities is None
    first = read_sheet(truth, "truth", both=one_file)
    second = first if one_file else read_sheet(predicted or probabilities, "predicted")
    if predicted is not None and probabilities is not None:
        second = _with_probabilities(second, read_sheet(probabilities, "predicted"))
    if first.truth is None:
        raise InputError(f"{first.name} does not hold the true classes", expected="a column of labels")
    if second.predicted is None and second.shares is None:
        raise InputError(f"{second.name} does not hold answers", expected="a column of classes, or probabilities")

    said, answered = list(first.truth), list(second.predicted) if second.predicted is not None else None
    notes = [*first.notes, *(second.notes if second is not first else ())]
    shares, ids, joined, moved = second.shares, first.ids or (), "table" if one_file else "", None
    if not one_file and first.ids and second.ids:
        rows = _joined(first, second, notes)
        if rows is not None:
            left, right = rows
            joined, moved = "ids", float(np.mean(left != right)) if len(first) == len(second) else None
            said, ids = [said[row] for row in left], tuple(first.ids[row] for row in left)
            answered = answered and [answered[row] for row in right]
            shares = shares if shares is None else shares[right]
    elif one_file and ids:
        _insist_on_one_truth(first)
    if not joined:
        ids = first.ids or second.ids or ()
    answers = _numbered(said, answered, shares, second, classes, notes)
    answers = replace(
        answers, ids=tuple(ids), joined=joined, moved=moved, names=(first.name, second.name), notes=tuple(notes)
    )
    return replace(answers, leak=find_leak(training, evaluated, answers.ids, len(answers.truth)))


def _with_probabilities(labels: Sheet, shares: Sheet) -> Sheet:
    """Answers with the probabilities of another file. Raises InputError where they are not about the same rows."""
    if shares.shares is None:
        raise InputError(f"{shares.name} holds no probabilities", expected="a column of numbers for each class")
    values = shares.shares
    if labels.ids and shares.ids and labels.ids != shares.ids:
        places = {id: row for row, id in enumerate(shares.ids)}
        if not set(labels.ids) <= set(places):
            unknown = next(id for id in labels.ids if id not in places)
            raise InputError(f"{shares.name} has no row for one of the answers", found=shown(unknown))
        values = values[[places[id] for id in labels.ids]]
    if len(values) != len(labels):
        raise InputError(
            f"{shares.name} and {labels.name} differ in length",
            found=f"{len(values):,} rows of probabilities and {len(labels):,} of classes",
            expected="one row of either for each image",
        )
    return replace(
        labels,
        shares=values,
        share_names=shares.share_names,
        ids=labels.ids or shares.ids,
        notes=(*labels.notes, *shares.notes),
    )


def _joined(first: Sheet, second: Sheet, notes: list[str]) -> tuple[np.ndarray, np.ndarray] | None:
    """The rows of two files that have an id in common, in the order of the first; None where none has.

    Raises InputError where an id stands in a file more than once.
    """
    for sheet in (first, second):
        id, times = Counter(sheet.ids).most_common(1)[0]
        if times > 1:
            raise InputError(
                f"An id stands in {sheet.name} more than once",
                found=f"{shown(id)} in {times} rows",
                expected="each id once",
                do="Keep one row for each image, or leave the ids out to compare row by row",
            )
    places = {id: row for row, id in enumerate(second.ids)}
    left = [row for row, id in enumerate(first.ids) if id in places]
    if not left:
        notes.append(
            f"No id of {first.name} stands in {second.name}, so rows are held against each other by their places."
        )
        return None
    alone = (len(first) - len(left), len(second) - len(left))
    for number, sheet, other in ((alone[0], first, second), (alone[1], second, first)):
        if number:
            rows = f"{number:,} row{'s' * (number != 1)}"
            notes.append(f"Left out: {rows} of {sheet.name} whose ids do not stand in {other.name}.")
    return np.array(left), np.array([places[first.ids[row]] for row in left])


def _insist_on_one_truth(sheet: Sheet) -> None:
    """Raise InputError where an id has two true classes."""
    known: dict[str, str] = {}
    for id, label in zip(sheet.ids, sheet.truth, strict=True):
        if known.setdefault(id, label) != label:
            raise InputError(
                f"An id of {sheet.name} has two true classes",
                found=f"{shown(id)} as {shown(known[id])} and as {shown(label)}",
                expected="one row for each image",
            )


def _numbered(
    truth: list[str],
    predicted: list[str] | None,
    shares: np.ndarray | None,
    sheet: Sheet,
    given: Sequence[str] | None,
    notes: list[str],
) -> Answers:
    """Labels as class numbers, whatever they are called."""
    truth_numbers, names = _all_numbers(truth), sheet.share_names
    predicted_numbers = predicted is None or _all_numbers(predicted)
    numbered = given is None and not truth_numbers and predicted_numbers and (predicted is not None or not names)
    said_by_name = (
        not _all_numbers(predicted) if predicted is not None else bool(names) and not _all_numbers(list(names))
    )
    truth_numbered = given is None and truth_numbers and said_by_name
    width = 0 if shares is None else max(2, shares.shape[1])
    if truth_numbered:  # columns show the order of the classes; of names alone it has to be assumed
        by_column = names if names and not _all_numbers(list(names)) else ()
        classes = list(by_column) or _classes_of(predicted or [], None, (), 0, False)
    elif given is not None:
        classes = _insist_on_classes(given)
        notes += [] if classes == sorted(classes) else ["The classes are in the order that was given."]
    else:
        classes = _classes_of(truth, predicted, names, width, numbered)
    if len(classes) > MOST_CLASSES or (len(classes) > 50 and 2 * len(classes) > len(truth)):
        raise InputError(
            "These are more classes than an autopsy can tell apart",
            found=f"{len(classes):,} different labels in {len(truth):,} rows",
            expected=f"a few classes, {MOST_CLASSES:,} at most",
            do="Check that the column of labels was read, and not one of ids or measurements",
        )
    if width and width != len(classes) and not names:
        raise InputError(
            f"{sheet.name} has another number of columns than there are classes",
            found=f"{width} columns for {len(classes)} classes",
            do="Give the classes in the order of the columns",
        )
    if numbered:
        notes.append(
            "The answers are numbers and the truth is names: 0 was taken as the first name in alphabetical order, "
            f"{shown(classes[0])}."
        )
    if truth_numbered:
        first = "column" if by_column else "name in alphabetical order"
        notes.append(
            f"The truth is numbers and the answers are names: 0 was taken as the first {first}, {shown(classes[0])}."
        )
    place = {name: number for number, name in enumerate(classes)}
    spelled = {name.casefold(): number for name, number in reversed(place.items())}

    def numbers(labels: list[str], what: str) -> np.ndarray:
        found = {label: place.get(label, spelled.get(label.casefold())) for label in dict.fromkeys(labels)}
        by_place = given is not None or numbered or truth_numbered
        for label, number in found.items():
            if number is None and by_place and _WHOLE.fullmatch(label) and 0 <= int(label) < len(classes):
                found[label] = int(label)
            elif number is None:
                raise InputError(
                    f"The {what} have a class that is not known",
                    found=shown(label),
                    expected="one of " + ", ".join(map(shown, classes[:12])) + ", ..." * (len(classes) > 12),
                    do="Give the names of all classes in the order of their numbers" if truth_numbered else "",
                )
        return np.array([found[label] for label in labels], np.int64)

    true = numbers(truth, "true classes")
    answered = numbers(predicted, "answers") if predicted is not None else np.empty(0, np.int64)
    strange = [classes[number] for number in dict.fromkeys(answered.tolist()) if number not in set(true.tolist())]
    if strange:
        some = ", ".join(map(shown, strange[:5])) + ", ..." * (len(strange) > 5)
        notes.append(f"Classes that are answered and never true: {some}.")
    if shares is not None:
        shares = _in_columns(shares, names, classes, place, spelled, sheet.name)
    answers = answered if predicted is not None else shares.argmax(axis=1).astype(np.int64)
    return Answers(
        classes=tuple(classes),
        truth=true,
        predicted=answers,
        probabilities=shares,
        numbered=numbered or (truth_numbered and not by_column),
        given_order=given is not None,
        labelled=predicted is not None,
    )


def _in_columns(
    shares: np.ndarray, names: tuple[str, ...], classes: list[str], place: dict, spelled: dict, file: str
) -> np.ndarray:
    """Probabilities (N, K) in the order of the classes."""
    if shares.shape[1] == 1:
        return np.concatenate([1 - shares, shares], axis=1)
    if not names:
        return shares
    array = np.zeros((len(shares), len(classes)), np.float32)
    for column, name in enumerate(names):
        number = place.get(name, spelled.get(name.casefold()))
        if number is None and _WHOLE.fullmatch(name) and 0 <= int(name) < len(classes):
            number = int(name)
        if number is None:
            known = ", ".join(map(shown, classes[:12]))
            raise InputError(f"{file} has a column for a class that is not known", found=shown(name), expected=known)
        array[:, number] = shares[:, column]
    return array


def _classes_of(
    truth: list[str], predicted: list[str] | None, names: tuple[str, ...], width: int, numbered: bool
) -> list[str]:
    """Every class that is named anywhere, numbers in their order, other names alphabetically."""
    found = set(truth)
    if not numbered:
        found |= set(predicted or ())
        if not (_all_numbers(list(names)) and names and not _all_numbers(truth)):
            found |= set(names)
    whole = all(map(_WHOLE.fullmatch, found))
    if whole and all(0 <= int(label) <= MOST_CLASSES for label in found):
        return [str(number) for number in range(max(width, 1 + max(map(int, found))))]
    spelled: dict[str, str] = {}
    for label in (*truth, *sorted(found)):
        spelled.setdefault(label.casefold(), label)
    return sorted(set(spelled.values()), key=natural if whole else None)


def _all_numbers(labels: list[str]) -> bool:
    return all(map(_WHOLE.fullmatch, set(labels)))


def _insist_on_classes(given: Sequence[str]) -> list[str]:
    classes = [name.strip() for name in given if name.strip()]
    if len(set(classes)) != len(classes) or len(classes) < 2:
        raise InputError(
            "The list of classes cannot be used", found=shown(", ".join(given)), expected="two or more, each once"
        )
    return classes
