"""What became of a dataset, on its page: every revision with its changes, the way back, and a split anew."""

from core.data.dataset import Change
from core.data.library import Library
from core.data.revisions import revise
from tests.pages.conftest import well, words


def test_a_dataset_without_changes_has_no_list_of_them(visit, tiny_dataset):
    app = visit("data")

    assert not [one for one in app.expander if "Revision" in one.label]


def test_every_revision_says_what_it_changed_and_can_be_had_again(visit, tiny_dataset, workspace):
    first, second = tiny_dataset.of("train")[:2]
    other = next(name for name in tiny_dataset.classes if name != tiny_dataset.classes[second.label])
    revised = revise(tiny_dataset, [Change("exclude", (first.id,), why="it is blurred.")])
    revise(revised, [Change("relabel", (second.id,), other)])
    app = visit("data")
    assert any("Revision 3 of 3" in one.label for one in app.expander)
    assert "left out" not in words(app), "folded, and its tables are not read"

    app.session_state["revisions"] = True
    app.run()
    well(app)
    told = words(app)
    assert "1 picture left out: it is blurred" in told
    assert f"1 picture now called {other}" in told
    assert "As it was imported" in told

    app.toggle(key="revision_pictures_3").set_value(True).run()
    well(app)
    app.button(key="restore_1").click().run()
    well(app)
    back = Library(workspace).get(tiny_dataset.id)
    assert (back.revision, back.fingerprint) == (4, tiny_dataset.fingerprint)
    assert "everything again as in revision 1" in app.expander[0].label


def test_a_split_anew_is_asked_about_before_it_is_dealt(visit, tiny_dataset, workspace):
    app = visit("data")
    app.button(key="split_anew").click().run()
    well(app)
    assert app.number_input(key="anew_seed").value == 0
    assert app.button(key="deal").label == "Deal anew"
    app.run()  # as at the end of a check
    well(app)
    assert app.button(key="deal"), "it stays open"
    assert Library(workspace).get(tiny_dataset.id).revision == 1
