"""What is found, what is loaded, and what one plugin's fault does to the others."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from importlib import metadata
from typing import TYPE_CHECKING

import pytest

from fake_site import FakeSite, SoundBroker, answering, offering
from ltq_core import plugins
from ltq_core.errors import PluginError
from ltq_core.plugins.loading import HOOKS

if TYPE_CHECKING:
    from pathlib import Path

    from ltq_core.plugins import PluginInfo

IMPORT = "from ltq_core import hookimpl\n"

BREAKAGE = {
    "an import that fails": (
        "import a_missing_client",
        "No module named 'a_missing_client'. Reinstall",
    ),
    "an error at import": (
        "1 / 0",
        "ZeroDivisionError: division by zero. Update",
    ),
    "GeneratorExit at import": (
        "raise GeneratorExit",
        "GeneratorExit. Update",
    ),
    "SystemExit at import": (
        "raise SystemExit(3)",
        "SystemExit: 3. Update",
    ),
    "a hook with wrong arguments": (
        IMPORT + "@hookimpl\ndef ltq_register_brokers(app): ...",
        "its ltq_register_brokers asks for 'app', but the hook takes no arguments. Update",
    ),
    "a lifespan with wrong arguments": (
        IMPORT + "@hookimpl\ndef ltq_worker_lifespan(wrkr): ...",
        "its ltq_worker_lifespan asks for 'wrkr', but the hook takes only 'worker'. Update",
    ),
    "a misspelt hook": (
        IMPORT + "@hookimpl\ndef ltq_register_broker(): ...",
        "there is no hook 'ltq_register_broker' (did you mean 'ltq_register_brokers'?). Update",
    ),
    "a hook like no other": (
        IMPORT + "@hookimpl\ndef ltq_zzz(): ...",
        f"there is no hook 'ltq_zzz' (known are: {', '.join(HOOKS)}). Update",
    ),
    "a misspelt hook without its decorator": (
        "def ltq_worker_life(): ...",
        "there is no hook 'ltq_worker_life' (did you mean 'ltq_worker_lifespan'?). Update",
    ),
    "a hook without its decorator": (
        "def ltq_register_brokers(): ...",
        "its ltq_register_brokers lacks the decorator @hookimpl. Update",
    ),
    "an async hook": (
        IMPORT + "@hookimpl\nasync def ltq_register_brokers(): ...",
        "its ltq_register_brokers must be a plain function, not async. Update",
    ),
    "a hook that raises": (
        answering("ltq_register_brokers", "{}['x']"),
        "its ltq_register_brokers raised KeyError: 'x'. Update",
    ),
    "a hook that ends the process": (
        answering("ltq_register_commands", "exit()"),
        "its ltq_register_commands raised SystemExit: None. Update",
    ),
    "a plugin that uses plugins while it is loaded": (
        "from ltq_core.broker import Broker\nBroker.from_url('good://')",
        "plugins cannot be used while they are being loaded. Update",
    ),
}

ANSWERS = {
    ("ltq_register_brokers", "['nats']"): "a list, not a mapping of names",
    ("ltq_register_brokers", "{'NATS': 'm:B'}"): "'NATS', which is no lower-case URL scheme",
    ("ltq_register_brokers", "{'nats': 'm.B'}"): (
        "'m.B' for 'nats': it must be 'module:name' or a callable"
    ),
    ("ltq_register_brokers", "{'nats': None}"): (
        "None for 'nats': it must be 'module:name' or a callable"
    ),
    ("ltq_register_commands", "{'a b': 'm:c'}"): "'a b', which is no command name",
    ("ltq_register_middleware", "MiddlewareSpec('m', 'm:M')"): (
        "a MiddlewareSpec, not a list of MiddlewareSpec"
    ),
    ("ltq_register_middleware", "['m:M']"): "a str, not a MiddlewareSpec",
    ("ltq_register_middleware", "[MiddlewareSpec('', 'm:M')]"): "a middleware named ''",
    ("ltq_register_middleware", "[MiddlewareSpec('m', 'M')]"): (
        "'M' for middleware 'm': it must be 'module:name' or a callable"
    ),
    ("ltq_register_middleware", "[MiddlewareSpec('m', 'm:M', phase='first')]"): (
        "phase 'first' for middleware 'm': it must be one of observe, retry, guard, limit, "
        "inner"
    ),
    ("ltq_register_middleware", "[MiddlewareSpec('m', 'm:M', default='no')]"): (
        "default 'no' for middleware 'm': it must be a bool or callable"
    ),
    ("ltq_register_middleware", "[MiddlewareSpec('m', 'm:M', options=('rate'))]"): (
        "options 'rate' for middleware 'm': they must be a tuple of names"
    ),
    ("ltq_register_middleware", "[MiddlewareSpec('m', 'm:M')] * 2"): "the middleware 'm' twice",
    ("ltq_register_middleware", "[MiddlewareSpec('m', 'm:M', options=('x', 'x'))]"): (
        "the option 'x' twice"
    ),
}


def info(name: str) -> PluginInfo:
    return next(one for one in plugins.installed() if one.name == name)


@pytest.mark.parametrize("kind", BREAKAGE)
def test_broken_plugin_is_named_with_its_remedy(site: FakeSite, kind: str) -> None:
    source, fault = BREAKAGE[kind]
    site.add("ltq-bad", {"bad": source})
    site.use()

    assert info("bad").state == "broken"
    assert info("bad").error == (
        f"Plugin 'bad' from ltq-bad 1.0 could not be loaded: {fault} it, "
        "or set LTQ_DISABLE_PLUGINS=bad."
    )


@pytest.mark.parametrize("kind", BREAKAGE)
def test_broken_plugin_leaves_the_others_working(site: FakeSite, kind: str) -> None:
    site.add("ltq-aaa", {"aaa": offering("aaa")})
    site.add("ltq-bad", {"bad": BREAKAGE[kind][0]})
    site.add("ltq-good", {"good": offering("good")})
    site.use()

    assert isinstance(plugins.broker_from_url("aaa://"), SoundBroker)
    assert isinstance(plugins.broker_from_url("good://"), SoundBroker)


@pytest.mark.parametrize(("hook", "answer"), ANSWERS)
def test_answer_that_makes_no_sense_breaks_its_plugin(
    site: FakeSite, hook: str, answer: str
) -> None:
    site.add("ltq-bad", {"bad": answering(hook, answer)})
    site.use()

    assert info("bad").state == "broken"
    assert f"its {hook} answered {ANSWERS[hook, answer]}. Update it" in str(info("bad").error)


def test_broken_plugin_offers_nothing(site: FakeSite) -> None:
    source = offering("bad") + answering("ltq_register_commands", "[]")
    site.add("ltq-bad", {"bad": source})
    site.use()

    assert info("bad").schemes == ()


def test_hook_that_answers_none_offers_nothing(site: FakeSite) -> None:
    site.add("ltq-quiet", {"quiet": answering("ltq_register_brokers", "None")})
    site.use()

    assert (info("quiet").state, info("quiet").schemes) == ("ok", ())


def test_hook_for_another_core_is_let_pass_where_it_is_marked_optional(site: FakeSite) -> None:
    source = "from ltq_core import hookimpl\n@hookimpl(optionalhook=True)\ndef ltq_new(): ..."
    site.add("ltq-new", {"new": source})
    site.use()

    assert info("new").state == "ok"


@pytest.mark.parametrize(
    "requires", ["ltq-core<0.1", "LTQ_Core >=0.2,<0.3", "ltq.core==9", "ltq-core>0.1"]
)
def test_plugin_for_another_core_is_incompatible_and_not_imported(
    site: FakeSite, requires: str
) -> None:
    site.add("ltq-old", {"old": "raise SystemExit"}, requires=requires)
    site.use()

    assert info("old").state == "incompatible"


def test_incompatible_plugin_says_what_it_needs_and_what_to_run(site: FakeSite) -> None:
    site.add("ltq-old", {"old": ""}, requires="ltq-core<0.1,>=0.0.5")
    site.use()

    assert info("old").error == (
        "Plugin 'old' from ltq-old 1.0 needs ltq-core<0.1,>=0.0.5, but 0.1.0 is installed. "
        "Run: pip install --upgrade ltq-core ltq-old, or set LTQ_DISABLE_PLUGINS=old."
    )


@pytest.mark.parametrize(
    "requires",
    [
        "ltq-core",
        "ltq-core<0.2,>=0.1",
        "ltq_core >= 0.1.0.0, <= 0.1",
        "ltq-core~=0.1",
        "ltq-core<0.1; extra == 'old'",
        "ltq-core-extras<0.1",
    ],
)
def test_requirement_that_the_core_meets_is_no_obstacle(site: FakeSite, requires: str) -> None:
    site.add("ltq-new", {"new": offering("new")}, requires=requires)
    site.use()

    assert info("new").state == "ok"


def test_requirement_that_cannot_be_read_breaks_its_plugin(site: FakeSite) -> None:
    site.add("ltq-odd", {"odd": ""}, requires="ltq-core >>> 1")
    site.use()

    assert info("odd").state == "broken"


def test_two_plugins_of_one_name_are_both_out_of_use(site: FakeSite) -> None:
    site.add("ltq-one", {"nats": offering("one")})
    site.add("ltq-two", {"nats": offering("two")})
    site.use()

    assert [one.state for one in plugins.installed()] == ["conflict", "conflict"]
    assert [one.schemes for one in plugins.installed()] == [(), ()]
    assert info("nats").error == (
        "The plugin name 'nats' is taken by ltq-one 1.0 and ltq-two 1.0, so neither is used. "
        "Choose one: set LTQ_DISABLE_PLUGINS=ltq-one or LTQ_DISABLE_PLUGINS=ltq-two, "
        "or give ltq -p no:ltq-one."
    )


def test_disabling_one_of_two_namesakes_by_distribution_leaves_the_other(
    site: FakeSite,
) -> None:
    site.add("ltq-one", {"nats": offering("one")})
    site.add("ltq-two", {"nats": offering("two")})
    site.use(disabled={"ltq-one": "a test"})

    assert [one.state for one in plugins.installed()] == ["disabled", "ok"]


def test_scheme_that_two_plugins_offer_puts_both_in_conflict_and_leaves_the_rest(
    site: FakeSite,
) -> None:
    site.add("ltq-one", {"one": offering("nats", "one")})
    site.add("ltq-two", {"two": offering("nats")})
    site.use()

    assert info("one").state == info("two").state == "conflict"
    assert info("one").error == (
        "Scheme 'nats://' is offered by 'one' from ltq-one 1.0 and 'two' from ltq-two 1.0. "
        "Choose one: set LTQ_DISABLE_PLUGINS=one or LTQ_DISABLE_PLUGINS=two, "
        "or give ltq -p no:one."
    )
    assert isinstance(plugins.broker_from_url("one://"), SoundBroker)


def test_one_module_behind_two_entry_points_counts_once(site: FakeSite) -> None:
    site.add("ltq-one", {"one": offering("one")})
    site.describe("ltq-two", "[ltq]\ntwo = ltq_one_one")
    site.use()

    assert (info("one").state, info("two").state) == ("ok", "broken")
    assert "another entry point names 'ltq_one_one' already" in str(info("two").error)


def test_entry_point_may_name_an_object(site: FakeSite) -> None:
    site.add(
        "ltq-one",
        {
            "one": "class Hooks:"
            + offering("one").replace("\n", "\n    ").replace("brokers():", "brokers(self):")
            + "\nhooks = Hooks()"
        },
    )
    site.root.joinpath("ltq_one-1.0.dist-info/entry_points.txt").write_text(
        "[ltq]\none = ltq_one_one:hooks [extra]\n"
    )
    site.use()

    assert info("one").schemes == ("one",)


def test_object_that_cannot_be_hashed_breaks_its_plugin_alone(site: FakeSite) -> None:
    source = "from dataclasses import dataclass\n@dataclass\nclass Impl: ...\nimpl = Impl()"
    (site.root / "impl.py").write_text(source)
    site.describe("ltq-data", "[ltq]\ndata = impl:impl")
    site.add("ltq-nats", {"nats": offering("nats")})
    site.use()

    assert [info(name).state for name in ("data", "nats")] == ["broken", "ok"]


def test_plugins_are_sorted_by_name_whatever_the_order_on_disk(site: FakeSite) -> None:
    for distribution, name in [("ltq-z", "middle"), ("ltq-a", "zulu"), ("ltq-m", "alpha")]:
        site.add(distribution, {name: offering(name)})
    site.use()

    assert [one.name for one in plugins.installed()] == ["alpha", "middle", "zulu"]


DAMAGED = {
    "no name": ("METADATA", b"Version: 1.0\n", "bad"),
    "no version": ("METADATA", b"Name: ltq-bad\n", "bad"),
    "nothing": ("METADATA", b"", "bad"),
    "other bytes": ("METADATA", b"\xff\xfe", "bad"),
    "no equals sign": ("entry_points.txt", b"[ltq]\nno equals sign\n", "ltq-bad"),
    "other bytes among entry points": ("entry_points.txt", b"[ltq]\n\xff = x\n", "ltq-bad"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_metadata_breaks_only_its_own_plugins_and_is_named(
    site: FakeSite, kind: str
) -> None:
    file, text, name = DAMAGED[kind]
    info = site.describe("ltq-bad", "[ltq]\nbad = ltq_bad\n")
    (info / file).write_bytes(text)
    site.add("ltq-good", {"good": offering("good")})
    site.use()

    bad, good = sorted(plugins.installed(), key=lambda one: one.distribution)
    assert (bad.name, bad.distribution, bad.version, bad.state) == (
        name,
        "ltq-bad",
        "1.0",
        "broken",
    )
    assert f"from ltq-bad 1.0 could not be loaded: {info / file} is damaged" in str(bad.error)
    assert str(bad.error).endswith(f"). Reinstall it, or set LTQ_DISABLE_PLUGINS={name}.")
    assert good.state == "ok"


@pytest.mark.parametrize("kind", DAMAGED)
def test_plugin_with_damaged_metadata_can_be_disabled(site: FakeSite, kind: str) -> None:
    file, text, name = DAMAGED[kind]
    (site.describe("ltq-bad", "[ltq]\nbad = ltq_bad\n") / file).write_bytes(text)
    site.use(disabled={"ltq-bad": "a test"})

    assert info(name).state == "disabled"


def test_damaged_metadata_of_a_distribution_without_plugins_is_not_read(site: FakeSite) -> None:
    site.describe("other", "no section, no equals sign")
    site.add("ltq-good", {"good": offering("good")})
    site.use()

    assert [one.name for one in plugins.installed()] == ["good"]


def test_of_two_copies_of_a_distribution_the_first_on_the_path_counts(
    site: FakeSite, tmp_path: Path
) -> None:
    site.add("ltq-one", {"one": offering("one")})
    copy = next(metadata.distributions(path=[str(site.root)]))
    registry = plugins.PluginRegistry([copy, copy], core_version="0.1.0")

    assert [plugin.state for plugin in registry.everything.plugins] == ["ok"]


def test_discovery_happens_once(site: FakeSite) -> None:
    registry = site.use()

    assert registry.everything is registry.everything


def test_threads_share_one_discovery(site: FakeSite) -> None:
    site.add("ltq-one", {"one": offering("one")})
    registry = site.use()
    together = threading.Barrier(4)
    found = []

    def look() -> None:
        together.wait(timeout=10)
        found.append(registry.everything)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)

    assert len(found) == 4
    assert len(set(map(id, found))) == 1


def test_keyboard_interrupt_at_import_is_not_swallowed(site: FakeSite) -> None:
    site.add("ltq-bad", {"bad": "raise KeyboardInterrupt"})
    site.use()

    with pytest.raises(KeyboardInterrupt):
        plugins.installed()


@pytest.mark.parametrize("name", ["nats", "NATS", "ltq-nats", "LTQ_Nats", " nats ", "x,nats"])
def test_environment_keeps_a_plugin_out_by_plugin_or_distribution_name(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    site.add("ltq-nats", {"nats": "raise SystemExit"})
    monkeypatch.setenv("LTQ_DISABLE_PLUGINS", name)
    plugins.reset()

    assert info("nats").state == "disabled"
    assert info("nats").error == (
        "Plugin 'nats' from ltq-nats 1.0 is disabled by LTQ_DISABLE_PLUGINS. "
        "Leave that out to use it."
    )


def test_command_line_keeps_a_plugin_out(site: FakeSite) -> None:
    site.add("ltq-nats", {"nats": "raise SystemExit"})
    plugins.disable(["Nats"])

    assert info("nats").error == (
        "Plugin 'nats' from ltq-nats 1.0 is disabled by -p no:Nats. Leave that out to use it."
    )


@pytest.mark.parametrize(
    ("name", "hint"), [("redsi", "Did you mean 'redis'?"), ("x", "See: ltq plugins list.")]
)
def test_name_that_disables_nothing_is_a_warning_with_the_nearest_name(
    site: FakeSite, caplog: pytest.LogCaptureFixture, name: str, hint: str
) -> None:
    site.add("ltq-redis", {"redis": offering("redis")})
    site.use(disabled={name: "LTQ_DISABLE_PLUGINS", "ltq-redis": "a test"})

    plugins.installed()

    assert "\n".join(caplog.messages) == (
        f"No plugin named '{name}' is installed, so LTQ_DISABLE_PLUGINS cannot disable it. "
        f"{hint}"
    )


def test_disabled_plugin_is_not_imported(site: FakeSite) -> None:
    site.add("ltq-nats", {"nats": offering("nats")})
    site.use(disabled={"nats": "a test"})

    plugins.installed()

    assert "ltq_nats_nats" not in sys.modules


def test_strict_makes_a_broken_plugin_everybodys_error(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add("ltq-bad", {"bad": "1 / 0"})
    site.add("ltq-good", {"good": offering("good")})
    monkeypatch.setenv("LTQ_STRICT_PLUGINS", "1")
    plugins.reset()

    with pytest.raises(
        PluginError, match=r"^Plugin 'bad' from ltq-bad 1\.0 could not be loaded"
    ):
        plugins.broker_from_url("good://")


def test_strict_does_not_mind_a_disabled_plugin(site: FakeSite) -> None:
    site.add("ltq-bad", {"bad": "1 / 0"})
    site.add("ltq-good", {"good": offering("good")})
    site.use(strict=True, disabled={"bad": "a test"})

    assert isinstance(plugins.broker_from_url("good://"), SoundBroker)


def test_importing_the_framework_finds_and_imports_nothing() -> None:
    code = """
import json, sys
import ltq_core.plugins
heavy = {"pluggy", "importlib.metadata", "packaging", "rich_click", "difflib"}
print(json.dumps(sorted(heavy & sys.modules.keys())))
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert json.loads(result.stdout) == []
