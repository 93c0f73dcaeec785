"""What happens to records: pure functions and objects that know no broker and no engine."""
