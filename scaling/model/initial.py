"""Initial sizes of what enters and leaves a model, found on English novels (LOG.md, 2026-11-21).

Matrices between them have standard deviation 1 / sqrt(inputs), what a block adds is smaller by
sqrt(2 depth). A head of half that size begins near guessing; embeddings well below 1 move far in
the few hundred steps of a small run.
"""

EMBEDDING_SCALE = 0.3
HEAD_SCALE = 0.5
