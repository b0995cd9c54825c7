"""The HTTP handler of py-http.wasm: CPython answers.

/       hello
/echo   the request's body, in pieces
/json   method, path and headers, sorted
/raise  an exception
"""

import json
from urllib.parse import urlsplit

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports.streams import StreamError_Closed
from wit_world.imports.types import (
    Fields,
    IncomingRequest,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)

PIECE = 4096  # What blocking_write_and_flush takes at once.


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        path = urlsplit(request.path_with_query() or "/").path
        if path == "/":
            respond(response_out, 200, "text/plain", [b"hello\n"])
        elif path == "/echo":
            respond(response_out, 200, "application/octet-stream", pieces(request))
        elif path == "/json":
            facts = {
                "method": type(request.method()).__name__.removeprefix("Method_"),
                "path": request.path_with_query(),
                "headers": sorted((k, v.decode()) for k, v in request.headers().entries()),
            }
            respond(response_out, 200, "application/json", [json.dumps(facts).encode()])
        elif path == "/raise":
            raise RuntimeError("asked for")
        else:
            respond(response_out, 404, "text/plain", [b"there is nothing here\n"])


def pieces(request):
    """The request's body; it must be dropped after its stream."""
    body = request.consume()
    with body.stream() as stream:
        while True:
            try:
                yield stream.blocking_read(PIECE)
            except Err as error:
                if isinstance(error.value, StreamError_Closed):
                    return
                raise


def respond(response_out, status, content_type, body):
    response = OutgoingResponse(Fields.from_list([("content-type", content_type.encode())]))
    response.set_status_code(status)
    out = response.body()
    ResponseOutparam.set(response_out, Ok(response))
    with out.write() as stream:
        for piece in body:
            stream.blocking_write_and_flush(piece)
    OutgoingBody.finish(out, None)
