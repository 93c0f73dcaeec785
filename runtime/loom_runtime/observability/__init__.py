"""What a run tells about itself: lifecycle events, metrics and the logs they become."""
