"""The tree is the API: what a class offers decides where it stands."""

import pytest

from genlib.models.vae import VAE
from genlib.oracles import LinearGaussianVAE
from genlib.taxonomy import TREE, describe, leaves, place


def offering(*methods):
    return type("Model", (), {method: lambda self: None for method in methods})


@pytest.mark.parametrize(("path", "methods"), list(leaves()))
def test_a_model_with_a_leaf_s_methods_stands_there_as_class_and_as_object(path, methods):
    model = offering(*methods)
    assert place(model) == place(model()) == path


def test_the_most_specific_leaf_wins():
    everything = {method for _, methods in leaves() for method in methods}
    assert place(offering(*everything)) == "explicit density / tractable / invertible (flow)"
    assert place(offering("log_prob", "elbo", "sample")).startswith("explicit density / tractable")
    assert place(offering("energy", "transition", "sample")) == "explicit density / approximate / Markov chain"


def test_a_vae_is_variational_and_the_linear_gaussian_one_is_tractable():
    assert place(VAE(4, 2)) == "explicit density / approximate / variational"
    assert place(LinearGaussianVAE(4, 2)) == "explicit density / tractable / factorised or closed form"


def test_without_sample_there_is_no_place():
    with pytest.raises(ValueError, match="no place"):
        place(offering("log_prob"))
    with pytest.raises(ValueError, match="no place"):
        place(type("Odd", (), {"sample": 3}))


def test_the_text_names_every_branch_and_leaf_once():
    text = describe()
    names = [name for path, _ in leaves() for name in path.split(" / ")]
    assert all(name in text for name in names)
    assert len(text.splitlines()) == count(TREE)


def count(tree):
    return sum(1 + (count(below) if isinstance(below, dict) else 0) for below in tree.values())
