"""The contract as a table: what is promised, and the names of the tests that hold us to it."""

from typing import NamedTuple


class Row(NamedTuple):
    """One promise.

    Attributes:
        promise: What users can rely on.
        tests: Regular expressions; each must be found in the id of some collected test,
            ``file::test``.
    """

    promise: str
    tests: tuple[str, ...]


def _row(promise: str, *tests: str) -> Row:
    return Row(promise, tests)


DECLARING = (
    _row(
        "every name can be imported from the top-level package",
        "::test_every_public_name_can_be_imported",
    ),
    _row(
        "payload bases and stable type names",
        "::test_loom_struct_",
        "::test_loom_frozen_struct_",
        "::test_loom_message_type_",
    ),
    _row("an event and its metadata", "::test_message_is_", "::test_message_meta_has_every_field"),
    _row("a source of one type, its name resolved by configuration", "::test_from_topic_"),
    _row("a source of several types, two at least", "::test_from_multi_type_topic_"),
    _row(
        "a sink ends its path; a dead-letter topic takes what cannot be delivered",
        "::test_into_topic_ends_the_path",
        "::test_a_refused_batch_goes_to_the_dlq_with_the_reason",
    ),
    _row(
        "the incoming key is kept unless repartitioning is allowed",
        "::test_partition_policy_keeps_the_incoming_key",
        "::test_partition_strategy_",
    ),
    _row("a process is ordered and never empty", "::test_process_is_ordered_and_non_empty"),
    _row(
        "error routes in four forms, a kind claimed once",
        "::test_stream_flow_errors_in_every_form",
        "::test_stream_flow_refuses_an_error_kind_that_is_claimed_twice",
    ),
    _row(
        "record steps; returning None is an error",
        "::test_record_step_takes_a_record_and_gives_one",
        "test_record_step.py::test_what_is_no_payload_and_no_message_is_a_task_error",
    ),
    _row(
        "batch steps give one output per message, in order",
        "::test_batch_step_takes_",
        "test_batch_steps.py::test_one_output_per_message_in_order",
    ),
    _row(
        "expand steps give any number; none filters",
        "::test_expand_step_takes_",
        "test_expand_step.py::test_no_output_filters_the_record",
    ),
    _row(
        "batch expand steps give a list for each message",
        "::test_batch_expand_step_takes_",
        "::test_batch_expand_gives_list_i_for_message_i",
    ),
    _row(
        "steps stand as class, instance or binding; dependencies come by name; coroutines inside "
        "WithAsync; batches of one inside a router",
        "::test_declaring_steps_as_class_instance_and_binding",
        "::test_declaring_steps_deps_arrive_as_keyword_arguments_by_name",
        "::test_declaring_steps_execute_may_be_a_coroutine_inside_with_async",
        "::test_declaring_steps_batch_step_inside_a_router_branch",
        "test_router.py::test_a_batch_step_in_a_branch_runs_on_a_batch_of_one",
    ),
    _row("three shapes", "::test_stream_shape_is_"),
    _row("a step's name and log", "::test_step_name_is_", "::test_step_log_is_"),
    _row("deferred bindings; overrides win", "::test_configurable_from_config_", "_configure_"),
    _row(
        "batches and windows, event time included",
        "::test_collect_batch_compiles_with_every_window_strategy",
        "test_collect_batch.py::test_tumbling_windows_",
        "test_collect_batch.py::test_a_session_ends_",
        "test_collect_batch.py::test_a_late_record_goes_to_the_late_sink",
    ),
    _row("back to records, and to nothing", "::test_for_each_turns_batches_into_records_and_drain"),
    _row(
        "routers choose in place and keep the order after them",
        "::test_router_by_",
        "::test_router_when_",
        "::test_router_branches_may_end_in_a_terminal",
        "test_router.py::test_records_keep_their_order_after_it",
    ),
    _row(
        "forks split for good; no default is refused at least once",
        "::test_fork_is_a_terminal_split",
        "::test_fork_without_default_is_refused_at_least_once",
        "test_fork.py::test_each_record_takes_one_branch_to_its_end",
    ),
    _row(
        "broadcasts copy every record to every branch",
        "::test_broadcast_is_a_terminal_copy",
        "test_broadcast.py::test_every_branch_gets_every_record",
    ),
    _row(
        "one event becomes typed rows",
        "::test_explode_needs_a_router",
        "::test_payload_expander_",
        "::test_expand_routes_sends_each_row_type",
        "test_expansion.py::test_explode_rows_are_routed_by_their_type",
    ),
    _row(
        "sync dependencies per worker or batch; an async one is refused",
        "::test_with_provides_sync_dependencies_per_worker_or_batch",
        "::test_with_refuses_an_async_context_manager",
        "test_with.py::test_a_batchs_context_is_opened_and_closed_for_each_batch",
    ),
    _row(
        "concurrent execution, each record with its deadline; a sync context is refused",
        "::test_with_async_has_concurrency_deadline_and_scope",
        "::test_with_async_refuses_a_sync_context_manager",
        "test_with_async.py::test_records_run_at_once_up_to_the_limit",
        "test_with_async.py::test_every_record_has_a_deadline_of_its_own",
    ),
    _row(
        "a fresh context each time; batch scope needs it",
        "::test_context_factory_makes_a_fresh_context_manager",
        "::test_context_factory_is_what_batch_scope_needs",
    ),
    _row("expressions over message and payload", "::test_msg_and_payload_evaluate"),
    _row("hand-written routing", "::test_selector_and_predicate_are_protocols"),
    _row(
        "four kinds of error; a DomainError is business",
        "::test_error_kind_is_",
        "::test_a_domain_error_is_business_and_anything_else_is_task",
    ),
    _row(
        "envelopes tell everything and the peer still reads them",
        "::test_error_envelope_carries_what_failed",
        "::test_error_envelope_fields_of_our_own_do_not_break_the_peer",
    ),
)

COMPILING = (
    _row(
        "every issue before raising, each with code, message, component, field, file and line",
        "::test_compile_flow_collects_every_issue",
        "::test_compile_flow_issues_have_code_message_component_field_file_and_line",
    ),
    _row(
        "the plan's attributes",
        "::test_compiled_plan_has_every_attribute_of_the_contract",
        "::test_compiled_plan_is_frozen",
    ),
    *(
        _row(f"refused: {what}", f"::test_refusal_of_{name}")
        for what, name in (
            ("shapes that do not meet", "a_shape_mismatch"),
            ("a terminal before the end", "a_terminal_that_is_not_last"),
            ("an output beside a fork or broadcast", "an_output_beside_a_fork_or_broadcast"),
            ("no end", "no_terminal_output"),
            ("a fork branch without an end", "a_fork_branch_without_terminal_output"),
            ("unsafe nodes in a router branch", "unsafe_nodes_inside_a_router_branch"),
            ("an explode without a router", "explode_not_followed_by_a_router"),
            ("an envelope of no payload", "an_unparameterised_error_envelope_payload"),
            ("no Kafka configuration", "missing_kafka_configuration"),
            ("contradictory Kafka configuration", "contradictory_kafka_configuration"),
            ("a step that its section cannot build", "a_step_that_cannot_be_built"),
        )
    ),
)

RUNNING = (
    _row(
        "three factories",
        "::test_streaming_runner_from_yaml",
        "::test_streaming_runner_from_dict",
        "::test_streaming_runner_from_context",
    ),
    _row("the dataflow is Bytewax's", "::test_streaming_runner_build_dataflow_"),
    _row("preparing twice is safe", "::test_streaming_runner_prepare_run_is_safe_to_call_twice"),
    _row(
        "run takes flow, configuration and runtime",
        "::test_streaming_runner_run_takes_flow_and_config$",
        "::test_streaming_runner_run_takes_flow_and_config_path",
        "::test_streaming_runner_run_takes_a_runtime_that_wins",
    ),
    _row(
        "without a plan the factories are named",
        "::test_streaming_runner_without_a_plan_names_the_factories",
    ),
    _row(
        "a run tells its poll cycle and flow, scrapes are served, resources are released",
        "::test_streaming_runner_run_tells_poll_cycle_and_flow",
        "::test_streaming_runner_run_starts_the_scrape_server_when_configured",
        "::test_streaming_runner_run_that_fails_tells_so_and_releases_its_resources",
    ),
    _row("shutdown is idempotent", "::test_streaming_runner_shutdown_is_idempotent"),
    _row("shutting down never raises", "::test_shutdown_runner_logs_and_never_raises"),
    _row("trace ids", "_generate_trace_id_gives_32_hex_digits"),
    _row("runtime settings", "::test_config_streaming_runtime"),
    _row(
        "error sinks: given, registered, routed, in this order",
        "::test_error_sink_builds_from_",
        "::test_error_sinks_given_win_over_registered_over_the_plans_routes",
    ),
    _row(
        "registered sinks are found by type; two on one kind is an error",
        "::test_sink_registry_takes_classes_",
        "::test_sink_registry_matches_on_type_",
        "::test_sink_registry_two_sinks_claiming_one_kind_",
    ),
)

CONFIGURING = (
    _row("files merge left to right", "::test_config_several_yaml_files_merge_left_to_right"),
    _row("the environment is interpolated", "::test_config_environment_interpolation"),
    _row("Kafka consumers", "::test_config_kafka_consumer$", "::test_config_kafka_consumers_by_"),
    _row("Kafka producers", "::test_config_kafka_producer$", "::test_config_kafka_producers_by_"),
    _row("delivery is one of two", "::test_config_kafka_delivery_is_one_of_two"),
    _row("security", "::test_config_kafka_security_reaches_the_client"),
    _row("further settings shadow no typed one", "::test_config_kafka_extra_settings_may_not_"),
    _row("sinks and observability", "::test_config_streaming_sinks", "::test_config_observability"),
)

OBSERVING = (
    _row("made as noop or from configuration", "::test_observability_noop_", "_from_config"),
    _row("spans and events", "::test_observability_span_takes_", "::test_observability_emit_"),
    _row("scrapes on loopback", "::test_observability_scrape_server_is_on_loopback_"),
    _row(
        "an event's fields, kinds, statuses and scopes",
        "::test_observability_lifecycle_event_fields",
        "::test_observability_event_kinds_",
        "::test_observability_statuses_",
        "::test_observability_scopes",
    ),
    _row("an observer stops nothing", "::test_observability_an_observer_that_raises_"),
    _row(
        "the async bridge",
        "::test_async_bridge_takes_",
        "::test_async_bridge_run_returns_the_result",
        "::test_async_bridge_run_has_a_timeout",
        "::test_async_bridge_shutdown_is_idempotent",
        "::test_async_bridge_past_the_timeout_",
        "::test_build_backend_options_",
    ),
)

TESTING = (
    _row(
        "three factories",
        "::test_streaming_test_runner_from_flow_",
        "::test_streaming_test_runner_from_yaml_and_from_dict",
    ),
    _row("setters chain", "::test_streaming_test_runner_every_setter_returns_the_runner"),
    _row("raw records too", "::test_streaming_test_runner_with_messages_takes_"),
    _row("output of every sink", "::test_streaming_test_runner_output_has_every_terminal_sink"),
    _row("envelopes by kind", "::test_streaming_test_runner_errors_are_envelopes_by_kind_"),
    _row("reset", "::test_streaming_test_runner_reset_"),
)

DELIVERING = (
    _row(
        "at least once, a kill included",
        "test_kill.py::test_sigkill_loses_nothing_",
        "test_unrouted.py::test_an_unrouted_failure_ends_the_run_with_its_offset_uncommitted",
    ),
    _row(
        "at most once the client commits on its own schedule",
        "::test_at_most_once_the_client_commits_what_is_not_written_yet",
        "::test_at_most_once_a_failed_run_is_not_repeated",
    ),
    _row(
        "offsets need not be contiguous",
        "::test_a_partition_that_ends_in_a_transaction_marker_",
        "::test_compacted_offsets_are_passed_over",
    ),
    _row(
        "a replay from a snapshot is told and never rewinds the group",
        "::test_a_replay_from_a_snapshot_never_rewinds_the_committed_offset",
    ),
    _row("an idle partition commits again", "::test_an_idle_partition_commits_its_position_again"),
    _row("durable partition keys", "::test_delivery_partition_state_keys_"),
    _row(
        "a start at the snapshot, else the commit, else by policy",
        "::test_a_snapshot_ahead_of_the_committed_offset_wins",
        "::test_the_committed_offset_wins_over_the_policy",
        "::test_without_snapshot_and_commit_earliest_",
        "::test_without_snapshot_and_commit_latest_",
    ),
    _row(
        "what cannot be delivered is dead-lettered or ends the run",
        "::test_a_refused_batch_goes_to_the_dlq_with_the_reason",
        "::test_without_a_dlq_the_run_fails_and_nothing_past_it_is_committed",
    ),
    _row(
        "drains lose and repeat nothing",
        "::test_drains_lose_nothing_and_repeat_",
        "::test_a_drain_with_a_store_keeps_what_is_held_",
    ),
)

ON_THE_WIRE = (
    _row("JSON by default", "::test_wire_format_json_is_the_default", "_json_any_kafka_tool_"),
    _row("MessagePack", "::test_wire_format_msgpack_"),
    _row("the peer's envelope", "::test_wire_format_loom_is_", "test_peer.py::"),
    _row("header names", "::test_wire_header_names"),
    _row("what does not decode keeps its bytes", "::test_wire_record_that_does_not_decode_"),
)

BEYOND = (
    _row("keyed state", "::test_stateful_step_keeps_a_struct", "(nodes|execution)/.*stateful"),
    _row(
        "state outlives a kill",
        "::test_sigkill_loses_neither_records_nor_state_with_a_store",
    ),
    _row("event-time windows", "test_window_model.py::test_windows_give_what_the_model_gives"),
    _row(
        "keyed nodes at least once on a cluster",
        "test_cluster.py::test_keyed_state_survives_sigkill_of_one_process",
        "test_cluster.py::test_a_cluster_drains_in_any_order",
    ),
    _row(
        "the ledger balances for any flow",
        "::test_any_flow_gives_what_the_oracle_gives_and_its_ledger_balances",
    ),
)

ROWS = (
    *DECLARING,
    *COMPILING,
    *RUNNING,
    *CONFIGURING,
    *OBSERVING,
    *TESTING,
    *DELIVERING,
    *ON_THE_WIRE,
    *BEYOND,
)
