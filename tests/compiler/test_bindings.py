"""Steps and dependencies that the compiler builds: from classes, configuration and overrides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loom_runtime import (
    CompiledPlan,
    ConfigContext,
    Configurable,
    ContextFactory,
    IssueCode,
    LoomFrozenStruct,
    Message,
    Process,
    ProcessNode,
    RecordStep,
    With,
    compile_flow,
)
from tests.compiler.samples import config_of, flow_of, issues_of
from tests.compiler.typed_flow import Priced, Rates, Taxed


class Limits(LoomFrozenStruct, frozen=True):
    low: int = 0
    high: int = 10


class Clamp(RecordStep[Priced, Priced]):
    def __init__(
        self,
        factor: float,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        labels: list[str] | None = None,
        anything: Any = None,
    ) -> None:
        self.factor, self.limits, self.labels, self.anything = factor, limits, labels, anything

    def execute(self, message: Message[Priced]) -> Priced:
        return message.payload


def compiled(node: ProcessNode, **sections: Any) -> CompiledPlan:
    return compile_flow(flow_of(node), config=config_of(**sections))


def first(node: ProcessNode, **sections: Any) -> Any:
    return compiled(node, **sections).process[0].node


def test_configuration_becomes_constructor_arguments_of_the_annotated_types() -> None:
    step = first(
        Clamp.from_config("steps.clamp"),
        steps={"clamp": {"factor": "2.5", "limits": {"high": 3}, "labels": ["a"], "anything": 1}},
    )
    assert (step.factor, step.limits, step.labels, step.anything) == (2.5, Limits(0, 3), ["a"], 1)


def test_overrides_win_over_configuration_and_are_taken_as_they_are() -> None:
    marker = object()
    step = first(
        Clamp.from_config("steps.clamp", factor=9.0, anything=marker),
        steps={"clamp": {"factor": "no number at all"}},
    )
    assert step.factor == 9.0
    assert step.anything is marker


def test_configure_needs_no_section() -> None:
    assert first(Clamp.configure(factor=4.0)).factor == 4.0


def test_every_worker_gets_a_step_of_its_own_with_containers_of_its_own() -> None:
    node = compiled(
        Clamp.from_config("steps.clamp"), steps={"clamp": {"factor": 1, "labels": ["a"]}}
    ).process[0]
    assert node.build is not None
    one, other = node.build(), node.build()
    assert one is not other is not node.node
    one.labels.append("b")
    assert other.labels == ["a"]


def test_overrides_are_shared_by_every_worker() -> None:
    calls: list[str] = []
    node = compiled(Clamp.configure(factor=1.0, labels=calls)).process[0]
    assert node.build is not None
    assert node.build().labels is calls


def test_an_instance_is_used_as_it_is() -> None:
    step = Clamp(factor=2.0)
    node = compiled(step).process[0]
    assert node.build is not None
    assert node.node is step
    assert node.build() is step


def test_a_class_is_built_for_every_worker() -> None:
    node = compiled(With(process=Process(Taxed), rates=Rates())).nodes[1]
    assert node.build is not None
    assert isinstance(node.build(), Taxed)
    assert node.build() is not node.build()


def problems(node: ProcessNode, **sections: Any) -> list[tuple[str, str | None]]:
    """Return message and field of every issue, all of which must be about building the step."""
    issues = issues_of(flow_of(node), config_of(**sections))
    assert {issue.code for issue in issues} <= {IssueCode.STEP_CANNOT_BE_BUILT}
    assert all(issue.component == "Clamp" and issue.file == __file__ for issue in issues)
    return [(issue.message, issue.field) for issue in issues]


def test_an_absent_section_is_named() -> None:
    assert problems(Clamp.from_config("steps.clamp")) == [("is missing", "steps.clamp")]


def test_an_unknown_key_is_named_beside_the_known_ones() -> None:
    binding = Clamp.from_config("steps.clamp")
    (issue,) = issues_of(flow_of(binding), config_of(steps={"clamp": {"factor": 1, "facto": 2}}))
    assert (issue.message, issue.field) == ("unknown config key 'facto'", "steps.clamp.facto")
    assert issue.hint == "known arguments: factor, limits, labels, anything"


def test_every_wrong_key_is_reported_at_once() -> None:
    assert problems(
        Clamp.from_config("steps.clamp", nonsense=1),
        steps={"clamp": {"limits": {"high": "x"}, "labels": 3, "other": 1}},
    ) == [
        ("unknown config key 'other'", "steps.clamp.other"),
        ("unknown override 'nonsense'", None),
        ("argument 'factor' is missing", "steps.clamp.factor"),
        ("expected `int`, got `str`", "steps.clamp.limits.high"),
        ("expected `array | null`, got `int`", "steps.clamp.labels"),
    ]


def test_a_section_that_is_no_mapping_is_refused() -> None:
    ((message, field),) = problems(Clamp.from_config("steps.clamp"), steps={"clamp": [1]})
    assert (message, field) == ("section 'steps.clamp' must be a mapping, not list", "steps.clamp")


def test_a_class_that_needs_arguments_is_told_how_to_get_them() -> None:
    (issue,) = issues_of(flow_of(Clamp))
    assert issue.code is IssueCode.STEP_CANNOT_BE_BUILT
    assert "missing 1 required positional argument: 'factor'" in issue.message
    assert ".from_config(" in str(issue.hint)


class Picky(RecordStep[Priced, Priced]):
    def __init__(self, size: int) -> None:
        if size > 3:
            raise ValueError("at most 3")

    def execute(self, message: Message[Priced]) -> Priced:
        return message.payload


def test_what_a_constructor_raises_becomes_an_issue() -> None:
    (issue,) = issues_of(flow_of(Picky.from_config("p")), config_of(p={"size": 4}))
    assert issue.message == "building it raised ValueError: at most 3"
    assert issue.field == "p"


class Opaque:
    pass


class TakesOpaque(RecordStep[Priced, Priced]):
    def __init__(self, thing: Opaque, **rest: object) -> None:
        self.thing, self.rest = thing, rest

    def execute(self, message: Message[Priced]) -> Priced:
        return message.payload


def test_an_annotation_that_is_no_data_leaves_judgement_to_the_constructor() -> None:
    step = first(TakesOpaque.from_config("p"), p={"thing": "text", "more": 1})
    assert (step.thing, step.rest) == ("text", {"more": 1})


class Client(Configurable):
    def __init__(self, url: str) -> None:
        self.url = url


def test_a_dependency_is_built_from_configuration_too() -> None:
    node: With[Any, Any] = With(process=Process(Taxed), rates=Client.from_config("client"))
    plan = compile_flow(flow_of(node), config=config_of(client={"url": "http://x"}))
    built = plan.process[0].node
    assert built.values["rates"].url == "http://x"
    assert built.declared_at == node.declared_at
    assert not isinstance(node.values["rates"], Client)


def test_a_bound_context_factory_makes_contexts() -> None:
    factory = ContextFactory.configure(factory=lambda: None)
    built = first(With(process=Process(Taxed), rates=factory))
    assert list(built.factories) == ["rates"]


def test_a_dependency_that_cannot_be_built_is_named() -> None:
    node: With[Any, Any] = With(process=Process(Taxed), rates=Client.from_config("client"))
    (issue,) = issues_of(flow_of(node), config_of(client={"uri": 1, "url": "x"}))
    assert issue.code is IssueCode.DEPENDENCY_CANNOT_BE_BUILT
    assert issue.component == "With, dependency rates"
    assert issue.field == "client.uri"


class AsyncClient(Client):
    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *exception: object) -> None:
        pass


def test_a_bound_dependency_of_the_wrong_kind_is_refused() -> None:
    node: With[Any, Any] = With(process=Process(Taxed), rates=AsyncClient.configure(url="x"))
    (issue,) = issues_of(flow_of(node))
    assert issue.code is IssueCode.DEPENDENCY_CANNOT_BE_BUILT
    assert "WithAsync" in issue.message


def test_configuration_from_a_file_names_the_field(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text("kafka:\n  consumer: {brokers: [a:1], group_id: g}\np: {size: many}\n")
    issues = issues_of(flow_of(Picky.from_config("p"), output=None), ConfigContext.from_yaml(file))
    fields = [issue.field for issue in issues]
    assert "p.size" in fields


@pytest.mark.parametrize("config", [{}, {"kafka": None}])
def test_no_configuration_at_all_is_an_issue_and_no_crash(config: dict[str, Any]) -> None:
    assert {issue.code for issue in issues_of(flow_of(Taxed), config)} == {
        IssueCode.KAFKA_CONFIG_MISSING,
        IssueCode.MISSING_DEPENDENCY,
    }
