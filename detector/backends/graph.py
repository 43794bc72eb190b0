"""An ONNX graph, written node by node into the bytes of its file: what the ``onnx`` package would do, without it.

The file is a protocol buffer (fields and their numbers: ``onnx.proto`` of the ONNX project); only what the encoders
need is here. Large arrays stay outside and are handed to the runtime as they lie in memory.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Attribute = int | float | Sequence[int]

IR_VERSION = 9
OPSETS = {"": 19, "com.microsoft": 1}
INLINE_BYTES = 1024
_ELEMENT_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7}
_VARINT, _LENGTH, _FLOAT = 0, 2, 5  # protobuf's ways to store a field


class Graph:
    """Nodes in the order of computation. Values are known by the names that the methods return."""

    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}
        """The large arrays by name; the runtime is to be given them with the file."""
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []
        self._n_values = 0

    def constant(self, values: Any, dtype: str = "float32") -> str:
        """The name of a constant; arrays are kept as they are, whatever else is one becomes an array of ``dtype``."""
        array = values if isinstance(values, np.ndarray) else np.array(values, dtype=dtype)
        name = self._new_name()
        outside = array.nbytes > INLINE_BYTES
        if outside:
            self.arrays[name] = np.require(array, requirements="C")
        self._constants.append(_tensor(name, array, outside=outside))
        return name

    def node(self, op: str, *inputs: str, domain: str = "", output: str | None = None, **attributes: Attribute) -> str:
        """The name of the output of a new node; an input that is left out is an empty name."""
        (name,) = self.nodes(op, *inputs, outputs=(output or self._new_name(),), domain=domain, **attributes)
        return name

    def nodes(
        self, op: str, *inputs: str, outputs: Sequence[str] | int, domain: str = "", **attributes: Attribute
    ) -> Sequence[str]:
        """The names of the outputs of a new node, given or counted."""
        names = [self._new_name() for _ in range(outputs)] if isinstance(outputs, int) else outputs
        fields = [_bytes(1, name) for name in inputs] + [_bytes(2, name) for name in names]
        fields += [_bytes(4, op), *(_bytes(5, _attribute(*pair)) for pair in attributes.items()), _bytes(7, domain)]
        self._nodes.append(b"".join(fields))
        return names

    def to_bytes(self, inputs: Mapping[str, tuple[str, int]], outputs: Mapping[str, tuple[str, int]]) -> bytes:
        """The model file; inputs and outputs are names with their element type and number of dimensions."""
        graph = [_bytes(1, node) for node in self._nodes] + [_bytes(2, "encoder")]
        graph += [_bytes(5, constant) for constant in self._constants]
        graph += [_bytes(11, _value_info(name, *of)) for name, of in inputs.items()]
        graph += [_bytes(12, _value_info(name, *of)) for name, of in outputs.items()]
        opsets = [_bytes(8, _bytes(1, domain) + _number(2, version)) for domain, version in OPSETS.items()]
        return _number(1, IR_VERSION) + _bytes(7, b"".join(graph)) + b"".join(opsets)

    def _new_name(self) -> str:
        self._n_values += 1
        return f"v{self._n_values}"


def _tensor(name: str, array: Array, *, outside: bool) -> bytes:
    head = b"".join(_number(1, size) for size in array.shape) + _number(2, _ELEMENT_TYPES[array.dtype.name])
    if not outside:
        return head + _bytes(8, name) + _bytes(9, array.tobytes())
    location = _bytes(1, "location") + _bytes(2, name)
    return head + _bytes(8, name) + _bytes(13, location) + _number(14, 1)


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, float):
        return _bytes(1, name) + _key(2, _FLOAT) + struct.pack("<f", value) + _number(20, 1)
    if isinstance(value, int):
        return _bytes(1, name) + _number(3, value) + _number(20, 2)
    return _bytes(1, name) + b"".join(_number(8, each) for each in value) + _number(20, 7)


def _value_info(name: str, element_type: str, n_dimensions: int) -> bytes:
    shape = b"".join(_bytes(1, _bytes(2, f"{name}_{i}")) for i in range(n_dimensions))
    tensor = _number(1, _ELEMENT_TYPES[element_type]) + _bytes(2, shape)
    return _bytes(1, name) + _bytes(2, _bytes(1, tensor))


def _key(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _number(field: int, value: int) -> bytes:
    return _key(field, _VARINT) + _varint(value)


def _bytes(field: int, value: bytes | str) -> bytes:
    content = value.encode() if isinstance(value, str) else value
    return _key(field, _LENGTH) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; negative numbers as in two's complement of 64 bits."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
