"""What a comparison of runs is, as plain data. Torch-free, so that pages and reports read it.

Two questions are kept apart, because their answers differ:

- "models": would this very network do better on further images like these? Two networks are asked about the same
  images; what other seeds would have trained is no part of it.
- "recipes": would this way of training, with other seeds, give better networks? It takes several runs of each recipe,
  and counts both the luck of the seeds and the luck of the images.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from core.metrics.intervals import Interval

QUESTIONS = MODELS, RECIPES = "models", "recipes"
MOST_RUNS = 24
FEWEST_COMMON = 10  # images that all runs were judged by; about fewer nothing is said


@dataclass(frozen=True)
class Score:
    """One figure of a run or a recipe, on the images that all compared runs share."""

    name: str  # as in core.metrics.parts
    label: str
    value: float | None  # of a recipe: the mean over its seeds
    interval: Interval | None
    std: float | None = None  # over the seeds of a recipe; None for one seed


@dataclass(frozen=True)
class RunLine:
    """One run of the comparison."""

    id: str
    name: str
    recipe: str  # key of its RecipeLine; "" where it is set apart
    seed: int
    data: str  # name and revision of its dataset
    epoch: int | None  # whose weights are judged
    scores: tuple[Score, ...]
    apart: str = ""  # why it stands beside the others and is not compared, as a sentence; "" where it is compared


@dataclass(frozen=True)
class RecipeLine:
    """The runs that share all choices but the seed."""

    key: str
    label: str
    runs: tuple[str, ...]  # ids; each seed once
    seeds: tuple[int, ...]
    scores: tuple[Score, ...]


@dataclass(frozen=True)
class Choice:
    """A field in which the recipes differ."""

    path: str  # as core.recipe.diff names it, or "data"
    values: tuple[Any, ...]  # one for each RecipeLine, in their order


@dataclass(frozen=True)
class ClassChange:
    """What became of one class; None where the images do not define it."""

    label: str
    value: float | None  # second less first
    interval: Interval | None  # the intervals of all classes hold together
    p: float | None  # adjusted by Holm for the classes
    different: bool
    n: int  # images that have the class


@dataclass(frozen=True)
class Pair:
    """The second of two runs, or recipes, less the first, by one figure."""

    first: str  # id of a run, or key of a recipe
    second: str
    question: str  # MODELS or RECIPES
    metric: str
    value: float
    interval: Interval  # the intervals of all pairs of a question and a figure hold together
    p: float
    holm: float  # p adjusted for all these pairs
    different: bool  # beyond chance, with all pairs in mind
    n: int  # images
    seeds: int  # runs of the smaller side; 1 where models are compared
    unnoticed: float | None  # a true difference smaller than this could well have gone unnoticed; of recipes
    method: str
    sentence: str
    per_class: tuple[ClassChange, ...] = ()  # of the figure that decides


@dataclass(frozen=True)
class Disagreement:
    """The images on which two runs disagree, those first on which they do most."""

    first: str
    second: str
    only_first: int  # how many images the first alone has right; of masks, has better by 5 points of Dice or more
    only_second: int
    neither: int  # both wrong, each in its own way; 0 for masks
    agree: int
    shown: dict[str, tuple[str, ...]]  # {"only_first": ids of some of them, ...}


@dataclass(frozen=True)
class Picture:
    """One image on which runs disagree."""

    id: str
    file: str
    truth: str  # class name; "" for masks
    answers: dict[str, tuple[str, float]]  # run id -> class and its probability; of masks "" and the image's mean Dice


@dataclass(frozen=True)
class Place:
    """A line of the leaderboard."""

    key: str  # id of a run, or key of a recipe
    score: float
    best: int  # the best place that it may truly have, from 1: so many are beyond chance better, and one
    worst: int


@dataclass(frozen=True)
class Comparison:
    """What several runs say together."""

    split: str
    task: str
    verdict: str
    question: str  # that the verdict answers: MODELS or RECIPES
    metrics: tuple[tuple[str, str], ...]  # (name, label) of the figures; the first one decides
    class_figure: str  # what is told of each class
    classes: tuple[str, ...]
    images: int  # that all compared runs were judged by
    runs: tuple[RunLine, ...]
    recipes: tuple[RecipeLine, ...]
    choices: tuple[Choice, ...]
    pairs: tuple[Pair, ...]
    disagreements: tuple[Disagreement, ...]
    pictures: dict[str, Picture]
    cautions: tuple[str, ...]

    def of(self, question: str, metric: str) -> tuple[Pair, ...]:
        """The pairs that answer a question by a figure."""
        return tuple(pair for pair in self.pairs if (pair.question, pair.metric) == (question, metric))

    def score(self, key: str, metric: str) -> Score | None:
        """A figure of a run or a recipe; None where it has none."""
        lines = [line for line in self.recipes if line.key == key] + [line for line in self.runs if line.id == key]
        return next((score for line in lines for score in line.scores if score.name == metric), None)

    def ranking(self, question: str, metric: str) -> tuple[Place, ...]:
        """The leaderboard by any figure: the runs, or the recipes, that its pairs are about."""
        pairs = self.of(question, metric)
        keys = dict.fromkeys(key for pair in pairs for key in (pair.first, pair.second))
        return places({key: self.score(key, metric).value for key in keys}, pairs)

    def named(self, key: str) -> str:
        """What a run or a recipe is called."""
        return next((line.label for line in self.recipes if line.key == key), None) or next(
            (line.name for line in self.runs if line.id == key), key
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data, as it is stored and as the command line gives it: with the leaderboards by what decides."""
        decides = self.metrics[0][0]
        board = {question: [asdict(place) for place in self.ranking(question, decides)] for question in QUESTIONS}
        return asdict(self) | {"board": {question: lines for question, lines in board.items() if lines}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The comparison from plain data. Raises KeyError, TypeError or ValueError when it is none."""
        return cls(
            **{
                **{name: value for name, value in data.items() if name != "board"},
                "metrics": tuple((name, label) for name, label in data["metrics"]),
                "classes": tuple(data["classes"]),
                "runs": tuple(RunLine(**line | {"scores": _scores(line)}) for line in data["runs"]),
                "recipes": tuple(
                    RecipeLine(
                        **line | {"scores": _scores(line), "runs": tuple(line["runs"]), "seeds": tuple(line["seeds"])}
                    )
                    for line in data["recipes"]
                ),
                "choices": tuple(Choice(row["path"], tuple(row["values"])) for row in data["choices"]),
                "pairs": tuple(_pair(row) for row in data["pairs"]),
                "disagreements": tuple(
                    Disagreement(**row | {"shown": {kind: tuple(ids) for kind, ids in row["shown"].items()}})
                    for row in data["disagreements"]
                ),
                "pictures": {
                    id: Picture(**row | {"answers": {run: tuple(said) for run, said in row["answers"].items()}})
                    for id, row in data["pictures"].items()
                },
                "cautions": tuple(data["cautions"]),
            }
        )


def places(scores: Mapping[str, float], pairs: Sequence[Pair]) -> tuple[Place, ...]:
    """A leaderboard: each with the places that it may truly have, as far as its pairs tell them apart."""
    better: dict[str, int] = dict.fromkeys(scores, 0)  # how many are beyond chance better than this one
    worse: dict[str, int] = dict.fromkeys(scores, 0)
    for pair in pairs:
        if pair.different:
            winner, loser = (pair.second, pair.first) if pair.value > 0 else (pair.first, pair.second)
            better[loser] += 1
            worse[winner] += 1
    ranked = sorted(scores, key=lambda key: -scores[key])
    return tuple(Place(key, scores[key], 1 + better[key], len(scores) - worse[key]) for key in ranked)


def _scores(line: Mapping[str, Any]) -> tuple[Score, ...]:
    return tuple(Score(**score | {"interval": _interval(score["interval"])}) for score in line["scores"])


def _pair(row: Mapping[str, Any]) -> Pair:
    classes = tuple(ClassChange(**one | {"interval": _interval(one["interval"])}) for one in row["per_class"])
    return Pair(**{**row, "interval": _interval(row["interval"]), "per_class": classes})


def _interval(bounds: Any) -> Interval | None:
    return None if bounds is None else Interval(*bounds)
