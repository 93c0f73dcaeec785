"""One record's way through a flow, recorded node by node."""
