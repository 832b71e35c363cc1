"""What a check found is there again for the same images, labels and splits, and for no others."""

from dataclasses import replace

from core.data.health.finding import Finding, HealthReport
from core.data.health.store import read_report, write_report


def _report(dataset, *findings):
    return HealthReport(dataset.id, dataset.revision, dataset.fingerprint, ("imbalance",), findings, 1.0)


def test_nobody_has_looked_at_a_new_dataset(workspace, tiny_dataset):
    assert read_report(workspace, tiny_dataset) is None


def test_a_report_is_kept_for_a_revision_and_not_for_another(workspace, tiny_dataset):
    write_report(workspace, tiny_dataset, _report(tiny_dataset), labels=False)
    assert read_report(workspace, tiny_dataset) == _report(tiny_dataset)
    assert read_report(workspace, replace(tiny_dataset, fingerprint="another")) is None


def test_a_later_revision_with_the_same_pictures_and_splits_has_the_same_report(workspace, tiny_dataset):
    write_report(workspace, tiny_dataset, _report(tiny_dataset), labels=False)
    assert read_report(workspace, replace(tiny_dataset, revision=3)).revision == 3


def test_a_report_that_includes_the_labels_goes_before_one_that_does_not(workspace, tiny_dataset):
    finding = Finding("wrong-labels", "warning", "1 label is probably wrong.", "Look at it.")
    write_report(workspace, tiny_dataset, _report(tiny_dataset, finding), labels=True)
    write_report(workspace, tiny_dataset, _report(tiny_dataset), labels=False)
    assert read_report(workspace, tiny_dataset).findings == (finding,)


def test_a_report_that_cannot_be_read_counts_as_none(workspace, tiny_dataset):
    write_report(workspace, tiny_dataset, _report(tiny_dataset), labels=True)
    file = next(workspace.cache.rglob("*-full-*.json"))
    file.write_text('{"dataset": 1}')
    assert read_report(workspace, tiny_dataset) is None


def test_a_report_is_not_that_of_a_revision_with_other_pictures_of_the_same_content(workspace, tiny_dataset):
    """Of two copies either may be left out: the fingerprint is the same, and what a report names is not."""
    write_report(workspace, tiny_dataset, _report(tiny_dataset), labels=False)
    first, *others = tiny_dataset.samples
    assert read_report(workspace, replace(tiny_dataset, samples=(replace(first, id="000999"), *others))) is None
    assert read_report(workspace, replace(tiny_dataset, samples=(replace(first, group="p7"), *others))) is None
