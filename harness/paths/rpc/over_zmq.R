# The transport `zmq`: pbdZMQ. Every wait is a poll with a limit: pbdZMQ's own calls wait for a
# silent peer without end.

bridge <- "pbdZMQ"

load_bridge <- function() loadNamespace("pbdZMQ")

# By number: older versions of pbdZMQ do not know all names.
ZMQ_LINGER <- 17L
ZMQ_SNDTIMEO <- 28L
ZMQ_PLAIN_USERNAME <- 45L
ZMQ_PLAIN_PASSWORD <- 46L

# Connect to the server that is at `ready`; libzmq shows it the token in the handshake.
connect <- function(ready, token) {
  # It only warns by default, and goes on with a socket that is not connected.
  strict <- pbdZMQ::ZMQ.MC(warning.at.error = FALSE, stop.at.error = TRUE)
  context <- pbdZMQ::zmq.ctx.new()
  socket <- pbdZMQ::zmq.socket(context, pbdZMQ::ZMQ.ST()$REQ)
  # Both, and in this order: a context that R's garbage collector takes first waits without end
  # for its socket to be closed.
  finish <- function() {
    pbdZMQ::zmq.close(socket)
    pbdZMQ::zmq.ctx.destroy(context)
  }
  connected <- FALSE
  on.exit(if (!connected) finish())
  pbdZMQ::zmq.setsockopt(socket, ZMQ_LINGER, 0L, MC = strict)
  # A handshake can still be refused between the poll and the message.
  pbdZMQ::zmq.setsockopt(socket, ZMQ_SNDTIMEO, 5000L, MC = strict)
  if (nzchar(token)) {
    pbdZMQ::zmq.setsockopt(socket, ZMQ_PLAIN_USERNAME, "r", MC = strict)
    pbdZMQ::zmq.setsockopt(socket, ZMQ_PLAIN_PASSWORD, token, MC = strict)
  }
  pbdZMQ::zmq.connect(socket, ready$address, MC = strict)
  connected <- TRUE
  wait_to <- function(what, deadline) {
    repeat {
      pbdZMQ::zmq.poll(list(socket), what, as.integer(LOOK_S * 1000))
      if (bitwAnd(pbdZMQ::zmq.poll.get.revents(1L), what) != 0L) return(invisible())
      look_after(deadline)
    }
  }
  list(
    hello = list(kind = "hello"),
    exchange = function(frame, deadline) {
      # To send can take for ever as well, where the other side has refused the handshake.
      wait_to(pbdZMQ::ZMQ.PO()$POLLOUT, deadline)
      pbdZMQ::zmq.msg.send(frame, socket, serialize = FALSE)
      wait_to(pbdZMQ::ZMQ.PO()$POLLIN, deadline)
      # By default it would unserialize what comes.
      reply <- pbdZMQ::zmq.msg.recv(socket, unserialize = FALSE)
      if (!is.raw(reply) || length(reply) > LARGEST) wire_error("a frame is too large")
      reply
    },
    close = finish
  )
}
