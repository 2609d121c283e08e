#: start
# Called by repro.R.
#: convert
import numpy as np
#!raised
#!judged
x = np.fromfile("x.bin").reshape((640, 784), order="F")
y = np.fromfile("y.bin", dtype="int32")
#: call
with open("sent.txt") as sent, open("got.txt", "w") as got:
#!raised
#!judged
    got.writelines(repr(float(line)) + "\n" for line in sent)
#: error
#!raised
#!judged
raise ValueError("planted in Python")
#: callback
