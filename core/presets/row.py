"""What a preset is: a named starting point for a recipe, holding only what differs from the default, with reasons."""

from dataclasses import dataclass
from typing import Any

from core.recipe import Recipe


@dataclass(frozen=True)
class Setting:
    """One field that a preset sets, by its path in the recipe, and why."""

    path: str
    value: Any
    reason: str


@dataclass(frozen=True)
class Preset:
    """A starting point a person can pick by name."""

    name: str
    label: str
    task: str
    summary: str
    settings: tuple[Setting, ...] = ()
    page: str = ""  # of a preset that follows a report: what the report did, and what to look for in a run of it
    differs: tuple[str, ...] = ()  # one sentence for each thing that the report did or had otherwise, and why

    @property
    def changes(self) -> dict[str, Any]:
        """What differs from the default recipe: {path: value}, as `Recipe.set` takes it."""
        return {setting.path: setting.value for setting in self.settings}

    @property
    def reasons(self) -> dict[str, str]:
        """Why each of them differs: {path: one sentence}."""
        return {setting.path: setting.reason for setting in self.settings}

    @property
    def model(self) -> str:
        """The network it trains."""
        return self.recipe().model.network

    def recipe(self) -> Recipe:
        """The whole recipe; it still lacks its dataset."""
        return Recipe.parse({"task": self.task, "preset": self.name}).set(self.changes)
