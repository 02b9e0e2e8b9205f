"""Log records go to the logger `tminus`, and nowhere else."""

from __future__ import annotations

import logging
import logging.handlers
import queue

import tminus
from conftest import PATIENCE, SEND_MESSAGE_V2, Run
from tminus.testing import Broker


def retry_a_send(broker: Broker, topic: str) -> None:
    with tminus.Producer(broker.endpoint) as producer:
        broker.inject(SEND_MESSAGE_V2, "refuse", code=2)
        producer.send(tminus.Message(topic, b"x"))


def test_a_retried_send_is_logged(broker: Broker, topic: str):
    retry_a_send(broker, topic)  # what was off the first time must not stay off
    records: queue.Queue[logging.LogRecord] = queue.Queue()
    handler = logging.handlers.QueueHandler(records)
    logger = logging.getLogger("tminus")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        retry_a_send(broker, topic)
        while "tried again" not in (record := records.get(timeout=PATIENCE)).getMessage():
            pass
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    assert record.name == "tminus"
    assert record.threadName == "tminus-log"


def test_a_level_that_is_off_costs_no_record(broker: Broker, topic: str, caplog):
    logging.getLogger("tminus").setLevel(logging.CRITICAL)
    try:
        retry_a_send(broker, topic)
    finally:
        logging.getLogger("tminus").setLevel(logging.NOTSET)
    assert [record for record in caplog.records if record.name == "tminus"] == []


def test_nothing_is_printed_and_no_file_is_written(broker: Broker, run_python: Run, tmp_path):
    program = """
    import os, sys
    os.environ["HOME"] = os.getcwd()
    import tminus
    with tminus.Producer(sys.argv[1]) as producer:
        producer.send(tminus.Message("quiet", b"x"))
        with tminus.PushConsumer(sys.argv[1], "quiet", "quiet", consume_from="first_offset") as consumer:
            with consumer.receive()[0] as message:
                assert message.body == b"x"
    """
    done = run_python(program, broker.endpoint)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_import_starts_no_thread(run_python: Run):
    program = """
    import os, threading
    before = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else None
    import tminus, tminus.aio, tminus.testing, rocketmq.client
    assert threading.active_count() == 1
    if before:
        assert len(os.listdir("/proc/self/task")) == before
    """
    done = run_python(program)
    assert (done.returncode, done.stderr) == (0, "")
