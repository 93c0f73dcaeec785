"""The smallest flow that makes sense: read a greeting, shout it."""

from loom_runtime import FromTopic, IntoTopic, LoomStruct, Message, Process, RecordStep, StreamFlow


class Greeting(LoomStruct):
    text: str


class Shout(RecordStep[Greeting, Greeting]):
    def execute(self, message: Message[Greeting]) -> Greeting:
        return Greeting(text=message.payload.text.upper())


flow = StreamFlow(
    "greetings",
    source=FromTopic("greetings", payload=Greeting),
    process=Process(Shout),
    output=IntoTopic("shouts", payload=Greeting),
)
