"""Numbers of pictures: what is uneven, what is too little to learn from, and how wide the intervals become."""

import pytest

from core.data.smear import CELLS
from core.integrity.balance import few_to_judge, few_to_learn, imbalance
from core.integrity.subject import Subject
from tests.planted import cells
from tests.shapes import shapes_dataset

RARE = CELLS[1].name


def _fewer(files: dict[str, bytes], kept: int) -> dict[str, bytes]:
    """The files without those of the second class after the first few."""
    rare = [name for name in files if RARE in name]
    return {name: data for name, data in files.items() if name not in rare[kept:]}


@pytest.mark.parametrize(("pictures", "severity"), [(20, None), (8, "note"), (3, "warning")])
def test_classes_are_uneven_from_three_times_as_many_on_and_very_much_so_from_ten(kept, looked_at, pictures, severity):
    found = list(imbalance(looked_at(kept(_fewer(cells(each=30, size=24), pictures)))))
    assert [finding.severity for finding in found] == ([severity] if severity else [])
    if severity:
        assert f"only {pictures} are of {RARE}" in found[0].message
        assert f"{30 / pictures:.3g} times as many" in found[0].message


def test_too_few_pictures_to_judge_by_are_told_as_the_width_of_the_interval(kept, looked_at):
    (finding,) = few_to_judge(looked_at(kept(cells(each=20, size=24))))  # 4 of each class in test
    assert finding.message.startswith(
        "With 8 pictures in test, 6 right answers (75%) can come from a model that is truly right in 41% to 93% of"
    )
    assert "there are 4: 3 found means 30% to 95%" in finding.message
    assert finding.severity == "warning"
    assert finding.figures["width"] == pytest.approx(0.52, abs=0.005)


def test_too_few_pictures_to_learn_from_are_named(kept, looked_at):
    subject = looked_at(kept(_fewer(cells(each=20, size=24), 6)))
    (few,), (none,) = few_to_learn(subject), few_to_judge(subject)
    assert f"fewer than 10 pictures to learn from: 6 of {RARE}" in few.message
    assert f"There is none of the class {RARE}" in none.message


def test_masks_are_judged_by_the_pictures_that_show_a_class(tmp_path):
    dataset = shapes_dataset(tmp_path, splits=("train",) * 30 + ("validation",) * 6 + ("test",) * 6)
    assert not list(few_to_learn(Subject(dataset, None)))
    (finding,) = few_to_judge(Subject(dataset, None))
    assert finding.message.startswith("4 pictures in test show the class disc: its mean Dice can then be known to")
    assert "nothing of use" in finding.message
    assert finding.severity == "warning"


def test_a_class_with_few_pixels_in_the_masks_is_a_note(tmp_path):
    dataset = shapes_dataset(tmp_path, wide=2000)
    (finding,) = imbalance(Subject(dataset, None))
    assert finding.severity == "note"
    assert "% of them disc" in finding.message
