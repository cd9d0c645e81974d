"""The integer arithmetic that quantization, reference and generator share as definitions.

``docs/ARITHMETIC.md`` is the contract; section numbers in the docstrings refer to it.
"""
