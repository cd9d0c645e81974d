"""The same fleet as an app of Flower: its server and its devices, simulated or real.

A folder with `app.py`, which names `client_app` and `server_app`, and a pyproject.toml is all that
`flwr run` needs: examples/fleet. Terms of the fleet are the app's config, and a device at the end
of a line is one whose node config has `port`.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from flwr.app import ConfigRecord, Context, Message, MessageType, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.errors import DataError, ToolError
from tpsgd_edge.files import write_whole
from tpsgd_edge.fleet.accidents import Accidents, fate, liars, lied
from tpsgd_edge.fleet.averaging import Average
from tpsgd_edge.fleet.linked import LinkedLearner
from tpsgd_edge.fleet.member import Learner, Member
from tpsgd_edge.fleet.partition import Part, divided, parse_partition
from tpsgd_edge.fleet.server import Averaging, Server
from tpsgd_edge.fleet.shared import Shared, shared_of
from tpsgd_edge.fleet.updates import read
from tpsgd_edge.link import LinkedDevice
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.spec import load_spec
from tpsgd_edge.stages import Prepared, on_host, prepare
from tpsgd_edge.stages.adapting import score_on
from tpsgd_edge.toolchain.device import Device
from tpsgd_edge.toolchain.host_device import HostDevice

_RECORD = "fleet"
_MEMBER = "member"
_LOG = logging.getLogger("flwr")
# Seconds between two looks whether all devices are there, and how often it looks.
_LOOKS, _PAUSE = 600, 0.5

client_app = ClientApp()
server_app = ServerApp()


@dataclass(frozen=True, slots=True)
class _Terms:
    """Terms of a fleet, as the config of the app has them."""

    spec: str
    devices: int
    rounds: int
    epochs: int
    partition: str
    average: str
    cut: float
    personal: str
    timeout: float
    out: str
    accidents: Accidents


@dataclass(frozen=True, slots=True)
class _Answer:
    """Answer of a device that the round has reached.

    Attributes:
        place: of the device in the fleet.
        is_late: whether it comes with the next round.
    """

    node: int
    place: int
    update: bytes
    is_late: bool


@dataclass(frozen=True, slots=True)
class _Ready:
    """A model, what is shared of it, and who has which samples."""

    prepared: Prepared
    shared: Shared
    parts: tuple[Part, ...]


_DEFAULTS: Mapping[str, Any] = {
    "devices": 10,
    "rounds": 20,
    "epochs": 1,
    "partition": "even",
    "average": "mean",
    "cut": 0.2,
    "personal": "",
    "timeout": 3600.0,
    "out": "",
    "drop": 0.0,
    "slow": 0.0,
    "lie": 0.0,
}


def _terms(context: Context) -> _Terms:
    """The terms in the config of the app. Raises SpecError where a share of devices is none."""
    given = {name: context.run_config.get(name, value) for name, value in _DEFAULTS.items()}
    accidents = Accidents(*(float(given.pop(name)) for name in ("drop", "slow", "lie")))
    return _Terms(spec=str(context.run_config["spec"]), accidents=accidents, **given)


@lru_cache(maxsize=1)
def _ready(terms: _Terms) -> _Ready:
    """Prepare a fleet, once in each process."""
    partition = parse_partition(terms.partition)
    dataset, parts = divided(load_spec(Path(terms.spec)), partition, terms.devices)
    prepared = prepare(load_spec(Path(terms.spec)), dataset)
    personal = tuple(name for name in terms.personal.split(",") if name)
    return _Ready(prepared, shared_of(prepared.model, personal), parts)


@lru_cache(maxsize=1)
def _host(terms: _Terms) -> Device:
    """The generated code on this computer, compiled once in each process, where it stays."""
    with on_host(_ready(terms).prepared) as device:
        return device


def _bytes_in(content: RecordDict, name: str) -> bytes:
    record = content[_RECORD]
    value = record[name] if isinstance(record, ConfigRecord) else None
    if not isinstance(value, bytes):
        raise DataError(
            "a message of Flower holds nothing of a fleet",
            found=f"records {', '.join(content)}",
            help="server and devices need the app of one tpsgd-edge",
        )
    return value


@client_app.train()
def train(message: Message, context: Context) -> Message:
    """Take the server's message over, learn, and answer with an update.

    A device that a round shall not reach does neither, and answers with nothing.
    """
    terms = _terms(context)
    ready = _ready(terms)
    place, raw = int(context.node_config["partition-id"]), _bytes_in(message.content, "message")
    seed, devices = ready.prepared.model.seed, len(ready.parts)
    luck = fate(terms.accidents, seed, read(ready.shared, raw).turn, devices)
    update = b"" if place in luck.dropped else _learned(terms, context, place, raw)
    if update and place in liars(terms.accidents, seed, devices):
        update = lied(ready.shared, update)
    record = ConfigRecord({"update": update, "place": place, "late": place in luck.slow})
    return Message(content=RecordDict({_RECORD: record}), reply_to=message)


def _learned(terms: _Terms, context: Context, place: int, raw: bytes) -> bytes:
    """The update of a device after a message, which leaves its state in the context."""
    ready = _ready(terms)
    with _learner(terms, context) as (learner, x, labels):
        member = Member(ready.shared, place, ready.prepared.model.seed, b"")
        _restore(member, learner, context)
        member.take(raw)
        own = ready.parts[place].train
        update = member.learn(learner, x[own], labels[own], epochs=terms.epochs)
    state, known, passes = member.saved()
    context.state[_MEMBER] = ConfigRecord({"state": state, "known": known, "passes": passes})
    return update


@contextmanager
def _learner(terms: _Terms, context: Context) -> Iterator[tuple[Learner, Array, Array]]:
    """Give the device that learns, and all samples (n, n_in) and labels as it takes them."""
    prepared = _ready(terms).prepared
    dataset, model = prepared.dataset, prepared.model
    port = context.node_config.get("port")
    if port is not None:
        with LinkedDevice.open(str(port), model) as device:
            yield LinkedLearner(device), dataset.x_train, dataset.y_train
        return
    x = quantize_inputs(model, dataset.x_train)
    yield _host(terms), x, quantize_labels(model, dataset.y_train)


def _restore(member: Member, learner: Learner, context: Context) -> None:
    """The member as it was after the round before; at first with the state that the device has."""
    if _MEMBER in context.state:
        kept: Any = context.state[_MEMBER]
        member.restore(kept["state"], kept["known"], kept["passes"])
        return
    if isinstance(learner, HostDevice):
        learner.init()
    member.state = learner.state()


@server_app.main()
def serve(grid: Grid, context: Context) -> None:
    """Run all rounds, say how good the net is after each, and write its state in the end."""
    terms = _terms(context)
    ready = _ready(terms)
    device, model = _host(terms), ready.prepared.model
    device.init()
    state, dataset = device.state(), ready.prepared.dataset
    averaging = Averaging(cast(Average, terms.average), terms.cut)
    server = Server(ready.shared, ready.shared.of(state), averaging, model.seed)
    nodes, heard = _nodes(grid, len(ready.parts)), dict[int, int]()
    late: list[bytes] = []
    for turn in range(terms.rounds):
        messages = [_message(server.message(heard.get(node)), node, turn) for node in nodes]
        replies = grid.send_and_receive(messages, timeout=terms.timeout)
        # In the order of the devices: of equals Krum takes the first.
        answers = sorted(_answers(replies), key=lambda one: one.place)
        heard |= {one.node: turn for one in answers}
        updates = [*late, *(one.update for one in answers if not one.is_late)]
        late = [one.update for one in answers if one.is_late]
        refused = server.finish(updates)
        device.load_state(ready.shared.into(state, server.values))
        value = score_on(device, ready.prepared, dataset.x_test, dataset.y_test)
        sent = sum(len(one.update) for one in answers)
        counts = (turn + 1, len(updates), len(late), refused, f"{sent:,}", value)
        _LOG.info("round %d: %d updates, %d late, %d refused, %s bytes, score %.4f", *counts)
    if terms.out:
        made = ready.shared.into(state, server.values)
        write_whole(made, Path(terms.out), what="the state")


def _answers(replies: Iterable[Message]) -> Iterator[_Answer]:
    """The answers of devices that the round has reached; the others are left out of it."""
    for reply in replies:
        node = reply.metadata.src_node_id
        if not reply.has_content():
            _LOG.warning("node %d: %s", node, reply.error.reason)
            continue
        update = _bytes_in(reply.content, "update")
        record: Any = reply.content[_RECORD]
        if update:
            yield _Answer(node, int(record["place"]), update, bool(record["late"]))


def _nodes(grid: Grid, count: int) -> list[int]:
    """The nodes of all devices, as soon as they are there.

    Raises:
        ToolError: some do not come.
    """
    found: list[int] = []
    for _ in range(_LOOKS):
        found = sorted(grid.get_node_ids())
        if len(found) >= count:
            return found[:count]
        time.sleep(_PAUSE)
    raise ToolError(
        "not all devices of the fleet are there",
        found=f"{len(found)} of {count} nodes after {_LOOKS * _PAUSE:.0f} s",
        help="start a SuperNode for each of them, or set devices in the config of the app",
    )


def _message(raw: bytes, node: int, turn: int) -> Message:
    content = RecordDict({_RECORD: ConfigRecord({"message": raw})})
    return Message(content, node, MessageType.TRAIN, group_id=str(turn))
