"""What a user calls, with a device that is really wrong: it says mismatch, where, and ends with 1.

Nothing is replaced but some words of the rendered C, or some bytes of what a compiler made of it:
rendering, compiling, running and comparing are those of every day.
"""

import json
import re

import pytest

from tests.proof.devices import STEPS, command, make_wrong, needs, when
from tests.proof.faults import EARLY, ON_CORES, WRONG

ONLY_PREDICTS = "firmware that only predicts"

pytestmark = pytest.mark.usefixtures("folder")


def verify(capsys, name: str, *more: str):
    return command(capsys, "verify", f"{name}.toml", "--steps", str(STEPS), *more)


@pytest.mark.parametrize("name", ["toy", "stream", "values"])
def test_code_that_is_right_is_equal(name, capsys):
    ended = verify(capsys, name)
    assert (ended.code, ended.err) == (0, "")
    assert "equal" in ended.out


@pytest.mark.series(8)
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_library_of_this_computer_is_a_mismatch(wrong, monkeypatch, capsys):
    fault = WRONG[wrong]
    make_wrong(monkeypatch, fault.change)
    ended = verify(capsys, fault.spec)
    assert fault.words in " ".join(ended.out.split())
    assert (ONLY_PREDICTS in ended.out) == (ONLY_PREDICTS in fault.words)
    assert f"repeat: tpsgd-edge verify {fault.spec}.toml --platform host --steps " in ended.out
    assert (ended.code, ended.err) == (1, "")


@pytest.mark.series(1)
@pytest.mark.emulator
@pytest.mark.parametrize("wrong", ON_CORES)
def test_wrong_firmware_on_a_core_is_a_mismatch(wrong, monkeypatch, capsys):
    needs("cortex-m4f")
    fault = WRONG[wrong]
    make_wrong(monkeypatch, fault.change)
    ended = verify(capsys, fault.spec, "--platform", "cortex-m4f")
    assert fault.words in " ".join(ended.out.split())
    assert (ended.code, ended.err) == (1, "")


@pytest.mark.emulator
def test_right_firmware_on_a_core_is_equal(capsys):
    needs("cortex-m4f")
    ended = verify(capsys, "toy", "--platform", "cortex-m4f")
    assert (ended.code, ended.err) == (0, "")


def test_a_mismatch_is_in_the_document(monkeypatch, capsys):
    make_wrong(monkeypatch, WRONG["in the last step only"].change)
    ended = verify(capsys, "toy", "--json")
    document = json.loads(ended.out)
    assert (ended.code, document["verdict"], document["steps"]) == (1, "mismatch", STEPS)
    assert f"step {STEPS}, layer 'fc1', tensor 'w', index [1][1]" in document["mismatch"]


def test_a_device_that_is_wrong_only_once_is_a_mismatch(monkeypatch, capsys):
    # A static survives the second run, which finds nothing. The self-test takes the first turn, in
    # step 4 of its own: the second one is wrong, and no other.
    once = "static int turns;\n        model->fc2_b[0] += turns++ == 1;"
    change = when("model->step == 4", once)
    make_wrong(monkeypatch, change)
    ended = verify(capsys, "toy")
    assert "mismatch: step 4, layer 'fc2', tensor 'b'" in ended.out
    assert ended.code == 1


def test_a_report_on_wrong_code_says_so(folder, monkeypatch, capsys):
    make_wrong(monkeypatch, WRONG["in one late chunk"].change)
    ended = command(capsys, "report", "toy.toml", "--steps", str(STEPS), "--out", "toy.html")
    assert "mismatch: step 270, layer 'fc1', tensor 'w', index [1][1]" in ended.out
    assert (ended.code, ended.err) == (1, "")
    page = (folder / "toy.html").read_text()
    assert "The generated C and the Python reference do not agree" in page
    assert "step 270, layer &#39;fc1&#39;, tensor &#39;w&#39;, index [1][1]" in page
    assert BADGE.findall(page) == [("mismatch", "mismatch")]


def test_a_report_on_code_that_fails_its_self_test_is_made_all_the_same(
    folder, monkeypatch, capsys
):
    make_wrong(monkeypatch, EARLY)
    ended = command(capsys, "report", "toy.toml", "--steps", "20", "--out", "toy.html")
    assert "mismatch: step 3, layer 'fc2', tensor 'b', index [2]" in ended.out
    assert (ended.code, ended.err) == (1, "")
    assert BADGE.findall((folder / "toy.html").read_text()) == [("mismatch", "mismatch")]


def test_a_report_on_right_code_says_so(folder, capsys):
    ended = command(capsys, "report", "toy.toml", "--steps", "20", "--out", "toy.html")
    assert (ended.code, ended.err) == (0, "")
    page = (folder / "toy.html").read_text()
    assert BADGE.findall(page) == [("equal", "bit for bit equal, 20 steps")]
    assert "do not agree" not in page


BADGE = re.compile(r'<span class="badge (\w+)">([^<]*)</span>')
