"""Any table, written in any of the ways that tools have, is read as what it was."""

import csv
import io
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tpsgd_edge.frontend.csv_file import CsvKeys, read_csv

# With two decimals no comma can be one of thousands.
NUMBERS = st.integers(-99_999, 99_999).map(lambda n: n / 100)
WORDS = st.text(alphabet='abcXYZ é-_/"', min_size=1, max_size=6).filter(
    lambda w: w.strip() and not w.lstrip().startswith(("#", "%", "//", "-"))
)


@st.composite
def tables(draw: Any) -> tuple[list[list[float]], list[str]]:
    """Rows of numbers, and labels: words that no tool takes for a missing value, or numbers."""
    width, count = draw(st.integers(1, 5)), draw(st.integers(3, 8))
    x = draw(
        st.lists(st.lists(NUMBERS, min_size=width, max_size=width), min_size=count, max_size=count)
    )
    kinds = draw(
        st.lists(WORDS.map(lambda w: f"k{w.strip()}"), min_size=2, max_size=3, unique=True)
        | st.lists(st.integers(-3, 9).map(str), min_size=2, max_size=3, unique=True)
    )
    return x, [kinds[i % len(kinds)] for i in range(count)]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    table=tables(),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    decimals=st.sampled_from(".,"),
    header=st.sampled_from(["none", "names", "numbers"]),
    index=st.sampled_from(["", "from 0", "from 1", "shuffled"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    before=st.sampled_from(["", "# a comment, with a comma\n", "sep", "\n\n"]),
)
def test_what_was_written_is_read(
    tmp_path: Path,
    table: tuple[list[list[float]], list[str]],
    separator: str,
    decimals: str,
    header: str,
    index: str,
    end: str,
    quoting: Any,
    encoding: str,
    before: str,
) -> None:
    x, labels = table
    # An index has an empty name, which needs a header; commas part either cells or decimals.
    has_index = bool(index) and header != "none"
    has_commas = decimals == "," and separator != ","
    names = ["a", "b", "c", "d", "e"][: len(x[0])]
    if header == "numbers" and (len(names) > 1 or has_index):
        names = [str(at) for at in range(len(x[0]))]
    order = list(range(len(x)))
    if index == "shuffled":
        order = order[1:] + order[:1]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator=end, quoting=quoting)
    if header != "none":
        writer.writerow([*([""] if has_index else []), *names, "label"])
    for at, (row, label) in enumerate(zip(x, labels, strict=True)):
        cells = [f"{v:.2f}".replace(".", ",") if has_commas else f"{v:.2f}" for v in row]
        place = [str(order[at] + (index == "from 1"))] if has_index else []
        writer.writerow([*place, *cells, label])
    start = f"sep={separator}\n" if before == "sep" else before
    (tmp_path / "d.csv").write_bytes((start + text.getvalue()).encode(encoding))

    raw = read_csv(tmp_path / "d.csv", CsvKeys())
    assert raw.x.tolist() == x
    assert [str(label) for label in raw.y.tolist()] == labels
