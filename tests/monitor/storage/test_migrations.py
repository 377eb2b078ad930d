from __future__ import annotations

import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import monitor.storage
from monitor.clock import SystemClock
from monitor.sources.base import Partition
from monitor.storage.errors import StorageError
from monitor.storage.store import Store
from monitor.storage.tables import PARTITION, SCHEMA


@pytest.fixture
def config() -> Config:
    made = Config()
    made.set_main_option("script_location", str(Path(monitor.storage.__file__).parent / "migrations"))
    return made


def test_from_empty_the_migrations_give_exactly_the_tables(store: Store) -> None:
    with store._database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, PARTITION.metadata) == []
        assert context.get_current_revision() == SCHEMA


def test_the_schema_is_the_newest_migration(config: Config) -> None:
    assert ScriptDirectory.from_config(config).get_heads() == [SCHEMA]


def test_a_newer_schema_is_refused_and_left_alone(store: Store, url: str) -> None:
    with store._database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StorageError, match=r"newer release wrote this database .schema 9999") as caught:
        Store.open(url, SystemClock())
    assert "Install" in caught.value.cure
    with store._database.read() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one() == "9999"


def test_a_database_is_never_taken_back(store: Store, config: Config) -> None:
    with store._database.write() as connection:
        config.attributes["connection"] = connection
        with pytest.raises(NotImplementedError):
            command.downgrade(config, "base")
    with store._database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM finding").scalar_one() == 0


def test_a_database_of_others_is_refused(store: Store, url: str) -> None:
    with store._database.write() as connection:
        connection.exec_driver_sql("DROP TABLE alembic_version")
    with pytest.raises(StorageError, match="belongs to something else"):
        Store.open(url, SystemClock())


def test_opening_again_keeps_everything(store: Store, url: str) -> None:
    store.claim(Partition("topic", 0), "x")
    installation = store.installation_id()
    again = Store.open(url, SystemClock())
    assert again.claim(Partition("topic", 0), "y").epoch == 2
    assert again.installation_id() == installation
    again.close()


def test_two_that_open_an_empty_database_at_once_both_get_it(url: str) -> None:
    opened: list[Store] = []
    threads = [
        threading.Thread(target=lambda: opened.append(Store.open(url, SystemClock(), busy_seconds=20)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({store.installation_id() for store in opened}) == 1
    assert len(opened) == 3
    for store in opened:
        store.close()


def test_another_digest_key_is_refused(store: Store, url: str) -> None:
    store.check_key("one")
    store.check_key("one")
    again = Store.open(url, SystemClock())
    with pytest.raises(StorageError, match="not the digest key"):
        again.check_key("two")
    again.check_key("one")
    again.close()
