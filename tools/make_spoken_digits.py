"""Make examples/spoken_*.npz: recordings of the Free Spoken Digit Dataset.

    python tools/make_spoken_digits.py recordings

Six people say ten digits fifty times each: 3,000 recordings of 8,000 samples a second, in a folder
of WAV files DIGIT_SPEAKER_NUMBER.wav. Each becomes 6,000 samples: longer ones are cut, shorter ones
get zeros. Numbers 0 to 4 are for the test, as the data set says. spoken_digits.npz has all people,
spoken_others.npz all but one, and spoken_new.npz that one. Nothing is downloaded here: get the
folder with git from Jakobovski/free-spoken-digit-dataset (CC BY-SA 4.0).
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import DataError, TpsgdError
from tpsgd_edge.frontend.wav import read_wav

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
LENGTH = 6000
TEST_NUMBERS = 5
NEW = "theo"


@dataclass(frozen=True)
class Spoken:
    """All recordings: samples (n, LENGTH), digit, speaker and number of each (n,)."""

    x: NDArray[np.int16]
    digit: NDArray[np.int64]
    speaker: NDArray[np.str_]
    number: NDArray[np.int64]

    def of(self, *speakers: str) -> dict[str, NDArray[np.generic]]:
        """Training and test recordings of some people, as an .npz file names them."""
        is_theirs, is_test = np.isin(self.speaker, speakers), self.number < TEST_NUMBERS
        train, test = is_theirs & ~is_test, is_theirs & is_test
        return {
            "x_train": self.x[train],
            "y_train": self.digit[train],
            "x_test": self.x[test],
            "y_test": self.digit[test],
        }

    @property
    def speakers(self) -> list[str]:
        """The people, by name."""
        return sorted(set(self.speaker.tolist()))


def read_spoken(folder: Path) -> Spoken:
    """Read the recordings of a folder.

    Raises:
        DataError: there are none, or a name says no digit, speaker and number.
    """
    paths = sorted(folder.glob("*_*_*.wav"))
    if not paths:
        raise DataError(
            "there are no recordings",
            where=str(folder),
            found="no file DIGIT_SPEAKER_NUMBER.wav",
            help="name the folder 'recordings' of the Free Spoken Digit Dataset",
        )
    x = np.zeros((len(paths), LENGTH), np.int16)
    names = [path.stem.split("_") for path in paths]
    for row, path in zip(x, paths, strict=True):
        samples = read_wav(path).samples[:LENGTH, 0]
        row[: len(samples)] = samples
    try:
        digits, speakers, numbers = zip(*names, strict=True)
        return Spoken(x, np.array(digits, int), np.array(speakers), np.array(numbers, int))
    except ValueError as error:
        raise DataError(
            "a name says no digit, speaker and number", where=str(folder), found=str(error)
        ) from None


def main(arguments: list[str] | None = None) -> int:
    """Read the recordings, write the three files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("recordings", type=Path, help="folder of the WAV files")
    parser.add_argument("--out", type=Path, default=EXAMPLES, help="folder of the .npz files")
    options = parser.parse_args(arguments)
    try:
        spoken = read_spoken(options.recordings)
    except TpsgdError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    others = [name for name in spoken.speakers if name != NEW]
    for name, speakers in (("digits", spoken.speakers), ("others", others), ("new", [NEW])):
        path = options.out / f"spoken_{name}.npz"
        np.savez_compressed(path, **spoken.of(*speakers))  # type: ignore[arg-type]
        print(f"{path}: {', '.join(speakers)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
