"""Facts of pictures: right by eye, gathered once, in any order of revisions, never many pictures at a time."""

import os
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageFilter

from core.data.health import facts
from core.data.health.facts import COLUMNS, blur_of, facts_of, gather
from tests.planted import cell, noise, saved


def _of(data: bytes) -> dict[str, float]:
    return dict(zip(COLUMNS, facts_of(data).tolist(), strict=True))


def test_the_facts_of_a_picture_of_one_colour_can_be_checked_by_eye():
    data = saved(Image.new("RGB", (40, 30), (10, 200, 30)), "PNG")
    found = _of(data)
    assert found["bytes"] == len(data)
    assert facts.MODES[int(found["mode"])] == "RGB"
    assert (found["quality"], found["exif"], found["spread"], found["blur"]) == (0, 0, 0, 0)
    assert (found["border_red"], found["border_green"], found["border_blue"]) == (10, 200, 30)
    assert (
        found["mean"]
        == found["low"]
        == found["high"]
        == Image.new("RGB", (1, 1), (10, 200, 30)).convert("L").getpixel((0, 0))
    )


def test_the_border_is_the_outermost_row_of_pixels():
    image = Image.new("RGB", (50, 50), "white")
    image.paste("black", (1, 1, 49, 49))
    found = _of(saved(image, "PNG"))
    assert found["border_red"] == 255
    assert found["border_spread"] == pytest.approx(0)
    assert found["mean"] < 25


def test_a_jpeg_of_less_quality_has_larger_tables():
    qualities = [_of(saved(cell(0, 0), quality=quality))["quality"] for quality in (95, 80, 60, 30)]
    assert qualities == sorted(qualities)
    assert qualities[0] > 0


def test_blur_rises_with_the_blur_of_a_picture_and_not_with_its_contrast():
    sharp = cell(0, 0, 96).convert("L")
    blurs = [blur_of(np.asarray(sharp.filter(ImageFilter.GaussianBlur(radius)), np.float32)) for radius in (0, 1, 2, 4)]
    assert blurs == sorted(blurs)
    assert blurs[0] < 0.75 < 0.88 < blurs[-1]
    faint = np.asarray(sharp, np.float32) / 2 + 60
    assert blur_of(faint) == pytest.approx(blurs[0], abs=0.08)
    assert blur_of(np.asarray(noise().convert("L"), np.float32)) < 0.2


def test_a_large_photo_is_measured_small():
    image = noise(64).resize((1600, 1200), Image.Resampling.BICUBIC)
    found = _of(saved(image))
    assert 0 < found["mean"] < 255
    assert found["bytes"] > 20_000


def test_facts_are_gathered_once_and_found_again_by_later_revisions(workspace, tiny_dataset, monkeypatch):
    first = gather(tiny_dataset, workspace.cache)
    assert first.unreadable == {}
    assert not np.isnan(first.table).any()
    monkeypatch.setattr(facts, "facts_of", lambda data, name: pytest.fail("looked again"))
    backwards = replace(tiny_dataset, samples=tiny_dataset.samples[::-1], fingerprint="another")
    assert (gather(backwards, workspace.cache).table == first.table[::-1]).all()


def test_copies_of_a_file_that_is_gone_are_all_unreadable(workspace, tiny_dataset):
    first, second = tiny_dataset.samples[:2]
    twin = replace(second, file=first.file, digest=first.digest)
    dataset = replace(tiny_dataset, samples=(first, twin, *tiny_dataset.samples[2:]))
    os.remove(dataset.path(first))
    found = gather(dataset, workspace.cache)
    assert set(found.unreadable) == {first.id, twin.id}
    assert np.isnan(found.table[:2]).all()
    assert not np.isnan(found.table[2:]).any()


def test_progress_counts_every_picture(workspace, tiny_dataset):
    told = []
    gather(tiny_dataset, workspace.cache, lambda done, of: told.append((done, of)))
    assert told == [(number, 36) for number in range(1, 37)]
