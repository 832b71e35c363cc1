"""`python -m core import`: layouts, columns, groups and shares from the command line."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.data.library import Library


@pytest.fixture
def table(tmp_path) -> Path:
    """24 pictures of 4 patients, and a table of odd column names."""
    folder = tmp_path / "cells"
    (folder / "pics").mkdir(parents=True)
    rows = ["who;where;seen as"]
    for n in range(24):
        pixels = np.random.default_rng(n).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "pics" / f"p{n % 4}_{n}.png")
        rows.append(f"patient {n % 4};p{n % 4}_{n}.png;{'big, red' if n % 3 else 'small'}")
    (folder / "list.csv").write_text("\n".join(rows))
    return folder


def answer(done: tuple[int, str, str]) -> dict:
    assert done[0] == 0, done[2]
    return json.loads(done[1])


@pytest.mark.parametrize("source", ["", "list.csv"])
def test_a_table_is_imported_by_the_columns_that_are_named(command, table, workspace, source):
    columns = "images=where, labels=seen as,group=who"
    kept = answer(command("import", str(table / source), "--columns", columns, "--json"))
    assert (kept["layout"], kept["name"], kept["classes"], kept["samples"]) == (
        "csv",
        "cells",
        ["big, red", "small"],
        24,
    )
    assert "list.csv" in kept["why"]
    samples = Library(workspace).get(kept["dataset"]).samples
    assert {sample.group for sample in samples} == {f"patient {n}" for n in range(4)}
    sides = {sample.group: {other.split for other in samples if other.group == sample.group} for sample in samples}
    assert all(len(splits) == 1 for splits in sides.values())
    assert {sample.mode for sample in samples} == {"RGB"}


def test_groups_are_read_from_file_names_and_shares_are_taken(command, table, workspace):
    words = ["--columns", "labels=seen as", "--groups", "{group}_*", "--shares", "50/50", "--seed", "3", "--json"]
    kept = answer(command("import", str(table), *words))
    assert kept["splits"] == {"train": 12, "validation": 12}
    assert {sample.group for sample in Library(workspace).get(kept["dataset"]).samples} == {"p0", "p1", "p2", "p3"}


def test_arrays_are_imported_by_their_keys(command, tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (30, 3, 9, 7), dtype=np.uint8)
    np.savez(tmp_path / "mine.npz", foo=pictures, bar=np.arange(30) % 11, other=np.zeros((30, 5, 5)))
    words = ["--columns", "images=foo,labels=bar", "--json"]
    kept = answer(command("import", str(tmp_path / "mine.npz"), *words))
    assert (kept["layout"], kept["name"], kept["samples"]) == ("npz", "mine", 30)
    assert kept["classes"] == [str(number) for number in range(11)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--columns", "labels=nope"], ["'nope'", "who, where, seen as"]),
        (["--columns", "colour=who"], ["'colour'", "images, labels, split, group"]),
        (["--columns", "labels"], ["--columns", "role=column"]),
        (["--columns", "labels=who,labels=where"], ["--columns", "twice"]),
        (["--columns", "split=who"], ["'patient 0'", "train, validation"]),
        (["--layout", "image-folder", "--columns", "labels=who"], ["class"]),
        (["--layout", "npz"], ["not laid out as arrays", ".npz"]),
        (["--shares", "much"], ["--shares", "'much'"]),
        (["--shares", "nan/1/2"], ["--shares"]),
        (["--shares", "90/20"], ["together 1"]),
        (["--groups", "p*"], ["{group}"]),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(command, table, workspace, words, said):
    code, out, err = command("import", str(table), *words, "--json")
    assert (code, out, len(err.strip().splitlines())) == (2, "", 1)
    assert all(text in err for text in said)
    assert not list(workspace.incoming.glob("*"))
