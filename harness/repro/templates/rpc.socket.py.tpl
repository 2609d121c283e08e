#: start
import socket
import struct

listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
ready(listener.getsockname()[1])
stream = listener.accept()[0].makefile("rwb")
while True:
    head = stream.read(4)
    if not head:
        break
    reply = answer(stream.read(struct.unpack("<I", head)[0]))
    stream.write(struct.pack("<I", len(reply)) + reply)
    stream.flush()
