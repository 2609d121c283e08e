#: start
library(pbdZMQ)
connect <- function(port) {
  link <- zmq.socket(zmq.ctx.new(), ZMQ.ST()$REQ)
  zmq.connect(link, sprintf("tcp://127.0.0.1:%d", as.integer(port)))
  link
}
exchange <- function(link, frame) {
  zmq.msg.send(frame, link, serialize = FALSE)
  zmq.poll(list(link), ZMQ.PO()$POLLIN, 600000L)
  if (zmq.poll.get.revents(1L) == 0L) stop("the server has not answered for ten minutes")
  zmq.msg.recv(link, unserialize = FALSE)
}
