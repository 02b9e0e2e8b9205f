"""After a fork: what was made before is refused in the child, what is made there works, and nothing hangs."""

from __future__ import annotations

import sys

import pytest
from conftest import Run
from tminus.testing import Broker

PROGRAM = """
import gc, os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of fork in a process with threads
import tminus
from tminus.aio import AsyncProducer
from tminus.testing import Broker
import asyncio
from datetime import timedelta

endpoint = sys.argv[1]
half = tminus.Message("forked", b"half")
unknown = lambda message: tminus.TransactionResolution.UNKNOWN
producer = tminus.Producer(endpoint, topics=["forked"], checker=unknown).start()
consumer = tminus.PushConsumer(endpoint, "forked", "forked", lambda message: None, consume_from="first_offset").start()
reader = tminus.PushConsumer(endpoint, "reader", "forked", consume_from="first_offset").start()
producer.send(tminus.Message("forked", b"parent"))
transaction = producer.send_transaction(half)
simple = received = None
if not endpoint.startswith("remoting"):
    simple = tminus.SimpleConsumer(endpoint, "simple", "forked").start()
    (received,) = simple.receive(1, timedelta(seconds=30))
(delivery,) = reader.receive()
broker = Broker()
unused = tminus.Producer(endpoint)

def refused(call):
    try:
        call()
    except tminus.errors.ForkedError as error:
        assert error.kind == "forked"
        assert "make a new one after the fork" in str(error)
        return
    raise AssertionError(f"{call} worked in the child")

def child():
    message = tminus.Message("forked", b"child")
    refused(lambda: producer.send(message))
    refused(lambda: unused.send(message))
    refused(lambda: producer.queues("forked"))
    refused(lambda: consumer.suspend())
    refused(lambda: reader.receive())
    refused(lambda: delivery.settle(tminus.ConsumeResult.SUCCESS))
    refused(lambda: broker.pending())
    refused(lambda: producer.send_transaction(half))
    refused(transaction.commit)
    if simple is not None:
        refused(lambda: simple.receive(1, timedelta(seconds=30)))
        refused(lambda: simple.ack(received))
        assert received.message.body == b"parent"
        simple.close()
    for mine in (producer, consumer, reader, unused, broker):
        mine.close()
    with tminus.Producer(endpoint) as fresh:
        fresh.send(message)
    async def send():
        async with AsyncProducer(endpoint) as fresh:
            await fresh.send(message)
    asyncio.run(send())

pid = os.fork()
if pid == 0:
    child()
    del producer, consumer, reader, delivery, broker, unused, simple, received, transaction
    gc.collect()
    sys.exit(7)
_, status = os.waitpid(pid, 0)
assert os.waitstatus_to_exitcode(status) == 7, status
producer.send(tminus.Message("forked", b"parent still works"))
delivery.settle(tminus.ConsumeResult.SUCCESS)
transaction.commit()
if simple is not None:
    simple.ack(received)
print("parent and child are done")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_fork(broker: Broker, scheme: str, run_python: Run):
    broker.create_topic("forked")
    done = run_python(PROGRAM, f"{scheme}://{broker.endpoint}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "parent and child are done\n", "")


def test_a_multiprocessing_pool_after_use(broker: Broker, scheme: str, run_python: Run):
    program = """
    import multiprocessing, sys, warnings
    warnings.simplefilter("ignore", DeprecationWarning)
    import tminus

    def work(i):
        with tminus.Producer(sys.argv[1]) as producer:
            return producer.send(tminus.Message("pool", b"%d" % i)).message_id

    mine = work(0)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        ids = pool.map(work, range(8))
    assert len({mine, *ids}) == 9
    """
    done = run_python(program, f"{scheme}://{broker.endpoint}")
    assert (done.returncode, done.stderr) == (0, "")
