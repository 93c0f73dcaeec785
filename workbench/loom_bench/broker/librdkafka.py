"""The mock-cluster functions of the librdkafka that confluent-kafka carries, through ctypes.

Their header calls them experimental: outside librdkafka's promise of a stable interface. Functions
that some release lacks are looked up when they are called, and their absence is an error of the
call, not of the import.
"""

import ctypes
import ctypes.util
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_RD_KAFKA_PRODUCER = 0
_ERROR_TEXT_BYTES = 512
# Where the wheels of Linux and Windows, and of macOS, keep it, relative to the package.
_WHEEL_FOLDERS = ("../confluent_kafka.libs", ".dylibs", ".")
_FILE_PATTERNS = ("librdkafka*.so*", "librdkafka*.dylib", "librdkafka*.dll")


class MockClusterError(Exception):
    """librdkafka refused a call on its mock cluster, or does not have the function.

    `code` is its error number, 0 where there is none.
    """

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code


def library_path() -> str | None:
    """The bundled librdkafka, else the system's; None when there is neither."""
    spec = importlib.util.find_spec("confluent_kafka")
    for package in (spec.submodule_search_locations or ()) if spec else ():
        for folder in _WHEEL_FOLDERS:
            for pattern in _FILE_PATTERNS:
                for path in sorted((Path(package) / folder).glob(pattern)):
                    return str(path.resolve())
    return ctypes.util.find_library("rdkafka")


class MockCluster:
    """A mock cluster that serves clients of any process until this process ends.

    Broker ids count from 1; -1 stands for all brokers where a call takes one. Errors are the
    numbers of the Kafka protocol; `-195` (librdkafka's transport error) makes the broker drop the
    connection instead of answering.
    """

    def __init__(self, library: str, broker_count: int) -> None:
        self._library = ctypes.CDLL(library)
        self._cluster = ctypes.c_void_p()
        text = ctypes.create_string_buffer(_ERROR_TEXT_BYTES)
        client = self._pointer(
            "rd_kafka_new", _RD_KAFKA_PRODUCER, None, text, ctypes.c_size_t(_ERROR_TEXT_BYTES)
        )
        if not client.value:
            raise MockClusterError(text.value.decode("utf-8", "replace"))
        self._cluster = self._pointer(
            "rd_kafka_mock_cluster_new", client, ctypes.c_int(broker_count)
        )
        if not self._cluster.value:
            raise MockClusterError("librdkafka did not start its mock cluster")
        # It cannot serve requests to create topics. With a controller named, clients are told so;
        # without one they wait for it for ever.
        self._call_if_there("rd_kafka_mock_set_controller_id", ctypes.c_int32(1))

    def bootstrap(self) -> str:
        """Its brokers' addresses, separated by commas."""
        function = self._library["rd_kafka_mock_cluster_bootstraps"]
        function.restype = ctypes.c_char_p
        addresses: bytes = function(self._cluster)
        return addresses.decode()

    def create_topic(self, topic: str, partitions: int) -> None:
        """Create a topic with its partitions led by the brokers in turn."""
        self._checked("topic_create", topic.encode(), ctypes.c_int(partitions), ctypes.c_int(1))

    def delete_topic(self, topic: str) -> None:
        """Delete a topic with its records (not in every librdkafka)."""
        self._checked("topic_delete", topic.encode())

    def delete_records(self, topic: str, partition: int, before_offset: int) -> None:
        """Make `before_offset` the first offset of a partition (not in every librdkafka)."""
        self._checked(
            "partition_delete_records",
            topic.encode(),
            ctypes.c_int32(partition),
            ctypes.c_int64(before_offset),
        )

    def push_request_errors(self, api_key: int, errors: Sequence[int]) -> None:
        """Answer the next requests of a kind, one per error, with these errors."""
        codes = (ctypes.c_int * len(errors))(*errors)
        self._void(
            "push_request_errors_array",
            ctypes.c_int16(api_key),
            ctypes.c_size_t(len(errors)),
            codes,
        )

    def push_broker_request_errors(
        self, broker: int, api_key: int, errors_and_delays_ms: Sequence[Sequence[int]]
    ) -> None:
        """The same on one broker, each error (0 for none) with a delay of its answer."""
        flat = [ctypes.c_int(number) for pair in errors_and_delays_ms for number in pair]
        function = self._function("rd_kafka_mock_broker_push_request_error_rtts")
        # Variadic: platforms that pass the rest differently need to know where it begins.
        function.argtypes = [ctypes.c_void_p, ctypes.c_int32, ctypes.c_int16, ctypes.c_size_t]
        self._check(
            "broker_push_request_error_rtts",
            function(self._cluster, broker, api_key, len(errors_and_delays_ms), *flat),
        )

    def clear_request_errors(self, api_key: int) -> None:
        """Forget the cluster-wide errors still waiting for a kind of request."""
        self._void("clear_request_errors", ctypes.c_int16(api_key))

    def set_broker_down(self, broker: int) -> None:
        """Drop its connections and refuse new ones; its data stays, its leaderships too."""
        self._checked("broker_set_down", ctypes.c_int32(broker))

    def set_broker_up(self, broker: int) -> None:
        """Accept connections again."""
        self._checked("broker_set_up", ctypes.c_int32(broker))

    def set_rtt(self, broker: int, rtt_ms: int) -> None:
        """Delay every answer of a broker."""
        self._checked("broker_set_rtt", ctypes.c_int32(broker), ctypes.c_int(rtt_ms))

    def set_partition_leader(self, topic: str, partition: int, broker: int) -> None:
        """Move a partition's leadership; -1 leaves it without a leader."""
        self._checked(
            "partition_set_leader",
            topic.encode(),
            ctypes.c_int32(partition),
            ctypes.c_int32(broker),
        )

    def set_topic_error(self, topic: str, error: int) -> None:
        """Answer metadata requests for a topic with an error; 0 ends it."""
        self._void("topic_set_error", topic.encode(), ctypes.c_int(error))

    def set_group_coordinator(self, group: str, broker: int) -> None:
        """Make a broker the coordinator of a consumer group."""
        self._checked("coordinator_set", b"group", group.encode(), ctypes.c_int32(broker))

    def _function(self, name: str) -> Any:
        try:
            return self._library[name]
        except AttributeError:
            raise MockClusterError(f"this librdkafka has no function {name}") from None

    def _pointer(self, name: str, *arguments: object) -> ctypes.c_void_p:
        function = self._function(name)
        function.restype = ctypes.c_void_p
        return ctypes.c_void_p(function(*arguments))

    def _void(self, name: str, *arguments: object) -> None:
        function = self._function(f"rd_kafka_mock_{name}")
        function.restype = None
        function(self._cluster, *arguments)

    def _checked(self, name: str, *arguments: object) -> None:
        function = self._function(f"rd_kafka_mock_{name}")
        self._check(name, function(self._cluster, *arguments))

    def _check(self, name: str, error: int) -> None:
        if error:
            describe = self._library["rd_kafka_err2str"]
            describe.restype = ctypes.c_char_p
            raise MockClusterError(f"{name}: {describe(error).decode()}", error)

    def _call_if_there(self, name: str, *arguments: object) -> None:
        try:
            function = self._library[name]
        except AttributeError:
            return
        function(self._cluster, *arguments)
