"""A flow whose step does what its record says, well or badly."""

import os
import sys
import time

from loom_runtime import (
    DomainError,
    ErrorEnvelope,
    FromTopic,
    IntoTopic,
    LoomStruct,
    Message,
    Process,
    RecordStep,
    StatefulStep,
    StreamFlow,
)


class Job(LoomStruct):
    key: str
    do: str = ""


class SilentError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Act(RecordStep[Job, Job]):
    def execute(self, message: Message[Job]) -> Job:
        api_token, ordinary = "s3cr3t", list(range(1_000))
        match message.payload.do:
            case "hang":
                while True:
                    time.sleep(0.05)
            case "exit":
                os._exit(7)
            case "print":
                for number in range(20_000):
                    print(f"line {number} " + "x" * 100)
                sys.stdout.flush()
            case "line":
                print("x" * 30_000_000)
            case "say":
                print("this is", message.payload.key, end="")
            case "silent":
                raise SilentError
            case "fail":
                raise DomainError(f"{len(api_token)} {len(ordinary)}")
            case "huge":
                return Job(key="x" * 2_000_000)
        return message.payload


class Count(LoomStruct):
    seen: int = 0


class Counting(StatefulStep[Job, Job, Count]):
    def key(self, message: Message[Job]) -> str:
        return message.payload.key

    def initial(self) -> Count:
        return Count()

    def execute(self, state: Count, message: Message[Job]) -> tuple[Count, list[Job]]:
        return Count(state.seen + 1), [message.payload]


flow = StreamFlow(
    "jobs",
    FromTopic("jobs", Job),
    Process(Act, Counting),
    IntoTopic("done", Job),
    errors=IntoTopic("failed", payload=ErrorEnvelope[Job]),
)
