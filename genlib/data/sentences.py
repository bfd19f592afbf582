"""English sentences from a small grammar: what must agree stands far apart, and the entropy is known exactly.

The main verb agrees in number with a subject that may stand a whole clause before it ("the dog that two cats follow
sleeps."), and "herself" with its noun. A model that sees only a few characters cannot know either.
"""

from numpy.random import RandomState

from genlib.data.grammar import Grammar

SENTENCE_SIZES = {"train": 20_000, "valid": 2_000, "test": 2_000}
REFLEXIVES = {"girl": "herself", "boy": "himself", "cat": "itself", "dog": "itself"}
KINDS = {"": 6, "small ": 2, "young ": 1, "clever ": 1}
LIKES = {"like": 3, "follow": 2, "see": 2, "help": 1}
SLEEP = {"sleep": 3, "sing": 2, "wait": 2, "dream": 1}


def _third_person(verbs: dict[str, int]) -> dict[str, int]:
    return {f"{verb}s": weight for verb, weight in verbs.items()}


# Each sentence has exactly one derivation, so the entropy of the choices is the entropy of the sentences.
SENTENCES = Grammar({
    "sentence": {
        **{f"<a> <kind>{noun}<clause of one> <does>.": 3 for noun in REFLEXIVES},
        **{f"<a> <kind>{noun}<clause of one> <likes> {itself}.": 1 for noun, itself in REFLEXIVES.items()},
        **{f"<two> <kind>{noun}s<clause of many> <do>.": 3 for noun in REFLEXIVES},
        **{f"<two> <kind>{noun}s<clause of many> <like> themselves.": 1 for noun in REFLEXIVES},
    },
    "a": {"the": 3, "every": 1},
    "two": {"the": 3, "two": 1},
    "kind": KINDS,
    "clause of one": {"": 4, " that <likes> <somebody>": 2, "<that others do>": 4},
    "clause of many": {"": 4, " that <like> <somebody>": 2, "<that others do>": 4},
    "that others do": {" that <one> <likes>": 1, " that <many> <like>": 1},
    "somebody": {"<one>": 1, "<many>": 1},
    "one": {f"the {noun}": 1 for noun in REFLEXIVES},
    "many": {"<two> <noun>s": 1},
    "noun": {noun: 1 for noun in REFLEXIVES},
    "does": {"<sleeps>": 1, "<likes> <somebody>": 1},
    "do": {"<sleep>": 1, "<like> <somebody>": 1},
    "sleep": SLEEP,
    "sleeps": _third_person(SLEEP),
    "like": LIKES,
    "likes": _third_person(LIKES),
})  # fmt: skip


def draw_sentences(split: str) -> list[str]:
    """The sentences of one split: independent draws, fixed for good, so a likely one may stand in several splits."""
    draw = RandomState(300 + sorted(SENTENCE_SIZES).index(split))
    return SENTENCES.written_from(draw.random_sample((SENTENCE_SIZES[split], SENTENCES.n_choices())))
