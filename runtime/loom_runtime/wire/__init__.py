"""Wire formats: records to messages and back, over bytes, without a Kafka client."""
