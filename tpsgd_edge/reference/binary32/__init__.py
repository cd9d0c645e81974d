"""The format f32: every operation one binary32 operation, in the order of section 12, never fused.

Operands are float32 arrays and `np.float32` scalars, so that numpy promotes nothing to binary64.
"""
