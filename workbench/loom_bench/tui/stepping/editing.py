"""Values that can be changed by hand, and the messages that come of it."""

from __future__ import annotations

import msgspec

from loom_runtime.tracing.shown import EditedMessage, ShownValue, TracedMessage, ValueForm


def text_to_edit(value: ShownValue) -> str:
    """Return *value* as text for an editor: JSON indented, bytes as the text that they are.

    Raises:
        ValueError: When it cannot be changed by hand; the text tells why.
    """
    if not value.complete:
        raise ValueError("the value is shown in part only: what is left out would be lost")
    if value.raw is not None:
        try:
            return value.raw.decode("utf-8")
        except UnicodeDecodeError as failure:
            raise ValueError("its bytes are no UTF-8 text; edit it at the next node") from failure
    if value.form is not ValueForm.JSON:
        raise ValueError(f"a {value.type_name} cannot be made again from text")
    try:
        return msgspec.json.format(value.text, indent=2)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return value.text


def edited_message(taken: TracedMessage, text: str) -> EditedMessage:
    """Return *taken* with the payload that *text* stands for.

    Raises:
        ValueError: When *text* is no JSON; the text tells where.
    """
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as failure:
        raise ValueError(f"the value is no JSON: {failure}") from failure
    return EditedMessage(payload_type=taken.payload_type, value=text, meta=taken.meta)
