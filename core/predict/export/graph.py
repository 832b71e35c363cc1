"""A trained network as one ONNX graph: pictures in, probabilities out, everything in between inside."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

import onnx
import onnx.compose
import torch
from torch import nn

from core.data.loading import Fit
from core.errors import InputError
from core.models.network import PixelNetwork
from core.predict.export.pixels import MAPS, OPSET, PROBABILITIES, SIZES, SQUARES, preparation, restoration

LARGEST = 2_000_000_000  # bytes; a file of ONNX cannot hold more in one piece


class _Answering(nn.Module):
    """Probabilities (N, K, ...) of squares (N, 3, S, S) float32 of levels from 0 to 255."""

    def __init__(self, model: PixelNetwork) -> None:
        super().__init__()
        self._model = model

    def forward(self, squares: torch.Tensor) -> torch.Tensor:
        pixels = squares.div(255).sub(self._model.mean).div(self._model.std)
        return torch.softmax(self._model(pixels), dim=1)


def graph_of(model: PixelNetwork, *, size: int, fit: Fit, classes: int, masks: bool, name: str) -> onnx.ModelProto:
    """The whole way of a network in evaluation mode on the CPU, from pictures (N, H, W, 3) uint8 to probabilities.

    Of a classifier these are (N, K) float32; of a segmentation network (N, K, H, W) float32 in the size of the
    pictures, beside the most probable class at each pixel, (N, H, W) uint8. N, H and W are free. `name` is what errors
    call the network. Raises InputError when it cannot be said in ONNX's operators.
    """
    weight = sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())
    if weight > LARGEST:
        raise InputError(
            f"{name} is too large for one ONNX file",
            found=f"{weight / 1e9:.1f} GB of weights",
            expected=f"at most {LARGEST / 1e9:g} GB",
            do="Export the zip with its safetensors instead",
        )
    network = _network(model, size, name)
    joined = _joined(preparation(size, fit), network, {SQUARES: SQUARES})
    if masks:
        restored = _apart(restoration(size, fit, classes), "restored/")
        joined = _joined(joined, restored, {MAPS: MAPS, SIZES: SIZES})
    else:
        _called(joined, MAPS, PROBABILITIES)
        kept = [one for one in joined.graph.output if one.name == PROBABILITIES]
        del joined.graph.output[:]
        joined.graph.output.extend(kept)
        joined.graph.output[0].CopyFrom(
            onnx.helper.make_tensor_value_info(PROBABILITIES, onnx.TensorProto.FLOAT, ("N", classes))
        )
    del joined.graph.value_info[:]
    onnx.checker.check_model(joined)
    return joined


def _network(model: PixelNetwork, size: int, name: str) -> onnx.ModelProto:
    """The network alone, from squares to maps, in PyTorch's own translation."""
    squares = torch.zeros(2, 3, size, size)
    free = {"squares": {0: torch.export.Dim.DYNAMIC}}
    try:
        with _quiet(), torch.inference_mode(False), torch.no_grad():
            program = torch.onnx.export(
                _Answering(model).eval(),
                (squares,),
                input_names=[SQUARES],
                output_names=[MAPS],
                dynamic_shapes=free,
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    except Exception as error:  # some thousand networks by many hands fail in as many ways
        reason = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
        raise InputError(
            f"{name} cannot be said in ONNX's operators",
            found=reason[0][:200],
            do="Export the zip with its safetensors instead",
        ) from error
    found = program.model_proto
    opset = next(one.version for one in found.opset_import if one.domain in ("", "ai.onnx"))
    batch = found.graph.input[0].type.tensor_type.shape.dim[0]
    if opset != OPSET or len(found.functions) or not batch.dim_param:
        raise InputError(
            f"{name} cannot be said in ONNX's operators",
            found=f"a translation for operators {opset} and batches of {batch.dim_value or 'any size'}",
            expected=f"operators {OPSET} and batches of any size",
            do="Export the zip with its safetensors instead",
        )
    return _apart(found, "network/")


def _apart(model: onnx.ModelProto, prefix: str) -> onnx.ModelProto:
    """A graph with a prefix before the names of all that is inside, so that none is taken twice, and without what tells
    where in which file of this machine each part came from."""
    onnx.compose.add_prefix_graph(model.graph, prefix, rename_inputs=False, rename_outputs=False, inplace=True)
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del model.graph.value_info[:]
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    return model


def _joined(first: onnx.ModelProto, then: onnx.ModelProto, handed: dict[str, str]) -> onnx.ModelProto:
    version = max(first.ir_version, then.ir_version)
    first.ir_version = then.ir_version = version
    outputs = [one.name for one in then.graph.output] + [
        one.name for one in first.graph.output if one.name not in handed
    ]
    return onnx.compose.merge_models(first, then, io_map=list(handed.items()), outputs=outputs)


def _called(model: onnx.ModelProto, old: str, new: str) -> None:
    """Give a result of the graph another name."""
    for node in model.graph.node:
        node.output[:] = [new if one == old else one for one in node.output]
        node.input[:] = [new if one == old else one for one in node.input]
    for one in model.graph.output:
        one.name = new if one.name == old else one.name


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the translation tells of its steps: it is for those who write it."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(action="ignore"), contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(level)
