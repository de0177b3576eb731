"""Renders templates: a name and a context in, HTML out; missing words and variables are errors."""

import json
from datetime import timedelta
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from pantau.city import City
from status.pages.rows import PATHS
from status.pages.words import LANGUAGES, client_words, words_of

__all__ = ["STATIC", "Renderer"]

STATIC = Path(__file__).parent / "static"


class Renderer:
    """Templates of one app.

    Args:
        exercise: puts the banner LATIHAN / EXERCISE on every page.
    """

    def __init__(self, city: City, *, exercise: bool) -> None:
        self._city, self._exercise = city, exercise
        self._env = jinja2.Environment(
            loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._env.globals["static"] = static_address
        # Browser libraries come from npm at set-up; without them the page is a table without a map.
        self._vendor = (STATIC / "vendor" / "leaflet.js").exists()

    def page(self, template: str, language: str, now: int, other_href: str, **context: object) -> bytes:
        """A whole page.

        Args:
            now: instant on the service's clock, ms, from which the browser counts on.
            other_href: the same page in the other language.
        """
        words = words_of(language)
        other = next(each for each in LANGUAGES if each != language)
        text = self._env.get_template(template).render(
            lang=language, other=other, other_href=other_href, now=now, w=words, wc=words.client,
            paths=PATHS[language], city=self._city, exercise=self._exercise, vendor=self._vendor,
            client_json=_script_json(self._client(language)), **self._zone(now), **context,
        )  # fmt: skip
        return text.encode()

    def as_of(self, at: int, language: str) -> str:
        """An instant with seconds and zone, for the line that says how old the page is."""
        moment = self._city.local(at)
        month = words_of(language).client.months.split()[moment.month - 1]
        return f"{moment.day} {month} {moment.year} {moment:%H:%M:%S} {moment.tzname()}"

    def _zone(self, now: int) -> dict[str, str]:
        moment = self._city.local(now)
        minutes = (moment.utcoffset() or timedelta()) // timedelta(minutes=1)
        sign = "-" if minutes < 0 else "+"
        return {
            "zone": moment.tzname() or self._city.timezone,
            "offset": f"UTC{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}",
        }

    def _client(self, language: str) -> dict[str, Any]:
        return {
            **client_words(language),
            "locale": words_of(language).locale,
            "units": {kind.name: kind.unit for kind in self._city.kinds.values()},
            "siaga_kinds": [kind.name for kind in self._city.kinds.values() if kind.siaga],
        }


@cache
def static_address(name: str) -> str:
    """Address of a static file; it changes with the content, so browsers may keep it for ever."""
    path = STATIC / name
    if not path.exists():
        return f"/static/{name}"
    return f"/static/{name}?v={blake2b(path.read_bytes(), digest_size=5).hexdigest()}"


def _script_json(data: object) -> Markup:
    """JSON that may stand inside a script element."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c"))  # noqa: S704 - escaped for its place
