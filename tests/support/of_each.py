"""A check of many files as one test: thousands of tests of a millisecond cost more than they do."""

from collections.abc import Callable, Iterable
from pathlib import Path


def of_each(
    paths: Iterable[Path], name_of: Callable[[Path], str]
) -> Callable[[Callable[[Path], None]], Callable[[], None]]:
    """Make of a check of one path a test of all of them, which names every path that fails."""
    those = tuple(paths)
    assert those, "no paths to check"

    def decorate(check: Callable[[Path], None]) -> Callable[[], None]:
        def test() -> None:
            wrong = {}
            for path in those:
                try:
                    check(path)
                except AssertionError as error:
                    wrong[name_of(path)] = str(error)
            assert not wrong, "\n\n".join(f"{name}: {why}" for name, why in wrong.items())

        test.__name__, test.__doc__ = check.__name__, check.__doc__
        return test

    return decorate
