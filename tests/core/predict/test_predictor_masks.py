"""Masks from a run that was really trained: the same entry points as for classifiers, the numbers of an evaluation."""

import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from core.data.library import Library
from core.data.mask_files import read_mask
from core.errors import InputError, RunError
from core.evaluate.evaluation import evaluate_run
from core.metrics.segmentation import background_of
from core.predict.answer import Explanation, MaskAnswer
from core.predict.predictor import explain, predict, warm
from core.predict.submission import decode, submission_of


@pytest.fixture
def folder(masked_run) -> str:
    return str(masked_run.paths.folder)


@pytest.fixture
def uploads(masked_run, workspace) -> list[tuple[str, bytes]]:
    """The validation images as (id, content)."""
    dataset = Library(workspace).get(masked_run.recipe.dataset)
    return [(sample.id, dataset.path(sample).read_bytes()) for sample in dataset.of("validation")]


def pixels(png: bytes) -> np.ndarray:
    with Image.open(BytesIO(png)) as image:
        return np.asarray(image)


def test_an_uploaded_file_gets_the_mask_of_the_evaluation_pixel_for_pixel(folder, masked_run, uploads, workspace):
    evaluate_run(str(workspace.root), masked_run.id, "validation")
    answers = predict(folder, uploads)
    for (id, _), answer in zip(uploads, answers, strict=True):
        evaluated = read_mask(masked_run.paths.masks("validation") / f"{id}.png")
        assert isinstance(answer, MaskAnswer)
        assert np.array_equal(pixels(answer.mask), evaluated)
        assert answer.name == id
        assert tuple(answer.areas) == masked_run.facts.classes


def test_a_network_that_has_learned_finds_a_disc_where_it_is(folder, masked_run):
    image = Image.new("RGB", (96, 80), "#6e6e6e")
    image.paste("crimson", (20, 15, 50, 45))
    file = BytesIO()
    image.save(file, "PNG")
    (answer,) = predict(folder, [("square.png", file.getvalue())], views=True)
    red = pixels(answer.mask) == masked_run.facts.classes.index("red")
    truth = np.zeros((80, 96), bool)
    truth[15:45, 20:50] = True
    assert 2 * (red & truth).sum() / (red.sum() + truth.sum()) > 0.6


def test_tiles_are_as_large_as_the_training_pictures_were(folder, masked_run):
    image = Image.new("RGB", (96, 80), "gray")
    file = BytesIO()
    image.save(file, "PNG")
    (answer,) = predict(folder, [("large.png", file.getvalue())], tiles=True)
    assert answer.tiles == 9, "twice as wide and high as the 48 x 40 pixels of training"


def test_a_bad_picture_gets_its_sentence_and_the_others_their_masks(folder, uploads):
    first, bad, last = predict(folder, [uploads[0], ("bad.jpg", b"text"), uploads[1]])
    assert first.mask
    assert last.mask
    assert bad.error.startswith("bad.jpg cannot be read as a picture")
    assert bad.mask == b""


def test_a_class_can_be_explained_by_its_name(folder, uploads):
    name, content = uploads[0]
    answer = explain(folder, name, content, "green")
    assert isinstance(answer, Explanation)
    assert answer.error is None
    assert Image.open(BytesIO(answer.heat)).size == (48, 40)


def test_a_run_can_be_warmed_before_the_first_picture(folder):
    warm(folder)


def test_a_run_without_a_model_is_refused(folder, masked_run, uploads):
    masked_run.paths.best.unlink()
    with pytest.raises(RunError, match="no saved model"):
        predict(folder, uploads[:1])
    with pytest.raises(RunError, match="no saved model"):
        explain(folder, *uploads[0], "red")


def test_a_classifier_is_not_asked_for_masks(trained_run):
    folder = str(trained_run.paths.folder)
    with pytest.raises(InputError, match="Tiles and views are for masks"):
        predict(folder, [], tiles=True)
    with pytest.raises(InputError, match="The model has no such class: found 'cell'"):
        explain(folder, "a.png", b"", "cell")


def test_the_submission_of_an_answer_decodes_to_its_mask(folder, masked_run, uploads):
    answers = predict(folder, uploads)
    classes = masked_run.facts.classes
    assert background_of(classes) == 0
    text = submission_of([(f"{answer.name}.jpeg", answer.mask) for answer in answers], classes)
    header, *lines = text.splitlines()
    assert header == "Id,Expected"
    assert len(lines) == 2 * len(answers)
    codes = dict(line.split(",") for line in lines)
    for answer in answers:
        mask = pixels(answer.mask)
        for place, index in enumerate((1, 2)):
            assert np.array_equal(decode(codes[f"{answer.name}_{place}"], *mask.shape), mask == index)


def test_a_page_can_receive_answers_and_write_submissions_without_torch():
    code = """
import pickle, sys
import core.predict.submission, core.predict.files
from core.predict.answer import Explanation, MaskAnswer
for given in (MaskAnswer("a.png"), Explanation("a.png", "cell")):
    assert pickle.loads(pickle.dumps(given)) == given
assert not {"torch", "torchvision", "timm", "sklearn", "scipy", "segmentation_models_pytorch"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
