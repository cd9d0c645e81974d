"""`tpsgd-edge explain` and `tpsgd-edge schema`."""

import click

from tpsgd_edge.cli.options import debug_option, json_option
from tpsgd_edge.cli.outcome import Outcome, outcome


@click.command("explain")
@click.argument("key", required=False)
@json_option
@debug_option
def explain_command(*, key: str | None, as_json: bool) -> Outcome:
    """Explain a key of the spec.

    KEY is a name, or sections and a name: epochs, rule.epochs, rule. Without it all are listed.
    """
    from dataclasses import asdict

    from tpsgd_edge.cli.keys import show_keys, show_names
    from tpsgd_edge.spec.keys import all_keys, find_keys

    keys = all_keys() if key is None else find_keys(key)
    document = {"keys": [asdict(found) | {"path": found.path} for found in keys]}
    return outcome(
        document, lambda: show_names(keys) if key is None else show_keys(keys), as_json=as_json
    )


@click.command("schema")
@debug_option
def schema_command() -> Outcome:
    """The spec's JSON Schema, for editors that complete TOML.

    Put `#:schema FILE` on the first line of a spec, FILE being where this was written.
    """
    from tpsgd_edge.spec.schema import schema_text

    return Outcome(schema_text())
