"""The usual way to write a language: all its phrases as data, put together here in one order for all.

A language whose grammar does not fit into these forms writes its own ``Text`` instead.
"""

from datetime import datetime

import msgspec

from alerts.news import News
from alerts.text import EXERCISE, MAX_AREAS, Facts, Post, fit
from pantau.forms import number_text
from pantau.siaga import siaga_of
from pantau.station import ABOUT_US

__all__ = ["Phrases"]

_OVER = frozenset({News.CLEARED, News.CLOSED, News.WITHDRAWN, News.CORRECTED})
_UNCONFIRMED = frozenset({News.UNCONFIRMED, News.REMINDED})


class Phrases(msgspec.Struct, frozen=True, kw_only=True):
    """A language as data; words in braces are filled in.

    Attributes:
        clock: of a time of day, as for ``strftime``.
        months: January to December.
        when: {time} {zone} {day} {month} {year}.
        units: words for units that are words; other units are symbols.
        titles: of each news, {what} {level}; heads: first sentences, {what} {level} {before} {was}.
        reached: the head of a raise by a cause of ``subjects``, which is not a level that rises; likewise.
        was: part of a head, {before}.
        level: of a severity that is no Siaga level, {severity} {word}.
        subjects: what is spoken of, by cause or hazard, {place}; tags: the same in brackets after a title.
        trends: of rising, falling, steady, {rate}.
        data: by detector, for its beginning and its end, {sensor} {place}; the one named "" for all others.
        system: beginning and end, {peer}.
        measured: {kind} {value} {when}; wrong: {value} {when}; timed: {when}; density: {density}; heard: {when}.
        onward: {posts}; post: {name} {hours} {span} {zone}.
        areas: {names}; more: {count}.
        upstream: {posts}; still: {name} {level}.
        check: what operators do about a jump.
        emergency: {number}.
        passed_on: {role} {channel}.
        forecast_titles, forecast_heads: by news (``_possible`` without a time), or by how it ended; {what} {level}
            {before} {was} {about}.
        about: part of a head, when and how likely, {time} {zone} {hours} {percent}; likely: without a time, {percent}.
    """

    language: str
    clock: str
    months: tuple[str, ...]
    when: str
    units: dict[str, str]
    titles: dict[News, str]
    heads: dict[News, str]
    reached: str
    was: str
    level: str
    subjects: dict[str, str]
    tags: dict[str, str]
    trends: dict[str, str]
    data: dict[str, tuple[str, str]]
    system: tuple[str, str]
    measured: str
    wrong: str
    timed: str
    density: str
    heard: str
    onward: str
    post: str
    areas: str
    more: str
    upstream: str
    still: str
    check: str
    emergency: str
    passed_on: str
    forecast_titles: dict[str, str]
    forecast_heads: dict[str, str]
    about: str
    likely: str

    def title(self, facts: Facts) -> str:
        """One line: what and where."""
        return _marked(facts, self._ours(facts) if facts.hazard in ABOUT_US else self._title(facts))

    def text(self, facts: Facts) -> str:
        """Everything, one matter a line."""
        if facts.hazard in ABOUT_US:
            return _marked(
                facts, f"{self._ours(facts)}, {self._when(facts.at, facts.zone)}.{self._heard(facts)}"
            )
        names = ", ".join(facts.areas[:MAX_AREAS])
        hidden = len(facts.areas) - MAX_AREAS
        lines = (
            _marked(facts, self._head(facts)),
            self._measured(facts),
            self.onward.format(posts="; ".join(self._post(post, facts.zone) for post in facts.onward))
            if facts.onward else "",
            self.areas.format(names=names + (self.more.format(count=hidden) if hidden > 0 else "")) if names else "",
            self._upstream(facts),
            self._advice(facts),
            self.emergency.format(number=facts.emergency) if facts.emergency else "",
        )  # fmt: skip
        return "\n".join(line for line in lines if line)

    def short(self, facts: Facts) -> str:
        """What a single text message can hold: first what, where and when, then as much as there is room for."""
        mark = EXERCISE.replace(" ", "") + " " if facts.exercise else ""
        time = f"{facts.at.strftime(self.clock)} {facts.zone}"
        if facts.hazard in ABOUT_US:
            return fit(f"{mark}{self._ours(facts)}, {time}.", [])
        shown = None if facts.news is News.CORRECTED else facts.value
        value = "" if shown is None else f", {self._number(shown, facts)}"
        must = f"{mark}{self._title(facts)}{value}, {time} {facts.at.day}/{facts.at.month}."
        posts = [f"{post.name} {self._span(post)}." for post in facts.onward]
        emergency = self.emergency.format(number=facts.emergency) if facts.emergency else ""
        trend = self._trend(facts)
        about = self._about(facts)
        return fit(
            must,
            [
                f"{_sentence(about.lstrip(', '))}." if about else "",
                emergency,
                f"{_sentence(trend)}." if trend else "",
                *posts,
            ],
        )

    def undelivered(self, role: str, channel: str) -> str:
        """Why the last resort gets somebody else's notice."""
        return self.passed_on.format(role=role, channel=channel)

    def _title(self, facts: Facts) -> str:
        phrase = self._forecast(self.forecast_titles, facts)
        if phrase:
            return self._filled(phrase, facts.place, facts)
        title = self.titles[facts.news].format(
            what=facts.place, level=self._level(facts, facts.after, facts.word)
        )
        tag = self.tags.get(facts.cause) or self.tags.get(facts.hazard)
        return _sentence(f"{title} ({tag})" if tag else title)

    def _head(self, facts: Facts) -> str:
        place = f"{facts.place} ({facts.river})" if facts.river else facts.place
        phrase = self._forecast(self.forecast_heads, facts)
        if phrase:
            return self._filled(phrase, place, facts)
        subject = self.subjects.get(facts.cause) or self.subjects.get(facts.hazard, "{place}")
        head = self.heads[facts.news]
        if facts.news is News.RAISED and facts.cause in self.subjects:
            head = self.reached
        before = self._level(facts, facts.before, facts.word_before)
        return head.format(
            what=subject.format(place=place),
            level=self._level(facts, facts.after, facts.word),
            before=before,
            was=self.was.format(before=before) if facts.before not in {0, facts.after} else "",
        )

    def _forecast(self, phrases: dict[str, str], facts: Facts) -> str:
        """The phrase for what happened to a forecast; empty for any other alert."""
        if facts.expected is None:
            return ""
        ended = facts.expected.ended if facts.news is News.CLEARED else ""
        news = facts.news.value
        if facts.expected.at is None and f"{news}_possible" in phrases:
            news = f"{news}_possible"
        return phrases.get(ended) or phrases.get(news, "")

    def _filled(self, phrase: str, what: str, facts: Facts) -> str:
        before = self._level(facts, facts.before, facts.word_before)
        was = self.was.format(before=before) if facts.before not in {0, facts.after} else ""
        level = self._level(facts, facts.after, facts.word)
        return _sentence(
            phrase.format(what=what, level=level, before=before, was=was, about=self._about(facts))
        )

    def _about(self, facts: Facts) -> str:
        """When what is forecast is expected, and how likely it is."""
        expected = facts.expected
        if expected is None or expected.ended or expected.probability is None:
            return ""
        percent = number_text(100 * expected.probability, 0, self.language)
        if expected.at is None or expected.lead_h is None:
            return self.likely.format(percent=percent)
        hours = number_text(expected.lead_h, 1, self.language)
        time = expected.at.strftime(self.clock)
        return self.about.format(time=time, zone=facts.zone, hours=hours, percent=percent)

    def _level(self, facts: Facts, severity: int, word: str) -> str:
        if facts.siaga:
            return f"Siaga {siaga_of(severity)} ({word})"
        return self.level.format(severity=severity, word=word)

    def _measured(self, facts: Facts) -> str:
        when = self._when(facts.at, facts.zone)
        if facts.value is None:
            return _sentence(self.timed.format(when=when))
        if facts.news is News.CORRECTED:
            return self.wrong.format(value=self._number(facts.value, facts), when=when)
        value = (
            self._number(facts.value, facts)
            if facts.unit not in self.units
            else self._bare(facts.value, facts)
        )
        if facts.density is not None:
            value += self.density.format(density=number_text(facts.density, 1, self.language))
        trend = self._trend(facts)
        line = self.measured.format(kind=facts.kind, value=value, when=when)
        return _sentence(f"{line}; {trend}." if trend else f"{line}.")

    def _number(self, value: float, facts: Facts) -> str:
        return f"{self._bare(value, facts)} {self.units.get(facts.unit, facts.unit)}"

    def _bare(self, value: float, facts: Facts) -> str:
        return number_text(value, facts.decimals, self.language)

    def _trend(self, facts: Facts) -> str:
        if facts.trend is None or facts.rate is None:
            return ""
        return self.trends[facts.trend].format(rate=self._number(abs(facts.rate), facts))

    def _when(self, at: datetime, zone: str) -> str:
        time, month = at.strftime(self.clock), self.months[at.month - 1]
        return self.when.format(time=time, zone=zone, day=at.day, month=month, year=at.year)

    def _span(self, post: Post) -> str:
        earliest, latest = post.earliest.strftime(self.clock), post.latest.strftime(self.clock)
        return earliest if post.earliest == post.latest else f"{earliest}-{latest}"

    def _post(self, post: Post, zone: str) -> str:
        low, high = (
            number_text(hours, int(hours % 1 > 0), self.language) for hours in (post.low_h, post.high_h)
        )
        hours = low if low == high else f"{low}-{high}"
        return self.post.format(name=post.name, hours=hours, span=self._span(post), zone=zone)

    def _advice(self, facts: Facts) -> str:
        if facts.news in _UNCONFIRMED:
            return self.check
        # The condition may well hold: "no special action is needed" is more than the operator has said.
        return "" if facts.news is News.CLOSED else facts.advice

    def _upstream(self, facts: Facts) -> str:
        posts = [
            self.still.format(name=post.name, level=f"Siaga {siaga_of(post.severity)} ({post.word})")
            for post in facts.upstream
        ]
        return self.upstream.format(posts=", ".join(posts)) if posts else ""

    def _ours(self, facts: Facts) -> str:
        over = facts.news in _OVER
        if facts.hazard == "system":
            return self.system[over].format(peer=facts.place)
        return self.data.get(facts.detector, self.data[""])[over].format(
            sensor=facts.sensor, place=facts.place
        )

    def _heard(self, facts: Facts) -> str:
        if facts.heard_at is None or facts.detector != "silent" or facts.news in _OVER:
            return ""
        return f" {self.heard.format(when=self._when(facts.heard_at, facts.zone))}"


def _marked(facts: Facts, text: str) -> str:
    return f"[{EXERCISE}] {text}" if facts.exercise else text


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
