"""`tpsgd-edge link`: what people type, against a device that is a process."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.golden.projects import FOLDER
from tests.wire.projects import built, wired
from tools.line_devices import Process
from tpsgd_edge.cli import run
from tpsgd_edge.link.linked import digest_of
from tpsgd_edge.memory import state_layout


@pytest.fixture(scope="module")
def petals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("petals")
    built("classes", folder, has_store=True)
    for name in ("classes.toml", "classes.csv"):
        shutil.copy(FOLDER / name, folder)
    return folder


@pytest.fixture
def link(petals, capsys):
    """A function that gives words to the command; exit code, standard output, standard error."""
    with Process(petals / "device", petals) as process:

        def call(*words, spec="classes.toml", port=process.port):
            code = run(["link", "--limit", "20", port, str(petals / spec), *map(str, words)])
            said = capsys.readouterr()
            return code, said.out, said.err

        yield call
    (petals / "checkpoints.bin").unlink(missing_ok=True)


def test_info_and_selftest(link):
    code, out, _ = link("info")
    assert code == 0
    assert "Model:     petals, id 0x10546960" in out
    assert "Training:  0 steps, digest 0x01aa70a0" in out
    assert "RAM:       124 B model, 36 B work" in out
    assert link("selftest")[:2] == (0, "petals computes the right bits\n")
    document = json.loads(link("info", "--json")[1])
    assert (document["name"], document["step"], document["state_bytes"]) == ("petals", 0, 124)
    assert document["kind"] == ["classes", "trains", "scratch", "saves", "confidence"]
    assert document["statistics"]["trained"] == 0
    assert json.loads(link("selftest", "--json")[1]) == {"selftest": True}


def test_feed_trains_or_scores(link, petals):
    count = len(wired("classes").x)
    code, out, _ = link("feed", "--train")
    assert code == 0
    assert out.startswith(f"{count} samples, ")
    assert out.endswith(f"the device is at step {count}\n")
    document = json.loads(link("feed", "--train", "--count", 3, "--json")[1])
    assert (document["count"], document["step"]) == (3, count + 3)
    assert document["accuracy"] == document["right"] / 3
    # Without --train nothing is learned; another file is read by the keys of the spec.
    lines = (petals / "classes.csv").read_text().splitlines()
    (petals / "other.csv").write_text("\n".join(lines[:8]) + "\n")
    document = json.loads(link("feed", petals / "other.csv", "--json")[1])
    assert (document["count"], document["step"]) == (7, count + 3)
    code, _, err = link("feed", "nothing.csv")
    assert code == 2
    assert "there is no data file" in err


def test_weights_are_pulled_pushed_and_saved(link, tmp_path, petals):
    link("feed", "--train")
    dump = tmp_path / "w.bin"
    code, out, _ = link("pull", dump)
    step = len(wired("classes").x)
    digest = digest_of(wired("classes").model, dump.read_bytes())
    assert (code, out) == (0, f"step {step}, digest 0x{digest:08x}: 124 bytes in {dump}\n")
    assert len(dump.read_bytes()) == state_layout(wired("classes").model).size
    assert json.loads(Path(f"{dump}.json").read_text())["model_id"] == "0x10546960"
    link("feed", "--train")
    assert json.loads(link("save", "--json")[1]) == {"step": 2 * step}
    code, out, _ = link("push", dump)
    assert (code, out) == (0, f"the device is at step {step} now, digest 0x{digest:08x}\n")
    # A checkpoint may come back as well, from the file that the device saved it in.
    document = json.loads(link("push", petals / "checkpoints.bin", "--json")[1])
    assert document["step"] == 2 * step


def test_watch_prints_lines_into_a_pipe(link):
    code, out, _ = link("watch", "--train", "--looks", 3, "--interval", 0.1)
    assert code == 0
    lines = out.splitlines()
    assert len(lines) == 3
    assert "accuracy " in lines[-1]
    assert "of the latest " in lines[-1]


def test_errors_in_words(link, petals):
    text = (petals / "classes.toml").read_text()
    (petals / "seeded.toml").write_text(text.replace("seed = 7", "seed = 8"))
    code, _, err = link("info", spec="seeded.toml")
    assert code == 3
    assert "error: the device has another model" in err
    assert "use the spec and the data that the firmware was built from" in err
    code, _, err = link("info", port="socket://localhost:1")
    assert code == 3
    assert "error: the port cannot be opened\n  where: socket://localhost:1" in err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        code, _, err = link("watch", "--web", "--port", number)
    assert code == 3
    assert f"error: the page cannot be served\n  where: http://localhost:{number}" in err


@pytest.mark.slow
def test_the_page_is_served_until_ctrl_c(petals):
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    with Process(petals / "device", petals) as process:
        words = ["link", process.port, str(petals / "classes.toml"), "watch", "--web", "--train"]
        command = [sys.executable, "-m", "tpsgd_edge", *words, "--port", str(number)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as served:
            assert served.stderr is not None
            assert f"http://localhost:{number}" in served.stderr.readline()
            for _ in range(600):
                try:
                    events = urllib.request.urlopen(f"http://localhost:{number}/events", timeout=20)
                    break
                except OSError:
                    time.sleep(0.05)
            with events:
                assert events.readline().startswith(b"data: ")
            served.send_signal(signal.SIGINT)
            assert served.wait(timeout=30) == 0
            assert served.stderr.read() == ""
