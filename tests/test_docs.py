"""What the README says is true: its commands exist, its file tree is the tree, its pictures and links are there."""

import re
import shlex
from pathlib import Path

import pytest

from core.__main__ import _parser

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
SHELL = [text for kind, text in BLOCKS if kind in ("bash", "powershell")]
COMMANDS = [line.split("  #")[0].strip() for text in SHELL for line in text.splitlines()]
TREE = next(text for kind, text in BLOCKS if kind == "text" and text.startswith("app.py"))


def test_the_readme_opens_with_what_it_is_and_a_picture_and_then_two_commands():
    opening = README.split("```bash")[0]
    assert "![" in opening
    first = next(text for kind, text in BLOCKS if kind == "bash")
    assert [line.split("#")[0].strip() for line in first.splitlines()] == ["make run", "make test"]


@pytest.mark.parametrize("command", sorted({line for line in COMMANDS if line.startswith("make ")}))
def test_every_make_command_of_the_readme_is_in_the_makefile(command):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    target, *variables = command.removeprefix("make ").split()
    assert target in targets
    assert all("=" in word for word in variables)


@pytest.mark.parametrize("command", sorted({line for line in COMMANDS if " -m core" in line}))
def test_every_headless_command_of_the_readme_is_understood(command):
    words = shlex.split(command)
    _parser().parse_args(words[words.index("core") + 1 :])


@pytest.mark.parametrize("command", sorted({line for line in COMMANDS if " -m benchmarks." in line}))
def test_every_benchmark_of_the_readme_is_there(command):
    module = re.search(r"benchmarks\.(\w+)", command)[1]
    assert (ROOT / "benchmarks" / f"{module}.py").is_file()


@pytest.mark.parametrize("file", sorted(set(re.findall(r"-r (\S+)", "\n".join(COMMANDS)))))
def test_every_file_that_the_readme_installs_from_is_there(file):
    assert (ROOT / file).is_file()


def _told() -> dict[str, set[str]]:
    """What the README's tree says: modules by folder. Indentation nests; a line of plain words names modules."""
    told: dict[str, set[str]] = {"": set()}
    open_folders: list[tuple[int, str]] = [(-1, "")]
    for line in TREE.splitlines():
        indent = len(line) - len(line.lstrip())
        while open_folders[-1][0] >= indent:
            open_folders.pop()
        parent = open_folders[-1][1]
        first = line.split()[0]
        if first.endswith("/"):
            open_folders.append((indent, parent + first))
            told.setdefault(parent + first, set())
        elif "." in first:
            assert (ROOT / parent / first).is_file(), f"{parent}{first} is in the README and not in the tree"
            told[parent].add(Path(first).stem)
        else:
            told[parent] |= set(line.split())
    return told


def _modules(folder: Path) -> set[str]:
    return {file.stem for file in folder.glob("*.py") if file.stem != "__init__"}


def test_every_folder_of_the_readme_s_tree_is_there_and_none_is_missing():
    folders = {f"{folder.relative_to(ROOT)}/" for top in ("core", "pages") for folder in (ROOT / top).rglob("*/")}
    there = {name for name in folders if _modules(ROOT / name)} | {"core/", "pages/"}
    told = set(_told())
    assert not {name for name in told if not (ROOT / name).is_dir()}
    assert not {name for name in there if name not in told}


@pytest.mark.parametrize("folder", sorted(name for name in _told() if name.startswith(("core", "pages", "benchmarks"))))
def test_the_readme_names_every_module_of_a_folder_and_no_other(folder):
    assert _told()[folder] == _modules(ROOT / folder)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)\)", README))))
def test_every_picture_and_link_of_the_readme_is_there(target):
    assert (ROOT / target).is_file()


def test_the_pictures_of_the_readme_are_small():
    files = list((ROOT / "docs" / "images").glob("*.png"))
    assert files, "FOVEA_DOCS=1 make test draws them"
    assert sum(file.stat().st_size for file in files) < 1_000_000


@pytest.mark.parametrize("name", sorted(_modules(ROOT / "pages")))
def test_the_readme_says_what_every_page_is_for(name):
    assert f"**{name.capitalize()}**" in README


def test_the_log_has_dated_decisions():
    dates = re.findall(r"^## (\d{4}-\d{2}-\d{2})", (ROOT / "docs" / "LOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert dates
    assert dates == sorted(dates), "a new decision goes to the end"
