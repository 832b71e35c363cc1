"""Images with masks on the Data page: looked at, corrected, and only then kept."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from core.data.library import Library
from pages.shared import gallery, repair
from tests.pages.conftest import well, words
from tests.pages.test_data import EVIL, finish_import


def pairs(number: int = 6, levels: tuple[int, ...] = (0, 128, 255), odd: int | None = None) -> bytes:
    """A zip with images and masks of grey levels, a box in a box; the last mask has some pixels of `odd`."""
    generator, file = np.random.default_rng(0), io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        for place in range(number):
            mask = np.full((24, 24), levels[0], np.uint8)
            mask[4:20, 4:20] = levels[1]
            mask[9:15, 9:15] = levels[-1]
            if odd is not None and place == number - 1:
                mask[:3, :8] = odd
            picture = generator.integers(0, 255, (24, 24, 3), np.uint8)
            for folder, pixels in (("images", picture), ("masks", mask)):
                content = io.BytesIO()
                Image.fromarray(pixels).save(content, "PNG")
                target.writestr(f"{folder}/{place}.png", content.getvalue())
    return file.getvalue()


@pytest.fixture
def look_inside(visit):
    """The Data page after a zip was looked into."""

    def look(content: bytes):
        app = visit("data")
        app.file_uploader(key="own_zip").upload("cells.zip", content).run()
        app.button(key="own_zip_go").click().run()
        finish_import(app)
        well(app)
        return app

    return look


def field(app, kind: str, ending: str):
    """The one widget of a kind whose key ends so."""
    [found] = [
        widget for widget in app.get(kind) if str(widget.key).startswith("audit_") and widget.key.endswith(ending)
    ]
    return found


def test_the_values_of_the_masks_are_shown_with_the_classes_they_are_taken_for(look_inside, workspace):
    app = look_inside(pairs())

    assert not Library(workspace).cards(), "nothing is kept before somebody says so"
    assert "6 images" in words(app)
    assert "3 values" in words(app)
    assert [field(app, "text_input", f"_{place}_name").value for place in range(3)] == [
        "background",
        "grey 128",
        "grey 255",
    ]
    assert "Nothing wrong in these masks" in words(app)
    share = 6 * 6 / 24**2
    assert f"{share:.1%} of pixels, 6 masks".replace(".", "\\.") in words(app)


def test_classes_can_be_named_before_the_dataset_is_kept(look_inside, workspace):
    app = look_inside(pairs())
    field(app, "text_input", "_1_name").set_value("cytoplasm").run()
    field(app, "text_input", "_2_name").set_value(EVIL).run()
    well(app)
    app.button(key="keep").click().run()
    finish_import(app)
    well(app)

    [card] = Library(workspace).cards()
    dataset = Library(workspace).get(card.id)
    assert dataset.task == "segmentation"
    assert dataset.classes == ("background", "cytoplasm", EVIL)
    assert dataset.mask_map == (("0", "background"), ("128", "cytoplasm"), ("255", EVIL))
    assert app.button(key="to_augment")
    assert len(app.get("plotly_chart")) == 2, "images of each class, and its share of the pixels"


def test_two_values_with_one_name_make_one_class_and_a_value_can_be_ignored(look_inside, workspace):
    app = look_inside(pairs(levels=(0, 100, 200)))
    field(app, "text_input", "_1_name").set_value("cell").run()
    field(app, "text_input", "_2_name").set_value("cell").run()
    assert "2 classes" in words(app)

    field(app, "text_input", "_1_name").set_value("rim").run()
    field(app, "selectbox", "_2_role").set_value("ignored").run()
    well(app)
    app.button(key="keep").click().run()
    finish_import(app)
    well(app)
    dataset = Library(workspace).get(Library(workspace).cards()[0].id)
    assert dataset.classes == ("background", "rim")
    assert dataset.samples[0].pixels == (24 * 24 - 16 * 16, 16 * 16 - 6 * 6)


def test_a_mask_with_a_value_of_its_own_is_refused_with_the_file_and_the_value_until_it_gets_a_class(look_inside):
    app = look_inside(pairs(odd=77))
    assert "5 images" in words(app)
    [refused] = [row for frame in app.dataframe for row in frame.value.to_dict("records")]
    assert refused["file"].endswith("5.png")
    assert "77" in refused["reason"]
    assert "1 file skipped, listed at the end" in words(app)
    assert "Nothing wrong in these masks" not in words(app)
    assert field(app, "selectbox", "_1_role").value == "refused"

    field(app, "selectbox", "_1_role").set_value("class").run()
    field(app, "text_input", "_1_name").set_value("speck").run()
    well(app)
    assert "6 images" in words(app)
    assert "4 classes" in words(app)


def test_a_map_that_makes_no_dataset_is_said_and_cannot_be_kept(look_inside):
    app = look_inside(pairs())
    for place in (1, 2):
        field(app, "selectbox", f"_{place}_role").set_value("ignored").run()
    well(app)

    assert "at least two classes" in app.error[0].value
    assert app.button(key="keep").disabled
    field(app, "selectbox", "_2_role").set_value("class").run()
    assert not app.error
    assert not app.button(key="keep").disabled


def test_a_dataset_of_masks_is_shown_with_its_classes_its_pixels_and_its_masks(visit, mask_dataset):
    app = visit("data")

    assert "22 images" in words(app)
    assert "3 classes" in words(app)
    assert len(app.get("plotly_chart")) == 2
    app.segmented_control(key="data_style").set_value("fill").run()
    well(app)


def test_a_class_shows_the_images_that_have_it_in_their_masks(visit, mask_dataset, monkeypatch):
    shown = []
    monkeypatch.setattr(repair, "sheet", lambda dataset, samples, *_, **__: shown.append(list(samples)))
    app = visit("data")
    square = mask_dataset.classes.index("grey 200")
    app.selectbox(key="data_class").set_value(square).run()
    well(app)

    assert len(shown[-1]) == sum(square in sample.holds for sample in mask_dataset.samples)
    assert all("grey 200" in gallery.cell(mask_dataset, sample, "off")[2] for sample in shown[-1])


@pytest.mark.slow
def test_one_click_draws_the_demo_polyps_and_keeps_them(visit, workspace):
    app = visit("data")
    app.slider(key="dial_polyps_images").set_value(24).run()
    app.button(key="demo_polyps_dials").click().run()
    finish_import(app)
    finish_import(app)
    well(app)

    [card] = Library(workspace).cards()
    assert (card.samples, card.task) == (24, "segmentation")
    assert card.classes == ("background", "neoplastic", "non-neoplastic")


def test_what_cannot_be_kept_stays_on_the_page_with_the_reason(look_inside, workspace):
    app = look_inside(pairs(number=1))
    app.button(key="keep").click().run()
    finish_import(app)
    well(app)

    assert "leaves no picture" in app.error[0].value
    assert not Library(workspace).cards()
    assert [heading.value for heading in app.subheader] == ["Found: cells"]
    assert app.button(key="discard")
