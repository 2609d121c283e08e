"""The probe ``transfer``: values by the million cross both ways, unharmed and timed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from harness.model.cell import Axes
from harness.model.environment import Provisioned
from harness.model.record import ProbeRecord, Stage
from harness.model.status import Phase
from harness.probes.base import Event, Verdict, check_stages, judged, refusal
from harness.probes.init import check_languages

KINDS: Final = ("doubles", "integers", "strings", "frame")
LABELS: Final[Mapping[int, str]] = {
    1: "1",
    10**3: "1e3",
    10**4: "1e4",
    10**5: "1e5",
    10**6: "1e6",
    10**7: "1e7",
}
"""What the name of a stage has for a number of values, or of rows: ``doubles_to_r_1e6``."""
BYTES: Final[Mapping[str, int]] = {"doubles": 8, "integers": 4, "strings": 8, "frame": 20}
"""Bytes of a value, or of a row."""
DIRECTIONS: Final = ("to_python", "to_r")
HASHES: Final[Mapping[str, Mapping[int, str]]] = {
    "doubles": {
        1: "7dea362b3fac8e00956a4952a3d4f474",
        10**3: "e3dab6ba181aedb60d9b9a9dcdb0ec73",
        10**4: "cce1b917132b358f85b95ed4ecfbfdbe",
        10**5: "3ca2aed306bd6febde0b27a8f0edc973",
        10**6: "d2c03ced650589153bd510529ec0dfec",
        10**7: "12dce66553214e5dcc60bd1da86eba5f",
    },
    "integers": {
        1: "54011d86cd75472dee930b3ea12998d2",
        10**3: "67dad5fb7ad348f63420ab5557adf245",
        10**4: "b2ca46e61638d1c4292c600d44d8a625",
        10**5: "5f2607b789e15befe7cf872c3853ae62",
        10**6: "9109f745829ca118cb5ad6d2621a82cf",
        10**7: "0b20434950bbd9085fc77cd5b43305a8",
    },
    "strings": {
        1: "0309a4d136abcf402c6fa3b7f8253165",
        10**3: "3b8d12a27f4a22defe606e19488095c5",
        10**4: "9612e8aa8749657c3d8f20e1559689ba",
        10**5: "35458a71498a7b8570704ec436b9bbd5",
        10**6: "9ccce67416e7325aaffffe5c5c608260",
    },
    "frame": {
        1: "2623bf84f079ede90ee477fca8b58674",
        10**3: "55caee587164750c2e8724317e8c684d",
        10**4: "4d3361f79bb3ea7a9e006ddcc9d9e7e9",
        10**5: "149f14fc0476353987ece50fe137fb89",
        10**6: "398ac48fe7488c0390ee59e5316fa6ef",
    },
}
"""MD5 of the values that the protocol describes, so that the side that makes them is held to it."""
_MB: Final = 1e6
_SHOWS: Final = 40 * 10**6
"""Bytes from which on the growth of the memory tells how often values were copied."""


class Transfer:
    """Doubles, integers, texts and a data frame, from one value to ten million."""

    name = "transfer"
    stages: tuple[str, ...] = ()
    """By what the path can carry: ``{kind}_{direction}_{size}``, see :func:`stage_name`."""

    def judge(
        self,
        events: Sequence[Event],
        *,
        axes: Axes,
        provisioned: Provisioned,
        control: ProbeRecord | None = None,
        variant: str | None = None,
    ) -> ProbeRecord:
        """Want the same hash where the values were made, where they arrived, and back again.

        To the details it adds, for each kind and size, ``mb_per_s`` both ways and ``copies``,
        how many times the values' own size the memory of all processes grew by (``None`` where
        that was not looked at, or is too little to tell); and as ``unsupported`` the kinds that
        the path cannot carry.
        """

        def oracle(details: dict[str, Any], timed: tuple[Stage, ...]) -> None:
            check_languages(events, axes, provisioned)
            kinds = details.get("kinds")
            if not isinstance(kinds, Mapping):
                raise Verdict(Phase.CONVERT, "the driver did not say what crossed")
            refused = {
                kind: reason for kind in KINDS if (reason := refusal(kinds.get(kind))) is not None
            }
            if len(refused) == len(KINDS):
                raise Verdict(Phase.CONVERT, f"nothing crossed at all: {refused[KINDS[0]]}")
            if refused:
                details["unsupported"] = refused
            stages = {stage.name: stage for stage in timed}
            for kind in KINDS:
                if kind not in refused:
                    _check_kind(kind, kinds.get(kind), stages)

        return judged(self.name, events, variant=variant, control=control, oracle=oracle)


def stage_name(kind: str, direction: str, n: int) -> str:
    """Return the stage of ``n`` values of a kind in one direction: ``doubles_to_r_1e6``."""
    return f"{kind}_{direction}_{LABELS[n]}"


def _check_kind(kind: str, seen: object, timed: Mapping[str, Stage]) -> None:
    sizes = seen.get("sizes") if isinstance(seen, Mapping) else None
    error = seen.get("error") if isinstance(seen, Mapping) else None
    if error is not None:
        done = f" after {len(sizes)} smaller ones" if isinstance(sizes, list) and sizes else ""
        raise Verdict(Phase.CONVERT, f"{kind} did not cross{done}: {error}")
    if not isinstance(sizes, list) or not sizes:
        raise Verdict(Phase.CONVERT, f"the driver did not say whether {kind} crossed")
    for size in sizes:
        n = size.get("n") if isinstance(size, Mapping) else None
        if not isinstance(n, int | float) or n not in LABELS:
            raise Verdict(Phase.CONVERT, f"{kind} crossed in a number that is none: {n!r}")
        _check_size(kind, int(n), size)
        names = [stage_name(kind, direction, int(n)) for direction in DIRECTIONS]
        check_stages(timed.values(), names, Phase.CONVERT)
        _add_figures(size, [timed[name] for name in names], BYTES[kind] * int(n))


def _check_size(kind: str, n: int, size: Mapping[str, Any]) -> None:
    made, arrived, returned = (size.get(key) for key in ("made", "arrived", "returned"))
    if made != HASHES[kind].get(n):
        raise Verdict(
            Phase.CONVERT,
            f"{n} {kind} were made wrongly: their MD5 is {made}, not {HASHES[kind].get(n)}",
        )
    if arrived != made:
        raise Verdict(
            Phase.CONVERT, f"{n} {kind} changed on their way: made as {made}, arrived as {arrived}"
        )
    if returned != made:
        raise Verdict(
            Phase.CONVERT, f"{n} {kind} changed on their way back: {made} became {returned}"
        )


def _add_figures(size: Mapping[str, Any], timed: Sequence[Stage], payload: int) -> None:
    if not isinstance(size, dict):
        return
    size["mb_per_s"] = {
        direction: round(payload * stage.n / stage.wall_s / _MB, 3) if stage.wall_s > 0 else None
        for direction, stage in zip(DIRECTIONS, timed, strict=True)
    }
    grown = size.get("grown_mb")
    size["copies"] = {
        direction: _copies(grown.get(direction) if isinstance(grown, Mapping) else None, payload)
        for direction in DIRECTIONS
    }


def _copies(grown: object, payload: int) -> float | None:
    """Return the growth of all processes over the payload; MiB over bytes."""
    if not isinstance(grown, Mapping):
        return None
    if payload < _SHOWS:
        # Memory that was free already takes that much without growing.
        return None
    known = [mb for mb in grown.values() if isinstance(mb, int | float)]
    return round(sum(known) * 2**20 / payload, 2) if known else None


PROBE = Transfer()
