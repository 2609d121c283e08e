#: start
# @{title}
import os
import sys
os.environ.setdefault("RPY2_CFFI_MODE", "@{mode}")
print("Python", sys.version)
#: start ?backend
os.environ["KERAS_BACKEND"] = "@{backend}"
#: bridge
#!raised
import rpy2.rinterface as ri
ri.initr()
r = lambda code: ri.baseenv["eval"](ri.parse(code), ri.globalenv)
#!judged
print(r("R.version.string")[0])
#: python
#!raised
#!judged
#: convert
x, y = r("""local({
    i <- 0:639; j <- 0:783
    noise <- (outer(i * 7919, j * 104729, "+") + outer(i, j) %% 9973 * 31) %% 256
    x <- ((255 * (outer(i %% 10 * 101, j * 37, "+") %% 10 < 3) * 3 + noise) %/% 4) / 255
    list(x, array(as.integer(i %% 10)))
})""")
#!raised
from rpy2 import robjects
from rpy2.robjects import numpy2ri
from rpy2.robjects.conversion import localconverter
sent = list(x)
with localconverter(robjects.default_converter + numpy2ri.converter) as converter:
    x, y = converter.rpy2py(x), converter.rpy2py(y)
#!judged
assert x.ravel(order="F").tolist() == sent, "the numbers changed on their way"
#: call
echo = r("function(value) value")
vectors = [ri.FloatSexpVector([0.1 + 0.2]), ri.IntSexpVector([42]), ri.BoolSexpVector([True]),
           ri.StrSexpVector(["na\u00efve 'q\"uote'"]), ri.FloatSexpVector([1 / 3, 2 / 3, 1e300])]
for vector in vectors:
#!raised
    sent, got = list(vector), list(echo(vector))
    print("sent", sent, "and got", got)
#!judged
    assert got == sent
#: callback
def heard(epoch, loss):
    print("Python hears of epoch", epoch[0], "with loss", loss[0])
    return ri.FloatSexpVector([10.0 * epoch[0]])
train = r("function(heard) sum(vapply(0:3, function(epoch) heard(epoch, 1 / (epoch + 1)), 0))")
#!raised
result = train(ri.rternalize(heard@{unsigned}))[0]
#!judged
assert result == 60
#: callback ?keras
import numpy as np
through = r("function(heard, epoch, loss) heard(epoch, loss)")
function = ri.rternalize(heard@{unsigned})
model = keras.Sequential([keras.Input(shape=(2,)), keras.layers.Dense(1)])
model.compile(optimizer="sgd", loss="mse")
told = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: through(
    function, ri.IntSexpVector([epoch]), ri.FloatSexpVector([logs["loss"]])))
model.fit(np.ones((8, 2)), np.ones(8), epochs=4, verbose=0, callbacks=[told])
#: error
def fails():
    raise ValueError("planted in Python")
catch = r("function(fails) tryCatch({ fails(); NULL }, error = conditionMessage)")
#!raised
message = catch(ri.rternalize(fails@{unsigned}))
#!judged
if message == ri.NULL:
    sys.exit("Python's exception was swallowed: the call returned as if nothing had happened")
print("R sees:", message[0])
try:
    r('function() stop("planted in R")')()
    sys.exit("R's error was swallowed: the call returned as if nothing had happened")
except ri.embedded.RRuntimeError as error:
    print("Python sees:", error)
#: upstream
import subprocess
#!raised
#!judged
options = ["-p", "no:cacheprovider", "-o", "consider_namespace_packages=true"]
command = [sys.executable, "-m", "pytest", "--pyargs", "@{tests}", *options]
sys.exit(subprocess.call(command))
