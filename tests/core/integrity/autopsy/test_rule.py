"""The likelihood and the rule behind a verdict, held against what can be computed by hand, or drawn."""

import math

import numpy as np
import pytest
from scipy.stats import betabinom

from core.integrity.autopsy.agreement import Agreement
from core.integrity.autopsy.claims import counts_of
from core.integrity.autopsy.decidable import LEAST, can_place, can_refuse, lift_of, nats, refuses, shares_of
from core.integrity.autopsy.orders import known_orders, order_prior
from core.integrity.autopsy.repeats import period_of, times_of
from core.integrity.autopsy.shares import ceiling
from core.integrity.autopsy.shifts import offset_scores


def test_one_cell_of_the_likelihood_is_scipys_beta_binomial():
    model = Agreement(np.array([60, 40]))
    counts = np.array([[30, 10], [0, 0]])  # a row of two classes is beta-binomial but for its coefficient
    mu, s = 0.6, 20.0
    alpha = s * (mu + (1 - mu) * model.shares[0]), s * (1 - mu) * model.shares[1]
    expected = betabinom.logpmf(30, 40, *alpha) - math.log(math.comb(40, 10))
    assert model._grid(counts, None, np.array([mu]), np.array([s]))[0, 0] == pytest.approx(expected, abs=1e-9)


def test_answers_in_their_own_rows_score_higher_than_in_any_other_order():
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 4, 200)
    predicted = np.where(generator.random(200) < 0.7, truth, generator.integers(0, 4, 200))
    model = Agreement(np.bincount(predicted, minlength=4))
    here = model.score(counts_of(truth, predicted, 4))
    there = [model.score(counts_of(truth, generator.permutation(predicted), 4)) for _ in range(20)]
    assert here > 50 > 0 > max(there)


def test_the_best_assignment_is_the_best_of_all():
    from itertools import permutations

    generator = np.random.default_rng(1)
    truth = generator.integers(0, 4, 80)
    predicted = np.array([2, 0, 3, 1])[np.where(generator.random(80) < 0.6, truth, generator.integers(0, 4, 80))]
    counts = counts_of(truth, predicted, 4)
    model = Agreement(counts.sum(axis=0))
    best = max(permutations(range(4)), key=lambda order: model.score(counts, np.array(order)))
    assert model.mapping(counts).tolist() == list(best) == [2, 0, 3, 1]


def test_every_offset_is_scored_as_if_it_were_counted_by_hand():
    generator = np.random.default_rng(2)
    truth, predicted = generator.integers(0, 3, 50), generator.integers(0, 3, 50)
    model = Agreement(np.bincount(predicted, minlength=3))
    hit, miss = model.worth()
    scores = offset_scores(truth, predicted, model)
    for offset in (0, 1, 7, 49):
        hits = predicted == np.roll(truth, -offset)
        by_mu = hit[:, predicted[hits]].sum(axis=1) + 50 * miss
        assert scores[offset] == pytest.approx(float(model.over_mu(by_mu)), abs=1e-6)


def test_the_best_of_all_orders_is_what_sorting_both_gives_at_least():
    generator = np.random.default_rng(3)
    truth, predicted = generator.integers(0, 3, 90), generator.choice(3, 90, p=[0.7, 0.2, 0.1])
    best = ceiling(truth, predicted, 3)
    assert best == pytest.approx(np.minimum(np.bincount(truth), np.bincount(predicted)).sum() / 90)
    assert best >= (np.sort(truth) == np.sort(predicted)).mean()


@pytest.mark.parametrize("knows", [True, False])
def test_mean_and_deviation_of_a_row_are_those_of_many_drawn_ones(knows):
    shares, lift = np.array([0.5, 0.3, 0.2]), 0.4
    generator = np.random.default_rng(4)
    truth = generator.choice(3, 200_000, p=shares)
    anyhow = generator.choice(3, 200_000, p=shares)
    predicted = np.where(generator.random(200_000) < lift, truth, anyhow) if knows else anyhow
    worth = np.where(predicted == truth, np.log(lift / shares[predicted] + 1 - lift), math.log(1 - lift))
    mean, deviation = nats(shares, lift, knows=knows)
    assert mean == pytest.approx(worth.mean(), abs=0.01)
    assert deviation == pytest.approx(worth.std(), abs=0.01)


def test_by_the_rule_few_rows_of_two_classes_cannot_refuse_and_many_can():
    even = np.full(2, 0.5)
    assert not can_refuse(50, even)
    assert can_refuse(1000, even)
    assert can_refuse(100, np.full(10, 0.1))


@pytest.mark.parametrize("classes", [2, 10])
def test_where_the_rule_says_so_a_weak_model_is_hardly_ever_refused_and_no_order_nearly_always(classes):
    shares = np.full(classes, 1 / classes)
    rows = next(rows for rows in range(20, 5000, 10) if can_refuse(rows, shares))
    generator = np.random.default_rng(5)
    refused = {True: 0, False: 0}
    for knows in (True, False):
        for _ in range(400):
            truth, anyhow = generator.integers(0, classes, (2, rows))
            predicted = np.where(generator.random(rows) < LEAST * knows, truth, anyhow)
            refused[knows] += refuses(counts_of(truth, predicted, classes), shares)
    assert refused[True] / 400 <= 0.03  # 1 in 100, and chance
    assert refused[False] / 400 >= 0.91


def test_placing_needs_rows_on_which_the_claims_differ():
    shares = np.full(8, 1 / 8)
    assert can_place(400, shares, 0.8, math.log(800))
    assert not can_place(400, shares, 0.8, math.log(800), differing=2)
    assert not can_place(400, shares, LEAST / 2, 0.0)


def test_the_lift_is_the_accuracy_beyond_guessing():
    even = np.full(4, 0.25)
    assert lift_of(0.25, even) == 0
    assert lift_of(1.0, even) == 1
    assert lift_of(0.7, even) == pytest.approx(0.6)
    assert lift_of(0.1, even) == 0
    assert shares_of(np.array([0, 0, 1]), 2).tolist() == [2.5 / 4, 1.5 / 4]


def test_priors_of_all_orders_are_no_more_than_one_together():
    from itertools import permutations

    counts, known = np.full((4, 4), 3), known_orders(tuple("0123"), given=False)
    orders = [np.array(order) for order in permutations(range(4)) if list(order) != [0, 1, 2, 3]]
    together = sum(math.exp(order_prior(counts, order, known)) for order in orders)
    assert 0.5 < together <= 1  # what is left was for orders that these counts rule out


def test_periods_and_repeats():
    assert period_of(np.tile([1, 2, 2], 4)) == 3
    assert period_of(np.resize([1, 2, 2], 11)) == 3
    assert period_of(np.zeros(9, int)) is None
    assert period_of(np.arange(9)) is None
    assert times_of(np.repeat([3, 1, 2], 4)) == [2, 4]
