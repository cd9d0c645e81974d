"""Graph -> QuantizedModel: number formats, scales, learning rates, projections, initial weights."""

from tpsgd_edge.quantize.model import QuantizedModel
from tpsgd_edge.quantize.network import quantize
from tpsgd_edge.quantize.samples import quantize_inputs, quantize_labels

__all__ = ["QuantizedModel", "quantize", "quantize_inputs", "quantize_labels"]
