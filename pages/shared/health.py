"""The health of a dataset: looked at by the desk while the page goes on, then told, gravest first, with its repairs."""

import uuid
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass

import streamlit as st

from core.data.dataset import Dataset
from core.data.health.finding import SEVERITIES, Finding, HealthReport
from core.data.health.store import read_report
from core.executors.progress import ProgressFile
from core.integrity.checks import CHECKS
from core.integrity.health import LABELS, OUTLIERS
from core.integrity.subject import MOST_EVIDENCE
from core.machine import cores, gpu_here
from core.recipe import Recipe
from core.train.estimate import estimate
from pages.shared import cache, gallery, repair
from pages.shared.words import count, duration, failure, plain

CHECK = "core.integrity.health:check_health"
BY_ITSELF = 2_000  # pictures; fewer are checked without being asked, within some ten seconds
PICTURES_A_SECOND = 180.0  # that are looked at without a network, on two cores
SECONDS = 0.5  # between looks at a check at work
GROUPS_AT_A_TIME, SINGLES_AT_A_TIME = 8, 24  # of evidence
ICONS = {"error": ":red[:material/error:]", "warning": ":orange[:material/warning:]", "note": ":blue[:material/info:]"}
TITLES = {check.name: check.label for check in CHECKS} | {LABELS: "Wrong labels", OUTLIERS: "Strange pictures"}


@dataclass
class Check:
    """A check in the desk process, at work or ended by an error; one that has ended well leaves a report instead."""

    labels: bool
    future: Future
    progress: ProgressFile


def panel(dataset: Dataset) -> dict[str, str]:
    """What is known of the health of a dataset, and the checks that can still be made.

    Gives the names of classes, by the ids of pictures, that a check suggests instead of theirs.
    """
    work = cache.checks().get(dataset.reference)
    over = work is not None and work.future.done() and not work.future.exception()
    report = read_report(cache.workspace(), dataset)  # after that, or it could be the one before
    if over:
        if report is None:  # it cannot be read back; asked for again, it would be made without end
            report = work.future.result()
        else:
            cache.checks().pop(dataset.reference, None)
        work = None
    if work is None and report is None and len(dataset.samples) < BY_ITSELF:
        work = start(dataset, labels=_looked_at_labels_before(dataset))
    suggested = suggestions(report) if report else {}
    with st.container(border=True, key="health"):
        with st.container(
            horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="health_head"
        ):
            if report:
                looked_for = ", ".join(title(name).lower() for name in report.checks)
                st.markdown(headline(report), width="content", help=f"Looked for: {looked_for}.")
            else:
                st.markdown("**Health** · " + ("not looked at yet" if work is None else "being looked at"))
            if work is None:
                _ask(dataset, report)
        if work is not None:
            _at_work(dataset, work)
        if report:
            _findings(dataset, report, suggested)
    return suggested


def _looked_at_labels_before(dataset: Dataset) -> bool:
    """Whether the labels of the revision before were looked at: what a network saw in the pictures is then stored."""
    if dataset.revision == 1:
        return False
    before = read_report(cache.workspace(), cache.dataset(dataset.id, dataset.revision - 1))
    return before is not None and LABELS in before.checks


def headline(report: HealthReport) -> str:
    """A report in one line: that nothing was found, or how much of what gravity."""
    looked = count(len(report.checks), "check")
    if not report.findings:
        return f":green[:material/check_circle: **Nothing wrong found**] &nbsp;:small[:gray[{looked}]]"
    numbers = {kind: sum(one.severity == kind for one in report.findings) for kind in SEVERITIES}
    told = ", ".join(count(number, kind) for kind, number in numbers.items() if number)
    if not numbers["error"] + numbers["warning"]:
        return f":green[:material/check_circle: **Nothing wrong found**], {told} &nbsp;:small[:gray[{looked}]]"
    colour, icon = ("red", "error") if numbers["error"] else ("orange", "warning")
    return f":{colour}[:material/{icon}: **Health: {told}**] &nbsp;:small[:gray[{looked}]]"


def title(check: str) -> str:
    """What a check is called on a page."""
    return TITLES.get(check, check.replace("-", " ").capitalize())


def suggestions(report: HealthReport) -> dict[str, str]:
    """{id: name of a class} of all pictures that a check would call something else."""
    usual = [one.repairs[0] for one in report.findings if one.repairs]
    changes = [change for one in usual for change in one.changes if change.kind == "relabel"]
    return {id: change.to for change in changes for id in change.samples}


# Looking


def start(dataset: Dataset, *, labels: bool) -> Check:
    """Let the desk look at a dataset; whoever opens its page meanwhile waits for the same check."""
    progress = ProgressFile(cache.workspace().cache / "progress" / f"{uuid.uuid4().hex[:12]}.json")
    what = str(cache.workspace().root), dataset.reference
    future = cache.desk().submit(CHECK, *what, labels=labels, report=progress)
    future.add_done_callback(lambda _: progress.forget())
    checks = cache.checks()
    for old in [name for name, one in checks.items() if one.future.done()]:
        checks.pop(old, None)
    checks[dataset.reference] = Check(labels, future, progress)
    return checks[dataset.reference]


def expected(dataset: Dataset, *, labels: bool) -> str:
    """About how long a check takes, in words; "" where nobody knows, as on a GPU."""
    pictures = len(dataset.samples)
    seconds: float | None = pictures / PICTURES_A_SECOND
    if labels:  # what a head on the default network costs that learns for one epoch: a look at every picture
        once = Recipe().set({"phases.0.epochs": 1, "augment.policy": "none"})
        rates = cache.seen_rates()
        cost = estimate(once, len(dataset.classes), {"train": pictures}, cores(), rates, gpu=gpu_here())
        seconds = cost.seconds
    if seconds is None:
        return ""
    rounded = max(5, 5 * round(seconds / 5)) if seconds < 60 else 60 * round(seconds / 60)
    return f" (about {duration(rounded).removesuffix(' 00 s')})"


def _ask(dataset: Dataset, report: HealthReport | None) -> None:
    if report is None:
        told = f"Check these images{expected(dataset, labels=False)}"
        if st.button(told, key="check_health", type="primary", icon=":material/health_and_safety:"):
            start(dataset, labels=False)
            st.rerun()
    elif LABELS not in report.checks:
        masks = dataset.task == "segmentation"
        what = "Find strange pictures" if masks else "Find wrong labels"
        helps = (
            "Every picture goes through a pretrained network once. Pictures whose label does not fit what they show "
            "and pictures unlike all others come out, and a map of all pictures is drawn. Training on a frozen "
            "network uses the same features again."
        )
        label = f"{what}{expected(dataset, labels=True)}"
        if st.button(label, key="check_labels", icon=":material/scatter_plot:", help=helps):
            start(dataset, labels=True)
            st.rerun()


def _at_work(dataset: Dataset, work: Check) -> None:
    if not work.future.done():
        _watch(dataset, work.labels)
        return
    error = work.future.exception()
    # Whatever it is: that a check cannot be made is no reason not to show the data.
    told = failure(error)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f":orange[:material/warning:] {told}", width="stretch")
        if st.button("Check again", key="check_again", icon=":material/refresh:"):
            start(dataset, labels=work.labels)
            st.rerun()


@st.fragment(run_every=SECONDS)
def _watch(dataset: Dataset, labels: bool) -> None:
    work = cache.checks().get(dataset.reference)
    if work is None or work.future.done():
        st.rerun()
    now = work.progress.read()
    told = "Looking for wrong labels" if labels else "Checking these images"
    told += f": {now.fraction:.0%}" if now else ": getting ready"
    if now and now.left is not None:
        told += f", about {duration(now.left)} left"
    with st.container(horizontal=True, vertical_alignment="center", key="check_bar"):
        st.progress(now.fraction if now else 0.0, told)
        if st.button("Cancel", key="cancel_check", disabled=work.progress.cancelled):
            work.progress.cancel()
            st.rerun(scope="fragment")


# What was found


def _findings(dataset: Dataset, report: HealthReport, suggested: Mapping[str, str]) -> None:
    with st.container(key="findings", gap="xsmall"):
        for place, finding in enumerate(report.findings):
            told = f"{ICONS[finding.severity]} **{title(finding.check)}** · {plain(finding.message)}"
            folded = st.expander(told, key=f"finding_{dataset.reference}_{finding.check}_{place}", on_change="rerun")
            if folded.open:
                with folded:
                    _finding(dataset, finding, f"finding_{place}", suggested)


def _finding(dataset: Dataset, finding: Finding, key: str, suggested: Mapping[str, str]) -> None:
    st.markdown(f"**{plain(finding.message)}**  \n{plain(finding.advice)}")
    if finding.repairs:
        with st.container(horizontal=True, key=f"{key}_repairs"):
            for place, way in enumerate(finding.repairs):
                told = plain(" ".join(change.sentence for change in way.changes), 400)
                if st.button(
                    plain(way.label, 60),
                    key=f"{key}_repair_{place}",
                    icon=None if place else ":material/build:",
                    help=f"{told} This makes revision {dataset.revision + 1}; you can always go back.",
                ):
                    repair.mend(dataset, way.changes)
    _evidence(dataset, finding, key, suggested)
    if len(finding.evidence) == MOST_EVIDENCE and finding.check not in (LABELS, OUTLIERS):
        more = "; a repair above mends all of them" if finding.repairs else ""
        st.caption(f"No more than {MOST_EVIDENCE} are shown here{more}.")


def _evidence(dataset: Dataset, finding: Finding, key: str, suggested: Mapping[str, str]) -> None:
    if not finding.evidence:
        if finding.files:
            st.dataframe([{"file": name} for name in finding.files], hide_index=True, key=f"{key}_files")
        return
    if all(len(group) == 1 for group in finding.evidence):
        ids = [group[0] for group in finding.evidence]
        slot = st.container()
        with st.container(horizontal=True, vertical_alignment="center"):
            ticking = {"icon": ":material/check_box:", "on_click": repair.tick, "args": (dataset, ids)}
            st.button("Tick all", key=f"{key}_tick", type="tertiary", **ticking)
            window = gallery.paged(len(ids), f"{key}_page")
        with slot:
            _sheet(dataset, ids[window], key, suggested)
        return
    slot = st.container()
    window = gallery.paged(len(finding.evidence), f"{key}_page", GROUPS_AT_A_TIME)
    with slot, st.grid("auto", min_column_width=260, gap="small"):
        for place, group in enumerate(finding.evidence[window]):
            with st.container(border=True, key=f"{key}_group_{place}"):
                _sheet(dataset, group[:SINGLES_AT_A_TIME], f"{key}_{place}", suggested, splits=True)


def _sheet(
    dataset: Dataset, ids: tuple[str, ...] | list[str], key: str, suggested: Mapping[str, str], *, splits: bool = False
) -> None:
    samples = repair.names_of(dataset, ids)
    captions = {}
    for sample in samples:
        captions[sample.id] = repair.told_of(dataset, sample, suggested)
        if splits:
            captions[sample.id] += f" · {sample.split}"
    repair.sheet(dataset, samples, key, captions=captions, width=84)
