"""What operators do, as inputs of ``step``: acknowledge, confirm, shelve, close, mark wrong, take out of service.

A manual reading is not here: it is a Reading like any other, with the operator as its source.
"""

from typing import TYPE_CHECKING

from msgspec.structs import replace

from app.state import GroupState, SensorState, sensor_key
from pantau.alert import AlertState, Occasion, operate
from pantau.event import Command, Event, FlagRevised, Told
from pantau.reading import Flag

if TYPE_CHECKING:
    from app.step import Step

__all__ = ["VERBS", "apply_command"]


def apply_command(step: "Step", state: GroupState, command: Command, now: int, events: list[Event]) -> None:
    """Apply one command; exactly one ``Told`` is among the events."""
    act = _ACTS.get(command.verb)
    if act is None:
        events.append(Told(command.id, ok=False, text=f"no such command: {command.verb}"))
        return
    ok, text = act(step, state, command, now, events)
    events.append(Told(command.id, ok, text))


def _find(state: GroupState, command: Command) -> AlertState | None:
    return next((alert for alert in state.alerts.values() if alert.id == command.alert), None)


def _occasion(command: Command, now: int) -> Occasion:
    return Occasion(at=now, now=now, by=command.by, why={"note": command.note} if command.note else {})


def _trigger(
    step: "Step", state: GroupState, command: Command, now: int, events: list[Event]
) -> tuple[bool, str]:
    """acknowledge, shelve, unshelve: straight from the table of ISA-18.2."""
    del step
    alert = _find(state, command)
    if alert is None:
        return False, "this alert is not open any more and waits for nothing"
    if command.verb == "shelve" and command.until <= now:
        return False, "a shelf needs an end in the future"
    was = alert.state
    transition = operate(alert, command.verb, _occasion(command, now), until=command.until)
    if transition is None and (was, command.verb) == ("acknowledged", "acknowledge"):
        return False, "this alert is acknowledged already"
    if transition is None:
        return False, f"an alert that is {was.replace('_', ' ')} cannot be told to {command.verb}"
    events.append(transition)
    if not alert.is_open and alert.state == "normal":
        del state.alerts[str(alert.key)]
    return True, alert.state


def _confirm(
    step: "Step", state: GroupState, command: Command, now: int, events: list[Event]
) -> tuple[bool, str]:
    """An operator vouches for a pending jump before the next reading does."""
    alert = _find(state, command)
    if alert is None or not alert.tentative:
        return False, "there is nothing to confirm"
    occasion = _occasion(command, now)
    for sensor, voice in _voices_of(step, state, alert):
        rung = sensor.rungs[voice]
        if rung.tentative:
            occasion = replace(occasion, sensor=sensor.sensor, value=sensor.past.value)
        rung.severity, rung.tentative = max(rung.severity, rung.tentative), 0
    step.settle(state, alert.key, occasion, events)
    return True, "confirmed"


def _close(
    step: "Step", state: GroupState, command: Command, now: int, events: list[Event]
) -> tuple[bool, str]:
    """End an alert although its condition holds; it stays quiet until the condition has ended or grown worse."""
    alert = _find(state, command)
    if alert is None or not alert.is_open:
        return False, "this alert is not open"
    state.own().muted[str(alert.key)] = alert.severity
    step.settle(state, alert.key, _occasion(command, now), events)
    return True, "closed; it will be raised again if it grows worse, or ends and comes back"


def _mark_wrong(
    step: "Step", state: GroupState, command: Command, now: int, events: list[Event]
) -> tuple[bool, str]:
    """Flag a reading FAIL; what it raised is withdrawn."""
    reason = "marked wrong by an operator"  # public, so without name and note: those are on the timeline
    events.append(
        FlagRevised(command.station, command.kind, command.sensor, command.observed_at, command.value,
                    command.received_at, int(Flag.FAIL), reason)
    )  # fmt: skip
    sensor = state.sensors.get(sensor_key(command.station, command.sensor))
    if sensor is None:
        return True, "flagged"
    past = sensor.past
    if past.pending_at == command.observed_at:
        past.forget_pending()
        past.at, past.value = past.accepted_at, past.accepted
    elif past.accepted_at == command.observed_at:
        past.accepted_at, past.accepted = past.older_at, past.older
        past.at, past.value = past.older_at, past.older
        past.watched = 0
    occasion = Occasion(at=command.observed_at, now=now, sensor=command.sensor, value=command.value, by=command.by,
                        wrong=True, why={"note": command.note} if command.note else {})  # fmt: skip
    for voice, rung in sensor.rungs.items():
        if rung.raised_at == command.observed_at and rung.take_back():
            key = step.voice_key(voice, sensor)
            if key is not None:
                step.settle(state, key, occasion, events)
    return True, "flagged; what it raised is withdrawn"


def _service(
    step: "Step", state: GroupState, command: Command, now: int, events: list[Event]
) -> tuple[bool, str]:
    """Take a station out of service, or back."""
    del step
    out = command.verb == "out_of_service"
    if out == (command.station in state.out_of_service):
        return False, f"the station is already {command.verb.replace('_', ' ')}"
    if out:
        state.own().out_of_service[command.station] = command.note
    else:
        del state.out_of_service[command.station]
    for alert in state.alerts.values():
        if alert.key.station == command.station and alert.is_open:
            transition = operate(alert, command.verb, _occasion(command, now))
            if transition:
                events.append(transition)
    return True, command.verb.replace("_", " ")


def _voices_of(step: "Step", state: GroupState, alert: AlertState) -> list[tuple[SensorState, str]]:
    return [
        (sensor, voice)
        for sensor in state.sensors.values()
        if sensor.station == alert.key.scope
        for voice in sensor.rungs
        if step.voice_key(voice, sensor) == alert.key
    ]


_ACTS = {
    "acknowledge": _trigger,
    "shelve": _trigger,
    "unshelve": _trigger,
    "confirm": _confirm,
    "close": _close,
    "mark_wrong": _mark_wrong,
    "out_of_service": _service,
    "in_service": _service,
}
VERBS = frozenset(_ACTS) | {"reading"}
"""Everything an operator can ask for; ``reading`` becomes a Reading."""
