"""Truth or answers that come again: tiled, each one repeated, or several rounds over the same images."""

import math
from collections.abc import Iterator

import numpy as np

from core.integrity.autopsy.agreement import Agreement
from core.integrity.autopsy.claims import Claim, pairs_at

MOST_TIMES = 64  # that each row may come again one after the other
ODD = 7.0  # nats at most that it speaks for a tiled truth if the truth comes again in an order that nobody would choose


def period_of(values: np.ndarray) -> int | None:
    """The number of rows (N, ...) after which all that follows is as before, if it comes at least twice.

    None where there is none, or where all rows are equal.
    """
    number = len(values)
    flat = values.reshape(number, -1)
    same_as_first = np.flatnonzero((flat[1 : number // 2 + 1] == flat[0]).all(axis=1)) + 1
    for period in same_as_first[:5000]:
        probe = min(64, number - period)
        if (flat[period : period + probe] == flat[:probe]).all() and (flat[period:] == flat[:-period]).all():
            return None if period == 1 else int(period)
    return None


def times_of(values: np.ndarray) -> list[int]:
    """How often each row (N,) may stand there one after the other: the divisors r of N for which blocks of r agree."""
    number = len(values)
    times = [r for r in range(2, min(MOST_TIMES, number // 2) + 1) if number % r == 0]
    return [r for r in times if (values.reshape(-1, r) == values.reshape(-1, r)[:, :1]).all()]


def repeat_claims(
    truth: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray | None, model: Agreement
) -> Iterator[Claim]:
    """Claims that something is repeated, where the lengths and the values allow them."""
    if len(truth) == len(predicted):
        yield from _equally_long(truth, predicted, probabilities, model)
    elif len(truth) > len(predicted):
        yield from _longer_truth(truth, len(predicted))
    else:
        yield from _longer_answers(len(truth), predicted, probabilities, model)


def _equally_long(
    truth: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray | None, model: Agreement
) -> Iterator[Claim]:
    number, period = len(truth), period_of(truth)
    if period:
        head = np.arange(period)
        # Answers further down are about other images; where rows are in some order they may hang together all the same.
        repair = {"first": period, "what": "truth", "rest": True}
        yield Claim("repeated", head, head, math.log(0.5), repair, bonus=_odd(truth, period))
        rounds = period_of(predicted if probabilities is None else probabilities)
        if rounds and rounds % period == 0:
            head = np.arange(rounds)
            again = predicted[rounds:]
            bonus = -float(np.log(model.shares[again]).sum())  # what comes again is explained without any doubt
            yield Claim("repeated", head, head, math.log(0.25), {"first": rounds, "what": "both"}, bonus=bonus)
        if number % period == 0:
            times = number // period
            rows = np.repeat(np.arange(period), times)
            yield Claim("repeated", rows, np.arange(number), math.log(0.25), {"each": times, "what": "answers"})
    for times in times_of(truth):
        rows = np.tile(np.arange(0, number, times), times)
        prior = math.log(0.5 / MOST_TIMES)
        yield Claim("repeated", rows, np.arange(number), prior, {"rounds": times, "what": "answers"})


def _odd(truth: np.ndarray, period: int) -> float:
    """What it speaks for a tiled truth that it comes again, in nats. Nothing where classes follow each other in turn,
    as in tables that were laid out so; where a class comes back within one round, nobody lays out a table like that."""
    head = truth[:period]
    if 1 + np.count_nonzero(head[1:] != head[:-1]) <= len(np.unique(head)) + 1:
        return 0.0
    return min(ODD, _tiled(truth, period))


def _longer_truth(truth: np.ndarray, number: int) -> Iterator[Claim]:
    period = period_of(truth)
    places = np.arange(number)
    if period == number or (len(truth) < 2 * number and (truth[number:] == truth[: len(truth) - number]).all()):
        # Nobody's truth comes again in just as many rows as there are answers, unless it was tiled.
        yield Claim(
            "repeated", places, places, math.log(0.5), {"first": number, "what": "truth"}, bonus=_tiled(truth, number)
        )
    if len(truth) % number == 0:
        times = len(truth) // number
        if times in times_of(truth):
            yield Claim("repeated", places * times, places, math.log(0.25), {"each": times, "what": "truth"})


def _tiled(truth: np.ndarray, number: int) -> float:
    """What a tiled truth gains because its rows after the first `number` are explained by these."""
    shares = np.bincount(truth) / len(truth)
    return -float(np.log(shares[truth[number:]]).sum())


def _longer_answers(
    length: int, predicted: np.ndarray, probabilities: np.ndarray | None, model: Agreement
) -> Iterator[Claim]:
    number = len(predicted)
    values = predicted if probabilities is None else probabilities
    if (values[length:] == values[: number - length][: number - length]).all() if number <= 2 * length else False:
        head = np.arange(length)
        bonus = -float(np.log(model.shares[predicted[length:]]).sum())
        yield Claim("repeated", head, head, math.log(0.25), {"first": length, "what": "answers"}, bonus=bonus)
    rows, places = pairs_at(length, number, 0, cyclic=True)
    yield Claim("repeated", rows, places, math.log(0.25), {"rounds": number / length, "what": "answers"})
    if number % length == 0:
        times = number // length
        yield Claim("repeated", places // times, places, math.log(0.25), {"each": times, "what": "answers"})
