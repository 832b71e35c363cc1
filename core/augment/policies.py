"""Policies that people put together themselves, kept by name as readable files.

workspace/policies/<name in plain letters>-<digits>.json    name, sentence, rows, when it was saved

A saved policy is one more `core.augment.catalog.Policy`, so whatever takes a policy of the catalog takes it too. No run
depends on its file: a recipe carries the rows it was made with.
"""

import re
import time
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from core.augment.catalog import POLICIES, Policy, resolve
from core.errors import InputError, shown, storage_errors
from core.recipe import AugmentChoice, Recipe, TransformChoice
from core.seeding import fingerprint
from core.workspace import Workspace, read_json, write_json

LONGEST_NAME = 60  # letters
MOST_ROWS = 64  # in one policy


class PolicyStore:
    """All saved policies of one workspace. Holds nothing: any number of stores, in any process, see the same."""

    def __init__(self, workspace: Workspace) -> None:
        self._folder = workspace.policies

    def get(self, name: str) -> Policy:
        """The policy saved under this name, capitals or not. Raises InputError when there is none, or its file cannot
        be read; RecipeError when a row in it is none that can be used any more."""
        name = _checked_name(name)
        path = self._path(name)
        if not path.is_file():
            raise InputError("There is no saved policy of this name", found=shown(name), expected=self._names())
        return _read(path)

    def save(self, name: str, rows: Sequence[TransformChoice], *, sentence: str = "", replace: bool = False) -> Policy:
        """Keep rows under a name, every knob written out, and give them back as a policy.

        Raises InputError for a name that is empty, too long, not on one line or one of the catalog's, for no rows, and
        for a name that is taken unless `replace` is set; RecipeError for a row that cannot be used; StorageError when
        the disk is full.
        """
        name = _checked_name(name)
        if name.casefold() in {word.casefold() for row in POLICIES for word in (row.name, row.label)}:
            raise InputError(f"{name!r} is a policy of Fovea's own", do="Choose another name")
        if not 0 < len(rows) <= MOST_ROWS:
            raise InputError(
                "This policy cannot be kept", found=f"{len(rows)} transforms", expected=f"1 to {MOST_ROWS}"
            )
        checked = resolve(AugmentChoice(policy=name, rows=tuple(rows)))
        path = self._path(name)
        if path.is_file() and not replace:
            raise InputError(f"There is a policy called {name!r} already", do="Choose another name, or replace it")
        write_json(
            path,
            {
                "name": name,
                "sentence": " ".join(sentence.split()),
                "saved": time.time(),
                "rows": [row.model_dump(mode="json") for row in checked],
            },
        )
        return _read(path)

    def delete(self, name: str) -> None:
        """Delete the policy of this name; runs keep the rows they had. Raises InputError when there is none."""
        path = self._path(_checked_name(name))
        if not path.is_file():
            raise InputError("There is no saved policy of this name", found=shown(name), expected=self._names())
        with storage_errors(path):
            path.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
        slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-")
        return self._folder / f"{slug or 'policy'}-{fingerprint(name.casefold())[:8]}.json"

    def _names(self) -> str:
        names = [policy.name for policy in self.list()]
        return "one of " + ", ".join(names) if names else "a policy that was saved; none is yet"

    # Last, because it hides the name of the builtin from the annotations above it

    def list(self) -> tuple[Policy, ...]:
        """All policies that can be read, by name."""
        found = []
        for path in self._folder.glob("*.json"):
            try:
                found.append(_read(path))
            except InputError:
                continue
        return tuple(sorted(found, key=lambda policy: policy.name.casefold()))


def _checked_name(name: str) -> str:
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise InputError(
            "A policy cannot be called this", found=shown(name), expected=f"1 to {LONGEST_NAME} letters on one line"
        )
    return name


def _read(path: Path) -> Policy:
    facts = read_json(path)
    try:
        name, sentence, rows = str(facts["name"]), str(facts["sentence"]), list(facts["rows"])
    except (KeyError, TypeError) as error:
        raise InputError(f"The policy {path.name} cannot be read", found=repr(error), do="Save it again") from error
    chosen = resolve(Recipe.parse({"augment": {"policy": name, "rows": rows}}).augment)
    return Policy(name, name, sentence, chosen)
