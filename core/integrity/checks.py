"""Everything that a health check looks for in the files, the splits and the numbers of a dataset."""

from core.integrity.balance import few_to_judge, few_to_learn, imbalance
from core.integrity.copies import across_classes, across_splits, inside_splits, parted_groups
from core.integrity.exposure import FAULTS, look_for
from core.integrity.files import odd, unreadable
from core.integrity.mask_faults import contradicting_masks, odd_masks, shared_masks
from core.integrity.shortcuts import shortcuts
from core.integrity.subject import Check

CHECKS = (
    Check("unreadable", "Unreadable files", "Files that an import left out, or that are damaged by now", unreadable),
    Check("copies-across-splits", "Copies across splits", "Pictures to learn from that also judge", across_splits),
    Check("parted-groups", "Parted groups", "A patient, video or slide on both sides of the split", parted_groups),
    Check("copies-across-classes", "Copies across classes", "One picture with more than one label", across_classes),
    Check(
        "contradicting-masks", "Contradicting masks", "Copies of one picture with different masks", contradicting_masks
    ),
    Check("shared-masks", "Shared masks", "One mask for different pictures", shared_masks),
    Check("odd-masks", "Odd masks", "Masks that say nothing", odd_masks),
    Check("shortcut", "Shortcuts", "Classes that files and borders give away", shortcuts),
    *(Check(fault.name, fault.label, f"Pictures that are {fault.words}", look_for(fault)) for fault in FAULTS),
    Check("copies", "Copies inside a split", "Pictures that count more than once", inside_splits),
    Check("few-to-learn", "Too few to learn from", "Classes with too few pictures to learn them", few_to_learn),
    Check("few-to-judge", "Too few to judge by", "Pictures that judge, as the width of an interval", few_to_judge),
    Check("imbalance", "Class imbalance", "Classes of which there are many more pictures than of others", imbalance),
    Check("odd-files", "Odd files", "Formats, colours, shapes and names unlike all others", odd),
)
