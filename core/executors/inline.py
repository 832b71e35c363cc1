"""Runs in this very process: for the command line, for notebooks and for tests."""

from collections.abc import Callable
from typing import Any

from core.executors.base import Executor
from core.executors.worker import work
from core.workspace import Workspace


class InlineExecutor(Executor):
    """`submit` and `resume` return when the run has ended, however it ended; `told` hears every journal entry."""

    def __init__(self, workspace: Workspace, told: Callable[[dict[str, Any]], None] = lambda entry: None) -> None:
        super().__init__(workspace)
        self._told = told

    def _take(self, run_id: str) -> None:
        work(self.store.paths(run_id).folder, told=self._told)
