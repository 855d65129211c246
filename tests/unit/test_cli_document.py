from pathlib import Path

from worker.cli.document import main, render

PAGE = Path(__file__).parent.parent.parent / "docs" / "commands.md"


def test_the_page_of_commands_is_current() -> None:
    """`docs/commands.md` is what `python -m worker.cli.document` writes; run it after a change of the command line."""
    assert PAGE.read_text(encoding="utf-8") == render()


def test_the_page_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    """The path is the only argument."""
    target = tmp_path / "commands.md"
    main([str(target)])

    assert target.read_text(encoding="utf-8") == render()


def test_every_command_of_the_interface_is_on_the_page() -> None:
    """The commands that users and scripts rely on are there (DESIGN §8)."""
    page = render()
    promised = (
        "run",
        "scheduler",
        "work",
        "web",
        *(f"enqueue {job}" for job in ("poll", "backfill", "sweep", "mirror", "fire", "reconcile")),
        *(f"orders {verb}" for verb in ("import", "unlink", "list", "explain")),
        "deliveries list",
        "events list",
        "coverage",
        "coverage list",
        *(f"credits {verb}" for verb in ("list", "plan", "approve", "hold", "release", "resolve", "adopt")),
        *(f"credits {verb}" for verb in ("dismiss", "supplement", "pause", "resume")),
        "reconcile",
        "reconcile close",
        "webhook test",
        "webhook enable",
        *(f"dead-letters {verb}" for verb in ("list", "retry", "drop")),
        "status",
        "rehearse",
        "db upgrade",
    )

    assert [name for name in promised if f"\n## `waybill {name}`\n" not in page] == []


def test_every_command_takes_the_settings_file_and_every_listing_json() -> None:
    """`--config` everywhere but in `rehearse`, which has settings of its own; `--json` on what lists."""
    sections = {part.partition("`")[0]: part for part in render().split("\n## `")[1:]}
    commands = {name: text for name, text in sections.items() if "Commands:" not in text and name != "waybill rehearse"}
    listings = [name for name in commands if name.endswith((" list", " explain", " plan", "status"))]

    assert [name for name, text in commands.items() if "--config FILE" not in text] == []
    assert [name for name in listings if "--json" not in commands[name]] == []
    assert "--json" in sections["waybill coverage"]
    assert "--json" in sections["waybill reconcile"]
