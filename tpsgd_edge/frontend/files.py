"""The files of a spec's data set, whatever kind they are of, as raw samples."""

from dataclasses import replace
from pathlib import Path

from tpsgd_edge.errors import DataError, visible
from tpsgd_edge.frontend.array_names import Pair, find_pairs, find_test_pair
from tpsgd_edge.frontend.csv_file import CsvKeys, read_csv
from tpsgd_edge.frontend.idx import read_idx
from tpsgd_edge.frontend.npz import array_names, read_npy, read_npz
from tpsgd_edge.frontend.samples import RawSamples
from tpsgd_edge.frontend.wav import is_wav_folder, read_wav_folder
from tpsgd_edge.spec import FASHION_MNIST, Spec

_FASHION_FOLDER = Path("/usr/share/datasets/fashion-mnist")
FASHION_CLASSES = (
    "T-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)

_NPZ, _NPY, _CSV = (".npz",), (".npy",), (".csv", ".tsv", ".txt", ".data")
_IDX = (".gz", ".idx", "-ubyte")
_FORMATS = 'data can be .npz, .npy, .csv, .tsv, .txt or IDX (plain or .gz), or "fashion-mnist"'
# Kinds of files that people have, and how they become one of ours.
_OTHERS = {
    (".xlsx", ".xls", ".ods"): "save the sheet as CSV (UTF-8)",
    (".parquet",): "pandas.read_parquet(file).to_csv('data.csv', index=False)",
    (".feather", ".arrow"): "pandas.read_feather(file).to_csv('data.csv', index=False)",
    (".dta",): "pandas.read_stata(file).to_csv('data.csv', index=False)",
    (".sav",): "pandas.read_spss(file).to_csv('data.csv', index=False)",
    (".mat",): "scipy.io.loadmat(file), then numpy.savez('data.npz', x=..., y=...)",
    (".h5", ".hdf5", ".nc"): "read it with h5py, then numpy.savez('data.npz', x=..., y=...)",
    (".pkl", ".pickle", ".pt", ".pth", ".joblib"): (
        "pickles are never read, because that runs code: numpy.savez('data.npz', x=..., y=...)"
    ),
    (".arff",): "save it as CSV: pandas.DataFrame(scipy.io.arff.loadarff(file)[0]).to_csv(...)",
    (".json", ".jsonl"): "pandas.read_json(file).to_csv('data.csv', index=False)",
    (
        ".csv.gz",
        ".tsv.gz",
        ".zip",
        ".7z",
        ".tar",
        ".tgz",
        ".tar.gz",
        ".bz2",
        ".xz",
    ): "unpack it first",
    (".png", ".jpg", ".jpeg", ".bmp", ".gif"): (
        "put all images and their classes into arrays: numpy.savez('data.npz', x=..., y=...)"
    ),
    (".wav", ".mp3", ".flac"): (
        "name a folder that has a folder of WAV files for each class (docs/SIGNALS.md)"
    ),
    (".onnx", ".tflite"): "that is a net: it goes into [model], source; here go the samples",
}


def read_sets(spec: Spec) -> tuple[RawSamples, RawSamples | None]:
    """Training and test samples; the latter are None where they are to be split off.

    Raises:
        DataError: what is wrong with the files.
    """
    data = spec.data
    if data.file == FASHION_MNIST:
        return _read_fashion("train"), _read_fashion("t10k")
    path = spec.folder / data.file
    if data.test_file is not None:
        train = _read_one(spec, path, data.labels_file, key="labels_file")
        test_path = spec.folder / data.test_file
        test = _read_one(spec, test_path, data.test_labels_file, key="test_labels_file")
        return _noted_where_same(train, path, test_path), test
    if not is_wav_folder(path) and _suffix(path) in _NPZ and data.labels_file is None:
        _check_keys(spec, path, _suffix(path))
        return _read_npz_sets(spec, path)
    return _read_one(spec, path, data.labels_file, key="labels_file"), None


def _noted_where_same(train: RawSamples, path: Path, test_path: Path) -> RawSamples:
    if not path.samefile(test_path):
        return train
    note = "file and test_file are the same: what is said of the test set holds for samples seen"
    return replace(train, notes=(*train.notes, note))


def _suffix(path: Path) -> str:
    name = path.name.lower()
    others = {ending: words for endings, words in _OTHERS.items() for ending in endings}
    if path.is_dir():
        raise _folder(path)
    for ending in sorted(others, key=len, reverse=True):
        if name.endswith(ending):
            raise DataError(
                f"the data file '{path.name}' is of a kind that is not read",
                where="[data], file",
                found=f"the ending '{ending}'",
                help=f"{others[ending]}; {_FORMATS}",
            )
    for suffix in (*_NPZ, *_NPY, *_CSV, *_IDX):
        if name.endswith(suffix):
            return suffix
    raise DataError(
        f"the data file '{path.name}' is of an unknown kind",
        where="[data], file",
        found=f"the ending '{path.suffix}'",
        help=_FORMATS,
    )


def _folder(path: Path) -> DataError:
    inside = sorted(entry.name for entry in path.iterdir())[:3]
    return DataError(
        f"the data file '{path.name}' cannot be read: it is a folder",
        where="[data], file",
        found=visible(f"{', '.join(inside)}, ..."[:100]) if inside else "nothing in it",
        help="name one file; put images and their classes into arrays first: "
        "numpy.savez('data.npz', x=..., y=...); recordings: a folder of WAV files for each class",
    )


def _read_one(spec: Spec, path: Path, labels_file: str | None, *, key: str) -> RawSamples:
    if labels_file is None and is_wav_folder(path):
        return read_wav_folder(spec, path)
    suffix = _suffix(path)
    _check_keys(spec, path, suffix)
    if labels_file is not None and suffix not in (*_IDX, *_NPY):
        raise DataError(
            f"'{path.name}' holds its labels itself",
            where=f"[data], {key}",
            found=f'{key} = "{labels_file}"',
            help=f"remove {key}; only IDX and .npy files have their labels apart",
        )
    if suffix in _NPZ:
        find = find_test_pair if key == "test_labels_file" else _train_pair
        return _pick(find(array_names(path), spec.data.x, spec.data.y, path), path)
    if suffix in _CSV:
        return read_csv(path, _csv_keys(spec))
    example = "labels.npy" if suffix in _NPY else "...-labels-idx1-ubyte.gz"
    if labels_file is None:
        raise DataError(
            f"'{path.name}' holds samples only; the file of their labels is not named",
            where=f"[data], {key}",
            help=f'add {key} = "{example}"',
        )
    labels_path = spec.folder / labels_file
    read = read_npy if suffix in _NPY else read_idx
    read_labels = read_npy if _suffix(labels_path) in _NPY else read_idx
    where = f"'{labels_path.name}'"
    return RawSamples(read(path), read_labels(labels_path), path.name, y_from=where)


def _check_keys(spec: Spec, path: Path, suffix: str) -> None:
    """Raise where the spec says something that files of this kind do not have."""
    data = spec.data
    is_table, is_archive = suffix in _CSV, suffix in _NPZ
    wrong = {
        "header": data.header is not None and not is_table,
        "drop": bool(data.drop) and not is_table,
        "x": data.x != "x" and not is_archive,
        "y": data.y != "y" and not (is_table or is_archive),
    }
    if data.test_file is not None and Path(data.test_file).suffix != Path(data.file).suffix:
        return  # what one of two files does not have may be for the other
    for key in [key for key, is_wrong in wrong.items() if is_wrong]:
        raise DataError(
            f"'{key}' says nothing of '{path.name}'",
            where=f"[data], {key}",
            found=f"a file with the ending '{path.suffix}'",
            help="remove it; 'header' and 'drop' are for tables, where all columns but the labels "
            "are inputs; 'x' is for .npz, 'y' for both",
        )


def _csv_keys(spec: Spec) -> CsvKeys:
    data = spec.data
    return CsvKeys(data.y, data.header, data.drop, data.classes or ())


def _train_pair(names: tuple[str, ...], x: str, y: str, path: Path) -> Pair:
    return find_pairs(names, x, y, path).train


def _read_npz_sets(spec: Spec, path: Path) -> tuple[RawSamples, RawSamples | None]:
    pairs = find_pairs(array_names(path), spec.data.x, spec.data.y, path)
    train = replace(_pick(pairs.train, path), notes=pairs.notes)
    return train, None if pairs.test is None else _pick(pairs.test, path)


def _pick(pair: Pair, path: Path) -> RawSamples:
    arrays = read_npz(path, (pair.x, pair.y))
    x, y = visible(pair.x), visible(pair.y)
    where = f"{path.name}, arrays {x} and {y}"
    return RawSamples(arrays[pair.x], arrays[pair.y], where, y_from=f"array '{y}'")


def _read_fashion(part: str) -> RawSamples:
    if not _FASHION_FOLDER.is_dir():
        raise DataError(
            "Fashion-MNIST is not installed",
            where='[data], file = "fashion-mnist"',
            found=f"no folder {_FASHION_FOLDER}",
            help="on Debian or Ubuntu: apt-get install dataset-fashion-mnist",
        )
    images = read_idx(_FASHION_FOLDER / f"{part}-images-idx3-ubyte.gz")
    labels = read_idx(_FASHION_FOLDER / f"{part}-labels-idx1-ubyte.gz")
    return RawSamples(images, labels, f"{FASHION_MNIST}, {part}", y_from="its labels")
