"""The configuration of a flow: found beside its module, or made for the broker at hand."""

from pathlib import Path

import pytest

from loom_bench.host.configuration import (
    find_configuration,
    read_configuration,
    replaced_brokers,
)
from loom_bench.protocol.frames import Check, Load, Loaded
from loom_bench.session.asking import check_module, load_plan
from loom_runtime.compiler.compile import compile_flow
from loom_runtime.compiler.plan import CompiledPlan
from tests.bench.flows import everything
from tests.bench.modules import write_flow, write_module

OURS = "127.0.0.1:29092"

SECURED = """
kafka:
  consumer:
    brokers: [kafka-1:9093, kafka-2:9093]
    group_id: billing
    security: {protocol: SASL_SSL, sasl_mechanism: PLAIN, sasl_username: a, sasl_password: b}
  consumers:
    orders:
      brokers: [kafka-3:9093]
      group_id: orders-of-billing
      topics: [orders.v1]
  producer:
    brokers: [kafka-1:9093]
    security: {protocol: SSL}
  producers:
    spain:
      brokers: [kafka-1:9093]
      topic: spain.v1
"""


def plan_of(file: Path | None, bootstrap: str | None, *, plaintext: bool = False) -> CompiledPlan:
    config = read_configuration(everything.flow, file, bootstrap, plaintext=plaintext)
    return compile_flow(everything.flow, config=config)


@pytest.mark.parametrize("suffix", [".yaml", ".yml"])
def test_the_file_beside_the_module_is_found(tmp_path: Path, suffix: str) -> None:
    module = write_flow(tmp_path)
    assert find_configuration(module, None) is None
    beside = write_module(tmp_path, f"orders{suffix}", "")
    write_module(tmp_path, "other.yaml", "")
    assert find_configuration(module, None) == beside
    assert find_configuration(module, "elsewhere.yaml") == Path("elsewhere.yaml")


def test_defaults_just_work_on_the_broker_at_hand() -> None:
    plan = plan_of(None, OURS)
    assert plan.source.settings.brokers == (OURS,)
    assert plan.source.settings.group_id == "everything"
    assert plan.source.topics == ("orders",)
    assert {sink.settings.brokers for sink in plan.terminal_sinks.values()} == {(OURS,)}


def test_a_broker_of_ours_takes_the_place_of_every_configured_one(tmp_path: Path) -> None:
    plan = plan_of(write_module(tmp_path, "c.yaml", SECURED), OURS, plaintext=True)
    settings = plan.source.settings
    assert (settings.brokers, settings.security) == ((OURS,), None)
    assert (settings.group_id, plan.source.topics) == ("orders-of-billing", ("orders.v1",))
    for sink in (*plan.terminal_sinks.values(), *plan.error_routes.values()):
        assert (sink.settings.brokers, sink.settings.security) == ((OURS,), None)


def test_the_users_own_broker_keeps_the_configured_security(tmp_path: Path) -> None:
    plan = plan_of(write_module(tmp_path, "c.yaml", SECURED), "other:9093,other:9094")
    assert plan.source.settings.brokers == ("other:9093", "other:9094")
    security = plan.error_routes[next(iter(plan.error_routes))].settings.security
    assert security is not None
    assert security.protocol == "SSL"


def test_without_a_broker_the_configuration_stands(tmp_path: Path) -> None:
    plan = plan_of(write_module(tmp_path, "c.yaml", SECURED), None)
    assert plan.source.settings.brokers == ("kafka-3:9093",)


def test_a_file_without_kafka_is_about_the_rest_only(tmp_path: Path) -> None:
    file = write_module(tmp_path, "c.yaml", "streaming:\n  runtime:\n    epoch_interval_ms: 50\n")
    assert plan_of(file, OURS).source.settings.brokers == (OURS,)


def test_brokers_that_are_not_used_are_named(tmp_path: Path) -> None:
    file = write_module(tmp_path, "c.yaml", SECURED)
    assert replaced_brokers(file, "kafka-1:9093,x:1") == ("kafka-2:9093", "kafka-3:9093")
    assert replaced_brokers(file, None) == ()
    assert replaced_brokers(None, OURS) == ()


def test_a_flow_is_loaded_with_the_file_beside_it(tmp_path: Path) -> None:
    module = write_flow(tmp_path)
    file = write_module(
        tmp_path,
        "orders.yaml",
        "kafka:\n  consumer: {brokers: [k:1], group_id: g, topics: [t]}\n"
        "  producer: {brokers: [k:1]}\n",
    )
    answer = load_plan(Load(target=str(module), bootstrap=OURS))
    assert isinstance(answer, Loaded)
    assert answer.config_sources == (str(file),)
    assert answer.plan.source.topics == ("t",)
    assert answer.replaced_brokers == ("k:1",)


def test_a_broken_configuration_is_shown_with_its_line(tmp_path: Path) -> None:
    module = write_flow(tmp_path)
    file = write_module(
        tmp_path,
        "orders.yaml",
        "kafka:\n  consumer:\n    brokers: [k:1]\n    group_id: ${oc.env:NO_SUCH_NAME}\n"
        "  producer: {brokers: [k:1]}\n",
    )
    (issue,) = check_module(Check(target=str(module))).diagnoses
    assert (issue.file, issue.line) == (str(file), 4)
    assert "NO_SUCH_NAME" in issue.message
    assert "group_id" in (issue.source or "")


def test_a_missing_configuration_file(tmp_path: Path) -> None:
    command = Check(target=str(write_flow(tmp_path)), config_path=str(tmp_path / "no.yaml"))
    (issue,) = check_module(command).diagnoses
    assert (issue.code, issue.file) == ("config_invalid", str(tmp_path / "no.yaml"))
    assert issue.message == "no such file"
