"""The projection of one layer."""

from tpsgd_edge.arithmetic.projection import draw_projection
from tpsgd_edge.arithmetic.random import Purpose, stream
from tpsgd_edge.quantize.model import Projection
from tpsgd_edge.spec import ProjectionSpec


def make_projection(
    spec: ProjectionSpec, *, model_seed: int, layer: int, n_out: int, n_labels: int
) -> Projection:
    """The projection of one layer; its values do not depend on how it is stored."""
    seed = stream(model_seed, Purpose.PROJECTION, layer)
    values = draw_projection(spec.kind, seed, (n_out, n_labels))
    return Projection(spec.kind, spec.storage, seed, values)
