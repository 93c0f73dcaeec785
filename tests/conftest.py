"""Loads the fixtures that the tests share."""

pytest_plugins = [
    "tests.broker_fixtures",
    "tests.delivery.places",
    "tests.kafka_fixtures",
]
