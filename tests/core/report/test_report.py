"""What a report says, and what it never does: reach out, run a script, open a sealed split, take a name for markup."""

import os
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from core.data.health.finding import Finding, HealthReport
from core.data.health.store import write_report
from core.data.library import Library
from core.errors import InputError, RunError
from core.integrity.run_checks import check_run
from core.report.bundle import make_report
from core.report.markdown import plain
from core.report.verify import verify
from core.runs.data import dataset_of
from core.runs.labels import Labels, write_labels
from core.runs.run import RunState, write_status
from core.runs.seal import open_seal, openings
from core.workspace import read_json, write_json
from tests.core.report.conftest import unzipped
from tests.made_runs import answered, rows_dataset

HOSTILE = "<script>alert(1)</script> **b** [c](javascript:d) | `e` & {{ 7*7 }}"


def html_of(workspace, *runs, **options) -> str:
    """The page of a report on these runs."""
    out = workspace.root / "out.html"
    make_report(str(workspace.root), [run.id for run in runs], str(out), **options)
    return out.read_text(encoding="utf-8")


def text_of(html: str) -> str:
    """What a page says, without its tags."""
    parser, found = HTMLParser(), []
    parser.handle_data = found.append
    parser.feed(html[html.index("<body>") : html.rindex("<script")])
    return " ".join(" ".join(found).split())


def test_the_first_sentence_is_the_number_with_its_interval_on_the_split_that_nothing_was_chosen_by(workspace, run):
    html = html_of(workspace, run)

    headline = re.search(r'<p class="headline">(.*?)</p>', html)[1]
    assert "67.5 % of 40 test pictures" in headline
    assert re.search(r"between \d\d\.\d % and \d\d\.\d %", headline)
    assert "Always answering" in html


def test_a_page_needs_nothing_beside_it(workspace, run):
    html = html_of(workspace, run)

    assert [
        match for match in re.findall(r'(?:src|href)="([^"]*)"', html) if not match.startswith(("#", "data:"))
    ] == []
    assert re.findall(r"url\(|@import", html) == []
    assert re.findall(r"<script[^>]*>", html) == ['<script type="application/zip" id="evidence">'], "which runs nothing"
    assert "default-src 'none'" in html


def test_every_number_of_the_results_stands_with_its_interval(workspace, run):
    told = text_of(html_of(workspace, run))

    results = read_json(run.paths.results("test"))
    for row in results["per_class"]:
        for name in ("recall", "precision", "f1"):
            low, high = row[f"{name}_interval"]
            assert f"{row[name]:.3f} [{low:.3f}, {high:.3f}]" in told
    assert "Wilson" in told


def test_the_same_run_at_the_same_moment_makes_the_same_bundle(workspace, run, monkeypatch):
    monkeypatch.setattr("core.report.collect.time.time", lambda: 1.7e9)
    bundles = []
    for name in ("one.zip", "two.zip"):
        make_report(str(workspace.root), [run.id], str(workspace.root / name))
        bundles.append((workspace.root / name).read_bytes())

    assert bundles[0] == bundles[1]


def test_markdown_and_page_say_the_same_numbers(workspace, run):
    make_report(str(workspace.root), [run.id], str(workspace.root / "out.zip"))
    files = unzipped((workspace.root / "out.zip").read_bytes())
    page, text = text_of(files["report.html"].decode()), files["report.md"].decode()
    section = page[page.index("Every class, test") : page.index("What is taken for what, test")]

    measured = re.findall(r"\d\.\d{3}", section)
    assert len(measured) >= 3 * 9, "three classes, three figures of each, two bounds for every one"
    assert all(number in text for number in measured)


def test_a_sealed_test_split_stays_sealed_and_the_report_says_so(workspace):
    dataset = rows_dataset(workspace, {"train": [0, 1, 2], "validation": [0, 1, 2] * 4, "test": [0, 1, 2] * 4})
    run = answered(workspace, dataset, {"validation": [0, 1, 2] * 4, "test": [0, 1, 2] * 4}, opened=0)
    make_report(str(workspace.root), [run.id], str(workspace.root / "out.zip"))
    files = unzipped((workspace.root / "out.zip").read_bytes())

    assert openings(run.paths) == []
    assert not [name for name in files if "_test" in name], "although a table of it lies there"
    assert "The test split was opened 0 times" in files["report.html"].decode()


def test_every_look_at_the_test_split_is_counted(workspace, run):
    open_seal(run.paths, "page")
    open_seal(run.paths, "page")

    assert "The test split was opened 3 times" in html_of(workspace, run)


def test_a_test_result_of_other_weights_is_not_shown(workspace, run):
    results, path = read_json(run.paths.results("test")), run.paths.predictions("test")
    write_json(run.paths.results("test"), results | {"checkpoint": "epoch 1, of others"})
    path.write_text(path.read_text().replace(results["checkpoint"], "epoch 1, of others"))
    html = html_of(workspace, run)

    assert "12 validation" not in html
    assert "test pictures rightly" not in html
    assert "No result of it belongs to these weights" in html


def test_names_from_outside_are_text_in_every_format(workspace):
    labels = {"train": [0, 1], "validation": [0, 1] * 5}
    dataset = rows_dataset(workspace, labels, classes=(HOSTILE, "dog"))
    run = answered(workspace, dataset, {"validation": [1, 0] * 5})
    write_labels(run.paths.labels, Labels(name="<img src=x onerror=alert(2)>"))
    make_report(str(workspace.root), [run.id], str(workspace.root / "out.zip"), title="<b>bold</b>")
    files = unzipped((workspace.root / "out.zip").read_bytes())
    page, text = files["report.html"].decode(), files["report.md"].decode()

    assert "alert(1)" in text_of(page)
    assert not re.findall(r"<script>|<img src=x|<b>bold", page)
    assert "49" not in re.findall(r"e` &amp; (.{5})", page)
    assert not re.findall(r"(?<!\\)<(script|img|b)", text)
    assert not re.search(r"(?<!\\)\]\(javascript", text)
    assert verify(str(workspace.root / "out.zip")).matches


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("0.938 [0.911, 0.957]", "0.938 [0.911, 0.957]"),
        ("tf_efficientnet_lite0", "tf_efficientnet_lite0"),
        ("# no heading", r"\# no heading"),
        ("1. no list", r"1\. no list"),
        ("a *b* _c_", r"a \*b\* \_c\_"),
        ("[x](y)", r"\[x\](y)"),
        ("<b> & |", r"\<b\> &amp; \|"),
        ("https://a.b www.c.d e@f", r"https\://a.b www\.c.d e\@f"),
        ("two\nlines", "two lines"),
    ],
)
def test_markdown_shows_a_text_letter_for_letter(text, written):
    assert plain(text) == written


def test_what_was_left_out_is_named_and_what_must_not_be_left_out_stays(workspace, run):
    html = html_of(workspace, run, sections=["results"])

    assert re.findall(r'<section id="(\w+)">', html) == ["results", "limits", "repeat"]
    assert "Left out by whoever made this report: Task and data, Method" in html


def test_sections_without_anything_to_tell_say_why(workspace, run):
    told = text_of(html_of(workspace, run))

    assert "Comparison (there is one run)" in told
    assert "Hypothesis (nothing was written down before these runs began)" in told


def test_an_unknown_section_is_refused_with_the_names_there_are(workspace, run):
    with pytest.raises(InputError, match="'pictures of cats', expected some of data, method"):
        html_of(workspace, run, sections=["pictures of cats"])


@pytest.mark.parametrize("out", ["report.pdf", "report"])
def test_another_format_is_refused(workspace, run, out):
    with pytest.raises(InputError, match=".html, .md, .zip"):
        make_report(str(workspace.root), [run.id], str(workspace.root / out))


def test_a_run_that_still_trains_or_has_no_weights_is_refused(workspace, run):
    write_status(run.paths, replace(run.status, state=RunState.QUEUED))
    with pytest.raises(RunError, match="still trains"):
        html_of(workspace, run)
    write_status(run.paths, replace(run.status, state=RunState.FAILED))
    run.paths.best.unlink()
    with pytest.raises(RunError, match="no weights"):
        html_of(workspace, run)


def test_what_the_health_check_found_stands_in_the_report_with_some_of_its_files(workspace, run):
    dataset = Library(workspace).get(run.facts.dataset)
    found = Finding("copies", "warning", "4 pictures are copies.", "Leave them out.", files=tuple("abcdefgh"))
    report = HealthReport(dataset.id, 1, dataset.fingerprint, ("copies", "shortcut"), (found,), 1.0)
    write_report(workspace, dataset, report, labels=False)
    told = text_of(html_of(workspace, run))

    assert "1 warning" in told
    assert "4 pictures are copies." in told
    assert "a, b, c, d, e and 3 more" in told


def test_a_report_outlives_its_dataset(workspace, run):
    Library(workspace).delete(run.facts.dataset)
    told = text_of(html_of(workspace, run))

    assert "The data was no longer there" in told
    assert "Every class, test" in told


def test_several_runs_are_held_against_each_other_on_the_same_pictures_and_that_is_computed_again(workspace, run):
    other = answered(
        workspace,
        Library(workspace).get(run.facts.dataset),
        {
            split: [sample.label for sample in Library(workspace).get(run.facts.dataset).of(split)]
            for split in ("validation", "test")
        },
        recipe={"seed": 5, "name": "The better one"},
    )
    make_report(str(workspace.root), [run.id, other.id], str(workspace.root / "out.zip"))
    files = unzipped((workspace.root / "out.zip").read_bytes())
    told = text_of(files["report.html"].decode())

    assert "beyond chance" in told
    assert "Holm" in told
    assert "comparison.json" not in files, "a comparison is computed of the tables, not believed"
    assert verify(str(workspace.root / "out.zip")).matches


@pytest.mark.parametrize("number", [0, 13])
def test_a_report_is_on_one_run_or_some(workspace, number):
    with pytest.raises(InputError, match="1 to 12"):
        make_report(str(workspace.root), [f"run-{place}" for place in range(number)], str(workspace.root / "out.md"))


def test_notes_and_tags_stay_between_a_person_and_the_run(workspace, run):
    write_labels(run.paths.labels, Labels(name="Named", tags=("secret tag",), note="secret note"))
    make_report(str(workspace.root), [run.id], str(workspace.root / "out.zip"))
    files = unzipped((workspace.root / "out.zip").read_bytes())

    assert not [name for name, data in files.items() if b"secret" in data]
    assert b"Named names 67.5 %" in files["report.html"]


def test_nobody_is_told_where_the_files_lay(workspace, run):
    make_report(str(workspace.root), [run.id], str(workspace.root / "out.zip"))

    for name, data in unzipped((workspace.root / "out.zip").read_bytes()).items():
        assert str(workspace.root).encode() not in data, name


def test_pictures_that_were_changed_after_the_last_check_are_told_of(workspace, run):
    check_run(str(workspace.root), run.id)
    dataset = dataset_of(workspace, run)
    picture = dataset.path(dataset.of("validation")[0])
    picture.write_bytes(picture.read_bytes() + b"more")
    os.utime(picture, (run.facts.created + 60,) * 2)

    assert "Files of the data were touched since the run was made: 1 picture changed" in html_of(workspace, run)
