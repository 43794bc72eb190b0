"""`Document` with spans → the formats that users need: one file per format. Strings come out, nothing is written."""
