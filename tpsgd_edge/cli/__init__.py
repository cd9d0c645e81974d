"""The command line: arguments in, pipeline called, verdict printed.

Nothing heavy is imported before a command runs, so that `tpsgd-edge --help` answers at once.
"""

from tpsgd_edge.cli.running import main, run

__all__ = ["main", "run"]
