"""What is wrong with a report: every cause is weighed against all others, by how well it explains the answers."""

import math

import numpy as np

from core.evaluate.classification import ClassificationResult, evaluate_counts
from core.integrity.autopsy.answers import Answers
from core.integrity.autopsy.case import Case
from core.integrity.autopsy.claims import Claim, counts_of
from core.integrity.autopsy.decidable import can_place, can_refuse, claims_of, lift_of, shares_of
from core.integrity.autopsy.evidence import evidence
from core.integrity.autopsy.shares import runs
from core.integrity.autopsy.verdict import Autopsy, Other
from core.integrity.autopsy.weighing import RUNS, counts_as_given, tempered, weigh
from core.integrity.autopsy.words import cannot_know, code, explanation

BLOCKS_MOVED = 0.9  # the same where whole blocks of a table that comes class after class may have changed places
MOST_SURE = 0.995  # no file proves more: causes that nobody thought of are not among those weighed
TOLD = 0.01  # other causes are told from this weight on


def autopsy(answers: Answers) -> Autopsy:
    """The cause of a report, its evidence, and the report after a repair where one can be had.

    The same answers give the same autopsy.
    """
    given, claims, weights, cause = weigh(answers)
    weights = tempered(weights)
    claim = next(claim for claim in claims if claim.cause == cause)
    case = Case(
        answers=given,
        claim=claim,
        claims=tuple(claims),
        weights=weights,
        as_given=evaluate_counts(counts_as_given(given), answers.classes, split="as given", checkpoint="unknown"),
        corrected=_corrected(answers, claim),
    )
    return Autopsy(
        verdict=cause,
        confidence=round(min(BLOCKS_MOVED if _may_be_blocks(case) else MOST_SURE, weights[cause]), 4),
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
        enough=_enough(given, claim),
        notes=answers.notes,
    )


def _may_be_blocks(case: Case) -> bool:
    """Whether the repair could as well be one of whole blocks of rows, which are not looked for one by one."""
    if case.cause not in ("shifted", "permuted-classes") or "columns" in case.repair or not case.by_classes:
        return False
    few = len(case.answers.truth) / (2 * len(case.answers.classes))
    return runs(case.answers.predicted)[0] > RUNS and abs(case.repair.get("shift", few)) >= few


def _enough(answers: Answers, claim: Claim) -> bool:
    """Whether there are enough rows for this verdict, by the rule in `decidable`."""
    rows, shares = len(claim.rows), shares_of(answers.predicted, len(answers.classes))
    truth = np.bincount(answers.truth, minlength=len(answers.classes)) / len(answers.truth)
    nowhere = claim.cause in ("shuffled", "chance") and "order" not in claim.repair
    if nowhere or claim.repair.get("first") == 1:
        return can_refuse(rows, shares, truth)
    if claim.cause == "constant":  # whether a model that is always right would hardly answer so few images all the same
        return rows * math.log(truth.max()) < math.log(0.01)
    if claim.cause == "leaked" or "columns" in claim.repair:
        return True
    meant = np.arange(len(shares)) if claim.mapping is None else np.argsort(claim.mapping)
    predicted = answers.predicted[claim.places]
    hits = float((meant[predicted] == answers.truth[claim.rows]).mean())
    moved = meant[predicted] != predicted
    inside = claim.places < len(answers.truth)
    moved[inside] |= answers.truth[claim.rows[inside]] != answers.truth[claim.places[inside]]
    differing = None if claim.cause in ("sound", "truncated", "repeated") else int(moved.sum())
    claims = claims_of(claim.cause, len(answers.truth), len(answers.classes))
    return can_place(rows, shares, lift_of(hits, shares), claims, differing=differing)


def _corrected(answers: Answers, claim: Claim) -> ClassificationResult | None:
    """The report after the repair of a claim; None where nothing is to be repaired, or nothing can be."""
    if claim.cause in ("sound", "chance", "constant") or (claim.cause == "shuffled" and "order" not in claim.repair):
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
    if claim.repair.get("first") == 1:  # one row that may be right is no report
        return None
    if claim.cause == "repeated" and len(np.unique(rows)) < len(rows):
        rows, predicted = _voted(answers, claim)
    if not len(rows):
        return None
    counts = counts_of(answers.truth[rows], predicted, classes)
    return evaluate_counts(counts, answers.classes, split="corrected", checkpoint="unknown")


def _voted(answers: Answers, claim: Claim) -> tuple[np.ndarray, np.ndarray]:
    """One answer for each row of the truth that was answered several times: the mean probability, or a vote."""
    rows, places = np.unique(claim.rows, return_inverse=True)
    if answers.probabilities is not None:
        sums = np.zeros((len(rows), len(answers.classes)))
        np.add.at(sums, places, answers.probabilities[claim.places])
    else:
        sums = _votes(places, answers.predicted[claim.places], len(rows), len(answers.classes))
    return rows, sums.argmax(axis=1)


def _votes(places: np.ndarray, predicted: np.ndarray, rows: int, classes: int) -> np.ndarray:
    """Votes (rows, K)."""
    return np.bincount(places * classes + predicted, minlength=rows * classes).reshape(rows, classes)


def _told(repair: dict) -> dict | None:
    """What was done for the corrected report; None where nothing was."""
    return {name: value for name, value in repair.items() if name not in ("only", "rest")} or None
