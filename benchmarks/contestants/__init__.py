"""The programs that the benchmarks start as fresh processes, one module each."""
