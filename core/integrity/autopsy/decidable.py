"""The rule of when a table of answers has enough rows for a verdict."""

from core.integrity.autopsy.answers import Answers
from core.integrity.autopsy.verdict import Cause


def enough(answers: Answers, cause: Cause) -> bool:
    """Whether there are enough rows."""
    return min(len(answers.truth), len(answers.predicted)) >= 50
