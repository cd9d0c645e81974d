"""The starter: complete, good, and never in the way of anything."""

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tpsgd_edge.errors import DataError, OutputError, SpecError
from tpsgd_edge.frontend.data import load_dataset
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.spec import load_spec
from tpsgd_edge.starter import create_project


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_makes_a_spec_with_data_that_fit(tmp_path: Path) -> None:
    files = create_project("my-net", tmp_path / "my-net")
    assert [path.name for path in files] == [
        "my_net.toml",
        "my_net.csv",
        "README.md",
        "spec.schema.json",
    ]
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


class TestOwnData:
    """`tpsgd-edge new NAME --data FILE`."""

    def make(self, folder: Path, data: Path, label: str | None = None) -> str:
        """The spec's text, which must be read, load its data and become a net."""
        files = create_project("net", folder, data=data, label=label)
        assert [path.name for path in files] == ["net.toml", "spec.schema.json"]
        spec = load_spec(files[0])
        dataset = load_dataset(spec)
        graph = build_graph(spec, dataset)
        assert graph.layers[-1].n_out == dataset.labels.count
        assert spec.rule.epochs * len(dataset.x_train) >= 10_000
        # Scaling and rates are left to the data.
        assert (spec.data.scaling, spec.rule.learning_rate) == ("auto", None)
        return files[0].read_text(encoding="utf-8")

    def table(self, folder: Path, head: str, label: str, count: int = 40) -> Path:
        path = folder / "own.csv"
        rows = "\n".join(f"{i},{i * i % 7},{label.split('|')[i % 2]}" for i in range(count))
        path.write_text(f"{head}\n{rows}\n", encoding="utf-8")
        return path

    def test_a_table_of_classes(self, tmp_path: Path) -> None:
        text = self.make(tmp_path / "net", self.table(tmp_path, "a,b,kind", "ham|eggs"))
        assert '# Found: 40 samples of 2 values, 2 classes: "eggs", "ham".' in text
        assert '{ name = "out", units = 2 },   # one unit for each class' in text
        assert f'file = "{(tmp_path / "own.csv").as_posix()}"' in text  # as it was given
        assert "epochs = 313            # passes over the 32 training samples" in text
        assert text.startswith("#:schema spec.schema.json\n")
        # Whatever is set has its reason beside it.
        lines = [line for line in text.splitlines() if " = " in line and line[0] != "#"]
        assert all("  # " in line or line.startswith(("file", "layers")) for line in lines)

    def test_a_table_of_values_to_predict(self, tmp_path: Path) -> None:
        text = self.make(tmp_path / "net", self.table(tmp_path, "a,b,c", "0.5|2.25"))
        assert "1 value to predict" in text
        assert "one unit for each value" in text

    def test_the_label_is_where_one_says(self, tmp_path: Path) -> None:
        path = tmp_path / "own.csv"
        rows = "\n".join(f"{'xy'[i % 2]},{i},{i % 5}" for i in range(40))
        path.write_text(f"kind,a,b\n{rows}\n", encoding="utf-8")
        text = self.make(tmp_path / "net", path, "kind")
        assert '\ny = "kind"\n' in text
        assert '2 classes: "x", "y"' in text

    @pytest.mark.parametrize(
        ("shape", "layers"),
        [
            ((300,), ["fc1", "out"]),
            ((12, 12), ["conv1", "pool1", "out"]),
            ((8, 8, 3), ["conv1", "pool1", "out"]),
            ((40, 3), ["conv1", "pool1", "out"]),
        ],
    )
    def test_layers_go_with_the_shape(
        self, shape: tuple[int, ...], layers: list[str], tmp_path: Path
    ) -> None:
        x = np.random.default_rng(1).random((30, *shape), np.float32)
        np.savez(tmp_path / "own.npz", x=x, y=np.arange(30) % 3)
        self.make(tmp_path / "net", tmp_path / "own.npz")
        assert list(load_spec(tmp_path / "net" / "net.toml").model.names) == layers

    def test_names_of_classes_cannot_break_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "own.npz"
        names = np.array(['a"\n[rule]\nepochs = 3', "b\x1b[31m\\", *(f"c{i}" for i in range(9))])
        x = np.random.default_rng(1).random((44, 2), np.float32)
        np.savez(path, x=x, y=names[np.arange(44) % 11])
        text = self.make(tmp_path / "net", path)
        assert "11 classes: " in text
        found = next(line for line in text.splitlines() if line.startswith("# Found"))
        assert found.endswith('"c5", ....')
        assert "epochs = 3\\n" not in found
        assert "\x1b" not in text

    def test_the_spec_can_lie_anywhere(self, tmp_path: Path, monkeypatch: Any) -> None:
        self.table(tmp_path, "a,b,kind", "ham|eggs")
        monkeypatch.chdir(tmp_path)
        assert 'file = "../../own.csv"' in self.make(Path("deep/er"), Path("own.csv"))

    def test_a_file_that_is_no_good_leaves_nothing(self, tmp_path: Path) -> None:
        for data in (tmp_path / "none.csv", tmp_path, Path("fashion-mnist")):
            with pytest.raises((DataError, SpecError)):
                create_project("net", tmp_path / "net", data=data)
        data = self.table(tmp_path, "a,b,kind", "ham|eggs")
        with pytest.raises(DataError, match="has no column 'colour'"):
            create_project("net", tmp_path / "net", data=data, label="colour")
        assert not (tmp_path / "net").exists()
