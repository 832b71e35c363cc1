"""Imports that ask something: which column is which, what belongs together; and imports that are called off."""

import csv
import io
import zipfile
from concurrent.futures import Future

import numpy as np
import pytest
from PIL import Image

from core.data.incoming import load_proposal
from core.data.library import Library
from core.errors import LabError
from core.executors.progress import ProgressFile
from pages.shared import atwork, cache, importing
from tests.pages.conftest import well, words
from tests.pages.test_data import EVIL, archive, finish_import
from tests.running import until

ROWS = [("scan", "aard", "kant", "doos")]  # odd names: of the file, of its class, of its side, of its box
ROWS += [(f"{place:02d}.png", ("rond", EVIL)[place % 2], "LR"[place // 2 % 2], f"b{place // 4}") for place in range(24)]


def table(rows=ROWS) -> bytes:
    csv.writer(file := io.StringIO()).writerows(rows)
    return file.getvalue().encode()


def picture(number: int) -> bytes:
    generator = np.random.default_rng(number)
    Image.fromarray(generator.integers(0, 255, (16, 16, 3), np.uint8)).save(file := io.BytesIO(), "PNG")
    return file.getvalue()


def pictures(names) -> dict[str, bytes]:
    return {name: picture(place) for place, name in enumerate(names)}


def zipped(files: dict[str, bytes]) -> bytes:
    with zipfile.ZipFile(file := io.BytesIO(), "w") as target:
        for name, content in files.items():
            target.writestr(name, content)
    return file.getvalue()


LABELLED = {"labels.csv": table(), **pictures(row[0] for row in ROWS[1:])}


@pytest.fixture
def look_inside(visit):
    """The Data page after files were looked into."""

    def look(*files: tuple[str, bytes]):
        app = visit("data")
        uploader = app.file_uploader(key="own_zip")
        for name, content in files:
            uploader = uploader.upload(name, content)
        app.run()
        app.button(key="own_zip_go").click().run()
        finish_import(app)
        well(app)
        return app

    return look


def pick(app, role: str):
    """The field in which the answer for a role is chosen."""
    [field] = [box for box in app.selectbox if str(box.key).startswith("pick_") and str(box.key).endswith(f"_{role}")]
    return field


def uploads(workspace) -> list:
    folder = workspace.cache / "uploads"
    return list(folder.iterdir()) if folder.is_dir() else []


def test_columns_are_picked_from_a_preview_before_anything_is_read(look_inside, workspace):
    app = look_inside(("set.zip", zipped(LABELLED)))

    assert [heading.value for heading in app.subheader] == ["How to read set"]
    assert (pick(app, "images").value, pick(app, "labels").value) == ("scan", "aard")
    assert list(app.dataframe[0].value.iloc[0]) == list(ROWS[1])
    assert not list(workspace.incoming.iterdir())


def test_a_column_picked_wrong_is_seen_and_picked_anew(look_inside, workspace):
    app = look_inside(("set.zip", zipped(LABELLED)))
    pick(app, "labels").set_value("kant").run()
    app.button(key="read").click().run()
    finish_import(app)
    assert "24 images · 2 classes" in words(app)
    assert "class from kant" in words(app)
    assert app.selectbox(key="found_class").options == ["L", "R"]

    app.button(key="read_again").click().run()
    assert pick(app, "labels").value == "kant"
    pick(app, "labels").set_value("aard").run()
    app.button(key="read").click().run()
    finish_import(app)
    app.button(key="keep").click().run()
    well(app)

    [card] = Library(workspace).cards()
    assert set(card.classes) == {"rond", EVIL}
    assert card.name == "set"
    assert not uploads(workspace)
    assert not list(workspace.incoming.iterdir())


def test_what_cannot_be_read_with_these_answers_is_asked_again(look_inside, workspace):
    app = look_inside(("set.zip", zipped(LABELLED)))
    pick(app, "images").set_value("kant").run()
    app.button(key="read").click().run()
    finish_import(app)
    well(app)

    assert len(app.error) == 1
    assert pick(app, "images").value == "kant"
    pick(app, "images").set_value("scan").run()
    app.button(key="read").click().run()
    finish_import(app)
    assert "24 images" in words(app)


def test_a_table_is_uploaded_with_its_images_beside_it(look_inside):
    app = look_inside(*LABELLED.items())
    assert [heading.value for heading in app.subheader] == ["How to read labels"]
    app.button(key="read").click().run()
    finish_import(app)

    assert "24 images · 2 classes" in words(app)


def test_arrays_under_other_names_are_picked(look_inside):
    generator, file = np.random.default_rng(0), io.BytesIO()
    shown = generator.integers(0, 255, (12, 16, 16, 3), np.uint8)
    np.savez(file, plaatjes=shown, aard=np.arange(12) % 3, kant=np.arange(12) % 2)
    app = look_inside(("cells.npz", file.getvalue()))
    pick(app, "images").set_value("plaatjes").run()
    pick(app, "labels").set_value("aard").run()
    app.button(key="read").click().run()
    finish_import(app)
    well(app)

    assert "12 images · 3 classes" in words(app)


def test_letting_go_of_a_source_leaves_nothing_behind(look_inside, workspace):
    app = look_inside(("set.zip", zipped(LABELLED)))
    assert uploads(workspace)
    app.button(key="mapping_cancel").click().run()
    well(app)

    assert not uploads(workspace)
    assert app.button(key="demo_cells")


def test_groups_in_file_names_are_previewed_and_kept_whole(look_inside, workspace):
    names = [f"{label}/p{place // 3}_{place}.png" for label in "ab" for place in range(18)]
    app = look_inside(("slides.zip", zipped(pictures(names))))
    app.text_input(key="split_groups").set_value("{group}_*").run()
    well(app)
    assert "6 groups, the largest first" in words(app)
    assert app.dataframe[0].value["images"].tolist() == [6] * 6

    app.button(key="keep").click().run()
    well(app)
    dataset = Library(workspace).get(Library(workspace).cards()[0].id)
    sides = {(sample.group, sample.split) for sample in dataset.samples}
    assert len(sides) == len({group for group, _ in sides}) == 6
    assert "6 groups kept whole" in dataset.split_rule


def test_a_pattern_that_fits_nothing_is_said_and_cannot_be_kept(look_inside):
    app = look_inside(("set.zip", archive({"a": 4, "b": 4})))
    app.text_input(key="split_groups").set_value("slide{group}-*").run()
    well(app)

    assert "fits no file name" in app.error[0].value
    assert app.button(key="keep").disabled


def test_near_duplicates_stay_together_unless_somebody_insists(look_inside, workspace):
    drawn = Image.radial_gradient("L").resize((96, 64)).crop((0, 0, 64, 64)).convert("RGB")
    drawn.save(one := io.BytesIO(), "PNG")
    drawn.transpose(Image.Transpose.ROTATE_90).save(other := io.BytesIO(), "PNG")
    files = pictures(f"{label}/{place}.png" for label in "ab" for place in range(6))
    app = look_inside(("set.zip", zipped({**files, "a/x.png": one.getvalue(), "a/y.png": other.getvalue()})))
    assert app.checkbox(key="split_apart").label.endswith("(1 set found)")
    assert app.checkbox(key="split_apart").value

    app.checkbox(key="split_apart").uncheck().run()
    assert "Near duplicates will be on both sides" in words(app)
    app.button(key="keep").click().run()
    well(app)
    assert "near duplicates scattered on request" in Library(workspace).cards()[0].split_rule


def test_an_import_called_off_leaves_nothing_behind(visit, workspace, monkeypatch):
    begun = importing.start

    def instead(title, work, *arguments, **named):  # of the import: work that would take an hour, in the same place
        if work.endswith(":inspect"):
            place = workspace.incoming / named["id"]
            return begun(
                title,
                "tests.core.executors.labwork:dawdle",
                place,
                listens=True,
                then=named["then"],
                otherwise=named["otherwise"],
            )
        return begun(title, work, *arguments, **named)

    monkeypatch.setattr(importing, "start", instead)
    app = visit("data")
    app.file_uploader(key="own_zip").upload("a.zip", archive({"a": 4, "b": 4})).run()
    app.button(key="own_zip_go").click().run()

    def works() -> list[atwork.AtWork]:
        return [one.work for one in cache.imports().values()]

    def reading() -> bool:
        return any(work.title.startswith("Reading") for work in works())

    # A look into the zip that is over before the page comes to wait for it is followed by the reading at once.
    until(lambda: reading() or all(work.done for work in works()))
    app.run()
    assert reading()
    until(lambda: list(workspace.incoming.iterdir()))
    app.run()
    app.button(key="import_cancel").click().run()
    finish_import(app)
    well(app)

    assert not list(workspace.incoming.iterdir())
    assert not uploads(workspace)
    assert not list((workspace.cache / "progress").iterdir())
    assert app.button(key="demo_cells")


def test_what_a_process_that_dies_in_an_import_leaves_is_cleared_away(visit, workspace, helper, monkeypatch):
    monkeypatch.setattr(importing.cache, "workspace", lambda: workspace)
    half = workspace.incoming / "half-1234"
    (half / "unpacked").mkdir(parents=True)
    future = helper.submit("os:_exit", 3)
    future.add_done_callback(lambda done: importing._recover(workspace, "half-1234", done))

    assert isinstance(future.exception(60), LabError)
    until(lambda: not half.exists(), 10)


def test_what_can_be_read_in_several_ways_is_read_and_can_be_read_differently(look_inside, workspace):
    names = [f"{label}/{place}.png" for label in "abc" for place in range(8)]
    rows = "".join(f"{name},{'me' if place % 2 else 'you'}\n" for place, name in enumerate(names))
    app = look_inside(("set.zip", zipped(pictures(names) | {"list.csv": f"file,taken by\n{rows}".encode()})))
    assert "24 images · 3 classes" in words(app)

    app.button(key="read_again").click().run()
    well(app)
    [ways] = app.radio
    assert len(ways.options) == 2
    ways.set_value("csv").run()
    app.button(key="read").click().run()
    finish_import(app)
    well(app)
    assert "24 images · 2 classes" in words(app)

    # A browser shows what a field begins with, whatever the session holds, when the field comes back.
    app.button(key="read_again").click().run()
    well(app)
    [ways] = app.radio
    assert ways.options[ways.proto.default] == "Table of labels"
    [column] = [box for box in app.selectbox if box.label == "Class"]
    assert column.options[column.proto.default] == "taken by"
    app.button(key="mapping_cancel").click().run()
    assert not uploads(workspace)


def test_what_was_found_before_the_wish_to_cancel_was_heard_goes_too(look_inside, workspace):
    app = look_inside(
        ("labelled.zip", zipped({f"{'ab'[place % 2]}/{place}.png": picture(place) for place in range(8)}))
    )
    [found] = [folder for folder in workspace.incoming.iterdir() if (folder / "proposal.json").is_file()]
    proposal = load_proposal(workspace, found.name)
    (done := Future()).set_result(proposal)
    work = atwork.AtWork("Late", "file", done, ProgressFile(workspace.cache / "progress" / "late.json"), None, True)
    cache.imports()["late"] = importing.Import(work, importing._propose, lambda: None)
    app.session_state["import_at_work"], app.session_state["proposal_in_hand"] = "late", None
    app.query_params.clear()
    app.run()
    well(app)
    assert not found.exists()
    assert app.button(key="demo_cells")
