"""Every claim about a table of answers, weighed against all others; and the cause that is named."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from core.integrity.autopsy.agreement import Agreement
from core.integrity.autopsy.answers import Answers
from core.integrity.autopsy.arrangements import arranged_claims
from core.integrity.autopsy.claims import Claim, counts_of, pairs_at
from core.integrity.autopsy.columns import other_columns
from core.integrity.autopsy.decidable import CLOSE, refuses, shares_of
from core.integrity.autopsy.orders import known_orders, order_prior
from core.integrity.autopsy.repeats import repeat_claims
from core.integrity.autopsy.shares import ceiling, runs, share_scores, speaks_for_order
from core.integrity.autopsy.shifts import shift_claims, slip_claims
from core.integrity.autopsy.verdict import Cause

# How probable each cause is before anything was looked at: where the lengths agree, and where they differ.
EQUAL = {
    "sound": 0.7,
    "shuffled": 0.09,
    "shifted": 0.04,
    "slipped": 0.01,
    "arranged": 0.01,
    "permuted": 0.07,
    "repeated": 0.02,
    "chance": 0.04,
    "loose": 0.01,
    "weak": 0.005,
    "constant": 0.02,
}
APART = {
    "truncated": 0.5,
    "shuffled": 0.12,
    "shifted": 0.1,
    "slipped": 0.03,
    "arranged": 0.01,
    "permuted": 0.04,
    "repeated": 0.13,
    "chance": 0.05,
    "loose": 0.01,
    "weak": 0.005,
    "constant": 0.02,
}
ALARM = 0.9  # so probable must a fault be, all together, before one is named; below, nothing is said to be wrong
REFUSED = 0.7  # the same for answers that belong nowhere: there a test of its own must refuse the weakest model, too
FOLLOWS = math.log(20.0)  # what answers that come in runs speak for a model that saw pictures in some order
AGAIN = 0.02  # of the rows: if so many have an id that was there before, images count more than once
ONE_CLASS = math.log(100)  # what answers in runs of several classes speak against a truth that names one in every row
LIKE = 2.0  # nats at most that an exchange of classes gains by the shares of the classes, which weak models distort
TEMPER = 0.75
BLOCKS = 3.0  # times as likely is a loose dependence where truth and answers both come in runs: whole blocks may move
RUNS = 6.0  # standard deviations from which answers count as coming in runs


def weigh(answers: Answers) -> tuple[Answers, list[Claim], dict[Cause, float], Cause]:
    """What was looked at, every claim, the likeliest first, how probable each cause is (they sum to 1), and which one
    is named. A leak takes the place of a sound table: it does not show in the answers."""
    columns = other_columns(answers)
    if columns is not None:  # the probabilities of a table contradict its own answers: no likelihood is needed
        given = replace(answers, predicted=answers.probabilities.argmax(axis=1), labelled=False)
        return given, [columns], {"permuted-classes": 1.0}, "permuted-classes"
    claims = sorted(_weighed(answers), key=lambda claim: -claim.weight)
    if len(np.unique(answers.predicted)) == 1:  # a fact, whatever the truth is
        return answers, claims, {"constant": 1.0}, "constant"
    weights = _causes(claims)
    cause = _named(weights, answers)
    if cause == "sound" and answers.leak is not None and answers.leak.shared:  # rows in place, and known by heart
        claims = [replace(claim, cause="leaked") if claim.cause == "sound" else claim for claim in claims]
        cause = "leaked"
    elif cause == "sound" and (again := _same_ids(answers)) is not None:
        claims = [replace(again, weight=claim.weight) if claim.cause == "sound" else claim for claim in claims]
        cause = "repeated"
    return answers, claims, _unrefused(_causes(claims), cause), cause


def _unrefused(weights: dict[Cause, float], cause: Cause) -> dict[Cause, float]:
    """The weights with that of the cause that is named brought up to what could not be refused: where likelihoods speak
    for guessing, but a weak model would give as few hits now and then, neither is sure."""
    if weights[cause] >= 1 - REFUSED:
        return weights
    rest = REFUSED / (1 - weights[cause])
    return {name: 1 - REFUSED if name == cause else rest * weight for name, weight in weights.items()}


def counts_as_given(answers: Answers) -> np.ndarray:
    """Counts (K, K) of the rows that both have, as they stand."""
    shortest = min(len(answers.truth), len(answers.predicted))
    return counts_of(answers.truth[:shortest], answers.predicted[:shortest], len(answers.classes))


def _same_ids(answers: Answers) -> Claim | None:
    """The claim that images count more than once, where ids of one table say so; None where hardly any does."""
    if len(answers.ids) != len(answers.truth):
        return None
    _, first = np.unique(np.array(answers.ids), return_index=True)
    if len(first) > (1 - AGAIN) * len(answers.ids):
        return None
    first.sort()
    return Claim("repeated", first, first, 0.0, {"kept": len(first), "what": "ids"})


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
    shares = share_scores(truth, predicted, classes)
    unlike, drifts = shares["chance"] - shares["shuffled"], [0.0]
    aligned += _with_prior(arranged_claims(truth, predicted, answers.ids), prior["arranged"])
    for claim in aligned:
        table = counts_of(truth[claim.rows], predicted[claim.places], classes)
        rest = 0.0
        if claim.repair.get("rest"):  # a truth that is not theirs says nothing of the shares of these answers either
            rest = float(np.logaddexp(0, model.loose(counts - table)) + np.logaddexp(0, unlike)) - math.log(4)
        apart = model.apart(table)
        drifts.append(apart)
        yield _scored(replace(claim, bonus=claim.bonus + rest + apart), model, table)

    known = known_orders(answers.classes, given=answers.given_order)
    for claim in [claim for claim in aligned if claim.cause not in ("shifted", "shuffled")]:
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
            like = share_scores(truth, np.argsort(mapping)[predicted], classes)["shuffled"] - shares["shuffled"]
            bonus = permuted.bonus + min(LIKE, like) + model.apart(table)
            yield _scored(replace(permuted, bonus=bonus), model, table)

    # Where answers come in runs, a part of them has other shares than the rest. So have those without any model; but
    # where the truth comes in runs too, that both change at the same rows is what speaks for a model.
    drift = 0.0 if runs(truth)[0] > RUNS else max(0.0, max(drifts) - math.log(len(drifts)))
    follows = FOLLOWS if runs(predicted)[0] > RUNS else 0.0
    order = speaks_for_order(answers.probabilities) + follows
    for cause in ("shuffled", "chance", "constant"):
        weight = math.log(prior[cause]) + shares[cause] - shares["shuffled"] + order * (cause == "shuffled") + drift
        yield replace(nothing, cause=cause, weight=weight)
        if cause == "chance" and follows and len(truth) == len(predicted) and (truth == truth[0]).all():
            more = math.log(prior["repeated"] / prior["chance"]) + ONE_CLASS
            yield replace(nothing, cause="repeated", repair={"first": 1, "what": "truth"}, weight=weight + more)
    loose = replace(nothing, weight=math.log(prior["loose"]) + model.loose(counts))
    if not refuses(counts, model.shares):  # rows in place, and some classes taken for others nearly always
        yield replace(in_place, weight=loose.weight)
    elif classes > 2 and follows and runs(truth)[0] > RUNS and ceiling(truth, predicted, classes) >= CLOSE:
        yield replace(loose, cause="shuffled", repair={"only": "blocks"}, weight=loose.weight + math.log(BLOCKS))
    else:
        yield replace(loose, repair={"only": "loose"})
    yield replace(nothing, repair={"only": "weak"}, weight=math.log(prior["weak"]) + model.weak(counts))


def _with_prior(claims: Iterator[Claim], prior: float) -> list[Claim]:
    return [replace(claim, prior=claim.prior + math.log(prior)) for claim in claims]


def _scored(claim: Claim, model: Agreement, counts: np.ndarray) -> Claim:
    score = model.score(counts, claim.mapping, alike=claim.cause == "shifted")
    return replace(claim, weight=claim.prior + claim.bonus + score)


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


def tempered(weights: dict[Cause, float]) -> dict[Cause, float]:
    """The weights as they are told: brought nearer to each other, by as much as planted faults show that they are too
    sure of themselves (`benchmarks.autopsies`)."""
    powers = {cause: weight**TEMPER for cause, weight in weights.items()}
    return {cause: power / sum(powers.values()) for cause, power in powers.items()}


def _named(weights: dict[Cause, float], answers: Answers) -> Cause:
    """The likeliest cause; but as long as it is not improbable that rows stand in place, nothing else is named.

    That answers belong nowhere is only named where the weakest model that deserves the name would hardly ever give so
    few hits: a few rows of a weak model look like anything.
    """
    equal = len(answers.truth) == len(answers.predicted)
    in_place: Cause = "sound" if equal else "truncated"
    best = max(weights, key=weights.__getitem__)
    nowhere = best in ("shuffled", "chance", "constant")  # an order that was found is refused as it stands, too
    if equal and weights[in_place] > 1 - (REFUSED if nowhere else ALARM):
        return in_place
    if nowhere and not refuses(counts_as_given(answers), shares_of(answers.predicted, len(answers.classes))):
        return in_place
    return best
