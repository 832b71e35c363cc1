"""Which files are opened, as a measure of work that does not depend on the machine."""

import sys
from pathlib import Path

_listening: list[list[str]] = []


def _hear(event: str, arguments: tuple) -> None:
    if event == "open":
        for heard in _listening:
            heard.append(str(arguments[0]))


sys.addaudithook(_hear)  # cannot be taken back, so it is added once and hears only while somebody listens


class OpenedUnder:
    """The files opened below a folder while this is entered; `paths` afterwards."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._heard: list[str] = []

    def __enter__(self) -> "OpenedUnder":
        _listening.append(self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        _listening.remove(self._heard)

    @property
    def paths(self) -> list[str]:
        return [path for path in self._heard if path.startswith(self._folder)]
