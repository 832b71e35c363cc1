"""`report` and `verify` from a terminal: exit codes, one JSON value, one sentence for bad input."""

import json

import pytest

from core.__main__ import main
from tests.core.report.conftest import made_run, unzipped, zipped


@pytest.fixture
def answer(workspace, capsys):
    """Run a command over the workspace: (exit code, its JSON, what it said on standard error)."""

    def run(*words: str):
        code = main(["--workspace", str(workspace.root), *words, "--json"])
        told = capsys.readouterr()
        return code, json.loads(told.out) if told.out else None, told.err

    return run


def test_a_report_is_written_and_verified_and_a_changed_number_is_named(workspace, answer, tmp_path):
    run, out = made_run(workspace), tmp_path / "report.zip"
    code, told, _ = answer("report", run.id, "--out", str(out))
    assert (code, told["file"], told["runs"], told["bytes"]) == (0, str(out), [run.id], out.stat().st_size)

    code, told, _ = answer("verify", str(out))
    assert (code, told["matches"], told["differences"]) == (0, True, [])

    files = unzipped(out.read_bytes())
    page = files["report.html"].replace(b"67.5 %", b"76.5 %", 1)
    code, told, _ = answer("verify", zipped(out, files | {"report.html": page}))
    assert (code, told["matches"]) == (0, False)
    [one] = told["differences"]
    assert (one["file"], one["place"], one["found"], one["recomputed"]) == ("report.html", "First page", "76.5", "67.5")


def test_in_words_the_differences_and_what_cannot_be_known_are_told(workspace, capsys, tmp_path):
    run, out = made_run(workspace), tmp_path / "report.html"
    assert main(["--workspace", str(workspace.root), "report", run.id, "--out", str(out), "--sections", "results"]) == 0
    out.write_text(out.read_text("utf-8").replace("67.5 %", "76.5 %", 1), "utf-8")
    capsys.readouterr()
    assert main(["verify", str(out)]) == 0
    told = capsys.readouterr().out

    assert "1 place in report.html does not match." in told
    assert "found '76.5', should be '67.5'" in told
    assert "What this cannot know:" in told


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("report", "nobody", "--out", "r.zip"), "There is no such run"),
        (("report", "nobody", "--out", "r.pdf"), "written as one of .html, .md, .zip"),
        (("verify", "not-there.zip"), "not-there.zip cannot be read"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(answer, words, sentence):
    code, told, error = answer(*words)

    assert (code, told) == (2, None)
    assert sentence in error
    assert len(error.strip().splitlines()) == 1
