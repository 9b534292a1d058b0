"""Merkle trees, keys and checkpoints: against the RFC's own recursion, and against vectors of other programs."""

import base64
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantry.audit import canon, checkpoint, keys, tree
from tenantry.audit.checkpoint import Checkpoint
from tenantry.audit.keys import PublicKey
from tenantry.errors import SpecError

pytestmark = pytest.mark.pg(">=18")  # no server is asked; once is enough

# The inputs and roots that Certificate Transparency's implementations test with.
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = """\
e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d
fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125
aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77
d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7
4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4
76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef
ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c
5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328
""".splitlines()
VECTOR = [tree.leaf(bytes.fromhex(text)) for text in INPUTS]


def naive_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, as it is written there."""
    if len(leaves) < 2:
        return leaves[0] if leaves else tree.EMPTY
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return tree.node(naive_root(leaves[:k]), naive_root(leaves[k:]))


def naive_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962, 2.1.1."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if index < k:
        return [*naive_path(index, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(index - k, leaves[k:]), naive_root(leaves[:k])]


def leaves_of(count: int) -> list[bytes]:
    return [tree.leaf(bytes([n % 256, n // 256])) for n in range(count)]


@pytest.mark.parametrize("size", range(9))
def test_the_roots_are_the_published_ones(size: int) -> None:
    assert tree.root(VECTOR[:size]).hex() == ROOTS[size]
    assert naive_root(VECTOR[:size]).hex() == ROOTS[size]


@settings(max_examples=40)
@given(st.integers(0, 70))
def test_a_root_is_that_of_the_recursion(count: int) -> None:
    leaves = leaves_of(count)
    grown = tree.Frontier()
    for leaf in leaves:
        grown = tree.Frontier.from_bytes(grown.size, grown.to_bytes()).add(leaf)
    assert tree.root(leaves) == naive_root(leaves) == grown.root


@settings(max_examples=40)
@given(st.data())
def test_an_inclusion_proof_shows_its_leaf_and_no_other(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 70))
    index = data.draw(st.integers(0, count - 1))
    leaves = leaves_of(count)
    path, root = tree.inclusion(leaves, index), tree.root(leaves)
    assert path == naive_path(index, leaves)
    assert tree.includes(leaves[index], index, count, path, root)
    other = data.draw(st.integers(0, count - 1).filter(lambda n: count == 1 or n != index))
    assert tree.includes(leaves[other], index, count, path, root) is (other == index)
    assert tree.includes(leaves[index], other, count, path, root) is (other == index)
    assert not tree.includes(leaves[index], index, count, [*path, root], root)
    assert not tree.includes(leaves[index], index, count, path, tree.EMPTY)
    assert not path or not tree.includes(leaves[index], index, count, path[:-1], root)
    assert not tree.includes(leaves[index], count, count, path, root)


@settings(max_examples=40)
@given(st.data())
def test_a_consistency_proof_shows_the_beginning_and_no_other(data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 70))
    first = data.draw(st.integers(0, count))
    leaves = leaves_of(count)
    path, old, new = tree.consistency(leaves, first), tree.root(leaves[:first]), tree.root(leaves)
    assert tree.consistent(first, old, count, new, path)
    assert not tree.consistent(first, tree.leaf(b"x"), count, new, path)
    assert not tree.consistent(first, old, count, new, [*path, new])
    if first:
        assert not tree.consistent(first, old, count, tree.leaf(b"x"), path)
        assert not tree.consistent(count + 1, old, count, new, path)
    for at in range(len(path)):
        assert not tree.consistent(first, old, count, new, path[:at] + path[at + 1 :])
        assert not tree.consistent(first, old, count, new, [*path[:at], tree.EMPTY, *path[at + 1 :]])


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(IndexError, match="leaf 3 of 3"):
        tree.inclusion(VECTOR[:3], 3)
    with pytest.raises(IndexError, match="4 leaves of 3"):
        tree.consistency(VECTOR[:3], 4)
    with pytest.raises(ValueError, match="2 perfect parts"):
        tree.Frontier.from_bytes(3, b"\0" * 32)
    with pytest.raises(ValueError, match="1 perfect parts"):
        tree.Frontier.from_bytes(1, b"\0" * 33)


# The encoding

FIELDS = st.lists(st.none() | st.text(alphabet=st.characters(codec="utf-8")), max_size=4)


@settings(max_examples=40)
@given(FIELDS, FIELDS)
def test_different_fields_have_different_encodings(one: list[str | None], two: list[str | None]) -> None:
    assert (canon.encode(one) == canon.encode(two)) is (one == two)


def test_an_encoding() -> None:
    assert canon.encode([None, "", "a", "\x1fé"]) == b"-\x1f0:\x1f1:a\x1f3:\x1f\xc3\xa9"


# Keys and notes

PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NOTE = (
    b"If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
)
SIGNED = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="


def test_a_key_and_a_signature_of_the_go_note_package_are_read() -> None:
    key = PublicKey.parse(PETER)
    signature = base64.b64decode(SIGNED)
    assert str(key) == PETER
    assert signature[:4] == key.id
    assert key.verifies(signature[4:], NOTE)
    assert not key.verifies(signature[4:], NOTE + b"!")


def test_a_checkpoint_is_signed_read_and_refused_when_changed(tmp_path: Path) -> None:
    public = keys.create(tmp_path / "key", "audit.example.com")
    key = keys.load(tmp_path / "key")
    assert key.public == public
    assert "secret" not in repr(key)
    point = Checkpoint("audit.example.com", 17, tree.EMPTY).signed([key])
    assert checkpoint.parse(str(point)) == point
    assert point.signed_by(public)
    other = keys.create(tmp_path / "other", "audit.example.com")
    assert not point.signed_by(other)
    for old, new in (("\n17\n", "\n18\n"), ("47DEQ", "57DEQ"), ("audit.example.com\n17", "b\n17")):
        assert not checkpoint.parse(str(point).replace(old, new)).signed_by(public)
    both = point.signed([keys.load(tmp_path / "other")])
    assert both.signed_by(public)
    assert both.signed_by(other)


@pytest.mark.parametrize(
    "text",
    ["", "a\n1\n", "a\n01\nAA==\n\n— a AA==\n", "a\n1\nAA==\n\n— a AA==\n", "a\n1\n" + "A" * 43 + "=\n\nno dash\n", "a\n1\n!\n\n— a AA==\n"],
)  # fmt: skip
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not "):
        checkpoint.parse(text)


def test_keys_are_guarded(tmp_path: Path) -> None:
    path = tmp_path / "key"
    keys.create(path, "log")
    with pytest.raises(FileExistsError):
        keys.create(path, "log")
    with pytest.raises(SpecError, match="no spaces"):
        keys.create(tmp_path / "b", "two words")
    path.chmod(0o640)
    with pytest.raises(SpecError, match="chmod 600"):
        keys.load(path)
    path.chmod(0o600)
    path.write_text(path.read_text().replace("+log+", "+lag+").replace("KEY+log", "KEY+lag"))
    with pytest.raises(SpecError, match="not a private key"):
        keys.load(path)
    with pytest.raises(SpecError, match="cannot be read"):
        keys.load(tmp_path / "none")
    with pytest.raises(SpecError, match="its id does not fit"):
        PublicKey.parse(PETER.replace("Peter", "Paul"))
    with pytest.raises(SpecError, match="not a public key"):
        PublicKey.parse("word")
    (tmp_path / "public").write_text(f"# ours\n{PETER}\n\n")
    assert [str(key) for key in keys.read_public([tmp_path / "public"])] == [PETER]
