"""Rewrites a transformer in ONNX so that onnxruntime computes its attention and its GELU by one kernel each.

onnxruntime does so by itself for graphs of other exporters; those of PyTorch 2.11 it does not recognize. With
SkipLayerNormalization, which is slower than the addition and the LayerNormalization that it takes the place of, a text
took a third more of a processor (docs/adr/0031).
"""

from __future__ import annotations

from typing import Any

from services.knowledge.embed.onnx import makers, node, parsed, replace_nodes

# What onnxruntime would do to the graph and must not (`disabled_optimizers`).
SLOWER = ["SkipLayerNormFusion"]
# The operators of onnxruntime (https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md).
_DOMAIN, _VERSION = "com.microsoft", 1


def fused(model: bytes, heads: int) -> bytes:
    """The model with a MultiHeadAttention for each `Reshape(Transpose(MatMul(Softmax(MatMul(q, k)), v)))` and a Gelu
    for each `x * (0.5 * (1 + Erf(x / sqrt(2))))`."""
    rewritten = parsed(model)
    rewritten.opset_import.add(domain=_DOMAIN, version=_VERSION)
    made = makers(rewritten.graph)
    nodes = [_attention(old, made, heads) or _gelu(old, made) or old for old in rewritten.graph.node]
    replace_nodes(rewritten.graph, nodes)
    written: bytes = rewritten.SerializeToString()
    return written


def _attention(old: Any, made: dict[str, Any], heads: int) -> Any:
    together = _behind(old, made, "Reshape", "Transpose", "MatMul")
    scores = _behind(together, made, "MatMul", "Softmax", "MatMul")
    if scores is None:
        return None
    taken = [_unshaped(name, made) for name in (*scores.input, together.input[1])]
    return node("MultiHeadAttention", taken, old.output[0], domain=_DOMAIN, num_heads=heads)


def _gelu(old: Any, made: dict[str, Any]) -> Any:
    half = made.get(old.input[1]) if old.op_type == "Mul" else None
    if half is None or half.op_type != "Mul" or _behind(made.get(half.input[1]), made, "Add", "Erf") is None:
        return None
    return node("Gelu", [old.input[0]], old.output[0], domain=_DOMAIN)


def _behind(last: Any, made: dict[str, Any], *kinds: str) -> Any:
    """The node of the last kind, where `last` is of the first, its first input of the second, and so on."""
    for place, kind in enumerate(kinds):
        last = made.get(last.input[0]) if place and last is not None else last
        if last is None or last.op_type != kind:
            return None
    return last


def _unshaped(name: str, made: dict[str, Any]) -> str:
    """What was scaled and parted into heads to become `name`."""
    while made[name].op_type in ("Reshape", "Transpose", "Mul"):
        name = made[name].input[0]
    return name
