import copy
import unittest

from eleven_verify import ed25519, form, hashes
from eleven_verify import root as trust

from . import forge, vectors

_SINCE, _LATER = "2026-05-01T00:00:00.000Z", "2026-05-02T00:00:00.000Z"


def _key(label: str, use: str, owner: str) -> dict:
    first = vectors("root.json")["keys"][0]
    kid = f"key:11-11/{label}/2"
    return {**first, "kid": kid, "public": forge.public(kid), "use": use, "owner": owner}


def _set(listed: str, at: int, **more):
    return lambda root: root[listed][at].update(more)


def _nbf(nbf: str):
    return lambda root: root.update(nbf=nbf)


def _retire(root, at=0):
    root["roles"][at].update(status="retired", since=_SINCE)


class Successors(unittest.TestCase):
    """Records are never removed (3): the next version repeats them, and only a status goes on."""

    @classmethod
    def setUpClass(cls):
        first = vectors("root.json")
        cls.retired = forge.second_root(_retire)
        cls.first = first

    def follow(self, former: dict, change, *kids: str) -> dict:
        root = {**copy.deepcopy(trust.body(former)), "version": former["version"] + 1, "prev": trust.root_hash(former)}
        change(root)
        kids = kids or (root["keys"][0]["kid"],)
        root = {**root, "sigs": [{"kid": kid, "val": forge.sign(kid, root)["val"]} for kid in kids]}
        trust.check(root)
        trust.require_successor(root, former)
        return root

    def test_it_begins_no_earlier(self):
        self.follow(self.first, _nbf(self.first["nbf"]))
        later = self.follow(self.first, _nbf("2026-05-01T00:00:00Z"))
        with self.assertRaisesRegex(form.FormError, "begins before"):
            self.follow(later, _nbf("2026-04-30T23:59:59Z"))

    def test_a_key_that_was_ended_signs_none_whenever_that_begins(self):
        former, kid = self.first["keys"][0]["kid"], "key:11-11/root/2"
        for status in ("retired", "compromised"):

            def end(root, status=status):
                root["keys"].insert(0, _key("root", "root", "human:root"))
                root["keys"][1].update(status=status, since=_SINCE)

            # It counted when this version begins, and yet it can't sign for itself that it ends.
            with self.assertRaisesRegex(form.FormError, "fewer signatures"):
                self.follow(self.first, end, former)
            second = self.follow(self.first, end, former, kid)
            self.follow(second, _nbf("2026-06-01T00:00:00Z"), kid)
            for nbf in (second["nbf"], "2026-04-30T00:00:00Z"):
                with self.assertRaisesRegex(form.FormError, "fewer signatures"):
                    self.follow(second, _nbf(nbf), former)
            # Nor does it let a ledger go back.
            document = {"at": "2026-04-30T00:00:00.000Z"}
            sigs = [{"kid": former, "val": forge.sign(former, document)["val"]}]
            at = form.millis(document["at"])
            self.assertEqual([trust.signers(document, sigs, root, at) for root in (self.first, second)], [1, 0])

    def test_what_may_be_added_and_go_on(self):
        head = _key("head", "head", "ledger://11-11")
        for change in (
            lambda root: None,
            lambda root: root["roles"].append(head),
            lambda root: root["roles"].reverse(),
            _retire,
            _set("roles", 1, status="compromised", since=_LATER),
        ):
            self.follow(self.first, change)
        for since in (_SINCE, "2026-04-30T00:00:00.000Z"):
            self.follow(self.retired, _set("roles", 0, status="compromised", since=since))

    def test_what_may_not_be_taken_or_undone(self):
        other = forge.public("key:11-11/other/2")
        owner = "governance://11-11/authority/other"
        cases = [
            (self.first, lambda root: root["roles"].__setitem__(0, _key("head", "head", "ledger://11-11"))),
            (self.first, _set("roles", 1, public=other)),
            (self.first, _set("roles", 1, owner=owner)),
            (self.first, _set("keys", 0, exp="2028-01-01T00:00:00Z")),
            (self.retired, _set("roles", 0, status="active", since=None)),
            (self.retired, _set("roles", 0, since=_LATER)),
            (self.retired, _set("roles", 0, status="compromised", since=_LATER)),
        ]
        for number, (former, change) in enumerate(cases):
            with self.subTest(number), self.assertRaises(form.FormError):
                self.follow(former, change)


class Forms(unittest.TestCase):
    def refused(self, change):
        root = vectors("root.json")
        trust.check(root)
        change(root)
        with self.assertRaises(form.FormError):
            trust.check(root)

    def test_every_role_is_named_and_this_domain_s(self):
        for at in range(3):
            self.refused(lambda root, at=at: root["roles"].pop(at))
            other = "ledger://other" if at == 0 else "governance://other/authority/prod"
            self.refused(_set("roles", at, owner=other))
            self.refused(_set("roles", at, owner="human:somebody"))

    def test_a_public_key_stands_once_and_is_sound(self):
        witness = vectors("root.json")["witnesses"]["keys"][0]["public"]
        self.refused(_set("roles", 0, public=witness))
        torsion = form.to_binary(_with_torsion())
        self.assertTrue(ed25519.acceptable_point(form.binary(torsion)))
        self.refused(_set("keys", 0, public=torsion))
        self.refused(lambda root: root["witnesses"]["keys"][1].update(public=torsion))

    def test_no_list_goes_on_without_end(self):
        first = vectors("root.json")

        def check(listed: str, made, many: int):
            trust.check({**first, listed: [made(number) for number in range(many)]})

        for listed, made in (
            ("keys", lambda number: _key(f"root-{number}", "root", "human:root")),
            ("sigs", lambda number: {**first["sigs"][0], "kid": f"key:11-11/root-{number}/2"}),
        ):
            check(listed, made, form.ROOT_KEYS_LIMIT)
            with self.assertRaisesRegex(form.FormError, "more than 256"):
                check(listed, made, form.ROOT_KEYS_LIMIT + 1)

    def test_a_root_that_is_there_is_read_whatever_its_witnesses_are_called_and_how_many_there_are(self):
        first = vectors("root.json")

        def witness(number: int, name: str) -> dict:
            return {"name": name, "public": forge.public(f"key:w/w{number}/1"), "audits": False}

        many = [witness(number, f"w{number}.example") for number in range(100)]
        # No new one is signed or published so: that is the ledger's and the authority's to refuse.
        for keys in (many, [witness(0, "11-11/ledger")]):
            trust.check({**first, "witnesses": {"quorum": 1, "auditors": 0, "keys": keys}})

    def test_a_witness_s_name_stands_in_a_note(self):
        for name in ("a+b", "a b", "a\u00a0b", "\u00e9", "", "a\x7f"):
            self.refused(lambda root, name=name: root["witnesses"]["keys"][0].update(name=name))


def _with_torsion() -> bytes:
    """A point of the curve outside of the prime-order group: half of all points that hash from something are."""
    numbers = (hashes.sha256(bytes([number])) for number in range(256))
    points = (bytes([*number[:31], number[31] & 0x7F]) for number in numbers)
    return next(point for point in points if ed25519.acceptable_point(point) and not ed25519.is_sound(point))


if __name__ == "__main__":
    unittest.main()
