"""Loads the fixtures that the tests share."""

pytest_plugins = [
    "tests.kafka_fixtures",
]
