"""The running service: threads that turn the pipeline and its followers until told to stop."""

import gc
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from alerts.store import commands as command_store
from app.followers import SlowFollower, SlowResult
from app.health import Health
from app.metrics import STEP_SECONDS
from app.pipeline import Inputs, Pipeline
from ingest.format import Ask, Message
from ingest.receiver import Receiver
from pantau.errors import Unavailable
from pantau.event import Command
from pantau.faultpoint import Point, reached
from pantau.reading import MAIN, Reading

__all__ = ["FastLane", "Threads", "follow", "give_a_head_start", "slow_loop", "wait_for"]

_log = structlog.get_logger("pantau.service")

_IDLE_S = 0.05
_SWEEPING_S = 0.005
"""Nothing comes, but latest values or snapshots are being written: the next piece may follow at once."""
_SETTLE_S, _LONG_SETTLE_S, _MANY = 0.004, 0.02, 1_000
"""A batch gathers for so long: shortly, for an alert waits with it; longer after a large one, for a commit costs."""
_SLOW_IDLE_S = 0.2
"""The slow lane may be this late; looking more often would cost the fast one."""
_COMMANDS_EVERY_S = 0.1
_SLOW_SAVE_EVERY_S = 5.0
_SLOW_SAVE_REST = 10
_RETRY_S = (0.5, 1.0, 2.0, 5.0)
_READY_S, _CAUGHT_UP_S, _LOOK_S = 10.0, 2.0, 0.02
"""Followers that read much at the start let the fast lane go first: to listen, if the broker is there at all, and to
take what waited there, if it comes to an end.
"""


@dataclass
class Threads:
    """Named threads that end together."""

    stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self, name: str, target: Callable[[], None]) -> None:
        """Run ``target`` until ``stop`` is set; an error of ours ends the whole service rather than one part of it."""

        def run() -> None:
            _name_for_the_kernel(name)
            try:
                target()
            except BaseException:
                _log.exception("thread_died", thread=name, consequence="the service stops")
                self.stop.set()
                raise

        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def join(self, timeout_s: float = 10.0) -> None:
        """Ask all to end and wait for them."""
        self.stop.set()
        for thread in self._threads:
            thread.join(timeout_s)


def _name_for_the_kernel(name: str) -> None:
    """Let ``top -H`` and benchmarks tell our threads apart (Linux; elsewhere they stay nameless)."""
    with suppress(OSError):
        Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text(name[:15], encoding="ascii")


class FastLane:
    """Turns the pipeline: messages, operators' commands, timers and the slow lane's scores, one batch after another.

    Attributes:
        heard_until: everything that arrived before this instant (ms) is committed; silence is judged up to here, so
            that our own backlog is never taken for a sensor's silence.
        full: the journal has reached its limit: nothing is taken, the broker keeps what comes.

    Args:
        ask: sends a message back to the field, at most once and without waiting.
    """

    def __init__(
        self, pipeline: Pipeline, receiver: Receiver, health: Health, stop: threading.Event,
        ask: Callable[[str, bytes], None] = lambda _topic, _payload: None,
    ) -> None:  # fmt: skip
        self.pipeline = pipeline
        self.receiver = receiver
        self.health = health
        self.stop = stop
        self.slow: list[SlowResult] = []
        self._slow_lock = threading.Lock()
        self.heard_until = 0
        self.full = False
        self._busy = False
        self._ask = ask
        self._commands_at = 0.0
        self._was_listening = False

    def offer(self, result: SlowResult) -> None:
        """Take over a slow result; it is committed with the next batch."""
        with self._slow_lock:
            self.slow.append(result)

    @property
    def backlog(self) -> int:
        """Slow results that wait."""
        return len(self.slow)

    def run(self) -> None:
        """Until told to stop."""
        while not self.stop.is_set():
            self._listen()
            began = self.pipeline.clock.now()
            messages = self._take()
            inputs = self._inputs()
            asks = self._decode(messages, inputs) if messages else ()
            if not self._commit(inputs):
                continue
            reached(Point.BEFORE_ACK)
            if messages:
                self._acknowledge(messages)
            reached(Point.ACKNOWLEDGED)
            for ask in asks:
                self._ask(ask.topic, ask.payload)
            if self.receiver.stats.waiting == 0 and not self.full:
                self.heard_until = began
                self.health.caught_up = self.health.ready

    def _take(self) -> list[Message]:
        """The next messages; none while the journal is full."""
        if self.full:
            self.stop.wait(_IDLE_S)
            return []
        idle_s = _SWEEPING_S if self.pipeline.sweeping else _IDLE_S
        messages = self.receiver.take(idle_s, _LONG_SETTLE_S if self._busy else _SETTLE_S)
        self._busy = len(messages) >= _MANY
        return messages

    def _decode(self, messages: Sequence[Message], inputs: Inputs) -> Sequence[Ask]:
        """Add what the messages give; returns the questions that go back to the field."""
        reached(Point.RECEIVED)
        started = time.perf_counter()
        batch = self.pipeline.decoder.decode(messages)
        inputs.readings += batch.readings
        inputs.refused = batch.refused
        inputs.gone = batch.gone
        STEP_SECONDS.labels("decode").inc(time.perf_counter() - started)
        reached(Point.DECODED)
        return batch.asks

    def _acknowledge(self, messages: Sequence[Message]) -> None:
        started = time.perf_counter()
        self.receiver.ack(messages)
        STEP_SECONDS.labels("acknowledge").inc(time.perf_counter() - started)

    def _commit(self, inputs: Inputs) -> bool:
        """Process a batch, as often as it takes; False only when the service stops before it worked."""
        attempt = 0
        while True:
            try:
                self.pipeline.process(inputs)
            except DBAPIError as error:
                self.health.away("database", str(error.orig))
                _log.error(
                    "commit_failed",
                    reason=str(error.orig),
                    consequence="nothing is acknowledged; tried again",
                )
                if self.stop.wait(_RETRY_S[min(attempt, len(_RETRY_S) - 1)]):
                    return False
                attempt += 1
            else:
                self.health.up("database")
                return True

    def _listen(self) -> None:
        """Silence counts only while we can hear: from each (re)connection on."""
        listening = self.receiver.subscribed
        if listening and not self._was_listening:
            self.pipeline.listening_since = self.pipeline.clock.now()
            self.health.up("mqtt", "subscribed")
            self.health.ready = True
        elif not listening:
            self.pipeline.listening_since = 0
            self.health.away("mqtt", "not connected")
        self._was_listening = listening

    def _inputs(self) -> Inputs:
        inputs = Inputs(scores=self.health.scores(self.pipeline.clock.now()))
        with self._slow_lock:
            results, self.slow = self.slow, []
        for result in results:
            inputs.scores += result.scores
            inputs.slow_pos = result.pos
            inputs.slow_states += result.states
            inputs.slow_saved = result.saved or inputs.slow_saved
        if time.monotonic() - self._commands_at >= _COMMANDS_EVERY_S:
            self._commands_at = time.monotonic()
            self._take_commands(inputs)
        return inputs

    def _take_commands(self, inputs: Inputs) -> None:
        try:
            with self.pipeline.engine.connect().execution_options(reading=True) as connection:
                waiting = command_store.waiting(connection, 100)
        except DBAPIError as error:  # they wait in the table; whoever asked gets 202
            self.health.away("database", str(error.orig))
            return
        for id_, verb, body, by in waiting:
            if verb == "reading":
                inputs.readings.append(_manual(body, by, self.pipeline.clock.now()))
                inputs.answers.append((id_, len(inputs.readings) - 1))
            else:
                known = {name: body[name] for name in Command.__struct_fields__ if name in body}
                inputs.commands.append(Command(**{**known, "id": id_, "verb": verb, "by": by}))


def _manual(body: dict[str, Any], by: str, now: int) -> Reading:
    return Reading(
        body["station"], body["kind"], float(body["value"]), int(body["observed_at"]), now,
        body.get("sensor") or MAIN, source=f"operator:{by}", vouched=bool(body.get("vouched")),
    )  # fmt: skip


def slow_loop(follower: SlowFollower, lane: FastLane, stop: threading.Event) -> None:
    """Let the slow lane follow the journal; it waits while its last results are not committed yet.

    Its own states are read back here, so that the fast lane need not wait for them.
    """
    restored = False
    while not (restored or stop.is_set()):
        try:
            follower.restore()
            restored = True
        except DBAPIError as error:
            lane.health.away("database", str(error.orig))
            stop.wait(_RETRY_S[1])
    reached(Point.SLOW_RESTORED)
    gc.freeze()
    began = time.monotonic()
    save_at = began + _SLOW_SAVE_EVERY_S
    while not stop.is_set():
        result = None
        if lane.backlog == 0:
            save = time.monotonic() >= save_at
            judged_until = lane.heard_until - lane.pipeline.clock.slack_ms
            try:
                result = follower.turn(judged_until, lane.pipeline.listening_since, save=save)
            except DBAPIError as error:  # it reads before it judges: the next turn takes the same batches
                lane.health.away("database", str(error.orig))
                stop.wait(_RETRY_S[0])
            if result is not None:
                lane.offer(result)
                reached(Point.SLOW_OFFERED)
            if save and result is not None:
                began, save_at = time.monotonic(), inf
            if save_at == inf and not follower.saving:  # a large city takes longer, and then rests longer
                took = time.monotonic() - began
                save_at = time.monotonic() + max(_SLOW_SAVE_EVERY_S, _SLOW_SAVE_REST * took)
        if result is None or not (result.scores or result.states):
            stop.wait(_SLOW_IDLE_S)


def give_a_head_start(health: Health, stop: threading.Event) -> None:
    """Let the fast lane have the processor until it listens and has taken what waited for us."""
    wait_for(lambda: health.ready, _READY_S, stop)
    if health.ready:
        wait_for(lambda: health.caught_up, _CAUGHT_UP_S, stop)


def wait_for(there: Callable[[], bool], at_most_s: float, stop: threading.Event) -> None:
    """Wait until something is so, a time is over, or a stop is asked for."""
    until = time.monotonic() + at_most_s
    while not (there() or stop.is_set()) and time.monotonic() < until:
        stop.wait(_LOOK_S)


def follow(name: str, turn: Callable[[], int], health: Health, stop: threading.Event) -> None:
    """Turn a follower for ever, backing off while its peer is away."""
    attempt = 0
    while not stop.is_set():
        try:
            done = turn()
        except (Unavailable, DBAPIError) as error:
            asked = error.retry_after_s if isinstance(error, Unavailable) else None
            health.away(name, error.reason if isinstance(error, Unavailable) else f"database: {error.orig}")
            stop.wait(asked or _RETRY_S[min(attempt, len(_RETRY_S) - 1)])
            attempt += 1
            continue
        attempt = 0
        health.up(name)
        if not done:
            stop.wait(_IDLE_S)
