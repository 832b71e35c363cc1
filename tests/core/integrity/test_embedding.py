"""The real thing: pictures through the default backbone, what is stored of them, and what is found of it later."""

import shutil
import subprocess
import sys
from contextlib import closing
from dataclasses import astuple, replace

import numpy as np
import pytest

from core.data.dataset import Change, Dataset
from core.data.library import Library
from core.data.revisions import revise
from core.integrity import embedding as module
from core.integrity.embedding import Embedding, embed, read_embedding, units_of
from core.integrity.labels import label_findings
from core.integrity.outliers import outlier_findings
from core.recipe import Recipe
from core.workspace import Workspace
from tests.planted import cells, imported, noise, saved
from tests.shapes import kept_shapes


def refuse(*_, **__):
    raise AssertionError("went through the network again")


@pytest.fixture(scope="module")
def _embedded(tmp_path_factory):
    """A workspace in which 72 drawn cells of three classes went through the network, and what came of it."""
    home = tmp_path_factory.mktemp("seen")
    seen = Workspace(home / "workspace")
    dataset = imported(seen, home / "source", cells(3, 24, given=False))
    return seen, dataset.id, embed(str(seen.root), dataset.id)


@pytest.fixture
def dataset(workspace, _embedded) -> Dataset:
    """These cells, with their features and their embedding, in `workspace`."""
    seen, id, _ = _embedded
    shutil.copytree(seen.root, workspace.root)
    return Library(workspace).get(id)


@pytest.fixture
def embedded(dataset, _embedded) -> Embedding:
    """The embedding of `dataset`."""
    return _embedded[2]


def equal(one: Embedding, other: Embedding) -> bool:
    return all(
        np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(astuple(one), astuple(other), strict=True)
    )


def test_a_small_dataset_from_end_to_end(workspace, dataset, embedded, monkeypatch):
    samples = dataset.samples
    assert embedded.ids.tolist() == [sample.id for sample in samples]
    assert embedded.row(samples[5].id) == 5
    assert embedded.row("nobody") is None
    assert embedded.xy.shape == (72, 2)
    assert 0.1 < embedded.explained[1] <= embedded.explained[0] < 0.9
    assert set(embedded.cluster) == {0, 1, 2}
    assert (embedded.predicted == [sample.label for sample in samples]).mean() > 0.7
    assert np.isfinite(embedded.outlier).all()
    # Read by whoever comes next, without a look at a picture.
    assert equal(read_embedding(workspace, dataset), embedded)
    monkeypatch.setattr(module, "features_of", refuse)
    assert equal(embed(str(workspace.root), dataset.id), embedded)


def test_a_head_that_is_trained_later_finds_the_features_and_so_does_another_revision(
    workspace, dataset, embedded, monkeypatch
):
    from core.data.loading import DecodedImages
    from core.models.classifiers import build_classifier
    from core.train.devices import accelerator_for
    from core.train.features import FrozenFeatures

    monkeypatch.setattr(FrozenFeatures, "_extract", refuse)
    recipe = Recipe()
    with (
        accelerator_for(recipe) as accelerator,
        DecodedImages(dataset, recipe.image_size, recipe.fit, workspace.cache) as images,
    ):
        model = build_classifier(recipe.model, 3).eval()
        with closing(FrozenFeatures(model, images, dataset, recipe, (), workspace.cache, accelerator)) as features:
            assert features.get(range(72), None).shape == (72, 1280)
    first = dataset.samples[0]
    other = next(name for name in dataset.classes if name != dataset.classes[first.label])
    revised = revise(dataset, [Change("relabel", (first.id,), other)])
    assert read_embedding(workspace, revised) is None
    again = embed(str(workspace.root), revised.reference)
    assert np.array_equal(again.outlier, embedded.outlier)
    assert not np.array_equal(again.confidence, embedded.confidence)
    assert equal(read_embedding(workspace, dataset), embedded)


def test_other_groups_are_another_embedding(workspace, dataset, embedded):
    grouped = replace(dataset, samples=tuple(replace(sample, group="one") for sample in dataset.samples))
    assert read_embedding(workspace, grouped) is None


def test_a_damaged_file_is_no_embedding(workspace, dataset, embedded):
    (file,) = workspace.cache.glob("*/embedding/*.npz")
    file.write_bytes(file.read_bytes()[:500])
    assert read_embedding(workspace, dataset) is None
    file.write_bytes(b"")
    assert read_embedding(workspace, dataset) is None


def test_masks_have_a_map_and_no_labels(workspace):
    shapes, told = kept_shapes(workspace), []
    embedding = embed(str(workspace.root), shapes.id, report=lambda done, of: told.append((done, of)))
    assert embedding.xy.shape == (len(shapes.samples), 2)
    assert (embedding.predicted == -1).all()
    assert np.isnan(embedding.wrong).all()
    assert label_findings(shapes, embedding) == ()
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]


def test_whoever_waits_can_call_it_off(workspace, tiny_dataset):
    def stop(done, of):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed(str(workspace.root), tiny_dataset.id, report=stop)
    assert read_embedding(workspace, tiny_dataset) is None


def test_pictures_of_noise_among_cells_are_found_and_nothing_else(workspace, tmp_path):
    files = cells(2, 30, given=False)
    kinds = sorted({name.split("/")[0] for name in files})
    files |= {f"{kinds[0]}/noise.jpg": saved(noise()), f"{kinds[1]}/blank.jpg": saved(noise().point(lambda _: 128))}
    dataset = imported(workspace, tmp_path / "source", files)
    embedding = embed(str(workspace.root), dataset.id)
    (finding,) = outlier_findings(dataset, embedding)
    assert sorted(name.split("/")[-1] for name in finding.files) == ["blank.jpg", "noise.jpg"]


def test_near_duplicates_are_of_one_unit_also_in_data_from_before_they_were_looked_for(workspace, tmp_path):
    files = cells(2, 12, given=False)
    first = next(iter(files))
    files[f"{first.split('/')[0]}/copy.jpg"] = files[first]
    dataset = imported(workspace, tmp_path / "source", files)
    old = replace(dataset, samples=tuple(replace(sample, twins="", mode="") for sample in dataset.samples))
    for one in (dataset, old):
        units = units_of(one)
        assert len(set(units)) == len(units) - 1


def test_reading_an_embedding_and_drawing_its_map_load_nothing_heavy():
    code = (
        "import sys, core.figures.embedding, core.integrity.outliers, core.integrity.labels;"
        "sys.exit(any(name in sys.modules for name in ('torch', 'sklearn', 'scipy', 'timm')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
