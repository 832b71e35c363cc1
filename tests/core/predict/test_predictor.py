import os
import shutil
import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from core.data.loading import fit_image, read_image
from core.errors import RunError, WeightsError
from core.evaluate.predictions import PredictionTable
from core.predict import predictor
from core.predict.predictor import predict, warm
from core.train.checkpoint import load_trained


@pytest.fixture
def folder(trained_run) -> str:
    return str(trained_run.paths.folder)


@pytest.fixture
def loads(monkeypatch) -> list[str]:
    """The runs whose models were read from disk from here on, in order."""
    predictor._loaded.cache_clear()
    seen = []
    monkeypatch.setattr(predictor, "load_trained", lambda best: seen.append(best.parent.name) or load_trained(best))
    return seen


def picture(colour: str = "pink", size: tuple[int, int] = (40, 30), kind: str = "PNG") -> bytes:
    file = BytesIO()
    Image.new("RGB", size, colour).save(file, kind)
    return file.getvalue()


def test_an_uploaded_file_gets_the_numbers_of_the_prediction_table(folder, trained_run, tiny_dataset):
    table = PredictionTable.read(trained_run.paths.predictions("validation"))
    samples = [tiny_dataset.sample(id) for id in table.ids]
    answers = predict(folder, [(sample.name, tiny_dataset.path(sample).read_bytes()) for sample in samples])
    for row, answer in enumerate(answers):
        assert answer.name == table.files[row]
        assert tuple(answer.probabilities) == table.classes
        assert list(answer.probabilities.values()) == pytest.approx(table.probabilities[row].tolist(), abs=1e-5)
        assert answer.label == table.classes[table.predicted[row]]
        assert answer.error is None
        assert answer.milliseconds > 0


def test_probabilities_sum_to_one(folder):
    (answer,) = predict(folder, [("a.png", picture())])
    assert sum(answer.probabilities.values()) == pytest.approx(1)
    assert answer.label == max(answer.probabilities, key=answer.probabilities.get)


def test_the_thumbnail_is_what_the_model_saw(folder, trained_run):
    content = picture("darkgreen", (90, 30))
    (answer,) = predict(folder, [("wide.png", content)])
    seen = fit_image(read_image(content), trained_run.recipe.image_size, trained_run.recipe.fit)
    shown = np.asarray(Image.open(BytesIO(answer.thumbnail)), dtype=int)
    assert shown.shape == seen.shape
    assert np.abs(shown - seen).max() < 8, "but for the JPEG"


def test_a_picture_that_is_none_gets_a_sentence_and_the_others_their_answers(folder):
    good, text, empty, cut, also_good = predict(
        folder,
        [
            ("good.png", picture()),
            ("text.jpg", b"this is no picture"),
            ("empty.png", b""),
            ("cut.jpg", picture(size=(300, 300), kind="JPEG")[:700]),
            ("grey.jpg", picture("grey", kind="JPEG")),
        ],
    )
    assert good.label
    assert also_good.label
    for answer in (text, empty, cut):
        assert answer.label is None
        assert answer.probabilities == {}
        assert answer.thumbnail == b""
        assert answer.error.startswith(f"{answer.name} cannot be read as a picture")
        assert "\n" not in answer.error


def test_names_are_given_back_as_they_came(folder):
    names = ["<script>alert(1)</script>.png", "../../etc/passwd", "🩸 \"a' b.png", ""]
    answers = predict(folder, [(name, picture()) for name in names])
    assert [answer.name for answer in answers] == names


def test_a_model_is_read_once(folder, loads):
    for _ in range(3):
        predict(folder, [("a.png", picture())])
    assert len(loads) == 1


def test_a_warm_model_is_ready(folder, loads):
    warm(folder)
    assert len(loads) == 1
    predict(folder, [("a.png", picture())])
    assert len(loads) == 1


def test_a_model_that_was_written_anew_is_read_anew(folder, trained_run, loads):
    predict(folder, [("a.png", picture())])
    written = trained_run.paths.best.stat().st_mtime_ns
    os.utime(trained_run.paths.best, ns=(written + 1000, written + 1000))
    predict(folder, [("a.png", picture())])
    assert len(loads) == 2


def test_the_three_models_used_last_are_kept(trained_run, workspace, loads):
    folders = []
    for number in range(4):
        copy = workspace.runs / f"copy-{number}"
        shutil.copytree(trained_run.paths.folder, copy)
        folders.append(str(copy))
    for number in (0, 1, 2, 0, 3, 0, 1):
        predict(folders[number], [])
    assert loads == ["copy-0", "copy-1", "copy-2", "copy-3", "copy-1"]


def test_a_run_without_a_model_is_refused(folder, trained_run):
    trained_run.paths.best.unlink()
    with pytest.raises(RunError, match="no saved model"):
        predict(folder, [("a.png", picture())])
    with pytest.raises(RunError, match="no saved model"):
        warm(folder)


def test_a_damaged_model_is_refused(folder, trained_run):
    content = trained_run.paths.best.read_bytes()
    trained_run.paths.best.write_bytes(content[: len(content) // 2])
    with pytest.raises(WeightsError, match="damaged"):
        predict(folder, [("a.png", picture())])


def test_a_page_can_receive_answers_without_torch():
    code = """
import pickle, sys
from core.predict.answer import Answer
assert pickle.loads(pickle.dumps(Answer("a.png"))) == Answer("a.png")
assert not {"torch", "torchvision", "timm", "sklearn"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
