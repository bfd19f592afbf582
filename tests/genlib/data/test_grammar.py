"""Grammars against the list of all their sentences. Statistics raise a false alarm at most once in a million runs."""

import math
import re
from collections import Counter

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from genlib.data import SENTENCES, SPLITS, Grammar, decode, encode, load

FALSE_ALARM = 1e-6


@pytest.fixture(scope="module")
def language():
    """Every sentence of ``SENTENCES`` with its probability, as often as it has derivations."""
    return list(SENTENCES.sentences())


# Any grammar of three layers over few words, so that many are ambiguous.
weights = st.floats(0.1, 10)
words = st.dictionaries(st.text("ab", max_size=2), weights, min_size=1, max_size=3)
phrases = st.dictionaries(st.sampled_from(["<word>", "<word>a", "<word><word>", "ab", ""]), weights, min_size=1)
clauses = st.dictionaries(st.sampled_from(["<phrase>", "a<phrase><word>", "b", "<word>b<phrase>"]), weights, min_size=1)
grammars = st.builds(lambda s, p, w: Grammar({"sentence": s, "phrase": p, "word": w}), clauses, phrases, words)


@settings(deadline=None, max_examples=60)
@given(grammars)
def test_recursions_equal_sums_over_all_derivations(grammar):
    derivations = list(grammar.sentences())
    assert grammar.n_sentences() == len(derivations)
    assert grammar.longest() == 1 + max(len(sentence) for sentence, _ in derivations)
    assert math.fsum(p for _, p in derivations) == pytest.approx(1)
    assert grammar.entropy() == pytest.approx(-math.fsum(p * math.log(p) for _, p in derivations), abs=1e-9)
    length = math.fsum(p * (len(sentence) + 1) for sentence, p in derivations)
    assert grammar.expected_length() == pytest.approx(length)
    assert grammar.bits_per_character() == pytest.approx(grammar.entropy() / length / math.log(2), abs=1e-9)
    assert grammar.alphabet() == set("".join(sentence for sentence, _ in derivations))


@settings(deadline=None, max_examples=60)
@given(grammars, st.text("ab", max_size=9))
def test_log_prob_sums_over_derivations(grammar, other):
    total = Counter()
    for sentence, p in grammar.sentences():
        total[sentence] += p
    for sentence in (*total, other):
        expected = math.log(total[sentence]) if total[sentence] else -math.inf
        assert grammar.log_prob(sentence) == pytest.approx(expected, abs=1e-9)


@settings(deadline=None, max_examples=60)
@given(grammars)
def test_samples_are_sentences_for_any_draws(grammar):
    n = grammar.n_choices()
    for value in (0.0, 1 - 2**-53):
        (sentence,) = grammar.written_from(torch.full((1, n), value, dtype=torch.float64).numpy())
        assert grammar.log_prob(sentence) > -math.inf


def test_samples_have_the_probabilities_of_the_sentences():
    grammar = Grammar({
        "sentence": {"<who> <sleeps>.": 3, "hush.": 1},
        "who": {"she": 1, "the cat": 4},
        "sleeps": {"sleeps": 1, "runs": 2},
    })  # fmt: skip
    table = dict(grammar.sentences())
    found = Counter(grammar.sample(20_000, generator=torch.Generator().manual_seed(0)))
    assert set(found) == set(table)
    expected = [20_000 * p for p in table.values()]
    assert scipy.stats.chisquare([found[sentence] for sentence in table], expected).pvalue > FALSE_ALARM


def test_samples_follow_the_generator():
    def draw(seed):
        return SENTENCES.sample(50, generator=torch.Generator().manual_seed(seed))

    assert draw(1) == draw(1) != draw(2)
    generator = torch.Generator().manual_seed(1)
    assert SENTENCES.sample(50, generator=generator) != SENTENCES.sample(50, generator=generator)


@pytest.mark.parametrize("rules", [
    {"sentence": {"<who> sleeps.": 1}},
    {"sentence": {"<who> sleeps.": 1}, "who": {"the cat": 1, "the cat that <who> likes": 1}},
    {"sentence": {"<who> sleeps.": 1}, "who": {"<other>": 1}, "other": {"<who>": 1}},
    {"sentence": {"she sleeps.": 0}}, {"sentence": {"she sleeps.": -1}}, {"sentence": {"hush.": float("nan")}},
    {"sentence": {}}, {"sentence": {"two\nlines": 1}}, {"who": {"she": 1}},
])  # fmt: skip
def test_rules_that_make_no_finite_language_are_refused(rules):
    with pytest.raises(ValueError, match=r"expected|leave it out"):
        Grammar(rules)


def test_every_sentence_of_the_course_has_one_derivation(language):
    assert len({sentence for sentence, _ in language}) == len(language) == SENTENCES.n_sentences()


def test_entropy_of_the_sentences_is_that_of_the_list(language):
    assert math.fsum(p for _, p in language) == pytest.approx(1, abs=1e-12)
    assert SENTENCES.entropy() == pytest.approx(-math.fsum(p * math.log(p) for _, p in language), rel=1e-10)
    length = math.fsum(p * (len(sentence) + 1) for sentence, p in language)
    assert SENTENCES.expected_length() == pytest.approx(length, rel=1e-10)
    assert SENTENCES.longest() == max(len(sentence) for sentence, _ in language) + 1
    for sentence, p in language[:: len(language) // 200]:
        assert SENTENCES.log_prob(sentence) == pytest.approx(math.log(p), abs=1e-9)


@pytest.mark.parametrize("split", SPLITS["sentences"])
def test_splits_are_draws_from_the_grammar(split, language):
    """The mean surprise and length of 2,000 sentences lie within 4.9 standard errors: alarms 4e-6 / 4 per test."""
    probabilities = dict(language)
    sentences = decode(load("sentences", split).x, load("sentences", split).alphabet)
    surprise = torch.tensor([-math.log(probabilities[s]) for s in sentences], dtype=torch.float64)
    length = torch.tensor([len(s) + 1.0 for s in sentences], dtype=torch.float64)
    for values, truth in ((surprise, SENTENCES.entropy()), (length, SENTENCES.expected_length())):
        error = (values.mean() - truth) / (values.std() / len(values) ** 0.5)
        assert abs(error) < scipy.stats.norm.isf(FALSE_ALARM / 4)


def test_splits_repeat_each_other_as_often_as_independent_draws(language):
    """Of test sentences, the share that training has seen is binomial given the training sentences."""
    texts = {split: decode(load("sentences", split).x, load("sentences").alphabet) for split in SPLITS["sentences"]}
    seen = set(texts["train"])
    share = math.fsum(p for sentence, p in language if sentence in seen)
    for split in ("valid", "test"):
        found = sum(sentence in seen for sentence in texts[split])
        assert scipy.stats.binomtest(found, len(texts[split]), share).pvalue > FALSE_ALARM / 2


def bits_of_order(k, codes, p, n_codes):
    """Bits per character of the best model that sees the last ``k`` characters, exactly."""
    padded = np.pad(codes, ((0, 0), (k + 1, 0)))  # (N, k + 1 + T): as if every sentence followed an endless end
    within = padded[:, k:-1] > 0  # what follows a character, and
    within[:, 0] = True  # the first of a sentence; behind the end there is nothing to predict
    window = sum(padded[:, k + 1 - i : padded.shape[1] - i] * n_codes**i for i in range(k + 1))  # (N, T)
    joint = np.bincount(window[within], np.broadcast_to(p[:, None], window.shape)[within], n_codes ** (k + 1))
    context = joint.reshape(-1, n_codes).sum(1)
    nats = -special.xlogy(joint, joint).sum() + special.xlogy(context, context).sum()
    return nats / math.log(2) / SENTENCES.expected_length()


def test_models_with_short_memory_stay_far_above_the_floor(language):
    alphabet = load("sentences", "test").alphabet
    codes, p = encode([s for s, _ in language], alphabet).numpy(), np.array([p for _, p in language])
    bits = [bits_of_order(k, codes, p, len(alphabet)) for k in (0, 1, 2, 4)]
    assert bits == sorted(bits, reverse=True)
    assert bits[2] > 2 * SENTENCES.bits_per_character()
    assert bits[3] > 1.4 * SENTENCES.bits_per_character()


def test_number_and_reflexive_agree_in_every_sentence(language):
    """Each number has a pattern of its own, in which the noun decides the reflexive."""
    like = "(like|follow|see|help)"
    sleep = "(sleep|sing|wait|dream)"
    noun = "(girl|boy|cat|dog)"
    one, many = f"the {noun}", f"(the|two) {noun}s"
    others = f"that ({one} {like}s|{many} {like})"
    singular = f"(the|every) (\\w+ )?(?P<who>girl|boy|cat|dog)( that {like}s ({one}|{many})| {others})? "
    singular += f"({sleep}s|{like}s ({one}|{many}|(?P<self>herself|himself|itself)))[.]"
    plural = f"(the|two) (\\w+ )?{noun}s( that {like} ({one}|{many})| {others})? "
    plural += f"({sleep}|{like} ({one}|{many}|themselves))[.]"
    patterns, reflexives = (re.compile(singular), re.compile(plural)), Counter()
    for sentence, p in language:
        matches = [match for pattern in patterns if (match := pattern.fullmatch(sentence))]
        assert len(matches) == 1, sentence
        who, own = (matches[0].groupdict().get(key) for key in ("who", "self"))
        reflexives[who, own] += p if own else 0
    pairs = {("girl", "herself"), ("boy", "himself"), ("cat", "itself"), ("dog", "itself")}
    assert {pair for pair, p in reflexives.items() if p} == pairs


def test_what_is_no_sentence_has_no_probability():
    assert SENTENCES.log_prob("the dog that two cats follow sleeps.") > -math.inf
    for wrong in (
        "the dog that two cats follow sleep.",
        "the girl that the boys help likes himself.",
        "the dog sleeps",
        "the dog sleeps. ",
        "the dog sleeps.the dog sleeps.",
        "the",
        "",
    ):
        assert SENTENCES.log_prob(wrong) == -math.inf


def test_draws_and_alphabet_are_the_same_on_every_machine():
    # Stored outputs of notebooks rest on these: a change of grammar, seed or order must not go unseen.
    data = load("sentences")
    assert decode(data.x[:2], data.alphabet) == [
        "the small dog that sees the dog sees the girls.",
        "every cat that two cats follow sees the dogs.",
    ]
    assert data.alphabet == "\n .abcdefghiklmnoprstuvwy"
    assert SENTENCES.bits_per_character() == pytest.approx(0.41627, abs=1e-5)
