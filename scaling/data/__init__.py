"""Text for training: shards on disk, built once and named by their content, and their batches."""
