"""Loads the fixtures that the tests share."""

pytest_plugins = [
    "tests.broker_fixtures",
    "tests.delivery.places",
    "tests.docker_fixtures",
    "tests.kafka_fixtures",
    "tests.side_by_side",
]
