"""Result of `simulate`: a whole training with the generated code, and how much it forgot."""

from dataclasses import replace
from pathlib import Path

from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.order import Order, passes_in
from tpsgd_edge.memory.dump import State
from tpsgd_edge.reports.costs import formats_of
from tpsgd_edge.reports.curve import CurvePoint
from tpsgd_edge.reports.forgetting import forgetting_of
from tpsgd_edge.reports.results import SimulateResult
from tpsgd_edge.spec import Spec
from tpsgd_edge.stages import (
    Prepared,
    Progress,
    Training,
    detection_in,
    metric_of,
    train_on_host,
    with_frozen_hidden_layers,
)
from tpsgd_edge.stages.export import write_state
from tpsgd_edge.stages.facts import training_doubts


def with_passes(spec: Spec, order: Order, epochs: int | None) -> tuple[Spec, int | None]:
    """The spec and its epochs; where classes come one after the other, with a schedule of one pass.

    Raises:
        SpecError: more passes are asked for, or a detector of anomalies learns, which meets no
            class but the normal one.
    """
    if order == "classes" and spec.data.task == "anomaly":
        raise SpecError(
            "a detector of anomalies learns one class, which no other can come after",
            where="--order classes",
            found='task = "anomaly"',
            help="use --order recorded or shuffled",
        )
    passes = passes_in(order, epochs)
    if order == "classes":
        spec = spec.model_copy(update={"rule": spec.rule.model_copy(update={"epochs": 1})})
    return spec, passes


def simulated(
    prepared: Prepared,
    epochs: int,
    progress: Progress,
    weights_out: Path | None = None,
    begin: State | None = None,
    *,
    check: bool = True,
    order: Order = "shuffled",
) -> SimulateResult:
    """Train on this computer, once more with hidden layers that do not learn, and tell the scores.

    Args:
        weights_out: where the trained state is written.
        begin: the state to begin with; the first one where not given.
        check: have the code test itself first.
        order: in which the samples come.
    """
    model, dataset = prepared.model, prepared.dataset
    training = train_on_host(
        prepared, epochs, progress, "training", begin, check=check, order=order
    )
    if weights_out is not None:
        write_state(prepared, training.state, weights_out)
    baselines = {}
    if any(not layer.is_last for layer in model.trainable):
        frozen = replace(prepared, model=with_frozen_hidden_layers(model))
        has_weights = prepared.spec.model.has_first_weights or begin is not None
        name = f"hidden layers {'as they came' if has_weights else 'at random'}"
        trained = train_on_host(frozen, epochs, progress, name, begin, check=check, order=order)
        baselines[name] = trained.scores[-1].value
    scores = training.scores
    # Where the classes come in turn, scores on the way are no sign of an end that came too late.
    ends = replace(training, scores=(scores[0], scores[-1])) if order == "classes" else training
    samples = len(dataset.x_train)
    return SimulateResult(
        spec=prepared.spec,
        platform=prepared.platform.name,
        epochs=epochs,
        metric=metric_of(model),
        accuracy_before=scores[0].value,
        accuracy_after=scores[-1].value,
        curve=_curve(training, samples),
        order=order,
        forgetting=forgetting_of(training) if order == "classes" else None,
        confusion=scores[-1].confusion,
        samples_per_second=training.steps / training.seconds if training.seconds else None,
        class_names=dataset.class_names,
        formats=formats_of(model),
        baselines=baselines,
        weights=weights_out,
        source_domain=tuple(score.value for score in training.source_scores),
        data=dataset.said,
        warnings=training_doubts(prepared, ends, baselines),
        planned_ram=prepared.plan.n_bytes,
        detection=detection_in(prepared, training.outputs),
        state=training.state,
    )


def _curve(training: Training, samples: int) -> tuple[CurvePoint, ...]:
    """Scores by the passes over the samples that came before each of them."""
    points = zip(training.seen, training.scores, strict=True)
    return tuple(
        CurvePoint(seen // samples if seen % samples == 0 else seen / samples, seen, score.value)
        for seen, score in points
    )
