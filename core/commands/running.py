"""What the commands share that train several runs together."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from core.commands.shared import tell
from core.commands.training import interrupt_stops, tell_epoch
from core.errors import FoveaError, TrainingError
from core.runs.run import RunState
from core.runs.store import RunStore
from core.studies.study import Study
from core.workspace import Workspace


def work_on(study: Study, workspace: Workspace, told: Callable[[Mapping[str, Any]], str], *, detach: bool) -> None:
    """Train the runs of a study here and now, or have them queued; `told` says what a run varies."""
    from core.executors.inline import InlineExecutor
    from core.executors.local import LocalExecutor
    from core.studies import repeats

    tell(f"{study.id}: {study.name}")
    if detach:
        repeats.submit(LocalExecutor(workspace), study)
        return
    executor, store = InlineExecutor(workspace, told=tell_epoch), RunStore(workspace)
    for place, member in enumerate(study.members, start=1):
        tell(f"run {place} of {len(study.members)}: {told(member.varies)}")
        with interrupt_stops(store.paths(member.run)):
            executor.submit(member.run)
        if store.status(member.run).state is RunState.STOPPED:
            repeats.stop(executor, study)
            break


def failed_runs(answer: dict) -> FoveaError | None:
    """What to complain of where runs of a study failed."""
    failed = [run for run in answer["runs"] if run["state"] == "failed"]
    told = f"{len(failed)} of {answer['planned']} runs failed"
    return TrainingError(told, found=failed[0]["sentence"]) if failed else None


def not_counted(answer: dict) -> Iterator[str]:
    """A line for each run of a study that does not count, with what became of it."""
    for run in answer["runs"]:
        if run["sentence"]:
            yield f"not counted, {run['label']}: {run['state']}. {run['sentence']}"
