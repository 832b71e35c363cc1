"""The Report page: one click for what is handed in, and a check of what was handed in."""

import pytest

from core.report.bundle import make_report
from core.runs.labels import Labels, write_labels
from core.runs.seal import openings
from tests.core.report.conftest import made_run, unzipped, zipped
from tests.pages.conftest import well, words


@pytest.fixture
def run(workspace):
    return made_run(workspace)


def checked(app, path):
    """The page after a file was dropped on its second tab."""
    app.session_state["report_tabs"] = ":material/fact_check: Verify a bundle"
    app.run()
    app.file_uploader(key="verify_file").upload(path.name, path.read_bytes()).run()
    well(app)
    return app


def test_without_a_run_the_page_shows_the_way_to_one(visit, workspace):
    assert "No run has ended yet." in words(visit("report"))


def test_the_run_in_hand_is_written_about_at_once_in_every_format(visit, run, workspace):
    app = visit("report")

    assert app.multiselect(key="report_runs").value == [run.id]
    assert [button.label.split(" ·")[0] for button in app.get("download_button")] == ["HTML", "Markdown", "Bundle"]
    [folder] = (workspace.cache / "reports").iterdir()
    assert {path.name for path in folder.iterdir()} == {"report.html", "report.md", "report.zip"}
    assert len(openings(run.paths)) == 1, "it was opened once before, and not by the report"


def test_a_section_that_is_left_out_is_left_out_of_what_is_taken_along(visit, run, workspace):
    app = visit("report")
    app.pills(key="report_sections").set_value(["results"]).run()
    well(app)

    newest = max((workspace.cache / "reports").iterdir(), key=lambda path: path.stat().st_mtime)
    html = (newest / "report.html").read_text(encoding="utf-8")
    assert '<section id="method">' not in html
    assert "Left out by whoever made this report" in html


def test_a_report_is_written_again_only_when_something_has_changed(visit, run, workspace):
    written = workspace.cache / "reports"
    app = visit("report")
    app.switch_page("pages/report.py").run()  # meanwhile the Data page's health check has ended, which is news
    number = len(list(written.iterdir()))
    app.switch_page("pages/report.py").run()
    assert len(list(written.iterdir())) == number
    write_labels(run.paths.labels, Labels(name="Another name"))
    app.switch_page("pages/report.py").run()
    well(app)

    assert len(list(written.iterdir())) == number + 1


def test_a_bundle_that_matches_says_so_and_what_no_check_can_know(visit, run, workspace, tmp_path):
    make_report(str(workspace.root), [run.id], str(tmp_path / "handed in.zip"))
    told = words(checked(visit("report"), tmp_path / "handed in.zip"))

    assert "Everything matches" in told
    assert "What this cannot know" in told


def test_a_changed_number_is_named_with_what_it_should_be(visit, run, workspace, tmp_path):
    make_report(str(workspace.root), [run.id], str(tmp_path / "report.zip"))
    files = unzipped((tmp_path / "report.zip").read_bytes())
    zipped(tmp_path / "edited.zip", files | {"report.html": files["report.html"].replace(b"67.5 %", b"97.5 %", 1)})
    app = checked(visit("report"), tmp_path / "edited.zip")
    told = words(app)

    assert r"1 place in report\.html does not match" in told
    assert r"found **97\.5**, should be **67\.5**" in told
    [row] = app.dataframe[-1].value.to_dict("records")
    assert (row["file"], row["found"], row["recomputed"]) == ("report.html", "97.5", "67.5")


def test_a_file_that_is_no_report_is_refused_in_a_sentence(visit, workspace, tmp_path):
    (tmp_path / "thing.zip").write_bytes(b"no zip at all")

    assert "is no report of Fovea that can be checked" in words(checked(visit("report"), tmp_path / "thing.zip"))
