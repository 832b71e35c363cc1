"""What an autopsy says: the cause in a sentence, the figures behind it, what stays unknown, and the line that mends it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from core.errors import shown
from core.evaluate.classification import ClassificationResult
from core.integrity.autopsy.answers import Answers
from core.integrity.autopsy.claims import Claim
from core.integrity.autopsy.orders import known_orders, name_of_order
from core.integrity.autopsy.shares import ceiling, runs
from core.integrity.autopsy.shifts import BATCHES
from core.integrity.autopsy.verdict import Cause, Evidence

_FEW = 6  # classes, or rows, that a sentence names


@dataclass(frozen=True, eq=False)
class Case:
    """Everything that was found, before it is put into words."""

    answers: Answers
    claim: Claim  # the likeliest one of the verdict
    claims: tuple[Claim, ...]  # all that were weighed, the likeliest first
    weights: dict[Cause, float]
    as_given: ClassificationResult
    corrected: ClassificationResult | None
    enough: bool

    @property
    def cause(self) -> Cause:
        return self.claim.cause

    @property
    def repair(self) -> dict:
        return self.claim.repair

    @property
    def guess(self) -> float:
        """The accuracy that these class shares have by chance, 0..1."""
        table = np.array(self.as_given.confusion, float)
        return float((table.sum(axis=0) * table.sum(axis=1)).sum() / table.sum() ** 2)


def explanation(case: Case) -> str:
    """The cause in one or two sentences."""
    said = _EXPLAINED[case.cause](case)
    return said if case.enough else f"{said} There are few rows for a verdict: take it as a hint."


def evidence(case: Case) -> tuple[Evidence, ...]:
    """The figures behind the verdict, the most telling first."""
    return tuple(row for part in (_common, _FIGURES.get(case.cause, _none), _last) for row in part(case))


def cannot_know(case: Case) -> tuple[str, ...]:
    """What these files cannot tell."""
    return tuple(_unknown(case))


def code(case: Case) -> str:
    """The line of Python that avoids or mends the cause; "" where no line does."""
    return _CODE.get(case.cause, lambda case: "")(case)


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _accuracy(result: ClassificationResult) -> str:
    low, high = result.interval
    return f"{_share(result.accuracy)} [{100 * low:.1f}, {100 * high:.1f}]"


def _rows(number: int) -> str:
    return f"{number:,} row{'s' * (number != 1)}"


def _after(case: Case) -> str:
    return f" After the repair {_accuracy(case.corrected)} of the answers are right." if case.corrected else ""


def _sound(case: Case) -> str:
    if case.as_given.interval.low <= case.guess:
        return (
            f"Nothing wrong was found, but {_accuracy(case.as_given)} right answers can hardly be told from guessing, "
            f"which gives {_share(case.guess)}."
        )
    return (
        f"Nothing wrong was found: {_accuracy(case.as_given)} of the answers are right, row by row and class by class, "
        "and no other order of rows or classes explains them better."
    )


def _shuffled(case: Case) -> str:
    return (
        "The answers stand in another order than the truth. Each class was answered about as often as there are images "
        f"of it, but row by row the two agree no more often ({_share(case.as_given.accuracy)}) than any order does by "
        f"chance ({_share(case.guess)})."
    )


def _shifted(case: Case) -> str:
    offset = case.repair["shift"]
    way = "further up" if offset < 0 else "further down"
    since = f" from row {case.repair['from']} on" if "from" in case.repair else ""
    return f"Each answer{since} belongs to the truth {_rows(abs(offset))} {way}.{_after(case)}"


def _permuted(case: Case) -> str:
    if "columns" in case.repair:
        return (
            "The columns of the probabilities are in another order than their names say: the most probable column is "
            f"never the class that was answered, but always the same other one.{_after(case)}"
        )
    order = _order(case)
    named = f" They follow {order}." if order else ""
    if len(case.answers.classes) == 2:
        return f"The two classes are exchanged: what is answered as one is the other.{_after(case)}"
    return f"Rows are in place, but class numbers mean other classes in the answers than in the truth.{named}{_after(case)}"


def _truncated(case: Case) -> str:
    truth, predicted = len(case.answers.truth), len(case.answers.predicted)
    less = "answers than true classes" if predicted < truth else "true classes than answers"
    where = "first" if case.repair.get("missing") == "first" else "last"
    return (
        f"There are {abs(truth - predicted):,} fewer {less} ({min(truth, predicted):,} and {max(truth, predicted):,}): "
        f"the {where} ones are missing, and the others are in place.{_after(case)}"
    )


def _repeated(case: Case) -> str:
    repair, what = case.repair, case.repair.get("what")
    if what == "both":
        return (
            f"The same {_rows(repair['first'])} come again and again, truth and answers alike: every image counts "
            f"{len(case.answers.truth) / repair['first']:.3g} times, so the intervals are narrower than they may be."
            f"{_after(case)}"
        )
    if what == "truth" and "first" in repair:
        return (
            f"The truth repeats its first {_rows(repair['first'])} over and over, so what stands beside the later "
            f"answers is about other images.{_after(case)}"
        )
    if what == "truth":
        return f"The truth says each class {repair['each']} times, one after the other.{_after(case)}"
    times = repair.get("each", repair.get("rounds"))
    how = "one after the other" if "each" in repair else "in rounds over all images"
    if times is None:
        return f"The answers repeat their first {_rows(repair['first'])}.{_after(case)}"
    return f"Each image was answered {times:.3g} times, {how}, and the truth is not written that way.{_after(case)}"


def _constant(case: Case) -> str:
    totals = np.bincount(case.answers.predicted, minlength=len(case.answers.classes))
    label = case.answers.classes[int(totals.argmax())]
    every = (
        "Every answer is" if totals.max() == totals.sum() else f"{_share(totals.max() / totals.sum())} of answers are"
    )
    return (
        f"{every} {shown(label)}: the accuracy of {_share(case.as_given.accuracy)} is only how common that class is, and "
        "says nothing about the model."
    )


def _chance(case: Case) -> str:
    if _is_loose(case):
        return (
            "The answers hang together with the truth, but not class by class: no order of rows or classes that was "
            f"tried explains them, and {_share(case.as_given.accuracy)} are right."
        )
    return (
        "The answers have nothing to do with the truth, and it is not only their order: classes are answered in other "
        f"shares than there are images of them, so no order could make more than {_share(_ceiling(case))} right."
    )


def _leaked(case: Case) -> str:
    leak = case.answers.leak
    told = (
        f"{leak.shared:,} of {leak.evaluated:,} evaluated images were learned from ({leak.how}), so the report says "
        "partly what the model knows by heart."
    )
    return told + (f" Without them {_accuracy(case.corrected)} are right." if case.corrected else "")


_EXPLAINED: dict[Cause, Callable[[Case], str]] = {
    "sound": _sound,
    "shuffled": _shuffled,
    "shifted": _shifted,
    "permuted-classes": _permuted,
    "truncated": _truncated,
    "repeated": _repeated,
    "constant": _constant,
    "chance": _chance,
    "leaked": _leaked,
}


def _none(case: Case) -> Iterator[Evidence]:
    yield from ()


def _common(case: Case) -> Iterator[Evidence]:
    yield Evidence(
        "Right as given",
        _accuracy(case.as_given),
        f"Of {_rows(case.as_given.n)}, with Wilson's 95 % interval; guessing with these class shares gives "
        f"{_share(case.guess)}.",
    )
    if case.corrected is not None:
        yield Evidence(
            "Right after the repair",
            _accuracy(case.corrected),
            f"Of {_rows(case.corrected.n)}, with Wilson's 95 % interval.",
        )
    if len(case.answers.truth) != len(case.answers.predicted):
        yield Evidence(
            "Lengths",
            f"{len(case.answers.truth):,} true, {len(case.answers.predicted):,} answered",
            _batch(len(case.answers.truth), len(case.answers.predicted)),
        )


def _batch(truth: int, predicted: int) -> str:
    fits = [size for size in BATCHES if size <= predicted < truth and predicted == truth // size * size]
    if fits:
        sizes = ", ".join(map(str, fits))
        return f"As when the last batch is dropped because it is not full, with batches of {sizes}."
    return "Each row of the truth should have one answer."


def _independent(case: Case) -> Iterator[Evidence]:
    yield Evidence(
        "Most that any order could give",
        _share(_ceiling(case)),
        "What truth and answers have in common of each class; a model that was right in more cases cannot have given "
        "these answers.",
    )
    strong, found = runs(case.answers.predicted)
    truth_runs = runs(case.answers.truth)[0]
    if strong > 6:
        yield Evidence(
            "Equal neighbours among the answers",
            _share(found),
            "Far more than chance gives: the answers follow some order of the images, though not that of the truth.",
        )
    elif truth_runs > 6:
        yield Evidence(
            "Equal neighbours among the answers",
            _share(found),
            "No more than chance gives, while the truth comes class after class: the images were answered in a mixed "
            "order, or without being looked at.",
        )
    for cause, label, meaning in (
        ("shifted", "Best shift", "If answers were some rows off, one shift would explain them; none does."),
        (
            "permuted-classes",
            "Best exchange of classes",
            "If class numbers were mixed up, one exchange would; none does.",
        ),
    ):
        weight = max((claim.weight for claim in case.claims if claim.cause == cause), default=None)
        if weight is not None:
            yield Evidence(label, f"{_odds(case.claim.weight - weight)} : 1 against it", meaning)


def _odds(nats: float) -> str:
    return "more than a million" if nats > 13.8 else f"{np.exp(max(0.0, nats)):,.0f}"


def _shift_figures(case: Case) -> Iterator[Evidence]:
    yield Evidence("Shift", _rows(case.repair["shift"]) if case.repair["shift"] > 0 else f"{case.repair['shift']} rows",
        "How far down from its own place the truth stands to which an answer belongs.")  # fmt: skip
    size = abs(case.repair["shift"])
    if size in BATCHES:
        yield Evidence("A usual batch size", str(size), "A batch was read before the first one that counts.")
    others = [
        claim for claim in case.claims if claim.cause == "shifted" and claim.repair["shift"] != case.repair["shift"]
    ]
    if others:
        yield Evidence("Next best shift", f"{others[0].repair['shift']} rows, {_odds(case.claim.weight - others[0].weight)} : 1 against it",
            "How much better this shift explains the answers than the next one.")  # fmt: skip


def _permuted_figures(case: Case) -> Iterator[Evidence]:
    named = case.repair.get("mapping") or case.repair.get("columns")
    some = [f"{a} → {b}" for a, b in list(named.items())[:_FEW]]
    yield Evidence(
        "Classes that are exchanged",
        f"{len(named)} of {len(case.answers.classes)}",
        "As answered → as meant: " + ", ".join(some) + (", ..." if len(named) > _FEW else "") + ".",
    )
    if order := _order(case):
        yield Evidence("A known order", order, "Programs make this order by themselves, so it is a likely one.")


def _truncated_figures(case: Case) -> Iterator[Evidence]:
    yield Evidence("Rows kept", f"{case.repair['kept']:,}", "These stand beside their own truth.")


def _repeated_figures(case: Case) -> Iterator[Evidence]:
    if "first" in case.repair:
        yield Evidence("Rows before it repeats", f"{case.repair['first']:,}", "All later rows are equal to these.")


def _constant_figures(case: Case) -> Iterator[Evidence]:
    used = len(np.unique(case.answers.predicted))
    yield Evidence("Classes answered", f"{used} of {len(case.answers.classes)}", "The others are never answered.")


def _leaked_figures(case: Case) -> Iterator[Evidence]:
    leak = case.answers.leak
    pairs = "; ".join(f"{a} = {b}" if a != b else a for a, b in leak.examples[:3])
    yield Evidence("Learned from", f"{leak.shared:,} of {leak.evaluated:,}", f"By {leak.how}: {pairs}.")


_FIGURES: dict[Cause, Callable[[Case], Iterator[Evidence]]] = {
    "shuffled": _independent,
    "chance": _independent,
    "shifted": _shift_figures,
    "permuted-classes": _permuted_figures,
    "truncated": _truncated_figures,
    "repeated": _repeated_figures,
    "constant": _constant_figures,
    "leaked": _leaked_figures,
}


def _last(case: Case) -> Iterator[Evidence]:
    answers = case.answers
    if answers.joined == "ids":
        moved = "" if answers.moved is None else f"; {_share(answers.moved)} stood in other places in the two files"
        yield Evidence("Rows brought together", f"by their ids{moved}", "An id does not depend on the order of rows.")
    if answers.leak is not None and case.cause != "leaked":
        yield Evidence(
            "Learned from", f"{answers.leak.shared:,} of {answers.leak.evaluated:,}", "Evaluated images on both lists."
        )


def _unknown(case: Case) -> Iterator[str]:
    answers, cause = case.answers, case.cause
    if cause == "shuffled":
        yield "Which answer belongs to which image is lost: the accuracy of the model can only be had by asking it again."
        yield (
            "A model that knows nothing, but answers each class as often as it occurs, would look the same"
            + (": the probabilities of the answers do not settle it." if answers.probabilities is not None else ".")
        )
    if cause == "chance" and not _is_loose(case):
        yield "Why the model knows nothing: untrained weights, wrong preprocessing, or labels that were mixed in training."
    if cause == "constant":
        yield "Why the model answers one class: its training, its preprocessing, or a slip when the answers were written."
    if cause in ("shifted", "permuted-classes") and _sorted(answers.truth):
        yield "The truth comes class after class, so whole classes that changed places and a shift by a class look alike."
    if cause == "permuted-classes":
        yield "Whether the truth or the answers use the wrong numbers: the figures are the same."
        if len(answers.classes) == 2:
            yield "Whether the model itself learned the two classes the wrong way round."
    if cause in ("sound", "leaked"):
        yield "Whether the true classes are right, and whether these images are like those that the model will meet."
    if answers.leak is None:
        yield "Whether evaluated images were learned from: no lists of files were given."
    elif answers.leak.doubtful:
        yield (
            f"Whether {answers.leak.doubtful:,} further images are the same: their names agree, but such names occur in "
            "many folders."
        )
    if answers.numbered:
        yield "Whether 0 is really the first name in alphabetical order, as was assumed."


def _sorted(truth: np.ndarray) -> bool:
    return int((truth[1:] != truth[:-1]).sum()) < 2 * len(np.unique(truth))


def _is_loose(case: Case) -> bool:
    return case.repair.get("only") == "loose"


def _ceiling(case: Case) -> float:
    return ceiling(case.answers.truth, case.answers.predicted, len(case.answers.classes))


def _order(case: Case) -> str:
    if case.claim.mapping is None or "columns" in case.repair:
        return ""
    return name_of_order(case.claim.mapping, known_orders(case.answers.classes, given=case.answers.given_order))


def _shift_code(case: Case) -> str:
    if "from" in case.repair:
        return "predictions = {name: answer for name, answer in ...}  # keep the file name beside each answer"
    return "generator.reset()  # or a fresh loader: begin with the first image"


def _permuted_code(case: Case) -> str:
    if "columns" in case.repair:
        return "columns = model.classes_  # name the columns by the order that the model was trained with"
    return "classes = train_set.classes  # one list of classes, written beside the weights, for truth and answers"


_CODE: dict[Cause, Callable[[Case], str]] = {
    "shuffled": lambda case: "loader = DataLoader(test_set, shuffle=False)  # and take labels from the same loop",
    "shifted": _shift_code,
    "permuted-classes": _permuted_code,
    "truncated": lambda case: "loader = DataLoader(test_set, drop_last=False)",
    "repeated": lambda case: "steps = math.ceil(len(test_set) / batch_size)  # go over the images once",
    "constant": lambda case: "print(np.bincount(predicted))  # look at the answers before the accuracy",
    "chance": lambda case: (
        "model.load_state_dict(best, strict=True); model.eval()  # and the preprocessing of training"
    ),
    "leaked": lambda case: "assert not set(train_files) & set(test_files)",
}
