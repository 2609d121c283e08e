"""JUnit XML: one suite a cell, one test case a probe, for CI systems that read nothing else.

The form that Jenkins, GitLab and Azure agree on: ``testsuites`` > ``testsuite`` > ``testcase``
with at most one of ``failure``, ``error`` and ``skipped``.
"""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree as ET

from harness.model.document import Results
from harness.model.record import CellRecord, ProbeRecord
from harness.model.status import Status
from harness.report.base import DEFAULTS, Options
from harness.report.view import ordered, reason
from harness.text import clean

_ELEMENTS: Final = {
    Status.FAIL: "failure",
    Status.CRASH: "error",
    Status.TIMEOUT: "error",
    Status.OOM: "error",
    # Planned and never run: a skip would be green.
    Status.MISSING: "error",
    Status.UNSATISFIABLE: "skipped",
    Status.UNAVAILABLE: "skipped",
    Status.UNSUPPORTED: "skipped",
    Status.SKIPPED: "skipped",
}
_WHOLE: Final = "cell"
"""The test case of what no probe is to blame for: a process that broke down, or never began."""
_COUNTED: Final = {"failure": "failures", "error": "errors", "skipped": "skipped"}
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _JUnit:
    name = "junit"

    def render(self, results: Results, *, options: Options = DEFAULTS) -> str:
        """Return the XML; times are seconds."""
        suites = [_suite(record, options) for record in ordered(results)]
        root = ET.Element("testsuites", name=_text(results.matrix))
        for key in ("tests", *_COUNTED.values()):
            root.set(key, str(sum(int(suite.get(key, "0")) for suite in suites)))
        root.set("time", f"{sum(record.wall_s for record in results.cells):.3f}")
        root.extend(suites)
        ET.indent(root)
        # In ASCII, so that no reader can take it for another encoding.
        text: str = ET.tostring(root, encoding="us-ascii", xml_declaration=True).decode()
        return text + "\n"


def _suite(record: CellRecord, options: Options) -> ET.Element:
    suite = ET.Element("testsuite", name=_text(record.id))
    cases = [_case(record, probe) for probe in record.probes]
    # A probe that the path cannot do tells nothing of a process that crashed at its end.
    told = any(_element(probe.status) == _element(record.status) for probe in record.probes)
    # The cell is worse than its probes, or has none.
    if not cases or (not told and record.status is not Status.PASS):
        cases.append(_of_cell(record))
    suite.set("tests", str(len(cases)))
    for element, key in _COUNTED.items():
        suite.set(key, str(sum(case.find(element) is not None for case in cases)))
    suite.set("time", f"{record.wall_s:.3f}")
    if record.started_at:
        # JUnit's times have no zone: UTC.
        suite.set("timestamp", record.started_at[:19])
    properties = ET.SubElement(suite, "properties")
    values = {**record.axes, "status": record.status.value, "cause": record.cause}
    for name, value in values.items():
        if value is not None:
            ET.SubElement(properties, "property", name=_text(name), value=_text(value))
    suite.extend(cases)
    if record.probes or record.evidence:
        ET.SubElement(suite, "system-out").text = _text(f"logs: {options.logs}/{record.id}")
    return suite


def _case(record: CellRecord, probe: ProbeRecord) -> ET.Element:
    name = probe.name + (f"[{probe.variant}]" if probe.variant else "")
    name += "[cold]" if probe.cold else ""
    case = ET.Element("testcase", classname=_text(record.id), name=_text(name))
    case.set("time", f"{sum(stage.wall_s for stage in probe.stages):.6f}")
    message = probe.message or probe.status.value
    phase = None if probe.phase is None else probe.phase.value
    _outcome(case, probe.status, message, phase, record)
    return case


def _of_cell(record: CellRecord) -> ET.Element:
    case = ET.Element("testcase", classname=_text(record.id), name=_WHOLE)
    case.set("time", f"{record.wall_s:.6f}")
    phase = None if record.phase is None else record.phase.value
    _outcome(case, record.status, reason(record), phase, record)
    return case


def _outcome(
    case: ET.Element, status: Status, message: str, phase: str | None, record: CellRecord
) -> None:
    element = _element(status)
    if element is None:
        return
    at = f" at {phase}" if phase else ""
    found = ET.SubElement(case, element, message=_text(f"{status.value}{at}: {message}"))
    if element != "skipped":
        found.set("type", _text(record.cause or status.value))
        found.text = _text("\n\n".join(record.evidence.values()) or message)


def _element(status: Status) -> str | None:
    return _ELEMENTS.get(status)


def _text(value: str) -> str:
    """Return a text without what XML cannot hold, however it is escaped."""
    return _NOT_XML.sub("", clean(value))


REPORT = _JUnit()
