"""Python files out of templates: with the imports that they use and no others, and tidy."""

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from sys import stdlib_module_names
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from core.predict.export.source import Gathered, names_in

_IMPORTS = {  # what templates may use; what they import themselves is theirs
    "lr_scheduler": "from torch.optim import lr_scheduler",
    "_BatchNorm": "from torch.nn.modules.batchnorm import _BatchNorm",
    "nn": "from torch import nn",
    "torch": "import torch",
    "np": "import numpy as np",
    "Image": "from PIL import Image",
    "groupby": "from itertools import groupby",
    "v2": "from torchvision.transforms import v2",
    "tv_tensors": "from torchvision import tv_tensors",
    "timm": "import timm",
    "smp": "import segmentation_models_pytorch as smp",
    "create_optimizer_v2": "from timm.optim import create_optimizer_v2",
    "ModelEmaV3": "from timm.utils import ModelEmaV3",
    "DiceLoss": "from segmentation_models_pytorch.losses import DiceLoss",
    "TverskyLoss": "from segmentation_models_pytorch.losses import TverskyLoss",
    "LovaszLoss": "from segmentation_models_pytorch.losses import LovaszLoss",
    "JaccardLoss": "from segmentation_models_pytorch.losses import JaccardLoss",
    "ImageOps": "from PIL import ImageOps",
    "load_file": "from safetensors.torch import load_file",
    "save_file": "from safetensors.torch import save_file",
}


@cache
def _templates() -> Environment:
    return Environment(  # it writes Python: every value that is anybody's text comes as a literal, or from `one_line`
        loader=FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        autoescape=False,
    )


def filled(template: str, facts: dict[str, Any]) -> str:
    """A template with its facts."""
    return _templates().get_template(template).render(facts)


def written(template: str, facts: dict[str, Any], gathered: Iterable[Gathered]) -> str:
    """A whole file of a template that has a place for `imports`, with what `gathered` definitions need."""
    body = filled(template, facts | {"imports": []})
    lines = dict.fromkeys(_IMPORTS.values()) | dict.fromkeys(line for one in gathered for line in one.imports)
    used = names_in(ast.parse(body))
    taken = [line for line in lines if line.split()[-1] in used]
    return _tidy(_sorted_imports(filled(template, facts | {"imports": taken})))


def one_line(text: str) -> str:
    """Text of anybody's in a docstring: on one line, and without what could end it."""
    return " ".join(text.split()).replace("\\", "/").replace('"', "'").rstrip(".")


def _sorted_imports(text: str) -> str:
    """A file with the imports at its top that it uses, sorted as usual."""
    tree, lines = ast.parse(text), text.splitlines()
    used = names_in(tree)
    nodes = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    standard, others = [], []
    for node in nodes:
        node.names = [one for one in node.names if (one.asname or one.name) in used]
        if node.names:
            origin = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
            (standard if origin.split(".")[0] in stdlib_module_names else others).append(node)
    head = [*_joined(standard), "", *_joined(others)]
    return "\n".join([*lines[: nodes[0].lineno - 1], *head, *lines[nodes[-1].end_lineno :]])


def _joined(nodes: list[ast.Import | ast.ImportFrom]) -> list[str]:
    """Import lines, one for each module that names are taken from."""
    whole = {ast.unparse(node) for node in nodes if isinstance(node, ast.Import)}
    names: dict[str, set[str]] = {}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            names.setdefault(node.module, set()).update(ast.unparse(one) for one in node.names)
    taken = {f"from {module} import {', '.join(sorted(some))}" for module, some in names.items()}
    return [*sorted(whole, key=str.lower), *sorted(taken, key=str.lower)]


def _tidy(text: str) -> str:
    """At most two empty lines in a row, and none at the end."""
    lines: list[str] = []
    for line in (one.rstrip() for one in text.splitlines()):
        if line or lines[-2:] != ["", ""]:
            lines.append(line)
    return "\n".join(lines).strip("\n") + "\n"
