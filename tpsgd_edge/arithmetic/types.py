"""Names for arrays that many modules use."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Of any type of numbers: integers or binary32, whatever the model has.
Array = NDArray[Any]
# Real numbers of graphs and scales.
Real = NDArray[np.float64]
