"""Imported nets: layers as a spec has them, and their weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from tpsgd_edge.files import write_whole
from tpsgd_edge.frontend.imports.chain import Affine
from tpsgd_edge.graph import Shape, Weights


@dataclass(frozen=True, slots=True)
class ImportedNet:
    """A chain of layers from another tool.

    Attributes:
        layers: tables as in `model.layers` of a spec.
        weights: of each layer with weights, in our order: channels last.
        input_shape: of a sample: height, width, channels.
        input_lengths: of a sample in the net's own input.
        input_places: places of a sample's values there, in our order; None where they are the same.
        input_scaling: what the net makes of its samples first; None where a layer took it in.
        class_names: in the order of the outputs; None where the net does not say.
        in_integers: whether the file has weights that are whole numbers with a scale.
        has_few_steps: whether it rounds some values to fewer steps than 8 bits have.
    """

    layers: tuple[Mapping[str, Any], ...]
    weights: Mapping[str, Weights]
    input_shape: Shape
    input_lengths: tuple[int, ...] = ()
    input_places: tuple[int, ...] | None = None
    input_scaling: Affine | None = None
    class_names: tuple[str, ...] | None = None
    in_integers: bool = False
    has_few_steps: bool = False

    def save_weights(self, path: str | Path) -> None:
        """Write an .npz for `model.weights_file`.

        Raises:
            OutputError: the file cannot be written.
        """
        arrays: dict[str, Any] = {}
        for name, weights in self.weights.items():
            arrays |= {f"{name}.w": weights.w, f"{name}.b": weights.b}
        content = BytesIO()
        np.savez(content, **arrays)
        write_whole(content.getvalue(), Path(path), what="the file of weights")
