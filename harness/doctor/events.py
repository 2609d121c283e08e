"""What a child said of itself, in order, as one value."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.causes.model import Fact
from harness.doctor.child import Ended
from harness.doctor.model import LAYERS, ORDER, Layer, State


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """The layer that ended a child, and what was said of it.

    ``told`` where the child itself said so, and then ended in order.  ``traceback`` is Python's,
    ``calls`` are R's, outermost first.
    """

    layer: str
    state: State
    told: bool = False
    message: str = ""
    calls: str = ""
    traceback: str = ""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A child's account."""

    layers: tuple[Layer, ...]
    facts: dict[str, Fact]
    events: dict[str, tuple[dict[str, Any], ...]]
    failure: Failure | None
    ended: Ended

    def last(self, event: str) -> dict[str, Any]:
        """Return the last event of a name; empty where there is none."""
        found = self.events.get(event, ())
        return found[-1] if found else {}


def account(path: str, ended: Ended, *, frameworks: bool = True) -> Account:
    """Read a child's events: which layers it reached, and where and how it ended.

    ``frameworks`` is false where no framework was to be looked at.
    """
    events: dict[str, list[dict[str, Any]]] = {}
    facts: dict[str, Fact] = {}
    states: dict[str, dict[str, dict[str, Any]]] = {}
    for event in ended.events:
        name = str(event.get("event"))
        events.setdefault(name, []).append(event)
        if name == "facts":
            facts |= _facts(event)
        elif name == "layer":
            states.setdefault(str(event["name"]), {})[str(event["state"])] = event
    # A script may end R by itself, and end it well.
    quits = "script" in states and ended.code == 0 and not ended.hung
    done = bool(events.get("done")) or quits
    names = [name for name in ORDER[path] if frameworks or name in states or _always(name)]
    layers: list[Layer] = []
    failure: Failure | None = None
    for at, name in enumerate(names):
        # What a child went past without a word is not what ended it.
        passed = name not in states and any(later in states for later in names[at + 1 :])
        failed = None
        if failure is None and not passed:
            failed = _failed(name, states, ended, done=done)
        failure = failure or failed
        layers.append(_layer(name, states.get(name, {}), failed, done=done))
    return Account(
        layers=tuple(layers),
        facts=facts,
        events={name: tuple(found) for name, found in events.items()},
        failure=failure,
        ended=ended,
    )


def _always(name: str) -> bool:
    return name not in {"framework", "device", "op", "train"}


def _facts(event: dict[str, Any]) -> dict[str, Fact]:
    given = event.get("facts") or {}
    return {
        str(name): tuple(map(str, value)) if isinstance(value, list) else value
        for name, value in given.items()
        if value is not None and value != "unknown"
    }


def _failed(
    name: str, states: dict[str, dict[str, dict[str, Any]]], ended: Ended, *, done: bool
) -> Failure | None:
    """Return the failure where this layer is the one that ended the child."""
    mine = states.get(name, {})
    how = State.HUNG if ended.hung else State.CRASHED if ended.signal else State.FAILED
    if "failed" in mine:
        event = mine["failed"]
        python = event.get("python") or {}
        return Failure(
            layer=name,
            state=State.FAILED,
            told=True,
            message=str(event.get("message") or ""),
            calls=str(event.get("calls") or ""),
            traceback=str(python.get("traceback") or event.get("traceback") or ""),
        )
    if "ok" in mine or (done and name != "end"):
        return None
    if name == "end":
        whole = ended.code == 0 and not ended.hung
        return None if done and whole else Failure(layer=name, state=how, message=_how(ended))
    # Begun and not ended, or never begun although those before it ended.
    return Failure(layer=name, state=how, message=_how(ended))


def _how(ended: Ended) -> str:
    if ended.hung:
        waiting = f", waiting for: {ended.waiting}" if ended.waiting else ""
        return f"nothing happened any more, and it was ended after {ended.wall_s:.0f} s{waiting}"
    if ended.signal:
        return f"the process was ended by {ended.signal}"
    return f"the process ended with status {ended.code}"


def _layer(
    name: str, mine: dict[str, dict[str, Any]], failed: Failure | None, *, done: bool
) -> Layer:
    kind = LAYERS[name]
    state = State.NOT_REACHED
    said = ""
    wall = None
    if failed is not None:
        state, said = failed.state, failed.message
    elif "ok" in mine:
        state, said = State.OK, str(mine["ok"].get("value") or "")
        if "begin" in mine:
            wall = max(0.0, float(mine["ok"]["at"]) - float(mine["begin"]["at"]))
    elif name in {"script", "end"} and done:
        state = State.OK
    return Layer(name=name, title=kind.title, phase=kind.phase, state=state, said=said, wall_s=wall)
