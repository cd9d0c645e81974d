"""The live page: what is seen of a device, in a browser of this computer."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from tpsgd_edge.errors import LinkError, ToolError, how_to_install
from tpsgd_edge.link.live import Live

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

_PAGE = Path(__file__).with_name("page.html")
_HOSTS = ["localhost", "127.0.0.1"]
# Seconds between two looks at whether there is something new, and the longest silence.
_GLANCE, _SILENCE = 0.1, 5.0


def page(live: Live) -> "Starlette":
    """The page as an application: /, its events, and a request to save.

    Raises:
        ToolError: starlette is not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.middleware import Middleware
        from starlette.middleware.trustedhost import TrustedHostMiddleware
        from starlette.responses import HTMLResponse, JSONResponse, StreamingResponse
        from starlette.routing import Route
    except ModuleNotFoundError:
        raise _missing() from None

    async def show(_: "Request") -> "Response":
        return HTMLResponse(_PAGE.read_text(encoding="utf-8"))

    async def events(_: "Request") -> "Response":
        return StreamingResponse(_events(live), media_type="text/event-stream")

    async def save(request: "Request") -> "Response":
        # A page of somebody else, open in the same browser, may send this too.
        if request.headers.get("x-asked-by") != "page":
            return JSONResponse({"message": "only from the page"}, status_code=403)
        return JSONResponse({"message": await asyncio.to_thread(live.save)})

    routes = [
        Route("/", show),
        Route("/events", events),
        Route("/save", save, methods=["POST"]),
    ]
    only_here = Middleware(TrustedHostMiddleware, allowed_hosts=_HOSTS)
    return Starlette(routes=routes, middleware=[only_here])


def serve(live: Live, port: int) -> None:
    """Serve the page on this computer until it is interrupted.

    Raises:
        LinkError: the port is taken.
        ToolError: uvicorn is not installed.
    """
    try:
        import uvicorn
    except ModuleNotFoundError:
        raise _missing() from None
    with _listener(port) as listener:
        config = uvicorn.Config(page(live), log_level="error", timeout_graceful_shutdown=1)
        uvicorn.Server(config).run(sockets=[listener])


def _listener(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise LinkError(
            "the page cannot be served",
            where=f"http://localhost:{port}",
            found=error.strerror or str(error),
            help="choose another port: --port 8001",
        ) from None


async def _events(live: Live) -> AsyncIterator[str]:
    """Each look as an event; a comment where there was none for long, so that both ends notice."""
    shown, silence = -1, 0.0
    while True:
        seen = live.seen
        if seen.number != shown:
            shown, silence = seen.number, 0.0
            yield f"data: {json.dumps(seen.to_json())}\n\n"
        elif silence >= _SILENCE:
            silence = 0.0
            yield ": still here\n\n"
        await asyncio.sleep(_GLANCE)
        silence += _GLANCE


def _missing() -> ToolError:
    return ToolError(
        "starlette and uvicorn, which serve the page, are not installed",
        help=how_to_install("link"),
    )
