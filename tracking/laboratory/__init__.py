"""The tracking laboratory: the rows of the papers' tables, on annotated sequences."""
