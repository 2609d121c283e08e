# What the doctor has R do over rPython: R holds Python in its own process, values go as JSON.

layers <- new.env()
sys.source(file.path(Sys.getenv("HARNESS_DOCTOR"), "layers.R"), envir = layers)
kit <- layers$kit
asked <- layers$asked
layer <- layers$layer

layers$start()
layer("bridge", {
  folder <- find.package("rPython")
  kit$say("facts", facts = list(
    "bridge.name" = "rPython",
    "bridge.version" = utils::packageDescription("rPython", dirname(folder), "Version")
  ))
  suppressPackageStartupMessages(library(rPython))
  folder
})
call_doctor <- function(name, ...) python.call(paste0("harness_doctor.", name), ...)
layer("python", {
  # rPython prints a SyntaxError and goes on: what was set must be read back.
  python.exec("import os, sys")
  python.exec("sys.path.append(os.environ['HARNESS_DOCTOR'])")
  python.exec("import harness_doctor")
  python.exec("harness_doctor.watch()")
  NULL
})
layer("identity", {
  kit$say("identity", identity = as.list(call_doctor("identity")))
  NULL
})
installed <- unlist(call_doctor("installed", c("numpy", strsplit(asked$frameworks, ",")[[1L]])))
framework <- if (nzchar(asked$framework)) asked$framework else {
  known <- intersect(c("keras", "tensorflow", "torch", "jax"), installed)
  if (length(known) > 0L) known[[1L]] else NULL
}
kit$say("installed", modules = as.list(installed), framework = framework)
layer("numpy", call_doctor("numpy"))
layer("convert", {
  python.assign("harness_doctor_values", c(0.5, 2, -3))
  back <- python.get("harness_doctor_values")
  if (!identical(as.numeric(back), c(0.5, 2, -3))) {
    stop("numbers come back from Python as ", kit$one_line(deparse(back)), call. = FALSE)
  }
  NULL
})
if (!is.null(framework)) {
  layer("framework", {
    python.exec(paste("import", framework))
    call_doctor("version", framework)
  })
  layer("device", {
    kit$say("device", device = as.list(call_doctor("device", framework)))
    NULL
  })
  python.exec("import numpy")
  python.exec("harness_doctor_left = numpy.array([[1.0, 2.0], [3.0, 4.0]])")
  python.exec("harness_doctor_y = numpy.array([[0.0], [1.0]])")
  layer("op", {
    python.exec(sprintf(
      "harness_doctor_op = harness_doctor.op('%s', harness_doctor_left, harness_doctor_left)",
      framework
    ))
    product <- as.numeric(python.get("harness_doctor_op"))
    if (!isTRUE(all.equal(product, c(7, 10, 15, 22)))) stop("a product comes out wrong")
    NULL
  })
  layer("train", {
    python.exec(sprintf(
      "harness_doctor_loss = harness_doctor.train('%s', harness_doctor_left, harness_doctor_y)",
      framework
    ))
    if (!is.finite(python.get("harness_doctor_loss"))) stop("a training step gives no loss")
    NULL
  })
}
layers$done()
