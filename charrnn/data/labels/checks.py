"""Checks of labelled text before training."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from charrnn.data.labels.items import Labelled, Tagged
from charrnn.data.labels.wording import counted, shown
from charrnn.errors import ConfigError

MOST_LABELS = 1_000
LONGEST_LABEL = 100
"""In characters."""
DOMINATING = 0.95
"""The share of one label above which accuracy says little."""
OWN_LABELS = 0.9
"""Labels per item above which nearly every item has a different label."""
FEW_ITEMS, SMALL = 10, 50
"""Distinct labels are suspicious from FEW_ITEMS items on; up to SMALL, only if all differ."""
_HOSTILE = {"Cc", "Cs", "Zl", "Zp"}
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def drop_empty(items: Sequence[Labelled]) -> list[Labelled]:
    """Return the items whose text is more than whitespace."""
    return [item for item in items if item.text.strip()]


def check_labelled(items: Sequence[Labelled], *, divided: bool = True) -> list[str]:
    """Check texts and labels before training.

    Empty texts are counted, and excluded from all other counts.

    Parameters
    ----------
    items : sequence of Labelled
        Texts and their labels.
    divided : bool
        Whether they will be divided into a training and a held-out part, not by their files.

    Returns
    -------
    list of str
        Notices, one line each.

    Raises
    ------
    ConfigError
        If no classifier can be trained: there is no text, there are fewer than 2 labels or more
        than ``MOST_LABELS``, every text has a different label, the columns seem to be swapped, or
        a label is not printable.
    """
    kept = drop_empty(items)
    if not kept:
        raise ConfigError(
            "there is no text with a label: each line must be a label, a tab and a text"
        )
    counts = Counter(item.label for item in kept)
    _refuse_swapped(kept, counts)
    _refuse_labels(counts, "label", "text")
    pairs = Counter(kept)
    of_text: defaultdict[str, list[int]] = defaultdict(list)
    for (_, text), number in pairs.items():
        of_text[text].append(number)
    notices = []
    if empty := len(items) - len(kept):
        notices.append(f"{counted(empty, 'empty text')} left out")
    if rare := sum(number == 1 for number in Counter(label for label, _ in pairs).values()):
        verb, pronoun = ("has", "it is") if rare == 1 else ("have", "they are")
        side = f": {pronoun} trained on, not held out" if divided else ""
        notices.append(f"{counted(rare, 'label')} {verb} only one distinct text{side}")
    notices += _copies(len(kept) - len(pairs), "item", divided=divided)
    if several := sum(len(numbers) > 1 for numbers in of_text.values()):
        hits = sum(map(max, of_text.values()))
        bound = (hits, len(kept)) if divided else (1, 1)
        notices.append(_ambiguous(several, "text", "label", *bound))
    return notices + _dominating(counts, "label", "text")


def check_tagged(items: Sequence[Tagged], *, divided: bool = True) -> list[str]:
    """Check sentences and tags before training.

    Parameters
    ----------
    items : sequence of Tagged
        Sentences and their tags.
    divided : bool
        As in ``check_labelled``.

    Returns
    -------
    list of str
        Notices, one line each.

    Raises
    ------
    ConfigError
        If no tagger can be trained: there is no token, there are fewer than 2 tags or more than
        ``MOST_LABELS``, the columns seem to be swapped, or a tag is not printable.
    """
    counts = Counter(tag for item in items for tag in item.tags)
    if not counts:
        raise ConfigError("there is no sentence: each line must be a token, a tab and a tag")
    _refuse_swapped_tags(items, counts)
    _refuse_labels(counts, "tag", "token")
    pairs = Counter(items)
    of_sentence: defaultdict[tuple[str, ...], list[tuple[tuple[str, ...], int]]] = defaultdict(list)
    for (tokens, tags), number in pairs.items():
        of_sentence[tokens].append((tags, number))
    notices = []
    if rare := sum(number == 1 for number in counts.values()):
        notices.append(f"{counted(rare, 'tag')} {'occurs' if rare == 1 else 'occur'} only once")
    notices += _copies(len(items) - len(pairs), "sentence", divided=divided)
    several = [taggings for taggings in of_sentence.values() if len(taggings) > 1]
    if several:
        hits = counts.total() - sum(map(_misses, several))
        bound = (hits, counts.total()) if divided else (1, 1)
        notices.append(_ambiguous(len(several), "sentence", "tagging", *bound))
    return notices + _dominating(counts, "tag", "token")


def _misses(taggings: Sequence[tuple[tuple[str, ...], int]]) -> int:
    """Return how many tags of a sentence are not the most frequent one of their token."""
    misses = 0
    for place in range(len(taggings[0][0])):
        votes: Counter[str] = Counter()
        for tags, number in taggings:
            votes[tags[place]] += number
        misses += votes.total() - max(votes.values())
    return misses


def _refuse_swapped(items: Sequence[Labelled], counts: Mapping[str, int]) -> None:
    """Reject items if most of them have a different label.

    Columns are swapped if there are more labels than texts, even for few items. A small sample of
    a large label set may have nearly as many labels as items; it is rejected only if all differ.
    """
    if len(items) < FEW_ITEMS or 2 * len(counts) <= len(items):
        return
    texts = len({item.text for item in items})
    remedy = (
        "each line must be a label, a tab and a text; for CSV files, --columns names the label's "
        "column first"
    )
    if len(counts) > texts:
        of_labels = sum(len(item.label) for item in items) / len(items)
        of_texts = sum(len(item.text) for item in items) / len(items)
        found = f"and {counted(texts, 'different text')}"
        if of_labels > of_texts:
            found = f"of {of_labels:.0f} characters on average, and texts of {of_texts:.0f}"
        raise ConfigError(
            f"{len(items):,} items have {len(counts):,} labels, {found}: are the columns swapped? "
            f"({remedy})"
        )
    if len(counts) >= (OWN_LABELS if len(items) > SMALL else 1) * len(items):
        every = "every" if len(counts) == len(items) else "nearly every"
        raise ConfigError(
            f"{every} one of {len(items):,} items has a different label: are the columns swapped, "
            f"or is this meant for --prompted? ({remedy})"
        )


def _refuse_swapped_tags(items: Sequence[Tagged], counts: Mapping[str, int]) -> None:
    """Reject more tags than usual tag sets have, if there are far fewer tokens.

    In a few sentences, more tags than tokens are rejected if most tags occur once, as words do:
    bases of DNA may have more tags than there are bases, but each occurs often.
    """
    tokens = {token for item in items for token in item.tokens}
    many = 20 * len(counts) > MOST_LABELS and 2 * len(tokens) < len(counts)
    once = sum(number == 1 for number in counts.values())
    few = sum(counts.values()) >= FEW_ITEMS and len(tokens) < len(counts) < 2 * once
    if many or few:
        raise ConfigError(
            f"there are {len(counts):,} different tags and {len(tokens):,} different tokens: are "
            "the columns swapped? The first column is the token, the last one the tag"
        )


def _refuse_labels(counts: Mapping[str, int], label: str, text: str) -> None:
    """Reject labels that are too few, too many, too long, or unsafe to print."""
    for name in counts:
        if not name:
            raise ConfigError(f"a {text} has an empty {label}: give every {text} a {label}")
        if len(name) > LONGEST_LABEL:
            raise ConfigError(
                f"the {label} {shown(name)} has {len(name):,} characters, and at most "
                f"{LONGEST_LABEL} are allowed: give the {label} a shorter name"
            )
        if not name.isprintable() and any(map(_is_hostile, name)):
            raise ConfigError(
                f"the {label} {shown(name)} has a control character: remove it from the file"
            )
    if len(counts) < 2:
        raise ConfigError(
            f"every {text} has the {label} {shown(next(iter(counts)))}, so there is nothing to "
            f"learn: give {text}s of at least two {label}s"
        )
    if len(counts) > MOST_LABELS:
        raise ConfigError(
            f"there are {len(counts):,} {label}s, and at most {MOST_LABELS:,} are allowed: merge "
            "rare ones into one"
        )


def _is_hostile(character: str) -> bool:
    """Return whether a character could move the cursor or reorder the text around it."""
    return unicodedata.category(character) in _HOSTILE or character in _REORDERING


def _copies(number: int, item: str, *, divided: bool) -> list[str]:
    if not number:
        return []
    verb = "repeats" if number == 1 else "repeat"
    side = ": copies are on the same side of the split" if divided else ""
    return [f"{counted(number, item)} {verb} another{side}"]


def _ambiguous(number: int, text: str, label: str, hits: int, total: int) -> str:
    """Return a notice that texts have several labels, with the bound on accuracy that follows."""
    per_mille = -(-1000 * hits // total)  # rounded up: a bound must hold
    bound = f": no model can be more than {per_mille / 10} % accurate" if per_mille < 1000 else ""
    verb = "has" if number == 1 else "have"
    return f"{counted(number, text)} {verb} several {label}s{bound}"


def _dominating(counts: Counter[str], label: str, text: str) -> list[str]:
    (name, number), *_ = counts.most_common(1)
    if number <= DOMINATING * counts.total():
        return []
    return [
        f"{1000 * number // counts.total() / 10} % of the {text}s have the {label} {shown(name)}: "
        f"the F1 of each {label} is more informative than accuracy"
    ]
