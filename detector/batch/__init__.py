"""A corpus → part files: resumable, repeatable byte for byte, in one process, in several, or on a Ray cluster.

In reading order: `sources` (what the arguments mean), `records` (their documents, streamed), `parts` (fixed ranges of
them), `schema` (a part's rows and bytes), `store` (files that appear whole), `work` (part → file and receipt: the
function that every engine runs), `pool` (processes), `run` (what is missing, made), `ray_engine`, `summary`.

A part is done when its receipt is there; both are renamed into place, the part's file first. ``errors.jsonl`` and
``manifest.json`` are made from the receipts when a run ends, so nothing is ever lost or doubled by ending it early.
"""
