"""Studies: runs that belong together, as a folder of readable files.

studies/<id>/
    study.json    kind, name, time, base recipe and what varies; never changes
    runs.jsonl    one line for each run that was made for it: its id, and what it varies
    state.json    of a search: where it stands

The figures of a study are always computed from its runs; a run that was deleted is simply no longer in it.
"""

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from core.errors import RunError, shown
from core.recipe import Recipe
from core.runs.journal import Journal
from core.workspace import Workspace, new_id, read_json, safe_id, write_json

Kind = Literal["seeds", "folds", "search", "duel", "leakage"]


@dataclass(frozen=True)
class StudyPaths:
    """Every file name of a study, in one place."""

    folder: Path

    @property
    def facts(self) -> Path:
        return self.folder / "study.json"

    @property
    def runs(self) -> Path:
        return self.folder / "runs.jsonl"

    @property
    def state(self) -> Path:
        return self.folder / "state.json"


@dataclass(frozen=True)
class Member:
    """One run of a study."""

    run: str  # its id
    # What makes it differ from the base recipe, {recipe path: value}; a run of a duel names its policy by its label
    varies: dict[str, Any]


@dataclass(frozen=True)
class Study:
    """One study, as it stands now."""

    id: str
    kind: Kind
    name: str
    created: float  # seconds since 1970
    recipe: Recipe  # what all its runs share, but for what they vary
    paths: StudyPaths
    members: tuple[Member, ...] = ()  # in the order in which they were made
    spec: dict[str, Any] = field(default_factory=dict)  # what varies, in the words of its kind


class StudyStore:
    """All studies of one workspace. Holds nothing: any number of stores, in any number of processes, see the same."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def create(self, kind: Kind, name: str, recipe: Recipe, spec: Mapping[str, Any]) -> Study:
        """Make a study that has no runs yet. Raises StorageError when the disk is full."""
        study_id = new_id(name or kind)
        facts = {
            "kind": kind,
            "name": name,
            "created": time.time(),
            "recipe": recipe.model_dump(mode="json"),
            "spec": dict(spec),
        }
        write_json(self._paths(study_id).facts, facts)
        return self.get(study_id)

    def add(self, study_id: str, run_id: str, varies: Mapping[str, Any]) -> None:
        """Write down that a run belongs to a study. Raises RunError when there is no such study."""
        Journal(self.get(study_id).paths.runs).append({"run": run_id, "varies": dict(varies)})

    def get(self, study_id: str) -> Study:
        """A study as it stands now. Raises RunError when it is not there or cannot be read."""
        if not safe_id(study_id) or not self._paths(study_id).facts.is_file():
            raise RunError("There is no such study", found=shown(study_id))
        paths = self._paths(study_id)
        try:
            facts = read_json(paths.facts) or {}
            members = tuple(Member(line["run"], dict(line["varies"])) for line in Journal(paths.runs).read())
            return Study(
                id=study_id,
                kind=facts["kind"],
                name=facts["name"],
                created=float(facts["created"]),
                recipe=Recipe.parse(facts["recipe"]),
                paths=paths,
                members=members,
                spec=dict(facts["spec"]),
            )
        except (KeyError, TypeError, ValueError, json.JSONDecodeError) as error:
            raise RunError(f"The study {study_id} cannot be read", found=repr(error), do="Delete it") from error

    def delete(self, study_id: str) -> None:
        """Delete a study; its runs stay. Raises RunError when there is no such study."""
        shutil.rmtree(self.get(study_id).paths.folder, ignore_errors=True)

    def _paths(self, study_id: str) -> StudyPaths:
        return StudyPaths(self.workspace.studies / study_id)

    # Last, because it hides the name of the builtin from the annotations below it

    def list(self) -> list[Study]:
        """All studies that can be read, newest first."""
        found = []
        for folder in self.workspace.studies.glob("*"):
            try:
                found.append(self.get(folder.name))
            except RunError:
                continue
        return sorted(found, key=lambda study: (study.created, study.id), reverse=True)
