"""The checks do not cry wolf: in clean teaching data nothing graver than a note is found."""

import pytest

from core.data.demo import make_demo
from core.data.incoming import keep
from core.integrity.checks import CHECKS
from core.integrity.health import check_health

# In smaller demos the test split has four pictures of a class or fewer, which is rightly warned of.
CLEAN = (
    ("blood-smear", {"images": 160, "size": 24}),
    ("blood-smear", {"images": 120, "size": 96, "classes": 2, "difficulty": 1.0}),
    ("blood-smear", {"images": 300, "size": 32, "classes": 8, "difficulty": 0.0, "seed": 3}),
    ("blood-smear-masks", {"images": 100, "size": 48, "seed": 1}),
    ("polyps", {"images": 120, "size": 48}),
    ("polyps", {"images": 140, "size": 32, "empty": 0.4, "difficulty": 1.0, "seed": 2}),
    ("digits", {"images": 400}),
)


@pytest.mark.parametrize(("name", "dials"), CLEAN, ids=[f"{name} {dials['images']}" for name, dials in CLEAN])
def test_clean_data_gives_nothing_graver_than_a_note(workspace, name, dials):
    dataset = keep(workspace, make_demo(workspace, name, dials).id)
    report = check_health(str(workspace.root), dataset.id, labels=False)
    assert set(report.checks) == {check.name for check in CHECKS}
    assert [finding.message for finding in report.findings if finding.severity != "note"] == []
    notes = {finding.check for finding in report.findings}
    assert notes <= {"few-to-judge", "imbalance", "odd-masks", "shortcut"}


def test_the_demo_as_it_is_offered_is_fine(workspace):
    dataset = keep(workspace, make_demo(workspace, "blood-smear", {"size": 32}).id)
    assert check_health(str(workspace.root), dataset.id, labels=False).findings == ()


def test_the_planted_duplicates_of_the_demo_are_found_and_its_imbalance_too(workspace):
    dials = {"images": 200, "size": 32, "duplicates": 0.2, "imbalance": 12.0}
    dataset = keep(workspace, make_demo(workspace, "blood-smear", dials).id)
    found = {one.check: one for one in check_health(str(workspace.root), dataset.id, labels=False).findings}
    examined = sum(dataset.split_counts()[split] for split in ("validation", "test"))
    copies = found["copies-across-splits"]
    assert copies.severity == "error"
    assert copies.figures["validation_known"] + copies.figures["test_known"] == round(0.2 * examined)
    assert found["imbalance"].severity == "warning"
    assert found["few-to-learn"].severity == "warning"
