"""How many random networks run on this computer: 1,000 and more under sanitizers in CI."""

from dataclasses import dataclass

from hypothesis import settings


@dataclass(frozen=True)
class Count:
    """Networks of one kind: under sanitizers, and in each of the other builds."""

    sanitized: int
    per_build: int


# Mixtures have convolutions and pools behind recurrent layers; gated networks have gru layers,
# those of "lstm" at least one of these.
CI = {
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
NOW = CI if settings().max_examples >= 200 else ELSEWHERE
