"""Imports point down only, core knows no page, and the web process stays light: the design's table, checked."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Whoever stands higher may import whoever stands lower; neighbours on one line do not import each other. `errors` is a
# line of its own at the bottom because everything raises.
LINES = (
    ("app",),
    ("pages",),
    ("pages.shared",),
    ("core.__main__",),
    ("core.commands",),
    ("core.report",),  # a command writes one
    ("core.figures",),
    ("core.studies",),
    ("core.executors", "core.integrity", "core.compare", "core.predict"),
    ("core.evaluate",),
    ("core.train", "core.runs", "core.presets", "core.augment.preview"),  # a preview shows images of a dataset
    ("core.data", "core.augment", "core.models", "core.metrics"),
    ("core.recipe", "core.workspace"),
    ("core.knobs", "core.machine", "core.seeding"),
    ("core.errors",),
)
DEPTH = {name: depth for depth, line in enumerate(LINES) for name in line}

# What the web process must never load: a garbage collection costs 40 ms without them and 340 ms with them.
HEAVY = {
    *("torch", "torchvision", "timm", "segmentation_models_pytorch", "accelerate", "onnx", "onnxruntime"),
    *("sklearn", "scipy", "statsmodels", "optuna"),
}


def _files(*tops: str) -> list[Path]:
    files = []
    for top in tops:
        path = ROOT / top
        files += [path] if path.is_file() else sorted(path.rglob("*.py"))
    return files


CORE = _files("core")
PAGES = _files("pages")
CODE = CORE + PAGES + _files("app.py")


def _module(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _place(module: str) -> str | None:
    """The name in the table that `module` belongs to: the longest one that it is or stands under."""
    names = [name for name in DEPTH if module == name or module.startswith(name + ".")]
    return max(names, key=len, default=None)


def _imports(file: Path) -> Iterator[tuple[int, str]]:
    """Every (line, module) that a file imports, those inside functions and under TYPE_CHECKING included."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file.relative_to(ROOT)}:{node.lineno} imports relatively; write the whole name"
            for alias in node.names:  # `from core import errors` imports core.errors
                inner = f"{node.module}.{alias.name}"
                yield node.lineno, inner if _is_module(inner) else node.module


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def _name(file: Path) -> str:
    return str(file.relative_to(ROOT))


@pytest.mark.parametrize("file", CODE, ids=_name)
def test_every_file_has_its_place_in_the_table(file):
    assert _place(_module(file)) or _module(file) == "core", "add it to LINES, and to the table of the design"


@pytest.mark.parametrize("file", CODE, ids=_name)
def test_imports_point_down_only(file):
    here = _place(_module(file))
    wrong = []
    for line, imported in _imports(file):
        there = _place(imported)
        if there is not None and there != here and not DEPTH[here] < DEPTH[there]:
            wrong.append(f"line {line}: {here} may not import {imported}")
    assert not wrong


@pytest.mark.parametrize("file", CORE, ids=_name)
def test_core_neither_imports_streamlit_nor_prints(file):
    assert not [line for line, imported in _imports(file) if imported.split(".")[0] == "streamlit"]
    calls = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    prints = [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]
    assert not prints, f"lines {prints}"


@pytest.mark.parametrize("file", PAGES + _files("app.py"), ids=_name)
def test_pages_import_no_torch_anywhere(file):
    assert not [(line, name) for line, name in _imports(file) if name.split(".")[0] in HEAVY]


@pytest.mark.parametrize("file", PAGES + _files("app.py"), ids=_name)
def test_caches_live_together_and_names_are_never_rendered_as_html(file):
    text = file.read_text(encoding="utf-8")
    shared = ROOT / "pages" / "shared"
    if file != shared / "cache.py" and file.parent != shared / "cached":
        assert "cache_data" not in text
        assert "cache_resource" not in text
    assert "unsafe_allow_html" not in text


def _loaded_after(code: str) -> set[str]:
    """The top-level names in sys.modules after a fresh Python has run `code` in the repository's root."""
    tail = "\nimport sys, json\nprint('\\n' + json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code + tail], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


PAGE_SCRIPTS = [file for file in PAGES if file.parent == ROOT / "pages" and file.stem != "__init__"]


def test_importing_any_page_or_anything_shared_pulls_in_nothing_heavy():
    assert PAGE_SCRIPTS, "there are pages"
    statements = []
    for file in PAGE_SCRIPTS + _files("app.py"):
        body = ast.parse(file.read_text(encoding="utf-8")).body
        statements += [ast.unparse(node) for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    statements += [f"import {_module(file)}" for file in PAGES if file.parent != ROOT / "pages"]
    assert not _loaded_after("\n".join(statements)) & HEAVY


@pytest.mark.slow
@pytest.mark.parametrize("module", [_module(file) for file in PAGES if file.parent != ROOT / "pages"])
def test_each_shared_module_can_be_imported_on_its_own(module):
    assert "streamlit" in _loaded_after(f"import {module}\nimport streamlit")


@pytest.mark.slow
@pytest.mark.parametrize("file", PAGE_SCRIPTS, ids=_name)
def test_running_a_page_pulls_in_nothing_heavy(file, workspace, monkeypatch):
    monkeypatch.setenv("FOVEA_WORKSPACE", str(workspace.root))
    code = f"""
from streamlit.testing.v1 import AppTest
page = AppTest.from_file("app.py", default_timeout=60).run().switch_page({_name(file)!r}).run()
assert not page.exception, page.exception
"""
    assert not _loaded_after(code) & HEAVY
