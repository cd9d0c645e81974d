"""Groups of samples: a column or an array that says of whom or from where each of them is."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import DataError, visible
from tpsgd_edge.frontend.csv_text import read_table
from tpsgd_edge.frontend.data import Dataset, load_dataset
from tpsgd_edge.frontend.npz import array_names, read_npz
from tpsgd_edge.frontend.split import drawn_order
from tpsgd_edge.spec import Spec

Names = NDArray[np.str_]


def load_grouped(spec: Spec, name: str) -> tuple[Dataset, Names, Names]:
    """The data set of a spec, and the group of each training sample (n,) and test sample (n,).

    Args:
        name: of the column of a table, which is no input, or of an array in an .npz file: NAME, or
            NAME_train and NAME_test.

    Raises:
        DataError: the data cannot be read, or do not have it.
    """
    data = spec.data
    is_table = Path(data.file).suffix.lower() not in (".npz", ".npy", ".gz")
    if is_table and name not in data.drop:
        data = data.model_copy(update={"drop": (*data.drop, name)})
        spec = spec.model_copy(update={"data": data})
    dataset = load_dataset(spec)
    own = _names(spec, data.file, name, "train")
    places = dataset.places
    if places is None or len(own) <= int(places.max(initial=-1)):
        raise _too_few(data.file, name, len(own))
    return dataset, own[places], _of_test(spec, dataset, own, name)


def _of_test(spec: Spec, dataset: Dataset, own: Names, name: str) -> Names:
    """Groups of the test samples: of their file, their array, or those that were split off."""
    data, count = spec.data, len(dataset.x_test)
    if data.test_file is not None:
        there = _names(spec, data.test_file, name, "test")
    elif f"{name}_test" in _arrays(spec.folder / data.file):
        there = _names(spec, data.file, name, "test")
    else:
        there = own[drawn_order(spec.seed, len(own))[:count]]
    if len(there) != count:
        raise _too_few(data.test_file or data.file, name, len(there))
    return there


def _names(spec: Spec, file: str, name: str, part: str) -> Names:
    path = spec.folder / file
    if path.suffix.lower() != ".npz":
        return _column(spec, path, name)
    wanted = [f"{name}_{part}", name]
    there = [one for one in wanted if one in _arrays(path)]
    if not there:
        raise DataError(
            f"'{path.name}' has no array '{visible(name)}'",
            where=f"--partition by:{visible(name)}",
            found=f"arrays {visible(', '.join(_arrays(path)))}",
            help=f"numpy.savez(file, x=..., y=..., {visible(name)}=...), one entry for each sample",
        )
    values = read_npz(path, (there[0],))[there[0]]
    if values.ndim != 1:
        raise DataError(
            f"the array '{visible(there[0])}' of '{path.name}' has not one entry for each sample",
            found=f"shape {values.shape}",
        )
    return values.astype(np.str_)


def _arrays(path: Path) -> tuple[str, ...]:
    return array_names(path) if path.suffix.lower() == ".npz" else ()


def _column(spec: Spec, path: Path, name: str) -> Names:
    table = read_table(path, has_header=spec.data.header, named=(name,))
    header = table.header or ()
    if name not in header:
        raise DataError(
            f"'{path.name}' has no column '{visible(name)}'",
            where=f"--partition by:{visible(name)}",
            found=f"columns {visible(', '.join(header)[:200])}" if header else "no header",
        )
    return np.array(table.column(header.index(name)), np.str_)


def _too_few(file: str, name: str, count: int) -> DataError:
    return DataError(
        f"'{visible(name)}' has not one entry for each sample",
        where=Path(file).name,
        found=f"{count:,} entries",
    )
