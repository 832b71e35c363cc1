from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from core.augment.catalog import policy, resolve
from core.augment.pipeline import Augmentation, sample_seed
from core.augment.preview import preview, preview_masks, preview_mix
from core.data.dataset import Change
from core.data.loading import fit_image, jpeg, read_image
from core.data.mask_files import fit_mask, read_mask
from core.data.revisions import revise
from core.errors import DatasetError, RecipeError
from core.recipe import AugmentChoice
from tests.shapes import kept_shapes

ROWS = [row.model_dump(mode="json") for row in policy("heavy").rows]
SETTINGS = {"seed": 3, "size": 48, "fit": "crop", "variants": 2}


def pixels(jpeg: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(jpeg)), dtype=int)


def test_a_preview_shows_the_very_variants_that_training_draws(tiny_dataset):
    ids = [tiny_dataset.samples[number].id for number in (0, 5)]
    lines = preview(str(tiny_dataset.folder), ids, ROWS, **SETTINGS)
    assert [len(line) for line in lines] == [3, 3]

    augmentation = Augmentation(resolve(AugmentChoice(policy="heavy")))
    for id, line in zip(ids, lines, strict=True):
        original = fit_image(read_image(tiny_dataset.path(tiny_dataset.sample(id))), 48, "crop")
        assert np.abs(pixels(line[0]) - original).mean() < 5, "a JPEG of the original"
        for draw in (0, 1):
            image = torch.from_numpy(original).permute(2, 0, 1)[None]
            seed = sample_seed(3, tiny_dataset.sample(id).digest, draw)
            drawn = augmentation(image, [seed])[0].permute(1, 2, 0).numpy()
            assert np.abs(pixels(line[1 + draw]) - drawn).mean() < 5
        assert np.abs(pixels(line[1]) - pixels(line[2])).mean() > 5, "two draws differ more than two JPEGs do"


def test_the_same_settings_give_the_same_files(tiny_dataset):
    ids = [tiny_dataset.samples[0].id]
    first, again = (preview(str(tiny_dataset.folder), ids, ROWS, **SETTINGS) for _ in range(2))
    assert first == again


def test_without_rows_every_variant_is_the_original(tiny_dataset):
    ((original, one, two),) = preview(str(tiny_dataset.folder), [tiny_dataset.samples[0].id], [], **SETTINGS)
    assert original == one == two


def test_what_cannot_be_previewed_is_said(tiny_dataset, tmp_path):
    ids = [tiny_dataset.samples[0].id]
    with pytest.raises(RecipeError, match="one of h-flip"):
        preview(str(tiny_dataset.folder), ids, [{"name": "spin"}], **SETTINGS)
    with pytest.raises(RecipeError, match="probability"):
        preview(str(tiny_dataset.folder), ids, [{"name": "h-flip", "probability": 2}], **SETTINGS)
    with pytest.raises(DatasetError, match="no such sample"):
        preview(str(tiny_dataset.folder), ["999999"], ROWS, **SETTINGS)
    with pytest.raises(DatasetError, match="no dataset"):
        preview(str(tmp_path), ids, ROWS, **SETTINGS)


def test_a_preview_of_masks_shows_the_very_pairs_that_training_draws(workspace):
    dataset = kept_shapes(workspace, side=48, wide=12)
    sample = dataset.samples[0]
    ((first, *drawn),) = preview_masks(str(dataset.folder), [sample.id], ROWS, **SETTINGS | {"fit": "pad"})
    original = fit_image(read_image(dataset.path(sample)), 48, "pad")
    mask = fit_mask(read_mask(dataset.mask(sample)), 48, "pad")
    assert first[0] == jpeg(original)
    assert np.array_equal(pixels(first[1]), mask), "an index PNG, without loss"
    assert len(drawn) == 2
    augmentation = Augmentation(resolve(AugmentChoice(policy="heavy")))
    for draw, (picture, beside) in enumerate(drawn):
        image = torch.from_numpy(original).permute(2, 0, 1)[None]
        varied, moved = augmentation(image, [sample_seed(3, sample.digest, draw)], torch.from_numpy(mask)[None])
        assert picture == jpeg(varied[0].permute(1, 2, 0).numpy())
        assert np.array_equal(pixels(beside), moved[0])


def test_pictures_of_a_dataset_with_masks_are_the_same_with_and_without_them(workspace):
    dataset = kept_shapes(workspace)
    ids, settings = [dataset.samples[1].id], SETTINGS | {"fit": "squash"}
    (alone,), (pairs,) = (show(str(dataset.folder), ids, ROWS, **settings) for show in (preview, preview_masks))
    assert alone == [picture for picture, _ in pairs]


def test_masks_of_a_dataset_that_has_none_are_refused(tiny_dataset):
    with pytest.raises(DatasetError, match="has no masks"):
        preview_masks(str(tiny_dataset.folder), [tiny_dataset.samples[0].id], ROWS, **SETTINGS)


MIX = {"seed": 3, "size": 48, "fit": "crop"}


def one_of_each(dataset) -> list[str]:
    return [next(sample.id for sample in dataset.samples if sample.label == label) for label in range(3)]


def test_mixed_pictures_carry_the_classes_that_are_in_them(tiny_dataset):
    ids = one_of_each(tiny_dataset)
    originals = [pixels(line[0]) for line in preview(str(tiny_dataset.folder), ids, [], **SETTINGS)]
    mixed = preview_mix(str(tiny_dataset.folder), ids, {"mixup": 1.0, "probability": 0.0}, **MIX)
    shares = [label[tiny_dataset.classes[place]] for place, (_, label) in enumerate(mixed)]
    assert len(set(shares)) == 1, "one share for a batch, and mixed whatever the probability"
    assert 0 < shares[0] < 1
    for place, (picture, label) in enumerate(mixed):
        assert set(label) == {tiny_dataset.classes[place], tiny_dataset.classes[place - 1]}
        assert sum(label.values()) == pytest.approx(1)
        assert list(label.values()) == sorted(label.values(), reverse=True)
        expected = shares[0] * originals[place] + (1 - shares[0]) * originals[place - 1]
        assert np.abs(pixels(picture) - expected).mean() < 6


def test_cut_and_pasted_pictures_are_labelled_by_area(tiny_dataset):
    ids = one_of_each(tiny_dataset)
    originals = [pixels(line[0]) for line in preview(str(tiny_dataset.folder), ids, [], **SETTINGS)]
    for seed in range(4):
        for place, (picture, label) in enumerate(
            preview_mix(str(tiny_dataset.folder), ids, {"cutmix": 1.0}, **MIX | {"seed": seed})
        ):
            near, far = (np.abs(pixels(picture) - originals[other]).mean(-1) for other in (place, place - 1))
            assert (near <= far).mean() == pytest.approx(label.get(tiny_dataset.classes[place], 0.0), abs=0.15)


def test_pictures_of_one_class_keep_it_when_they_are_mixed(tiny_dataset):
    ids = [sample.id for sample in tiny_dataset.samples if sample.label == 1][:2]
    for _, label in preview_mix(str(tiny_dataset.folder), ids, {"mixup": 1.0}, **MIX):
        assert label == {tiny_dataset.classes[1]: pytest.approx(1)}


def test_pictures_can_be_varied_before_they_are_mixed(tiny_dataset):
    ids = one_of_each(tiny_dataset)
    plain, varied, again = (
        preview_mix(str(tiny_dataset.folder), ids, {"mixup": 1.0}, rows=rows, **MIX) for rows in ([], ROWS, ROWS)
    )
    assert varied == again != plain
    assert [label for _, label in plain] == [label for _, label in varied]


def test_what_cannot_be_mixed_is_said(tiny_dataset, workspace):
    ids = one_of_each(tiny_dataset)
    with pytest.raises(RecipeError, match="mixup 0 and cutmix 0"):
        preview_mix(str(tiny_dataset.folder), ids, {}, **MIX)
    with pytest.raises(RecipeError, match=r"mix\.mixup.*9"):
        preview_mix(str(tiny_dataset.folder), ids, {"mixup": 9}, **MIX)
    with pytest.raises(DatasetError, match="cannot be mixed"):
        preview_mix(str(kept_shapes(workspace).folder), ["000000"], {"mixup": 1.0}, **MIX)
    assert preview_mix(str(tiny_dataset.folder), [], {"mixup": 1.0}, **MIX) == []


def test_a_picture_is_decoded_once_however_often_a_knob_is_moved_and_never_changed(tiny_dataset, monkeypatch):
    reads = []
    monkeypatch.setattr("core.augment.preview.read_image", lambda *a, **k: reads.append(1) or read_image(*a, **k))
    ids = [tiny_dataset.samples[number].id for number in (0, 5)]
    (first, *_), _ = preview(str(tiny_dataset.folder), ids, ROWS, **SETTINGS)
    (again, *_), _ = preview(str(tiny_dataset.folder), ids, [{"name": "erasing"}], **SETTINGS | {"seed": 9})
    assert len(reads) == 2
    assert first == again


def test_a_dataset_that_was_revised_is_read_anew(tiny_dataset):
    first, second = (tiny_dataset.of("train")[place].id for place in (0, 1))
    preview(str(tiny_dataset.folder), [first], [], **SETTINGS)
    revise(tiny_dataset, [Change("exclude", (first,), why="a test")])
    with pytest.raises(DatasetError, match="no such sample"):
        preview(str(tiny_dataset.folder), [first], [], **SETTINGS)
    assert preview(str(tiny_dataset.folder), [second], [], **SETTINGS)


def test_variants_are_drawn_with_one_thread_and_the_others_come_back(tiny_dataset, monkeypatch):
    """Also after an error: whoever predicts next in this process wants them all."""
    seen = []
    monkeypatch.setattr("core.augment.preview._jpeg", lambda _: seen.append(torch.get_num_threads()) or b"")
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        preview(str(tiny_dataset.folder), [tiny_dataset.samples[0].id], ROWS, **SETTINGS)
        assert torch.get_num_threads() == 3
        with pytest.raises(RecipeError):
            preview(str(tiny_dataset.folder), [tiny_dataset.samples[0].id], [{"name": "spin"}], **SETTINGS)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {1}
