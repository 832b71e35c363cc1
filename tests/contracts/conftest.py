import pytest

from core.executors.inline import InlineExecutor
from core.executors.local import LocalExecutor
from tests.running import clear_away

EXECUTORS = {"inline": InlineExecutor, "local": LocalExecutor}


@pytest.fixture(params=EXECUTORS)
def executor(request, workspace):
    """Every executor in turn; nothing it started outlives the test."""
    found = EXECUTORS[request.param](workspace)
    yield found
    found.close()
    clear_away(workspace)
