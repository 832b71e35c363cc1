"""What an autopsy looks at: true classes and answers, row by row, as somebody held them against each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np


@dataclass(frozen=True)
class Leak:
    """Evaluated images that the model had learned from."""

    evaluated: int  # images on the list of the evaluated ones
    trained: int  # images on the list of those learned from
    rows: tuple[int, ...]  # of the answers, whose image was learned from; () where rows and images have no link
    shared: int  # evaluated images that were learned from
    examples: tuple[tuple[str, str], ...]  # some pairs: evaluated, learned from
    how: str  # how they were recognised: "the same name", "the same bytes", "they look the same"
    doubtful: int = 0  # further images whose names agree in a way that proves nothing, such as 001.jpg


@dataclass(frozen=True, eq=False)
class Answers:
    """True classes and answers as class numbers. The two may differ in length: that is one of the faults."""

    classes: tuple[str, ...]
    truth: np.ndarray  # (N,) int64
    predicted: np.ndarray  # (M,) int64
    probabilities: np.ndarray | None = None  # (M, K) float32, columns in the order in which they were labelled
    ids: tuple[str, ...] = ()  # of the rows where truth and answers were joined by them, or stand in one table
    joined: str = ""  # what brought the rows together: "" their places, "table" one table, "ids" ids in two files
    moved: float | None = None  # share of joined rows that stood in other places in the two files
    names: tuple[str, str] = ("the truth", "the answers")  # of the files
    numbered: bool = False  # whether answers were numbers and classes names, so that an order had to be assumed
    given_order: bool = False  # whether the order of the classes was given and not made up by sorting
    labelled: bool = True  # whether predicted classes were given as such; else the most probable ones were taken
    leak: Leak | None = None
    notes: tuple[str, ...] = field(default=())  # how the files were read, a sentence each

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        arrays = {"truth": self.truth.tolist(), "predicted": self.predicted.tolist()}
        rows = None if self.probabilities is None else self.probabilities.tolist()
        return {**vars(self), **arrays, "probabilities": rows, "leak": None if self.leak is None else vars(self.leak)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The answers from plain data. Raises KeyError, TypeError or ValueError when it is none."""
        rows, leak = data["probabilities"], data["leak"]
        if leak is not None:
            pairs = tuple(tuple(pair) for pair in leak["examples"])
            leak = Leak(**{**leak, "rows": tuple(leak["rows"]), "examples": pairs})
        return cls(
            **{
                **data,
                "classes": tuple(data["classes"]),
                "truth": np.array(data["truth"], np.int64),
                "predicted": np.array(data["predicted"], np.int64),
                "probabilities": None if rows is None else np.array(rows, np.float32),
                "ids": tuple(data["ids"]),
                "names": tuple(data["names"]),
                "leak": leak,
                "notes": tuple(data["notes"]),
            }
        )
