"""What users have → `Document`: one file per kind of source."""
