"""A redrive from the dry run to its end: planned, confirmed, under way, decided about."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import msgspec

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import Load
from loom_bench.session.envelopes.flow_view import InboxFlow
from loom_bench.session.envelopes.intake import Post
from loom_bench.session.envelopes.redrive_planning import Gathering, Planned, RedrivePlanner
from loom_bench.session.envelopes.redrive_run import RedriveRun, RunNews
from loom_bench.session.envelopes.redrive_value import RedrivePlan, RedriveProgress
from loom_bench.session.envelopes.terms import RedriveTarget, Selection

MAX_SINGLE: Final = 50_000
"""Envelopes that are decided about one by one; of more, their groups are."""

Done = Callable[[Sequence[str]], None]
"""Called with envelopes, by id, whose records are written."""


class Redriving:
    """One redrive at a time. Used on the inbox's thread.

    Attributes:
        plan: The dry run; ``None`` for none.
        progress: The redrive under way, or the last one.

    Args:
        post: Has something done on that thread.
        changed: Called when there is something new to show.
        done: Called with envelopes whose records are written.
        finished: Called with a dry run when all of it is written.
    """

    def __init__(
        self,
        post: Post,
        changed: Callable[[], None],
        done: Done,
        finished: Callable[[Planned], None],
    ) -> None:
        self.plan: RedrivePlan | None = None
        self.progress: RedriveProgress | None = None
        self._post = post
        self._changed = changed
        self._done = done
        self._finished = finished
        self._planned: Planned | None = None
        self._ticket = 0
        self._run: RedriveRun | None = None
        self._under_way: Planned | None = None
        self._began_s = 0.0
        self._threads: list[threading.Thread] = []

    @property
    def running(self) -> bool:
        """Whether records are being written."""
        return self._run is not None

    def prepare(
        self, flow: InboxFlow, selection: Selection, target: RedriveTarget, gathering: Gathering
    ) -> None:
        """Begin a dry run; the one before is dropped."""
        self.drop_plan()
        ticket = self._ticket
        plan = self.plan = RedrivePlan(
            selection=selection,
            target=target,
            counting=True,
            address=flow.bootstrap,
            typed=not flow.owned,
        )
        planner = RedrivePlanner(
            flow,
            plan,
            gathering,
            lambda grown: self._post(partial(self._grown, ticket, grown)),
            lambda: ticket != self._ticket,
        )
        thread = threading.Thread(
            target=lambda: self._post(partial(self._made, ticket, planner.make())),
            name="plan-redrive",
            daemon=True,
        )
        self._threads = [each for each in self._threads if each.is_alive()] + [thread]
        thread.start()

    def start(
        self, flow: InboxFlow, load: Load, rate_per_s: float | None, typed_address: str | None
    ) -> str | None:
        """Do what the plan shows; return why not."""
        planned, plan = self._planned, self.plan
        if planned is None or plan is None or plan.counting:
            return "make a dry run first"
        if self._run is not None:
            return "another redrive is under way"
        if plan.problem is not None:
            return plan.problem.message
        if not plan.records:
            return "there is nothing to redrive"
        if plan.typed and (typed_address or "").strip() != plan.address:
            return f"the broker is not the bench's own: type its address, {plan.address}"
        if rate_per_s is not None and not rate_per_s > 0:
            return "the rate must be above zero"
        self.plan, self._planned, self._under_way = None, None, planned
        self._began_s = time.monotonic()
        self.progress = RedriveProgress(plan=plan, rate_per_s=rate_per_s)
        self._run = RedriveRun(
            flow,
            plan.target,
            planned.records,
            rate_per_s,
            load,
            lambda news: self._post(partial(self._told, planned, news)),
        )
        return None

    def cancel(self) -> None:
        """End the redrive under way; without one, drop the plan."""
        if self._run is not None:
            self._run.cancel()
        else:
            self.drop_plan()

    def drop_plan(self) -> None:
        """Forget the dry run."""
        self._ticket += 1
        planned, self._planned, self.plan = self._planned, None, None
        if planned is not None:
            planned.records.close()

    def close(self) -> None:
        """End everything."""
        self.drop_plan()
        for thread in self._threads:
            thread.join()
        if self._run is not None:
            self._run.close()

    def _grown(self, ticket: int, plan: RedrivePlan) -> None:
        if ticket == self._ticket:
            self.plan = plan
            self._changed()

    def _made(self, ticket: int, planned: Planned) -> None:
        if ticket != self._ticket:
            planned.records.close()
            return
        self.plan, self._planned = planned.plan, planned
        self._changed()

    def _told(self, planned: Planned, news: RunNews) -> None:
        if self.progress is None or planned is not self._under_way:
            return
        if news.done and planned.plan.envelopes <= MAX_SINGLE:
            self._done(planned.records.envelopes_of(news.done))
        if news.ended and planned.plan.envelopes > MAX_SINGLE:
            self._settle_many(planned, news)
        self._show(news.written, news.failed, news.ended or "running", news.problem)
        if news.ended:
            run, self._run, self._under_way = self._run, None, None
            if run is not None:
                run.close()
            planned.records.close()
        self._changed()

    def _settle_many(self, planned: Planned, news: RunNews) -> None:
        if news.ended == "done" and not news.failed:
            self._finished(planned)

    def _show(self, written: int, failed: int, state: str, problem: Diagnosis | None) -> None:
        if self.progress is not None:
            self.progress = msgspec.structs.replace(
                self.progress,
                written=written,
                failed=failed,
                state=state,
                elapsed_s=round(time.monotonic() - self._began_s, 3),
                problem=problem,
            )
