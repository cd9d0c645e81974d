"""A spec that fits a data file: layers of the right sizes, and each line explained."""

import math
import os
from pathlib import Path
from string import Template

from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.data import Dataset, load_dataset, units_for_labels
from tpsgd_edge.frontend.defaults import default_epochs
from tpsgd_edge.graph import Labels
from tpsgd_edge.spec import FASHION_MNIST, Spec, spec_from_dict

_MOST_NAMES = 8

_SPEC = Template("""\
#:schema spec.schema.json
# What to train, in which numbers, on which data, for which hardware. More about any key:
# tpsgd-edge explain KEY. For one run: tpsgd-edge simulate $name.toml --set rule.epochs=20

$named # of the C files and functions: ${name}_train_step(), ...
seed = 1                # of initial weights, projections, random rounding and the split of the data

[model]
# From input ($shape) to output. More units learn more and cost more.
layers = [
$layers
]

[numbers]
weights = "s16"         # 16 bits; "s8": one byte a weight; "f32": for cores with an FPU

[rule]
$epochs # passes over the $count training samples: about $steps steps
# learning_rate = 0.02  # where it is left out, it follows from the data

[data]
# Found: $found.
file = $file
$label# scaling = "standard"  # where it is left out, it follows from the data
test_fraction = 0.2     # kept apart, to see what was learned

[platform]
name = "cortex-m4f"     # tpsgd-edge platforms lists them all
# ram = "20K"           # a budget: a build that needs more fails and says why
# flash = "64K"
""")


def spec_for_data(name: str, data: Path, label: str | None, folder: Path) -> str:
    """The text of a spec for a data file.

    Args:
        name: of the model.
        data: the file, which stays where it is.
        label: column or array of the labels; where not given, what the reader takes.
        folder: where the spec will be; its path to the file starts there.

    Raises:
        TpsgdError: the file is missing or no good.
    """
    dataset = _look(data, label)
    count = len(dataset.x_train)
    epochs = default_epochs(count)
    where = data if data.is_absolute() else Path(os.path.relpath(data, folder))
    return _SPEC.substitute(
        name=name,
        named=f"{f'name = {_toml(name)}':<23}",
        shape=" x ".join(str(n) for n in dataset.input_shape),
        layers="\n".join(f"    {layer}" for layer in _layers(dataset)),
        epochs=f"{f'epochs = {epochs}':<23}",
        count=f"{count:,}",
        steps=f"{epochs * count:,}",
        found=_found(dataset),
        file=_toml(where.as_posix()),
        label="" if label is None else f"y = {_toml(label)}\n",
    )


def _look(data: Path, label: str | None) -> Dataset:
    if str(data) == FASHION_MNIST or data.is_dir():
        raise SpecError(
            f"'{data}' is no data file",
            where=f"--data {data}",
            help="name a .csv, .tsv or .npz file",
        )
    named = {"file": data.resolve().as_posix()} | ({} if label is None else {"y": label})

    def with_units(units: int) -> Spec:
        layers = [{"name": "out", "units": units}]
        content = {"name": "look", "model": {"layers": layers}, "data": named}
        return spec_from_dict(content, source=data.name)

    return load_dataset(with_units(units_for_labels(with_units(1))))


def _layers(dataset: Dataset) -> list[str]:
    """Tables of layers, with the reason for each size behind them."""
    shape, labels = dataset.input_shape, dataset.labels
    last = f'{{ name = "out", units = {labels.count} }},'
    reason = "one unit for each class" if labels.kind == "class" else "one unit for each value"
    tables = [
        (f'{{ name = "fc1", units = {_units(math.prod(shape))} }},', "hidden units: a first guess")
    ]
    if len(shape) == 3 or (len(shape) == 2 and min(shape) >= 8):
        tables = [
            ('{ name = "conv1", kind = "conv2d", filters = 8, padding = "same" },', "images"),
            ('{ kind = "max_pool" },', "windows of 2 x 2"),
        ]
    elif len(shape) == 2:
        tables = [
            ('{ name = "conv1", kind = "conv1d", filters = 8, padding = "same" },', "in time"),
            ('{ kind = "max_pool" },', "windows of 2 steps"),
        ]
    tables.append((last, reason))
    width = max(len(table) for table, _ in tables)
    return [f"{table:<{width}}  # {why}" for table, why in tables]


def _units(n_in: int) -> int:
    return 32 if n_in <= 64 else 64 if n_in <= 256 else 128


def _found(dataset: Dataset) -> str:
    count = len(dataset.x_train) + len(dataset.x_test)
    shape = " x ".join(str(n) for n in dataset.input_shape)
    return f"{count:,} samples of {shape} values, {_labels(dataset.labels, dataset.class_names)}"


def _labels(labels: Labels, names: tuple[str, ...]) -> str:
    if labels.kind == "vector":
        return f"{labels.count} value{'s' * (labels.count > 1)} to predict"
    shown = [_toml(name[:20]) for name in names[:_MOST_NAMES]]
    rest = ["..."] if len(names) > _MOST_NAMES else []
    return f"{labels.count} classes: {', '.join([*shown, *rest])}"


def _toml(text: str) -> str:
    """Text as TOML has it between quotes, on one line whatever it holds."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    shown = (c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped)
    return f'"{"".join(shown)}"'
