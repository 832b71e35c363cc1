"""A report that somebody changed: what was changed is named, with its place, what it says and what it should say."""

import base64
import json
import random
import re
import zipfile
from pathlib import Path

import pytest

from core.errors import InputError
from core.report.bundle import MANIFEST, PAGE, TEXT, make_report
from core.report.verify import Verification, verify
from tests.core.report.conftest import unzipped, zipped

NUMBER = re.compile(r"(?<![\w.#])\d+(?:\.\d+)?(?![\w.])")
KINDS = {
    "page": lambda name: name == PAGE,
    "markdown": lambda name: name == TEXT,
    "results": lambda name: "/results_" in name,
    "tables": lambda name: name.endswith(".csv"),
    "recipe": lambda name: name.endswith("recipe.json"),
    "facts": lambda name: name.endswith(("run.json", "state.json", "data.json", "split.json", "report.json")),
    "journal": lambda name: name.endswith(".jsonl"),
}
EDITS = 5  # of each kind; more in the slow test


def own(found: Verification) -> list:
    """The differences that follow from no other one."""
    return [one for one in found.differences if not one.follows]


def changed_digit(number: str, dice: random.Random) -> str:
    """A number with another digit in one place; never a zero in front, which JSON does not know."""
    places = [place for place, letter in enumerate(number) if letter.isdigit()]
    place = dice.choice(places)
    others = [digit for digit in "123456789" if digit != number[place]]
    return number[:place] + dice.choice(others) + number[place + 1 :]


def visible(name: str, text: str) -> tuple[int, int]:
    """The part of a file that may be edited for a test: of the page what is between its style and its evidence."""
    if name != PAGE:
        return 0, len(text)
    return text.index("</style>"), text.index('<script type="application/zip"')


def edits(files: dict[str, bytes], kind: str, number: int, seed: int):
    """Files with one number changed: (name, what stood there, what stands there now, the file)."""
    dice = random.Random(f"{kind} {seed}")
    spots = []
    for name in sorted(files):
        if KINDS[kind](name):
            text = files[name].decode()
            spots += [(name, spot) for spot in NUMBER.finditer(text, *visible(name, text))]
    for name, spot in dice.sample(spots, min(number, len(spots))):
        text = files[name].decode()
        new = changed_digit(spot[0], dice)
        yield name, spot[0], new, (text[: spot.start()] + new + text[spot.end() :]).encode()


def tells(text: str, number: str) -> bool:
    """Whether a text has a number in it, or is one that reads the same: the last digit of 17 may be another."""
    return number in text or (NUMBER.fullmatch(text) is not None and float(text) == float(number))


def assert_named(bundle: bytes, kind: str, number: int, seed: int, folder: Path) -> None:
    files = unzipped(bundle)
    for name, before, after, data in edits(files, kind, number, seed):
        found = verify(zipped(folder / "edited.zip", files | {name: data}))
        assert not found.matches
        [one] = own(found)
        assert one.file == name, (before, after)
        assert one.place
        assert tells(one.found, after), (one, before, after)
        assert tells(one.recomputed, before), (one, before, after)


def test_a_bundle_that_nobody_touched_matches(bundle, tmp_path):
    found = verify(zipped(tmp_path / "report.zip", unzipped(bundle)))

    assert found.matches
    assert found.differences == ()
    assert "67.5 % of 40 test pictures" in found.headline
    assert found.cannot_know


def test_a_page_that_came_alone_matches_too(bundle, tmp_path):
    (tmp_path / "handed in.html").write_bytes(unzipped(bundle)[PAGE])

    assert verify(str(tmp_path / "handed in.html")).matches


def test_a_bundle_packed_again_in_a_folder_of_its_own_matches(bundle, tmp_path):
    files = {f"my report/{name}": data for name, data in unzipped(bundle).items()}

    assert verify(zipped(tmp_path / "report.zip", files | {"__MACOSX/._my report": b"junk"})).matches


def test_a_bundle_that_was_unpacked_is_checked_as_well(bundle, tmp_path):
    for name, data in unzipped(bundle).items():
        (tmp_path / "unpacked" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "unpacked" / name).write_bytes(data)
    assert verify(str(tmp_path / "unpacked")).matches

    page = tmp_path / "unpacked" / PAGE
    page.write_bytes(page.read_bytes().replace(b"67.5 %", b"76.5 %", 1))
    assert [one.found for one in verify(str(tmp_path / "unpacked")).differences] == ["76.5"]


def test_a_page_of_nothing_but_brackets_is_not_read_to_its_end(bundle, tmp_path):
    files = unzipped(bundle)
    edited = files[PAGE].replace(b"</main>", b"<![" * 200_000)
    found = verify(zipped(tmp_path / "edited.zip", files | {PAGE: edited}))

    [one] = found.differences
    assert (one.file, one.place) == (PAGE, "whole file")


def test_line_ends_of_another_system_change_nothing_that_is_said(bundle, tmp_path):
    (tmp_path / "page.html").write_bytes(unzipped(bundle)[PAGE].replace(b"\n", b"\r\n"))

    assert verify(str(tmp_path / "page.html")).matches


@pytest.mark.parametrize("kind", KINDS)
def test_one_number_that_was_changed_is_named_with_its_place_and_what_it_should_be(bundle, tmp_path, kind):
    assert_named(bundle, kind, EDITS, 0, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
@pytest.mark.parametrize("kind", KINDS)
def test_many_numbers_that_were_changed_are_named_one_by_one(bundle, tmp_path, kind, seed):
    assert_named(bundle, kind, 60, seed, tmp_path)


@pytest.mark.parametrize("kind", ["page"])
def test_a_number_changed_in_a_page_that_came_alone_is_named(bundle, tmp_path, kind):
    files = unzipped(bundle)
    for _, before, after, data in edits(files, kind, EDITS, 7):
        (tmp_path / "page.html").write_bytes(data)
        [one] = verify(str(tmp_path / "page.html")).differences
        assert after in one.found, before
        assert before in one.recomputed


def test_a_changed_answer_says_what_the_results_would_have_become(bundle, tmp_path):
    files = unzipped(bundle)
    name = next(name for name in files if name.endswith("predictions_test.csv"))
    rows = files[name].decode().splitlines()
    wrong = next(place for place, row in enumerate(rows[1:], 1) if row.split(",")[-5] != row.split(",")[-4])
    cells = rows[wrong].split(",")
    cells[-5] = cells[-4]  # the truth becomes what was answered
    rows[wrong] = ",".join(cells)
    found = verify(zipped(tmp_path / "edited.zip", files | {name: ("\r\n".join(rows) + "\r\n").encode()}))

    [one] = own(found)
    assert one.place == f"row {wrong + 1}, column truth"
    following = {row.place: row for row in found.differences if row.follows == name}
    assert (following["accuracy"].found, following["accuracy"].recomputed) == ("0.675", "0.7")


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        (b"67.5 %", b"97.5 %", "First page"),
        (b"<h2>Limits</h2>", b"<h2>Strengths</h2>", "Limits"),
        (b"The test split was opened 1 time", b"The test split was opened 0 times", "Limits"),
        (b"color-scheme: light", b"color-scheme: light; } #limits { display: none", "First page"),
        (b"</main>", b"<p>All reviewers were convinced.</p></main>", "Closing words"),
        (b"</main>", b"<!-- hidden --></main>", "Closing words"),
        (b"</head>", b"<script>document.title = 1</script></head>", "First page"),
    ],
)
def test_words_markup_and_what_hides_are_checked_like_numbers(bundle, tmp_path, before, after, place):
    files = unzipped(bundle)
    edited = files[PAGE].replace(before, after, 1)
    assert edited != files[PAGE]
    found = verify(zipped(tmp_path / "edited.zip", files | {PAGE: edited}))

    assert not found.matches
    assert {one.file for one in found.differences} == {PAGE}
    assert place in found.differences[0].place


def test_what_was_left_out_of_the_page_is_named(bundle, tmp_path):
    files = unzipped(bundle)
    edited = re.sub(rb'<section id="limits">.*?</section>', b"", files[PAGE], flags=re.DOTALL)
    found = verify(zipped(tmp_path / "edited.zip", files | {PAGE: edited}))

    assert any(one.found == "nothing" and "opened 1 time" in one.recomputed for one in found.differences)


def test_a_missing_a_foreign_and_a_broken_file_are_named(bundle, tmp_path):
    files = unzipped(bundle)
    recipe = next(name for name in files if name.endswith("recipe.json"))
    clock = next(name for name in files if name.endswith("clock.jsonl"))
    del files[clock]
    found = verify(zipped(tmp_path / "edited.zip", files | {"notes.txt": b"hello", recipe: b"{ no recipe"}))

    told = {one.file: one for one in found.differences}
    assert set(told) == {clock, "notes.txt", recipe}
    assert told[clock].found == "nothing"
    assert told["notes.txt"].recomputed == "nothing"
    assert "cannot be read" in told[recipe].found


def test_a_changed_hash_alone_is_told_as_such(bundle, tmp_path):
    files = unzipped(bundle)
    manifest = json.loads(files[MANIFEST])
    name = next(name for name in manifest["files"] if name.endswith("recipe.json"))
    manifest["files"][name] = "0" * 64
    found = verify(zipped(tmp_path / "edited.zip", files | {MANIFEST: json.dumps(manifest).encode()}))

    [one] = found.differences
    assert (one.file, one.place, one.found) == (MANIFEST, f"files.{name}", "0" * 64)


def test_bytes_that_change_no_value_are_told_as_that(bundle, tmp_path):
    files = unzipped(bundle)
    name = next(name for name in files if name.endswith("recipe.json"))
    found = verify(zipped(tmp_path / "edited.zip", files | {name: files[name] + b"\n"}))

    [one] = found.differences
    assert one.sentence == "Its bytes were changed, but no value in it."


def test_without_a_page_and_a_manifest_the_rest_is_still_computed_again(bundle, tmp_path):
    files = unzipped(bundle)
    name = next(name for name in files if name.endswith("results_test.json"))
    files[name] = files[name].replace(b"0.675", b"0.975")
    del files[PAGE]
    found = verify(zipped(tmp_path / "edited.zip", files))

    assert any((one.file, one.found, one.recomputed) == (name, "0.975", "0.675") for one in found.differences)


def test_what_the_page_carries_can_be_changed_as_little_as_what_it_says(bundle, tmp_path):
    files = unzipped(bundle)
    edited = re.sub(rb'(id="evidence">.{200})....', rb"\1AAAA", files[PAGE], flags=re.DOTALL)
    found = verify(zipped(tmp_path / "edited.zip", files | {PAGE: edited}))

    assert not found.matches
    assert {one.file for one in found.differences} == {PAGE}


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 no zip", b"<html></html>"])
def test_what_is_no_report_is_refused_in_a_sentence(tmp_path, content):
    (tmp_path / "thing.zip").write_bytes(content)

    with pytest.raises(InputError) as refused:
        verify(str(tmp_path / "thing.zip"))
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize("name", ["../../escape.json", "/etc/evil", "runs/../../x/recipe.json"])
def test_a_bundle_that_would_write_elsewhere_is_refused(bundle, tmp_path, name):
    with pytest.raises(InputError):
        verify(zipped(tmp_path / "evil.zip", unzipped(bundle) | {name: b"{}"}))
    assert {path.name for path in tmp_path.iterdir()} == {"evil.zip"}


def test_a_table_that_would_fill_the_memory_is_told_of_and_not_read(bundle, tmp_path):
    files = unzipped(bundle)
    name = next(name for name in files if name.endswith("predictions_test.csv"))
    header = "sample_id,file,split,checkpoint,truth,predicted," + ",".join(f"p:{n}" for n in range(50_000))
    for old in (PAGE, MANIFEST):
        del files[old]
    files["report.md"] = b""
    found = verify(zipped(tmp_path / "large.zip", files | {name: header.encode() + b"\r\n"} | {MANIFEST: b"{}"}))

    assert any("too large" in one.found for one in found.differences)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"runs": 3, "sections": []}', '{"runs": ["../x"], "sections": ["data"]}']
)
def test_evidence_that_is_nonsense_ends_in_differences_and_not_in_a_traceback(bundle, tmp_path, text):
    files = unzipped(bundle)
    del files[PAGE], files[MANIFEST]
    found = verify(zipped(tmp_path / "nonsense.zip", files | {"report.json": text.encode(), MANIFEST: b"{}"}))

    assert not found.matches


def test_a_second_page_of_the_same_name_and_one_beside_the_report_are_told_of(bundle, tmp_path):
    files = unzipped(bundle)
    forged = files[PAGE].replace(b"67.5 %", b"97.5 %")
    path = zipped(tmp_path / "twice.zip", files)
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr(PAGE, forged)
    [one] = verify(path).differences
    assert (one.file, one.sentence.split(":")[0]) == (PAGE, "It is there twice")

    inside = {f"a/{name}": data for name, data in files.items()}
    [one] = verify(zipped(tmp_path / "beside.zip", inside | {"b/report.html": forged})).differences
    assert (one.file, one.sentence) == ("b/report.html", "It lies outside of the report.")
    assert not verify(zipped(tmp_path / "above.zip", inside | {PAGE: forged})).matches


def test_what_was_taken_out_of_bundle_and_manifest_is_missed(bundle, tmp_path):
    files = unzipped(bundle)
    gone = [TEXT, next(name for name in files if name.endswith("results_test.json"))]
    manifest = json.loads(files[MANIFEST])
    for name in gone:
        del files[name], manifest["files"][name]
    found = verify(zipped(tmp_path / "edited.zip", files | {MANIFEST: json.dumps(manifest).encode()}))

    assert sorted(one.file for one in found.differences) == sorted(gone)
    assert {one.found for one in found.differences} == {"nothing"}


def test_a_table_changed_in_both_its_copies_is_blamed_and_not_the_manifest(bundle, tmp_path):
    files = unzipped(bundle)
    name = next(name for name in files if name.endswith("predictions_test.csv"))
    rows = files[name].decode().splitlines()
    wrong = next(place for place, row in enumerate(rows[1:], 1) if row.split(",")[-5] != row.split(",")[-4])
    cells = rows[wrong].split(",")
    cells[-5] = cells[-4]
    edited = "\r\n".join([*rows[:wrong], ",".join(cells), *rows[wrong + 1 :]]).encode() + b"\r\n"
    found_in_page = re.search(rb'id="evidence">(.*?)</script>', files[PAGE], re.DOTALL)
    inner = unzipped(base64.b64decode(found_in_page[1])) | {name: edited}
    packed = base64.b64encode(Path(zipped(tmp_path / "inner.zip", inner)).read_bytes())
    page = files[PAGE].replace(found_in_page[1], packed)
    found = verify(zipped(tmp_path / "edited.zip", files | {name: edited, PAGE: page}))

    blamed = [one for one in found.differences if one.sentence.startswith("Both copies")]
    assert [one.file for one in blamed] == [name]
    assert not any(one.file == MANIFEST and name in one.place for one in found.differences)


def test_a_bundle_whose_evidence_is_too_large_for_its_page_matches(workspace, run, tmp_path, monkeypatch):
    monkeypatch.setattr("core.report.bundle._MOST_CARRIED", 10)
    make_report(str(workspace.root), [run.id], str(tmp_path / "report.zip"))

    assert verify(str(tmp_path / "report.zip")).differences == ()


def test_what_a_file_manager_leaves_in_an_unpacked_bundle_is_no_edit(bundle, tmp_path):
    for name, data in (unzipped(bundle) | {".DS_Store": b"junk"}).items():
        (tmp_path / "unpacked" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "unpacked" / name).write_bytes(data)

    assert verify(str(tmp_path / "unpacked")).matches
