import csv
import io

from core.data import dataset as data_of
from core.data.library import Library
from core.data.revisions import revise
from core.runs.labels import Change, Labels
from core.runs.store import RunStore
from pages.shared.run_table import as_csv
from tests.comparing import answered_run, fruit
from tests.pages.conftest import well, words
from tests.running import small


def test_without_runs_the_page_shows_the_way_to_one(visit, tiny_dataset):
    app = visit("runs")

    assert "No run yet" in words(app)
    assert "0 runs" not in words(app)
    assert app.button(key="empty_go").label == "Go to Train"


def test_every_run_is_a_row(visit, finished_run, workspace):
    app = visit("runs")

    [row] = app.dataframe[0].value.to_dict("records")
    assert row["state"] == "finished"
    assert row["score"] == finished_run.status.best["accuracy"]
    assert row["95 % interval"].startswith("[")
    assert row["learns from"] == "stored features"
    assert "finished" in words(app)


def test_a_run_names_the_revision_that_it_learned_from(visit, tiny_dataset, workspace):
    revised = revise(tiny_dataset, [data_of.Change("exclude", (tiny_dataset.of("train")[0].id,))])
    store = RunStore(workspace)
    store.create(small(revised), revised)
    app = visit("runs")

    [row] = app.dataframe[0].value.to_dict("records")
    assert row["data"] == "Tiny cells, revision 2"
    assert "Data: Tiny cells, revision 2" in words(app)


def test_what_differs_from_the_preset_is_listed(visit, finished_run):
    app = visit("runs")

    assert "backbone" in set(app.dataframe[1].value["choice"])


def test_the_mark_in_the_table_and_the_menu_go_with_their_run(visit, finished_run, workspace):
    store = RunStore(workspace)
    newer = store.create(finished_run.recipe, Library(workspace).get(finished_run.recipe.dataset))
    app = visit("runs")
    assert list(app.dataframe[0].value[""]) == ["▸", ""], "the newest is in hand"
    assert app.get("popover")[-1].proto.id.endswith(f"delete_menu_{newer}")

    app.button(key="delete_run").click().run()
    well(app)
    assert [run.id for run in store.list()] == [finished_run.id]
    assert list(app.dataframe[0].value[""]) == ["▸"]
    assert app.get("popover")[-1].proto.id.endswith(f"delete_menu_{finished_run.id}"), "the open menu does not stay"


def test_a_run_can_be_deleted(visit, finished_run, workspace):
    app = visit("runs")
    app.button(key="delete_run").click().run()
    well(app)

    assert RunStore(workspace).list() == []
    assert "No run yet" in words(app)


def test_opening_a_run_leads_to_its_curves(visit, finished_run):
    app = visit("runs")
    app.button(key="open_run").click().run()
    well(app)

    assert app.title[0].value == "Train"
    assert [chart.key for chart in app.get("plotly_chart")] == ["curve_loss", "curve_score", "curve_rate"]


def test_a_segmentation_run_is_a_row_with_its_mean_dice(visit, finished_mask_run):
    app = visit("runs")

    [row] = app.dataframe[0].value.to_dict("records")
    assert (row["metric"], row["score"]) == ("mean Dice", finished_mask_run.status.best["dice"])
    assert "encoder" in set(app.dataframe[1].value["choice"]), "what is unlike the recipe that masks start from"
    assert "loss.label_smoothing" not in str(app.dataframe[1].value), "and not unlike a classifier's"


def test_a_run_is_named_tagged_and_annotated_in_place_and_all_of_it_is_text(visit, workspace):
    hostile = "<b>bold</b> :red[x] **y**"
    run = answered_run(workspace, fruit(workspace), range(8))
    app = visit("runs")
    app.text_input(key=f"label_name_{run.id}").set_value(hostile).run()
    app.multiselect(key=f"label_tags_{run.id}").set_value(["week 3"]).run()
    app.text_area(key=f"label_note_{run.id}").set_value("one\ntwo").run()
    well(app)

    assert RunStore(workspace).get(run.id).labels == Labels(hostile, ("week 3",), "one\ntwo")
    [row] = app.dataframe[0].value.to_dict("records")
    assert (row["name"], list(row["tags"])) == (hostile, ["week 3"])
    headings = [line.value for line in app.markdown if "bold" in line.value]
    assert headings
    assert not any("<b>" in line or "**y**" in line for line in headings), "marks of it are taken for letters"


def test_runs_that_were_put_away_are_listed_when_asked_for(visit, workspace):
    data = fruit(workspace)
    kept, away = (answered_run(workspace, data, range(8), name=name) for name in ("kept", "away"))
    app = visit("runs")
    assert list(app.dataframe[0].value["name"]) == ["away", "kept"]
    app.button(key="run_away").click().run()
    well(app)
    assert list(app.dataframe[0].value["name"]) == ["kept"]
    assert away.paths.best.exists()

    app.toggle(key="runs_archived").set_value(True).run()
    assert list(app.dataframe[0].value["state"]) == ["finished, put away", "finished"]
    app.button(key="run_away").click().run()
    assert not RunStore(workspace).get(away.id).labels.archived
    assert "kept" in str(kept.name)


def test_runs_are_searched_filtered_and_sorted(visit, workspace):
    data = fruit(workspace)
    runs = [answered_run(workspace, data, range(wrong), name=f"wrong {wrong}") for wrong in (12, 3, 30)]
    RunStore(workspace).label([runs[0].id, runs[1].id], Change(tags=("good",)))
    app = visit("runs")
    app.selectbox(key="runs_order").select("score").run()
    assert list(app.dataframe[0].value["name"]) == ["wrong 3", "wrong 12", "wrong 30"]
    app.multiselect(key="runs_tags").set_value(["good"]).run()
    assert list(app.dataframe[0].value["name"]) == ["wrong 3", "wrong 12"]
    app.text_input(key="runs_search").set_value("wrong 12").run()
    assert list(app.dataframe[0].value["name"]) == ["wrong 12"]
    app.text_input(key="runs_search").set_value("none like it").run()
    well(app)
    assert "No run is like that" in words(app)


def test_a_row_shows_the_curve_and_what_is_unlike_the_preset(visit, workspace):
    changes = {"phases__0__epochs": 7, "optimizer__name": "sgd"}
    answered_run(workspace, fruit(workspace), range(8), epochs=(0.5, 0.625, 0.75), **changes)
    app = visit("runs")
    [row] = app.dataframe[0].value.to_dict("records")
    assert list(row["over the epochs"]) == [0.5, 0.625, 0.75]
    assert row["unlike its preset"] == "phase 1, epochs 7, optimizer sgd"


def test_only_a_part_of_many_runs_is_sent_at_a_time(visit, workspace, monkeypatch):
    monkeypatch.setattr("pages.shared.run_table.MOST", 2)
    data = fruit(workspace)
    for name in ("one", "two", "three"):
        answered_run(workspace, data, range(8), name=name)
    app = visit("runs")
    assert list(app.dataframe[0].value["name"]) == ["three", "two"]
    assert "1 to 2 of 3" in words(app)


def test_the_runs_that_are_asked_for_come_as_a_table_to_take_along(workspace):
    dataset = fruit(workspace)
    ids = [answered_run(workspace, dataset, range(wrong)).id for wrong in (8, 12)]
    RunStore(workspace).label(ids, Change(note="two\nlines, a comma"))
    runs = RunStore(workspace).list()

    head, *rows = csv.reader(io.StringIO(as_csv(runs).decode()))

    assert [row[0] for row in rows] == [run.id for run in runs]
    assert {"metric", "score", "low", "high", "note"} <= set(head)
    assert float(rows[0][head.index("score")]) == runs[0].score
    assert rows[0][head.index("note")] == runs[0].labels.note
