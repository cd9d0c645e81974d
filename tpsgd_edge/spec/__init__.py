"""The spec: the user's TOML file, parsed, checked and frozen.

Every key is checked on reading. Whatever is wrong with the spec alone ends in one `SpecError` that
lists all of it; what only the data can tell is checked by the stage that has them.
"""

from tpsgd_edge.spec.activations import NOT_MONOTONE, Activation
from tpsgd_edge.spec.attention import check_device_can
from tpsgd_edge.spec.base import LARGEST_POSITIVE
from tpsgd_edge.spec.blocks import has_passed_error, obstacle, passed_layers
from tpsgd_edge.spec.carried import can_carry_scores, carries_scores
from tpsgd_edge.spec.detection import finds_anomalies
from tpsgd_edge.spec.detector import DetectorSpec
from tpsgd_edge.spec.edges import SAMPLE, Edges
from tpsgd_edge.spec.features import STATISTICS, FeaturesSpec, Statistic
from tpsgd_edge.spec.layers import (
    AdaptorSpec,
    Conv1dSpec,
    Conv2dSpec,
    ConvSpec,
    DenseSpec,
    GatedSpec,
    GruSpec,
    LayerSpec,
    LstmSpec,
    RecurrentSpec,
    RnnSpec,
)
from tpsgd_edge.spec.load import load_spec, past_adaptors, spec_from_dict, with_layers
from tpsgd_edge.spec.loss import HiddenLoss, LossKind, LossSpec, OutputLoss
from tpsgd_edge.spec.memory import KEEPING, MemorySpec, skipped_steps
from tpsgd_edge.spec.model import ModelSpec, PretrainSpec
from tpsgd_edge.spec.names import check_c_name, check_model_name
from tpsgd_edge.spec.platform import PlatformSpec, parse_bytes
from tpsgd_edge.spec.rates import (
    DEFAULT_RATE,
    asked_learning_rate,
    is_normalized,
    is_rate_open,
    layer_learning_rate,
)
from tpsgd_edge.spec.rules import (
    LabelsKind,
    check_labels_kind,
    error_gate,
    first_loss,
    first_projection,
    layer_activation,
    layer_index,
    layer_loss,
    layer_projection,
    layer_weights,
    weighted_layer,
)
from tpsgd_edge.spec.search import NetKind, SearchSpec
from tpsgd_edge.spec.sections import (
    DEFAULT_FINAL_RATE,
    FASHION_MNIST,
    SCHEDULES,
    ActivationFormat,
    DataSpec,
    NumbersSpec,
    ProjectionKind,
    ProjectionSpec,
    RawType,
    RuleSpec,
    Spec,
)
from tpsgd_edge.spec.source import SourceInput
from tpsgd_edge.spec.walks import walk_keys
from tpsgd_edge.spec.weighted import LayerFormat, WeightedSpec, WeightFormat
from tpsgd_edge.spec.weightless import (
    AddSpec,
    AttentionSpec,
    ConcatSpec,
    FlattenSpec,
    GlobalAvgPoolSpec,
    NormSpec,
    PoolSpec,
    ReadingSpec,
)

__all__ = [
    "DEFAULT_FINAL_RATE",
    "DEFAULT_RATE",
    "FASHION_MNIST",
    "KEEPING",
    "LARGEST_POSITIVE",
    "NOT_MONOTONE",
    "SAMPLE",
    "SCHEDULES",
    "STATISTICS",
    "Activation",
    "ActivationFormat",
    "AdaptorSpec",
    "AddSpec",
    "AttentionSpec",
    "ConcatSpec",
    "Conv1dSpec",
    "Conv2dSpec",
    "ConvSpec",
    "DataSpec",
    "DenseSpec",
    "DetectorSpec",
    "Edges",
    "FeaturesSpec",
    "FlattenSpec",
    "GatedSpec",
    "GlobalAvgPoolSpec",
    "GruSpec",
    "HiddenLoss",
    "LabelsKind",
    "LayerFormat",
    "LayerSpec",
    "LossKind",
    "LossSpec",
    "LstmSpec",
    "MemorySpec",
    "ModelSpec",
    "NetKind",
    "NormSpec",
    "NumbersSpec",
    "OutputLoss",
    "PlatformSpec",
    "PoolSpec",
    "PretrainSpec",
    "ProjectionKind",
    "ProjectionSpec",
    "RawType",
    "ReadingSpec",
    "RecurrentSpec",
    "RnnSpec",
    "RuleSpec",
    "SearchSpec",
    "SourceInput",
    "Spec",
    "Statistic",
    "WeightFormat",
    "WeightedSpec",
    "asked_learning_rate",
    "can_carry_scores",
    "carries_scores",
    "check_c_name",
    "check_device_can",
    "check_labels_kind",
    "check_model_name",
    "error_gate",
    "finds_anomalies",
    "first_loss",
    "first_projection",
    "has_passed_error",
    "is_normalized",
    "is_rate_open",
    "layer_activation",
    "layer_index",
    "layer_learning_rate",
    "layer_loss",
    "layer_projection",
    "layer_weights",
    "load_spec",
    "obstacle",
    "parse_bytes",
    "passed_layers",
    "past_adaptors",
    "skipped_steps",
    "spec_from_dict",
    "walk_keys",
    "weighted_layer",
    "with_layers",
]
