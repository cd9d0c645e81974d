"""New projects: a starter with tiny data, or a spec for data of one's own."""

from tpsgd_edge.starter.project import create_project

__all__ = ["create_project"]
