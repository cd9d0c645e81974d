"""The harness as a WebAssembly module, run by node (firmware/host/serve.mjs)."""

import shutil
import struct

from tpsgd_edge.assets import firmware_dir
from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.build import Binary
from tpsgd_edge.toolchain.process_link import ProcessLink

INSTALL_NODE = "on Debian and Ubuntu: apt install nodejs"


class NodeLink:
    """A child process of node with pipes. A trap of the module ends it, and is in the error."""

    # The child has read all of a request before it writes the reply.
    max_reply = 1 << 20

    def __init__(self, binary: Binary, *, timeout: float) -> None:
        script, module = firmware_dir() / "host" / "serve.mjs", binary.path.resolve()
        self._process = ProcessLink(node_command(), str(script), str(module), timeout=timeout)

    def exchange(self, request: bytes, reply_size: int) -> bytes:
        """See Link."""
        head = struct.pack("<II", len(request), reply_size)
        return self._process.exchange(head + request, reply_size)

    def close(self) -> None:
        """See Link."""
        self._process.close()


def node_command() -> str:
    """The path of node.

    Raises:
        ToolError: it is not installed.
    """
    for name in ("node", "nodejs"):
        if path := shutil.which(name):
            return path
    raise ToolError("node is not installed", found="none of: node, nodejs", help=INSTALL_NODE)
