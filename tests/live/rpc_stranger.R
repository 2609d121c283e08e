# Starts the real server of a transport, and comes to its door without the token, with a wrong one
# and with the right one. Says of each whether it was let in.

kit <- new.env()
sys.source(file.path(Sys.getenv("HARNESS_KIT"), "kit.R"), envir = kit)
child <- new.env()
child$kit <- kit
sys.source(file.path(Sys.getenv("HARNESS_KIT"), "child.R"), envir = child)
cell <- Sys.getenv("HARNESS_CELL")
files <- Sys.getenv("HARNESS_PATH_FILES")
asked <- kit$request()
kit$phase("bridge")
for (name in c("process", "wire", "client", paste0("over_", asked$transport))) {
  source(file.path(files, paste0(name, ".R")))
}
token <- new_token()
say_visit <- function(who, text) kit$say("visit", who = who, let_in = is.null(text), text = text)

if (asked$transport == "rserve") {
  rserve <- start_rserve(token)
  kit$say("ports", ports = as.list(check_ports(rserve$pid)))
  visitor <- file.path(cell, "visitor.py")
  for (who in c("nobody", "stranger", "client")) {
    shown <- switch(who, nobody = "", stranger = new_token(), client = token)
    said <- child$with_libraries_of_caller(asked, system2(
      asked$python, c(visitor, file.path(cell, SOCKET)), input = shown, stdout = TRUE
    ))
    say_visit(who, if (identical(said, "let in")) NULL else said)
  }
  end_process(rserve)
} else {
  load_bridge()
  ready <- start_server(asked$transport, token)
  kit$say("ports", ports = as.list(check_ports(c(Sys.getpid(), server$process$pid))))
  for (who in c("nobody", "stranger", "client")) {
    shown <- switch(who, nobody = "", stranger = new_token(), client = token)
    text <- tryCatch({
      server$link <- connect(ready, shown)
      exchange(server$link$hello, 3)
      NULL
    }, error = function(e) conditionMessage(e))
    say_visit(who, text)
    if (!is.null(text)) hang_up()
  }
  if (asked$transport == "zmq") {
    visitor <- file.path(cell, "visitor.py")
    said <- child$with_libraries_of_caller(asked, system2(
      asked$python, c(visitor, ready$address), input = new_token(), stdout = TRUE
    ))
    kit$say("handshake", text = said)
  }
  # The client that was let in is served, whoever came before it.
  kit$say("served", value = call_server("echo", 42L))
  wrong <- stop_server()
  kit$say("stopped", wrong = wrong)
}

# A port on all addresses, as base R opens it, must not get by.
door <- serverSocket(0L + 40000L + Sys.getpid() %% 20000L)
found <- tryCatch(check_ports(Sys.getpid()), error = function(e) conditionMessage(e))
kit$say("open", text = found)
kit$phase("teardown")
kit$say("done")
