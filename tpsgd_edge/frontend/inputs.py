"""The files that a spec names: what is read, and so is never written."""

from pathlib import Path

from tpsgd_edge.errors import DataError
from tpsgd_edge.spec import FASHION_MNIST, Spec


def input_files(spec: Spec) -> tuple[Path, ...]:
    """All files that a spec names, and its own, whether they exist or not."""
    data, model = spec.data, spec.model
    named = (
        None if data.file == FASHION_MNIST else data.file,
        data.labels_file,
        data.test_file,
        data.test_labels_file,
        data.source_file,
        data.source_labels_file,
        model.weights_file,
        model.source,
    )
    return tuple(spec.folder / name for name in (spec.source, *named) if name is not None)


def check_inputs(spec: Spec) -> None:
    """Refuse to wait at a pipe, or to read a device that never ends.

    Raises:
        DataError: a file that the spec names is there, but is no file.
    """
    for path in input_files(spec):
        try:
            is_odd = path.exists() and not (path.is_file() or path.is_dir())
        except (OSError, ValueError):
            continue  # Whoever opens it says so.
        if is_odd:
            raise DataError(
                f"'{path.name}' is no file",
                where=str(path),
                found="a pipe or a device",
                help="name a file; write what comes through a pipe to one first",
            )
