"""When a measurement fails: an aim that is missed, and accuracies that differ by more than chance."""

import pytest

from benchmarks.judge import ACCURACIES_DIFFER, AIM_MISSED, Verdict, accuracy, by_chance, mcnemar


def answers(right: int, of: int, first: int = 0) -> dict[str, bool]:
    """`of` answers, those from the place `first` on right, so many of them."""
    return {f"{number:06d}": first <= number < first + right for number in range(of)}


def test_ten_images_that_only_one_side_got_right_are_as_unlikely_as_ten_heads():
    assert mcnemar([answers(30, 40)], [answers(20, 40)]) == pytest.approx(2 * 0.5**10)


def test_as_many_either_way_is_no_difference():
    assert mcnemar([answers(10, 40)], [answers(10, 40, first=10)]) == 1
    assert mcnemar([answers(10, 40)], [answers(10, 40)]) == 1


def test_answers_for_other_images_are_refused():
    with pytest.raises(ValueError, match="same images"):
        mcnemar([answers(3, 4)], [answers(3, 5)])


def test_one_unlucky_run_is_no_difference_and_five_bad_ones_are():
    good, bad = answers(90, 100), answers(60, 100)
    assert mcnemar([good] * 5, [good] * 4 + [bad]) < 1e-6
    assert by_chance([good] * 5, [good] * 4 + [bad]) > 0.3
    spread = [answers(60 + number, 100) for number in range(5)]
    assert by_chance([good] * 5, spread) < 0.001


def test_an_accuracy_is_the_share_of_right_answers():
    assert accuracy(answers(3, 4)) == 0.75


@pytest.mark.parametrize(("values", "code"), [([0.9, 1.0, 1.1], 0), ([0.9, 0.9, 1.1], AIM_MISSED)])
def test_the_median_is_what_meets_an_aim(values, code, capsys):
    verdict = Verdict()
    verdict.at_least("rate", values, 0.98)
    with pytest.raises(SystemExit) as left:
        verdict.end()
    assert left.value.code == code
    assert ("AIM MISSED. rate: found 0.9 x, aimed at 0.98 or more" in capsys.readouterr().out) == bool(code)


def test_no_number_meets_no_aim():
    verdict = Verdict()
    verdict.at_least("rate", [float("nan")], 0.5)
    verdict.at_most("time", [float("nan")], 0.5, unit="s")
    assert len(verdict.missed) == 2


def test_accuracies_that_differ_are_told_apart_from_aims(capsys):
    verdict = Verdict(missed=["slow"])
    verdict.equally_good("one and other", [answers(90, 100)], [answers(60, 100)])
    assert verdict.code == ACCURACIES_DIFFER
    with pytest.raises(SystemExit):
        verdict.end()
    assert "ACCURACIES DIFFER by more than chance. one and other: accuracy 0.900 and 0.600" in capsys.readouterr().out
