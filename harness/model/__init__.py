"""The frozen types that the parts hand to each other.

``matrix -> resolve -> plan -> provision -> execute -> journal -> results -> report``: each
arrow hands over one type of this package, and no part imports another.  Only
``harness.workflow`` and ``harness.cli`` see more than one of them.
"""
