"""Training: corpora → features → the Trainer → calibrated settings → a model folder."""
