"""The fleet as a Flower app: the same bits as the fleet on this computer."""

from pathlib import Path

import pytest

from tests.support.fleets import spec_for
from tools.line_devices import Process, build
from tpsgd_edge.errors import DataError, SpecError, ToolError
from tpsgd_edge.fleet.accidents import Accidents
from tpsgd_edge.fleet.partition import parse_partition
from tpsgd_edge.fleet.plan import Fleet
from tpsgd_edge.fleet.server import Averaging
from tpsgd_edge.fleet.simulation import simulate_fleet
from tpsgd_edge.spec.toml import spec_content, toml_text
from tpsgd_edge.stages import prepare, render_project

pytest.importorskip("flwr")

from flwr.app import ConfigRecord, Context, Error, Message, MessageType, RecordDict
from flwr.cli.config_utils import load_and_validate
from flwr.serverapp import Grid
from flwr.supercore.task_identity import TaskIdentity

from tpsgd_edge.fleet import flower

APP = Path(__file__).parents[2] / "examples" / "fleet"


class Here(Grid):
    """Nodes of this process, which answer at once; `absent` ones fail in their rounds."""

    def __init__(self, config, count, absent=()):
        # Ids of nodes come in another order than devices: 100, 103, 102, 101.
        self.contexts = {
            100 + -place % count: Context(
                1, 100 + -place % count, {"partition-id": place}, RecordDict(), config
            )
            for place in range(count)
        }
        self.absent = absent
        self.rounds = 0
        self.kinds = []

    def set_run(self, run):
        raise NotImplementedError

    run = property(set_run)
    create_message = push_messages = pull_messages = set_run

    def get_node_ids(self):
        return self.contexts.keys()

    def send_and_receive(self, messages, *, timeout=None):
        self.rounds += 1
        for message in reversed(messages):
            node = message.metadata.dst_node_id
            self.kinds.append(message.content["fleet"]["message"][3])
            if (node, self.rounds) in self.absent:
                yield Message(Error(0, "gone"), reply_to=message)
            else:
                yield flower.client_app(message, self.contexts[node])


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Terms of a small fleet."""
    spec = spec_for(tmp_path)
    path = tmp_path / "net.toml"
    path.write_text(toml_text(spec_content(spec)))
    for name in ("_task_id", "_run_id", "_node_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)
    monkeypatch.setattr(flower, "_PAUSE", 0)
    terms = {"spec": str(path), "devices": 4, "rounds": 4, "partition": "classes:2"}
    return terms | {"out": str(tmp_path / "state.bin")}


def served(grid, config) -> bytes:
    flower.server_app(grid, Context(1, 1, {}, RecordDict(), config))
    return Path(config["out"]).read_bytes()


def test_the_app_comes_to_the_bits_of_the_command(tmp_path, config):
    grid = Here(config, 4)
    fleet = Fleet(4, 4, partition=parse_partition("classes:2"))
    assert served(grid, config) == simulate_fleet(spec_for(tmp_path), fleet).state
    assert grid.kinds == [0] * 4 + [1] * 12


def test_personal_layers_stay_in_the_context_of_the_node(tmp_path, config):
    fleet = Fleet(4, 4, partition=parse_partition("classes:2"), personal=("b",))
    config |= {"personal": "b"}
    assert served(Here(config, 4), config) == simulate_fleet(spec_for(tmp_path), fleet).state


@pytest.mark.parametrize(
    ("accidents", "average"),
    [
        ({"drop": 0.4, "slow": 0.4}, "mean"),
        ({"slow": 0.3, "lie": 0.25}, "trimmed"),
        ({"drop": 1}, "mean"),
        ({"drop": 0.3, "lie": 0.5}, "krum"),
    ],
)
def test_accidents_are_those_of_the_command(tmp_path, config, accidents, average, caplog):
    way = parse_partition("classes:2")
    fleet = Fleet(
        4, 6, partition=way, accidents=Accidents(**accidents), averaging=Averaging(average, 0.3)
    )
    result = simulate_fleet(spec_for(tmp_path), fleet)
    config |= accidents | {"average": average, "cut": 0.3, "rounds": 6}
    with caplog.at_level("INFO", "flwr"):
        assert served(Here(config, 4), config) == result.state
    said = [record.getMessage() for record in caplog.records]
    for one, line in zip(result.rounds[1:], said, strict=True):
        came = one.taken + one.refused
        assert f": {came} updates, {one.late} late, {one.refused} refused, {one.up:,} bytes" in line
    plain = simulate_fleet(spec_for(tmp_path), Fleet(4, 6, partition=way))
    assert plain.state != result.state


def test_of_equal_devices_krum_takes_the_first_of_the_fleet(tmp_path, config):
    """The two that are nearest to each other are equals, whatever their nodes are called."""
    config |= {"average": "krum", "cut": 0.0, "devices": 3}
    fleet = Fleet(3, 4, partition=parse_partition("classes:2"), averaging=Averaging("krum", 0))
    assert served(Here(config, 3), config) == simulate_fleet(spec_for(tmp_path), fleet).state


def test_shares_that_are_none_are_refused(config):
    with pytest.raises(SpecError, match="no share of the devices") as caught:
        served(Here(config, 4), config | {"lie": 10})
    assert caught.value.where == "lie"


def test_a_node_that_fails_is_left_out_and_told_all_values_later(config, caplog):
    grid = Here(config, 4, absent={(102, 2)})
    with caplog.at_level("INFO", "flwr"):
        served(grid, config)
    assert "node 102: gone" in caplog.text
    # In the third round it does not have the values of the second, as far as the server knows.
    assert grid.kinds[8:12].count(0) == 1


def test_a_device_on_a_line_learns_as_one_that_is_simulated(tmp_path, config):
    pytest.importorskip("serial")
    spec = spec_for(tmp_path)
    firmware = spec.firmware.model_copy(update={"wire": True})
    project = render_project(prepare(spec.model_copy(update={"firmware": firmware})))
    folder, grid = tmp_path / "device", Here(config, 4)
    with Process(build(project, folder), folder) as process:
        assert process.port.startswith("socket://")
        grid.contexts[101].node_config["port"] = process.port
        fleet = Fleet(4, 4, partition=parse_partition("classes:2"))
        assert served(grid, config) == simulate_fleet(spec, fleet).state


def test_missing_nodes_are_said(config):
    with pytest.raises(ToolError, match="not all devices"):
        served(Here(config, 3), config)


def test_messages_of_other_apps_are_refused(config):
    grid = Here(config, 4)
    content = RecordDict({"fleet": ConfigRecord({"message": "text"})})
    message = Message(content, 101, MessageType.TRAIN)
    with pytest.raises(DataError, match="nothing of a fleet"):
        flower.client_app(message, grid.contexts[101])


def test_the_example_is_an_app_of_flower():
    content, warnings = load_and_validate(APP / "pyproject.toml")
    assert warnings == []
    config = content["tool"]["flwr"]["app"]["config"]
    assert set(config) == {*flower._DEFAULTS, "spec"}
    assert {name: config[name] for name in flower._DEFAULTS if name != "partition"} == {
        name: value for name, value in flower._DEFAULTS.items() if name != "partition"
    }
