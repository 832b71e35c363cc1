"""How a picture becomes the square that a network sees, and an answer the size of its picture, in ONNX's operators.

Fovea resizes with Pillow (`core.data.loading.fit_image`, `core.data.mask_files.restored`): each pixel of the result is
mixed of the pixels around its place, across first, rounded to whole levels, then down. A mix is a product of matrices,
and these follow from the size of the picture, so whatever knows ONNX's plain operators does the same to a picture of
any size. What may differ is a level of 255 where a value lies on the border between two.

The functions here are compiled by onnxscript and never run as Python: an axis of a picture is described by the numbers
`begins` and `lengths` (which stretch of it is used), `firsts` and `spans` (which pixels of the result show that).
"""

import onnx
import onnx.inliner
import onnxscript
import onnxscript.optimizer
from onnxscript import DOUBLE, FLOAT, UINT8, script
from onnxscript import opset20 as op

from core.data.loading import PAD_GREY, Fit

OPSET = 20  # of ONNX's operators; onnxruntime has known it since 1.17
PICTURES, PROBABILITIES, MASK = "pictures", "probabilities", "mask"  # what goes in, and what comes out
SQUARES, SIZES, MAPS = "squares", "sizes", "maps"  # what the parts of a graph hand to one another
GREY = float(PAD_GREY)
_FLOAT, _DOUBLE = onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE
_INT64, _UINT8 = onnx.TensorProto.INT64, onnx.TensorProto.UINT8
_Pictures, _Maps, _Sizes = UINT8["N", "H", "W", 3], FLOAT["N", "K", "S", "S"], DOUBLE[2]


# Which stretch of each axis is shown where: the sides (2,) of a picture, height and width, in a square of one side


@script(default_opset=op)
def _crop(sides, side):
    lengths = op.Expand(op.ReduceMin(sides, keepdims=1), [2])
    begins = (sides - lengths) / 2.0
    spans = op.Expand(side, [2])
    return begins, lengths, begins * 0.0, spans


@script(default_opset=op)
def _pad(sides, side):
    spans = op.Max(op.Round(sides * (side / op.ReduceMax(sides, keepdims=1))), 1.0)
    firsts = op.Floor((side - spans) / 2.0)
    return sides * 0.0, sides, firsts, spans


@script(default_opset=op)
def _squash(sides, side):
    spans = op.Expand(side, [2])
    return sides * 0.0, sides, sides * 0.0, spans


_PLACES = {"crop": _crop, "pad": _pad, "squash": _squash}


# The matrices, (pixels of the result, pixels of what is mixed), float32; rows that show nothing are 0


@script(default_opset=op)
def _cubic(x):
    a = op.Abs(x)
    near = (1.5 * a - 2.5) * a * a + 1.0
    far = ((-0.5 * a + 2.5) * a - 4.0) * a + 2.0
    return op.Where(a < 1.0, near, op.Where(a < 2.0, far, a * 0.0))


@script(default_opset=op)
def _linear(x):
    return op.Max(1.0 - op.Abs(x), 0.0)


@script(default_opset=op)
def _apart(results, begin, length, first, span, pixels):
    # How far each pixel lies from the place that a pixel of the result shows, in steps of the result where that is
    # coarser and of the picture where it is finer.
    step = length / span
    middles = begin + (results - first + 0.5) * step
    return (pixels + 0.5 - op.Unsqueeze(middles, [1])) / op.Max(step, 1.0)


@script(default_opset=op)
def _shares(weights, results, first, span):
    inside = op.Unsqueeze(op.And(results >= first, results < first + span), [1])
    mixed = weights / op.Max(op.ReduceSum(weights, [1], keepdims=1), 1e-12)
    return op.Cast(op.Where(inside, mixed, mixed * 0.0), to=_FLOAT)


@script(default_opset=op)
def _within(weights, pixels, first, span):
    inside = op.Unsqueeze(op.And(pixels >= first, pixels < first + span), [0])
    return op.Where(inside, weights, weights * 0.0)


@script(default_opset=op)
def _count(number):
    return op.Cast(op.Range(0, op.Cast(number, to=_INT64), 1), to=_DOUBLE)


@script(default_opset=op)
def _levels(x):
    return op.Clip(op.Floor(x + 0.5), 0.0, 255.0)


def preparation(size: int, fit: Fit) -> onnx.ModelProto:
    """A graph from pictures (N, H, W, 3) uint8 to squares (N, 3, S, S) float32 of whole levels from 0 to 255, and to
    the sizes (2,) float64 of the pictures: height and width."""
    place, square = _PLACES[fit], float(size)

    @script(default_opset=op)
    def prepare(pictures: _Pictures):
        sizes = op.Cast(op.Shape(pictures, start=1, end=3), to=_DOUBLE)
        side = op.Cast(square, to=_DOUBLE)
        begins, lengths, firsts, spans = place(sizes, side)
        results = _count(side)
        tall, wide = op.Split(sizes, num_outputs=2)
        down = _shares(
            _cubic(_apart(results, begins[0], lengths[0], firsts[0], spans[0], _count(op.Squeeze(tall)))),
            results,
            firsts[0],
            spans[0],
        )
        across = _shares(
            _cubic(_apart(results, begins[1], lengths[1], firsts[1], spans[1], _count(op.Squeeze(wide)))),
            results,
            firsts[1],
            spans[1],
        )
        pixels = op.Cast(op.Transpose(pictures, perm=[0, 3, 1, 2]), to=_FLOAT)
        mixed = _levels(op.MatMul(down, _levels(op.MatMul(pixels, op.Transpose(across, perm=[1, 0])))))
        shown = op.MatMul(op.ReduceSum(down, [1], keepdims=1), op.Transpose(op.ReduceSum(across, [1], keepdims=1)))
        squares = op.Where(shown > 0.5, mixed, GREY)
        return squares, sizes

    return _graph(prepare, {SQUARES: (_FLOAT, ("N", 3, size, size)), SIZES: (_DOUBLE, (2,))})


def restoration(size: int, fit: Fit, classes: int) -> onnx.ModelProto:
    """A graph from maps (N, K, S, S) float32 of squares and the sizes (2,) float64 of their pictures to the same maps
    in the size of the pictures, (N, K, H, W), and to their most probable class at each pixel, (N, H, W) uint8."""
    place, square = _PLACES[fit], float(size)

    @script(default_opset=op)
    def restore(maps: _Maps, sizes: _Sizes):
        side = op.Cast(square, to=_DOUBLE)
        _begins, _lengths, firsts, spans = place(sizes, side)
        pixels = _count(side)
        none = op.Cast(0.0, to=_DOUBLE)
        rows, columns = _count(op.Squeeze(sizes[0:1])), _count(op.Squeeze(sizes[1:2]))
        down = _linear(_apart(rows, firsts[0], spans[0], none, sizes[0], pixels))
        across = _linear(_apart(columns, firsts[1], spans[1], none, sizes[1], pixels))
        down = _shares(_within(down, pixels, firsts[0], spans[0]), rows, none, sizes[0])
        across = _shares(_within(across, pixels, firsts[1], spans[1]), columns, none, sizes[1])
        probabilities = op.MatMul(down, op.MatMul(maps, op.Transpose(across, perm=[1, 0])))
        mask = op.Cast(op.ArgMax(probabilities, axis=1, keepdims=0), to=_UINT8)
        return probabilities, mask

    whole = ("N", classes, "H", "W")
    return _graph(restore, {PROBABILITIES: (_FLOAT, whole), MASK: (_UINT8, ("N", "H", "W"))})


def _graph(function: onnxscript.OnnxFunction, outputs: dict[str, tuple[int, tuple]]) -> onnx.ModelProto:
    """A function as a model of plain operators, with its results named and typed."""
    model = onnx.inliner.inline_local_functions(function.to_model_proto())
    del model.graph.value_info[:]
    for result, (name, (kind, shape)) in zip(model.graph.output, outputs.items(), strict=True):
        for node in model.graph.node:
            node.output[:] = [name if one == result.name else one for one in node.output]
            node.input[:] = [name if one == result.name else one for one in node.input]
        result.CopyFrom(onnx.helper.make_tensor_value_info(name, kind, shape))
    model = onnxscript.optimizer.optimize(model)
    del model.opset_import[1:]  # of the functions that are no longer there
    return model
