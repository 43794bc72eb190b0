"""The errors that a user may cause, and their one-line messages."""


class DetectorError(Exception):
    """Something the user can mend. Its text is one line: the place, the value, the rule, the way out."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class InputError(DetectorError):
    """A text, file or folder that cannot be read as what it is said to be."""


class CorpusError(InputError):
    """An annotated corpus that contradicts its format: the message names file and line."""


class TechniqueError(DetectorError):
    """A technique name that no inventory knows."""


class ConfigError(DetectorError):
    """A recipe with an unknown, missing or wrongly typed key."""


class ModelError(DetectorError):
    """A model folder that is missing, incomplete or not what its hash says."""
