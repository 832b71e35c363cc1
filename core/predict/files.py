"""Answers as files: the masks of pictures in a folder, and what was said of each in one table."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.predict.answer import MaskAnswer
from core.predict.submission import stem_of, submission_of
from core.workspace import replacing

TABLE = "predictions.csv"


def mask_files(folder: Path, pictures: Sequence[Path]) -> list[Path]:
    """Where the mask of each picture goes: `<stem>.mask.png` in `folder`, with a number where that is taken already.

    Raises InputError when one of them would take the place of a picture.
    """
    files, taken = [], set()
    for picture in pictures:
        stem = name = stem_of(picture.name)
        number = 1
        while name.casefold() in taken:  # some systems take A.png and a.png for one file
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        files.append(folder / f"{name}.mask.png")
    given = {picture.resolve(): picture for picture in pictures}
    for file in files:
        if file.resolve() in given:
            raise InputError(
                "A mask would take the place of a picture", found=f"{file}", do="Choose another folder for the answers"
            )
    return files


def write_mask(file: Path, answer: MaskAnswer) -> dict[str, str | None]:
    """Write the mask of an answer as an index PNG, and beside it how unsure it is, where that is known.

    Gives {"mask", "uncertainty"}: the path of each, or None. Raises StorageError when the disk is full.
    """
    doubt = file.with_name(file.name.removesuffix(".mask.png") + ".uncertainty.png")
    written: dict[str, str | None] = {}
    for name, path, content in (("mask", file, answer.mask), ("uncertainty", doubt, answer.uncertainty)):
        if content:
            with replacing(path) as temporary:
                temporary.write_bytes(content)
        written[name] = str(path) if content else None
    return written


def write_table(folder: Path, rows: Sequence[dict[str, Any]], *, shares: str, prefix: str) -> None:
    """Write answers as predictions.csv: one line a picture with whatever single values it has, and the share of each
    class, rows[...][shares], in a column called `prefix` and its name."""
    classes = next((list(row[shares]) for row in rows if row[shares]), [])
    single = [name for name in (rows[0] if rows else {}) if name not in (shares, "error")]
    with (
        replacing(folder / TABLE) as temporary,
        open(temporary, "w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        table = csv.writer(file)
        table.writerow([*single, *(f"{prefix}:{name}" for name in classes), "error"])
        for row in rows:
            table.writerow([*(row[name] for name in single), *(row[shares].get(c) for c in classes), row["error"]])


def write_submission(file: Path, answers: Iterable[tuple[str, bytes]], classes: Sequence[str]) -> None:
    """Write the run lengths of answers, (file name, index PNG), as `submission_of` gives them."""
    with replacing(file) as temporary:
        temporary.write_text(submission_of(answers, classes), encoding="utf-8", errors="backslashreplace")
