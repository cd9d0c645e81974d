"""How many random networks run here: under sanitizers over 1,000 in CI, over 2,000 at night."""

from dataclasses import dataclass

from hypothesis import settings


@dataclass(frozen=True)
class Count:
    """Networks of one kind: under sanitizers, and in each of the other builds."""

    sanitized: int
    per_build: int


# Mixtures have convolutions and pools behind recurrent layers; gated networks have gru layers,
# those of "lstm" at least one of these.
NIGHT = {
    "dense": Count(500, 30),
    "maps": Count(200, 10),
    "sequences": Count(200, 10),
    "mixtures": Count(100, 5),
    "frozen": Count(60, 4),
    "backprop": Count(120, 6),
    "blocks": Count(120, 4),
    "gated": Count(60, 4),
    "lstm": Count(16, 1),
    "memories": Count(80, 4),
    "detectors": Count(36, 3),
    "graphs": Count(500, 10),
    "specs": Count(200, 0),
}
CI = {
    "dense": Count(240, 12),
    "maps": Count(100, 4),
    "sequences": Count(100, 4),
    "mixtures": Count(50, 2),
    "frozen": Count(36, 2),
    "backprop": Count(60, 3),
    "blocks": Count(60, 2),
    "gated": Count(36, 2),
    "lstm": Count(16, 1),
    "memories": Count(64, 2),
    "detectors": Count(24, 2),
    "graphs": Count(250, 5),
    "specs": Count(100, 0),
}
ELSEWHERE = {
    "dense": Count(40, 4),
    "maps": Count(12, 1),
    "sequences": Count(12, 1),
    "mixtures": Count(6, 1),
    "frozen": Count(8, 1),
    "backprop": Count(12, 1),
    "blocks": Count(12, 1),
    "gated": Count(6, 1),
    "lstm": Count(6, 1),
    "memories": Count(12, 1),
    "detectors": Count(8, 1),
    "graphs": Count(16, 1),
    "specs": Count(32, 0),
}
_EXAMPLES = settings().max_examples
NOW = NIGHT if _EXAMPLES >= 500 else CI if _EXAMPLES >= 200 else ELSEWHERE
