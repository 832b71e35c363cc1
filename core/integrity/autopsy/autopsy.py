"""What is wrong with a report: every cause is weighed against all others, by how well it explains the answers."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from core.evaluate.classification import evaluate_counts
from core.integrity.autopsy.agreement import Agreement
from core.integrity.autopsy.answers import Answers
from core.integrity.autopsy.claims import Claim, counts_of, pairs_at
from core.integrity.autopsy.columns import other_columns
from core.integrity.autopsy.decidable import enough
from core.integrity.autopsy.orders import known_orders, order_prior
from core.integrity.autopsy.repeats import repeat_claims
from core.integrity.autopsy.shares import runs, share_scores
from core.integrity.autopsy.shifts import shift_claims, slip_claims
from core.integrity.autopsy.verdict import Autopsy, Cause, Other
from core.integrity.autopsy.words import Case, cannot_know, code, evidence, explanation

# How probable each cause is before anything was looked at: where the lengths agree, and where they differ.
EQUAL = {
    "sound": 0.7,
    "shuffled": 0.09,
    "shifted": 0.04,
    "slipped": 0.01,
    "permuted": 0.07,
    "repeated": 0.02,
    "chance": 0.04,
    "loose": 0.01,
    "constant": 0.02,
}
APART = {
    "truncated": 0.5,
    "shuffled": 0.12,
    "shifted": 0.1,
    "slipped": 0.03,
    "permuted": 0.04,
    "repeated": 0.13,
    "chance": 0.05,
    "loose": 0.01,
    "constant": 0.02,
}
ALARM = 0.9  # so probable must a fault be, all together, before one is named; below, nothing is said to be wrong
MOST_SURE = 0.995  # no file proves more: causes that nobody thought of are not among those weighed
TOLD = 0.01  # other causes are told from this weight on
FOLLOWS = math.log(20.0)  # what answers that come in runs speak for a model that saw pictures in some order
RUNS = 6.0  # standard deviations from which answers count as coming in runs


def autopsy(answers: Answers, *, seed: int = 0) -> Autopsy:
    """The cause of a report, its evidence, and the report after a repair where one can be had.

    `seed` is that of what is drawn; nothing but the intervals of macro F1 is. The same answers give the same autopsy.
    """
    columns = other_columns(answers)
    if columns is not None:  # the probabilities of a table contradict its own answers: no likelihood is needed
        given = replace(answers, predicted=answers.probabilities.argmax(axis=1), labelled=False)
        claims = [columns]
        weights: dict[Cause, float] = {"permuted-classes": 1.0}
    else:
        given = answers
        claims = sorted(_weighed(answers), key=lambda claim: -claim.weight)
        weights = _causes(claims)
    cause = _named(weights)
    claim = next(claim for claim in claims if claim.cause == cause)
    if cause == "sound" and answers.leak is not None and answers.leak.shared:
        weights = {"leaked": weights["sound"], **{name: value for name, value in weights.items() if name != "sound"}}
        cause, claim = "leaked", replace(claim, cause="leaked")
    case = Case(
        answers=given,
        claim=claim,
        claims=tuple(claims),
        weights=weights,
        as_given=evaluate_counts(_as_given(given), answers.classes, split="as given", checkpoint="unknown"),
        corrected=_corrected(answers, claim),
        enough=enough(given, cause),
    )
    return Autopsy(
        verdict=cause,
        confidence=round(min(MOST_SURE, weights[cause]), 4),
        explanation=explanation(case),
        evidence=evidence(case),
        cannot_know=cannot_know(case),
        as_given=case.as_given,
        corrected=case.corrected,
        also=tuple(
            Other(name, round(weight, 4))
            for name, weight in sorted(weights.items(), key=lambda row: -row[1])
            if name != cause and weight >= TOLD
        ),
        repair=_told(claim.repair),
        code=code(case),
        enough=case.enough,
        notes=answers.notes,
    )


def _as_given(answers: Answers) -> np.ndarray:
    shortest = min(len(answers.truth), len(answers.predicted))
    return counts_of(answers.truth[:shortest], answers.predicted[:shortest], len(answers.classes))


def _weighed(answers: Answers) -> Iterator[Claim]:
    """Every claim with its weight: log prior and log marginal likelihood, relative to independence."""
    truth, predicted, classes = answers.truth, answers.predicted, len(answers.classes)
    model = Agreement(np.bincount(predicted, minlength=classes))
    prior = EQUAL if len(truth) == len(predicted) else APART
    everything = pairs_at(len(truth), len(predicted), 0, cyclic=False)
    counts = counts_of(truth[everything[0]], predicted[everything[1]], classes)
    nothing = Claim("chance", *everything, 0.0)

    in_place = Claim("sound" if "sound" in prior else "truncated", *everything, 0.0, _cut(truth, predicted))
    aligned = [replace(in_place, prior=math.log(prior[in_place.cause] * (1 if "sound" in prior else 0.9)))]
    if "truncated" in prior:
        tail = len(truth) - len(predicted)
        rows = pairs_at(len(truth), len(predicted), tail, cyclic=False)
        repair = {"kept": min(len(truth), len(predicted)), "longer": _longer(truth, predicted), "missing": "first"}
        aligned.append(Claim("truncated", *rows, math.log(prior["truncated"] * 0.1), repair))
    aligned += _with_prior(repeat_claims(truth, predicted, answers.probabilities, model), prior["repeated"])
    aligned += _with_prior(shift_claims(truth, predicted, model), prior["shifted"])
    aligned += _with_prior(slip_claims(truth, predicted, model), prior["slipped"])
    for claim in aligned:
        yield _scored(claim, model, counts_of(truth[claim.rows], predicted[claim.places], classes))

    known = known_orders(answers.classes, given=answers.given_order)
    for claim in [claim for claim in aligned if claim.cause != "shifted"]:
        table = counts_of(truth[claim.rows], predicted[claim.places], classes)
        base = claim.prior if claim is not aligned[0] else math.log(0.9)
        mappings = [model.mapping(table), *known.values()]
        for place, mapping in enumerate(mappings):
            if (mapping == np.arange(classes)).all() or any((mapping == other).all() for other in mappings[:place]):
                continue
            order = order_prior(table, mapping, known)
            named = {str(answers.classes[a]): str(answers.classes[c]) for c, a in enumerate(mapping) if a != c}
            repair = {**claim.repair, "mapping": named}
            permuted = replace(
                claim, cause="permuted-classes", prior=base + math.log(prior["permuted"]) + order,
                repair=repair, mapping=mapping,
            )  # fmt: skip
            yield _scored(permuted, model, table)

    shares = share_scores(truth, predicted, classes)
    follows = FOLLOWS if runs(predicted)[0] > RUNS else 0.0
    for cause in ("shuffled", "chance", "constant"):
        weight = math.log(prior[cause]) + shares[cause] - shares["shuffled"] + follows * (cause == "shuffled")
        yield replace(nothing, cause=cause, weight=weight)
    yield replace(nothing, repair={"loose": True}, weight=math.log(prior["loose"]) + model.loose(counts))


def _with_prior(claims: Iterator[Claim], prior: float) -> list[Claim]:
    return [replace(claim, prior=claim.prior + math.log(prior)) for claim in claims]


def _scored(claim: Claim, model: Agreement, counts: np.ndarray) -> Claim:
    return replace(claim, weight=claim.prior + claim.bonus + model.score(counts, claim.mapping))


def _longer(truth: np.ndarray, predicted: np.ndarray) -> str:
    return "truth" if len(truth) > len(predicted) else "answers"


def _cut(truth: np.ndarray, predicted: np.ndarray) -> dict:
    if len(truth) == len(predicted):
        return {}
    return {"kept": min(len(truth), len(predicted)), "longer": _longer(truth, predicted), "missing": "last"}


def _causes(claims: list[Claim]) -> dict[Cause, float]:
    """How probable each cause is, all its claims together."""
    top = claims[0].weight
    sums: dict[Cause, float] = {}
    for claim in claims:
        sums[claim.cause] = sums.get(claim.cause, 0.0) + math.exp(claim.weight - top)
    whole = sum(sums.values())
    return {cause: value / whole for cause, value in sums.items()}


def _named(weights: dict[Cause, float]) -> Cause:
    """The likeliest cause; but as long as a sound table is not improbable, nothing is said to be wrong."""
    if weights.get("sound", 0.0) > 1 - ALARM:
        return "sound"
    return max(weights, key=weights.__getitem__)


def _corrected(answers: Answers, claim: Claim):
    """The report after the repair of a claim; None where nothing is to be repaired, or nothing can be."""
    if claim.cause in ("sound", "shuffled", "chance", "constant"):
        return None
    classes = len(answers.classes)
    rows, predicted = claim.rows, answers.predicted[claim.places]
    if claim.mapping is not None and "columns" not in claim.repair:
        meant = np.empty(classes, np.int64)
        meant[claim.mapping] = np.arange(classes)
        predicted = meant[predicted]
    if claim.cause == "leaked":
        if not answers.leak.rows:
            return None
        kept = np.setdiff1d(np.arange(len(rows)), answers.leak.rows)
        rows, predicted = rows[kept], predicted[kept]
    if claim.cause == "repeated" and len(np.unique(rows)) < len(rows):
        rows, predicted = _voted(answers, claim)
    if not len(rows):
        return None
    counts = counts_of(answers.truth[rows], predicted, classes)
    return evaluate_counts(counts, answers.classes, split="corrected", checkpoint="unknown")


def _voted(answers: Answers, claim: Claim) -> tuple[np.ndarray, np.ndarray]:
    """One answer for each row of the truth that was answered several times: the mean of the probabilities, or a vote."""
    rows, places = np.unique(claim.rows, return_inverse=True)
    if answers.probabilities is not None:
        sums = np.zeros((len(rows), len(answers.classes)))
        np.add.at(sums, places, answers.probabilities[claim.places])
    else:
        sums = counts_of_rows(places, answers.predicted[claim.places], len(rows), len(answers.classes))
    return rows, sums.argmax(axis=1)


def counts_of_rows(places: np.ndarray, predicted: np.ndarray, rows: int, classes: int) -> np.ndarray:
    """Votes (rows, K)."""
    return np.bincount(places * classes + predicted, minlength=rows * classes).reshape(rows, classes)


def _told(repair: dict) -> dict | None:
    """What was done for the corrected report; None where nothing was."""
    return {name: value for name, value in repair.items() if name != "loose"} or None
