"""Runs one cell's process tree, watches over it, and says how it ended.

``sandbox.run`` is the way in.  Around it, one module for each thing that may change alone:

========================  ==================================================================
``isolation``             what this machine can do: bubblewrap's namespaces, or not, and why
``mounts``                which folders a cell sees where, as bubblewrap's options
``enclosure``             what a started process tree is to the sandbox, however it is held
``bubblewrap``            a process tree held in namespaces
``fallback``              the same held by ``supervisor``, where there are no namespaces
``tree``                  processes and their memory, read from ``/proc``
``capture``               bounded head and tail of the output
``limits``                time for each phase, memory of the tree
``events``                tolerant reading of what the child wrote
``ending``                exit codes and signals made an ``Outcome``
``classify``              an ``Outcome`` and its events made a status
``environment``           the variables that a cell is given
========================  ==================================================================
"""
