import io
import zipfile
from concurrent import futures

import numpy as np
import pytest
from PIL import Image

from core.data.library import Library
from tests.pages.conftest import well, words

EVIL = "<img src=x onerror=alert(1)> *b* :red[x]"


def archive(classes: dict[str, int], **others: bytes) -> bytes:
    """A zip with so many small pictures in each class folder, and other files."""
    generator, file = np.random.default_rng(0), io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        for label, number in classes.items():
            for place in range(number):
                picture = io.BytesIO()
                Image.fromarray(generator.integers(0, 255, (16, 16, 3), np.uint8)).save(picture, "PNG")
                target.writestr(f"{label}/{place}.png", picture.getvalue())
        for name, content in others.items():
            target.writestr(name, content)
    return file.getvalue()


def finish_import(app):
    """Let the import in hand come to its end, step by step, as a browser does by looking again."""
    from pages.shared import cache

    while (waited_for := app.session_state["import_at_work"]) is not None:
        futures.wait([cache.imports()[waited_for].work.future], 60)
        app.run()


def test_an_empty_workspace_offers_three_ways_to_begin(visit):
    app = visit("data")

    assert [heading.value for heading in app.subheader] == [
        "Try it with demo cells",
        "Try it with demo polyps",
        "Bring your own images",
    ]
    assert app.button(key="demo_cells").label == "Draw demo cells"
    assert app.button(key="demo_polyps").label == "Draw demo polyps"


@pytest.mark.slow
def test_one_click_draws_the_demo_cells_and_keeps_them(visit, workspace):
    app = visit("data")
    app.button(key="demo_cells").click().run()
    finish_import(app)

    [card] = Library(workspace).cards()
    assert (card.samples, len(card.classes)) == (400, 4)
    well(app)
    assert "400 images" in words(app)
    assert app.button(key="to_augment")


def test_a_dataset_is_shown_with_its_facts_its_classes_and_the_way_on(visit, tiny_dataset):
    app = visit("data")

    assert "36 images" in words(app)
    assert "3 classes" in words(app)
    assert tiny_dataset.split_rule.split()[0] in words(app)
    assert len(app.get("plotly_chart")) == 1
    assert app.button(key="to_augment").label == "See what augmentation does"


def test_a_zip_is_shown_before_it_is_kept_and_its_names_stay_text(visit, workspace):
    app = visit("data")
    content = archive({EVIL: 6, "dogs": 5}, **{"dogs/notes.txt": b"hello"})
    app.file_uploader(key="own_zip").upload("my set.zip", content).run()
    app.button(key="own_zip_go").click().run()
    finish_import(app)
    well(app)

    assert not Library(workspace).cards(), "nothing is kept before somebody says so"
    assert "11 images" in words(app)
    assert "1 file skipped" in words(app)
    assert "notes.txt" in str(app.dataframe[0].value)
    app.button(key="keep").click().run()
    well(app)
    [card] = Library(workspace).cards()
    assert card.name == "my set"
    assert set(card.classes) == {EVIL, "dogs"}


def test_the_split_can_be_chosen_before_keeping(visit, workspace):
    app = visit("data")
    app.file_uploader(key="own_zip").upload("a.zip", archive({"a": 20, "b": 20})).run()
    app.button(key="own_zip_go").click().run()
    finish_import(app)
    app.slider(key="split_train").set_value(0.5).run()
    app.slider(key="split_test").set_value(0.25).run()
    app.button(key="keep").click().run()
    well(app)

    assert Library(workspace).cards()[0].splits == {"train": 20, "validation": 10, "test": 10}


def test_what_was_found_can_be_thrown_away(visit, workspace):
    app = visit("data")
    app.file_uploader(key="own_zip").upload("a.zip", archive({"a": 4, "b": 4})).run()
    app.button(key="own_zip_go").click().run()
    finish_import(app)
    app.button(key="discard").click().run()
    well(app)

    assert not Library(workspace).cards()
    assert not list(workspace.incoming.iterdir())
    assert app.button(key="demo_cells")


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"no zip at all", "zip"), (archive({"only": 3}), "only one class"), (archive({}), "no picture")],
    ids=["no zip", "one class", "empty"],
)
def test_an_upload_that_cannot_be_used_gets_one_sentence(visit, workspace, content, told):
    app = visit("data")
    app.file_uploader(key="own_zip").upload("bad.zip", content).run()
    app.button(key="own_zip_go").click().run()
    finish_import(app)
    well(app)

    assert len(app.error) == 1
    assert told in app.error[0].value
    assert not list((workspace.cache / "uploads").iterdir()), "the upload is not left behind"


def test_a_folder_of_the_server_can_be_looked_into(visit, workspace):
    folder = workspace.root.parent / "mine"
    with zipfile.ZipFile(io.BytesIO(archive({"a": 4, "b": 4}))) as content:
        content.extractall(folder)
    app = visit("data")
    app.text_input(key="own_folder").set_value(str(folder)).run()
    app.button(key="own_folder_go").click().run()
    finish_import(app)
    well(app)

    assert "8 images" in words(app)


def test_a_folder_outside_the_configured_roots_is_refused(visit):
    app = visit("data")
    app.text_input(key="own_folder").set_value("/etc").run()
    well(app)

    assert "may not be read" in app.error[0].value


def test_a_dataset_can_be_renamed_and_deleted(visit, tiny_dataset, workspace):
    app = visit("data")
    app.text_input(key=f"rename_{tiny_dataset.id}").set_value("Other name").run()
    app.button(key="rename").click().run()
    well(app)
    assert Library(workspace).cards()[0].name == "Other name"

    app.button(key="delete_dataset").click().run()
    well(app)
    assert not Library(workspace).cards()
