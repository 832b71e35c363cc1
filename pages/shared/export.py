"""Take a trained model along: as ONNX, as weights with a model card, as a script that trains it without Fovea."""

import streamlit as st

from core.errors import Cancelled
from core.predict.export.kept import FORMATS, Format, kept_file, read_kept
from core.runs.run import RunState
from core.runs.store import Run
from pages.shared import atwork, cache
from pages.shared.cached.export import at_work
from pages.shared.words import failure, plain, size

WORK = "core.predict.export.exporting:keep_export"
LARGEST = 500_000_000  # bytes that a browser is given: they pass through the memory of the server
ENDINGS = {"onnx": ".onnx", "zip": " model.zip", "script": " script.zip"}  # of a download's name, behind the run's


def panel(run: Run) -> None:
    """The end of a page about one run: every format, with what was said of its file and a way to have it."""
    folded = st.expander(
        "Export: take the model with you", icon=":material/ios_share:", key=f"export_{run.id}", on_change="rerun"
    )
    if not folded.open:
        return
    with folded:
        for place, one in enumerate(FORMATS):
            if place:
                st.divider()
            _offer(run, one)


def _offer(run: Run, one: Format) -> None:
    """One format: what it is, and its file or a button that makes it."""
    told, action = st.columns([3, 1], gap="medium", vertical_alignment="center")
    told.markdown(f"**{one.label}**  \n:small[{one.sentence}]")
    work, problem = at_work().get((run.id, one.name)), _problem(run, one)
    kept = read_kept(run.paths, one.name)
    if work is not None and work.done:
        problem = _ended(work) or problem  # told until it is asked for again
        work = None
    if work is not None:
        with told:
            _wait(run, one, work)
    if kept is not None and work is None:
        told.caption(plain(kept["sentence"]))
        _download(run, one, kept, action)
    if problem:
        told.caption(f":material/block: {problem}")
    action.button(
        "Make it" if kept is None else "Make it again",
        key=f"export_make_{one.name}_{run.id}",
        icon=":material/build:",
        disabled=work is not None,
        on_click=_begin,
        args=(run, one),
        width="stretch",
    )


def _begin(run: Run, one: Format) -> None:
    before = at_work().get((run.id, one.name))
    if before is None or before.done:
        root = str(cache.workspace().root)
        at_work()[run.id, one.name] = atwork.begin(one.label, WORK, root, run.id, one.name, unit="picture")


def _ended(work: atwork.AtWork) -> str:
    """What went wrong with work that is over; nothing where nothing did."""
    try:
        work.result()
    except Cancelled:
        return "Cancelled; nothing of it was kept."
    except Exception as error:  # whatever it is, it can be asked for again, and the other formats stand
        return failure(error)
    return ""


def _wait(run: Run, one: Format, work: atwork.AtWork) -> None:
    @st.fragment(run_every=atwork.SECONDS)
    def tick() -> None:
        if work.done:
            st.rerun()
        atwork.bar(work, f"export_{one.name}_{run.id}")

    tick()


def _download(run: Run, one: Format, kept: dict, action: st.delta_generator.DeltaGenerator) -> None:
    file = kept_file(run.paths, one.name)
    if kept["bytes"] > LARGEST:
        action.caption(f"{size(kept['bytes'])}, too much for a browser. It lies in the folder of the run.")
        return
    action.download_button(
        f"Download · {size(kept['bytes'])}",
        file.read_bytes,  # read only when somebody asks for it
        run.id + ENDINGS[one.name],
        one.mime,
        key=f"export_download_{one.name}_{run.id}",
        icon=":material/download:",
        type="primary",
        on_click="ignore",
        width="stretch",
    )


def _problem(run: Run, one: Format) -> str:
    """What a person should know before it is made; nothing where nothing is in its way."""
    if one.name == "script" and run.status.state is not RunState.FINISHED:
        return "Only a finished run can be said as a script: it trains all epochs of the recipe."
    return ""
