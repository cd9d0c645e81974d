"""The command line: verbs, documents, errors in words, exit codes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock, create_autospec

import pytest

from tests.support.results import (
    MISMATCH,
    build_result,
    report_result,
    simulate_result,
    verify_result,
)
from tpsgd_edge import __version__, pipeline
from tpsgd_edge.cli import run
from tpsgd_edge.errors import BudgetError, DataError, OutputError, SpecError, ToolError

SPEC = """
name = "digits"
[model]
layers = [{ name = "fc1", units = 48 }, { name = "out", units = 3 }]
[data]
file = "digits.npz"
"""
RESULTS = {
    "build": build_result(),
    "verify": verify_result(),
    "simulate": simulate_result(),
    "report": report_result(),
}
VERBS = sorted(RESULTS)


@pytest.fixture
def spec_file(tmp_path):
    path = tmp_path / "digits.toml"
    path.write_text(SPEC)
    return str(path)


@pytest.fixture
def stages(monkeypatch):
    """The pipeline's functions, replaced by mocks that take the same arguments."""
    mocks = {}
    for name, result in RESULTS.items():
        mocks[name] = create_autospec(getattr(pipeline, name), return_value=result)
        monkeypatch.setattr(pipeline, name, mocks[name])
    return mocks


def command(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tpsgd_edge", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


def fail_with(mock: Mock, error: BaseException) -> None:
    mock.side_effect = error


@pytest.mark.parametrize("verb", VERBS)
def test_json_is_one_document_and_nothing_else(verb, stages, spec_file, capfd):
    assert run([verb, spec_file, "--json"]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out) == RESULTS[verb].to_json()
    assert err == ""


@pytest.mark.parametrize("verb", VERBS)
def test_a_result_is_a_table_for_people(verb, stages, spec_file, capsys):
    assert run([verb, spec_file]) == 0
    out, err = capsys.readouterr()
    assert "digits on cortex-m4f" in out
    assert err == ""
    assert not any(line.endswith(" ") for line in out.splitlines())


def test_the_report_prints_one_table(stages, spec_file, capsys):
    run(["report", spec_file])
    out = capsys.readouterr().out
    for text in ("31.0 % → 92.0 %", "5.5 KiB", "416 B", "50,222", "equal", "out/digits.html"):
        assert text in out


def test_the_report_as_markdown(stages, spec_file, capsys):
    run(["report", spec_file, "--markdown"])
    assert capsys.readouterr().out.startswith("## digits on cortex-m4f\n")


def test_the_build_prints_sizes_against_the_budget(stages, spec_file, capsys):
    run(["build", spec_file])
    out = capsys.readouterr().out
    assert "27.5 % of 20,480 B" in out
    assert "zig 0.17.1" in out


def test_options_reach_the_pipeline(stages, spec_file):
    run(["build", spec_file, "--out", "somewhere", "--no-compile"])
    assert stages["build"].call_args.kwargs == {
        "out": Path("somewhere"),
        "compile": False,
        "costs": False,
    }
    run(["verify", spec_file])
    assert stages["verify"].call_args.kwargs == {
        "steps": None,
        "emulator": None,
        "weights_in": None,
        "model_id": None,
        "progress": None,
    }
    run(["report", spec_file, "--steps", "9", "--epochs", "2", "--emulator", "qemu"])
    assert stages["report"].call_args.kwargs == {
        "out": None,
        "steps": 9,
        "epochs": 2,
        "emulator": "qemu",
        "widget": True,
        "progress": None,
    }
    run(["report", spec_file, "--no-widget"])
    assert not stages["report"].call_args.kwargs["widget"]


def test_settings_and_platform_override_the_spec(stages, spec_file):
    run(["verify", spec_file, "--set", "rule.epochs=3", "--set", "seed=7", "--platform", "host"])
    spec = stages["verify"].call_args.args[0]
    assert (spec.rule.epochs, spec.seed, spec.platform.name) == (3, 7, "host")


def test_a_platform_is_a_name_whatever_it_looks_like(stages, spec_file):
    run(["verify", spec_file, "--platform", "1e5"])
    assert stages["verify"].call_args.args[0].platform.name == "1e5"


@pytest.mark.parametrize(
    ("verb", "result"),
    [("verify", verify_result(MISMATCH)), ("report", report_result(MISMATCH))],
)
def test_a_mismatch_is_a_result_and_code_1(verb, result, stages, spec_file, capsys):
    stages[verb].return_value = result
    assert run([verb, spec_file]) == 1
    out, err = capsys.readouterr()
    assert "mismatch: step 17, layer 'fc1', tensor 'w', index [3][11]" in out
    assert "repeat: tpsgd-edge verify digits.toml --platform cortex-m4f --steps 17" in out
    assert err == ""
    assert run([verb, spec_file, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["verdict"] == "mismatch"


@pytest.mark.parametrize(
    ("error", "code"),
    [(SpecError, 2), (DataError, 2), (BudgetError, 2), (OutputError, 2), (ToolError, 3)],
)
def test_an_error_says_all_it_knows_on_stderr(error, code, stages, spec_file, capsys):
    fail_with(stages["build"], error("it broke", where="here", found="a hole", help="mend it"))
    assert run(["build", spec_file, "--json"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "error: it broke\n  where: here\n  found: a hole\n  help:  mend it\n"


def test_debug_shows_the_traceback_too(stages, spec_file, capsys):
    fail_with(stages["build"], ToolError("it broke"))
    assert run(["build", spec_file, "--debug"]) == 3
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert err.endswith("error: it broke\n")
    assert run(["--debug", "build", spec_file]) == 3
    assert "Traceback" in capsys.readouterr().err


def test_a_defect_is_called_one(stages, spec_file, capsys):
    fail_with(stages["build"], ZeroDivisionError("division by zero"))
    assert run(["build", spec_file]) == 70
    err = capsys.readouterr().err
    assert "ZeroDivisionError: division by zero" in err
    assert "--debug" in err
    assert "Traceback" not in err


def test_a_package_that_is_missing_is_a_missing_tool(stages, spec_file, capsys):
    fail_with(stages["build"], ModuleNotFoundError("No module named 'numpy'", name="numpy"))
    assert run(["build", spec_file]) == 3
    assert "the Python package 'numpy' is missing" in capsys.readouterr().err


def test_a_full_disk_is_said(stages, spec_file, capsys):
    fail_with(stages["build"], OSError(28, "No space left on device", "out/digits.c"))
    assert run(["build", spec_file]) == 2
    assert capsys.readouterr().err == "error: No space left on device\n  where: out/digits.c\n"


def test_ctrl_c_is_130_and_no_traceback(stages, spec_file, capsys):
    fail_with(stages["simulate"], KeyboardInterrupt())
    assert run(["simulate", spec_file]) == 130
    out, err = capsys.readouterr()
    assert out == ""
    assert err.strip() == "interrupted"


def test_a_real_interrupt_ends_at_once(spec_file):
    # Where the tests themselves run in the background, children ignore interrupts.
    code = (
        "import signal, sys, time; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from tpsgd_edge import pipeline; from tpsgd_edge.cli import run;"
        "pipeline.simulate = lambda *a, **k: (print('ready', flush=True), time.sleep(60));"
        f"sys.exit(run(['simulate', {spec_file!r}]))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=20)
    assert (child.returncode, out, err.strip()) == (130, "", "interrupted")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["buidl", "digits.toml"],
        ["build"],
        ["build", "digits.toml", "--nonsense"],
        ["verify", "digits.toml", "--steps", "0"],
        ["verify", "digits.toml", "--emulator", "bochs"],
        ["verify", "digits.toml", "extra"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_code_2(arguments, capsys):
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Usage: tpsgd-edge" in err


def test_a_spec_that_is_not_there_is_code_2(capsys):
    assert run(["build", "nowhere.toml"]) == 2
    assert capsys.readouterr().err.startswith("error: there is no spec 'nowhere.toml'")


def test_an_unknown_key_is_code_2(spec_file, capsys):
    assert run(["build", spec_file, "--set", "rule.epocs=3"]) == 2
    assert "epochs" in capsys.readouterr().err


def test_names_are_not_markup(stages, spec_file, capsys):
    fail_with(stages["build"], SpecError("[red]no[/red] such [/] thing"))
    run(["build", spec_file])
    assert "[red]no[/red] such [/] thing" in capsys.readouterr().err


def test_version(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"tpsgd-edge {__version__}\n"


def test_platforms_lists_them_all(capsys):
    assert run(["platforms"]) == 0
    assert "cortex-m4f" in capsys.readouterr().out
    assert run(["platforms", "--json"]) == 0
    listed = {p["name"]: p for p in json.loads(capsys.readouterr().out)["platforms"]}
    assert "unicorn" in listed["cortex-m4f"]["emulators"]
    assert listed["host"]["emulators"] == []


def test_doctor_names_what_is_there_and_what_is_not(capsys):
    assert run(["doctor"]) == 0
    assert capsys.readouterr().out
    assert run(["doctor", "--json"]) == 0
    tools = json.loads(capsys.readouterr().out)["tools"]
    assert tools
    for tool in tools:
        assert tool["purpose"]
        assert tool["path"] or tool["version"] or tool["help"]
    help_ = {tool["name"]: tool["help"] for tool in tools}
    assert {"onnx", "onnxruntime", "torch", "scikit-learn", "unicorn", "capstone"} <= set(help_)
    extras = {"onnx": "onnx", "torch": "torch", "optuna": "search", "scikit-learn": "sklearn"}
    for name, extra in extras.items():
        assert f"pip install 'tpsgd-edge[{extra}]'" in help_[name]
        assert f"pip install -c constraints.txt '.[{extra}]'" in help_[name]


def test_new_makes_a_project_that_says_what_is_next(tmp_path, capsys):
    folder = tmp_path / "first"
    assert run(["new", "first", "--out", str(folder)]) == 0
    assert f"next: tpsgd-edge report {folder / 'first.toml'}" in capsys.readouterr().out
    assert (folder / "first.toml").is_file()
    assert run(["new", "first", "--out", str(folder)]) == 2


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from tpsgd_edge.cli import run; run(['--help']);"
        "print(sorted({m.partition('.')[0] for m in sys.modules}"
        "& {'numpy', 'torch', 'pydantic', 'rich', 'jinja2', 'matplotlib', 'unicorn', 'sklearn'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


@pytest.mark.series(1)
@pytest.mark.parametrize("arguments", [["--help"], ["platforms"], ["platforms", "--json"]])
def test_a_reader_that_leaves_is_no_error(arguments):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "tpsgd_edge", *arguments],
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_an_output_that_is_full_is_said():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tpsgd_edge", "platforms"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert done.returncode == 2
    assert done.stderr.startswith("error: No space left on device")
    assert "Traceback" not in done.stderr


def test_a_terminal_without_unicode_gets_what_it_can_show():
    done = command("platforms", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert "cortex-m4f" in done.stdout
