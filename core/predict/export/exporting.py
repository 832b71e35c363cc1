"""A run's model or its training, as a file to take away."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.errors import InputError, RunError, shown
from core.evaluate.current import digest_of
from core.predict.export.kept import Format, find_format, kept_facts, kept_file
from core.runs.data import dataset_of
from core.runs.run import RunPaths
from core.runs.store import RunStore
from core.workspace import Workspace, insist_on_file, write_json

Report = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Exported:
    """What was written."""

    run: str
    format: str
    file: str
    bytes: int
    contents: tuple[str, ...]  # what is in it
    sentence: str  # what it is and how it was checked
    checked: dict[str, Any] | None = None  # of an ONNX file: its Agreement

    def to_json(self) -> dict[str, Any]:
        """Plain data, as the command line gives it."""
        return asdict(self) | {"contents": list(self.contents)}


def export_run(root: str, run_id: str, kind: str, out: str, *, report: Report | None = None) -> dict[str, Any]:
    """Export a run of the workspace in `root` as a file of one of the FORMATS; gives what Exported holds.

    Raises InputError for a format there is none of, for a file that is not called as its format is, and for a run that
    cannot be said in it; RunError when the run is not there or has no weights yet; DatasetError when its data is gone
    or no longer the same; StorageError when the disk is full.
    """
    found, file = find_format(kind), Path(out)
    if file.suffix.lower() not in found.suffixes:
        raise InputError("--out", found=shown(file.name), expected="a name ending in " + " or ".join(found.suffixes))
    insist_on_file(file)
    return _export(Workspace(Path(root)), run_id, found, file, report).to_json()


def keep_export(root: str, run_id: str, kind: str, *, report: Report | None = None) -> dict[str, Any]:
    """As `export_run`, into the run's own folder, where a page finds it until the weights change."""
    workspace = Workspace(Path(root))
    paths = RunStore(workspace).paths(run_id)
    _insist_on_weights(paths)
    digest = digest_of(paths.best)
    file = kept_file(paths, kind)
    answer = export_run(root, run_id, kind, str(file), report=report)
    write_json(kept_facts(paths, kind), answer | {"weights": digest})
    return answer


def _export(workspace: Workspace, run_id: str, kind: Format, file: Path, report: Report | None) -> Exported:
    # Here, since these load torch and ONNX, which a command that only asks for help does without.
    from core.predict.export.bundle import write_model_zip, write_script, write_script_zip
    from core.train.checkpoint import load_trained

    run, checked = RunStore(workspace).get(run_id), None
    _insist_on_weights(run.paths)
    if kind.name == "onnx":
        from core.predict.export.onnx_file import write_onnx

        dataset = dataset_of(workspace, run)
        trained = load_trained(run.paths.best)
        found = write_onnx(file, trained, dataset, run_id=run.id, best=run.paths.best, report=report)
        checked, contents, sentence = found.to_json(), [file.name], found.sentence
    elif kind.name == "zip":
        contents = write_model_zip(file, run, load_trained(run.paths.best))
        sentence = "Before it was written, the network that use.py builds was seen to be the one these weights are of."
    else:
        dataset = dataset_of(workspace, run)
        if file.suffix.lower() == ".zip":
            contents = write_script_zip(file, run, dataset, workspace.cache, report)
        else:
            contents = write_script(file, run, dataset, workspace.cache)
        sentence = (
            "It trains the same run without Fovea, from the same seeds. Before it was written it was seen to start "
            "from the same weights, and to see the same pictures in the same variants."
        )
    return Exported(run.id, kind.name, str(file), file.stat().st_size, tuple(contents), sentence, checked)


def _insist_on_weights(paths: RunPaths) -> None:
    if not paths.best.exists():
        raise RunError("This run has no saved model", do="Let it train for one epoch, then try again")
