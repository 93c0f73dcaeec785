"""The declarations that a flow is written in; nothing here runs or connects."""
