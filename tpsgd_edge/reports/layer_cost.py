"""Cost of one layer, and the budget for all of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LayerCost:
    """Kind and cost of one layer.

    Attributes:
        shape: as people write it, "64 -> 32".
        about: activation, local loss and projection in words.
        weights: number of weights and biases.
        ram_bytes: its part of the state struct.
        flash_bytes: its constants: projection, stored weights, tables of its own.
        instructions_inference, instructions_step: on the platform, None where not counted.
    """

    layer: str
    kind: str
    shape: str
    about: str
    weights: int
    ram_bytes: int
    flash_bytes: int
    instructions_inference: int | None = None
    instructions_step: int | None = None

    def to_json(self) -> dict[str, object]:
        """The fields by name."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Budget:
    """Bytes that the firmware may use: of the spec, else of the platform; None without a limit."""

    ram: int | None = None
    flash: int | None = None
