import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_score, recall_score

from core.metrics.classification import confusion, macro_f1, macro_f1_interval, scores
from core.metrics.intervals import bootstrap_confusion, wilson

LABELS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


@given(LABELS)
def test_the_confusion_matrix_is_scikit_learns(pairs):
    truth, predicted = zip(*pairs, strict=True)
    assert (confusion(truth, predicted, 4) == confusion_matrix(truth, predicted, labels=range(4))).all()


def test_rows_are_the_truth_and_columns_the_prediction():
    assert confusion([0, 0, 1], [0, 1, 1], 2).tolist() == [[1, 1], [0, 1]]


def test_no_sample_gives_a_matrix_of_zeros():
    assert confusion([], [], 2).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(("truth", "predicted"), [([0, 2], [0, 1]), ([0, 1], [0, -1]), ([0, 1], [0])])
def test_labels_that_are_no_classes_or_do_not_pair_up_are_refused(truth, predicted):
    with pytest.raises(ValueError, match="class numbers|equally long"):
        confusion(truth, predicted, 2)


@given(LABELS)
@settings(deadline=None, max_examples=50)
def test_every_metric_is_scikit_learns(pairs):
    truth, predicted = (np.array(labels) for labels in zip(*pairs, strict=True))
    found = scores(confusion(truth, predicted, 4), draws=10)
    options = {"labels": range(4), "average": None, "zero_division": np.nan}
    assert found.n == len(pairs)
    assert found.accuracy == pytest.approx(accuracy_score(truth, predicted))
    for name, theirs in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
        ours = [np.nan if (value := getattr(row, name)) is None else value for row in found.classes]
        assert ours == pytest.approx(theirs(truth, predicted, **options), nan_ok=True), name
    assert [row.support for row in found.classes] == np.bincount(truth, minlength=4).tolist()


@given(LABELS)
@settings(deadline=None, max_examples=50)
def test_every_value_lies_within_its_interval(pairs):
    truth, predicted = zip(*pairs, strict=True)
    found = scores(confusion(truth, predicted, 4), draws=50)
    named = [(found.accuracy, found.interval), (found.macro_f1, found.macro_f1_interval)]
    for row in found.classes:
        named += [(row.precision, row.precision_interval), (row.recall, row.recall_interval), (row.f1, row.f1_interval)]
    for value, interval in named:
        assert (value is None) == (interval is None)
        if value is not None:
            assert 0 <= interval.low <= value + 1e-12
            assert value - 1e-12 <= interval.high <= 1


def test_a_small_table_can_be_checked_by_eye():
    found = scores(np.array([[8, 2], [1, 9]]))
    cat, dog = found.classes
    assert found.accuracy == pytest.approx(17 / 20)
    assert found.interval == wilson(17, 20)
    assert (cat.precision, cat.recall, cat.support) == (pytest.approx(8 / 9), pytest.approx(8 / 10), 10)
    assert (cat.precision_interval, cat.recall_interval) == (wilson(8, 9), wilson(8, 10))
    assert dog.f1 == pytest.approx(2 * 9 / (2 * 9 + 1 + 2))
    assert found.macro_f1 == pytest.approx((cat.f1 + dog.f1) / 2)


def test_a_class_that_was_never_predicted_has_no_precision_but_a_recall_and_an_f1_of_zero():
    never = scores(np.array([[5, 0], [3, 0]])).classes[1]
    assert (never.precision, never.precision_interval) == (None, None)
    assert (never.recall, never.f1, never.support) == (0, 0, 3)
    assert never.recall_interval.high > 0.3


def test_a_class_without_samples_has_no_recall_and_does_not_count_where_nothing_is_known_of_it():
    found = scores(np.array([[5, 0, 1], [0, 4, 0], [0, 0, 0]]))
    assert (found.classes[2].recall, found.classes[2].precision, found.classes[2].f1) == (None, 0, 0)

    found = scores(np.array([[5, 0, 0], [0, 4, 0], [0, 0, 0]]))
    assert (found.classes[2].recall, found.classes[2].precision, found.classes[2].f1) == (None, None, None)
    assert found.macro_f1 == 1, "the mean of the two classes that have an F1"


def test_nothing_is_said_about_no_sample():
    found = scores(np.zeros((2, 2), dtype=int))
    assert (found.n, found.accuracy, found.interval, found.macro_f1, found.macro_f1_interval) == (0, *[None] * 4)
    assert len(found.classes) == 2


def test_macro_f1_reads_many_matrices_at_once():
    one, other = np.array([[8, 2], [1, 9]]), np.array([[3, 0], [0, 0]])
    together = macro_f1(np.stack([one, other, np.zeros((2, 2), dtype=int)]))
    assert together[:2] == pytest.approx([float(macro_f1(one)), 1.0])
    assert np.isnan(together[2])


def test_the_same_counts_give_the_same_report():
    counts = np.array([[8, 2], [1, 9]])
    assert scores(counts) == scores(counts)


def test_twelve_of_twelve_right_is_not_certainty():
    low, high = macro_f1_interval(np.diag([4, 4, 4]))
    assert 0.6 < low < 0.85
    assert high == 1


def test_the_interval_of_macro_f1_holds_the_true_value_about_as_often_as_it_says():
    """Twelve samples of three classes at 90 %, drawn 300 times: resampling alone would fail in a third of them."""
    chances = np.array([[90, 5, 5], [5, 90, 5], [5, 5, 90]]) / 300
    truth = float(macro_f1(chances * 1e6))
    generator = np.random.default_rng(0)
    tables = generator.multinomial(12, chances.ravel(), size=300).reshape(-1, 3, 3)
    held = [(found := macro_f1_interval(table, draws=300)).low <= truth <= found.high for table in tables]
    alone = [(found := bootstrap_confusion(table, macro_f1, draws=300)).low <= truth <= found.high for table in tables]
    assert np.mean(held) >= 0.94
    assert np.mean(alone) < 0.8
