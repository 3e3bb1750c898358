import tomllib
import unittest
from pathlib import Path

import eleven_verify

HERE = Path(__file__).parents[1]


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.described = tomllib.loads((HERE / "pyproject.toml").read_text())
        cls.project = cls.described["project"]

    def test_an_application_keeps_its_own_version_of_what_is_needed(self):
        (needed,) = self.project["dependencies"]
        name, _, least = needed.partition(">=")
        pinned, _, version = (HERE / "requirements.txt").read_text().strip().partition("==")
        self.assertEqual(name, pinned)
        self.assertLessEqual(int(least), int(version.split(".")[0]), "the tests run with one that is admitted")

    def test_it_brings_its_types_its_license_and_what_describes_it(self):
        package = Path(eleven_verify.__file__).parent
        self.assertIn("py.typed", self.described["tool"]["setuptools"]["package-data"]["eleven_verify"])
        self.assertTrue((package / "py.typed").is_file())
        self.assertEqual((HERE / "LICENSE").read_bytes(), (HERE.parents[1] / "LICENSE").read_bytes())
        self.assertEqual(self.project["license"], "Apache-2.0", "an expression: builds end that take a table for it")
        self.assertEqual(self.project["version"], eleven_verify.__version__)
