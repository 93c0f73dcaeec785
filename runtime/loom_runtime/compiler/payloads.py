"""What may stand where a declaration names a payload type."""

from __future__ import annotations

import types
from typing import Any, Union, get_args, get_origin

from loom_runtime.compiler.issues import IssueCode, IssueCollector
from loom_runtime.declaration import SourceLocation
from loom_runtime.errors import ErrorEnvelope
from loom_runtime.model import LoomFrozenStruct, LoomStruct, message_type_of


def payload_name(payload: Any) -> str:
    """Return the name of a payload type as it is shown; type arguments included."""
    if payload is None:
        return ""
    arguments = get_args(payload)
    if not arguments:
        return payload.__qualname__ if isinstance(payload, type) else str(payload)
    origin = get_origin(payload)
    if origin in (Union, types.UnionType):
        return " | ".join(payload_name(argument) for argument in arguments)
    return f"{payload_name(origin)}[{', '.join(payload_name(each) for each in arguments)}]"


def check_payload(
    payload: Any, component: str, location: SourceLocation | None, issues: IssueCollector
) -> None:
    """Report a payload declaration that is no struct or an envelope of unknown contents."""
    if get_origin(payload) in (Union, types.UnionType):
        for member in get_args(payload):
            check_payload(member, component, location, issues)
        return
    if payload is ErrorEnvelope:
        issues.add(
            IssueCode.ENVELOPE_NOT_PARAMETERISED,
            "ErrorEnvelope without a type argument doesn't say what failed",
            component=component,
            location=location,
            hint="name the payload that failed, as in ErrorEnvelope[Order]",
        )
        return
    origin = get_origin(payload) or payload
    if not (isinstance(origin, type) and issubclass(origin, LoomStruct | LoomFrozenStruct)):
        issues.add(
            IssueCode.PAYLOAD_NOT_A_STRUCT,
            f"{payload!r} is no payload type",
            component=component,
            location=location,
            hint="derive it from LoomStruct or LoomFrozenStruct",
        )


def check_distinct(
    payloads: tuple[type, ...],
    component: str,
    location: SourceLocation | None,
    issues: IssueCollector,
) -> None:
    """Report payload types that share a message type, so that records could be either."""
    owners: dict[str, type] = {}
    for payload in payloads:
        name = message_type_of(get_origin(payload) or payload)
        if name in owners:
            issues.add(
                IssueCode.MESSAGE_TYPE_CLAIMED_TWICE,
                f"{payload_name(owners[name])} and {payload_name(payload)} "
                f"share the message type {name!r}",
                component=component,
                location=location,
                hint="give each its own __loom_message_type__",
            )
        owners[name] = payload
