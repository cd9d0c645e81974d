"""Results in a notebook, which asks for them by the name `_repr_html_`."""


class ShownInNotebooks:
    """A result that a notebook shows by its numbers and pictures instead of its fields."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        # Matplotlib and jinja2 take a third of a second, which only a notebook should wait for.
        from tpsgd_edge.reports.notebook_view import notebook_html

        return notebook_html(self)
