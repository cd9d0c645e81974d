"""A starter project: a spec with its keys explained, tiny data, and what to type next."""

import math
from pathlib import Path
from string import Template

from tpsgd_edge.arithmetic.random import draws, mix
from tpsgd_edge.errors import OutputError, SpecError
from tpsgd_edge.spec import check_model_name
from tpsgd_edge.spec.schema import schema_text
from tpsgd_edge.starter.own_data import spec_for_data

_CLASSES = ("red", "green", "blue")
_PER_CLASS = 100

_SPEC = Template("""\
#:schema spec.schema.json
# What to train, in which numbers, on which data, for which hardware. More about any key:
# tpsgd-edge explain KEY. For one run: tpsgd-edge simulate $name.toml --set rule.epochs=20

name = "$name"          # of the C files and functions: ${name}_train_step(), ...
seed = 1                # of initial weights, projections, random rounding and the split of the data

[model]
# From input to output. Other activations: relu, relu6, leaky_relu, elu, sigmoid, ...
layers = [
    { name = "fc1", units = 32, activation = "tanh" },
    { name = "fc2", units = 3 },                         # one unit for each class
]

[numbers]
weights = "s16"         # 16 bits; "s8": one byte a weight; "f32": for cores with an FPU
activations = "s8"

[rule]
learning_rate = 0.1
epochs = 40

[data]
file = "$name.csv"      # or .npz with arrays x and y, or IDX
test_fraction = 0.2

[platform]
name = "cortex-m4f"     # tpsgd-edge platforms lists them all
ram = "8K"              # a budget: a build that needs more fails and says why
flash = "32K"
""")

_README = Template("""\
# $name

A small network that learns on the device to tell three spirals of points apart.

    tpsgd-edge build $name.toml       render the C project, compile it, hold it to its budget
    tpsgd-edge verify $name.toml      Python reference against the generated code, bit for bit
    tpsgd-edge simulate $name.toml    train with the generated code; the learning curve
    tpsgd-edge report $name.toml      everything in one HTML file
    tpsgd-edge example $name.toml     a C program of your own to start from

The first three take `--platform host` to run here instead of on an emulated core;
`tpsgd-edge doctor` says what is installed and how to get the rest.

| file | what it is |
|---|---|
| $name.toml | the spec: change a key and build again |
| $name.csv | $count points x1, x2 and their kind |
| spec.schema.json | what editors complete and check the spec by |

For data of your own: `tpsgd-edge new NAME --data FILE.csv` writes a spec that fits them.
""")


def create_project(
    name: str, folder: Path, *, data: Path | None = None, label: str | None = None
) -> list[Path]:
    """Write a starter into a folder that is new or empty, and return its files.

    Args:
        name: of the project; dashes become underscores in the model's name.
        folder: made where it does not exist.
        data: a data file that the spec is to fit; tiny data are made where not given.
        label: the column or array of its labels, where it is not the one that is looked for.

    Raises:
        SpecError: a name that C does not allow.
        DataError: the data file is missing or no good.
        OutputError: the folder holds something, or cannot be written; nothing is left behind.
    """
    model = _model_name(name)
    if data is None:
        texts = {
            f"{model}.toml": _SPEC.substitute(name=model),
            f"{model}.csv": _spirals(),
            "README.md": _README.substitute(name=model, count=_PER_CLASS * len(_CLASSES)),
        }
    else:
        texts = {f"{model}.toml": spec_for_data(model, data, label, folder)}
    texts["spec.schema.json"] = schema_text()
    made = _missing_folders(folder)
    written: list[Path] = []
    try:
        _check_empty(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for file_name, text in texts.items():
            written.append(folder / file_name)
            # Exclusive, so that a file which appeared since the check is not overwritten.
            with written[-1].open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
    except BaseException as error:
        _take_back(written if not isinstance(error, FileExistsError) else written[:-1], made)
        if isinstance(error, OSError):
            raise _cannot_write(folder, error) from None
        raise
    return written


def _model_name(name: str) -> str:
    model = name.replace("-", "_")
    try:
        return check_model_name(model)
    except ValueError as error:
        raise SpecError(
            f"a project cannot be called '{name[:40]}'",
            where=f"tpsgd-edge new {name[:40]}",
            found=str(error),
            help="for example: tpsgd-edge new my-project; --out DIR puts it elsewhere",
        ) from None


def _check_empty(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()):
        raise OutputError(
            f"the folder '{folder}' is not empty",
            where=str(folder),
            found=", ".join(sorted(path.name for path in folder.iterdir())[:5]),
            help="nothing was written; choose another name, or another folder with --out DIR",
        )


def _missing_folders(folder: Path) -> list[Path]:
    """The folders that have to be made, innermost first."""
    return [path for path in (folder, *folder.parents) if not path.exists()]


def _take_back(files: list[Path], folders: list[Path]) -> None:
    for path in files:
        path.unlink(missing_ok=True)
    for path in folders:
        if path.is_dir():
            path.rmdir()


def _cannot_write(folder: Path, error: OSError) -> OutputError:
    return OutputError(
        f"the folder '{folder}' cannot be written",
        where=str(folder),
        found=error.strerror or str(error),
        help="nothing was left behind; choose another folder with --out DIR",
    )


def _spirals() -> str:
    """Three spirals of half a turn around the origin, with some noise; one line a point."""
    noise = draws(mix(1), _PER_CLASS * len(_CLASSES)) / 2**32 - 0.5
    lines = ["x1,x2,kind"]
    for kind, name in enumerate(_CLASSES):
        for i in range(_PER_CLASS):
            radius = (i + 0.5) / _PER_CLASS
            angle = math.tau * (kind / 3 + radius / 2) + float(noise[kind * _PER_CLASS + i])
            x, y = radius * math.cos(angle), radius * math.sin(angle)
            lines.append(f"{x:.3f},{y:.3f},{name}")
    return "\n".join(lines) + "\n"
