"""The part of the ONNX format that rewriting a model needs, and what every rewriting does.

Only the fields that change are declared (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto); protobuf carries the
others along.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FIELDS: dict[str, dict[str, tuple[int, str]]] = {
    "Model": {"graph": (7, "Graph"), "opset_import": (8, "*Opset")},
    "Opset": {"domain": (1, ""), "version": (2, "int")},
    "Graph": {"node": (1, "*Node"), "initializer": (5, "*Tensor"), "output": (12, "*Value")},
    "Node": {
        "input": (1, "*"),
        "output": (2, "*"),
        "op_type": (4, ""),
        "attribute": (5, "*Attribute"),
        "domain": (7, ""),
    },
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
_INT, _INT8, _EXTERNAL = 2, 3, 1


@dataclass(frozen=True, slots=True)
class Weights:
    """Int8 values of a model by the name of their tensor, and the byte of the model where they begin."""

    name: str
    shape: tuple[int, ...]
    start: int


def without_weights(model: bytes) -> tuple[bytes, list[Weights]]:
    """The model with its int8 tensors declared external, and where they stand in `model`. A session takes them as
    arrays, of a mapped file for one: pages that are not read take no memory."""
    rest = parsed(model)
    found: list[Weights] = []
    end = 0
    for tensor in rest.graph.initializer:
        if tensor.data_type != _INT8:
            continue
        start = model.index(tensor.raw_data, end)
        end = start + len(tensor.raw_data)
        found.append(Weights(tensor.name, tuple(tensor.dims), start))
        tensor.ClearField("raw_data")
        tensor.data_location = _EXTERNAL
        tensor.external_data.add(key="location", value="given")
    written: bytes = rest.SerializeToString()
    return written, found


def parsed(model: bytes) -> Any:
    """A ModelProto of the declared fields."""
    return _messages()["Model"].FromString(model)


def makers(graph: Any) -> dict[str, Any]:
    """The nodes of one result by its name."""
    return {node.output[0]: node for node in graph.node if len(node.output) == 1}


def replace_nodes(graph: Any, nodes: list[Any]) -> None:
    """Has the graph compute by `nodes`, which are in the order of computation; those whose result no other and no
    output takes are left out."""
    wanted, kept = {output.name for output in graph.output}, list[Any]()
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(node.input)
    del graph.node[:]
    graph.node.extend(kept[::-1])


def node(kind: str, inputs: list[str], *outputs: str, domain: str = "", **attributes: int) -> Any:
    messages = _messages()
    said = [messages["Attribute"](name=name, i=value, type=_INT) for name, value in attributes.items()]
    return messages["Node"](input=inputs, output=outputs, op_type=kind, attribute=said, domain=domain)


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
