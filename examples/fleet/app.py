"""The server and the devices of a fleet, as Flower wants them named."""

from tpsgd_edge.fleet.flower import client_app, server_app

__all__ = ["client_app", "server_app"]
