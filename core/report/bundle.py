"""A report as files: one page that carries its own evidence, Markdown, or a bundle of everything with its hashes.

    report.html report.md     what there is to read; the page carries the evidence a second time, packed into it
    report.json runs/ pictures/ ...   the evidence, as `core.report.evidence` lays it out
    runs/<id>/results_<split>.json    what was computed from the prediction tables
    manifest.json             the SHA-256 of every file

A zip is packed in one order and with one time, so the same evidence makes the same bundle.
"""

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from core.errors import InputError, storage_errors
from core.report.collect import Report, collect
from core.report.evidence import PICTURE_FOLDER, RUNS, Evidence
from core.report.markdown import write_markdown
from core.report.page import inside, write_html
from core.report.sections import NAMES
from core.report.writing import write_document
from core.workspace import Workspace, insist_on_file, replacing

MANIFEST, PAGE, TEXT = "manifest.json", "report.html", "report.md"
KIND = "fovea-report"
FORMATS = (".html", ".md", ".zip")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time a zip can name
_MOST_CARRIED = 48 * 2**20  # bytes of packed evidence in a page; a larger one is in the bundle only


def make_report(
    root: str,
    run_ids: Sequence[str],
    out: str,
    *,
    sections: Sequence[str] = NAMES,
    title: str = "",
    report: Report = lambda done, of, what: None,
) -> dict[str, object]:
    """Write the report on these runs as `out`, whose ending says how: .html, .md, or .zip for the bundle.

    Gives {"file", "runs", "sections", "bytes"}. Raises InputError for another ending and for what `collect` refuses,
    StorageError when the disk is full.
    """
    path = Path(out)
    if path.suffix.lower() not in FORMATS:
        raise InputError("A report is written as one of " + ", ".join(FORMATS), found=path.suffix or path.name)
    insist_on_file(path)
    asked, content = _made(root, run_ids, sections, title, report)
    with replacing(path) as target:
        target.write_bytes(content[path.suffix.lower()])
    size = len(content[path.suffix.lower()])
    return {"file": str(path), "runs": asked["runs"], "sections": asked["sections"], "bytes": size}


def make_all(
    root: str,
    run_ids: Sequence[str],
    folder: str,
    *,
    sections: Sequence[str] = NAMES,
    title: str = "",
    report: Report = lambda done, of, what: None,
) -> None:
    """Write the report in every format, as report.html, report.md and report.zip in a folder that appears with them.

    Raises what `make_report` does.
    """
    _, content = _made(root, run_ids, sections, title, report)
    for ending, data in content.items():
        with replacing(Path(folder) / f"report{ending}") as target:
            target.write_bytes(data)


def _made(
    root: str, run_ids: Sequence[str], sections: Sequence[str], title: str, report: Report
) -> tuple[Mapping[str, Any], dict[str, bytes]]:
    """What was asked for, and the report in every format by its ending."""
    with tempfile.TemporaryDirectory(prefix="report-") as temporary, storage_errors(temporary):
        folder = Path(temporary)
        collect(Workspace(Path(root)), run_ids, folder, sections=sections, title=title, report=report)
        evidence = Evidence(folder)
        files = written(evidence)
        return evidence.asked, {".html": files[PAGE], ".md": files[TEXT], ".zip": pack(folder, files)}


def written(evidence: Evidence) -> dict[str, bytes]:
    """Everything that follows from the evidence, by name: the page, the Markdown and the results."""
    document = write_document(evidence)
    pictures = evidence.folder / PICTURE_FOLDER
    page = write_html(
        document,
        lambda name: inside((pictures / name).read_bytes()),
        carried(evidence.folder),
    )
    return {PAGE: page.encode(), TEXT: write_markdown(document).encode(), **results(evidence)}


def results(evidence: Evidence) -> dict[str, bytes]:
    """What the prediction tables say, as the results files of the runs."""
    return {
        f"{RUNS}/{run.id}/{run.paths.results(split).name}": _json(result.to_json())
        for run in evidence.runs
        for split, result in run.results.items()
    }


def carried(folder: Path) -> bytes:
    """What a page carries: the evidence without its pictures, which are in the page already, as a zip; nothing where
    that is too large for a page."""
    packed = _zip({name: path.read_bytes() for name, path in evidence_files(folder) if not is_picture(name)})
    return packed if len(packed) <= _MOST_CARRIED else b""


def pack(folder: Path, files: dict[str, bytes]) -> bytes:
    """The bundle: the evidence, what follows from it, and the hash of each file."""
    everything = files | {name: path.read_bytes() for name, path in evidence_files(folder)}
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(everything.items())}
    return _zip({MANIFEST: _json({"kind": KIND, "version": 1, "files": hashes}), **everything})


def evidence_files(folder: Path) -> list[tuple[str, Path]]:
    """Every file of the evidence with its name in the bundle, in one order."""
    found = [(path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file()]
    return sorted(found)


def is_picture(name: str) -> bool:
    """Whether a name is that of a picture."""
    return name.startswith(f"{PICTURE_FOLDER}/")


def _zip(files: dict[str, bytes]) -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_STORED if is_picture(name) else zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return target.getvalue()


def _json(data: object) -> bytes:
    return json.dumps(data, indent=1, ensure_ascii=False).encode()
