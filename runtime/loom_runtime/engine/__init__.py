"""The only package that knows Bytewax: a layout becomes a dataflow of few operators."""
