from core.data.dataset import Change
from core.data.library import Library
from core.data.revisions import revise
from core.runs.store import RunStore
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
    revised = revise(tiny_dataset, [Change("exclude", (tiny_dataset.of("train")[0].id,))])
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
