"""A stock gRPC client in Python: it reads the server's reflection, then uses stubs that grpcio-tools makes of our protos.

    stock_client.py HOST:PORT API_KEY PROTO_DIR
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import grpc
from google.protobuf import descriptor_pool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

SERVICES = [f"trunkline.v1.{name}Service" for name in ("Admin", "Call", "Client", "Queue")]
DEADLINE = 60


def generated(protos, into):
    """Generates stubs for every proto, as any Python project would."""
    files = [str(path) for path in sorted(Path(protos).rglob("*.proto"))]
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{protos}", f"--python_out={into}", f"--grpc_python_out={into}"]
    subprocess.run([*command, *files], check=True)
    sys.path.insert(0, into)


def reflection_tells_what_is_served(channel):
    database = ProtoReflectionDescriptorDatabase(channel)
    served = database.get_services()
    assert set(SERVICES) <= set(served), served
    # These are read from the server and not from our protos.
    pool = descriptor_pool.DescriptorPool(database)
    insert = pool.FindServiceByName("trunkline.v1.QueueService").FindMethodByName("InsertBatch")
    fields = [field.name for field in insert.input_type.fields]
    assert fields[:4] == ["queue_id", "batch_id", "dids", "data"], fields


def every_service_is_healthy(channel):
    health = health_pb2_grpc.HealthStub(channel)
    for service in ["", *SERVICES]:
        answer = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=DEADLINE)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING, service
    first = next(iter(health.Watch(health_pb2.HealthCheckRequest(service=""), timeout=DEADLINE)))
    assert first.status == health_pb2.HealthCheckResponse.SERVING
    try:
        health.Check(health_pb2.HealthCheckRequest(service="trunkline.v1.Nothing"), timeout=DEADLINE)
        raise AssertionError("an unknown service is healthy")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.NOT_FOUND, error


def a_batch_is_inserted_and_watched(channel, key):
    from trunkline.v1 import (
        call_events_pb2,
        call_status_pb2,
        calls_pb2_grpc,
        originate_pb2,
        queue_item_pb2,
        queues_pb2,
        queues_pb2_grpc,
    )

    metadata = [("x-api-key", key)]
    action = originate_pb2.OriginateAction(
        action="Originate", channel="PJSIP/4900@endpoint1", application="Wait", data="1"
    )
    item = queue_item_pb2.QueueItem(asterisk_server_code="server1", action=action)
    queues = queues_pb2_grpc.QueueServiceStub(channel)
    batch = queues_pb2.InsertBatchRequest(batch_id=5_000_000_000, data=[item, item])
    answer = queues.InsertBatch(batch, metadata=metadata, timeout=DEADLINE)
    assert (answer.inserted_count, answer.batch_id) == (2, 5_000_000_000), answer

    calls = calls_pb2_grpc.CallServiceStub(channel)
    watch = call_events_pb2.WatchCallsRequest(queue_id=answer.queue_id, after=0)
    events = calls.WatchCalls(watch, metadata=metadata, timeout=DEADLINE)
    seen, ended = [], set()
    for message in events:
        event = message.event
        seen.append((event.seq, event.type))
        if event.type == call_events_pb2.CALL_EVENT_TYPE_ENDED:
            assert event.outcome == call_status_pb2.CALL_OUTCOME_ANSWERED, event
            ended.add(event.call_id)
        if len(ended) == 2:
            events.cancel()
            break
    assert seen[0][1] == call_events_pb2.CALL_EVENT_TYPE_BATCH_INSERTED, seen
    assert [seq for seq, _ in seen] == sorted({seq for seq, _ in seen}), "the events are not in order or not once each"

    try:
        queues.InsertBatch(queues_pb2.InsertBatchRequest(batch_id=1), metadata=metadata, timeout=DEADLINE)
        raise AssertionError("an empty batch was accepted")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
        assert error.details() == "data: must hold 1 to 1000 items, and holds 0", error.details()


def main(address, key, protos):
    with grpc.insecure_channel(address) as channel, tempfile.TemporaryDirectory() as stubs:
        reflection_tells_what_is_served(channel)
        every_service_is_healthy(channel)
        generated(protos, stubs)
        a_batch_is_inserted_and_watched(channel, key)


if __name__ == "__main__":
    main(*sys.argv[1:])
    print("a stock gRPC client reflects, checks health, inserts a batch and watches it")
