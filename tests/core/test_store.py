from __future__ import annotations

import errno
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rlbench.core.errors import CorruptError, StorageError
from rlbench.core.record import Record, read_evidence
from rlbench.core.store import FAILURE_SCHEMA, Failure, Store, read_failure
from rlbench.core.trial import Trial


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


@pytest.fixture
def record(trial: Trial, record_of: Any) -> Record:
    made: Record = record_of(trial)
    return made


def files(store: Store) -> list[str]:
    found = [path for path in store.root.rglob("*") if path.is_file()]
    return sorted(path.relative_to(store.root).as_posix() for path in found)


HOME = "toy/alpha@3/guess/small"


def test_a_trials_files_lie_where_its_cell_says(
    store: Store, trial: Trial, record: Record, evidence: bytes
) -> None:
    path = store.publish(trial, record, evidence, None)
    assert path == store.root / HOME / "seed-4.json"
    assert files(store) == [f"{HOME}/seed-4.json", f"{HOME}/seed-4.npz"]
    longer = replace(trial, overrides={"steps": 7})
    folder = store.path(longer).parent.relative_to(store.root)
    assert folder.as_posix() == "toy/alpha@3/guess+steps=7,from-small/custom"


def test_a_published_record_is_read_back_with_its_evidence(
    store: Store, trial: Trial, record: Record, evidence: bytes
) -> None:
    assert store.read(trial) is None
    path = store.publish(trial, record, evidence, None)
    assert store.read(trial) == record
    assert [item.record for item in store.records()] == [record]
    assert list(read_evidence(path, record)) == ["returns"]


def test_a_second_record_of_the_same_trial_is_refused_and_changes_nothing(
    store: Store, trial: Trial, record: Record, evidence: bytes
) -> None:
    store.publish(trial, record, evidence, None)
    with pytest.raises(FileExistsError):
        store.publish(trial, record, b"other evidence", None)
    assert store.read(trial) == record


def test_a_stale_record_is_replaced_when_that_is_asked_for(
    store: Store, trial: Trial, record: Record, evidence: bytes
) -> None:
    store.publish(trial, record, evidence, None)
    newer = replace(record, source="f" * 64)
    store.publish(trial, newer, evidence, None, replace=True)
    assert store.read(trial) == newer


def test_a_replacement_that_fails_leaves_the_old_trial_whole(
    store: Store,
    trial: Trial,
    record: Record,
    evidence: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store.publish(trial, record, evidence, None)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError):
        store.publish(trial, replace(record, source="f" * 64), b"new", None, replace=True)
    assert store.read(trial) == record


def test_a_program_that_dies_between_the_files_leaves_no_record(
    store: Store,
    trial: Trial,
    record: Record,
    evidence: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Evidence without a record is nothing; the next attempt publishes over it."""
    store.publish(trial, record, evidence, None)
    with monkeypatch.context() as patch:

        def die(*_: Any) -> None:
            raise KeyboardInterrupt

        patch.setattr("os.link", die)
        with pytest.raises(KeyboardInterrupt):
            store.publish(trial, record, b"half", None, replace=True)
    assert store.read(trial) is None
    assert not list(store.records())
    store.publish(trial, record, evidence, None)
    assert store.read(trial) == record


def test_a_record_in_another_cells_folder_is_corrupt(
    store: Store, trial: Trial, record: Record, evidence: bytes
) -> None:
    path = store.publish(trial, record, evidence, None)
    other = store.root / "toy" / "alpha@3" / "better" / "small"
    shutil.copytree(path.parent, other)
    with pytest.raises(CorruptError, match=rf"the record inside belongs in .*{HOME}"):
        list(store.records())


def test_records_come_in_a_fixed_order_and_other_files_are_passed_over(
    store: Store, trial: Trial, record_of: Any, evidence: bytes
) -> None:
    for seed in (3, 1, 2):
        item = replace(trial, seed=seed)
        store.publish(item, record_of(item), evidence, b"step\n")
    store.write_failure(replace(trial, seed=9), failure(trial))
    (store.root / HOME / "notes.json").write_text("{}")
    store.lock(trial).acquire().lock.release()
    assert [path.name for path in store.scan()] == ["seed-1.json", "seed-2.json", "seed-3.json"]


def failure(trial: Trial, **changes: Any) -> Failure:
    return replace(
        Failure(FAILURE_SCHEMA, trial.identity, trial.label, "error", "ValueError: no", 1, ["a"]),
        **changes,
    )


def test_a_failure_is_replaced_by_the_next_and_removed_by_success(
    store: Store, trial: Trial, record: Record, evidence: bytes
) -> None:
    assert store.read_failure(trial) is None
    store.write_failure(trial, failure(trial))
    store.write_failure(trial, failure(trial, attempts=2))
    found = store.read_failure(trial)
    assert found is not None
    assert found.attempts == 2
    assert not list(store.records())
    store.publish(trial, record, evidence, None)
    assert store.read_failure(trial) is None


def test_a_failure_file_that_is_none_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "seed-4.failed.json"
    path.write_text('{"schema": "rlbench.failure/1"}')
    with pytest.raises(CorruptError, match=r"failed\.json: identity: missing"):
        read_failure(path)


def test_a_checkpoint_is_never_met_by_another_identity_or_source(
    store: Store, trial: Trial
) -> None:
    paths = {
        store.work(trial, "a" * 64),
        store.work(trial, "b" * 64),
        store.work(replace(trial, seed=5), "a" * 64),
    }
    assert len(paths) == 3


def test_a_trial_is_taken_by_one_holder_at_a_time(store: Store, trial: Trial) -> None:
    from filelock import Timeout

    with store.lock(trial), pytest.raises(Timeout):
        store.lock(trial).acquire(timeout=0)
    with store.lock(trial), store.lock(replace(trial, seed=5)).acquire(timeout=0):
        pass
