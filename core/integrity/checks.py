"""Everything that a health check looks for, the gravest kinds of fault first."""

from core.integrity.balance import imbalance
from core.integrity.subject import Check

CHECKS = (
    Check("imbalance", "Class imbalance", "Classes of which there are many more pictures than of others", imbalance),
)
