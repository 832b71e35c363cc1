"""Pictures that are there twice are found wherever they are, however they were changed, and can be mended."""

from collections import Counter
from dataclasses import replace

import pytest
from PIL import Image

from core.data.dataset import save_dataset
from core.data.revisions import revise
from core.data.smear import CELLS
from tests.planted import cell, cells, saved

ONE, OTHER = CELLS[0].name, CELLS[1].name


def _changed(image: Image.Image) -> dict[str, bytes]:
    return {
        "the same file": saved(image),
        "mirrored": saved(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
        "turned by 90 degrees": saved(image.transpose(Image.Transpose.ROTATE_90)),
        "resized": saved(image.resize((64, 64), Image.Resampling.BICUBIC)),
        "recompressed": saved(image, quality=60),
    }


@pytest.mark.parametrize("how", ["the same file", "mirrored", "turned by 90 degrees", "resized", "recompressed"])
def test_a_copy_across_splits_is_an_error_however_it_was_changed(kept, found, how):
    copy = {f"test/{ONE}/copy.jpg": _changed(cell(0, 0))[how]}
    (finding,) = found(kept(cells() | copy))["copies-across-splits"]
    assert finding.severity == "error"
    assert "1 of the 9 test pictures (11%) look like a picture in train" in finding.message
    assert finding.figures["sets"] == 1
    assert finding.figures["test_known"] == 1
    assert set(finding.files) == {f"train/{ONE}/000.jpg", f"test/{ONE}/copy.jpg"}


def test_a_set_of_copies_is_brought_into_the_split_where_most_of_it_is(kept, found):
    changed = _changed(cell(0, 0))
    copies = {f"test/{ONE}/a.jpg": changed["mirrored"], f"test/{ONE}/b.jpg": changed["recompressed"]}
    dataset = kept(cells() | copies)
    together, _ = found(dataset)["copies-across-splits"][0].repairs
    revised = revise(dataset, together.changes)
    assert [(change.kind, change.to, len(change.samples)) for change in revised.changes] == [("move", "test", 1)]
    findings = found(revised)
    assert "copies-across-splits" not in findings
    assert findings["copies"][0].figures["test"] == 2


def test_of_a_set_of_copies_one_that_judges_is_kept(kept, found):
    dataset = kept(cells() | {f"test/{ONE}/copy.jpg": _changed(cell(0, 0))["mirrored"]})
    _, once = found(dataset)["copies-across-splits"][0].repairs
    revised = revise(dataset, once.changes)
    assert {sample.name for sample in dataset.samples} - {sample.name for sample in revised.samples} == {
        f"train/{ONE}/000.jpg"
    }
    assert not {"copies", "copies-across-splits"} & set(found(revised))


def test_copies_that_judge_twice_and_are_not_learned_from_are_a_warning(kept, found):
    dataset = kept(cells() | {f"test/{ONE}/copy.jpg": _changed(cell(0, 6))["mirrored"]})  # number 6 is in validation
    (finding,) = found(dataset)["copies-across-splits"]
    assert finding.severity == "warning"


def test_a_picture_with_two_labels_is_found_and_can_be_left_out(kept, found):
    dataset = kept(cells() | {f"train/{OTHER}/copy.jpg": saved(cell(0, 0))})
    (finding,) = found(dataset)["copies-across-classes"]
    assert f"1 called {ONE} and {OTHER}" in finding.message.replace(f"{OTHER} and {ONE}", f"{ONE} and {OTHER}")
    assert finding.severity == "error"  # 2 of 41
    (out,) = finding.repairs  # of two different labels neither is the more common one
    assert len(revise(dataset, out.changes).samples) == len(dataset.samples) - 2


def test_a_copy_is_called_what_most_copies_are_called(kept, found):
    changed = _changed(cell(0, 0))
    copies = {f"train/{ONE}/a.jpg": changed["mirrored"], f"train/{OTHER}/b.jpg": changed["recompressed"]}
    dataset = kept(cells() | copies)
    (finding,) = found(dataset)["copies-across-classes"]
    revised = revise(dataset, finding.repairs[0].changes)
    assert Counter(revised.classes[sample.label] for sample in revised.samples) == {ONE: 22, OTHER: 20}
    assert "copies-across-classes" not in found(revised)


def test_a_few_copies_inside_a_split_are_a_note_and_many_a_warning(kept, found):
    one = {f"train/{ONE}/copy.jpg": saved(cell(0, 0))}
    (finding,) = found(kept(cells(each=30) | one))["copies"]
    assert (finding.severity, finding.figures["pictures"], finding.figures["train"]) == ("note", 1, 1)
    more = {f"train/{ONE}/copy {number}.jpg": saved(cell(0, number)) for number in range(3)}
    (finding,) = found(kept(one | more))["copies"]
    assert finding.severity == "warning"
    assert finding.figures["how"] == {"the same file": 4}
    assert all(len(ids) > 1 for ids in finding.evidence)


def test_a_group_on_both_sides_is_an_error_and_is_brought_together(kept, found):
    dataset = kept(cells())
    patients = tuple(replace(one, group=f"patient {number % 5}") for number, one in enumerate(dataset.samples[:5]))
    torn = replace(dataset.samples[-1], group="patient 0")
    dataset = replace(dataset, samples=(*patients, *dataset.samples[5:-1], torn))
    assert patients[0].split != torn.split
    save_dataset(dataset)
    (finding,) = found(dataset)["parted-groups"]
    assert finding.message.startswith("1 of 5 groups (2 pictures) is on more than one side of the split: patient 0.")
    assert finding.severity == "error"
    revised = revise(dataset, finding.repairs[0].changes)
    assert "parted-groups" not in found(revised)


def test_bringing_copies_together_does_not_part_the_groups_they_are_of(kept, found):
    """A copy of a picture of one group is in another group, on the other side: else one repair undoes the other."""
    dataset = kept(cells() | {f"test/{ONE}/copy.jpg": _changed(cell(0, 0))["mirrored"]})
    of = {f"train/{ONE}/000.jpg": "A", f"train/{ONE}/001.jpg": "A", f"train/{ONE}/002.jpg": "A"}
    of |= {f"test/{ONE}/copy.jpg": "B", f"test/{OTHER}/008.jpg": "B", f"test/{OTHER}/009.jpg": "B"}
    dataset = replace(dataset, samples=tuple(replace(one, group=of.get(one.name, "")) for one in dataset.samples))
    save_dataset(dataset)
    (finding,) = found(dataset)["copies-across-splits"]
    revised = revise(dataset, finding.repairs[0].changes)
    assert not {"copies-across-splits", "parted-groups"} & set(found(revised))
