"""The running service, as far as it serves HTTP: is it ready, what does it miss."""

from collections.abc import Iterator

import httpx

from app.doctor.finding import Context, Finding

__all__ = ["look"]

_HINT = "see `docs/operations.md`, Is it well?"


def look(context: Context) -> Iterator[Finding]:
    """What ``/readyz`` says; that nobody answers is no finding, the doctor may come before the service."""
    host, port = context.settings.http
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - what a service may listen on
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/readyz"
    try:
        answer = httpx.get(url, timeout=5, trust_env=False)
        body = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        yield Finding("note", f"no service answers at {url} ({type(error).__name__}): not checked")
        return
    degraded = body.get("degraded") or []
    if answer.status_code != httpx.codes.OK:
        yield Finding("error", f"the service is not ready: {body.get('peers') or body}", _HINT)
    for name in degraded:
        yield Finding(
            "warning", f"the service does without {name}: {body.get('peers', {}).get(name, '')}", _HINT
        )
    if answer.status_code == httpx.codes.OK and not degraded:
        yield Finding("ok", f"the service at {url} is ready")
