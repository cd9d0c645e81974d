"""Calls by which layers carry scores on, and the last one answers with their sum."""

from collections.abc import Iterator

from tpsgd_edge.codegen.calls import Argument, Call, arena, call, state
from tpsgd_edge.quantize.model import QuantizedModel, QuantizedWeighted

_COUNT = Argument("variable", "TPS_N_LABELS")


def carries(model: QuantizedModel, layer: QuantizedWeighted) -> bool:
    """Tell whether the layer adds to the scores of those before it."""
    return layer.name in model.carrying


def totals_of(model: QuantizedModel, layer: QuantizedWeighted) -> Argument | None:
    """The scores of all layers up to this one; None where it adds none."""
    return arena(layer, "v") if carries(model, layer) else None


def scores_calls(
    model: QuantizedModel, layer: QuantizedWeighted, unit: Argument, seen: Argument
) -> Iterator[Call]:
    """Calls behind the outputs of a layer that adds to the scores.

    Args:
        unit: the struct that has the loss.
        seen: what the loss sees.
    """
    place = model.carrying.index(layer.name)
    scores, totals = arena(layer, "s"), arena(layer, "v")
    learned = (state(layer, "p"),) if layer.has_learning_readout else ()
    yield call(f"tps_read_out_{layer.y_type}", unit, seen, _COUNT, *learned, scores)
    if place == 0:
        yield call("tps_first_scores", scores, totals)
    else:
        yield call("tps_add_scores", scores, _totals_named(model, place - 1), totals)


def answer_calls(model: QuantizedModel, layer: QuantizedWeighted) -> tuple[Call, ...]:
    """Call that makes the outputs of the last layer the answer; none in other layers."""
    if not layer.is_last or not model.carrying:
        return ()
    return (call("tps_answer", _totals_named(model, -1), arena(layer, "y")),)


def carried_words(model: QuantizedModel, layer: QuantizedWeighted) -> str:
    """Words for a comment on what a layer does with scores; empty where it does nothing."""
    if carries(model, layer):
        return ", adds to the scores"
    return ", added to the scores" if layer.is_last and model.carrying else ""


def _totals_named(model: QuantizedModel, place: int) -> Argument:
    return Argument("arena", f"{model.carrying[place]}_v")
