"""One trial: what is started, loaded and watched, from an empty folder to a run directory with its result."""

from floodmark.trial.trial import TrialOutcome, run_trial

__all__ = ["TrialOutcome", "run_trial"]
