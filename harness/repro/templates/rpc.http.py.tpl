#: start
import socket

import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

async def call(request):
    return Response(answer(await request.body()))

listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
ready(listener.getsockname()[1])
app = Starlette(routes=[Route("/", call, methods=["POST"])])
uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
