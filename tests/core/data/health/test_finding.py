"""Findings travel as plain data between processes and in files."""

import json

from core.data.dataset import Change
from core.data.health.finding import Finding, HealthReport, Repair


def test_a_report_is_the_same_after_a_round_trip_through_json():
    repair = Repair("Leave out the copies", (Change("exclude", ("000002", "000005"), why="copies."),))
    finding = Finding(
        "near-duplicates",
        "warning",
        "2 pictures look nearly the same.",
        "Leave all but one out.",
        (("000001", "000002"), ("000004", "000005")),
        ("a/1.jpg", "a/2.jpg", "b/4.jpg", "b/5.jpg"),
        {"pairs": 2},
        (repair,),
    )
    report = HealthReport("cells-1a2b", 2, "0123", ("near-duplicates", "balance"), (finding,), 1.5)
    assert HealthReport.from_json(json.loads(json.dumps(report.to_json()))) == report
