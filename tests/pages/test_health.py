"""The health of a dataset on its page: what was found with its pictures, and how it is mended."""

from concurrent.futures import Future

import pytest

from core.data.dataset import Change
from core.data.health.finding import Finding, HealthReport, Repair
from core.data.health.store import read_report, write_report
from core.data.library import Library
from core.errors import DatasetError
from core.executors.progress import ProgressFile
from core.integrity.subject import MOST_EVIDENCE
from pages.shared import cache, health
from tests.pages.conftest import well, words

EVIL = "<img src=x onerror=alert(1)> *b* :red[x]"


@pytest.fixture
def asked(monkeypatch, workspace):
    """What the page wants to have checked, as (reference, with the labels); nobody does it."""
    wanted = []

    def start(dataset, *, labels):
        wanted.append((dataset.reference, labels))
        work = health.Check(labels, Future(), ProgressFile(workspace.cache / "progress.json"))
        cache.checks()[dataset.reference] = work
        return work

    monkeypatch.setattr(health, "start", start)
    return wanted


@pytest.fixture
def report(workspace, tiny_dataset, asked):
    """What checks could have found: copies on both sides, a wrong label, and something that is merely good to know."""
    train, validation, test = (tiny_dataset.of(split) for split in ("train", "validation", "test"))
    other = next(name for name in tiny_dataset.classes if name != tiny_dataset.classes[train[3].label])
    found = HealthReport(
        tiny_dataset.id,
        1,
        tiny_dataset.fingerprint,
        ("copies", "wrong-labels", "few"),
        (
            Finding(
                "copies",
                "error",
                f"1 picture is on both sides: {EVIL}.",
                "Leave the copy out.",
                evidence=((train[0].id, test[0].id), (train[1].id, validation[0].id)),
                repairs=(Repair("Leave out the copies", (Change("exclude", (test[0].id,), why="a copy."),)),),
            ),
            Finding(
                "wrong-labels",
                "warning",
                "1 label is likely wrong.",
                "Look at it.",
                evidence=((train[3].id,),),
                repairs=(
                    Repair("Give it the class it looks like", (Change("relabel", (train[3].id,), other, "it fits."),)),
                ),
            ),
            Finding("few", "note", "Few pictures.", "Collect more."),
        ),
        1.0,
    )
    write_report(workspace, tiny_dataset, found, labels=True)
    return found


SAID = ("on both sides", "likely wrong", "Few pictures")


def unfold(app, dataset, check, place):
    """Unfold a finding, whose pictures are drawn only then."""
    app.session_state[f"finding_{dataset.reference}_{check}_{place}"] = True
    app.run()
    well(app)


def again(workspace, dataset):
    """The dataset as it is now."""
    return Library(workspace).get(dataset.id)


def test_the_first_visit_checks_by_itself_and_the_second_has_the_answer_at_once(visit, tiny_dataset, workspace):
    app = visit("data")
    work = cache.checks().get(tiny_dataset.reference)
    if work is not None:
        work.future.result(60)
        app.run()
    well(app)
    assert health.headline(read_report(workspace, tiny_dataset)) in words(app)
    assert app.button(key="check_labels").label.startswith("Find wrong labels")

    app.run()
    assert tiny_dataset.reference not in cache.checks(), "nothing is looked for again"


def test_findings_are_told_gravest_first_each_with_its_repair_and_names_stay_text(visit, tiny_dataset, report):
    app = visit("data")
    assert "1 error, 1 warning, 1 note" in words(app)
    lines = [one.label for one in app.expander]
    places = [next(place for place, line in enumerate(lines) if said in line) for said in SAID]
    assert places == sorted(places)
    assert "\\<img" in lines[places[0]]
    assert EVIL not in lines[places[0]]

    unfold(app, tiny_dataset, "copies", 0)
    assert "\\<img" in words(app)
    assert EVIL not in words(app)
    assert app.button(key="finding_0_repair_0").label == "Leave out the copies"
    assert [box.key for box in app.checkbox if box.key.startswith("tick_finding_0_")], "its pictures can be ticked"
    assert not [button for button in app.button if button.key == "check_labels"], "the labels were looked at"


def test_a_repair_makes_the_next_revision_which_lists_what_it_changed(visit, tiny_dataset, report, workspace):
    app = visit("data")
    unfold(app, tiny_dataset, "copies", 0)
    app.button(key="finding_0_repair_0").click().run()
    well(app)

    revised = again(workspace, tiny_dataset)
    assert (revised.revision, len(revised.samples)) == (2, 35)
    assert revised.changes == report.findings[0].repairs[0].changes
    assert "35 images" in words(app)
    assert any("Revision 2 of 2" in one.label and "1 picture left out: a copy" in one.label for one in app.expander)


def test_labels_that_were_looked_at_are_looked_at_again_after_a_repair(visit, tiny_dataset, report, asked, workspace):
    app = visit("data")
    assert asked == []
    unfold(app, tiny_dataset, "copies", 0)
    app.button(key="finding_0_repair_0").click().run()
    well(app)

    assert (again(workspace, tiny_dataset).reference, True) in asked
    assert not [one for one in asked if not one[1]]


def test_pictures_ticked_in_a_sheet_are_left_out_together(visit, tiny_dataset, report, workspace):
    app = visit("data")
    assert not [button for button in app.button if button.key == "leave_out"], "nothing is ticked yet"
    boxes = [box for box in app.checkbox if box.key.startswith("tick_data_")]
    assert len(boxes) == 24
    for box in boxes[:2]:
        app.checkbox(key=box.key).check().run()
    assert "2 ticked" in words(app)
    app.button(key="leave_out").click().run()
    well(app)

    left = {sample.id for sample in tiny_dataset.samples} - {s.id for s in again(workspace, tiny_dataset).samples}
    assert left == {box.key.removeprefix("tick_data_") for box in boxes[:2]}
    assert " ticked**" not in words(app)


def test_ticks_stay_on_the_other_pages_of_a_sheet_and_can_be_taken_away(visit, tiny_dataset, report):
    app = visit("data")
    box = next(box.key for box in app.checkbox if box.key.startswith("tick_data_"))
    app.checkbox(key=box).check().run()
    app.selectbox(key="data_split").set_value("test").run()
    assert "1 ticked" in words(app)
    app.selectbox(key="data_split").set_value(None).run()
    assert app.checkbox(key=box).value
    app.button(key="untick").click().run()
    assert not app.checkbox(key=box).value
    assert " ticked**" not in words(app)


def test_ticked_pictures_get_another_class(visit, tiny_dataset, report, workspace):
    app = visit("data")
    box = next(box.key for box in app.checkbox if box.key.startswith("tick_data_"))
    sample = tiny_dataset.sample(box.removeprefix("tick_data_"))
    other = next(name for name in tiny_dataset.classes if name != tiny_dataset.classes[sample.label])
    app.checkbox(key=box).check().run()
    assert app.button(key="relabel").disabled
    app.selectbox(key=f"tick_class_{tiny_dataset.reference}").set_value(other).run()
    app.button(key="relabel").click().run()
    well(app)

    revised = again(workspace, tiny_dataset)
    assert revised.classes[revised.sample(sample.id).label] == other


def test_a_ticked_picture_takes_the_name_that_the_check_suggests(visit, tiny_dataset, report, workspace):
    [change] = report.findings[1].repairs[0].changes
    app = visit("data")
    unfold(app, tiny_dataset, "wrong-labels", 1)
    app.button(key="finding_1_tick").click().run()
    assert app.button(key="relabel_suggested").label == "As suggested (1)"
    app.button(key="relabel_suggested").click().run()
    well(app)

    revised = again(workspace, tiny_dataset)
    assert revised.classes[revised.sample(change.samples[0]).label] == change.to


def test_ticked_pictures_move_to_another_split(visit, tiny_dataset, report, workspace):
    sample = tiny_dataset.of("test")[0]
    app = visit("data")
    app.session_state["pictures_ticked"] = (tiny_dataset.reference, [sample.id])
    app.run()
    app.selectbox(key=f"tick_split_{tiny_dataset.reference}").set_value("train").run()
    app.button(key="move").click().run()
    well(app)

    assert again(workspace, tiny_dataset).sample(sample.id).split == "train"


def test_what_would_leave_too_little_is_refused_with_a_sentence(visit, tiny_dataset, report, workspace):
    app = visit("data")
    ids = [sample.id for sample in tiny_dataset.of("validation")]
    app.session_state["pictures_ticked"] = (tiny_dataset.reference, ids)
    app.run()
    app.button(key="leave_out").click().run()
    well(app)

    assert "Too little would be left" in app.error[0].value
    assert again(workspace, tiny_dataset).revision == 1


def test_a_sound_dataset_says_so(visit, tiny_dataset, workspace):
    sound = HealthReport(tiny_dataset.id, 1, tiny_dataset.fingerprint, ("copies", "few"), (), 1.0)
    write_report(workspace, tiny_dataset, sound, labels=False)
    app = visit("data")

    assert "Nothing wrong found" in words(app)
    assert app.button(key="check_labels").label == "Find wrong labels (about 5 s)"


def test_a_check_that_ended_by_an_error_is_told_and_not_started_again_by_itself(
    visit, tiny_dataset, workspace, asked, app
):
    failed = Future()
    failed.set_exception(DatasetError("A <b>disk</b> is gone"))
    kept = health.Check(labels=False, future=failed, progress=ProgressFile(workspace.cache / "p.json"))
    cache.checks()[tiny_dataset.reference] = kept
    visit("data")
    assert "A \\<b\\>disk\\</b\\> is gone" in words(app)
    assert asked == []

    app.button(key="check_again").click().run()
    well(app)
    assert asked[0] == (tiny_dataset.reference, False)


def test_a_check_that_breaks_leaves_the_page_whole(visit, tiny_dataset, report, workspace):
    broken = Future()
    broken.set_exception(RuntimeError("KeyError in a check: 'x'"))
    cache.checks()[tiny_dataset.reference] = health.Check(True, broken, ProgressFile(workspace.cache / "p.json"))
    app = visit("data")

    assert "It failed: KeyError in a check" in words(app)
    assert "1 error, 1 warning, 1 note" in words(app)
    assert [box for box in app.checkbox if box.key.startswith("tick_data_")]


def test_many_pictures_are_checked_at_one_click_whose_time_is_told(visit, tiny_dataset, workspace, monkeypatch):
    monkeypatch.setattr(health, "BY_ITSELF", 10)
    app = visit("data")
    assert tiny_dataset.reference not in cache.checks()
    assert "about 5 s" in app.button(key="check_health").label

    app.button(key="check_health").click().run()
    well(app)
    work = cache.checks().get(tiny_dataset.reference)
    if work is not None:
        work.future.result(60)
        app.run()
    assert health.headline(read_report(workspace, tiny_dataset)) in words(app)


def test_masks_are_not_renamed_but_left_out(visit, mask_dataset, workspace):
    app = visit("data")
    app.session_state["pictures_ticked"] = (mask_dataset.reference, [mask_dataset.of("train")[0].id])
    app.run()
    well(app)
    assert not [button for button in app.button if button.key == "relabel"]
    app.button(key="leave_out").click().run()
    well(app)

    assert again(workspace, mask_dataset).revision == 2


def test_a_report_that_cannot_be_read_back_is_shown_and_not_made_without_end(visit, tiny_dataset, asked, workspace):
    done = Future()
    done.set_result(HealthReport(tiny_dataset.id, 1, tiny_dataset.fingerprint, ("copies",), (), 1.0))
    cache.checks()[tiny_dataset.reference] = health.Check(False, done, ProgressFile(workspace.cache / "p.json"))
    app = visit("data")
    app.run()

    assert "Nothing wrong found" in words(app)
    assert asked == []


def test_that_only_some_of_many_pictures_are_shown_is_said(visit, workspace, tiny_dataset, asked):
    ids = [(sample.id,) for sample in tiny_dataset.samples[:MOST_EVIDENCE]]
    assert len(ids) == MOST_EVIDENCE
    many = Finding("dark", "warning", "Many pictures are dark.", "Look.", evidence=tuple(ids))
    few = Finding("blurred", "warning", "Few are blurred.", "Look.", evidence=tuple(ids[1:]))
    for finding, says in ((many, True), (few, False)):
        found = HealthReport(tiny_dataset.id, 1, tiny_dataset.fingerprint, (finding.check,), (finding,), 1.0)
        write_report(workspace, tiny_dataset, found, labels=True)
        app = visit("data")
        app.session_state[f"finding_{tiny_dataset.reference}_{finding.check}_0"] = True
        app.run()
        assert ("No more than" in words(app)) is says
