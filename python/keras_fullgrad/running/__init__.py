"""Data through a traced function: batches, memory, replicas, and the traces that are kept."""
