"""Names that two projects in one firmware must not share: of files, and of what a linker sees.

Templates and runtime files write `tps_` for what belongs to every model. In a project each file of
theirs is called NAME_tps_..., and NAME_tps_names.h gives their functions and tables such names too.
tps_status.h, tps_storage.h, tps_line.h, tps_drift.h and tps_bin.h are the same text in every
project, declare nothing that a linker sees, and keep their names: all models of a firmware share
them.

Templates include files under the names that these have in the project; a header's template passes
each name that a linker sees through `linked`, which notes it. The hand-written runtime files know
no model: `of_model` gives theirs the names of a project.
"""

import re

SHARED = ("tps_bin.h", "tps_drift.h", "tps_line.h", "tps_status.h", "tps_storage.h")
_INCLUDED = re.compile(r'(?<=#include ")tps_\w+\.h(?=")')
_GUARD = re.compile(r"\bTPS_\w+_H\b")


def noted(names: set[str], name: str) -> str:
    """The name, for a template to print, when it has been added to the names.

    >>> names = {"tps_f"}
    >>> noted(names, "tps_e"), sorted(names)
    ('tps_e', ['tps_e', 'tps_f'])
    """
    names.add(name)
    return name


def file_name(model: str, name: str) -> str:
    """The name in a project of the model of a file that belongs to every model.

    >>> file_name("net", "tps_dense.h"), file_name("net", "tps_status.h")
    ('net_tps_dense.h', 'tps_status.h')
    """
    return name if name in SHARED else f"{model}_{name}"


def of_model(model: str, name: str, text: str) -> str:
    r"""A runtime file as a project of the model has it: the files it includes, and its guard.

    >>> print(of_model("net", "tps_a.h", '#ifndef TPS_A_H\n#include "tps_b.h"'))
    #ifndef NET_TPS_A_H
    #include "net_tps_b.h"
    """
    if name in SHARED:
        return text
    renamed = _INCLUDED.sub(lambda included: file_name(model, included[0]), text)
    return _GUARD.sub(rf"{model.upper()}_\g<0>", renamed)
