"""The part of the Compose specification that our file uses, as a JSON schema: what is not listed is a mistake here.

Written from the specification's text (compose-spec, "05-services", "06-networks", "07-volumes", "09-secrets"); it is
narrower than that on purpose. A new key in docker-compose.yml is added here after a look into the specification.
"""

from typing import Any

# A duration is a sequence of numbers with units, "1m30s".
DURATION = {"type": "string", "pattern": r"^(\d+(us|ms|s|m|h))+$"}
STRINGS = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
# host:container, each a port; a number without quotes could be read as base 60 by YAML.
PORT = {"type": "string", "pattern": r"^((\d{1,3}\.){3}\d{1,3}:)?\d{1,5}:\d{1,5}(/(tcp|udp))?$"}
NAME = r"^[a-zA-Z0-9._-]+$"

ASKED = {
    "type": "object",
    "additionalProperties": False,
    "required": ["test", "interval", "timeout", "retries", "start_period"],
    "properties": {
        "test": {
            "type": "array",
            "minItems": 2,
            "prefixItems": [{"enum": ["CMD", "CMD-SHELL"]}],
            "items": {"type": "string"},
            "if": {"prefixItems": [{"const": "CMD-SHELL"}]},
            "then": {"maxItems": 2},
        },
        "interval": DURATION,
        "timeout": DURATION,
        "start_period": DURATION,
        "retries": {"type": "integer", "minimum": 1},
    },
}
# A tool that is run once has nothing to be asked.
HEALTHCHECK = {"oneOf": [ASKED, {"const": {"disable": True}}]}

SERVICE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["image", "healthcheck", "restart"],
    "properties": {
        "image": {
            "type": "string",
            "pattern": r"^[a-z0-9][a-z0-9._/-]*:[\w][\w.-]*$",
        },  # never without a version
        "build": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"context": {"type": "string"}, "dockerfile": {"type": "string"}},
        },
        "profiles": STRINGS,
        "entrypoint": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "command": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "restart": {"enum": ["no", "always", "on-failure", "unless-stopped"]},
        "init": {"type": "boolean"},
        "read_only": {"type": "boolean"},
        "cap_drop": STRINGS,
        "security_opt": STRINGS,
        "tmpfs": STRINGS,
        "shm_size": {"type": "string", "pattern": r"^\d+[bkmg]b?$"},
        "stop_grace_period": DURATION,
        "environment": {
            "type": "object",
            "propertyNames": {"pattern": "^[A-Z][A-Z0-9_]*$"},
            "additionalProperties": {"type": "string"},
        },
        "ports": {"type": "array", "items": PORT},
        "networks": STRINGS,
        "volumes": {
            "type": "array",
            "items": {"type": "string", "pattern": r"^[^:]+:/[^:]+(:(ro|rw|z|Z))?$"},
        },
        "secrets": {
            "type": "array",
            "items": {
                "oneOf": [
                    {"type": "string"},
                    {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["source"],
                        "properties": {"source": {"type": "string"}, "target": {"type": "string"}},
                    },
                ]
            },
        },
        "depends_on": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["condition"],
                "properties": {
                    "condition": {
                        "enum": ["service_started", "service_healthy", "service_completed_successfully"]
                    },
                    "restart": {"type": "boolean"},
                    "required": {"type": "boolean"},
                },
            },
        },
        "healthcheck": HEALTHCHECK,
    },
}

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["services"],
    "patternProperties": {"^x-": {}},
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]*$"},
        "services": {"type": "object", "propertyNames": {"pattern": NAME}, "additionalProperties": SERVICE},
        "networks": {
            "type": "object",
            "propertyNames": {"pattern": NAME},
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"internal": {"type": "boolean"}},
            },
        },
        "volumes": {
            "type": "object",
            "propertyNames": {"pattern": NAME},
            "additionalProperties": {"type": "object", "maxProperties": 0},
        },
        "secrets": {
            "type": "object",
            "propertyNames": {"pattern": NAME},
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["file"],
                "properties": {"file": {"type": "string"}},
            },
        },
    },
}
