"""The server of a fleet, and the gateways between it and the devices, if there are any."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tpsgd_edge.arithmetic.ops import Int64
from tpsgd_edge.errors import MismatchError, SpecError
from tpsgd_edge.fleet.averaging import Average
from tpsgd_edge.fleet.gateway import gateway_view
from tpsgd_edge.fleet.plan import Fleet
from tpsgd_edge.fleet.server import Averaging, Gateway, Server
from tpsgd_edge.fleet.shared import Shared
from tpsgd_edge.quantize import QuantizedModel
from tpsgd_edge.toolchain.gateway_library import GatewayLibrary, compile_gateway
from tpsgd_edge.toolchain.scratch import scratch_folder

# An update and the place of the device that it comes from.
Sent = tuple[int, bytes]
# Of two devices neither can be told for a liar.
_FEWEST = 3


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a round.

    Attributes:
        refused: updates of devices that could not be taken.
        up: bytes from gateways to the server.
    """

    refused: int
    up: int


class Tree:
    """A server with its devices, or with gateways that have the devices."""

    def __init__(
        self, server: Server, gateways: Sequence[Gateway], twins: Sequence[GatewayLibrary] = ()
    ) -> None:
        """Twins are the same gateways in C, each of which is compared in each round."""
        self.server = server
        self._gateways = gateways
        self._twins = twins

    def hub(self, place: int) -> Server:
        """The gateway or server that a device talks to; gateways are dealt out in turn."""
        return self._gateways[place % len(self._gateways)] if self._gateways else self.server

    def begin(self) -> int:
        """Tell the gateways what the server has; bytes of that.

        Raises:
            MismatchError: a gateway in C comes to other values.
        """
        down = 0
        for number, gateway in enumerate(self._gateways):
            message = self.server.message(gateway.heard)
            down += len(message)
            gateway.take(message)
            for twin in self._twins[number : number + 1]:
                is_equal = twin.take(message) and twin.message() == gateway.message(None)
                self._check(number, "took other values over", is_equal=is_equal)
        return down

    def finish(self, updates: Sequence[Sent]) -> Finished:
        """Make a round of what devices sent.

        Raises:
            MismatchError: a gateway in C makes another update.
        """
        if not self._gateways:
            return Finished(self.server.finish([raw for _, raw in updates]), 0)
        refused, up = 0, []
        for number, gateway in enumerate(self._gateways):
            own = [raw for place, raw in updates if self.hub(place) is gateway]
            out = gateway.finish(own)
            update = gateway.update()
            for twin in self._twins[number : number + 1]:
                is_equal = twin.finish(own) == out and twin.update() == update
                self._check(number, "made another update", is_equal=is_equal)
            refused += out
            up += [] if update is None else [update]
        self.server.finish(up)
        return Finished(refused, sum(map(len, up)))

    def _check(self, number: int, what: str, *, is_equal: bool) -> None:
        if not is_equal:
            raise MismatchError(
                f"mismatch: a gateway in C {what} than the reference",
                where=f"gateway {number}, round {self.server.turn}",
                help="this is a fault of tpsgd-edge; please report it with the spec",
            )


@contextmanager
def tree_of(fleet: Fleet, model: QuantizedModel, shared: Shared, values: Int64) -> Iterator[Tree]:
    """The server and the gateways of a fleet whose devices begin with these values (count,).

    Gateways take the fleet's average over their devices, and the server the weighted mean over
    gateways; without gateways the server takes the fleet's average. Gateways with a mean are
    compared with the same in C.

    Raises:
        ToolError: there is no compiler for these.
    """
    if not fleet.gateways:
        yield Tree(Server(shared, values, fleet.averaging, model.seed), ())
        return
    server = Server(shared, values, Averaging(), model.seed)
    numbers = range(fleet.gateways)
    gateways = [Gateway(shared, values, fleet.averaging, model.seed, one) for one in numbers]
    if fleet.averaging.average != "mean":
        yield Tree(server, gateways)
        return
    with scratch_folder() as folder:
        library, view = compile_gateway(folder), gateway_view(model, shared)
        twins = [GatewayLibrary(library, view, values, one) for one in numbers]
        yield Tree(server, gateways, twins)


def check_gateways(fleet: Fleet, devices: int) -> None:
    """See whether so many devices can have the gateways of a fleet.

    Raises:
        SpecError: a gateway would have none, or too few for its average.
    """
    if not fleet.gateways:
        return
    fewest, average = devices // fleet.gateways, fleet.averaging.average
    found = f"{devices:,} devices, {fleet.gateways:,} gateways"
    if not fewest:
        raise SpecError(
            "there are more gateways than devices",
            where="--gateways",
            found=found,
            help=f"give at most {devices:,}",
        )
    if average != "mean" and fewest < _FEWEST:
        raise SpecError(
            f"a gateway with {fewest} of the devices cannot tell a liar from the others",
            where=f"--gateways, --average {average}",
            found=found,
            help=f"a gateway averages its own devices, and {average} needs {_FEWEST} of them: "
            f"give fewer gateways, or --average mean",
        )


def check_written(average: Average) -> None:
    """See whether a gateway in C has an average.

    Raises:
        SpecError: it has not.
    """
    if average != "mean":
        raise SpecError(
            "a gateway in C has the weighted mean only",
            where="--gateway",
            found=f"--average {average}",
            help="leave one of both out: robust averages need all updates at once, and are in "
            "Python only",
        )
