"""The Predict page for a segmentation run: a real network, real pictures, whatever the widgets of AppTest can set."""

import csv
from io import BytesIO, StringIO

import numpy as np
import pytest
from PIL import Image

from core.data.library import Library
from pages.shared import cache, predict_masks
from tests.pages.conftest import well, words

pytestmark = pytest.mark.slow


def upload(app, *pictures: tuple[str, bytes]):
    uploader = app.file_uploader(key="predict_files")
    for name, content in pictures:
        uploader = uploader.upload(name, content)
    uploader.run()
    well(app)
    return app


def shape(size: tuple[int, int] = (40, 40), box: tuple[int, int, int, int] = (8, 8, 26, 26)) -> bytes:
    image = Image.fromarray(np.random.default_rng(0).integers(90, 130, (size[1], size[0], 3), np.uint8))
    image.paste("crimson", box)
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def seen(monkeypatch) -> list[dict]:
    """How the page asked for pictures to be drawn, in order."""
    asked = []
    for name in ("drawn_mask", "drawn_heat"):
        draw = getattr(cache, name)

        def told(*given, _draw=draw, _name=name):
            asked.append({"what": _name, "given": given, "image": _draw(*given)})
            return asked[-1]["image"]

        monkeypatch.setattr(cache, name, told)
    return asked


def table(app, place: int = 0):
    """The areas of one picture, as shares by class."""
    frame = app.dataframe[place].value
    return dict(zip(frame["class"], frame["share"], strict=True)), dict(
        zip(frame["class"], frame["pixels"], strict=True)
    )


def test_pictures_get_masks_and_a_bad_one_its_sentence(visit, finished_mask_run, workspace, seen):
    classes = finished_mask_run.facts.classes
    sample = Library(workspace).get(finished_mask_run.recipe.dataset).of("validation")[0]
    content = Library(workspace).get(finished_mask_run.recipe.dataset).path(sample).read_bytes()
    app = upload(visit("predict"), ("cell.png", content), ("no <b>picture.jpg", b"text"), ("red.png", shape()))

    assert [each["what"] for each in seen] == ["drawn_mask", "drawn_mask"]
    shares, pixels = table(app)
    assert tuple(shares) == classes
    assert sum(shares.values()) == pytest.approx(1)
    assert sum(pixels.values()) == sample.width * sample.height
    assert len(app.get("plotly_chart")) == 2
    assert [error.value for error in app.error if "cannot be read as a picture" in error.value]
    assert "\\<b\\>" in app.error[0].value, "its name stays text"
    assert "seen whole" in words(app)


def test_what_is_drawn_follows_the_switches(visit, finished_mask_run, seen):
    app = upload(visit("predict"), ("red.png", shape()))
    plain = seen[-1]["image"]
    app.slider(key="predict_opacity").set_value(1.0).run()
    app.segmented_control(key="predict_style").set_value("contour").run()
    assert seen[-1]["given"][3:5] == ("contour", 1.0)
    app.pills(key=f"predict_classes_{finished_mask_run.id}").set_value([1]).run()
    well(app)
    assert seen[-1]["given"][5] == (1,)
    app.segmented_control(key="predict_view").set_value("original").run()
    well(app)
    assert seen[-1]["image"] != plain


def test_uncertainty_is_offered_once_the_picture_is_seen_from_all_sides(visit, finished_mask_run, seen):
    app = upload(visit("predict"), ("red.png", shape()))
    assert "Uncertainty" not in str(app.segmented_control(key="predict_view").options)
    app.toggle(key="predict_sides").set_value(True).run()
    app.segmented_control(key="predict_view").set_value("doubt").run()
    well(app)
    assert seen[-1]["what"] == "drawn_heat"
    assert "the eight views agree" in words(app)
    assert "each from 8 sides" in words(app)

    app.toggle(key="predict_sides").set_value(False).run()
    well(app)
    assert seen[-1]["what"] == "drawn_mask", "without views there is no uncertainty to show"


def test_a_large_picture_is_seen_in_tiles(visit, finished_mask_run):
    app = upload(visit("predict"), ("usual.png", shape()))
    assert "Pictures of training had about" not in words(app)
    app = upload(app, ("large.png", shape((120, 60))))
    assert "120 × 60 pixels, seen whole" in words(app)
    assert "Pictures of training had about 40 × 40 pixels" in words(app)
    app.toggle(key="predict_tiles").set_value(True).run()
    well(app)
    assert "120 × 60 pixels, seen in 10 tiles" in words(app)
    assert "Pictures of training had about" not in words(app)


def test_grad_cam_explains_the_chosen_class_at_the_chosen_stage(visit, finished_mask_run, seen):
    app = upload(visit("predict"), ("red.png", shape()))
    app.segmented_control(key="predict_view").set_value("reason").run()
    well(app)
    assert "Grad-CAM" in words(app)
    assert "no sharper than that" in words(app)
    coarse = seen[-1]["given"][1]
    app.selectbox(key=f"predict_reason_{finished_mask_run.id}").set_value(0).run()
    assert seen[-1]["given"][1] != coarse
    app.select_slider(key=f"stage_0_{finished_mask_run.id}_0").set_value(0).run()
    well(app)
    assert "no sharper than that" not in words(app), "none is finer than the first"
    heat = Image.open(BytesIO(seen[-1]["given"][1]))
    assert heat.size == (40, 40)


def test_masks_and_submission_can_be_downloaded(visit, finished_mask_run, monkeypatch):
    offered = {}

    def button(label, data, name, mime, **options):
        offered[options["key"]] = {"data": data() if callable(data) else data, "name": name, **options}

    monkeypatch.setattr(predict_masks.st, "download_button", button)
    app = upload(visit("predict"), ("a b.png", shape()), ("c.png", shape((50, 40))))
    assert offered["mask_png_1"]["name"] == "c.mask.png"
    with Image.open(BytesIO(offered["mask_png_1"]["data"])) as mask:
        assert (mask.size, mask.mode) == ((50, 40), "L")
        indices = np.asarray(mask)
    with Image.open(BytesIO(offered["colour_png_1"]["data"])) as colours:
        assert (colours.size, colours.mode) == ((50, 40), "RGB")
        black = (np.asarray(colours) == 0).all(axis=2)
    assert np.array_equal(black, indices == 0), "the background is black and nothing else is"
    lines = list(csv.DictReader(StringIO(offered["submission_csv"]["data"])))
    assert [line["Id"] for line in lines][:2] == ["a b_0", "a b_1"][: len(finished_mask_run.facts.classes) - 1]
    assert not offered["submission_csv"]["disabled"]
    assert "run lengths" in words(app).lower()


def test_two_uploads_of_one_name_get_no_submission_but_a_reason(visit, finished_mask_run):
    app = upload(visit("predict"), ("a.png", shape()), ("a.jpg", shape((50, 40))))
    assert "would stand under one name" in words(app)


def test_a_picture_of_144_megapixels_is_refused_with_the_limit(visit, finished_mask_run):
    file = BytesIO()
    Image.new("1", (12_000, 12_000)).save(file, "PNG")
    app = upload(visit("predict"), ("huge.png", file.getvalue()))
    assert "more than the 80 megapixels" in app.error[0].value
