"""The smallest flow that makes sense: it reads lines and shouts them."""

from loom_runtime import FromTopic, IntoTopic, LoomStruct, Message, Process, RecordStep, StreamFlow


class Line(LoomStruct):
    text: str


class Shout(RecordStep[Line, Line]):
    def execute(self, message: Message[Line]) -> Line:
        return Line(text=message.payload.text.upper())


flow = StreamFlow("shout", FromTopic("said", Line), Process(Shout), IntoTopic("shouted", Line))


def bench_feed() -> list[Line]:
    return [Line(text="good morning"), Line(text="mind the gap"), Line(text="more tea?")]
