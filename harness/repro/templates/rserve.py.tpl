#: start
# @{title}
import os
import subprocess
import sys
import time
print("Python", sys.version)
#: start ?backend
os.environ["KERAS_BACKEND"] = "@{backend}"
#: bridge
#!raised
import pyRserve
code = """Rserve::run.Rserve(remote = "disable", oob = "enable",
    socket = file.path(getwd(), "rserve.sock"), workdir = file.path(getwd(), "rserve"),
    encoding = "utf8", config.file = "/dev/null")"""
if os.path.exists("rserve.sock"):
    os.remove("rserve.sock")
rserve = subprocess.Popen(["Rscript", "-e", code])
while not os.path.exists("rserve.sock") and rserve.poll() is None:
    time.sleep(0.1)
asked = []
def heard(message, code=0):
    asked.append(message)
    return 10.0 * message[0]
r = pyRserve.connect(unix_socket="rserve.sock", oobCallback=heard)
import atexit
atexit.register(rserve.terminate)
#!judged
print(r.eval("R.version.string"))
#: python
#!raised
#!judged
#: convert
r.eval("""
    i <- 0:639; j <- 0:783
    noise <- (outer(i * 7919, j * 104729, "+") + outer(i, j) %% 9973 * 31) %% 256
    x <- ((255 * (outer(i %% 10 * 101, j * 37, "+") %% 10 < 3) * 3 + noise) %/% 4) / 255
""", void=True)
#!raised
x, y = r.eval("x"), r.eval("as.integer(i %% 10)")
#!judged
assert abs(x.sum() - r.eval("sum(x)")) < 1e-6, "the numbers changed on their way"
#: call
for code in ("0.1 + 0.2", "42L", "TRUE", "\"na\u00efve\"", "c(1/3, 2/3, 1e300)"):
#!raised
#!judged
    print(code, "came back as", r.eval(code))
#: callback
code = "sum(vapply(0:3, function(epoch) Rserve::self.oobMessage(list(epoch, 1 / (epoch + 1))), 0))"
#!raised
result = r.eval(code)
#!judged
assert result == 60 and len(asked) == 4
#: error
try:
#!raised
#!judged
    r.eval('stop("planted in R")')
    sys.exit("R's error was swallowed")
except pyRserve.rexceptions.REvalError as error:
    print("Python sees:", error)
