"""The other end of the wire: a computer talks to a device that learns (docs/PROTOCOL.md)."""

from tpsgd_edge.link.linked import LinkedDevice
from tpsgd_edge.link.messages import Answer, Entry, Hello, Log, Statistics
from tpsgd_edge.link.session import Limits
from tpsgd_edge.link.watching import View, Watch

__all__ = [
    "Answer",
    "Entry",
    "Hello",
    "Limits",
    "LinkedDevice",
    "Log",
    "Statistics",
    "View",
    "Watch",
]
