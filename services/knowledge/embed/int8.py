"""Rewrites an ONNX model whose weights are int8 so that it also computes in int8.

The packaged model widens each weight to 32 bits and multiplies floats. Here the other factor is quantized for each text
instead (DynamicQuantizeLinear, MatMulInteger), which onnxruntime fuses into one kernel: half the processor time.
Of a table of vectors only the rows that a text asks for are widened: a quarter of the memory. Each text is
computed alone, so that no padding has to be masked: the masks cost a quarter of the time and change no bit.
Only the fields of the format that change are declared (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto);
protobuf carries the others along. The weights can be left in the file (`without_weights`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FIELDS: dict[str, dict[str, tuple[int, str]]] = {
    "Model": {"graph": (7, "Graph")},
    "Graph": {"node": (1, "*Node"), "initializer": (5, "*Tensor"), "output": (12, "*Value")},
    "Node": {"input": (1, "*"), "output": (2, "*"), "op_type": (4, ""), "attribute": (5, "*Attribute")},
    "Attribute": {"name": (1, ""), "i": (3, "int"), "type": (20, "int")},
    "Tensor": {
        "dims": (1, "*int"),
        "data_type": (2, "int"),
        "name": (8, ""),
        "raw_data": (9, "bytes"),
        "external_data": (13, "*Entry"),
        "data_location": (14, "int"),
    },
    "Entry": {"key": (1, ""), "value": (2, "")},
    "Value": {"name": (1, "")},
}
# Values of AttributeProto.AttributeType, TensorProto.DataType and TensorProto.DataLocation.
_INT, _FLOAT, _INT8, _EXTERNAL = 2, 1, 3, 1


@dataclass(frozen=True, slots=True)
class Weights:
    """Int8 values of a model by the name of their tensor, and the byte of the model where they begin."""

    name: str
    shape: tuple[int, ...]
    start: int


def without_weights(model: bytes) -> tuple[bytes, list[Weights]]:
    """The model with its int8 tensors declared external, and where they stand in `model`. A session takes them as
    arrays, of a mapped file for one: pages that are not read take no memory."""
    parsed = _messages()["Model"].FromString(model)
    found: list[Weights] = []
    end = 0
    for tensor in parsed.graph.initializer:
        if tensor.data_type != _INT8:
            continue
        start = model.index(tensor.raw_data, end)
        end = start + len(tensor.raw_data)
        found.append(Weights(tensor.name, tuple(tensor.dims), start))
        tensor.ClearField("raw_data")
        tensor.data_location = _EXTERNAL
        tensor.external_data.add(key="location", value="given")
    written: bytes = parsed.SerializeToString()
    return written, found


def in_int8(model: bytes) -> bytes:
    """The model with an integer product for each `MatMul(x, w)` whose `w` is `Mul(Cast(w_q), w_scale)`, with
    `Mul(Cast(Gather(w_q)), Gather(w_scale))` for each `Gather` of such a `w` that has a scale for every row, and
    without the masks of padding. Raises ValueError when it multiplies by none: then it is another model than this was
    written for."""
    parsed = _messages()["Model"].FromString(model)
    graph = parsed.graph
    sizes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    made = {node.output[0]: node for node in graph.node if len(node.output) == 1}
    nodes: list[Any] = []
    quantized: set[str] = set()
    unmasked: dict[str, str] = {}
    for node in graph.node:
        node.input[:] = [unmasked.get(name, name) for name in node.input]
        if masked := _masked(node, made):
            unmasked[node.output[0]] = masked
        elif node.op_type == "MatMul" and (weight := _weight(node.input[1], made, sizes)):
            factor = node.input[0]
            if factor not in quantized:
                quantized.add(factor)
                nodes.append(_quantizing(factor))
            nodes += _product(factor, *weight, node.output[0])
        elif node.op_type == "Gather" and (weight := _weight(node.input[0], made, sizes)) and _by_row(*weight, sizes):
            nodes += _rows(*weight, node.input[1], node.output[0])
        else:
            nodes.append(node)
    if not quantized:
        raise ValueError("the model multiplies by no int8 weights")
    del graph.node[:]
    graph.node.extend(_asked_for(nodes, [output.name for output in graph.output]))
    written: bytes = parsed.SerializeToString()
    return written


def _masked(node: Any, made: dict[str, Any]) -> str:
    """What `node` hides padding of: scores that a mask is added to, shares of which those of nothing but padding are no
    numbers. '' for any other node."""
    origins = [made[name].op_type if name in made else "" for name in node.input]
    match node.op_type, origins:
        case "Add", ["MatMul", "Where"]:
            return str(node.input[0])
        case "Where", ["IsNaN", *_]:
            return str(node.input[2])
    return ""


def _weight(name: str, made: dict[str, Any], sizes: dict[str, list[int]]) -> tuple[str, str] | None:
    """The names of the int8 values and of their scales, where `name` is their product."""
    widened = made.get(name)
    cast = made.get(widened.input[0]) if widened is not None and widened.op_type == "Mul" else None
    if widened is None or cast is None or cast.op_type != "Cast" or cast.input[0] not in sizes:
        return None
    return cast.input[0], widened.input[1]


def _by_row(values: str, scales: str, sizes: dict[str, list[int]]) -> bool:
    return sizes.get(scales) == [sizes[values][0], 1]


def _quantizing(factor: str) -> Any:
    return _node("DynamicQuantizeLinear", [factor], f"{factor}.q", f"{factor}.scale", f"{factor}.zero")


def _product(factor: str, values: str, scales: str, result: str) -> list[Any]:
    return [
        _node("MatMulInteger", [f"{factor}.q", values, f"{factor}.zero"], f"{result}.int"),
        _node("Cast", [f"{result}.int"], f"{result}.float", to=_FLOAT),
        _node("Mul", [f"{factor}.scale", scales], f"{result}.scale"),
        _node("Mul", [f"{result}.float", f"{result}.scale"], result),
    ]


def _rows(values: str, scales: str, ids: str, result: str) -> list[Any]:
    return [
        _node("Gather", [values, ids], f"{result}.int", axis=0),
        _node("Cast", [f"{result}.int"], f"{result}.float", to=_FLOAT),
        _node("Gather", [scales, ids], f"{result}.scale", axis=0),
        _node("Mul", [f"{result}.float", f"{result}.scale"], result),
    ]


def _asked_for(nodes: list[Any], outputs: list[str]) -> list[Any]:
    """Without the nodes whose result no other and no output takes; they are in the order of computation."""
    wanted, kept = set(outputs), list[Any]()
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(node.input)
    return kept[::-1]


def _node(kind: str, inputs: list[str], *outputs: str, **attributes: int) -> Any:
    messages = _messages()
    said = [messages["Attribute"](name=name, i=value, type=_INT) for name, value in attributes.items()]
    return messages["Node"](input=inputs, output=outputs, op_type=kind, attribute=said)


def _messages() -> dict[str, Any]:
    """The classes of the declared part of the format."""
    if not _CLASSES:
        pool = descriptor_pool.DescriptorPool()
        pool.Add(_described())
        for name in _FIELDS:
            _CLASSES[name] = message_factory.GetMessageClass(pool.FindMessageTypeByName(f"onnx_part.{name}"))
    return _CLASSES


_CLASSES: dict[str, Any] = {}


def _described() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="onnx_part.proto", package="onnx_part", syntax="proto2")
    of = descriptor_pb2.FieldDescriptorProto
    for message, fields in _FIELDS.items():
        described = file.message_type.add(name=message)
        for name, (number, kind) in fields.items():
            label = of.LABEL_REPEATED if kind.startswith("*") else of.LABEL_OPTIONAL
            field = described.field.add(name=name, number=number, label=label, type=of.TYPE_STRING)
            if kind == "bytes":
                field.type = of.TYPE_BYTES
            elif kind.endswith("int"):
                field.type = of.TYPE_INT64
            elif kind.lstrip("*"):
                field.type, field.type_name = of.TYPE_MESSAGE, f".onnx_part.{kind.lstrip('*')}"
    return file
