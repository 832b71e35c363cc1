import pytest

from core.executors.local import LocalExecutor
from tests.running import clear_away


@pytest.fixture
def local(workspace):
    """A local executor of this workspace; no process it started outlives the test."""
    yield LocalExecutor(workspace)
    clear_away(workspace)
