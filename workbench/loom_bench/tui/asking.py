"""What needs an answer from the user before the session is asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from loom_bench.session.claim import others_on, told_of_others
from loom_bench.session.value import Phase, SessionValue
from loom_bench.tui.dialogs.choosing import Choice, ChoiceDialog
from loom_bench.tui.dialogs.confirming import TypedConfirmation
from loom_bench.tui.dialogs.quitting import QuittingDialog
from loom_bench.tui.dialogs.state_conflict import Decision, StateConflictDialog
from loom_bench.tui.edited_text import edited_text
from loom_bench.tui.hand_record import parse, template
from loom_bench.tui.ink import Ink, Line, plain

if TYPE_CHECKING:
    from loom_bench.tui.app import WorkbenchApp

_MAX_FLOWS_OFFERED = 200

_BROKERS = (
    Choice("auto", "auto", "Docker when its engine answers, else embedded"),
    Choice("embedded", "embedded", "a broker of our own, here and now"),
    Choice("docker", "docker", "Kafka in a container of our own"),
)
_OWN_BROKERS = frozenset(choice.answer for choice in _BROKERS)
_KEEP = Choice("keep", "keep this one", "calls off what is being opened")

ENDED = (Phase.STOPPED, Phase.FAILED, Phase.OPENING, Phase.LOADING)
"""Phases in which nothing has to be drained."""


def decide(app: WorkbenchApp) -> None:
    """Ask what becomes of state that does not fit."""
    conflict = app.session.value().conflict
    if conflict is None:
        return

    def answered(decision: Decision | None) -> None:
        if decision is not None:
            app.session.decide(dict(decision.mapping), decision.empty, keep_old=decision.keep_old)

    app.push_screen(StateConflictDialog(conflict), answered)


def switch_broker(app: WorkbenchApp) -> None:
    """Ask for another broker; one that is not ours needs its address typed once more."""
    value = app.session.value()
    broker = value.broker
    told = (plain(f"Now: {broker.kind or 'none'} {broker.bootstrap}"), plain(broker.opening))
    opening = broker.opening and broker.state == "ready"
    brokers = (_KEEP, *_BROKERS) if opening else _BROKERS

    def answered(choice: str | None) -> None:
        if choice == _KEEP.answer:
            app.session.switch_broker(None)
        elif choice in _OWN_BROKERS:
            app.session.switch_broker(choice)
        elif choice is not None:
            confirm(choice)

    def confirm(address: str) -> None:
        warning = (
            (("The bench did not start this broker.", Ink.WARN),),
            plain("The flow reads its topics, writes its output and errors to it,"),
            plain("and commits the offsets of its consumer group."),
            *_told_of_sharing(value.target),
        )

        def confirmed(sure: bool | None) -> None:
            if sure:
                app.session.switch_broker(address)

        app.push_screen(TypedConfirmation("a broker of yours", warning, address), confirmed)

    app.push_screen(ChoiceDialog("switch broker", told, brokers, "or HOST:PORT"), answered)


def allow_writes(app: WorkbenchApp) -> None:
    """Have the address of a broker that is not ours typed before anything is written there."""
    address = app.session.value().broker.bootstrap
    warning = (
        (("The bench did not start this broker.", Ink.WARN),),
        plain("Topics of the flow that are missing are created there,"),
        plain("and bench_feed() is written into its source topic."),
    )

    def confirmed(sure: bool | None) -> None:
        if sure:
            app.session.allow_writes(address)

    app.push_screen(TypedConfirmation("write to a broker of yours", warning, address), confirmed)


def open_flow(app: WorkbenchApp) -> None:
    """Ask for another flow: one of the modules beside this one, or any path."""
    target = app.session.value().target
    beside = flows_beside(target)
    told = (
        plain("This flow drains first, everything committed."),
        () if beside else (("There is no other module beside it.", Ink.DIM),),
    )
    dialog = ChoiceDialog("open a flow", told, beside, "FILE.py or FILE.py:FLOW")

    def answered(choice: str | None) -> None:
        if choice is not None:
            _open_beside_others(app, choice)

    app.push_screen(dialog, answered)


def _open_beside_others(app: WorkbenchApp, target: str) -> None:
    """Open *target*; where it would share a broker with another bench, ask how first."""
    broker = app.session.value().broker
    sharing = () if broker.owned else _told_of_sharing(target)
    if not sharing:
        app.session.open_flow(target)
        return
    choices = (
        Choice("beside", "beside it", "on an embedded broker, with state of its own"),
        Choice("look", "to look at only", "its graph and its failures; nothing runs here"),
        Choice("share", "all the same", f"on {broker.bootstrap}"),
    )

    def answered(choice: str | None) -> None:
        if choice == "beside":
            app.session.open_flow(target, "embedded")
        elif choice == "look":
            app.session.open_flow(target, look_only=True)
        elif choice == "share":
            app.session.open_flow(target)

    app.push_screen(ChoiceDialog("open in another bench", sharing, choices, None), answered)


def _told_of_sharing(target: str) -> tuple[Line, ...]:
    """Return who else has the flow open, and what sharing a broker means; nothing for nobody."""
    others = others_on(target)
    if not others:
        return ()
    return (
        ((told_of_others(others), Ink.WARN),),
        plain("On one broker both would read every record, write every output"),
        plain("and commit the same offsets."),
    )


def flows_beside(target: str) -> tuple[Choice, ...]:
    """Return the Python modules in the folder of *target*, itself left out."""
    try:
        file = Path(target.partition(":")[0])
        beside = sorted(
            path
            for path in file.parent.glob("*.py")
            if path != file and not path.name.startswith("_")
        )
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return ()
    return tuple(
        Choice(str(path), path.name, str(path.parent)) for path in beside[:_MAX_FLOWS_OFFERED]
    )


def feed_record(app: WorkbenchApp) -> None:
    """Let the user write a record in the editor, and feed it."""
    try:
        text = edited_text(app, template(app.session.value()), "record")
        if text is None:
            return
        record = parse(text)
    except (OSError, ValueError) as failure:
        app.tell(f"Nothing was fed: {failure}.", "error")
    else:
        if record is None:
            app.tell("Nothing was fed: there was no value.")
        else:
            app.session.feed_record(record.key, record.value)


def quit_drained(app: WorkbenchApp) -> None:
    """Drain, and leave when that is done."""
    if not has_ended(app.session.value()):
        app.session.drain()
    app.leaving = True

    def answered(at_once: bool | None) -> None:
        if at_once:
            quit_at_once(app)
        else:
            app.leaving = False

    app.push_screen(QuittingDialog(app.session.value), answered)


def quit_at_once(app: WorkbenchApp) -> None:
    """Kill the flow, and leave."""
    app.session.kill()
    app.close_session()


def has_ended(value: SessionValue) -> bool:
    """Return whether no record is under way."""
    return value.phase in ENDED
