"""The terms of a fleet: devices, rounds, partition, accidents, averaging."""

from dataclasses import dataclass, field

from tpsgd_edge.fleet.accidents import Accidents
from tpsgd_edge.fleet.partition import Partition
from tpsgd_edge.fleet.server import Averaging


@dataclass(frozen=True, slots=True)
class Fleet:
    """A fleet to be simulated.

    Attributes:
        devices: how many; by a column at most so many.
        gateways: between the devices and the server; 0 where they talk to it themselves.
        epochs: passes over its samples that a device learns in a round.
        personal: layers that stay at home.
        emulated: devices that run on an emulated core too, and are compared.
        has_baselines: whether the devices alone, and one net with all samples, are trained as well.
    """

    devices: int = 10
    rounds: int = 20
    epochs: int = 1
    partition: Partition = field(default_factory=lambda: Partition("even"))
    accidents: Accidents = field(default_factory=Accidents)
    averaging: Averaging = field(default_factory=Averaging)
    personal: tuple[str, ...] = ()
    emulated: int = 0
    has_baselines: bool = False
    gateways: int = 0
