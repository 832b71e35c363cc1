import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.evaluate.masks import LEVELS, Levels, MaskTable, count_levels, levels_of

NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)
CONFUSION = np.array([[[3000, 33, 0], [39, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 5, 7], [0, 1, 3059]]])
OUTLINES = np.array([[[0.8, 2.1], [np.nan, np.nan], [np.nan, np.nan]], [[1 / 3, 0.0], [1e-17, 2.0], [5.0, 1e9]]])


def table(**changes) -> MaskTable:
    given = {
        "classes": ("background", "disc", "square"),
        "ids": ("000003", "000017"),
        "files": ("a/b.jpg", "x, y.png"),
        "sizes": np.array([[64, 48], [64, 48]]),
        "confusion": CONFUSION,
        "outlines": OUTLINES,
        "split": "validation",
        "checkpoint": "epoch 4, 0123456789abcdef",
    }
    return MaskTable(**given | changes)


def same(one: MaskTable, other: MaskTable) -> bool:
    plain = ("classes", "ids", "files", "split", "checkpoint")
    arrays = ("sizes", "confusion", "outlines")
    return all(getattr(one, name) == getattr(other, name) for name in plain) and all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=name == "outlines")
        and getattr(one, name).dtype == getattr(other, name).dtype
        for name in arrays
    )


def test_a_table_comes_back_from_its_file_number_by_number(tmp_path):
    table().write(tmp_path / "table.csv")
    assert same(table(), MaskTable.read(tmp_path / "table.csv"))


@given(
    classes=st.lists(NAMES, min_size=2, max_size=4, unique=True),
    files=st.lists(NAMES, min_size=1, max_size=5),
    seed=st.integers(0, 2**32 - 1),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_name_and_any_number_comes_back(tmp_path, classes, files, seed):
    generator = np.random.default_rng(seed)
    n, k = len(files), len(classes)
    written = table(
        classes=tuple(classes),
        ids=tuple(f"{number:06d}" for number in range(n)),
        files=tuple(files),
        sizes=generator.integers(1, 10**6, (n, 2)),
        confusion=generator.integers(0, 2**50, (n, k, k)) * (generator.random((n, k, k)) < 0.5),
        outlines=np.where(generator.random((n, k, 1)) < 0.3, np.nan, generator.lognormal(0, 9, (n, k, 2))),
    )
    written.write(tmp_path / "table.csv")
    assert same(written, MaskTable.read(tmp_path / "table.csv"))


def test_the_file_reads_like_a_table(tmp_path):
    table().write(tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as file:
        header, first, second = csv.reader(file)
    assert header[:7] == ["sample_id", "file", "split", "checkpoint", "width", "height", "pixels"]
    assert header[7:9] == ["outline:background", "outline95:background"]
    assert first[:6] == ["000003", "a/b.jpg", "validation", "epoch 4, 0123456789abcdef", "64", "48"]
    assert first[6:] == ["0>0:3000 0>1:33 1>0:39", "0.8", "2.1", "", "", "", ""]
    assert second[6] == "1>1:5 1>2:7 2>1:1 2>2:3059"


def test_a_cell_longer_than_the_csv_module_takes_by_itself_can_be_read(tmp_path):
    k = 150
    everything = np.full((1, k, k), 123456)
    written = table(
        classes=tuple(f"class {number}" for number in range(k)),
        ids=("0",),
        files=("a",),
        sizes=np.array([[9, 9]]),
        confusion=everything,
        outlines=np.zeros((1, k, 2)),
    )
    written.write(tmp_path / "table.csv")
    assert same(written, MaskTable.read(tmp_path / "table.csv"))


def test_arrays_of_other_lengths_are_refused():
    for wrong in (
        {"ids": ("000003",)},
        {"classes": ("background", "disc")},
        {"outlines": OUTLINES[:1]},
        {"sizes": np.zeros((2, 3), int)},
    ):
        with pytest.raises(ValueError, match="arrays of shapes"):
            table(**wrong)


def broken(change, tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    table().write(path)
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: "", "columns"),
        (lambda text: text.splitlines()[0] + "\n", "without a row"),
        (lambda text: text.replace("outline:disc", "disc"), "other columns than sample_id,file"),
        (lambda text: text.replace("outline95:disc", "outline95:dusk"), "other columns"),
        (lambda text: text.replace("1>0:39", "1>3:39"), "row 2 has '1>3:39' among its pixels"),
        (lambda text: text.replace("1>0:39", "1>0:-39"), "row 2 has '1>0:-39'"),
        (lambda text: text[: len(text) // 2], "row 2 has"),
        (lambda text: text.replace('"x, y.png",validation', '"x, y.png",test'), "more than one split"),
        (lambda text: text.replace("2.1", "much"), "could not convert"),
    ],
)
def test_a_broken_file_is_refused_with_the_reason(change, reason, tmp_path):
    with pytest.raises(InputError, match=f"table.csv cannot be read.*{reason}.*Evaluate the run again"):
        MaskTable.read(broken(change, tmp_path))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        MaskTable.read(tmp_path / "none.csv")
    with pytest.raises(InputError, match="cannot be read"):
        Levels.read(tmp_path / "none.npz")


def test_levels_come_back_from_their_file_and_damaged_ones_are_refused(tmp_path):
    levels = Levels(np.random.default_rng(0).integers(0, 9, (5, 2, LEVELS)), "epoch 4, 01")
    levels.write(tmp_path / "levels.npz")
    read = Levels.read(tmp_path / "levels.npz")
    assert np.array_equal(read.counts, levels.counts)
    assert read.checkpoint == levels.checkpoint
    whole = (tmp_path / "levels.npz").read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"no archive", whole[:60] + bytes(40) + whole[100:]):
        (tmp_path / "broken.npz").write_bytes(content)
        with pytest.raises(InputError, match="broken.npz cannot be read.*Evaluate the run again"):
            Levels.read(tmp_path / "broken.npz")


def test_a_bin_is_a_hundredth_and_half_is_where_the_answer_changes():
    probability = np.array([[0.0, 0.004, 0.01, 0.333, 0.499999, 0.5, 0.500001, 0.995, 1.0]])
    assert levels_of(np.stack([1 - probability, probability])).tolist() == [[0, 0, 1, 33, 49, 49, 50, 99, 99]]


@given(st.integers(0, 2**32 - 1))
def test_bin_50_or_above_is_exactly_where_class_1_is_the_more_probable(seed):
    """... also where rounding lets two probabilities not add up to one."""
    generator = np.random.default_rng(seed)
    foreground = np.float32(0.5) + generator.normal(0, 1e-7, (8, 8)).astype(np.float32)
    maps = np.stack([np.float32(1) - foreground + generator.normal(0, 1e-7, (8, 8)).astype(np.float32), foreground])
    assert np.array_equal(levels_of(maps) >= 50, maps.argmax(axis=0) == 1)


def test_levels_are_counted_by_true_class_without_what_is_ignored():
    counts = count_levels(np.array([[0, 1, 1, 255]]), np.array([[7, 99, 99, 50]], np.uint8))
    assert (counts[0, 7], counts[1, 99], counts.sum()) == (1, 2, 3)


def test_tables_and_reports_on_masks_can_be_read_without_anything_heavy():
    code = """
import sys
import core.evaluate.masks, core.evaluate.segmentation, core.evaluate.results, core.evaluate.current
assert not {"torch", "torchvision", "timm", "sklearn", "scipy", "segmentation_models_pytorch"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
