"""Packages: a generated project in the form that an ecosystem's own tool takes.

To add an ecosystem, write its files as `codegen_templates/packages/NAME/PATH.j2`, each at the path
that it has in the package (MODEL in a path is the model's name, VENDOR the author's), and add its
record to `TARGETS`.
"""

from tpsgd_edge.codegen.packages.rendering import archive_of, render_package
from tpsgd_edge.codegen.packages.targets import TARGETS, Target
from tpsgd_edge.codegen.packages.view import Maker, PackageView, package_view

__all__ = [
    "TARGETS",
    "Maker",
    "PackageView",
    "Target",
    "archive_of",
    "package_view",
    "render_package",
]
