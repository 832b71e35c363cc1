"""Delete a study of any kind, with its runs or without."""

from core.errors import RunError
from core.runs.store import RunStore
from core.studies import search
from core.studies.study import StudyStore
from core.workspace import Workspace


def delete_study(workspace: Workspace, study_id: str, *, runs: bool) -> None:
    """Delete a study, and with `runs` its runs too.

    Raises RunError when there is no such study, for a search at work, and while a run is at work that is to go too.
    """
    studies, store = StudyStore(workspace), RunStore(workspace)
    study = studies.get(study_id)
    if study.kind == "search" and search.standing(study).is_active:
        raise RunError("This search is at work", do="Stop it first, then delete it")
    if runs:
        there = [member.run for member in study.members if (workspace.runs / member.run).is_dir()]
        if any(store.status(run).state.has_worker for run in there):
            raise RunError("A run of this study is at work", do="Stop the study first, then delete it with its runs")
        for run in there:
            store.delete(run)
    studies.delete(study_id)
