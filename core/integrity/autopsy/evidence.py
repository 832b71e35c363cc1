"""The figures behind a verdict, the most telling first."""

import math
from collections.abc import Callable, Iterator

import numpy as np

from core.integrity.autopsy.agreement import Agreement
from core.integrity.autopsy.case import Case, percent, right, rows
from core.integrity.autopsy.claims import Claim, counts_of
from core.integrity.autopsy.decidable import shares_of
from core.integrity.autopsy.shares import runs, sureness
from core.integrity.autopsy.shifts import BATCHES
from core.integrity.autopsy.verdict import Cause, Evidence
from core.integrity.autopsy.weighing import RUNS
from core.metrics.intervals import wilson

_FEW = 6  # classes that a sentence names


def evidence(case: Case) -> tuple[Evidence, ...]:
    """The figures behind the verdict of a case."""
    parts = (_right, *_OF_CAUSE.get(case.cause, ()), _lengths, _joined, _leak)
    return tuple(row for part in parts for row in part(case))


def _right(case: Case) -> Iterator[Evidence]:
    yield Evidence(
        "Right as given",
        right(case.as_given),
        f"Of {rows(case.as_given.n)}, with Wilson's 95 % interval. Guessing with these class shares gives "
        f"{percent(case.guess)}.",
    )
    if case.corrected is not None:
        meaning = f"Of {rows(case.corrected.n)}, with Wilson's 95 % interval."
        yield Evidence("Right after the repair", right(case.corrected), meaning)


def _ceiling(case: Case) -> Iterator[Evidence]:
    meaning = "What truth and answers share of each class: no model that was right more often gave these answers."
    yield Evidence("Right in the best of all orders", percent(case.ceiling), meaning)


def _runs(case: Case) -> Iterator[Evidence]:
    strong, found = runs(case.answers.predicted)
    if strong > RUNS:
        meaning = "Far more than chance gives: the answers follow some order of the images, but not that of the truth."
        yield Evidence("Neighbours with equal answers", percent(found), meaning)
    elif case.by_classes:
        meaning = (
            "No more than chance gives, while the truth comes class after class: the images were answered in a mixed "
            "order, as by a loader that shuffles, or without being looked at."
        )
        yield Evidence("Neighbours with equal answers", percent(found), meaning)


def _sureness(case: Case) -> Iterator[Evidence]:
    sure = sureness(case.answers.probabilities)
    if sure is not None:
        top = percent(float(case.answers.probabilities.max(axis=1).mean()))
        meaning = "A model that is aware of knowing nothing gives all classes alike; a good one is mostly sure."
        yield Evidence("Mean probability of the answers", top, meaning)


def _others_fail(case: Case) -> Iterator[Evidence]:
    """The best that the causes which can be repaired would make of it, with what that is by chance."""
    answers, classes = case.answers, len(case.answers.classes)
    for cause, label, why in (
        ("shifted", "Right at the best shift", "The best of all shifts"),
        ("permuted-classes", "Right after the best exchange of classes", "The best of all assignments"),
    ):
        best = next((claim for claim in case.claims if claim.cause == cause), None)
        if best is None or not len(best.rows):
            continue
        counts = counts_of(answers.truth[best.rows], answers.predicted[best.places], classes)
        meant = np.arange(classes) if best.mapping is None else best.mapping
        hits, number = int(counts[np.arange(classes), meant].sum()), int(counts.sum())
        low, high = wilson(hits, number)
        told = f"{percent(hits / number)} [{100 * low:.1f}, {100 * high:.1f}]"
        yield Evidence(label, told, f"{why}; no better than the best of so many is by chance ({_odds(case, best)}).")


def _odds(case: Case, other: Claim) -> str:
    nats = case.claim.weight - other.weight
    odds = "more than a million" if nats > math.log(1e6) else f"{math.exp(max(0.0, nats)):,.0f}"
    return f"{odds} to one against it"


def _shift(case: Case) -> Iterator[Evidence]:
    offset = case.repair["shift"]
    meaning = "How many rows further down (with a minus: further up) than an answer its truth stands."
    yield Evidence("Shift", f"{offset:+,} row{'s' * (abs(offset) != 1)}", meaning)
    if abs(offset) in BATCHES:
        yield Evidence("A usual batch size", str(abs(offset)), "As when one batch was read before the ones that count.")
    for other in case.claims:
        if other.cause == "shifted" and other.repair["shift"] != offset:
            told = f"{other.repair['shift']:+,}: {_odds(case, other)}"
            yield Evidence("Next best shift", told, "How much better this shift explains the answers than the next.")
            return


def _exchanged(case: Case) -> Iterator[Evidence]:
    named = case.repair.get("mapping") or case.repair.get("columns")
    some = ", ".join(f"{said} → {meant}" for said, meant in list(named.items())[:_FEW])
    more = ", ..." * (len(named) > _FEW)
    told = f"{len(named)} of {len(case.answers.classes)}"
    yield Evidence("Classes that are exchanged", told, f"As answered → as meant: {some}{more}.")
    if case.order:
        yield Evidence("An order with a name", case.order, "Programs make it by themselves, which makes it likelier.")


def _cut(case: Case) -> Iterator[Evidence]:
    truth, predicted = len(case.answers.truth), len(case.answers.predicted)
    fits = [size for size in BATCHES if size <= predicted < truth and predicted == truth // size * size]
    if fits and case.repair.get("missing") == "last":
        meaning = "With these, dropping the last batch because it is not full leaves just so many answers."
        yield Evidence("Batch sizes that fit", ", ".join(map(str, fits)), meaning)


def _first(case: Case) -> Iterator[Evidence]:
    if case.repair.get("first") == 1:
        meaning = "A truth of one class says nothing of the others, which were answered in runs all the same."
        yield Evidence("Classes of the truth", f"1 of {len(case.answers.classes)}", meaning)
    elif "first" in case.repair:
        meaning = "All later rows are equal to these, in the same order, which no chance brings about."
        yield Evidence("Rows before it starts again", f"{case.repair['first']:,}", meaning)


def _answered(case: Case) -> Iterator[Evidence]:
    used = len(np.unique(case.answers.predicted))
    commonest = float(shares_of(case.answers.truth, len(case.answers.classes)).max())
    yield Evidence("Classes answered", f"{used} of {len(case.answers.classes)}", "The others are never answered.")
    meaning = "What answering the commonest class every time would give."
    yield Evidence("Share of the commonest true class", percent(commonest), meaning)


def _dependence(case: Case) -> Iterator[Evidence]:
    answers = case.answers
    model = Agreement(np.bincount(answers.predicted, minlength=len(answers.classes)))
    nats = model.score(np.array(case.as_given.confusion))
    told = f"10^{nats / math.log(10):.0f} : 1" if nats > math.log(1000) else f"{math.exp(min(nats, 20)):,.0f} : 1"
    if nats > 0:
        meaning = "How much better a model that answers for its own row explains the table than answers by chance."
        yield Evidence("For rows in place, against chance", told, meaning)


def _lengths(case: Case) -> Iterator[Evidence]:
    truth, predicted = len(case.answers.truth), len(case.answers.predicted)
    if truth != predicted:
        told = f"{truth:,} true classes, {predicted:,} answers"
        yield Evidence("Lengths", told, "Every image should have one of each.")


def _joined(case: Case) -> Iterator[Evidence]:
    if case.answers.joined == "ids":
        moved = case.answers.moved
        told = "by their ids"
        told += "" if moved is None else f"; {percent(moved)} stood in other places in the two files"
        yield Evidence("Rows brought together", told, "Ids do not depend on the order of rows.")


def _leak(case: Case) -> Iterator[Evidence]:
    leak = case.answers.leak
    if leak is not None:
        told = f"{leak.shared:,} of {leak.evaluated:,} images ({percent(leak.shared / leak.evaluated)})"
        pairs = "; ".join(one if one == other else f"{one} = {other}" for one, other in leak.examples[:3])
        meaning = f"Known by {leak.how}: {pairs}." if leak.shared else "None is known from the list of training."
        yield Evidence("Evaluated and learned from", told, meaning)


def _nowhere(case: Case) -> Iterator[Evidence]:
    if "order" not in case.repair:
        for part in (_ceiling, _runs, _sureness, _others_fail):
            yield from part(case)


_OF_CAUSE: dict[Cause, tuple[Callable[[Case], Iterator[Evidence]], ...]] = {
    "sound": (_dependence,),
    "shuffled": (_nowhere,),
    "chance": (_nowhere,),
    "shifted": (_shift,),
    "permuted-classes": (_exchanged,),
    "truncated": (_cut,),
    "repeated": (_first,),
    "constant": (_answered,),
    "leaked": (_dependence,),
}
