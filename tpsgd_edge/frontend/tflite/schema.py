"""Numbers by which TensorFlow Lite files name operators, types and fields (schema version 3)."""

from collections.abc import Mapping
from typing import Final

MARK: Final = b"TFL3"

# Operators in the order of their numbers, from 0.
OPERATORS = tuple(
    """
    ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE
    EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D
    LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1
    RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM
    CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND
    SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE
    BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM
    CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE
    SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW
    ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK
    REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR
    LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS
    WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE
    NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM
    BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG
    REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL
    CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL
    BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1
    """.split()
)
CUSTOM: Final = OPERATORS.index("CUSTOM")
# From this number on an operator's number stands in a field of 32 bits alone.
WIDE: Final = OPERATORS.index("PLACEHOLDER_FOR_GREATER_OP_CODES")

# The number that an operator's table of options has, and its fields in their order.
OPTIONS: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "ADD": (11, ("fused", "pot_scale_int16")),
    "AVERAGE_POOL_2D": (5, ("padding", "stride_w", "stride_h", "width", "height", "fused")),
    "MAX_POOL_2D": (5, ("padding", "stride_w", "stride_h", "width", "height", "fused")),
    "CONCATENATION": (10, ("axis", "fused")),
    "CONV_2D": (1, ("padding", "stride_w", "stride_h", "fused", "dilation_w", "dilation_h")),
    "DEPTHWISE_CONV_2D": (
        2,
        ("padding", "stride_w", "stride_h", "multiplier", "fused", "dilation_w", "dilation_h"),
    ),
    "DIV": (29, ("fused",)),
    "FULLY_CONNECTED": (8, ("fused", "weights_format", "keep_num_dims")),
    "GATHER": (23, ("axis", "batch_dims")),
    "GELU": (116, ("approximate",)),
    "LEAKY_RELU": (75, ("alpha",)),
    "MEAN": (27, ("keep_dims",)),
    "MUL": (21, ("fused",)),
    "PACK": (59, ("values_count", "axis")),
    "REDUCE_MAX": (27, ("keep_dims",)),
    "RESHAPE": (17, ("new_shape",)),
    "SOFTMAX": (9, ("beta",)),
    "SQUEEZE": (30, ("squeeze_dims",)),
    "STRIDED_SLICE": (
        32,
        ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"),
    ),
    "SUB": (28, ("fused",)),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (
        71,
        ("fused", "cell_clip", "projection_clip", "time_major", "asymmetric", "diagonal"),
    ),
}
# Fields of options that take one byte; others take four.
BYTES = (
    *("fused", "padding", "weights_format", "keep_num_dims", "keep_dims", "approximate"),
    *("time_major", "asymmetric", "diagonal"),
)
REALS = ("alpha", "beta", "cell_clip", "projection_clip")
ONE_BY_DEFAULT = ("dilation_w", "dilation_h")

# Element types by their numbers, as numpy reads them; 17 is two numbers of 4 bits in each byte.
TYPES: Mapping[int, str] = {
    0: "<f4",
    1: "<f2",
    2: "<i4",
    3: "|u1",
    4: "<i8",
    6: "|b1",
    7: "<i2",
    9: "|i1",
    10: "<f8",
    15: "<u4",
    16: "<u2",
}
INT4: Final = 17

# The type of the samples in ONNX's numbers.
ONNX_TYPES: Mapping[int, int] = {0: 1, 1: 10, 3: 2, 7: 5, 9: 3, 10: 11}
