"""The encoders as ONNX graphs: BERT, RoBERTa and MPNet, built from a model folder's own weights.

The graphs take windows of one length, so that there is neither padding nor a mask. Matrices that are stored in 8 bits
are used as they are stored. What they are multiplied with is cut into two 8-bit halves (see `Prepared`): products of
whole numbers, which CPUs have fast instructions for, and about as exact as with 32-bit floats.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from detector.backends import N_SPECIAL
from detector.backends.graph import Array, Graph
from detector.folder import SCALE, ModelFiles

SUPPORTED = ("bert", "roberta", "xlm-roberta", "mpnet")
MICROSOFT = "com.microsoft"
FARTHEST = 128
"""The distance from which MPNet tells distances apart no longer."""


@dataclass(frozen=True, slots=True)
class Attention:
    """What an encoder calls the weights of its attention: names under the layer, then the layer norm after it."""

    query: str
    key: str
    value: str
    output: str
    norm: str


BERT_ATTENTION = Attention(
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
)
MPNET_ATTENTION = Attention(
    "attention.attn.q", "attention.attn.k", "attention.attn.v", "attention.attn.o", "attention.LayerNorm"
)


def is_supported(encoder: Mapping[str, Any]) -> bool:
    """Whether there is a graph for an encoder of this configuration."""
    absolute = encoder.get("position_embedding_type", "absolute") == "absolute"
    return encoder.get("model_type") in SUPPORTED and encoder.get("hidden_act", "gelu") == "gelu" and absolute


class Weights:
    """The stored tensors of a model under their names in `RhetoricModel`."""

    def __init__(self, stored: Mapping[str, Array]) -> None:
        self._stored = stored

    def shape(self, name: str) -> tuple[int, ...]:
        """A tensor's shape."""
        return self._stored[name].shape

    def floats(self, name: str) -> Array:
        """A tensor in 32-bit floats."""
        values, scale = self._stored[name], self._stored.get(name + SCALE)
        return values.astype(np.float32) if scale is None else values * scale[:, None]

    def eight_bit(self, name: str) -> tuple[Array, Array] | None:
        """A matrix in 8 bits ``(n_outputs, n_inputs)`` and the scales of its rows; None where it is not stored so."""
        scale = self._stored.get(name + SCALE)
        return None if scale is None else (self._stored[name], scale)


def encoder_graph(files: ModelFiles, weights: Weights, products: FloatProducts) -> tuple[bytes, dict[str, Array]]:
    """The graph's file and its large arrays: ``ids`` ``(n_windows, n_pieces)`` → ``logits``, ``hidden``, ``mean``.

    The first two outputs are ``(n_windows * n_pieces, …)``, the third is ``(n_windows, width)``, as `Encoded` has it.
    """
    encoder = _Encoder(files, weights, products)
    encoder.build()
    inputs, outputs = {"ids": ("int64", 2)}, dict.fromkeys(("logits", "hidden", "mean"), ("float32", 2))
    return encoder.graph.to_bytes(inputs, outputs), encoder.graph.arrays


@dataclass(frozen=True, slots=True)
class Half:
    """Stands for ``scale * (values - zero)``; the values are whole numbers in 8 bits."""

    values: str
    scale: str
    zero: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """``values`` also as the sum of ``halves``, of which there are none where products are of floats.

    The second's scale is a 254th of the first's: it holds what rounding to the first has lost.
    """

    values: str
    halves: tuple[Half, ...] = ()


class FloatProducts:
    """Products of 32-bit floats with the weights' matrices; ``prepare`` what is multiplied once, ``multiply`` often."""

    precision = "float32"

    def prepare(self, graph: Graph, x: str) -> Prepared:
        """Values ``(n, n_inputs)`` as `multiply` takes them."""
        return Prepared(x)

    def multiply(self, graph: Graph, prepared: Prepared, weights: Weights, name: str, bias: str = "") -> str:
        """``(n, n_outputs)``: the product with the matrix of that name, plus the ``bias`` ``(n_outputs,)`` if given."""
        stored = weights.eight_bit(name)
        if stored is None:
            matrix = graph.constant(weights.floats(name))
        else:  # the runtime computes it once, and keeps one copy; of what it is given, it keeps two for a while
            matrix = graph.node("Cast", graph.constant(stored[0]), to=1)
            matrix = graph.node("Mul", matrix, graph.constant(stored[1][:, None]))
        return graph.node("Gemm", prepared.values, matrix, bias, transB=1)


class WholeProducts(FloatProducts):
    """Products of 8-bit whole numbers with the matrices that are stored so, each value cut into two halves."""

    precision = "int8 halves"

    def prepare(self, graph: Graph, x: str) -> Prepared:
        """See `FloatProducts.prepare`."""
        high = Half(*graph.nodes("DynamicQuantizeLinear", x, outputs=3))
        lost = graph.node("Sub", x, graph.node("DequantizeLinear", high.values, high.scale, high.zero))
        scale, zero = graph.node("Mul", high.scale, graph.constant(1 / 254)), graph.constant(128, "uint8")
        return Prepared(x, (high, Half(graph.node("QuantizeLinear", lost, scale, zero), scale, zero)))

    def multiply(self, graph: Graph, prepared: Prepared, weights: Weights, name: str, bias: str = "") -> str:
        """See `FloatProducts.multiply`."""
        stored = weights.eight_bit(name)
        if stored is None:
            return super().multiply(graph, prepared, weights, name, bias)
        matrix, scales = graph.constant(stored[0].T), graph.constant(stored[1])
        parts = [
            graph.node("MatMulIntegerToFloat", h.values, matrix, h.scale, scales, h.zero, "", added, domain=MICROSOFT)
            for h, added in zip(prepared.halves, (bias, ""), strict=False)
        ]
        return parts[0] if len(parts) == 1 else graph.node("Add", *parts)


class _Encoder:
    """Builds one graph. Between attention and the rest, pieces are rows: ``(n_windows * n_pieces, width)``."""

    def __init__(self, files: ModelFiles, weights: Weights, products: FloatProducts) -> None:
        self.graph = Graph()
        self.weights = weights
        self.products = products
        self.config = files.encoder
        self.width = int(files.encoder["hidden_size"])
        self.epsilon = float(files.encoder["layer_norm_eps"])
        self.n_pieces = files.info.window + N_SPECIAL
        self.is_mpnet = files.encoder["model_type"] == "mpnet"
        self.names = MPNET_ATTENTION if self.is_mpnet else BERT_ATTENTION

    def build(self) -> None:
        """Writes all nodes."""
        graph = self.graph
        if self.weights.shape("encoder.embeddings.word_embeddings.weight")[1] != self.width:
            raise ValueError(f"its vectors are not {self.width} wide")
        shape = graph.node("Shape", "ids")
        n_pieces = graph.node("Slice", shape, graph.constant([1], "int64"), graph.constant([2], "int64"))
        cube = graph.node("Concat", shape, graph.constant([self.width], "int64"), axis=0)
        bias = self._position_bias(n_pieces) if self.is_mpnet else ""
        x = self._embeddings(n_pieces)
        n_layers = int(self.config["num_hidden_layers"])
        for i in range(n_layers):
            if i == n_layers // 2:
                self._mean(x, cube)
            x = self._layer(f"encoder.encoder.layer.{i}.", x, cube, bias)
        head = graph.constant(self.weights.floats("token_head.weight").T)
        graph.node("Identity", x, output="hidden")
        graph.node("Add", graph.node("MatMul", x, head), self._vector("token_head.bias"), output="logits")

    def _mean(self, x: str, cube: str) -> None:
        """The mean vector of each window's pieces, special ones left out, as an output."""
        first, last, along = (self.graph.constant([at], "int64") for at in (1, -1, 1))
        inside = self.graph.node("Slice", self.graph.node("Reshape", x, cube), first, last, along)
        self.graph.node("ReduceMean", inside, along, keepdims=0, output="mean")

    def _embeddings(self, n_pieces: str) -> str:
        graph, prefix = self.graph, "encoder.embeddings."
        words = self._gather(prefix + "word_embeddings.weight")
        table = self._positions(prefix)[: self.n_pieces]
        positions = graph.node("Slice", graph.constant(table), graph.constant([0], "int64"), n_pieces)
        x = graph.node("Add", words, positions)
        norm = prefix + "LayerNorm."
        x = graph.node(
            "LayerNormalization", x, self._vector(norm + "weight"), self._vector(norm + "bias"), epsilon=self.epsilon
        )
        return self._rows(x)

    def _gather(self, name: str) -> str:
        graph, stored = self.graph, self.weights.eight_bit(name)
        if stored is None:
            return graph.node("Gather", graph.constant(self.weights.floats(name)), "ids")
        values = graph.node("Cast", graph.node("Gather", graph.constant(stored[0]), "ids"), to=1)
        scales = graph.node("Gather", graph.constant(stored[1][:, None]), "ids")
        return graph.node("Mul", values, scales)

    def _positions(self, prefix: str) -> Array:
        """The position embeddings from the first piece on, with that of the only token type where there is one."""
        table = self.weights.floats(prefix + "position_embeddings.weight")
        if self.config["model_type"] != "bert":
            table = table[int(self.config["pad_token_id"]) + 1 :]
        if self.is_mpnet:
            return table
        with_type: Array = table + self.weights.floats(prefix + "token_type_embeddings.weight")[0]
        return with_type

    def _position_bias(self, n_pieces: str) -> str:
        """What MPNet adds to the attention of a piece to another, by their distance."""
        graph = self.graph
        values = self.weights.floats("encoder.encoder.relative_attention_bias.weight")
        table = values[relative_buckets(self.n_pieces, int(self.config["relative_attention_num_buckets"]))]
        whole = graph.constant(table.transpose(2, 0, 1)[None])
        ends = graph.node("Concat", n_pieces, n_pieces, axis=0)
        return graph.node("Slice", whole, graph.constant([0, 0], "int64"), ends, graph.constant([2, 3], "int64"))

    def _layer(self, prefix: str, x: str, cube: str, bias: str) -> str:
        names = self.names
        attended = self._attention(prefix, x, cube, bias)
        x = self._norm_of_sum(x, self._dense(attended, prefix + names.output), prefix + names.norm)
        inner = self.graph.node("Gelu", self._dense(x, prefix + "intermediate.dense"), domain=MICROSOFT)
        return self._norm_of_sum(x, self._dense(inner, prefix + "output.dense"), prefix + "output.LayerNorm")

    def _attention(self, prefix: str, x: str, cube: str, bias: str) -> str:
        graph = self.graph
        parts = [prefix + name for name in (self.names.query, self.names.key, self.names.value)]
        prepared = self.products.prepare(graph, x)
        projected = [
            graph.node("Reshape", self.products.multiply(graph, prepared, self.weights, f"{part}.weight"), cube)
            for part in parts
        ]
        biases = graph.constant(np.concatenate([self.weights.floats(f"{part}.bias") for part in parts]))
        heads = int(self.config["num_attention_heads"])
        attended = graph.node("MultiHeadAttention", *projected, biases, "", bias, domain=MICROSOFT, num_heads=heads)
        return self._rows(attended)

    def _dense(self, x: str, name: str) -> str:
        """The product with a matrix plus its bias, which the product takes along: so that is no pass of its own."""
        prepared, bias = self.products.prepare(self.graph, x), self._vector(f"{name}.bias")
        return self.products.multiply(self.graph, prepared, self.weights, f"{name}.weight", bias)

    def _norm_of_sum(self, x: str, y: str, norm: str) -> str:
        """The layer norm of ``x`` plus ``y``; ``SkipLayerNormalization``, the runtime's one node for it, is slower."""
        weight, bias = self._vector(f"{norm}.weight"), self._vector(f"{norm}.bias")
        return self.graph.node("LayerNormalization", self.graph.node("Add", x, y), weight, bias, epsilon=self.epsilon)

    def _vector(self, name: str) -> str:
        return self.graph.constant(self.weights.floats(name))

    def _rows(self, x: str) -> str:
        return self.graph.node("Reshape", x, self.graph.constant([-1, self.width], "int64"))


def span_graph(weights: Weights) -> tuple[bytes, dict[str, Array]]:
    """The span head's file and large arrays: ``features`` ``(n_spans, …)`` → ``scores`` ``(n_spans, 23)``."""
    graph = Graph()
    inner = graph.node("MatMul", "features", graph.constant(weights.floats("span_head.0.weight").T))
    inner = graph.node("BiasGelu", inner, graph.constant(weights.floats("span_head.0.bias")), domain=MICROSOFT)
    outer = graph.constant(weights.floats("span_head.3.weight").T)
    bias = graph.constant(weights.floats("span_head.3.bias"))
    graph.node("Add", graph.node("MatMul", inner, outer), bias, output="scores")
    return graph.to_bytes({"features": ("float32", 2)}, {"scores": ("float32", 2)}), graph.arrays


def relative_buckets(n_pieces: int, n_buckets: int) -> Array:
    """MPNet's bucket ``(n_pieces, n_pieces)`` of the distance from one piece (row) to another (column).

    One half of the buckets is for pieces before; of a half, one half has a bucket for each distance, the other for
    distances that grow by a constant factor up to `FARTHEST`. As in T5 (Raffel et al. 2020).
    """
    positions = np.arange(n_pieces)
    distance = positions[None, :] - positions[:, None]
    half = n_buckets // 2
    exact = half // 2
    far = np.maximum(np.abs(distance), 1).astype(np.float32) / np.float32(exact)
    steps = np.log(far) / np.float32(math.log(FARTHEST / exact)) * np.float32(half - exact)
    logarithmic = np.minimum(exact + steps.astype(np.int64), half - 1)
    bucket: Array = np.where(np.abs(distance) < exact, np.abs(distance), logarithmic) + np.where(distance > 0, half, 0)
    return bucket
