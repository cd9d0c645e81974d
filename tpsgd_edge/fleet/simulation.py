"""A fleet on this computer: every device computes with the generated C, and some on a core."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field

import numpy as np

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.errors import MismatchError, SpecError
from tpsgd_edge.fleet.accidents import fate, liars, lied
from tpsgd_edge.fleet.member import Member
from tpsgd_edge.fleet.partition import Part, divided
from tpsgd_edge.fleet.plan import Fleet
from tpsgd_edge.fleet.result import Baseline, FleetResult, Hop, Round, Scores
from tpsgd_edge.fleet.server import Server
from tpsgd_edge.fleet.shared import Shared, shared_of
from tpsgd_edge.fleet.tree import Sent, check_gateways, tree_of
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.spec import Spec
from tpsgd_edge.stages import Prepared, compile_for_device, on_host, prepare, render_project
from tpsgd_edge.stages.preparation import scratch_project
from tpsgd_edge.stages.training import score
from tpsgd_edge.toolchain.device import Device
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import open_device

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class _Run:
    """Everything that stays the same from round to round."""

    fleet: Fleet
    prepared: Prepared
    shared: Shared
    parts: tuple[Part, ...]
    x: Array
    labels: Array
    x_test: Array
    device: Device
    core: Device | None
    progress: Progress = field(compare=False)

    def samples(self, place: int) -> tuple[Array, Array]:
        """Samples (n, n_in) and labels (n, ...) of a device."""
        own = self.parts[place].train
        return self.x[own], self.labels[own]

    def members(self) -> list[Member]:
        """The devices, none of which has learned."""
        self.device.init()
        first, seed = self.device.state(), self.prepared.model.seed
        return [Member(self.shared, place, seed, first) for place in range(len(self.parts))]


def simulate_fleet(spec: Spec, fleet: Fleet, progress: Progress | None = None) -> FleetResult:
    """Let a fleet learn.

    Raises:
        TpsgdError: spec or data are at fault, a tool is missing, the weights cannot be averaged, or
            an emulated core or a gateway in C does not do what this computer does.
    """
    dataset, parts = divided(spec, fleet.partition, fleet.devices)
    check_gateways(fleet, len(parts))
    prepared = prepare(spec, dataset)
    shared = shared_of(prepared.model, fleet.personal)
    model = prepared.model
    samples = prepared.dataset
    with on_host(prepared) as device, _core(prepared, fleet.emulated) as core:
        run = _Run(
            fleet,
            prepared,
            shared,
            parts,
            quantize_inputs(model, samples.x_train),
            quantize_labels(model, samples.y_train),
            quantize_inputs(model, samples.x_test),
            device,
            core,
            progress or _silent,
        )
        began = time.perf_counter()
        rounds, server, first = _rounds(run)
        seconds = time.perf_counter() - began
        baselines = tuple(_baselines(run)) if fleet.has_baselines else ()
    return FleetResult(
        spec=prepared.spec,
        data=dataset.said,
        metric="accuracy" if model.labels.kind == "class" else "r2",
        fleet=fleet,
        devices=len(parts),
        model=model,
        shared=shared,
        rounds=rounds,
        values=server.values,
        state=shared.into(first, server.values),
        baselines=baselines,
        seconds=seconds,
    )


@contextmanager
def _core(prepared: Prepared, emulated: int) -> Iterator[Device | None]:
    """The model on an emulated core of the spec's platform; None where nobody runs there."""
    if not emulated:
        yield None
        return
    if prepared.platform.is_host:
        raise SpecError(
            "devices on emulated cores need a platform of devices",
            where="--emulate",
            found="the platform host",
            help="name one, such as --platform cortex-m4f",
        )
    project = render_project(prepared)
    with scratch_project(project) as folder:
        binary = compile_for_device(prepared, project, folder)
        with open_device(binary, interface_of(prepared.model)) as core:
            yield core


def _rounds(run: _Run) -> tuple[tuple[Round, ...], Server, bytes]:
    """All rounds, the server after them, and the state that all devices began with."""
    fleet, members, model = run.fleet, run.members(), run.prepared.model
    first = members[0].state
    lying = liars(fleet.accidents, model.seed, len(members))
    late: list[Sent] = []
    with tree_of(fleet, model, run.shared, run.shared.of(first)) as tree:
        found = [Round(0, 0, 0, 0, 0, _scores(run, tree.server, members))]
        for turn in range(fleet.rounds):
            run.progress("rounds", turn, fleet.rounds)
            luck = fate(fleet.accidents, model.seed, turn, len(members))
            to_gateways = tree.begin()
            down, up, updates, late = 0, 0, late, []
            for place, member in enumerate(members):
                if place in luck.dropped:
                    continue
                message = tree.hub(place).message(member.heard)
                down += len(message)
                member.take(message)
                update = _learned(run, place, member)
                if place in lying:
                    update = lied(run.shared, update)
                up += len(update)
                (late if place in luck.slow else updates).append((place, update))
            done = tree.finish(updates)
            taken, above = len(updates) - done.refused, Hop(to_gateways, done.up)
            scores = _scores(run, tree.server, members)
            found.append(Round(down, up, taken, done.refused, len(late), scores, above))
    run.progress("rounds", fleet.rounds, fleet.rounds)
    return tuple(found), tree.server, first


def _learned(run: _Run, place: int, member: Member) -> bytes:
    """The update of a device, which an emulated core confirms where it runs there too.

    Raises:
        MismatchError: the core does not come to the same bits.
    """
    x, labels = run.samples(place)
    if run.core is None or place >= run.fleet.emulated:
        return member.learn(run.device, x, labels, epochs=run.fleet.epochs)
    twin = copy(member)
    update = member.learn(run.device, x, labels, epochs=run.fleet.epochs)
    there = twin.learn(run.core, x, labels, epochs=run.fleet.epochs)
    if (there, twin.state) != (update, member.state):
        raise MismatchError(
            "mismatch: an emulated device of the fleet learned something else than this computer",
            where=f"device {place} on {run.prepared.platform.name}, round {member.heard}",
            help="`tpsgd-edge verify` compares every step",
        )
    return update


def _scores(run: _Run, server: Server, members: Sequence[Member]) -> Scores:
    """Scores of the server's net; where layers are personal, of each device's own net."""
    if run.fleet.personal:
        states = [run.shared.into(member.state, server.values) for member in members]
        return _scores_of(run, states)
    return _scores_of(run, [run.shared.into(members[0].state, server.values)])


def _scores_of(run: _Run, states: Sequence[bytes]) -> Scores:
    """Scores of nets: one of all devices, or one of each of them."""
    model, y = run.prepared.model, run.prepared.dataset.y_test
    whole, own = [], []
    outputs = np.zeros(0)
    for place, part in enumerate(run.parts):
        if place < len(states):
            run.device.load_state(states[place])
            outputs = run.device.outputs(run.x_test)
            whole.append(score(model, outputs, y).value)
        if len(part.test):
            own.append(score(model, outputs[part.test], y[part.test]).value)
    return Scores(float(np.mean(whole)), tuple(own))


def _baselines(run: _Run) -> Iterator[Baseline]:
    """The devices alone, and one net that has all their samples, for as many passes."""
    passes = run.fleet.rounds * run.fleet.epochs
    members = run.members()
    for place, member in enumerate(members):
        run.progress("alone", place, len(members))
        member.train(run.device, *run.samples(place), epochs=passes)
    yield Baseline("alone", _scores_of(run, [member.state for member in members]))
    everything = np.sort(np.concatenate([part.train for part in run.parts]))
    central = run.members()[0]
    run.progress("central", 0, 1)
    central.train(run.device, run.x[everything], run.labels[everything], epochs=passes)
    run.progress("central", 1, 1)
    yield Baseline("central", _scores_of(run, [central.state]))


def _silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""
