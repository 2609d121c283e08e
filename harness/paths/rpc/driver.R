# rpc: R calls a server in Python that holds the framework; on `rserve` Python calls a server in R.

entered <- Sys.time()
entered_cpu <- sum(proc.time()[1:2])

kit <- new.env()
sys.source(file.path(Sys.getenv("HARNESS_KIT"), "kit.R"), envir = kit)
child <- new.env()
child$kit <- kit
sys.source(file.path(Sys.getenv("HARNESS_KIT"), "child.R"), envir = child)

cell <- Sys.getenv("HARNESS_CELL")
files <- Sys.getenv("HARNESS_PATH_FILES")
load_file <- function(name) sys.source(file.path(files, name), envir = globalenv())

kit$say_process_start(entered, entered_cpu)
kit$phase("start")
asked <- kit$request()
probes <- strsplit(asked$probes, ",")[[1L]]
kit$say_identity_of_r()
load_file("process.R")

if (asked$transport == "rserve") {
  load_file("over_rserve.R")
  run_over_rserve()
  kit$phase("teardown")
  kit$say("done")
  quit("no", status = 0L)
}

# Load what R's side of the transport is made of.
load_transport <- function() {
  load_file("wire.R")
  load_file("client.R")
  load_file(paste0("over_", asked$transport, ".R"))
  load_bridge()
}

# Start the server and come to terms with it.
connect_to_server <- function() {
  kit$phase("bridge")
  kit$stage("init", "bridge_load", load_transport())
  kit$state$python_error <- python_error
  kit$state$hidden <- function(condition) condition$hidden
  # The work is done in two processes: so is what it costs.
  own_cpu <- kit$cpu_now
  kit$cpu_now <- function() own_cpu() + server$cpu
  if (!is.null(bridge)) kit$say_identity_of_bridge(bridge)
  kit$phase("python")
  kit$stage("init", "libpython_check", child$look_at_libraries(asked))
  token <- new_token()
  ready <- NULL
  kit$stage("init", "python_start", ready <- start_server(asked$transport, token))
  kit$phase("bridge")
  ports <- check_ports(c(Sys.getpid(), server$process$pid))
  kit$say("identity", identity = list(rpc = list(
    transport = asked$transport, server = ready$server,
    listens = as.list(if (length(ports) > 0L) sub(":[0-9]+$", "", ports) else "unix socket")
  )))
  kit$stage("init", "connect", {
    server$link <- connect(ready, token)
    exchange(server$link$hello, HELLO_LIMIT_S)
  })
  kit$phase("python")
  kit$stage("init", "identity", call_server("identity"))
}

# The probe `init`.
init <- function() {
  connect_to_server()
  if (!nzchar(asked$framework)) return(kit$nothing())
  kit$phase("import")
  kit$stage("init", "framework_import", call_server("import_framework"))
  kit$phase("device")
  device <- NULL
  kit$stage("init", "device", device <- call_server("device"))
  if (!is.null(device$missing)) kit$refuse("unavailable", device$missing)
  kit$phase("op")
  values <- NULL
  kit$stage("init", "first_op", values <- call_server("first_op"))
  kit$stage("init", "steady_op", n = kit$STEADY, {
    for (number in seq_len(kit$STEADY)) call_server("operate")
    call_server("values")
  })
  list(values = as.list(values), device = call_server("device_of"))
}

# The probe `train`: the data are made here and cross the wire.
train <- function() {
  kit$need_framework(asked)
  kit$phase("convert")
  kit$stage("train", "make_data", {
    data <- kit$make_data()
    parts <- kit$split_data(data)
  })
  kit$stage("train", "transfer", do.call(call_server, c("take", unname(parts))))
  arrived <- call_server("hashes")
  kit$phase("train")
  details <- call_server("train")
  kit$phase("convert")
  kit$stage("train", "collect", chances <- call_server("predictions"))
  details$losses <- as.list(details$losses)
  details$accuracy <- mean(max.col(chances) - 1L == as.integer(parts$y_test))
  details$x_sha <- list(made = kit$hash_pixels(data$x), arrived = arrived$x)
  details$y_sha <- list(made = kit$hash_labels(data$y), arrived = arrived$y)
  details
}

do_call <- function() {
  kit$call_probe(
    function() call_server("noop"), function(value) call_server("echo", value)
  )
}

do_callback <- function() {
  kit$callback_probe(
    function(heard, epochs) call_server("call_back", heard, epochs),
    if (asked$framework == "keras") {
      function(heard, epochs) call_server("keras_call_back", heard, epochs)
    }
  )
}

# The probe `transfer`: raw arrays, and texts as JSON.
do_transfer <- function() {
  transfer <- new.env()
  transfer$kit <- kit
  sys.source(file.path(Sys.getenv("HARNESS_KIT"), "transfer.R"), envir = transfer)
  transfer$transfer_probe(list(
    why_not = function(kind) call_server("transfer_why_not", kind),
    prepare = function(kind, values) values,
    put = function(kind, values) {
      texts <- if (kind == "frame") values$s else values
      # Eight letters, two quotes, a comma and a blank each.
      if (is.character(texts) && length(texts) * 12 > LARGEST_TEXT) {
        kit$refuse("unsupported", sprintf(
          "texts cross as JSON, of which a message takes %d MiB at most", LARGEST_TEXT %/% 2^20
        ))
      }
      call_server("transfer_hold", kind, if (is.data.frame(values)) as.list(values) else values)
    },
    get = function(kind) {
      got <- call_server("transfer_give", kind)
      if (kind == "strings") return(unlist(got))
      if (kind != "frame") return(got)
      data.frame(x = got$x, i = got$i, s = unlist(got$s), stringsAsFactors = FALSE)
    },
    hash = function(kind) call_server("transfer_hash", kind),
    mark = function() call_server("transfer_mark"),
    grown = function(mark) call_server("transfer_grown", mark)
  ))
}

# The probe `convert`; what a message has no place for is refused.
do_convert <- function() {
  convert <- kit$load_convert()
  convert$convert_probe(
    asked, function(name, ...) call_server(paste0("convert_", name), ...),
    refuses = function(condition) inherits(condition, "WireError")
  )
}

do_error <- function() {
  kit$error_probe(
    function(text) call_server("raise_error", text),
    function(fails) call_server("call_failing", fails)
  )
}

ended <- attempt("init", init())
if ("init" %in% probes) kit$say_probe("init", ended)
last <- list(name = "init", ended = ended)
work_of <- list(
  call = do_call, callback = do_callback, convert = do_convert, error = do_error,
  transfer = do_transfer, train = train
)
for (probe in intersect(probes, names(work_of))) {
  tried <- kit$can_be_tried(probe, ended)
  last <- list(name = probe, ended = if (tried) attempt(probe, work_of[[probe]]()) else ended)
  kit$say_probe(probe, last$ended)
}

kit$phase("teardown")
wrong <- if (exists("server")) stop_server() else NULL
if (!is.null(wrong) && last$ended$status == "pass") {
  say_ended(last$name, wrong$message, stderr_of(server$process))
  last$ended[c("status", "phase", "message")] <- list(wrong$status, "teardown", wrong$message)
  kit$say_probe(last$name, last$ended)
}
# The server's standard error is R's as well: nothing that it said may be lost.
said <- if (exists("server") && !is.null(server$process)) stderr_of(server$process) else NULL
if (!is.null(said)) cat(said, "\n", file = stderr(), sep = "")
kit$say("done")
