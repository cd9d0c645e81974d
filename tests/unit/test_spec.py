"""Reading a spec: what is in it, defaults, overrides, digest."""

import os
from pathlib import Path

import pytest

from tpsgd_edge.errors import SpecError
from tpsgd_edge.spec import (
    Conv2dSpec,
    DenseSpec,
    Spec,
    layer_activation,
    layer_index,
    layer_learning_rate,
    layer_loss,
    layer_weights,
    load_spec,
    parse_bytes,
    spec_from_dict,
)

DIGITS = """
name = "digits"
seed = 7

[model]
layers = [{ name = "fc1", units = 32 }, { name = "fc2", units = 10 }]

[data]
file = "digits.npz"
"""


def write(folder: Path, text: str, name: str = "digits.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_reads_a_spec_with_its_place(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, DIGITS))
    assert (spec.name, spec.seed) == ("digits", 7)
    assert [layer.units for layer in spec.model.layers if isinstance(layer, DenseSpec)] == [32, 10]
    assert (spec.folder, spec.source) == (tmp_path, "digits.toml")


def test_reads_layers_in_both_of_tomls_forms(tmp_path: Path) -> None:
    tables = DIGITS.replace(
        'layers = [{ name = "fc1", units = 32 }, { name = "fc2", units = 10 }]',
        '[[model.layers]]\nname = "fc1"\nunits = 32\n[[model.layers]]\nname = "fc2"\nunits = 10',
    )
    one, other = load_spec(write(tmp_path, DIGITS)), load_spec(write(tmp_path, tables, "b.toml"))
    assert one.model == other.model


def test_a_loss_may_be_a_word_or_a_table(tmp_path: Path) -> None:
    word = load_spec(write(tmp_path, DIGITS), ["rule.loss=l1"])
    table = load_spec(write(tmp_path, DIGITS), ['rule.loss={ kind = "huber", delta = 0.1 }'])
    assert word.rule.loss is not None
    assert word.rule.loss.kind == "l1"
    assert table.rule.loss is not None
    assert table.rule.loss.delta == 0.1


def test_defaults_for_classes_and_vectors(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, DIGITS))
    assert layer_loss(spec, 0, "class").kind == "projected_cross_entropy"
    assert layer_loss(spec, 1, "class").kind == "softmax_cross_entropy"
    assert layer_loss(spec, 0, "vector").kind == "projected_l2"
    assert layer_loss(spec, 1, "vector").kind == "l2"
    assert [layer_activation(spec, i) for i in (0, 1)] == ["tanh", "linear"]
    assert [layer_weights(spec, i) for i in (0, 1)] == ["s16", "s16"]


MAPS = """
name = "maps"

[model]
layers = [
    { kind = "conv2d", name = "conv1", filters = 8 },
    { kind = "max_pool", size = 2 },
    { kind = "conv2d", name = "conv2", filters = 16, kernel = [5, 3], groups = "depthwise" },
    { kind = "avg_pool", size = [2, 3], stride = 1, name = "mean" },
    { kind = "global_avg_pool" },
    { kind = "flatten" },
    { name = "fc", units = 10 },
]

[data]
file = "images.npz"
input_shape = [28, 28, 1]
"""


def test_layers_on_maps(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, MAPS), ["model.layers.conv1.target_pool=position"])
    model = spec.model
    kinds = ["conv2d", "max_pool", "conv2d", "avg_pool", "global_avg_pool", "flatten", "dense"]
    assert [layer.kind for layer in model.layers] == kinds
    assert model.names == ("conv1", "pool1", "conv2", "mean", "pool3", None, "fc")
    assert [layer.name for layer in model.weighted] == ["conv1", "conv2", "fc"]
    first, second = model.layers[0], model.layers[2]
    assert isinstance(first, Conv2dSpec)
    assert isinstance(second, Conv2dSpec)
    assert (first.kernel, first.stride, first.padding, first.groups, first.target_pool) == (
        (3, 3),
        (1, 1),
        "valid",
        1,
        "position",
    )
    assert (second.kernel, second.groups, second.target_pool) == ((5, 3), "depthwise", 4)
    assert [layer_index(spec, name) for name in ("conv2", "pool3", "fc")] == [2, 4, 6]
    assert [layer_activation(spec, i) for i in (0, 2, 6)] == ["tanh", "tanh", "linear"]
    assert layer_loss(spec, 2, "class").kind == "projected_cross_entropy"
    assert layer_loss(spec, 6, "class").kind == "softmax_cross_entropy"
    assert (model.n_out, spec.data.input_shape) == (10, (28, 28, 1))


def test_a_layer_without_weights_has_no_settings(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, MAPS))
    with pytest.raises(TypeError, match="layer 1 of the spec has no weights: max_pool"):
        layer_learning_rate(spec, 1)


def test_what_a_layer_says_comes_before_what_the_rule_says(tmp_path: Path) -> None:
    overrides = [
        "rule.loss=l2",
        "rule.output_loss=l1",
        "rule.learning_rate=0.5",
        "rule.output_learning_rate=0.25",
        "model.layers.fc1.loss=l1",
        "model.layers.fc1.learning_rate=0.125",
        "model.layers.fc1.weights=s8",
        "model.layers.fc1.activation=relu",
    ]
    spec = load_spec(write(tmp_path, DIGITS), overrides)
    assert [layer_loss(spec, i, "class").kind for i in (0, 1)] == ["l1", "l1"]
    assert [layer_learning_rate(spec, i) for i in (0, 1)] == [0.125, 0.25]
    assert [layer_weights(spec, i) for i in (0, 1)] == ["s8", "s16"]
    assert layer_activation(spec, 0) == "relu"


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("seed=9", lambda s: s.seed == 9),
        ("rule.learning_rate=0.01", lambda s: s.rule.learning_rate == 0.01),
        ("model.layers.0.units=64", lambda s: s.model.layers[0].units == 64),
        ("model.layers.fc2.units=3", lambda s: s.model.layers[1].units == 3),
        ("platform.ram=20K", lambda s: s.platform.ram_bytes == 20480),
        ("platform.ram=20480", lambda s: s.platform.ram_bytes == 20480),
        ("numbers.weights=s8", lambda s: s.numbers.weights == "s8"),
        ('numbers.weights="s8"', lambda s: s.numbers.weights == "s8"),
        (" rule . epochs = 3", lambda s: s.rule.epochs == 3),
        ("data.file=a=b.npz", lambda s: s.data.file == "a=b.npz"),
        ('model.layers.1={ name = "out1", units = 4 }', lambda s: s.model.layers[1].units == 4),
    ],
)
def test_overrides(tmp_path: Path, override: str, read: object) -> None:
    assert callable(read)
    assert read(load_spec(write(tmp_path, DIGITS), [override]))


def test_later_overrides_win(tmp_path: Path) -> None:
    assert load_spec(write(tmp_path, DIGITS), ["seed=1", "seed=2"]).seed == 2


def test_a_line_break_in_an_override_adds_no_key(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, DIGITS), ["data.file='a'\nname = 'b'"])
    assert spec.name == "digits"


def test_the_digest_is_of_the_content_alone(tmp_path: Path) -> None:
    plain = load_spec(write(tmp_path, DIGITS))
    (tmp_path / "sub").mkdir()
    said = DIGITS.replace("seed = 7", "# a comment\nseed     = 0x7") + "[rule]\nfinal_rate = 0.3\n"
    same = load_spec(write(tmp_path / "sub", said, "other.toml"))
    other = load_spec(write(tmp_path, DIGITS), ["seed=8"])
    assert plain.digest == same.digest
    assert plain.digest != other.digest
    assert plain.digest.startswith("sha256:")
    assert len(plain.digest) == 7 + 64


def test_from_a_dict() -> None:
    content = {
        "name": "toy",
        "model": {"layers": [{"name": "a", "units": 2}]},
        "data": {"file": "toy.npz"},
    }
    spec = spec_from_dict(content, folder="/data", source="toy")
    assert isinstance(spec, Spec)
    assert (spec.folder, spec.source) == (Path("/data"), "toy")


@pytest.mark.parametrize(
    ("text", "size"), [("1", 1), ("2k", 2048), ("1.5 KiB", 1536), ("1M", 2**20), ("3MB", 3 << 20)]
)
def test_memory_sizes(text: str, size: int) -> None:
    assert parse_bytes(text) == size


def test_the_examples_are_good() -> None:
    examples = Path(__file__).parents[2] / "examples"
    found = sorted(examples.glob("*.toml"))
    assert found
    for path in found:
        assert load_spec(path).source == path.name


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"there is no spec '.*none.toml'(.|\n)*tpsgd-edge new"):
        load_spec(tmp_path / "none.toml")


def test_a_folder_names_the_spec_in_it(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="is a folder, not a spec"):
        load_spec(tmp_path)
    write(tmp_path, DIGITS)
    with pytest.raises(SpecError, match=r"name the file, such as .*digits\.toml"):
        load_spec(tmp_path)


def test_a_path_that_no_system_allows() -> None:
    with pytest.raises(SpecError, match="cannot be read"):
        load_spec("a\0b")
    with pytest.raises(SpecError, match="cannot be read"):
        load_spec("a" * 5000)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_closed_to_us(tmp_path: Path) -> None:
    path = write(tmp_path, DIGITS)
    path.chmod(0)
    with pytest.raises(SpecError, match=r"cannot be read(.|\n)*Permission denied"):
        load_spec(path)


def test_not_toml(tmp_path: Path) -> None:
    path = write(tmp_path, "name = digits")
    with pytest.raises(SpecError, match=r"'digits.toml' is not valid TOML(.|\n)*line 1, column 8"):
        load_spec(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_spec_may_come_from_an_editor_of_windows(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "net.toml"
    digits = Path(__file__).parents[2] / "examples" / "digits.toml"
    path.write_text(digits.read_text(encoding="utf-8"), encoding=encoding)
    assert load_spec(path).name == "digits"


def test_not_text(tmp_path: Path) -> None:
    path = tmp_path / "digits.toml"
    path.write_bytes(b"name = '\xff'")
    with pytest.raises(SpecError, match=r"not text in UTF-8(.|\n)*byte 8(.|\n)*0xff"):
        load_spec(path)


def test_too_large_and_too_deep(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="too large for a spec"):
        load_spec(write(tmp_path, "#" * (1 << 20) + "\n"))
    with pytest.raises(SpecError, match=r"nested too deeply|not valid TOML"):
        load_spec(write(tmp_path, "a = " + "[" * 100_000))


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("seed", "an override looks like section.key=value"),
        ("=3", "an override looks like section.key=value"),
        ("rule..epochs=3", "an override looks like section.key=value"),
        ("seed.low=3", "'seed' is a value, not a section"),
        ("model.layers.fc3.units=3", "there is no entry 'fc3'"),
        ("model.layers.fc3.units=3", "did you mean 'fc2'?"),
        ("model.layers.5.units=3", "known: fc1, fc2"),
        ("model.layers.-1.units=3", "there is no entry '-1'"),
        ("rule.learing_rate=3", "did you mean 'learning_rate'?"),
        ("rules.learning_rate=3", "did you mean 'rule'?"),
    ],
)
def test_bad_overrides(tmp_path: Path, override: str, words: str) -> None:
    with pytest.raises(SpecError) as error:
        load_spec(write(tmp_path, DIGITS), [override])
    assert words in str(error.value)
