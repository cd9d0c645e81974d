"""Three emulated boards that learn together: one Flower server, and a serial line to each board.

    python tools/fleet_boards.py                       needs the extra fleet, and QEMU
    python tools/fleet_boards.py --rounds 5 --board riscv-virt

builds the digits' firmware, boots a board in QEMU for each device, and starts a SuperLink, a
SuperNode for each board, and the app in examples/fleet by `flwr run`. A board learns its own
samples over its UART, round by round; its weights are read and written by the wire protocol. In the
end the server's weights are compared with those of `tpsgd-edge fleet` on this computer: ends with 1
where a bit differs.
"""

import argparse
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tpsgd_edge.errors import ToolError, TpsgdError, how_to_install
from tpsgd_edge.fleet.partition import parse_partition
from tpsgd_edge.fleet.plan import Fleet
from tpsgd_edge.fleet.simulation import simulate_fleet
from tpsgd_edge.pipeline import build
from tpsgd_edge.spec import Spec, load_spec
from tpsgd_edge.spec.toml import spec_content, toml_text
from tpsgd_edge.toolchain.board import booting_boards, load_booting_board
from tpsgd_edge.toolchain.board_run import EmulatedBoard

ROOT = Path(__file__).resolve().parent.parent
CONFIG = """[superlink]
default = "here"

[superlink.here]
address = "127.0.0.1:{port}"
insecure = true
"""


def free_port() -> int:
    """A port that nobody uses at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_for(port: int) -> None:
    """Wait until somebody listens at a port.

    Raises:
        ToolError: nobody does.
    """
    for _ in range(120):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(1)
    raise ToolError("the SuperLink does not start", where=f"port {port}")


@contextmanager
def running(log: Path, environment: Mapping[str, str], *command: str) -> Iterator[None]:
    """A process until the end of the context; what it says goes to a file."""
    with log.open("wb") as said:
        child = subprocess.Popen(command, stdout=said, stderr=said, env=dict(environment))
    try:
        yield
    finally:
        child.terminate()
        try:
            child.wait(timeout=20)
        except subprocess.TimeoutExpired:
            child.kill()


def board_spec(arguments: argparse.Namespace, folder: Path) -> Spec:
    """The digits on the board, in a file that the app can read."""
    own = [f"platform.board={arguments.board}", "firmware.wire=true"]
    spec = load_spec(ROOT / "examples" / "digits.toml", own)
    content = spec_content(spec)
    content["data"]["file"] = str(ROOT / "examples" / "digits.npz")
    (folder / "digits.toml").write_text(toml_text(content), encoding="utf-8")
    return load_spec(folder / "digits.toml")


def served(arguments: argparse.Namespace, spec: Spec, folder: Path) -> Path:
    """Run the app with a SuperNode for each board; the file of the state that it came to."""
    environment = {
        **os.environ,
        "FLWR_HOME": str(folder / "flwr"),
        "FLWR_TELEMETRY_ENABLED": "0",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    port, out = free_port(), folder / "state.bin"
    (folder / "flwr").mkdir()
    (folder / "flwr" / "config.toml").write_text(CONFIG.format(port=port))
    program = build(spec, out=folder / "project").folder
    assert program is not None
    elf, board = program / "build" / f"{spec.name}.elf", load_booting_board(arguments.board)
    terms = {
        "spec": str(folder / "digits.toml"),
        "devices": arguments.devices,
        "rounds": arguments.rounds,
        "partition": arguments.partition,
        "out": str(out),
    }
    with ExitStack() as opened:
        link = ["flower-superlink", "--insecure", "--port", str(port)]
        link += ["--disable-runtime-dependency-installation"]
        opened.enter_context(running(folder / "superlink.log", environment, *link))
        wait_for(port)
        for place in range(arguments.devices):
            emulated = opened.enter_context(EmulatedBoard(board, elf))
            emulated.power_on()
            print(f"board {place}: {board.title} at {emulated.port}")
            own = f'partition-id={place} port="{emulated.port}"'
            node = ["flower-supernode", "--insecure", "--superlink", f"127.0.0.1:{port}"]
            node += ["--node-config", own, "--port", str(free_port())]
            opened.enter_context(running(folder / f"node{place}.log", environment, *node))
        words = " ".join(f"{key}={json.dumps(value)}" for key, value in terms.items())
        command = ("flwr", "run", str(ROOT / "examples" / "fleet"), "here", "--run-config", words)
        child = subprocess.Popen([*command, "--stream"], env=environment)
        for _ in range(arguments.limit):
            if out.exists() or child.poll() is not None:
                break
            time.sleep(1)
        child.terminate()
        child.wait(timeout=20)
    return out


def demonstrate(arguments: argparse.Namespace, folder: Path) -> int:
    """Let the boards learn, and compare."""
    spec = board_spec(arguments, folder)
    start = time.perf_counter()
    out = served(arguments, spec, folder)
    seconds = time.perf_counter() - start
    if not out.exists():
        for log in sorted(folder.glob("*.log")):
            print(log.name, log.read_text(errors="replace")[-2000:], sep="\n", file=sys.stderr)
        print("the app did not end", file=sys.stderr)
        return 3
    partition = parse_partition(arguments.partition)
    fleet = Fleet(arguments.devices, arguments.rounds, partition=partition)
    expected = simulate_fleet(spec, fleet)
    is_equal = out.read_bytes() == expected.state
    print(f"{arguments.devices} boards, {arguments.rounds} rounds, {seconds:.0f} s")
    print(f"test set: {100 * expected.rounds[-1].scores.whole:.1f} %")
    print(f"weights of the server and of tpsgd-edge fleet: {'equal' if is_equal else 'DIFFERENT'}")
    return 0 if is_equal else 1


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--board", choices=[b.name for b in booting_boards()], default="mps2-an386")
    parser.add_argument("--devices", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--partition", default="classes:4")
    parser.add_argument("--limit", type=int, default=900, help="seconds that the app may take")
    arguments = parser.parse_args()
    if shutil.which("flower-superlink") is None:
        print("error: Flower is not installed", how_to_install("fleet"), sep="\n", file=sys.stderr)
        return 3
    try:
        with tempfile.TemporaryDirectory(prefix="fleet-boards-") as folder:
            return demonstrate(arguments, Path(folder))
    except TpsgdError as error:
        print(f"error: {error.message()}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
