"""What the user asked for: the TOML file, parsed, checked and frozen.

Every key is checked on reading. Whatever is wrong with the spec alone ends in one `SpecError` that
lists all of it; what only the data can tell is checked by the stage that has them.
"""

from tpsgd_edge.spec.layers import (
    Activation,
    Conv1dSpec,
    Conv2dSpec,
    ConvSpec,
    DenseSpec,
    FlattenSpec,
    GlobalAvgPoolSpec,
    HiddenLoss,
    LayerSpec,
    LossKind,
    LossSpec,
    OutputLoss,
    PoolSpec,
    TrainedSpec,
    WeightFormat,
)
from tpsgd_edge.spec.load import load_spec, spec_from_dict
from tpsgd_edge.spec.names import check_c_name, check_model_name
from tpsgd_edge.spec.rules import (
    LabelsKind,
    check_labels_kind,
    layer_activation,
    layer_index,
    layer_learning_rate,
    layer_loss,
    layer_weights,
    trained_layer,
)
from tpsgd_edge.spec.sections import (
    FASHION_MNIST,
    ActivationFormat,
    DataSpec,
    ModelSpec,
    NumbersSpec,
    PlatformSpec,
    PretrainSpec,
    ProjectionSpec,
    RuleSpec,
    Spec,
    parse_bytes,
)

__all__ = [
    "FASHION_MNIST",
    "Activation",
    "ActivationFormat",
    "Conv1dSpec",
    "Conv2dSpec",
    "ConvSpec",
    "DataSpec",
    "DenseSpec",
    "FlattenSpec",
    "GlobalAvgPoolSpec",
    "HiddenLoss",
    "LabelsKind",
    "LayerSpec",
    "LossKind",
    "LossSpec",
    "ModelSpec",
    "NumbersSpec",
    "OutputLoss",
    "PlatformSpec",
    "PoolSpec",
    "PretrainSpec",
    "ProjectionSpec",
    "RuleSpec",
    "Spec",
    "TrainedSpec",
    "WeightFormat",
    "check_c_name",
    "check_labels_kind",
    "check_model_name",
    "layer_activation",
    "layer_index",
    "layer_learning_rate",
    "layer_loss",
    "layer_weights",
    "load_spec",
    "parse_bytes",
    "spec_from_dict",
    "trained_layer",
]
