"""Names that two projects in one firmware must not share: of files, and of what a linker sees.

Templates and runtime files write `tps_` for what belongs to every model. In a project each file of
theirs is called NAME_tps_..., and NAME_tps_names.h gives their functions and tables such names too.
tps_status.h is the same text in every project, declares nothing that a linker sees, and keeps its
name: all models of a firmware share it.
"""

import re
from collections.abc import Mapping

SHARED = "tps_status.h"
_INCLUDED = re.compile(r'(?<=#include ")tps_\w+\.h(?=")')
_GUARD = re.compile(r"\bTPS_\w+_H\b")
# A declaration in a header begins at the margin; what is static no linker sees.
_DECLARED = re.compile(r"^(?!static|typedef|#)\w[\w *]*?\b(tps_\w+)(?=\(|\[)", re.MULTILINE)


def linker_names(files: Mapping[str, str]) -> tuple[str, ...]:
    """Functions and tables that the headers among the files declare, in alphabetical order.

    >>> linker_names({"a.h": "void tps_f(int tps_x);\\nstatic int tps_g(void)\\n", "a.c": ""})
    ('tps_f',)
    """
    headers = (text for path, text in files.items() if path.endswith(".h"))
    return tuple(sorted({name for text in headers for name in _DECLARED.findall(text)}))


def with_name(model: str, files: Mapping[str, str]) -> dict[str, str]:
    """The files under the names that they have in a project of the model, each with its guard.

    >>> with_name("net", {"tps_a.h": "#ifndef TPS_A_H", "net.c": '#include "tps_a.h"'})
    {'net_tps_a.h': '#ifndef NET_TPS_A_H', 'net.c': '#include "net_tps_a.h"'}
    """
    own = {path for path in files if path.startswith("tps_") and path != SHARED}

    def file_name(match: re.Match[str]) -> str:
        return f"{model}_{match[0]}" if match[0] in own else match[0]

    named = {path: _INCLUDED.sub(file_name, text) for path, text in files.items()}
    guard = rf"{model.upper()}_\g<0>"
    return {
        f"{model}_{path}" if path in own else path: _GUARD.sub(guard, text) if path in own else text
        for path, text in named.items()
    }
