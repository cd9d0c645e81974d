"""Numbers as people read them, the same in the terminal, in Markdown and in HTML."""

import math

from tpsgd_edge.reports.results import Metric

UNKNOWN = "–"


def count_text(value: int | None) -> str:
    """A whole number with thousands apart.

    >>> count_text(41233), count_text(None)
    ('41,233', '–')
    """
    return UNKNOWN if value is None else f"{value:,}"


def bytes_text(value: int | None) -> str:
    """A size to the byte.

    >>> bytes_text(7412)
    '7,412 B'
    """
    return UNKNOWN if value is None else f"{value:,} B"


def short_bytes(value: int) -> str:
    """A size at a glance; 1 KiB is 1,024 bytes.

    >>> short_bytes(620), short_bytes(7412), short_bytes(65536), short_bytes(3 * 2**20)
    ('620 B', '7.2 KiB', '64 KiB', '3 MiB')
    """
    if value < 1024:
        return f"{value} B"
    unit, scale = ("KiB", 1024) if value < 1024 * 1024 else ("MiB", 1024 * 1024)
    return f"{value / scale:.1f}".removesuffix(".0") + f" {unit}"


def clock_text(hertz: int | None) -> str:
    """A clock of a core.

    >>> clock_text(133_000_000), clock_text(3_686_400), clock_text(None)
    ('133 MHz', '3.69 MHz', '–')
    """
    return UNKNOWN if hertz is None else f"{hertz / 1e6:.3g} MHz"


def percent_text(part: float, whole: float) -> str:
    """A share in percent.

    >>> percent_text(7412, 65536), percent_text(1, 65536), percent_text(0, 9)
    ('11.3 %', '< 0.1 %', '0.0 %')
    >>> percent_text(float("nan"), 1)
    '–'
    """
    if not math.isfinite(part):
        return UNKNOWN
    share = 100 * part / whole if whole else 0.0
    return "< 0.1 %" if 0 < share < 0.05 else f"{share:.1f} %"


def metric_text(metric: Metric, value: float | None) -> str:
    """An accuracy in percent, R^2 and AUROC as they are.

    >>> metric_text("accuracy", 0.9639), metric_text("r2", 0.9639), metric_text("r2", float("nan"))
    ('96.4 %', '0.964', '–')
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    return f"{100 * value:.1f} %" if metric == "accuracy" else f"{value:.3f}"


def number_text(value: float | None) -> str:
    """A real number in three digits.

    >>> number_text(0.123456), number_text(float("inf"))
    ('0.123', '–')
    """
    return UNKNOWN if value is None or not math.isfinite(value) else f"{value:.3g}"


def metric_name(metric: Metric) -> str:
    """Name the metric for people.

    >>> metric_name("r2")
    'R²'
    """
    return {"accuracy": "Accuracy", "r2": "R²", "auroc": "AUROC"}[metric]


def of_budget(used: int, budget: int | None) -> str:
    """A size against what is allowed.

    >>> of_budget(7412, 65536), of_budget(7412, None)
    ('7,412 B of 64 KiB (11.3 %)', '7,412 B')
    """
    if budget is None:
        return bytes_text(used)
    return f"{bytes_text(used)} of {short_bytes(budget)} ({percent_text(used, budget)})"


def plural(count: int, word: str) -> str:
    """A number of things.

    >>> plural(1, "step"), plural(1000, "step")
    ('1 step', '1,000 steps')
    """
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
