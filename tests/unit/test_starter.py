"""The starter: complete, good, and never in the way of anything."""

import errno
from pathlib import Path
from typing import Any

import pytest

from tpsgd_edge.errors import OutputError, SpecError
from tpsgd_edge.frontend.data import load_dataset
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.spec import load_spec
from tpsgd_edge.starter import create_project


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_makes_a_spec_with_data_that_fit(tmp_path: Path) -> None:
    files = create_project("my-net", tmp_path / "my-net")
    assert [path.name for path in files] == ["my_net.toml", "my_net.csv", "README.md"]
    spec = load_spec(files[0])
    dataset = load_dataset(spec)
    graph = build_graph(spec, dataset)
    assert spec.name == "my_net"
    assert [layer.n_out for layer in graph.layers] == [32, 3]
    assert dataset.class_names == ("blue", "green", "red")
    assert len(dataset.x_train) + len(dataset.x_test) == 300
    assert len(set(dataset.y_train.tolist())) == 3


def test_the_readme_says_what_to_type(tmp_path: Path) -> None:
    create_project("net", tmp_path)
    text = (tmp_path / "README.md").read_text()
    for verb in ("build", "verify", "simulate", "report"):
        assert f"tpsgd-edge {verb} net.toml" in text


def test_the_same_bytes_each_time(tmp_path: Path) -> None:
    create_project("net", tmp_path / "a")
    create_project("net", tmp_path / "b" / "c")
    assert contents(tmp_path / "a") == contents(tmp_path / "b" / "c")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("My-Net", "is not a lower-case C name"),
        ("../evil", "is not a lower-case C name"),
        ("", "is not a lower-case C name"),
        ("while", "is a word of the C language"),
        ("string", "string.h would hide another file"),
    ],
)
def test_names_that_c_does_not_allow(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(SpecError) as error:
        create_project(name, tmp_path / "new")
    assert f"a project cannot be called '{name}'" in str(error.value)
    assert words in str(error.value)
    assert not (tmp_path / "new").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError) as error:
        create_project("net", tmp_path)
    assert f"the folder '{tmp_path}' is not empty" in str(error.value)
    assert "found: mine.txt" in str(error.value)
    assert "--out DIR" in str(error.value)
    assert contents(tmp_path) == {"mine.txt": b"mine"}


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "net").write_text("mine")
    with pytest.raises(OutputError, match="cannot be written"):
        create_project("net", tmp_path / "net")
    with pytest.raises(OutputError, match="cannot be written"):
        create_project("net", tmp_path / "net" / "below")
    assert contents(tmp_path) == {"net": b"mine"}


@pytest.mark.parametrize(
    "stop", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()]
)
def test_nothing_is_left_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: BaseException
) -> None:
    plain = Path.open

    def failing(path: Path, *args: Any, **kwargs: Any) -> Any:
        if path.name == "README.md":
            raise stop
        return plain(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", failing)
    expected = OutputError if isinstance(stop, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as error:
        create_project("net", tmp_path / "deep" / "net")
    assert list(tmp_path.iterdir()) == []
    if expected is OutputError:
        assert "No space left on device" in str(error.value)
