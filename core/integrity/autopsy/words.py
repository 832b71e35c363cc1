"""What an autopsy says: the cause in a sentence or two, what stays unknown, and the line of code that mends it."""

from collections.abc import Callable, Iterator

import numpy as np

from core.errors import shown
from core.integrity.autopsy.case import Case, percent, right, rows
from core.integrity.autopsy.verdict import Cause


def explanation(case: Case) -> str:
    """The cause in one or two sentences."""
    return _EXPLAINED[case.cause](case)


def cannot_know(case: Case) -> tuple[str, ...]:
    """What these files cannot tell, a sentence each."""
    return tuple(_unknown(case))


def code(case: Case) -> str:
    """The line of Python that avoids or mends the cause; "" where no line does."""
    return _CODE[case.cause](case)


def _after(case: Case) -> str:
    return f" After the repair {right(case.corrected)} of the answers are right." if case.corrected else ""


def _sound(case: Case) -> str:
    others = {name: weight for name, weight in case.weights.items() if name != "sound"}
    if case.weights["sound"] < 0.5:
        fits = max(others, key=others.__getitem__)
        return (
            f"Nothing wrong can be shown: {right(case.as_given)} right answers may be those of a weak model, but these "
            f"rows cannot rule out that something is wrong ({_NAMES[fits]} fits as well). Guessing gives "
            f"{percent(case.guess)}."
        )
    if case.as_given.interval.low <= case.guess:
        return (
            f"Nothing wrong was found, but {right(case.as_given)} right answers can hardly be told from guessing, "
            f"which gives {percent(case.guess)}."
        )
    return (
        f"Nothing wrong was found: {right(case.as_given)} of the answers are right, row by row and class by class, and "
        "no other order of rows or classes explains them better."
    )


def _shuffled(case: Case) -> str:
    if "order" in case.repair:
        return (
            f"The answers stand in another order than the truth, and it is a known one ({case.repair['order']})."
            f"{_after(case)}"
        )
    if case.repair.get("only") == "blocks":
        return (
            "Truth and answers both come in runs of one class, but in different orders, as when class folders are "
            f"listed alphabetically in one place and otherwise in another. Row by row {right(case.as_given)} are "
            f"right, and the best order could make {percent(case.ceiling)} right."
        )
    return (
        "The answers stand in another order than the truth. Each class was answered about as often as there are images "
        f"of it, but row by row the two agree no more often ({percent(case.as_given.accuracy)}) than in any order by "
        f"chance ({percent(case.guess)})."
    )


def _shifted(case: Case) -> str:
    offset = case.repair["shift"]
    way = "further up" if offset < 0 else "further down"
    since = f" from row {case.repair['from']:,} on (counted from 0)" if "from" in case.repair else ""
    return f"Each answer{since} belongs to the truth {rows(abs(offset))} {way}.{_after(case)}"


def _permuted(case: Case) -> str:
    if "columns" in case.repair:
        return (
            "The columns of the probabilities are in another order than the classes: the most probable one is not the "
            f"class that was answered, but always the same other one.{_after(case)}"
        )
    if len(case.answers.classes) == 2:
        return f"The two classes are exchanged: what is answered as one is the other.{_after(case)}"
    named = f" ({case.order})" if case.order else ""
    what = "columns of probabilities" if not case.answers.labelled else "class numbers"
    cut = " Besides, some rows are missing or repeated." if set(case.repair) - {"mapping"} else ""
    return (
        f"Rows are in place, but {what} mean other classes in the answers than in the truth{named}.{cut}{_after(case)}"
    )


def _truncated(case: Case) -> str:
    truth, predicted = len(case.answers.truth), len(case.answers.predicted)
    less = "answers than true classes" if predicted < truth else "true classes than answers"
    where = case.repair["missing"]
    return (
        f"There are {abs(truth - predicted):,} fewer {less} ({min(truth, predicted):,} and {max(truth, predicted):,}): "
        f"the {where} ones are missing, and the others are in place.{_after(case)}"
    )


def _repeated(case: Case) -> str:
    repair, what = case.repair, case.repair["what"]
    if what == "ids":
        return (
            f"{rows(len(case.answers.truth))} are about {repair['kept']:,} images: some ids come again, and these "
            f"images count more than once.{_after(case)}"
        )
    if what == "both":
        times = len(case.answers.truth) / repair["first"]
        return (
            f"The same {rows(repair['first'])} come {times:.3g} times, truth and answers alike: every image counts "
            f"that often, so intervals are narrower than they may be.{_after(case)}"
        )
    if what == "truth" and repair.get("first") == 1:
        only = shown(case.answers.classes[case.answers.truth[0]])
        return (
            f"The truth says {only} in every row, while the answers come in runs of one class after another: the "
            "model saw pictures in some order, and this truth is not theirs."
        )
    if what == "truth" and "first" in repair:
        return (
            f"The truth repeats its first {rows(repair['first'])} over and over, so what stands beside later answers "
            f"is about other images.{_after(case)}"
        )
    if what == "truth":
        return f"The truth says each class {repair['each']} times, one after the other.{_after(case)}"
    if "first" in repair:
        return f"The answers repeat their first {rows(repair['first'])}.{_after(case)}"
    times = repair.get("each", repair.get("rounds"))
    how = "one after the other" if "each" in repair else "in rounds over all images"
    return f"Each image was answered {times:.3g} times, {how}, and the truth is not written that way.{_after(case)}"


def _constant(case: Case) -> str:
    totals = np.bincount(case.answers.predicted, minlength=len(case.answers.classes))
    label, share = case.answers.classes[int(totals.argmax())], totals.max() / totals.sum()
    every = "Every answer is" if share == 1 else f"{percent(share)} of the answers are"
    return (
        f"{every} {shown(label)}. The accuracy of {percent(case.as_given.accuracy)} is only how common that class is, "
        "and says nothing about the model."
    )


def _chance(case: Case) -> str:
    if case.repair.get("only") == "loose":
        return (
            "The answers hang together with the truth, but not class by class: no order of rows or classes that was "
            f"tried explains them, and {right(case.as_given)} are right, where guessing gives {percent(case.guess)}."
        )
    if case.repair.get("only") == "weak":
        return (
            f"The answers are hardly better than guessing: {right(case.as_given)} are right, where guessing gives "
            f"{percent(case.guess)}, and no order of rows or classes that was tried explains them better."
        )
    return (
        "The answers have nothing to do with the truth, and it is not only their order: classes are answered in other "
        f"shares than there are images of them, so no order could make more than {percent(case.ceiling)} right."
    )


def _leaked(case: Case) -> str:
    leak = case.answers.leak
    told = (
        f"{leak.shared:,} of {leak.evaluated:,} evaluated images were learned from, so the report says partly what the "
        "model knows by heart."
    )
    return told + (f" Without them {right(case.corrected)} are right." if case.corrected else "")


_EXPLAINED: dict[Cause, Callable[[Case], str]] = {
    "sound": _sound,
    "shuffled": _shuffled,
    "shifted": _shifted,
    "permuted-classes": _permuted,
    "truncated": _truncated,
    "repeated": _repeated,
    "constant": _constant,
    "chance": _chance,
    "leaked": _leaked,
}
_NAMES: dict[Cause, str] = {
    "shuffled": "answers in another order",
    "shifted": "answers some rows off",
    "permuted-classes": "exchanged classes",
    "repeated": "a repeated truth",
    "constant": "one class for all",
    "chance": "guessing",
}


def _unknown(case: Case) -> Iterator[str]:
    answers, cause = case.answers, case.cause
    if cause == "shuffled" and "order" not in case.repair:
        yield "Which answer belongs to which image is lost; how good the model is can only be had by asking it again."
        yield "A model that knows nothing, but answers each class as often as it occurs, would look the same."
    if cause == "chance" and "only" not in case.repair:
        yield "Why the model knows nothing: untrained weights, other preprocessing, labels that were mixed in training."
    if cause in ("shuffled", "chance") and "order" not in case.repair:
        yield "Whether two faults came together, such as a shift and exchanged classes: of pairs only few were tried."
    if cause == "chance" and case.repair.get("only") == "loose":
        yield "What the answers follow instead: other classes, merged classes, or an order of whole blocks of rows."
    if cause == "constant":
        yield "Why one class is answered: training, preprocessing, or a slip when the answers were written down."
    if cause in ("shifted", "permuted-classes") and case.by_classes:
        yield "The truth comes class after class, where classes in other places and a shift by a class look alike."
    if cause == "permuted-classes" and "columns" not in case.repair:
        yield "Whether the truth or the answers use the wrong numbers: the figures are the same."
        if len(answers.classes) == 2:
            yield "Whether the model itself learned the two classes the wrong way round."
        elif len(case.repair["mapping"]) == 2:
            yield "Whether the model itself takes these two classes for each other nearly always."
    if cause in ("sound", "leaked", "truncated"):
        yield "Whether the true classes are right, and whether these images are like those the model will meet."
    if cause in ("sound", "leaked") and case.by_classes:
        yield "A shift by a row or two hardly shows, as the truth comes class after class: it moves the borders alone."
    if len(np.unique(answers.truth)) == 1:
        yield "Anything about other classes: the truth names only one."
    if answers.leak is None:
        yield "Whether evaluated images were learned from: no list of the files of training was given."
    elif not answers.leak.shared and answers.leak.how == "the same name":
        yield "Whether images were learned from under other names, turned, or saved anew: only names were compared."
    if answers.leak is not None and answers.leak.doubtful:
        yield (
            f"Whether {answers.leak.doubtful:,} further images are the same: their names agree, but such names "
            "occur in many folders."
        )
    if answers.numbered:
        yield "Whether 0 is really the first name in alphabetical order, as was assumed."


def _shift_code(case: Case) -> str:
    if "from" in case.repair:
        return "rows.append((file, label, answer))  # in one loop, so that an image left out leaves both lists"
    return "loader = DataLoader(test_set, shuffle=False)  # a fresh one for each pass; in Keras: generator.reset()"


def _permuted_code(case: Case) -> str:
    if "columns" in case.repair or not case.answers.labelled:
        return "columns = model.classes_  # name the columns in the order in which the model was trained"
    if case.order.startswith("string order"):
        return "classes = sorted(folders, key=int)  # else '10' comes before '2'"
    return "classes = train_set.classes  # one list of classes, kept with the weights, for truth and answers"


def _shuffled_code(case: Case) -> str:
    if "order" in case.repair:
        return "files = sorted(folder.iterdir())  # one list of files, for the images and for the labels"
    return "loader = DataLoader(test_set, shuffle=False)  # and take the labels from the same loop"


def _repeated_code(case: Case) -> str:
    if case.repair["what"] == "answers":
        return "predicted = probabilities.reshape(views, len(test_set), -1).mean(axis=0).argmax(axis=1)"
    return "steps = math.ceil(len(test_set) / batch_size)  # go over the images once"


_CODE: dict[Cause, Callable[[Case], str]] = {
    "sound": lambda case: "",
    "shuffled": _shuffled_code,
    "shifted": _shift_code,
    "permuted-classes": _permuted_code,
    "truncated": lambda case: "loader = DataLoader(test_set, drop_last=False)",
    "repeated": _repeated_code,
    "constant": lambda case: "print(np.bincount(predicted))  # look at the answers before the accuracy",
    "chance": lambda case: "model.load_state_dict(best, strict=True); model.eval()  # and preprocess as in training",
    "leaked": lambda case: "assert not set(train_files) & set(test_files)",
}
